//! The log on the screen: lines of one container or of many, merged by their time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;

use crate::cluster::{LogLine, LogRange, LogSource};

/// The logs that are read together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsWanted {
    /// Whose, each once.
    pub sources: Vec<LogSource>,
    /// The same part of each.
    pub range: LogRange,
}

/// What is begun and ended when other logs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// These are read no longer.
    pub stop: Vec<LogSource>,
    /// These are read from now on.
    pub start: Vec<LogSource>,
}

/// A line among those of many containers.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When the kubelet received it, where it says.
    pub at: Option<Timestamp>,
    /// Where it stands: by its own time, or that of the line before it of the same container.
    order: Option<Timestamp>,
    /// Its container: the place in [`Log::sources`].
    pub of: usize,
    /// Lines that had come before it.
    pub number: u64,
    /// The text, as it came.
    pub text: Arc<str>,
}

/// The end of a log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// What is read.
    pub wanted: LogsWanted,
    /// Whose lines there are: those that are read, and those that were.
    pub sources: Vec<LogSource>,
    /// By their time, at most [`Log::KEPT`].
    pub lines: VecDeque<Line>,
    /// Lines that have come in all.
    pub seen: u64,
    /// One of them has answered.
    pub begun: bool,
    /// Why no more come of these.
    pub troubles: BTreeMap<usize, String>,
}

impl Log {
    /// Lines kept.
    pub const KEPT: usize = 10_000;

    /// How many of the lines are not later than that.
    pub fn until(&self, at: Timestamp) -> usize {
        self.lines.partition_point(|line| line.order.is_none_or(|order| order <= at))
    }

    /// Takes up what is wanted now. The lines of a pod that has gone stay where the rest is still read: a rollout does
    /// not tear a log apart.
    pub fn turn(&mut self, wanted: LogsWanted) -> Turn {
        let before = std::mem::take(&mut self.wanted.sources);
        let stays = self.wanted.range == wanted.range
            && (before.iter().any(|source| wanted.sources.contains(source)) || wanted.sources.is_empty());
        let turn = if stays {
            Turn {
                stop: before.iter().filter(|source| !wanted.sources.contains(source)).cloned().collect(),
                start: wanted.sources.iter().filter(|source| !before.contains(source)).cloned().collect(),
            }
        } else {
            *self = Self::default();
            Turn { stop: before, start: wanted.sources.clone() }
        };
        for source in &turn.stop {
            let at = self.sources.iter().position(|known| known == source);
            at.and_then(|at| self.troubles.remove(&at));
        }
        for source in &turn.start {
            if !self.sources.contains(source) {
                self.sources.push(source.clone());
            }
        }
        self.wanted = wanted;
        turn
    }

    /// What has come of one container. What came of one that is not read, or of another part, is not taken.
    pub fn take(&mut self, source: &LogSource, range: LogRange, came: Result<Vec<LogLine>, String>) {
        if self.wanted.range != range || !self.wanted.sources.contains(source) {
            return;
        }
        let Some(of) = self.sources.iter().position(|known| known == source) else { return };
        match came {
            Err(why) => {
                self.troubles.insert(of, why);
            }
            Ok(lines) => {
                self.begun = true;
                self.troubles.remove(&of);
                self.merge(of, lines);
            }
        }
    }

    /// Puts lines where their time belongs. What has no time stays behind what came before it.
    fn merge(&mut self, of: usize, lines: Vec<LogLine>) {
        let first = lines.iter().find_map(|line| line.at);
        let later = |line: &Line| first.is_some_and(|first| line.order.is_some_and(|at| at > first));
        let overlap = self.lines.iter().rev().take_while(|line| later(line)).count();
        let mut rest = self.lines.split_off(self.lines.len() - overlap);
        let mut at = first;
        for line in lines {
            at = line.at.or(at);
            while rest.front().is_some_and(|other| other.order <= at) {
                self.lines.extend(rest.pop_front());
            }
            let number = self.seen;
            self.seen += 1;
            self.lines.push_back(Line { at: line.at, order: at, of, number, text: line.text });
        }
        self.lines.append(&mut rest);
        self.lines.drain(..self.lines.len().saturating_sub(Self::KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Key;

    fn source(pod: &str) -> LogSource {
        LogSource { pod: Key::new("acme", pod), container: "php-fpm".into() }
    }

    fn wanted(pods: &[&str]) -> LogsWanted {
        LogsWanted { sources: pods.iter().map(|pod| source(pod)).collect(), range: LogRange::default() }
    }

    fn lines(all: &[(i64, &str)]) -> Result<Vec<LogLine>, String> {
        let at = |second: i64| (second > 0).then(|| Timestamp::from_second(second).expect("a time"));
        Ok(all.iter().map(|(second, text)| LogLine { at: at(*second), text: (*text).into() }).collect())
    }

    fn told(log: &Log) -> Vec<&str> {
        log.lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn the_lines_of_many_stand_by_their_time() {
        let mut log = Log::default();
        log.turn(wanted(&["a", "b", "c"]));
        log.take(&source("a"), LogRange::default(), lines(&[(1, "a1"), (3, "a3"), (5, "a5"), (0, "a-")]));
        log.take(&source("b"), LogRange::default(), lines(&[(2, "b2"), (0, "b-"), (5, "b5"), (6, "b6")]));
        log.take(&source("c"), LogRange::default(), lines(&[(9, "c9")]));
        assert_eq!(told(&log), ["a1", "b2", "b-", "a3", "a5", "a-", "b5", "b6", "c9"]);
        assert_eq!(log.seen, 9);
    }

    #[test]
    fn a_rollout_does_not_tear_it_apart() {
        let mut log = Log::default();
        let turn = log.turn(wanted(&["a", "b"]));
        assert_eq!(turn.start, [source("a"), source("b")]);
        log.take(&source("a"), LogRange::default(), lines(&[(1, "a1")]));
        log.take(&source("b"), LogRange::default(), Err("gone".into()));
        let turn = log.turn(wanted(&["a", "c"]));
        assert_eq!((turn.stop, turn.start), (vec![source("b")], vec![source("c")]));
        log.take(&source("b"), LogRange::default(), lines(&[(2, "too late")]));
        log.take(&source("c"), LogRange::default(), lines(&[(2, "c2")]));
        assert_eq!((told(&log), log.troubles.len()), (vec!["a1", "c2"], 0));
        let before = LogRange { previous: true, ..LogRange::default() };
        let turn = log.turn(LogsWanted { range: before, ..wanted(&["a", "c"]) });
        assert_eq!((turn.stop.len(), turn.start.len(), log.lines.len()), (2, 2, 0));
        log.take(&source("a"), LogRange::default(), lines(&[(3, "of the other part")]));
        assert!(log.lines.is_empty());
    }

    #[test]
    fn not_more_is_kept_than_can_be_read() {
        let mut log = Log::default();
        log.turn(wanted(&["a"]));
        let many: Vec<_> = (1..=15_000).map(|second| (second, "x")).collect();
        log.take(&source("a"), LogRange::default(), lines(&many));
        assert_eq!((log.lines.len(), log.seen, log.lines[0].number), (Log::KEPT, 15_000, 5_000));
    }
}

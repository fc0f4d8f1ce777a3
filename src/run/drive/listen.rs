//! The log of a run's Job: followed while it runs, and kept with the run when it has ended or the run stands still.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::{Driver, Session, Stop};
use crate::{
    cluster::{Key, Snapshot, Uid},
    plan::{Change, JobEnded},
    run::{Event, Log, log::Tail},
};

/// How often the log is read on.
const EVERY: Duration = Duration::from_secs(1);
/// How long the run waits for an answer: a log is worth no more.
const PATIENCE: Duration = Duration::from_secs(3);

/// What has been read.
#[derive(Debug, Default)]
pub(super) struct Ear {
    tail: Tail,
    /// The pod it was read of.
    pod: Option<(Key, Uid)>,
    last: Option<Instant>,
}

impl Driver {
    /// Reads on in the log of the Job that is waited for, if one is. Gives the moment to decide again: earlier than asked
    /// for, where there may be more to read by then.
    pub(super) async fn listen(
        &mut self,
        session: &Session<'_>,
        seen: &Snapshot,
        until: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let waits = {
            let run = self.run.borrow();
            run.current().and_then(|i| match &run.plan().steps[i].change {
                Change::JobEnded(waits) => Some(waits.clone()),
                _ => None,
            })
        };
        let Some(waits) = waits else { return until };
        if self.ear.last.is_none_or(|at| at.elapsed() >= EVERY) {
            self.hear(session, seen, &waits).await;
        }
        let soon = session.writer.clock.now().saturating_add(SignedDuration::from_secs(1)).ok();
        until.into_iter().chain(soon).min()
    }

    async fn hear(&mut self, session: &Session<'_>, seen: &Snapshot, waits: &JobEnded) {
        self.ear.last = Some(Instant::now());
        let Some(pod) = seen.pods_of_job(&waits.job).max_by_key(|pod| pod.created) else { return };
        let begun = pod.containers.iter().any(|c| c.running_since.is_some() || c.last_end.is_some());
        if !begun {
            return;
        }
        let this = (pod.key.clone(), pod.uid.clone());
        if self.ear.pod.as_ref() != Some(&this) {
            self.ear = Ear { pod: Some(this), last: self.ear.last, ..Ear::default() };
            self.run.send_if_modified(|run| {
                run.log = Log::default();
                false
            });
        }
        let asked = session.writer.log(&pod.key, &waits.container, self.ear.tail.since());
        // Without the log the run goes on.
        let Ok(Ok(answer)) = timeout(PATIENCE, asked).await else { return };
        let fresh = self.ear.tail.fresh(&answer);
        self.run.send_if_modified(|run| {
            fresh.iter().for_each(|line| run.log.push(line));
            !fresh.is_empty()
        });
    }

    /// A Job that failed because its connection to the database was cut has an outcome that nobody knows.
    pub(super) fn unknown(&self, step: usize, why: &str) -> Option<String> {
        let run = self.run.borrow();
        let Change::JobEnded(waits) = &run.plan().steps[step].change else { return None };
        let line = run.cut_off()?;
        let name = &waits.job.name;
        Some(format!(
            "the outcome of job {name} is unknown: {why}, its connection to the database was cut: {line}"
        ))
    }

    /// Reads the log to its end, and writes it down with the run, if that step waits for a Job.
    pub(super) async fn keep_log(&mut self, session: &mut Session<'_>, step: usize) -> Result<(), Stop> {
        let waits = match &self.run.borrow().plan().steps[step].change {
            Change::JobEnded(waits) => waits.clone(),
            _ => return Ok(()),
        };
        let seen = self.seen.borrow().clone();
        self.hear(session, &seen, &waits).await;
        let (log, written) = {
            let run = self.run.borrow();
            let written = run.entries.iter().rev().find_map(|e| match &e.event {
                Event::Log(log) => Some(log.len()),
                _ => None,
            });
            (run.log.clone(), written.unwrap_or(0))
        };
        match log.len() > written {
            true => self.append(session, Event::Log(log)).await,
            false => Ok(()),
        }
    }
}

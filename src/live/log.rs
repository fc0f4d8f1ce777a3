//! The log of one container, followed across broken connections and restarts of the container.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::read::{self, Fault, Next, encoded};
use crate::{
    cluster::{LogLine, LogRange, LogSource},
    wire::{SILENT_FOR, Wire},
};

/// Lines in one batch at most.
const BATCH: usize = 1000;
const RETRY: Duration = Duration::from_secs(1);
/// An attempt that took long is not repeated at once: the API server waits for a kubelet on each.
const SLOWEST_RETRY: Duration = Duration::from_secs(15);

/// Reads a part of a container's log, in batches of lines that came together. While it is followed, a connection that
/// breaks or falls silent is taken up after the last line seen. An error is one sentence, said once; then the
/// following goes on, unless the pod is gone. Text is passed on as it came, control sequences and all.
pub fn read_log(
    wire: &Wire,
    source: &LogSource,
    range: LogRange,
) -> mpsc::Receiver<Result<Vec<LogLine>, String>> {
    let (tell, receiver) = mpsc::channel(16);
    let log = Log {
        wire: wire.clone(),
        path: format!(
            "/api/v1/namespaces/{}/pods/{}/log?container={}&timestamps=true",
            encoded(&source.pod.namespace),
            encoded(&source.pod.name),
            encoded(&source.container)
        ),
        range: LogRange { follow: range.follow && !range.previous, ..range },
        last: None,
        at_last: 0,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = log.run(&tell) => {}
            () = tell.closed() => {}
        }
    });
    receiver
}

struct Log {
    wire: Wire,
    path: String,
    range: LogRange,
    /// The time of the last line told.
    last: Option<Timestamp>,
    /// How many lines of that time have been told.
    at_last: usize,
}

type Tell = mpsc::Sender<Result<Vec<LogLine>, String>>;

impl Log {
    async fn run(mut self, tell: &Tell) {
        let mut said = String::new();
        loop {
            let begun = Instant::now();
            let before = (self.last, self.at_last);
            let outcome = self.once(tell).await;
            if tell.is_closed() || !self.range.follow && outcome.is_ok() {
                return;
            }
            if (self.last, self.at_last) != before {
                said.clear();
            }
            if let Err(fault) = outcome.map_err(worded) {
                let gone = fault.code == 404;
                if fault.why != said {
                    said = fault.why.clone();
                    if tell.send(Err(fault.why)).await.is_err() {
                        return;
                    }
                }
                if gone || !self.range.follow {
                    return;
                }
            }
            sleep((begun.elapsed() * 2).clamp(RETRY, SLOWEST_RETRY)).await;
        }
    }

    async fn once(&mut self, tell: &Tell) -> Result<(), Fault> {
        let LogRange { tail, since, previous, follow } = self.range;
        let mut from = String::new();
        from += if previous { "&previous=true" } else { "" };
        from += if follow { "&follow=true" } else { "" };
        if let Some(last) = self.last {
            // Whole seconds: what is read twice is left out below.
            let second = Timestamp::from_second(last.as_second()).unwrap_or(last);
            from += &format!("&sinceTime={}", encoded(&second.to_string()));
        } else {
            from += &tail.map_or(String::new(), |lines| format!("&tailLines={lines}"));
            // The API server refuses a length of zero.
            from += &since.map_or(String::new(), |seconds| format!("&sinceSeconds={}", seconds.max(1)));
        }
        let (last, seen) = (self.last, self.at_last);
        let mut skip = seen;
        let mut lines = read::open(&self.wire, &format!("{}{from}", self.path)).await?;
        loop {
            let mut batch = Vec::new();
            match lines.next(SILENT_FOR).await? {
                Next::Line(line) | Next::Rest(line) => batch.push(line),
                Next::Silence | Next::End => return Ok(()),
            }
            while batch.len() < BATCH
                && let Some(line) = lines.buffered()
            {
                batch.push(line);
            }
            let fresh = batch.iter().map(parsed).filter(|line| match (line.at, last) {
                (Some(at), Some(last)) if at < last => false,
                (Some(at), Some(last)) if at == last && skip > 0 => {
                    skip -= 1;
                    false
                }
                _ => true,
            });
            let fresh: Vec<_> = fresh.collect();
            for at in fresh.iter().filter_map(|l| l.at) {
                self.at_last = if self.last == Some(at) { self.at_last + 1 } else { 1 };
                self.last = Some(at);
            }
            if !fresh.is_empty() && tell.send(Ok(fresh)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The same fault in the words of one who reads a log. The API server only passes it on: what fails behind it is the
/// kubelet of the pod's node (port 10250), and what it refuses is a run of the container that is not there.
fn worded(fault: Fault) -> Fault {
    let quoted = |after: &str| Some(fault.why.split_once(after)?.1.split('"').nth(1)?.to_owned());
    let why = if let Some((_, at)) =
        fault.why.split_once("https://").filter(|_| fault.why.contains("containerLogs"))
    {
        let node = at.split("/containerLogs").next().unwrap_or(at);
        let node = node.rsplit_once(':').map_or(node, |(node, _)| node);
        let cause = fault.why.rsplit(": ").next().unwrap_or_default();
        format!("the kubelet of node {node}, which holds the log, does not answer: {cause}")
    } else if let Some(container) = quoted("previous terminated container") {
        format!("container {container} has not restarted: there is no log of an earlier run")
    } else if let Some((_, reason)) = fault.why.split_once("is waiting to start: ") {
        let container = quoted("container").unwrap_or_default();
        format!("container {container} has not started, so it has no log: {reason}")
    } else {
        return fault;
    };
    Fault { why, ..fault }
}

/// `2026-11-21T08:41:24.123456789Z text`.
fn parsed(line: &Bytes) -> LogLine {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\r').unwrap_or(&text);
    let stamped = text.split_once(' ').unwrap_or((text, ""));
    match stamped.0.parse() {
        Ok(at) => LogLine { at: Some(at), text: stamped.1.into() },
        Err(_) => LogLine { at: None, text: text.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_behind_the_api_server_is_named() {
        for (code, message, said) in [
            (
                500,
                "Get \"https://10.0.0.5:10250/containerLogs/acme/acme-1/php-fpm?follow=true\": dial tcp \
                 10.0.0.5:10250: connect: no route to host",
                "the kubelet of node 10.0.0.5, which holds the log, does not answer: no route to host",
            ),
            (
                502,
                "Get \"https://worker-2:10250/containerLogs/acme/acme-1/php-fpm\": dial tcp: i/o timeout",
                "the kubelet of node worker-2, which holds the log, does not answer: i/o timeout",
            ),
            (
                400,
                "previous terminated container \"php-fpm\" in pod \"acme-1\" not found",
                "container php-fpm has not restarted: there is no log of an earlier run",
            ),
            (
                400,
                "container \"nginx\" in pod \"acme-1\" is waiting to start: ContainerCreating",
                "container nginx has not started, so it has no log: ContainerCreating",
            ),
            (404, "pods \"acme-1\" not found", "not found: pods \"acme-1\" not found"),
        ] {
            let status = kube::core::Status::failure(message, "").with_code(code);
            assert_eq!(worded(Fault::of_status(status)).why, said);
        }
    }

    #[test]
    fn a_line_is_its_time_and_its_text() {
        let at: Timestamp = "2026-11-21T08:41:24.123456789Z".parse().expect("a time");
        for (line, time, text) in [
            ("2026-11-21T08:41:24.123456789Z [pool www] a b", Some(at), "[pool www] a b"),
            ("2026-11-21T08:41:24.123456789Z", Some(at), ""),
            ("no time here", None, "no time here"),
            ("", None, ""),
        ] {
            let parsed = parsed(&Bytes::from(line.to_owned()));
            assert_eq!((parsed.at, &*parsed.text), (time, text), "{line}");
        }
        assert!(!parsed(&Bytes::from_static(b"\xff\xfe\x1b[31m")).text.is_empty());
    }
}

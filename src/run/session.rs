//! What a run and a campaign have alike in the session that drives them: a connection that writes, leases that are
//! renewed while it works, and requests that are repeated as long as that can help.

use std::time::Duration;

use tokio::{sync::watch, time::sleep};

use super::{
    Access,
    lease::{Leases, Take},
    perform::{Clock, Failure, Writer},
};
use crate::cluster::Snapshot;

/// Longest wait between two attempts to reach the API server.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait a busy API server may ask for.
const LONGEST_BUSY: Duration = Duration::from_secs(30);
/// How often a busy API server is asked again before an operator is.
const BUSY: u32 = 8;

/// A connection, and the leases that are taken over it.
pub(super) struct Held {
    pub(super) writer: Writer,
    pub(super) leases: Leases,
}

impl Held {
    /// No lease yet, for the run or campaign of that id, whose journal has these tokens.
    ///
    /// # Errors
    /// One sentence: the session is read-only, or the API server cannot be reached.
    pub(super) async fn connect(
        access: &Access,
        seen: &Snapshot,
        id: &str,
        tokens: impl IntoIterator<Item = i64>,
    ) -> Result<Self, String> {
        let writer = connect(access, seen).await?;
        let holder = format!("{} {}", access.who.operator, access.who.session);
        let written = tokens.into_iter().max().unwrap_or(-1);
        let leases = Leases::new(writer.clone(), holder, id, access.lease_seconds, written);
        Ok(Self { writer, leases })
    }

    /// Works while the leases are renewed. Why it stopped before it was through; `None`: it was.
    pub(super) async fn during<E>(&self, work: impl Future<Output = Result<(), E>>) -> Option<E> {
        tokio::select! {
            biased;
            result = work => result.err(),
            () = self.leases.keep() => None,
        }
    }
}

/// Whether the lease of that name is ours after an answer; or one sentence why it is not.
pub(super) fn taken(name: &str, answer: Result<Take, Failure>) -> Result<(), String> {
    match answer {
        Ok(Take::Mine) => Ok(()),
        Ok(Take::Held(who)) => Err(format!("the lease {name} is taken: {who}")),
        Err(failure) => Err(format!("the lease {name} cannot be taken: {}", failure.text())),
    }
}

/// A connection that writes.
///
/// # Errors
/// One sentence: the session is read-only, or the API server cannot be reached.
pub(super) async fn connect(access: &Access, seen: &Snapshot) -> Result<Writer, String> {
    if access.read_only {
        return Err(Failure::ReadOnly.text());
    }
    let client = access.wire.writer().await?;
    let clock = Clock::ahead(seen.api.skew_millis);
    let writer = Writer::new(client, access.read_only, &access.journal_namespace, clock);
    Ok(writer.with_database(access.database.clone()))
}

/// Repeats what can be repeated, until an operator asks to stop: for ever while there is no answer, some times while the
/// API server is busy. What is tried again is told.
pub(super) async fn insist<T, F: Future<Output = Result<T, Failure>>>(
    op: impl Fn() -> F,
    mut pause: watch::Receiver<bool>,
    tell: impl Fn(&String),
) -> Result<T, Failure> {
    let (mut backoff, mut busy) = (Duration::from_millis(100), 0);
    loop {
        let (wait, text) = match op().await {
            Err(Failure::Busy { after, text }) if busy < BUSY => {
                busy += 1;
                (after.max(backoff).min(LONGEST_BUSY), text)
            }
            Err(Failure::Unreached(text)) => (backoff, text),
            Err(Failure::Busy { text, .. }) => return Err(Failure::Refused { code: 503, text }),
            other => return other,
        };
        tell(&text);
        tokio::select! {
            () = sleep(wait) => {}
            () = asked(&mut pause) => return Err(Failure::Interrupted(text)),
        }
        backoff = (backoff * 2).min(PATIENCE);
    }
}

/// Waits until an operator asks to stop; for ever when nobody can any more.
pub(super) async fn asked(pause: &mut watch::Receiver<bool>) {
    if pause.wait_for(|asked| *asked).await.is_err() {
        std::future::pending().await
    }
}

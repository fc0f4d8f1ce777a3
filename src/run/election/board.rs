//! The ConfigMap in which the holder of the Lease tells what it sees: one write at a time, each in place of the version
//! that is known to stand there, never in the way of whoever renews the Lease.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    super::perform::{Failure, Writer},
    named,
};

/// The key of what is told, in the ConfigMap.
const TOLD: &str = "seen";
/// What could not be written is written again after this, then after twice as long each time ...
const AGAIN: Duration = Duration::from_secs(2);
/// ... and this at most, unless the API server asks for longer.
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// Whoever could store nothing for so long is of no use to the others: what it told last is about to be too old for them.
const GIVES_UP_AFTER: Duration = Duration::from_secs(45);

/// What came of a write: the version that stands there now.
type Put = Result<Option<String>, Failure>;

pub(super) struct Board {
    name: String,
    /// A write may take so long.
    within: Duration,
    /// The version that stands there, where it is known.
    version: Option<String>,
    /// What is to be written.
    due: Option<Arc<[u8]>>,
    not_before: Instant,
    /// What is being written; it ends when it is dropped.
    sent: Option<Arc<[u8]>>,
    writing: JoinSet<Put>,
    /// Nothing could be stored since.
    failing: Option<Failing>,
}

struct Failing {
    since: Instant,
    /// Before the next try.
    pause: Duration,
    why: String,
}

impl Board {
    pub(super) fn new(name: &str, within: Duration) -> Self {
        Self {
            name: name.to_owned(),
            within,
            version: None,
            due: None,
            not_before: Instant::now(),
            sent: None,
            writing: JoinSet::new(),
            failing: None,
        }
    }

    /// This is to be told, in place of all that was before.
    pub(super) fn tell(&mut self, told: Arc<[u8]>) {
        self.due = Some(told);
    }

    /// When there is something to write; `None`: there is nothing, or something is being written.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.due.is_some() && self.sent.is_none()).then_some(self.not_before)
    }

    /// It is known what is to be replaced: nobody else has written since, unless the write is refused for that.
    pub(super) fn is_known(&self) -> bool {
        self.version.is_some()
    }

    /// Nothing is written for a while.
    pub(super) fn wait(&mut self) {
        self.not_before = self.not_before.max(Instant::now() + AGAIN);
    }

    /// Begins to write what is due. Where it is not known what stands there, the Lease has just been renewed.
    pub(super) fn write(&mut self, writer: Writer) {
        let Some(told) = self.due.take() else { return };
        self.sent = Some(told.clone());
        let (name, version, within) = (self.name.clone(), self.version.clone(), self.within);
        self.writing.spawn(async move {
            let late = || Failure::Unreached(format!("no answer within {} s", within.as_secs()));
            timeout(within, put(writer, name, version, told)).await.unwrap_or_else(|_| Err(late()))
        });
    }

    /// Waits until what is being written is written, or is not: that is told again. Never ends where nothing is.
    ///
    /// # Errors
    /// Why nothing can be stored there at all, in a sentence.
    pub(super) async fn written(&mut self) -> Result<(), String> {
        let Some(done) = self.writing.join_next().await else { return std::future::pending().await };
        let sent = self.sent.take();
        let failure = match done {
            Ok(Ok(version)) => {
                (self.version, self.failing) = (version, None);
                return Ok(());
            }
            Ok(Err(failure)) => failure,
            Err(why) => Failure::Unreached(why.to_string()),
        };
        tracing::debug!(why = failure.text(), "what is seen around is not stored");
        // What is newer comes first.
        self.due = self.due.take().or(sent);
        self.version = None;
        let (now, why) = (Instant::now(), failure.text());
        let (since, pause) = match self.failing.take() {
            Some(Failing { since, pause, .. }) => (since, (pause * 2).min(AGAIN_AT_MOST)),
            None => (now, AGAIN),
        };
        let asked = if let Failure::Busy { after, .. } = &failure { *after } else { Duration::ZERO };
        self.not_before = now + pause.max(asked.min(GIVES_UP_AFTER));
        self.failing = Some(Failing { since, pause, why });
        let passes = failure.is_conflict() || failure.is_missing();
        match failure {
            Failure::Refused { text, .. } if !passes => Err(untold(&text)),
            _ => Ok(()),
        }
    }

    /// When it is of no use to hold the Lease any more, unless something is stored before.
    pub(super) fn gives_up(&self) -> Option<Instant> {
        self.failing.as_ref().map(|failing| failing.since + GIVES_UP_AFTER)
    }

    /// # Errors
    /// Nothing could be stored for too long: why, in a sentence.
    pub(super) fn is_of_use(&self) -> Result<(), String> {
        match &self.failing {
            Some(Failing { since, why, .. }) if since.elapsed() >= GIVES_UP_AFTER => Err(untold(why)),
            _ => Ok(()),
        }
    }

    /// Writes this in place of what was told, in one try: nothing is told after it.
    pub(super) async fn end(&mut self, writer: Writer, last: Arc<[u8]>) {
        if self.sent.is_some() {
            // Whether that is written yet is not known.
            self.clear();
        }
        self.tell(last);
        self.write(writer);
        let _ = self.written().await;
        self.clear();
    }

    /// It is told no more: the Lease is somebody else's.
    pub(super) fn clear(&mut self) {
        *self = Self::new(&self.name, self.within);
    }
}

fn untold(why: &str) -> String {
    format!("what is seen cannot be told to other cockpits: {why}")
}

async fn put(writer: Writer, name: String, version: Option<String>, told: Arc<[u8]>) -> Put {
    let version = match version {
        Some(version) => Some(version),
        None => writer.journal(&name).await?.and_then(|found| found.metadata.resource_version),
    };
    let file = ConfigMap {
        metadata: ObjectMeta { resource_version: version, ..named(&name) },
        binary_data: Some([(TOLD.to_owned(), ByteString(told.to_vec()))].into()),
        ..ConfigMap::default()
    };
    Ok(writer.store_file(&file).await?.metadata.resource_version)
}

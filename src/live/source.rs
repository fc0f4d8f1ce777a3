//! Following one kind of object: a list, then a watch, for ever.
//!
//! One task a kind, started by the door and by `tenant_events`. It says what it sees as [`Seen`] and never gives up: a
//! watch that ends is taken up where it stood, a lost one is said to be lost and tried again, and only when the server
//! no longer knows the place (410) is the list read anew, while what was seen stays on the screen.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    convert::{Interner, Kind},
    event::{self, Told},
    list::{PageMeta, Parts, Piece, Read},
    probe::{self, Link},
    read::{self, Fault, Lines, Next, encoded},
    subject::Subject,
};
use crate::{
    cluster::{Reading, Seen},
    wire,
};

/// Objects in a page of a list.
const PAGE: u64 = 500;
/// The server ends a watch after this long, before silence would be taken for death.
const WATCH_SECONDS: u32 = 50;
/// How far the first list has come is told this often.
const TOLD_EVERY: Duration = Duration::from_millis(200);
/// A watch that has been quiet for this long after it was opened stands: a refusal would have come.
const PROVEN_AFTER: Duration = Duration::from_secs(1);
/// A list that is too old before this has passed will be too old again.
const AGES: Duration = Duration::from_secs(5);
const SLOWEST_RETRY: Duration = Duration::from_secs(15);
/// A missing right does not come back by itself within seconds.
const RIGHTS_RETRY: Duration = Duration::from_secs(30);

/// Follows a kind until nobody listens any more.
pub(super) async fn follow<K: Kind, T: Send + 'static>(
    subject: Subject,
    tell: mpsc::Sender<T>,
    wrap: fn(Seen<K::Key, K::Value>) -> T,
) {
    let source = Source::<K, T> {
        subject,
        tell,
        wrap,
        interner: Interner::default(),
        version: None,
        lost: None,
        failures: 0,
        listed: None,
    };
    source.run().await;
}

struct Source<K: Kind, T> {
    subject: Subject,
    tell: mpsc::Sender<T>,
    wrap: fn(Seen<K::Key, K::Value>) -> T,
    interner: Interner,
    /// Where the watch stands; `None`: the list has to be read.
    version: Option<String>,
    /// The reason last told for not following.
    lost: Option<Arc<str>>,
    /// Faults in a row.
    failures: u32,
    /// When the list was last complete.
    listed: Option<Instant>,
}

/// Why following stops for now.
enum Stop {
    Fault(Fault),
    /// Nobody listens any more.
    Unheard,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<K: Kind, T: Send + 'static> Source<K, T> {
    async fn run(mut self) {
        if let Some(mut after) = self.subject.after.take() {
            while after.changed().await.is_ok() {}
        }
        loop {
            if self.tell.is_closed() {
                return;
            }
            let begun = Instant::now();
            let outcome = match self.version.clone() {
                Some(version) => self.take_up(&version).await,
                None => self.listed().await,
            };
            let fault = match outcome {
                Err(Stop::Unheard) => return,
                Ok(()) => {
                    // A server that ends every watch at once must not be asked in a tight loop.
                    sleep_until(begun + PROVEN_AFTER).await;
                    continue;
                }
                Err(Stop::Fault(fault)) => fault,
            };
            if fault.code == 404 && K::RESOURCE.may_be_absent() {
                if self.say(Seen::All(Vec::new(), self.subject.clock.now())).await.is_err() {
                    return;
                }
                self.wait(&fault).await;
                continue;
            }
            self.failures += 1;
            // The first time, a watch that broke is taken up at once, and a list that is too old is read anew at once.
            let old = fault.code == 410;
            let stood = if old {
                self.listed.is_none_or(|at| at.elapsed() > AGES)
            } else {
                begun.elapsed() > PROVEN_AFTER
            };
            if old {
                self.version = None;
            }
            if self.failures == 1 && stood && (old || fault.code == 0 && self.version.is_some()) {
                continue;
            }
            let why = self.subject.why::<K>(&fault).await;
            if self.lose(why).await.is_err() {
                return;
            }
            self.wait(&fault).await;
        }
    }

    /// Tells, once for each reason, that following has stopped.
    async fn lose(&mut self, why: Arc<str>) -> Result<(), Stop> {
        // Who waits for the first list need not wait for this one.
        self.subject.reading = None;
        if self.lost.as_ref() != Some(&why) {
            self.lost = Some(why.clone());
            self.say(Seen::Lost(self.subject.clock.now(), why)).await?;
        }
        Ok(())
    }

    async fn say(&mut self, seen: Seen<K::Key, K::Value>) -> Result<(), Stop> {
        self.tell.send((self.wrap)(seen)).await.map_err(|_| Stop::Unheard)
    }

    /// Waits before the next attempt: longer with each failure, never in step with the other sources; and not longer
    /// than until the API server answers again.
    async fn wait(&mut self, fault: &Fault) {
        let longest = match fault.code {
            401 | 403 | 404 => RIGHTS_RETRY,
            _ => {
                let doubled = Duration::from_millis(500) * 2u32.pow(self.failures.min(6));
                doubled.min(SLOWEST_RETRY).max(fault.after.unwrap_or_default().min(RIGHTS_RETRY))
            }
        };
        let delay = longest.mul_f64(rand::random_range(0.75..1.0));
        let mut link = self.subject.link.clone();
        link.mark_unchanged();
        tokio::select! {
            () = sleep(delay) => {}
            () = probe::up(&mut link) => {}
        }
    }

    fn path(&self) -> String {
        K::RESOURCE.path(self.subject.namespace.as_deref())
    }

    /// The list page by page, and the watch from its version. The next page is asked for as soon as the one before says
    /// how: while one is read the server makes the other.
    async fn listed(&mut self) -> Result<(), Stop> {
        let mut read = Read::default();
        let mut limit = format!("limit={PAGE}");
        let mut parts = Parts::open::<K>(&self.subject.wire, &self.page(&limit, "")).await?;
        let mut told = Instant::now();
        let version = loop {
            let (mut meta, mut ahead, before) = (PageMeta::default(), JoinSet::new(), read.len());
            loop {
                while let Some(piece) = parts.next()? {
                    match piece {
                        Piece::Item(item) => read.take(item, &mut self.interner),
                        Piece::Meta(head) => {
                            if let Some(token) = head.r#continue.as_deref().filter(|c| !c.is_empty()) {
                                let (wire, path) = (self.subject.wire.clone(), self.page(&limit, token));
                                ahead.spawn(async move { Parts::open::<K>(&wire, &path).await });
                            }
                            meta = head;
                        }
                    }
                }
                if self.listed.is_none() && told.elapsed() >= TOLD_EVERY {
                    told = Instant::now();
                    // The server counts what comes after this page.
                    let of = meta.remaining_item_count.map(|rest| before + PAGE + rest);
                    self.say(Seen::Reading(Reading { objects: read.len(), of })).await?;
                }
                if !parts.more().await? {
                    break;
                }
            }
            match ahead.join_next().await {
                None => break meta.resource_version.unwrap_or_default(),
                Some(Ok(Ok(next))) => parts = next,
                // The pages expired under our hands: once more, all in one.
                Some(Ok(Err(fault))) if fault.code == 410 => {
                    (read, limit) = (Read::default(), "limit=0".to_owned());
                    parts = Parts::open::<K>(&self.subject.wire, &self.page(&limit, "")).await?;
                }
                Some(Ok(Err(fault))) => return Err(fault.into()),
                Some(Err(why)) => return Err(Fault::transport(why.to_string()).into()),
            }
        };
        self.complete(read, version.clone()).await?;
        self.take_up(&version).await
    }

    fn page(&self, limit: &str, token: &str) -> String {
        let next = if token.is_empty() { String::new() } else { format!("&continue={}", encoded(token)) };
        format!("{}?{limit}{next}{}", self.path(), self.subject.query())
    }

    async fn complete(&mut self, read: Read<K>, version: String) -> Result<(), Stop> {
        self.version = Some(version);
        (self.lost, self.failures, self.listed) = (None, 0, Some(Instant::now()));
        self.say(read.seen(self.subject.clock.now())).await?;
        self.subject.reading = None;
        Ok(())
    }

    /// The watch from where it stood.
    async fn take_up(&mut self, version: &str) -> Result<(), Stop> {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}{}",
            self.path(),
            encoded(version),
            self.subject.query()
        );
        let lines = self.open(&path).await?;
        self.watch(lines).await
    }

    /// Opens a reply without an end; meanwhile the pulse may tell that there will be none soon.
    async fn open(&mut self, path: &str) -> Result<Lines, Stop> {
        let wire = self.subject.wire.clone();
        let mut opened = std::pin::pin!(read::open(&wire, path));
        let mut link = self.subject.link.clone();
        loop {
            if let Some(why) = probe::down(&mut link)
                && self.listed.is_some()
            {
                self.lose(why).await?;
            }
            tokio::select! {
                lines = &mut opened => return Ok(lines?),
                changed = link.changed() => changed.map_err(|_| Stop::Unheard)?,
            }
        }
    }

    /// Follows an open watch until it ends.
    async fn watch(&mut self, mut lines: Lines) -> Result<(), Stop> {
        let mut link = self.subject.link.clone();
        if let Some(why) = probe::down(&mut link) {
            self.lose(why).await?;
        }
        let mut proven = false;
        loop {
            let patience = if proven { wire::SILENT_FOR } else { PROVEN_AFTER };
            tokio::select! {
                next = lines.next(patience) => match next? {
                    Next::Line(line) => {
                        let told = event::told::<K>(&line, &mut self.interner)?;
                        proven = true;
                        self.proven().await?;
                        self.tell_event(told).await?;
                    }
                    Next::Silence if proven => return Ok(()),
                    Next::Silence => {
                        proven = true;
                        self.proven().await?;
                    }
                    Next::Rest(rest) => return Err(event::cut(&rest).into()),
                    Next::End => return Ok(()),
                },
                changed = link.changed() => {
                    if changed.is_err() {
                        return Err(Stop::Unheard);
                    }
                    let now = link.borrow_and_update().clone();
                    match now {
                        Link::Down(why) => self.lose(why).await?,
                        // The old connection may be dead without knowing it: a new one proves the watch.
                        Link::Up if self.lost.is_some() => return Ok(()),
                        Link::Up | Link::Unknown => {}
                    }
                }
            }
        }
    }

    /// The watch stands: what is shown is true again.
    async fn proven(&mut self) -> Result<(), Stop> {
        self.failures = 0;
        if self.lost.is_some() && !matches!(*self.subject.link.borrow(), Link::Down(_)) {
            self.lost = None;
            self.say(Seen::Back(self.subject.clock.now())).await?;
        }
        Ok(())
    }

    async fn tell_event(&mut self, told: Told<K::Key, K::Value>) -> Result<(), Stop> {
        match told {
            Told::Put(Ok(object)) => {
                self.version = Some(object.version.as_str().to_owned());
                self.say(Seen::Put(object.key, object.value)).await
            }
            Told::Put(Err(odd)) => {
                if let Some(version) = &odd.version {
                    self.version = Some(version.as_str().to_owned());
                }
                self.say(Seen::Unreadable(K::key(&odd.namespace, &odd.name), odd.why.into())).await
            }
            Told::Gone(key, version) => {
                self.version = version.or(self.version.take());
                self.say(Seen::Gone(key)).await
            }
            Told::Bookmark { version } => {
                self.version = Some(version);
                Ok(())
            }
            Told::Nothing => Ok(()),
        }
    }
}

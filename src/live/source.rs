//! Following one kind of object: a list, then a watch, for ever.
//!
//! One task a kind, started by the door and by `tenant_events`. It says what it sees as [`Seen`] and never gives up: a
//! watch that ends is taken up where it stood, a lost one is said to be lost and tried again. The list is read again
//! when the server no longer knows the place (410), when it is another cluster than before, after an outage, and now
//! and then; what was seen stays on the screen meanwhile.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};

use super::{
    convert::{Interner, Kind},
    event::{self, Line},
    list::{self, Read},
    piece::PageMeta,
    read::{self, Fault, Lines, Next, encoded},
    subject::Subject,
};
use crate::{
    cluster::{NOT_INSTALLED, Reading, Seen},
    wire,
};

/// Objects in a page of a list: read as it comes, so that only the server has to hold one.
const PAGE: u64 = 2_500;
/// Pages of one list that are read at once: each is written by one thread of the server and read by one of ours.
const AT_ONCE: usize = 3;
/// The server ends a watch after this long, before silence would be taken for death.
const WATCH_SECONDS: u32 = 50;
/// How far the first list has come is told this often.
const TOLD_EVERY: Duration = Duration::from_millis(200);
/// A watch that has been quiet for this long after it was opened stands: a refusal would have come.
const PROVEN_AFTER: Duration = Duration::from_millis(500);
/// A server that ends every watch at once is not asked more often than this.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);
/// What is too old is read again at once, but not twice within this: it would be too old again.
const AGES: Duration = Duration::from_secs(5);
/// Between two attempts that are cheap to refuse.
const RETRY: Duration = Duration::from_secs(1);
/// Between the first of them, twice as long each time: a server that restarts is back in a moment.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// Between two attempts at most, however long one takes.
const SLOWEST_RETRY: Duration = Duration::from_secs(15);
/// How long after an outage the list is read again: nothing else proves that no event was lost.
const RELIST_AFTER_OUTAGE: Range<u64> = 10..40;
/// The same without an outage, in seconds.
const RELIST: Range<u64> = 2700..4500;
/// An extension of the API server that is not installed is looked for again after this long.
const ABSENT_RETRY: Duration = Duration::from_mins(5);
/// A missing right does not come back by itself within seconds.
const RIGHTS_RETRY: Duration = Duration::from_secs(30);

/// Follows a kind until nobody listens any more.
pub(super) async fn follow<K: Kind, T: Send + 'static>(
    subject: Subject,
    tell: mpsc::Sender<T>,
    wrap: fn(Seen<K::Key, K::Value>) -> T,
) {
    let source = Source::<K, T> {
        interner: subject.interner.clone(),
        subject,
        tell,
        wrap,
        version: None,
        lost: None,
        failures: 0,
        stood: false,
        listed: None,
        expired: None,
        world: 0,
        relist: None,
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
    /// The watch of the present attempt has stood.
    stood: bool,
    /// When the list was last complete.
    listed: Option<Instant>,
    /// When the list was last read again because its version was too old.
    expired: Option<Instant>,
    /// The cluster it was read from.
    world: u32,
    /// When it is read again.
    relist: Option<Instant>,
}

/// Why following stops for now.
enum Stop {
    Fault(Fault),
    /// The connection is to be opened again at once.
    Renew,
    /// Nobody listens any more.
    Unheard,
}

/// A list that has been read, and the version it is of.
struct Whole<K: Kind> {
    read: Read<K>,
    version: String,
}

/// The number of a page, and what was read of it.
type Page<K> = (usize, Result<Read<K>, Fault>);

/// What happens while pages are read.
enum News<K: Kind> {
    /// What that page says of the list.
    Head(usize, PageMeta),
    /// A page has been read, or cannot be; `None`: none is under way.
    Done(Option<Result<Page<K>, JoinError>>),
    /// It is time to tell how far the list has come.
    Time,
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
            self.stood = false;
            if self.elsewhere().is_some() {
                self.version = None;
            }
            let outcome = match self.version.clone() {
                Some(version) => self.take_up(&version).await,
                None => self.listed().await,
            };
            let fault = match outcome {
                Err(Stop::Unheard) => return,
                Err(Stop::Renew) => continue,
                Ok(()) => {
                    // A server that ends every watch at once must not be asked in a tight loop.
                    sleep_until(begun + SHORTEST_WATCH).await;
                    continue;
                }
                Err(Stop::Fault(fault)) => fault,
            };
            if K::RESOURCE.is_extension() && self.is_absent(&fault).await {
                let absent = Fault { why: NOT_INSTALLED.to_owned(), ..fault };
                // What there was is gone with it.
                let gone = self.listed.take().is_some();
                if gone && self.say(Seen::All(Vec::new(), self.subject.clock.now())).await.is_err()
                    || self.lose(NOT_INSTALLED.into()).await.is_err()
                    || self.wait(&absent, begun.elapsed()).await.is_err()
                {
                    return;
                }
                continue;
            }
            if fault.code == 404 && K::RESOURCE.may_be_absent() {
                if self.say(Seen::All(Vec::new(), self.subject.clock.now())).await.is_err() {
                    return;
                }
                // What comes after this list need not wait for it.
                self.subject.reading = None;
                if self.wait(&fault, begun.elapsed()).await.is_err() {
                    return;
                }
                continue;
            }
            self.failures += 1;
            // How long a watch stood says nothing of what an attempt costs.
            let took = if self.stood { Duration::ZERO } else { begun.elapsed() };
            // The first time, a watch that broke is taken up at once.
            let again = if fault.code == 410 {
                self.version = None;
                let again = self.expired.is_none_or(|at| at.elapsed() > AGES);
                self.expired = Some(Instant::now());
                again
            } else {
                fault.code == 0 && self.failures == 1 && self.version.is_some() && self.stood
            };
            if again {
                self.subject.doubt.raise();
                continue;
            }
            let why = match self.subject.verdict(&fault).await {
                Some(why) => why,
                None => self.subject.why::<K>(&fault).await,
            };
            if self.lose(why).await.is_err() || self.wait(&fault, took).await.is_err() {
                return;
            }
        }
    }

    /// Whether the server does not serve this kind at all. One that may not be read is refused whether it is served or not:
    /// the discovery document tells.
    async fn is_absent(&self, fault: &Fault) -> bool {
        let discovered = async {
            let document = K::RESOURCE.discovery();
            read::get(&self.subject.wire, &document, wire::READ_WITHIN).await
        };
        fault.code == 404 || fault.code == 403 && discovered.await.is_err_and(|fault| fault.code == 404)
    }

    /// Tells, once for each reason, that following has stopped.
    async fn lose(&mut self, why: Arc<str>) -> Result<(), Stop> {
        // Who waits for the first list need not wait for this one.
        self.subject.reading = None;
        if self.lost.as_ref() != Some(&why) {
            self.lost = Some(why.clone());
            // What was seen is known to hold until the last answer, not until the outage is noticed.
            self.say(Seen::Lost(self.subject.clock.answered(), why)).await?;
        }
        Ok(())
    }

    async fn say(&mut self, seen: Seen<K::Key, K::Value>) -> Result<(), Stop> {
        self.tell.send((self.wrap)(seen)).await.map_err(|_| Stop::Unheard)
    }

    /// Why the cluster that answers now is another than the one that was read, where it is.
    fn elsewhere(&self) -> Option<Arc<str>> {
        let link = self.subject.link.borrow();
        (self.version.is_some() && link.world.number != self.world).then(|| link.world.why.clone())
    }

    /// Waits before the next attempt: the longer the more an attempt costs, never in step with the other sources, and
    /// while the API server is away until it answers again.
    async fn wait(&mut self, fault: &Fault, took: Duration) -> Result<(), Stop> {
        let longest = match fault.code {
            403 | 404 if fault.why == NOT_INSTALLED => ABSENT_RETRY,
            403 | 404 => RIGHTS_RETRY,
            _ => {
                let least = (FIRST_RETRY * 2_u32.pow(self.failures.clamp(1, 8) - 1)).min(RETRY);
                (took * 2).clamp(least, SLOWEST_RETRY).max(fault.after.unwrap_or_default().min(RIGHTS_RETRY))
            }
        };
        let mut due = std::pin::pin!(sleep(longest.mul_f64(rand::random_range(0.75..1.0))));
        let mut link = self.subject.link.clone();
        loop {
            let down = link.borrow_and_update().down().cloned();
            let away = down.is_some();
            if let Some(why) = down {
                self.lose(why).await?;
            }
            tokio::select! {
                () = &mut due, if !away => return Ok(()),
                changed = link.changed() => changed.map_err(|_| Stop::Unheard)?,
            }
            if away && link.borrow().down().is_none() {
                self.failures = 0;
                return Ok(());
            }
        }
    }

    fn path(&self) -> String {
        K::RESOURCE.path(self.subject.namespace.as_deref())
    }

    /// The list page by page, and the watch from its version.
    async fn listed(&mut self) -> Result<(), Stop> {
        self.world = self.subject.link.borrow().world.number;
        let whole = match self.pages(PAGE).await? {
            Some(whole) => whole,
            // The pages expired under our hands: once more, all in one.
            None => {
                self.pages(0).await?.ok_or_else(|| Fault::transport("a list on one page has no other"))?
            }
        };
        self.complete(whole.read, whole.version.clone()).await?;
        self.take_up(&whole.version).await
    }

    /// Reads the list in pages of so many objects, several at once: the next is asked for as soon as one says how, while
    /// the server writes that one. `None`: the later pages have expired.
    async fn pages(&mut self, limit: u64) -> Result<Option<Whole<K>>, Stop> {
        let (heads, mut headed) = mpsc::unbounded_channel();
        let (read, wire, interner) =
            (Arc::<AtomicU64>::default(), self.subject.wire.clone(), self.interner.clone());
        let (base, query) = (self.path(), self.subject.query());
        let (mut tasks, mut pages, mut version) = (JoinSet::new(), Vec::new(), String::new());
        let (mut next, mut of) = (Some(String::new()), None);
        let untold = self.listed.is_none();
        loop {
            if tasks.len() < AT_ONCE
                && let Some(token) = next.take()
            {
                let token = if token.is_empty() { token } else { format!("&continue={}", encoded(&token)) };
                let (wire, path) = (wire.clone(), format!("{base}?limit={limit}{token}{query}"));
                let (number, heads, read, mut interner) =
                    (pages.len(), heads.clone(), read.clone(), interner.clone());
                tasks.spawn(async move {
                    let head = |head| drop(heads.send((number, head)));
                    (number, list::page::<K>(&wire, &path, &mut interner, &read, head).await)
                });
                pages.push(None);
            }
            let news = async {
                tokio::select! {
                    biased;
                    Some((number, head)) = headed.recv() => News::Head(number, head),
                    done = tasks.join_next() => News::Done(done),
                    () = sleep(TOLD_EVERY), if untold => News::Time,
                }
            };
            match self.heard(news).await? {
                News::Head(number, head) => {
                    // The server counts what comes after this page.
                    of = head.remaining_item_count.map(|rest| (number as u64 + 1) * limit + rest).or(of);
                    next = head.r#continue.filter(|token| !token.is_empty());
                    version = head.resource_version.unwrap_or_default();
                }
                News::Done(Some(Ok((number, Ok(page))))) => pages[number] = Some(page),
                News::Done(Some(Ok((1.., Err(fault))))) if fault.code == 410 => return Ok(None),
                News::Done(Some(Ok((_, Err(fault))))) => return Err(fault.into()),
                News::Done(Some(Err(why))) => return Err(Fault::transport(why.to_string()).into()),
                News::Done(None) => {
                    let read = pages.into_iter().flatten().collect();
                    return Ok(Some(Whole { read, version }));
                }
                News::Time => {
                    let objects = read.load(Ordering::Relaxed);
                    self.say(Seen::Reading(Reading { objects, of })).await?;
                }
            }
        }
    }

    async fn complete(&mut self, read: Read<K>, version: String) -> Result<(), Stop> {
        self.version = Some(version);
        self.subject.clock.heard();
        (self.lost, self.failures, self.listed) = (None, 0, Some(Instant::now()));
        self.relist_in(RELIST);
        self.say(read.seen(self.subject.clock.now())).await?;
        self.subject.reading = None;
        Ok(())
    }

    /// Sets when the list is read again, in seconds: not all kinds at once.
    fn relist_in(&mut self, seconds: Range<u64>) {
        self.relist = Some(Instant::now() + Duration::from_secs(rand::random_range(seconds)));
    }

    /// The watch from where it stood.
    async fn take_up(&mut self, version: &str) -> Result<(), Stop> {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}{}",
            self.path(),
            encoded(version),
            self.subject.query()
        );
        let wire = self.subject.wire.clone();
        let lines = self.heard(read::open(&wire, &path)).await??;
        self.watch(lines).await
    }

    /// Waits for a part of a reply; meanwhile the probe may tell that there will be none soon.
    async fn heard<F: Future>(&mut self, part: F) -> Result<F::Output, Stop> {
        let mut part = std::pin::pin!(part);
        let mut link = self.subject.link.clone();
        loop {
            let down = link.borrow_and_update().down().cloned();
            if let Some(why) = down
                && self.listed.is_some()
            {
                self.lose(why).await?;
            }
            tokio::select! {
                came = &mut part => return Ok(came),
                changed = link.changed() => changed.map_err(|_| Stop::Unheard)?,
            }
        }
    }

    /// Follows an open watch until it ends.
    async fn watch(&mut self, mut lines: Lines) -> Result<(), Stop> {
        let mut link = self.subject.link.clone();
        let mut proven = false;
        loop {
            let down = link.borrow_and_update().down().cloned();
            match down {
                Some(why) => self.lose(why).await?,
                // The old connection may be dead without knowing it: a new one proves the watch.
                None if proven && self.lost.is_some() => return Err(Stop::Renew),
                None => {}
            }
            if let Some(why) = self.elsewhere() {
                self.version = None;
                self.lose(why).await?;
                return Err(Stop::Renew);
            }
            let relist = self.relist.unwrap_or_else(Instant::now);
            let patience = if proven { wire::SILENT_FOR } else { PROVEN_AFTER };
            tokio::select! {
                next = lines.next(patience) => match next? {
                    Next::Line(line) => {
                        self.subject.clock.heard();
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
                changed = link.changed() => changed.map_err(|_| Stop::Unheard)?,
                () = sleep_until(relist), if proven && self.lost.is_none() => {
                    self.version = None;
                    return Ok(());
                }
            }
        }
    }

    /// The watch stands: what is shown is true again.
    async fn proven(&mut self) -> Result<(), Stop> {
        (self.failures, self.stood) = (0, true);
        if self.lost.is_some() && self.subject.link.borrow().down().is_none() {
            self.lost = None;
            self.relist_in(RELIST_AFTER_OUTAGE);
            self.say(Seen::Back(self.subject.clock.now())).await?;
        }
        Ok(())
    }

    async fn tell_event(&mut self, told: Line<K::Key, K::Value>) -> Result<(), Stop> {
        match told {
            Line::Put(Ok(object)) => {
                self.version = Some(object.version.as_str().to_owned());
                self.say(Seen::Put(object.key, object.value)).await
            }
            Line::Put(Err(odd)) => {
                if let Some(version) = &odd.version {
                    self.version = Some(version.as_str().to_owned());
                }
                self.say(Seen::Unreadable(K::key(&odd.namespace, &odd.name), odd.why.into())).await
            }
            Line::Gone(key, version) => {
                self.version = version.or(self.version.take());
                self.say(Seen::Gone(key)).await
            }
            Line::Bookmark { version } => {
                self.version = Some(version);
                Ok(())
            }
            Line::Nothing => Ok(()),
        }
    }
}

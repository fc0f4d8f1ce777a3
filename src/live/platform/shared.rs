//! One cockpit looks at the platform around for all that look at the same; the others show what it tells.
//!
//! Who looks is decided elsewhere, by a Lease ([`Duty`]); what is told stands in a ConfigMap, which is followed here. Whoever
//! finds nothing there that is fresh looks by itself, and says why. One that goes over to looking begins with what is known.

mod heard;

use std::{sync::Arc, time::Duration};

use imbl::OrdMap;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Configured, Known, look,
    pack::{AT_MOST, packed},
};
use crate::{
    cluster::{
        Freshness, Key, LinkState, Observation, Seen, Snapshot,
        platform::{Component, ComponentKey, Duty, Facts, Looked, Looker, Platform, Sight, Spot},
    },
    wire::Wire,
};
use heard::Heard;

/// It is considered this often what is to be done.
const PACE: Duration = Duration::from_millis(250);
/// What is seen is told at least this often, also where nothing but its age has changed.
const TOLD_EVERY: Duration = Duration::from_secs(15);
/// News is told at most this often ...
const NEWS_EVERY: Duration = Duration::from_secs(2);
/// ... and in not more than so many bytes a second.
const BYTES_A_SECOND: usize = 32 * 1024;
/// What is told is good for so long: it may be missed three times.
const GOOD_FOR: Duration = Duration::from_secs(50);
/// Who is to look for all is waited for this long before one looks by oneself.
const DECIDED_WITHIN: Duration = Duration::from_secs(6);

/// How a program shares with others what it sees around.
#[derive(Clone, Debug)]
pub struct Sharing {
    /// The ConfigMap in which it is told.
    pub place: Key,
    /// How this operator signs.
    pub who: String,
    /// Tells this program from all others.
    pub session: String,
    /// What this program has to do.
    pub duty: watch::Receiver<Duty>,
    /// What it tells, to be stored for the others.
    pub tell: watch::Sender<Option<Arc<[u8]>>>,
}

/// News of that ConfigMap: what it holds, in base64.
pub(in crate::live) type News = Seen<Key, String>;

/// What is to be done.
#[derive(Debug, PartialEq)]
enum Wanted {
    Wait,
    Look(Looker),
    Read(Arc<str>),
}

/// What was told last.
struct LastTold {
    at: Instant,
    bytes: usize,
    of: Gist,
}

/// What is news: how each component is, and what was found of each host.
#[derive(PartialEq)]
struct Gist {
    components: Vec<(ComponentKey, LinkState, Vec<Option<&'static str>>)>,
    looks: OrdMap<Spot, Arc<Looked>>,
}

impl Gist {
    fn of(seen: &Snapshot) -> Self {
        let platform = Platform::of(seen);
        let rows = platform.components.iter();
        let rows =
            rows.map(|row| (row.key.clone(), row.state, row.said.iter().map(|said| said.rule).collect()));
        Self { components: rows.collect(), looks: seen.looks.items.clone() }
    }

    fn is_still(&self, now: &Self) -> bool {
        self.looks.ptr_eq(&now.looks) && self.components == now.components
    }
}

/// Nobody listens any more.
struct Gone;

/// Everything that is configured has been looked at, and every host at each place that answers: who reads it puts it in the
/// place of what it saw itself.
fn is_whole(seen: &Snapshot) -> bool {
    let whole = |component: &Component| match component.status.as_deref().and_then(Facts::round) {
        _ if component.link == Freshness::Connecting => false,
        Some(round) => !component.link.is_live() || round.looked >= round.hosts,
        None => true,
    };
    seen.is_ready() && !seen.platform.is_empty() && seen.platform.values().all(|one| whole(one))
}

/// What looks and tells, or reads.
pub(super) struct Shared {
    configured: Configured,
    sharing: Sharing,
    wire: Option<Wire>,
    seen: watch::Receiver<Arc<Snapshot>>,
    into: mpsc::Sender<Observation>,
    begun: Instant,
    heard: Heard,
    /// What looks, while this program does; it ends when it is dropped.
    looking: Option<JoinSet<()>>,
    looker: Looker,
    last: Option<LastTold>,
    /// So many bytes were too many to be told.
    too_large: Option<usize>,
}

impl Shared {
    pub(super) fn new(
        configured: Configured,
        sharing: Sharing,
        wire: Option<Wire>,
        seen: watch::Receiver<Arc<Snapshot>>,
        into: mpsc::Sender<Observation>,
    ) -> Self {
        Self {
            configured,
            sharing,
            wire,
            seen,
            into,
            begun: Instant::now(),
            heard: Heard::default(),
            looking: None,
            looker: Looker::Unknown,
            last: None,
            too_large: None,
        }
    }

    /// Goes on until nobody listens any more.
    pub(super) async fn run(mut self, mut news: mpsc::Receiver<News>) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = pace.tick() => {}
                Some(news) = news.recv() => self.heard.take(news, Instant::now()),
                Ok(()) = self.sharing.duty.changed() => {}
                () = self.into.closed() => return,
            }
            if self.go_on().await.is_err() {
                return;
            }
        }
    }

    /// Does what is to be done now.
    async fn go_on(&mut self) -> Result<(), Gone> {
        let skew = self.seen.borrow().api.skew();
        let there = Timestamp::now().saturating_add(skew).unwrap_or(Timestamp::MAX);
        let duty = self.sharing.duty.borrow_and_update().clone();
        let wanted = self.wanted(&duty, there);
        match wanted {
            Wanted::Wait => return Ok(()),
            Wanted::Look(looker) => {
                self.says(looker).await?;
                if self.looking.is_none() {
                    let known = Known::of(&self.seen.borrow());
                    let (wire, seen, into) = (self.wire.clone(), self.seen.clone(), self.into.clone());
                    self.looking = Some(look(&self.configured, &known, wire, seen, into));
                }
            }
            Wanted::Read(who) => {
                self.looking = None;
                if let Some(sight) = self.heard.news() {
                    for observation in sight.observed(skew) {
                        self.send(observation).await?;
                    }
                }
                self.says(Looker::Other { who }).await?;
            }
        }
        match duty {
            Duty::Look => self.tell(there),
            Duty::Undecided | Duty::Read(_) | Duty::Barred(_) => {
                (self.last, self.too_large) = (None, None);
            }
        }
        Ok(())
    }

    fn wanted(&mut self, duty: &Duty, now: Timestamp) -> Wanted {
        if *duty == Duty::Look {
            let why = |bytes| Looker::Alone { why: too_much(bytes).into() };
            return Wanted::Look(self.too_large.map_or(Looker::ForAll, why));
        }
        let told = self.heard.told(&self.sharing.session, now);
        if let Some(Ok(who)) = told {
            return Wanted::Read(who);
        }
        let decided = self.begun.elapsed() >= DECIDED_WITHIN;
        let alone = |why: Arc<str>| Wanted::Look(Looker::Alone { why });
        match (told, duty) {
            (Some(Err(why)), _) => alone(why),
            // Whoever looks already goes on.
            (_, Duty::Undecided | Duty::Read(_)) if !decided && self.looking.is_none() => Wanted::Wait,
            (_, Duty::Barred(_)) if !decided && !self.heard.answered() => Wanted::Wait,
            (_, Duty::Barred(why)) => alone(why.clone()),
            (_, Duty::Read(who)) => {
                let why = match self.heard.unheard() {
                    Some(why) => format!("what {who} sees cannot be read: {why}"),
                    None => format!("{who} is to look for all, and has told nothing of late"),
                };
                alone(why.into())
            }
            (_, Duty::Undecided | Duty::Look) => alone("the cluster does not tell who looks for all".into()),
        }
    }

    /// Tells the others what is seen, where it is time.
    fn tell(&mut self, now: Timestamp) {
        let seen = self.seen.borrow().clone();
        if !is_whole(&seen) {
            return;
        }
        let since = |last: &LastTold| {
            let pause = Duration::from_secs_f64(last.bytes as f64 / BYTES_A_SECOND as f64).max(NEWS_EVERY);
            (last.at.elapsed(), pause)
        };
        // Whether there is news is a judgement of all of it: it is asked for only once news might be told.
        let since = self.last.as_ref().map(since);
        if since.is_some_and(|(passed, pause)| passed < pause) {
            return;
        }
        let of = Gist::of(&seen);
        let is_news = self.last.as_ref().is_none_or(|last| !last.of.is_still(&of));
        if !is_news && since.is_some_and(|(passed, _)| passed < TOLD_EVERY) {
            return;
        }
        let Sharing { who, session, .. } = &self.sharing;
        let mut bytes = packed(&Sight::text(&seen, who, session, now));
        self.too_large = Some(bytes.len()).filter(|length| *length > AT_MOST);
        if let Some(length) = self.too_large {
            bytes = packed(&Sight::too_large(length as u64, who, session, now));
        }
        self.last = Some(LastTold { at: Instant::now(), bytes: bytes.len(), of });
        self.sharing.tell.send_replace(Some(bytes.into()));
    }

    /// Says who looks.
    async fn says(&mut self, looker: Looker) -> Result<(), Gone> {
        if self.looker == looker {
            return Ok(());
        }
        self.looker = looker.clone();
        self.send(Observation::Looker(looker)).await
    }

    async fn send(&self, observation: Observation) -> Result<(), Gone> {
        self.into.send(observation).await.map_err(|_| Gone)
    }
}

fn too_much(bytes: usize) -> String {
    format!(
        "what is seen takes {} KiB, and cockpits tell each other {} KiB at most",
        bytes / 1024,
        AT_MOST / 1024
    )
}

#[cfg(test)]
mod tests;

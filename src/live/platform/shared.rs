//! One cockpit looks at the platform around for all that look at the same; the others show what it tells.
//!
//! Who looks is decided elsewhere, by a Lease ([`Duty`]); what is told stands in a ConfigMap, which is followed here. Whoever
//! finds nothing there that is fresh looks by itself, and says why. One that goes over to looking begins with what was told
//! last. One that may see less than others looks for itself alone.
//!
//! What others tell is in `heard`, what this program tells in `teller`.

mod heard;
mod teller;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{Configured, look, pack::packed};
use crate::{
    cluster::{
        Key, Observation, Seen, Snapshot,
        platform::{Duty, Known, Looker, Sight, Telling},
    },
    wire::Wire,
};
use heard::Heard;
use teller::Teller;

/// It is considered this often what is to be done.
const PACE: Duration = Duration::from_millis(250);
/// What is told is good for so long: it may be missed three times.
const GOOD_FOR: Duration = Duration::from_secs(50);
/// Who is to look for all is waited for this long before one looks by oneself.
const DECIDED_WITHIN: Duration = Duration::from_secs(6);
/// What looks and has failed is begun again after this.
const BEGUN_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// What this program lacks is told to nobody, and the Lease is kept, until it has lasted so long.
const LASTS: Duration = Duration::from_secs(15);
/// What it lacked when it looked last counts so long while another looks: it may have come back since.
const LACKS_FOR: Duration = Duration::from_secs(300);

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
    /// What it tells the others, or why it must not look for them.
    pub tell: watch::Sender<Telling>,
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

/// Nobody listens any more.
struct Gone;

/// Begins to look, with what is known already.
type Look = fn(
    &Configured,
    &Known,
    Option<Wire>,
    watch::Receiver<Arc<Snapshot>>,
    mpsc::Sender<Observation>,
) -> JoinSet<()>;

/// What looks, while this program does; it ends when it is dropped.
struct Looking {
    /// When it began, by the API server's clock.
    since: Timestamp,
    /// The same by this program's clock.
    began: Instant,
    tasks: JoinSet<()>,
}

/// What this program lacks to look for others.
struct Lack {
    why: Arc<str>,
    /// Without interruption.
    since: Instant,
    /// When it was found last.
    found: Instant,
}

/// What looks and tells, or reads.
pub(super) struct Shared {
    configured: Configured,
    sharing: Sharing,
    wire: Option<Wire>,
    seen: watch::Receiver<Arc<Snapshot>>,
    into: mpsc::Sender<Observation>,
    listens_since: Instant,
    heard: Heard,
    look: Look,
    looking: Option<Looking>,
    /// Until when this program has looked, by the API server's clock.
    looked: Option<Timestamp>,
    /// Why what looked here has failed, and when: it may look again, and never for others.
    failed: Option<(Arc<str>, Instant)>,
    lack: Option<Lack>,
    looker: Looker,
    /// While this program holds the Lease.
    teller: Teller,
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
            listens_since: Instant::now(),
            heard: Heard::default(),
            look,
            looking: None,
            looked: None,
            failed: None,
            lack: None,
            looker: Looker::Unknown,
            teller: Teller::default(),
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
                why = failure(&mut self.looking) => {
                    tracing::error!(why, "what looks around has failed");
                    self.looking = None;
                    self.failed = Some((format!("what looks around has failed here: {why}").into(), Instant::now()));
                }
                () = self.into.closed() => return,
            }
            if self.go_on().await.is_err() {
                return;
            }
        }
    }

    /// Does what is to be done now.
    async fn go_on(&mut self) -> Result<(), Gone> {
        let seen = self.seen.borrow().clone();
        let there = seen.dated(Timestamp::now());
        let duty = self.duty();
        let unfit = self.unfit(&seen);
        if self.looking.is_some() {
            self.looked = Some(there);
        }
        match self.wanted(&duty, unfit.as_ref(), &seen, there) {
            Wanted::Wait => return Ok(()),
            Wanted::Look(looker) => {
                self.begin(&looker, &seen, there).await?;
                self.shows(looker, None).await?;
                if unfit.is_none() && duty == Duty::Look {
                    if self.lack.is_some() {
                        return Ok(());
                    }
                    if let Some(Looking { since, began, .. }) = &self.looking
                        && let Some(told) = self.teller.tells(&self.sharing, &seen, (*since, *began), there)
                    {
                        self.says_to_others(Telling::Sight(told));
                    }
                    return Ok(());
                }
                self.says_whether_fit(unfit);
            }
            Wanted::Read(who) => {
                self.looking = None;
                let news = self.heard.news().map(|sight| sight.known(seen.api.skew()));
                self.shows(Looker::Other { who }, news).await?;
                self.says_whether_fit(unfit);
            }
        }
        self.teller = Teller::default();
        Ok(())
    }

    /// What this program has to do. Where nobody stands for it any more, it is for nobody to look for all.
    fn duty(&mut self) -> Duty {
        let duty = self.sharing.duty.borrow_and_update().clone();
        match duty {
            Duty::Look | Duty::Read(_) if self.sharing.duty.has_changed().is_err() => Duty::Undecided,
            duty => duty,
        }
    }

    /// Why this program must not look for others: known while it looks, and for a while after.
    fn unfit(&mut self, seen: &Snapshot) -> Option<Arc<str>> {
        if self.looking.is_some() {
            let why = seen.unfit_to_tell().filter(|_| seen.api.freshness.is_live());
            self.lack = why.map(|why| {
                let now = Instant::now();
                let since = self.lack.as_ref().map_or(now, |lack| lack.since);
                Lack { why: why.into(), since, found: now }
            });
        }
        if let Some((why, _)) = &self.failed {
            return Some(why.clone());
        }
        let lasts = |lack: &&Lack| lack.found - lack.since >= LASTS && lack.found.elapsed() < LACKS_FOR;
        self.lack.as_ref().filter(lasts).map(|lack| lack.why.clone())
    }

    /// Goes over to looking, with what was told last, or what was seen here since.
    async fn begin(&mut self, looker: &Looker, seen: &Snapshot, there: Timestamp) -> Result<(), Gone> {
        let pauses = self.failed.as_ref().is_some_and(|(_, at)| at.elapsed() < BEGUN_AGAIN_AFTER);
        if self.looking.is_some() || pauses {
            return Ok(());
        }
        // What one has seen oneself since is newer.
        let told = match self.looker {
            Looker::Unknown | Looker::Other { .. } => {
                self.heard.last(there).filter(|sight| self.looked.is_none_or(|looked| sight.at > looked))
            }
            Looker::Alone { .. } | Looker::ForAll => None,
        };
        let told = told.map(|sight| sight.known(seen.api.skew()));
        self.shows(looker.clone(), told.clone()).await?;
        let known = told.unwrap_or_else(|| seen.known_around());
        let (wire, newest, into) = (self.wire.clone(), self.seen.clone(), self.into.clone());
        let tasks = (self.look)(&self.configured, &known, wire, newest, into);
        self.looking = Some(Looking { since: there, began: Instant::now(), tasks });
        Ok(())
    }

    fn wanted(&mut self, duty: &Duty, unfit: Option<&Arc<str>>, seen: &Snapshot, now: Timestamp) -> Wanted {
        let decided = self.listens_since.elapsed() >= DECIDED_WITHIN;
        // How old something is, is known by the API server's clock.
        let dates = seen.api.freshness.is_known();
        let is_known = self.heard.answered() && dates;
        let alone = |why: Arc<str>| Wanted::Look(Looker::Alone { why });
        if *duty == Duty::Look {
            return match (unfit, self.teller.too_large()) {
                _ if !decided && !is_known && self.looking.is_none() => Wanted::Wait,
                (Some(why), _) => alone(why.clone()),
                (None, Some(why)) => alone(why.into()),
                (None, None) => Wanted::Look(Looker::ForAll),
            };
        }
        let since = self.looking.as_ref().map(|looking| looking.since);
        let told = if dates { self.heard.told(&self.sharing.session, since, now) } else { None };
        match (told, duty) {
            (Some(Ok(who)), _) => Wanted::Read(who),
            (Some(Err(why)), _) => alone(unfit.cloned().unwrap_or(why)),
            // Whoever looks already goes on.
            (_, Duty::Undecided | Duty::Read(_)) if !decided && self.looking.is_none() => Wanted::Wait,
            (_, Duty::Barred(_)) if !decided && !is_known => Wanted::Wait,
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

    /// Says why this program must not look for others, if it must not.
    fn says_whether_fit(&self, unfit: Option<Arc<str>>) {
        match unfit {
            Some(why) if self.sharing.tell.borrow().unfit() == Some(&why) => {}
            Some(why) => {
                let last = packed(&Sight::ended(&self.sharing.who, &why)).into();
                self.says_to_others(Telling::Unfit { why, last });
            }
            None => self.says_to_others(Telling::Nothing),
        }
    }

    fn says_to_others(&self, now: Telling) {
        self.sharing.tell.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
    }

    /// Says who looks, where that is news, and what that one told: together, so that what differs only because another has
    /// seen it is not taken for something that happened.
    async fn shows(&mut self, looker: Looker, told: Option<Known>) -> Result<(), Gone> {
        let mut all = Vec::new();
        if self.looker != looker {
            self.looker = looker.clone();
            all.push(Observation::Looker(looker));
        }
        all.extend(told.into_iter().flat_map(Known::observed));
        let permits = self.into.reserve_many(all.len()).await.map_err(|_| Gone)?;
        permits.zip(all).for_each(|(permit, observation)| permit.send(observation));
        Ok(())
    }
}

/// Why what looks has failed; without an end while nothing has.
async fn failure(looking: &mut Option<Looking>) -> String {
    if let Some(looking) = looking {
        while let Some(done) = looking.tasks.join_next().await {
            if let Err(why) = done
                && let Ok(panic) = why.try_into_panic()
            {
                let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                return said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            }
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;

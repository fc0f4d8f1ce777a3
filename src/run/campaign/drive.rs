//! Drives one campaign in one session: takes its lease, asks [`next()`] what to do, writes it down, begins and follows the
//! runs of its items, answers what other cockpits wish of it, and gives the lease back.
//!
//! Started by `campaign::start` and its like. The entry that begins an item is stored before its run exists, so that the
//! end of this task at any moment leaves a campaign that another session can go on with, and no item is run twice.

mod item;
mod record;
mod wishes;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::future::select_all;
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    Approved, Campaign, CampaignState, Considered, Doing, Entry, Event, ItemState, Next, Wish, consider,
    journal, next,
};
use crate::{
    cluster::Snapshot,
    run::{
        self, Access, Handle, Run, RunSeen, RunState,
        lease::{LeaseStanding, Leases},
        local::LocalJournal,
        perform::{Failure, Writer},
        session::{self, Held, asked, insist},
    },
};

/// What nobody tells is looked at so often: time that is over, and a file beside a journal on this machine.
const TICK: Duration = Duration::from_secs(1);

/// How a campaign begins in this session.
pub(super) enum Begin {
    /// It is new.
    New,
    /// Its journal is there already; what was approved in place of the items that wait.
    Again(Option<Box<Approved>>),
    /// Its journal is there already, and it is given up: why.
    GiveUp(String),
}

/// Why this session is through with a campaign before it is over.
enum Stop {
    /// It pauses; that is still to be written down.
    Pause { why: String, asked: bool, beyond: Option<usize> },
    /// It can no longer be written down: it is somebody else's, or out of reach.
    Unwritten(String),
    /// It was never taken up.
    Refused(String),
}

impl Stop {
    fn because(why: impl Into<String>) -> Self {
        Self::Pause { why: why.into(), asked: false, beyond: None }
    }
}

/// Where the journal is kept, open for writing.
enum Open {
    Cluster(Box<ConfigMap>),
    Local(LocalJournal),
}

/// What a driver has once it is connected.
struct Session<'a> {
    writer: Writer,
    leases: &'a Leases,
    open: Open,
}

/// The run of an item that this session began or went on with.
struct Child {
    handle: Handle,
    /// The session is through with it.
    through: bool,
}

pub(super) struct Driver {
    access: Access,
    campaign: watch::Sender<Campaign>,
    seen: watch::Receiver<Arc<Snapshot>>,
    halt: watch::Receiver<bool>,
    wished: mpsc::UnboundedReceiver<Wish>,
    /// Wishes of this session that are not answered yet.
    own: VecDeque<Wish>,
    /// By the id of the run.
    children: BTreeMap<String, Child>,
    /// Runs of others, as their journals were read last.
    decoded: run::Decoded,
    /// A wish to pause: whose.
    pausing: Option<String>,
    /// So many wishes stood in the journal when this session took the campaign up.
    before: usize,
}

impl Driver {
    pub(super) fn new(
        access: Access,
        campaign: watch::Sender<Campaign>,
        seen: watch::Receiver<Arc<Snapshot>>,
        halt: watch::Receiver<bool>,
        wished: mpsc::UnboundedReceiver<Wish>,
    ) -> Self {
        let (own, children) = (VecDeque::new(), BTreeMap::new());
        let decoded = run::Decoded::default();
        Self { access, campaign, seen, halt, wished, own, children, decoded, pausing: None, before: 0 }
    }

    /// Drives the campaign until it is over or paused.
    pub(super) async fn drive(mut self, begin: Begin) {
        let seen = self.seen.borrow().clone();
        let (id, tokens): (_, Vec<_>) = {
            let campaign = self.campaign.borrow();
            (campaign.id.clone(), campaign.entries.iter().map(|e| e.token).collect())
        };
        let held = match Held::connect(&self.access, &seen, &id, tokens).await {
            Ok(held) => held,
            Err(why) => return self.show(&begin, Stop::Refused(why)),
        };
        let (writer, leases) = (&held.writer, &held.leases);
        let stopped = held.during(self.carry(&begin, writer, leases)).await;
        // Without the campaign its runs go no further: each takes back what it borrowed, under a lease of its own.
        self.halt_all().await;
        leases.release().await;
        if let Some(stop) = stopped {
            self.show(&begin, stop);
        }
        self.publish(None);
        self.sweep(writer).await;
    }

    /// From the lease to the last entry.
    async fn carry(&mut self, begin: &Begin, writer: &Writer, leases: &Leases) -> Result<(), Stop> {
        let local = self.campaign.borrow().local;
        if !local {
            self.take(leases).await?;
        }
        let open = match begin {
            Begin::New => self.open_new(local).map_err(Stop::Refused)?,
            Begin::Again(_) | Begin::GiveUp(_) => self.reopen(local, writer, leases.token()).await?,
        };
        let mut session = Session { writer: writer.clone(), leases, open };
        if let Err(stop) = self.append(&mut session, vec![Event::Taken]).await {
            return Err(match stop {
                Stop::Unwritten(why) => Stop::Refused(why),
                other => other,
            });
        }
        if let Begin::Again(Some(instead)) = begin {
            let Approved { items, envelope, .. } = Approved::clone(instead);
            self.append(&mut session, vec![Event::Revised { items, envelope }]).await?;
        }
        let ended = match begin {
            Begin::GiveUp(why) => self.close(&mut session, why).await,
            Begin::New | Begin::Again(_) => self.items(&mut session).await,
        };
        match ended {
            Err(Stop::Pause { why, asked, beyond }) => {
                self.halt_all().await;
                let by = self.pausing.clone().filter(|_| asked);
                let by = by.unwrap_or_else(|| self.access.who.operator.clone());
                self.append_as(&mut session, vec![Event::Paused { why, asked, beyond }], by, 0).await
            }
            other => other,
        }
    }

    async fn take(&mut self, leases: &Leases) -> Result<(), Stop> {
        let name = journal::name(&self.campaign.borrow().id);
        self.publish(Some(format!("taking the lease {name}").into()));
        let answer = self.insist(|| leases.take(&name)).await;
        session::taken(&name, answer).map_err(Stop::Refused)
    }

    async fn items(&mut self, session: &mut Session<'_>) -> Result<(), Stop> {
        loop {
            self.hold(session).await?;
            self.reap().await;
            self.obey(session).await?;
            if let Some(who) = self.pausing.clone() {
                self.halt_all().await;
                self.note_ended(session).await?;
                return Err(Stop::Pause { why: format!("paused by {who}"), asked: true, beyond: None });
            }
            let seen = self.seen.borrow_and_update().clone();
            let runs = self.runs(&seen);
            let decision = next(&self.campaign.borrow(), &runs, &seen);
            match decision {
                Next::Begin(item) => self.begin(session, item, &seen).await?,
                Next::Resume(item) => self.resume(session, item, &runs).await?,
                Next::GiveUp(item, why) => drop(self.give_up(item, &why, &runs).await?),
                Next::Note(event) => self.append(session, vec![event]).await?,
                Next::Wait(text) => {
                    self.publish(Some(text));
                    self.wait(session).await?;
                }
                Next::Stop(why) => return Err(Stop::because(why)),
                Next::Finish { whole, text } => {
                    let text = self.mark_undone(session, whole, text).await?;
                    return self.append(session, vec![Event::Finished { whole, text }]).await;
                }
            }
        }
    }

    /// Writes down what became of the runs that ended just now.
    async fn note_ended(&mut self, session: &mut Session<'_>) -> Result<(), Stop> {
        loop {
            let seen = self.seen.borrow().clone();
            let runs = self.runs(&seen);
            let Next::Note(event) = next(&self.campaign.borrow(), &runs, &seen) else { return Ok(()) };
            self.append(session, vec![event]).await?;
        }
    }

    /// Waits until the lease is good for writing.
    async fn hold(&mut self, session: &Session<'_>) -> Result<(), Stop> {
        loop {
            match session.leases.standing() {
                LeaseStanding::Good => return Ok(()),
                LeaseStanding::Lost(why) => return Err(Stop::Unwritten(why)),
                LeaseStanding::Late(why) => {
                    self.publish(Some(why.clone().into()));
                    tokio::select! {
                        () = session.leases.changed() => {}
                        () = asked(&mut self.halt) => return Err(Stop::because(why)),
                    }
                }
            }
        }
    }

    /// Waits until something is seen, a run says something, somebody wishes something, or a moment has passed.
    async fn wait(&mut self, session: &Session<'_>) -> Result<(), Stop> {
        let mut halt = self.halt.clone();
        let halted = *halt.borrow();
        let said = {
            let open = self.children.values_mut().filter(|child| !child.through);
            let all: Vec<_> = open.map(|child| Box::pin(child.handle.watch.changed())).collect();
            async move {
                match all.is_empty() {
                    true => std::future::pending().await,
                    false => drop(select_all(all).await),
                }
            }
        };
        let (mut ended, mut wish) = (false, None);
        tokio::select! {
            changed = self.seen.changed() => ended = changed.is_err(),
            () = said => {}
            found = self.wished.recv() => wish = found,
            () = session.leases.changed() => {}
            () = asked(&mut halt), if !halted => {}
            () = sleep(TICK) => {}
        }
        self.own.extend(wish);
        match ended {
            true => Err(Stop::because("the program that drove it was left")),
            false => Ok(()),
        }
    }

    /// The runs of the items that are under way: those of this session by their own word, others by their journals.
    fn runs(&mut self, seen: &Snapshot) -> Vec<RunSeen> {
        let ids: Vec<_> = {
            let campaign = self.campaign.borrow();
            let open = campaign.states.iter().filter_map(|state| match state {
                ItemState::Running(id) | ItemState::Held(id, _) => Some(id.clone()),
                _ => None,
            });
            open.collect()
        };
        let own = |id: &String| {
            self.children.get(id).map(|child| {
                let run = child.handle.watch.borrow().clone();
                RunSeen { ours: !child.through, ..RunSeen::of(run) }
            })
        };
        let (mut all, mut others) = (Vec::new(), Vec::new());
        for id in ids {
            match own(&id) {
                Some(run) => all.push(run),
                None => others.push(id),
            }
        }
        if others.is_empty() {
            return all;
        }
        let known = match self.campaign.borrow().local {
            true => {
                let wire = &self.access.wire;
                let local = run::local_journals(&self.access.state_dir, wire.context(), wire.server());
                local.into_iter().filter_map(Result::ok).map(RunSeen::of).collect()
            }
            false => self.decoded.read(seen).0,
        };
        all.extend(known.into_iter().filter(|known| others.contains(&known.run.id)));
        all
    }

    /// Takes leave of the runs that are over or stand still: their leases are given back.
    async fn reap(&mut self) {
        for child in self.children.values_mut().filter(|child| !child.through) {
            let state = child.handle.watch.borrow().state;
            if state.is_over() || state == RunState::Paused {
                child.handle.ended().await;
                child.through = true;
            }
        }
        let over = |child: &Child| child.through && child.handle.watch.borrow().state.is_over();
        // Who decides about a run that is held may sit elsewhere: its journal tells.
        let held: Vec<_> = {
            let campaign = self.campaign.borrow();
            let ids = campaign.states.iter().filter_map(|state| match state {
                ItemState::Held(id, _) => Some(id.clone()),
                _ => None,
            });
            ids.collect()
        };
        self.children.retain(|id, child| !(child.through && held.contains(id)));
        let needed: Vec<_> = {
            let campaign = self.campaign.borrow();
            campaign
                .states
                .iter()
                .filter_map(|s| match s {
                    ItemState::Running(id) => Some(id.clone()),
                    _ => None,
                })
                .collect()
        };
        self.children.retain(|id, child| !over(child) || needed.contains(id));
    }

    /// Pauses every run of this session, and waits for them: what they borrowed is taken back.
    async fn halt_all(&mut self) {
        self.children.values().filter(|child| !child.through).for_each(|child| child.handle.pause());
        for child in self.children.values_mut().filter(|child| !child.through) {
            child.handle.ended().await;
            child.through = true;
        }
    }

    /// Shows how it ended where that could not be written down.
    fn show(&self, begin: &Begin, stop: Stop) {
        let by = self.access.who.operator.clone();
        let at = run::server_time(&self.seen.borrow());
        let event = match (stop, begin) {
            (Stop::Refused(text), Begin::New) => Event::Finished { whole: false, text },
            (Stop::Refused(why) | Stop::Unwritten(why), _) => {
                Event::Paused { why, asked: false, beyond: None }
            }
            (Stop::Pause { why, asked, beyond }, _) => Event::Paused { why, asked, beyond },
        };
        self.campaign.send_modify(|campaign| {
            campaign.doing = None;
            // Nobody has taken it up; it shows all the same.
            if campaign.state == CampaignState::Planned {
                campaign.state = CampaignState::Running;
            }
            // Refused because it was over already: it stays as its journal has it.
            let _ = campaign.apply(Entry { at, by, token: 0, heard: 0, event });
        });
    }

    /// Shows what it is at, and the runs under way.
    fn publish(&self, doing: Option<Doing>) {
        let open = self.children.values().filter(|child| !child.through);
        let under_way: Vec<Run> = open.map(|child| child.handle.watch.borrow().clone()).collect();
        self.campaign.send_if_modified(|campaign| {
            let new = campaign.doing != doing || campaign.under_way != under_way;
            campaign.doing = doing;
            campaign.under_way = under_way;
            new
        });
    }

    async fn insist<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        op: impl Fn() -> F,
    ) -> Result<T, Failure> {
        insist(op, self.halt.clone(), |text| self.publish(Some(format!("{text}; trying again").into()))).await
    }

    /// Deletes the oldest finished journals. Not being able to is nobody's trouble.
    async fn sweep(&self, writer: &Writer) {
        let oldest_finished = journal::oldest_finished(&self.seen.borrow());
        for (name, version) in oldest_finished {
            if let Err(failure) = writer.delete_journal(&name, &version).await {
                tracing::debug!(name, why = failure.text(), "an old journal stays");
                return;
            }
            writer.delete_lease(&name).await;
        }
    }
}

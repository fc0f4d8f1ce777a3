//! What is larger than one short run: a goal, its items, how fast, and within which envelope.
//!
//! A campaign does nothing itself. [`next()`] says, of what has happened, of the runs and of what is seen now: begin this
//! item, go on with that one, note what became of it, wait, stop, or finish. Each item is an
//! [`Intent`](crate::plan::Intent) that is planned on the **present** snapshot ([`consider()`]), must lie inside the
//! envelope that was approved, and becomes a run of its own, with its own journal and leases. So nothing is predicted
//! long before it is done, nothing is locked for longer than its own steps, and any cockpit can carry a campaign on: the
//! entry that begins an item names its run before that run exists.
//!
//! One session drives a campaign, as long as it holds the campaign's lease (`drive`). What other cockpits wish of it
//! ([`ask()`]) is added to its journal beside the events; whoever drives it answers each wish with an entry.
//!
//! [`start`], [`resume`], [`give_up`] and [`ask()`] act; all else is pure. The journal is a ConfigMap that holds 2,000
//! items (`record`).
//!
//! ```
//! use wheelhouse::{
//!     cluster::sketch,
//!     plan::Intent,
//!     run::campaign::{Campaign, Entry, Event, Next, Pace, Proposed, next},
//! };
//!
//! let now = "2026-11-21T09:00:00Z".parse().unwrap();
//! let seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2\ntenant globex 1 on w1", now).unwrap();
//! let restart = |tenant: &str| Intent::Restart { tenant: tenant.into() };
//! let items = vec![restart("acme"), restart("globex")];
//! let proposed = Proposed::new(&seen, "restart 2 tenants", None, items, Pace::default());
//! let approved = proposed.approve(None, None).unwrap();
//! let mut campaign = Campaign::new("20261121-090000-c0de", "alice@bastion", approved);
//! let taken = Entry { at: now, by: "alice@bastion".into(), token: 1, heard: 0, event: Event::Taken };
//! campaign.apply(taken).unwrap();
//! assert_eq!(next(&campaign, &[], &seen), Next::Begin(0));
//! ```

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{Access, JournalPlace, server_time};
use crate::{
    cluster::Snapshot,
    plan::{
        Guard,
        rebalance::{Caps, Goal, Policy},
    },
};

mod approve;
mod ask;
mod consider;
mod drained;
mod drive;
mod envelope;
mod event;
mod journal;
mod next;
mod reading;
pub mod record;
mod rehearse;
mod seen;
mod tell;
mod tenants;
mod wish;

pub use approve::{Approved, Offer, Proposed, Rest, offer, rest};
pub use ask::ask;
pub use consider::{Considered, consider, passes};
pub use drained::Drained;
pub use envelope::Envelope;
pub use event::{Campaign, CampaignState, Doing, Entry, Event, ItemState};
pub use journal::{Decoded, campaigns, find, local_campaigns, unreadable};
pub use next::{Next, next};
pub use reading::{Counts, is_of_tenant};
pub use rehearse::{Refusals, refusals, rehearse};
pub use seen::{CampaignSeen, Offers, back};
pub use tell::{describe, entry, words};
pub use tenants::rehearse_tenants;
pub use wish::{Asked, Wish};

use drive::{Begin, Driver};

/// How fast a campaign goes, and what stops it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// So many items at the same time, of different tenants.
    pub parallel: u32,
    /// So many items go alone first.
    pub canary: u32,
    /// It stops after so many failures.
    pub stop_after: u32,
    /// What must be so before an item is begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brakes: Vec<Guard>,
}

impl Default for Pace {
    /// One at a time; the first failure stops it, and so does a database in trouble.
    fn default() -> Self {
        Self { parallel: 1, canary: 1, stop_after: 1, brakes: vec![Guard::DatabaseCalm] }
    }
}

/// What the items of a campaign were proposed for: with it they can be proposed again on what is seen later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    /// What is wanted.
    pub goal: Goal,
    /// At most so many moves.
    #[serde(default)]
    pub caps: Caps,
    /// What may move.
    pub policy: Policy,
}

impl Aim {
    /// In a few words: `drain worker-3`.
    pub fn words(&self) -> String {
        let named = |what: &str, names: &mut dyn Iterator<Item = &dyn fmt::Display>| {
            names.fold(what.to_owned(), |text, name| format!("{text} {name}"))
        };
        match &self.goal {
            Goal::Drain { node } => format!("drain {node}"),
            Goal::Fill { node } => format!("fill {node}"),
            Goal::Move { tenant, from, to } => format!("move {tenant} {from} → {to}"),
            Goal::Rebalance { tenants, nodes, .. } => {
                let nodes = nodes.iter().map(|n| n as &dyn fmt::Display);
                named("rebalance", &mut nodes.chain(tenants.iter().map(|t| t as &dyn fmt::Display)))
            }
        }
    }
}

/// A campaign that this session drives.
pub struct Handle {
    /// Its id.
    pub id: String,
    /// The campaign, again with every entry, and every change of its runs and of what it is at. Once it is over or
    /// paused, the session is through with it.
    pub watch: watch::Receiver<Campaign>,
    wishes: mpsc::UnboundedSender<Wish>,
    halt: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Handle {
    /// Pauses it and what is under way; what is borrowed is taken back.
    pub fn pause(&self) {
        self.halt.send_replace(true);
    }

    /// Ends it once what is under way is through.
    pub fn stop(&self) {
        self.wish(Wish::Stop);
    }

    /// Leaves out an item, or all that is left of a tenant; tries an item again.
    pub fn wish(&self, wish: Wish) {
        match wish {
            Wish::Pause => self.pause(),
            // It is over: there is nobody to tell.
            wish => drop(self.wishes.send(wish)),
        }
    }

    /// Waits until the session is through with it: over or paused, its lease given back.
    pub async fn ended(&mut self) -> Campaign {
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, campaign = self.id, "the campaign's task ended early");
        }
        self.watch.borrow().clone()
    }
}

/// Starts an approved campaign. Needs a tokio runtime. What happens shows in the handle; one that is refused (the journal
/// cannot be kept, the session is read-only) ends as stopped and leaves nothing behind.
pub fn start(
    access: Access,
    approved: Approved,
    place: JournalPlace,
    seen: watch::Receiver<Arc<Snapshot>>,
) -> Handle {
    let id = super::new_id(server_time(&seen.borrow()));
    let mut campaign = Campaign::new(id, access.who.operator.clone(), approved);
    campaign.local = place == JournalPlace::Local;
    launch(access, campaign, Begin::New, seen)
}

/// Goes on with a campaign that stands still: one that paused, or whose session died. `instead`, once approved, takes the
/// place of what was not begun yet. Needs a tokio runtime. One that somebody else drives is refused: it shows as
/// paused, with who has it, and nothing is written.
pub fn resume(
    access: Access,
    campaign: Campaign,
    instead: Option<Approved>,
    seen: watch::Receiver<Arc<Snapshot>>,
) -> Handle {
    prepare(access, campaign, Begin::Again(instead.map(Box::new)), seen)
}

/// Gives up a campaign that stands still, and the runs of it that do: what they borrowed is taken back, what was done
/// stays. Needs a tokio runtime, and the lease, as a resumption does; `why` is one sentence for the journal.
pub fn give_up(
    access: Access,
    campaign: Campaign,
    why: &str,
    seen: watch::Receiver<Arc<Snapshot>>,
) -> Handle {
    let why = format!("given up by {}: {why}", access.who.operator);
    prepare(access, campaign, Begin::GiveUp(why), seen)
}

fn prepare(
    access: Access,
    mut campaign: Campaign,
    begin: Begin,
    seen: watch::Receiver<Arc<Snapshot>>,
) -> Handle {
    // Who waits for it to pause or end must not take the pause it is taken out of for one.
    if !campaign.state.is_over() {
        campaign.state = CampaignState::Running;
    }
    campaign.doing = Some(Doing::At("taking it up".into()));
    launch(access, campaign, begin, seen)
}

fn launch(access: Access, campaign: Campaign, begin: Begin, seen: watch::Receiver<Arc<Snapshot>>) -> Handle {
    let id = campaign.id.clone();
    let (campaign, watch) = watch::channel(campaign);
    let (halt, halted) = watch::channel(false);
    let (wishes, wished) = mpsc::unbounded_channel();
    let driver = Driver::new(access, campaign, seen, halted, wished);
    let task = Some(tokio::spawn(driver.drive(begin)));
    Handle { id, watch, wishes, halt, task }
}

#[cfg(test)]
mod tests;

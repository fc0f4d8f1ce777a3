//! Driving an approved plan: decide, write it down, do it, write it down, wait for the cluster to show it.
//!
//! The thinking ([`Run`], its fold over entries, `decide`) is pure. `perform` is the only code in the program that
//! writes to the cluster and its database, and the one place where read-only mode is enforced. The record of a step is stored before
//! its request is sent, so that a crash at any moment leaves something that another cockpit finds and finishes or
//! takes back.

mod actions;
pub mod campaign;
mod decide;
mod disruption;
mod drive;
mod election;
mod event;
mod evidence;
mod exec;
mod findings;
pub mod instead;
mod journal;
mod lease;
mod local;
mod log;
mod moment;
mod perform;
mod reading;
mod rehearse;
pub mod rights;
mod seen;
mod session;
mod tell;
#[cfg(test)]
mod variants;
mod watcher;

use std::{path::PathBuf, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    cluster::Snapshot,
    plan::{Approved, Check},
    wire::{Logins, Wire, registry::Registries},
};
use drive::{Begin, Driver};

pub use actions::{Acted, AuditLine, Came, actions};
pub use disruption::Disruption;
pub use election::Candidate;
pub use event::{Entry, Event, Outcome, Run, RunState, StepState};
pub use exec::exec;
pub use findings::{JOURNAL_UNREADABLE, Lent, told, unreadable_journals};
pub use instead::instead;
use journal::RUN;
pub use journal::{Decoded, decode, find, runs, undo_intent, unreadable};
pub use local::{Audit, audited, local_journals};
pub use log::Log;
pub use rehearse::rehearse;
pub use seen::{Holder, Offers, RunSeen, Shown};
pub use tell::{describe, entry, left_by_giving_up, left_by_losing_it, summary};

/// What a run needs to act.
#[derive(Clone)]
pub struct Access {
    /// The cluster.
    pub wire: Wire,
    /// Who acts.
    pub who: Who,
    /// The namespace of journals and leases; created when it is missing.
    pub journal_namespace: String,
    /// Nothing may be written.
    pub read_only: bool,
    /// Where the audit log and the journals of this machine are kept.
    pub state_dir: PathBuf,
    /// How to log in to the endpoints of the database; `None`: none is configured.
    pub database: Option<Logins>,
    /// How the registry of images is asked.
    pub registries: Registries,
    /// How long a lease is good without being renewed, in seconds.
    pub lease_seconds: u32,
}

impl Access {
    /// The same for a rehearsal of many plans: what a registry has answered once is not asked again.
    fn remembering(&self) -> Self {
        Self { registries: self.registries.remembering(), ..self.clone() }
    }
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `alice@bastion`.
    pub operator: String,
    /// The Kubernetes user, where the server says.
    pub user: Option<String>,
    /// Tells this process from all others: a crashed cockpit's leases are not the next one's.
    pub session: String,
}

/// What a rehearsal found before anything moved: the rights (access reviews) and the writes (`dryRun=All`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsal {
    /// The id of the plan that was rehearsed.
    pub plan: String,
    /// Rights and dry runs; a missing right or a rejected write refuses.
    pub checks: Vec<Check>,
    /// The rights that keeping the journal in the cluster would need and that are missing. Not empty: only a journal
    /// on this machine is possible, which colleagues can neither see nor finish; the operator must choose that.
    pub journal_missing: Vec<String>,
}

/// Where a run's journal is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalPlace {
    /// A ConfigMap, and Leases: every cockpit sees the run and can finish it.
    #[default]
    Cluster,
    /// A file on this machine: nobody else can.
    Local,
}

/// A run that this session drives.
pub struct Handle {
    /// Its id.
    pub id: String,
    /// The run, again with every entry and every change of what it is at. Once it is over or paused, the session is
    /// through with it.
    pub watch: watch::Receiver<Run>,
    pause: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Handle {
    /// Asks the run to pause before its next step. A request under way is finished first.
    pub fn pause(&self) {
        self.pause.send_replace(true);
    }

    /// Waits until the session is through with the run: over or paused, its leases given back.
    pub async fn ended(&mut self) -> Run {
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, run = self.id, "the run's task ended early");
        }
        self.watch.borrow().clone()
    }
}

/// Runs an approved plan. Needs a tokio runtime. What happens shows in the handle; a run that is refused (somebody holds
/// a lease, the journal cannot be kept, the session is read-only) ends as failed and leaves nothing behind.
pub fn start(
    access: Access,
    approved: Approved,
    place: JournalPlace,
    seen: watch::Receiver<Arc<Snapshot>>,
) -> Handle {
    let id = new_id(server_time(&seen.borrow()));
    begin(access, id, None, approved, place, seen)
}

/// Runs an approved plan under this id, as an item of that campaign.
fn begin(
    access: Access,
    id: String,
    campaign: Option<String>,
    approved: Approved,
    place: JournalPlace,
    seen: watch::Receiver<Arc<Snapshot>>,
) -> Handle {
    let approved = approved.of_run(&id);
    let mut run = Run::new(id, access.who.operator.clone(), approved);
    run.user = access.who.user.clone();
    run.campaign = campaign;
    run.local = place == JournalPlace::Local;
    launch(access, run, Begin::New(place), seen)
}

/// The time it is at the API server, as far as is known.
pub fn server_time(seen: &Snapshot) -> Timestamp {
    seen.dated(Timestamp::now())
}

/// Goes on with a run that stands still: one that paused, or whose session died. Needs a tokio runtime. One that
/// somebody else is at is refused: it shows as paused, with who has it, and nothing is written.
pub fn resume(access: Access, run: Run, seen: watch::Receiver<Arc<Snapshot>>) -> Handle {
    prepare(access, run, Begin::Again, seen)
}

/// Goes on with a run whose outcome an operator has judged: what it waits for is taken as succeeded. Needs a tokio
/// runtime. That it failed is told by giving it up.
pub fn take_as_succeeded(access: Access, run: Run, seen: watch::Receiver<Arc<Snapshot>>) -> Handle {
    prepare(access, run, Begin::Succeeded, seen)
}

/// Gives up a run that stands still: one that can neither be finished nor taken back, because others have changed what
/// it was about or there is nothing left to take back. What it did stays. Needs a tokio runtime, and the leases, as a
/// resumption does; `why` is one sentence for the journal.
pub fn give_up(access: Access, run: Run, why: &str, seen: watch::Receiver<Arc<Snapshot>>) -> Handle {
    let why = format!("given up by {}: {why}", access.who.operator);
    prepare(access, run, Begin::GiveUp(why), seen)
}

fn prepare(access: Access, mut run: Run, begin: Begin, seen: watch::Receiver<Arc<Snapshot>>) -> Handle {
    // Who waits for it to pause or end must not take the pause it is taken out of for one.
    if !run.state.is_over() {
        run.state = RunState::Running;
    }
    run.doing = Some("taking it up".into());
    launch(access, run, begin, seen)
}

fn launch(access: Access, run: Run, begin: Begin, seen: watch::Receiver<Arc<Snapshot>>) -> Handle {
    let id = run.id.clone();
    let (run, watch) = watch::channel(run);
    let (pause, asked) = watch::channel(false);
    let driver = Driver::new(access, run, seen, asked);
    let task = Some(tokio::spawn(driver.drive(begin)));
    Handle { id, watch, pause, task }
}

/// `20261121-094512-9c1f`: sorts by time, and tells runs of one second apart.
fn new_id(now: Timestamp) -> String {
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string();
    format!("{time}-{:04x}", rand::random::<u16>())
}

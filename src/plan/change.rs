//! A change names both ends, so that it can be shown, skipped when it already stands, settled after a crash, and
//! undone by swapping them.
//!
//! [`Change`] is an enum, so that journals stay readable; what a kind of change means is one file below, behind
//! [`Kind`], and `kind` is the only place that tells the kinds apart. Its writing side is one file below
//! `run/perform/kind`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::{Snapshot, WorkloadKey};

use super::{Object, Step, database::Names};

mod adopt;
mod bounds;
mod cordon;
mod create_job;
mod create_pod;
mod delete_pod;
mod deletion_cost;
mod desync;
mod desynced;
mod discard;
mod evict;
mod gone;
mod holds;
mod job_ended;
mod jobs;
mod pod_ready;
mod pods;
mod replaced;
mod replicas;
mod resize;
mod resized;
mod restart_rollout;
mod rolled_out;
mod save;
mod servers;
mod serves;
mod set_image;
mod set_template;
mod settle;
mod start_job;
mod stop_job;

pub use adopt::Adopt;
pub use bounds::Bounds;
pub use cordon::Cordon;
pub use create_job::CreateJob;
pub use create_pod::CreatePod;
pub use delete_pod::DeletePod;
pub use deletion_cost::DeletionCost;
pub use desync::Desync;
pub use desynced::Desynced;
pub use discard::Discard;
pub use evict::Evict;
pub use gone::Gone;
pub use holds::Holds;
pub use job_ended::JobEnded;
pub use pod_ready::PodReady;
pub use pods::{LOWEST_COST, TEMPLATE_HASH};
pub use replaced::Replaced;
pub use replicas::Replicas;
pub use resize::{Given, Resize};
pub use resized::Resized;
pub(super) use resized::told as resize_told;
pub use restart_rollout::RestartRollout;
pub use rolled_out::{Restarted, RolledOut};
pub use save::Save;
pub use servers::Servers;
pub use serves::Serves;
pub use set_image::SetImage;
pub use set_template::SetTemplate;
pub use settle::Settle;
pub use start_job::StartJob;
pub use stop_job::StopJob;

/// One change of the cluster, or the wait for one to take hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// `spec.replicas` of a workload.
    Replicas(Replicas),
    /// Wait until a workload's pods are those asked for.
    Settle(Settle),
    /// The rows of one backend in a proxy's servers.
    Servers(Servers),
    /// Wait until the monitor has left a backend's rows as they are.
    Holds(Holds),
    /// A proxy's servers as they run are written to its disk.
    Save(Save),
    /// `wsrep_desync` of a member.
    Desync(Desync),
    /// Wait until the member shows it.
    Desynced(Desynced),
    /// Wait until the monitor of a proxy has taken a backend into service or out of it.
    Serves(Serves),
    /// `spec.unschedulable` of a node.
    Cordon(Cordon),
    /// A pod beside those of a ReplicaSet, on a node of our choice.
    CreatePod(CreatePod),
    /// Wait until a pod is ready on its node.
    PodReady(PodReady),
    /// Which pod a ReplicaSet removes first.
    DeletionCost(DeletionCost),
    /// The labels that make a ReplicaSet take a pod for its own.
    Adopt(Adopt),
    /// Wait until a pod has taken the place of another.
    Replaced(Replaced),
    /// A created pod is deleted, unless it was adopted.
    Discard(Discard),
    /// A pod is evicted.
    Evict(Evict),
    /// A pod is deleted.
    DeletePod(DeletePod),
    /// Wait until a pod is gone.
    Gone(Gone),
    /// A new rollout of the same template.
    RestartRollout(RestartRollout),
    /// Wait until every pod is of the newest template.
    RolledOut(RolledOut),
    /// The bounds of an autoscaler.
    Bounds(Bounds),
    /// A Job made from a tenant's own pod template, that waits to be started.
    CreateJob(CreateJob),
    /// A Job that waits is started.
    StartJob(StartJob),
    /// Wait until a Job has ended.
    JobEnded(JobEnded),
    /// A Job that has not ended is deleted.
    StopJob(StopJob),
    /// The image of a container.
    SetImage(SetImage),
    /// The template of a workload, as it was before.
    SetTemplate(SetTemplate),
    /// Requests and limits of a container of a pod that runs.
    Resize(Resize),
    /// Wait until the kubelet has put them in force.
    Resized(Resized),
}

/// Where a change stands, by what is seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Not done: the cluster is as it was. For a wait, the text says what is still missing.
    AtFrom(String),
    /// Done: nothing is left to do.
    AtTo,
    /// Neither: somebody else changed it, or it is gone. The sentence says what is seen.
    Elsewhere(String),
    /// What it is about is not there any more, and nothing is left to be changed of it. The sentence says so.
    Gone(String),
    /// What was to come about by itself has ended badly: waiting longer changes nothing. The sentence says why.
    Failed(String),
    /// It may have been done or not, and nothing that can be seen tells. The sentence says why.
    Unknown(String),
}

/// What a kind of change means: one implementation a file.
pub trait Kind {
    /// What it is about.
    fn object(&self) -> Object;

    /// It writes to the cluster or its database; otherwise it is a wait.
    fn is_write(&self) -> bool;

    /// The change that takes this one back; a wait has none.
    fn invert(&self) -> Option<Change>;

    /// Why a write without an inverse cannot be taken back.
    fn never(&self) -> Option<String> {
        None
    }

    /// Once it has come about, that stays so, whatever is taken back around it: what a run began by it can happen once.
    fn once(&self) -> bool {
        false
    }

    /// The same change in a run of that id, where what it is about is named by its run.
    fn of_run(&self, run: &str) -> Option<Change> {
        let _ = run;
        None
    }

    /// Why nothing can be told about it from this snapshot: what it is about is not followed, does not answer, or may
    /// not be asked. It is neither done nor missing then.
    fn unseen(&self, seen: &Snapshot) -> Option<String>;

    /// Where it stands, by this snapshot.
    fn stands(&self, seen: &Snapshot) -> Standing;

    /// What has come up since the plan and stands in the way of writing it now. `rest` are the steps that follow it.
    fn hindrance(&self, rest: &[Step], seen: &Snapshot) -> Option<String> {
        let _ = (rest, seen);
        None
    }

    /// What is done, those it is about by these names.
    fn words(&self, names: &Names) -> String;

    /// What was found where it stood already, before this run began it.
    fn found(&self) -> String {
        "it is so already".into()
    }

    /// The same where this run had begun it.
    fn found_done(&self) -> String {
        "found so: the write had gone through".into()
    }

    /// How a wait came out, by this snapshot.
    fn outcome(&self, seen: &Snapshot) -> String {
        let _ = seen;
        String::new()
    }

    /// When a wait is over by time alone, if nothing else changes.
    fn due(&self, seen: &Snapshot) -> Option<Timestamp> {
        let _ = seen;
        None
    }

    /// What a wait still lacks when its time is over, in the words of the scheduler and the kubelet.
    fn missing(&self, seen: &Snapshot) -> String {
        let _ = seen;
        String::new()
    }

    /// The line that does the same by hand on the cluster that is looked at, where there is one.
    fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        let _ = seen;
        None
    }
}

impl Change {
    /// The only place that tells the kinds apart.
    fn kind(&self) -> &dyn Kind {
        match self {
            Self::Replicas(kind) => kind,
            Self::Settle(kind) => kind,
            Self::Servers(kind) => kind,
            Self::Holds(kind) => kind,
            Self::Save(kind) => kind,
            Self::Desync(kind) => kind,
            Self::Desynced(kind) => kind,
            Self::Serves(kind) => kind,
            Self::Cordon(kind) => kind,
            Self::CreatePod(kind) => kind,
            Self::PodReady(kind) => kind,
            Self::DeletionCost(kind) => kind,
            Self::Adopt(kind) => kind,
            Self::Replaced(kind) => kind,
            Self::Discard(kind) => kind,
            Self::Evict(kind) => kind,
            Self::DeletePod(kind) => kind,
            Self::Gone(kind) => kind,
            Self::RestartRollout(kind) => kind,
            Self::RolledOut(kind) => kind,
            Self::Bounds(kind) => kind,
            Self::CreateJob(kind) => kind,
            Self::StartJob(kind) => kind,
            Self::JobEnded(kind) => kind,
            Self::StopJob(kind) => kind,
            Self::SetImage(kind) => kind,
            Self::SetTemplate(kind) => kind,
            Self::Resize(kind) => kind,
            Self::Resized(kind) => kind,
        }
    }

    /// What it is about.
    pub fn object(&self) -> Object {
        self.kind().object()
    }

    /// The workload it is about, if it is about one.
    pub fn workload(&self) -> Option<WorkloadKey> {
        match self.object() {
            Object::Workload(key) => Some(key),
            _ => None,
        }
    }

    /// The backend or member of the database it is about, by its address.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Servers(Servers { address, .. })
            | Self::Holds(Holds { address, .. })
            | Self::Serves(Serves { address, .. }) => Some(address),
            Self::Desync(Desync { member, .. }) | Self::Desynced(Desynced { member, .. }) => {
                Some(member.as_str())
            }
            _ => None,
        }
    }

    /// The change that takes this one back; a wait has none, nor has what was on a disk before.
    pub fn invert(&self) -> Option<Self> {
        self.kind().invert()
    }

    /// Why a write without an inverse cannot be taken back.
    pub fn never(&self) -> Option<String> {
        self.kind().never()
    }

    /// Once it has come about, that stays so; see [`Kind::once`].
    pub fn once(&self) -> bool {
        self.kind().once()
    }

    /// The same change in a run of that id; see [`Kind::of_run`].
    pub fn of_run(&self, run: &str) -> Option<Self> {
        self.kind().of_run(run)
    }

    /// Writes to the cluster or its database.
    pub fn is_write(&self) -> bool {
        self.kind().is_write()
    }

    /// Why nothing can be told about it from this snapshot; see [`Kind::unseen`].
    pub fn unseen(&self, seen: &Snapshot) -> Option<String> {
        self.kind().unseen(seen)
    }

    /// Where it stands, by this snapshot.
    pub fn stands(&self, seen: &Snapshot) -> Standing {
        self.kind().stands(seen)
    }

    /// What has come up since the plan and stands in the way of writing it now; see [`Kind::hindrance`].
    pub fn hindrance(&self, rest: &[Step], seen: &Snapshot) -> Option<String> {
        self.kind().hindrance(rest, seen)
    }

    /// What is done, those it is about by these names. What is written somewhere tells the address as well.
    pub fn words(&self, names: &Names) -> String {
        self.kind().words(names)
    }

    /// What was found where it stood already: `begun` by this run, or not.
    pub fn found(&self, begun: bool) -> String {
        if begun { self.kind().found_done() } else { self.kind().found() }
    }

    /// How a wait came out, by this snapshot.
    pub fn outcome(&self, seen: &Snapshot) -> String {
        self.kind().outcome(seen)
    }

    /// When a wait is over by time alone, if nothing else changes.
    pub fn due(&self, seen: &Snapshot) -> Option<Timestamp> {
        self.kind().due(seen)
    }

    /// What a wait still lacks when its time is over.
    pub fn missing(&self, seen: &Snapshot) -> String {
        self.kind().missing(seen)
    }

    /// The line that does the same by hand, where there is one.
    pub fn by_hand(&self, seen: &Snapshot) -> Option<String> {
        self.kind().by_hand(seen)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&Names::default()))
    }
}

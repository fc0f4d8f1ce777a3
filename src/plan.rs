//! Pure planning: what an operator wants becomes steps that can be read, approved, run, verified and taken back.
//!
//! [`plan`] is the one door: total and deterministic, it never fails and never acts. What must not be done comes back
//! as checks that refuse, with the arithmetic; such a plan cannot become [`Approved`], and only an approved plan can be
//! run. Planning is cheap: while a review is open, every new snapshot plans again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::{Key, NodeName, Snapshot, TenantName, WorkloadKey, fnv1a, words::count};

mod about;
mod admission;
mod approve;
mod change;
mod check;
mod cordon;
mod database;
mod delete_pod;
mod describe;
mod draft;
mod eviction;
mod fits;
mod guard;
mod images;
mod in_use;
pub mod many;
mod migrate;
pub mod moves;
mod number;
mod object;
mod parts;
pub mod rebalance;
mod release;
mod resize;
mod restart;
mod rollback;
mod scale;
pub mod schedule;
mod sound;
mod undo;
mod verify;
pub mod whatif;

use crate::cluster::by_hand;
pub use crate::cluster::by_hand::{line, shell};
pub use about::About;
pub use approve::{Approved, Confirmation, Unapproved, why_grave};
pub use change::{
    Adopt, Bounds, Change, Cordon, CreateJob, CreatePod, DeletePod, DeletionCost, Desync, Desynced, Discard,
    Evict, Given, Gone, Holds, JobEnded, Kind, LOWEST_COST, PodReady, Replaced, Replicas, Resize, Resized,
    RestartRollout, Restarted, RolledOut, Save, Servers, Serves, SetImage, SetTemplate, Settle, Standing,
    StartJob, StopJob, TEMPLATE_HASH,
};
pub use check::{meant_tenant, unknown as unknown_tenant, unknown_node};
pub use database::edit;
pub use database::{Cut, DatabaseAct, DatabasePart, Names, WEIGHTS, backends, verify as verify_database};
pub use describe::{Line, LineKind, describe};
pub use fits::{Fitting, Refusing, fits};
pub use guard::Guard;
pub use images::{IMAGE, retagged};
pub use migrate::{Migration, Migrations, MigrationsTable, Versions, compared};
pub use moves::{Balance, Means, Move, Reason as MoveReason, RefusedMove, Stay};
pub use number::Number;
pub use object::Object;
pub use parts::{NodePart, PartRef};
pub use release::{Release, STEADY};
pub use resize::NewLimits;
pub use rollback::Rollback;
pub use undo::offered as undo_offered;
pub use verify::verify;

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Intent {
    /// Change the number of replicas of one or several tenants.
    Scale {
        /// Which, and to how many.
        targets: Vec<Target>,
    },
    /// Take back what a run did.
    Undo {
        /// The run.
        run: String,
        /// The changes it made (or may have made), in the order it made them.
        changes: Vec<(About, Change)>,
    },
    /// Move one pod.
    Move {
        /// Which, from where, to where, and how.
        moved: Move,
    },
    /// Keep new pods off a node, or let them come again.
    Cordon {
        /// Which node.
        node: NodeName,
        /// Off, or again.
        cordoned: bool,
    },
    /// Replace every pod of a tenant by a new one of the same template.
    Restart {
        /// Which tenant.
        tenant: TenantName,
    },
    /// Migrate the database of a tenant, with its containers limited to few.
    Migrate {
        /// How.
        migration: Migration,
    },
    /// Roll an image out.
    Release {
        /// Which, for which tenant.
        release: Release,
    },
    /// Give a tenant a template it has had before.
    Rollback {
        /// Which, to which tenant.
        rollback: Rollback,
    },
    /// Delete one pod.
    #[serde(rename = "delete-pod")]
    DeletePod {
        /// Which.
        pod: Key,
    },
    /// Give the pods of a tenant other limits while they run.
    Resize {
        /// Whose, and which.
        limits: NewLimits,
    },
    /// Act on the database.
    Database {
        /// What is wanted of it.
        act: DatabaseAct,
    },
}

/// One tenant and the replicas it should have. Negative numbers are refused by the planner, not by the parser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The tenant.
    pub tenant: TenantName,
    /// Replicas wanted.
    pub to: i64,
}

/// A plan: everything an operator must see before saying yes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Short hash of the intent and the steps: the same plan has the same id.
    pub id: String,
    /// What was asked for.
    pub intent: Intent,
    /// Revision of the snapshot it was made from.
    pub seen: u64,
    /// When that snapshot was taken.
    pub at: Timestamp,
    /// What happens to each tenant.
    pub tenants: Vec<Part>,
    /// What happens to each node that is changed itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodePart>,
    /// What happens to the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabasePart>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What concerns the plan as a whole (an unknown tenant, data too old to plan on).
    pub checks: Vec<Check>,
    /// What becomes of a run of it when something ends badly.
    #[serde(default, skip_serializing_if = "OnFailure::is_pause")]
    pub on_failure: OnFailure,
}

/// What becomes of a run when a step of it has ended badly by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// What is borrowed is taken back, and the run pauses: an operator decides.
    #[default]
    Pause,
    /// All is taken back that can be, and the run has failed.
    Restore,
    /// It pauses as it is, for an operator to look; nothing is taken back before.
    Hold,
}

impl OnFailure {
    fn is_pause(&self) -> bool {
        *self == Self::Pause
    }
}

/// What a plan does to one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The tenant.
    pub tenant: TenantName,
    /// Its workload.
    pub workload: WorkloadKey,
    /// Replicas asked for now.
    pub from: u32,
    /// Replicas asked for afterwards.
    pub to: u32,
    /// Active pods a node now.
    pub now: BTreeMap<NodeName, u32>,
    /// Active pods a node once it has settled, as predicted.
    pub predicted: BTreeMap<NodeName, u32>,
    /// Why it is not known on which nodes new pods come up; `predicted` then holds those that are there already and stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpredicted: Option<String>,
    /// New pods, in the order they come.
    pub landings: Vec<Landing>,
    /// Pods that go, in the order they go.
    pub removals: Vec<Removal>,
    /// What was checked, and how it came out.
    pub checks: Vec<Check>,
    /// The `kubectl` line that would do the same.
    pub kubectl: String,
    /// What undoing it would do, in words.
    pub undo: String,
    /// What is done in a few words, where it is no change of replicas: `acme-5f6-x worker-1 → worker-3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Containers of pods that run, and the limits that are to be in force of each afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resized: Vec<Resized>,
}

/// Why nobody knows where the pods of a rollout come up.
const PLACED_AS_THEY_COME: &str = "the scheduler places each new pod as it comes";

impl Part {
    /// The new pods, where it is not known on which nodes they come up, in words; `None`: it is known.
    pub fn arrivals(&self) -> Option<String> {
        self.unpredicted.as_ref()?;
        let staying: u32 = self.predicted.values().sum();
        let new = self.to.saturating_sub(staying);
        let pods = count(new as usize, "pod");
        Some(match (new, staying) {
            (0, _) => "no new pod".into(),
            // What is done to it as a whole replaces its pods; what changes its replicas is placed where nodes are seen.
            (_, 0) if self.what.is_some() => format!("{pods}, all new: {PLACED_AS_THEY_COME}"),
            _ if self.what.is_some() => format!("{pods} new: {PLACED_AS_THEY_COME}"),
            _ => format!("{pods} new, on nodes that are not known"),
        })
    }

    /// The nodes that the scheduler likes as much as those that the prediction names, in words; `None`: there are none.
    pub fn as_well(&self) -> Option<String> {
        let named = |node: &NodeName| self.landings.iter().any(|landing| landing.node.as_ref() == Some(node));
        let equals = self.landings.iter().flat_map(|landing| &landing.equals);
        let others: BTreeSet<_> = equals.filter(|node| !named(node)).collect();
        let names: Vec<_> = others.into_iter().map(NodeName::as_str).collect();
        (!names.is_empty()).then(|| format!("{} would do as well", names.join(", ")))
    }
}

/// Where a new pod is predicted to come up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Landing {
    /// The node taken for the prediction; `None`: no node takes it, it would stay Pending.
    pub node: Option<NodeName>,
    /// All nodes the scheduler likes equally, the one above among them: it may take any.
    pub equals: Vec<NodeName>,
    /// Why no node takes it, in the scheduler's words, and node by node.
    pub why_not: Option<String>,
    /// Nodes beyond `equals` come into question: in a cluster of 100 nodes and more the scheduler looks at a part of
    /// them only, and which part cannot be known.
    #[serde(default)]
    pub sampled: bool,
}

/// Which pod a scale-down removes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removal {
    /// The pod's name.
    pub pod: String,
    /// Where it sits.
    pub node: Option<NodeName>,
    /// No other pod ranks equal: it is this one.
    pub certain: bool,
    /// Pods that rank equal and may go instead, each with the node it sits on.
    #[serde(default)]
    pub instead: Vec<(String, Option<NodeName>)>,
}

/// One thing done or waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Of which tenant or node, or of the database.
    #[serde(rename = "tenant", default)]
    pub about: About,
    /// What changes.
    pub change: Change,
    /// Seconds it may take before the run pauses and asks.
    pub within: u32,
    /// The index of an earlier step that this one takes back. It is skipped when that one was not begun, and is done
    /// on every way out of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<usize>,
    /// It takes the earlier step back on the way out only: a run that goes through leaves that one as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub way_out: bool,
    /// The index of a later step that it makes ready for: once that is through, it is not needed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<usize>,
    /// The index of an earlier step that takes something back, which this one waits for: on the way out too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirms: Option<usize>,
    /// The index of an earlier step that may bring about by itself what this one changes: an autoscaler that is held at
    /// a number takes its workload there. Then there is as much to give back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<usize>,
    /// What must be so right before it is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
}

impl Step {
    /// The same step behind so many others.
    fn shifted(self, by: usize) -> Self {
        let shift = |of: Option<usize>| of.map(|of| of + by);
        Self {
            takes_back: shift(self.takes_back),
            serves: shift(self.serves),
            confirms: shift(self.confirms),
            follows: shift(self.follows),
            ..self
        }
    }

    /// A step that takes nothing back and has no guards.
    pub fn new(about: About, change: Change, within: u32) -> Self {
        Self {
            about,
            change,
            within,
            takes_back: None,
            way_out: false,
            serves: None,
            confirms: None,
            follows: None,
            guards: Vec::new(),
        }
    }
}

/// Something that was checked before the plan was offered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name for scripts: `floor`, `fits`, `scope`, `quota`,
    /// `differs`, `open-run`, `paused`, `revision`, `container`, `command`, `image`, `keep`, `load`, `database`, `job`, `refused`, `claims`, `version`, `class`, `request`, `use`, `node`, `headroom`, `restart`, `template`, `health`, `lost`, `owner`, `autoscaler`, `gitops`, `budget`, `rollout`, `lease`, `range`, `deleting`, `unread`,
    /// `zero`, `tenant`, `freshness`, `undo`, `access`, `dry-run`, `journal`; of the database `member`, `last-writer`,
    /// `quorum`, `transfer`, `admin`, `drift`, `clients`, `capacity`, `cluster-sync`, `desync`, `state`, `nothing`.
    pub rule: String,
    /// How it came out.
    pub verdict: Verdict,
    /// One sentence with the arithmetic.
    pub text: String,
    /// It is accepted only by somebody who types the name of what is at stake.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grave: bool,
}

/// How a check came out. Worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing stands against it.
    Ok,
    /// Think before you say yes.
    Warn,
    /// It will not be done.
    Refuse,
}

impl Check {
    /// A check of that name and outcome.
    pub fn new(rule: &str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { rule: rule.into(), verdict, text: text.into(), grave: false }
    }

    /// A warning that is accepted only by somebody who types the name of what is at stake.
    pub fn grave(rule: &str, text: impl Into<String>) -> Self {
        Self { grave: true, ..Self::new(rule, Verdict::Warn, text) }
    }
}

/// Plans an intent on what is seen. The same inputs give the same plan.
pub fn plan(seen: &Snapshot, intent: &Intent) -> Plan {
    planned(seen, &mut None, intent)
}

/// Plans each of several on what is seen, as if it were the only one. What their plans ask of the nodes is worked out
/// once.
pub fn plan_each<'a>(
    seen: &'a Snapshot,
    intents: impl IntoIterator<Item = &'a Intent>,
) -> impl Iterator<Item = Plan> {
    let mut board = None;
    intents.into_iter().map(move |intent| planned(seen, &mut board, intent))
}

fn planned(seen: &Snapshot, board: &mut Option<schedule::Board>, intent: &Intent) -> Plan {
    match intent {
        Intent::Scale { targets } => scale::plan(seen, intent, targets),
        Intent::Undo { run, changes } => undo::plan(seen, intent, run, changes),
        Intent::Move { moved } => moves::planned(seen, board, intent, moved),
        Intent::Cordon { node, cordoned } => cordon::plan(seen, intent, node, *cordoned),
        Intent::Restart { tenant } => restart::plan(seen, intent, tenant),
        Intent::DeletePod { pod } => delete_pod::plan(seen, intent, pod),
        Intent::Migrate { migration } => migrate::plan(seen, intent, migration),
        Intent::Release { release } => release::plan(seen, intent, release),
        Intent::Rollback { rollback } => rollback::plan(seen, intent, rollback),
        Intent::Resize { limits } => resize::plan(seen, intent, limits),
        Intent::Database { act } => database::plan(seen, intent, act),
    }
}

impl Plan {
    /// A plan of these parts and steps, with its id.
    fn assemble(
        seen: &Snapshot,
        intent: Intent,
        mut tenants: Vec<Part>,
        nodes: Vec<NodePart>,
        database: Option<DatabasePart>,
        steps: Vec<Step>,
        mut checks: Vec<Check>,
    ) -> Self {
        for part in &mut tenants {
            let more = check::certain(seen, &part.tenant, &intent, &steps, &part.checks);
            part.checks.extend(more);
        }
        let told = |name: &&TenantName| tenants.iter().any(|part| part.tenant == **name);
        let others: BTreeSet<_> =
            steps.iter().filter_map(|s| s.about.tenant()).filter(|name| !told(name)).collect();
        checks.extend(others.into_iter().flat_map(|name| check::certain(seen, name, &intent, &steps, &[])));
        let (revision, at) = (seen.revision, seen.at);
        let mut plan = Self {
            id: String::new(),
            intent,
            seen: revision,
            at,
            tenants,
            nodes,
            database,
            steps,
            checks,
            on_failure: OnFailure::Pause,
        };
        plan.id = plan.hash();
        plan
    }

    /// The id: the same intent and steps give the same one, in every build (a hash of their JSON).
    fn hash(&self) -> String {
        let text = serde_json::to_string(&(&self.intent, &self.steps)).expect("names and numbers are JSON");
        let hash = fnv1a(text.bytes());
        format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
    }

    /// All checks: the plan's own, then those of each part.
    pub fn all_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().chain(self.parts().flat_map(PartRef::checks))
    }

    /// A change in words, those it is about by the names people use.
    pub fn words(&self, change: &Change) -> String {
        match &self.database {
            Some(part) => change.words(&part.names),
            None => change.to_string(),
        }
    }

    /// A step in words, with what it is for where it is not done in its turn.
    pub fn step_words(&self, step: &Step) -> String {
        let words = self.words(&step.change);
        if step.way_out { format!("only if it fails: {words}") } else { words }
    }

    /// The checks that refuse it; empty for a plan that can be approved.
    pub fn refusals(&self) -> impl Iterator<Item = &Check> {
        self.all_checks().filter(|c| c.verdict == Verdict::Refuse)
    }

    /// A later step takes this one back.
    pub fn is_borrowed(&self, step: usize) -> bool {
        self.steps.iter().any(|other| other.takes_back == Some(step) && !other.way_out)
    }

    /// Active pods a node once all has settled, of all its tenants together.
    pub fn predicted(&self) -> BTreeMap<NodeName, u32> {
        let mut all = BTreeMap::new();
        for (node, pods) in self.tenants.iter().flat_map(|t| &t.predicted) {
            *all.entry(node.clone()).or_default() += pods;
        }
        all
    }
}

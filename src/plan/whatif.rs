//! What happens if nodes are lost now: who is down, who has no room left, where the pods go and which find no node.
//!
//! Called by the screens and the command line on a snapshot; [`Forecast`] keeps what it worked out until something it
//! depends on has changed. It plans nothing and changes nothing: every attempt on the board is taken back.
//!
//! The model, in the order of events:
//!
//! - **Crash.** The node turns NotReady and unreachable; its pods are sent away (all at once, as all tolerate it for the
//!   same 300 s by default) and count as terminating on it from then on, which nobody ends. A ReplicaSet or Job makes
//!   a new pod for each, the scheduler takes them by priority, then in the order of their names. A StatefulSet makes
//!   none while the old pod exists: they are *stuck* until the node is back or deleted. Pods of DaemonSets, static
//!   pods and pods of nobody are lost with the node.
//! - **Drain.** The node is cordoned and its pods are evicted, but those of DaemonSets and static ones. A disruption
//!   budget that allows no eviction blocks (its `status.disruptionsAllowed`, less one for each replacement that finds
//!   no node); two budgets for one pod block always; a pod of nobody blocks unless it is forced.
//! - The **database** loses what is known to run on the node: members, the writer, proxies (see [`DatabaseLoss`]).
//! - The **platform around** loses what the configuration says runs there: edges, ingress nodes, bricks, servers of Redis,
//!   replicas.
//! - Where the scheduler may take one of several nodes, the first by name is taken. Preemption is reported, not
//!   simulated. Pods that wait for a node already are not counted.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cluster::{
    Answer, Finding, Key, NodeName, Severity, Snapshot, Subject, TenantName, platform::PlatformLoss,
    words::count,
};

mod cast;
mod database;
mod evacuation;
mod forecast;
mod words;

pub(super) use database::proxies;
pub use database::{DatabaseLoss, machine};
pub use forecast::Forecast;
pub use words::Sentence;

/// The rule of what is found of the loss of a node.
pub const RULE: &str = "n-1";

/// How nodes are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// They die.
    Crash,
    /// They are drained.
    Drain,
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIf {
    /// The nodes that are lost, by name; and machines outside the cluster that the database runs on.
    pub nodes: Vec<NodeName>,
    /// How.
    pub loss: Loss,
    /// Pods on them that leave or die.
    pub pods: u32,
    /// Tenants that lose all their ready pods at once.
    pub down: Vec<TenantName>,
    /// Tenants that lose at least half their headroom, with the headroom before and after.
    pub halved: Vec<Halved>,
    /// Where the pods go.
    pub landings: Vec<Landed>,
    /// Pods that would stay Pending.
    pub pending: Vec<Waiting>,
    /// Pods of StatefulSets that nobody replaces while the node is unreachable.
    pub stuck: Vec<Key>,
    /// Pods that no controller makes again: they are lost.
    pub lone: Vec<Key>,
    /// Pods of DaemonSets and static pods on nodes that fail: they go with their node and come back with it.
    pub with_node: Vec<Key>,
    /// Nodes of these that do not answer as it is: what their loss does has happened.
    pub already: Vec<Already>,
    /// Pods that a drain cannot evict.
    pub blocked: Vec<Blocked>,
    /// Pods a drain evicts whose `emptyDir` volumes go with them: each pod, and its volumes.
    pub emptied: Vec<Emptied>,
    /// Pods of DaemonSets, which a drain leaves where they are.
    pub left: u32,
    /// The lines that drain the nodes by hand; none where a pod cannot be evicted.
    pub kubectl: Vec<String>,
    /// What the database loses; `None`: nothing of it is known to run there.
    pub database: Option<DatabaseLoss>,
    /// What is lost of the platform around, as far as the configuration says what runs where.
    pub platform: Vec<PlatformLoss>,
    /// Nodes and pods that could not be read and are not counted, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_counted: Option<String>,
}

/// A node that does not answer already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Already {
    /// Which.
    pub node: NodeName,
    /// Tenants with pods on it that have no ready pod.
    pub down: Vec<TenantName>,
}

/// A tenant that loses half its headroom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Halved {
    /// Which.
    pub tenant: TenantName,
    /// More requests it can take now.
    pub before: u32,
    /// And with the nodes lost, before any pod has come up elsewhere.
    pub after: u32,
}

/// A pod that comes up elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Landed {
    /// The pod that is replaced.
    pub pod: Key,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// The node taken for the prediction.
    pub to: NodeName,
    /// How many nodes the scheduler likes equally, this one among them.
    pub equals: usize,
}

/// A pod that finds no node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The pod that is replaced.
    pub pod: Key,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// The scheduler's sentence.
    pub message: String,
    /// In our words, node by node.
    pub why: String,
    /// Its priority allows the scheduler to push pods off these nodes, so that it may land after all.
    pub preempts: Vec<NodeName>,
}

/// A pod that is not evicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// The pod.
    pub pod: Key,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// The budget that forbids it, if it is one.
    pub budget: Option<Key>,
    /// One sentence.
    pub why: String,
}

/// A pod whose data on the node is lost when it is evicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Emptied {
    /// The pod.
    pub pod: Key,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// Its `emptyDir` volumes.
    pub volumes: Vec<std::sync::Arc<str>>,
}

/// The harm of losing one node, for the ranking of all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Harm {
    /// The node.
    pub node: NodeName,
    /// Pods that are lost.
    pub pods: u32,
    /// Tenants that lose all their ready pods.
    pub down: Vec<TenantName>,
    /// Tenants that lose at least half their headroom.
    pub halved: Vec<TenantName>,
    /// Pods that would stay Pending.
    pub pending: u32,
    /// Pods of StatefulSets that nobody replaces while the node is unreachable.
    pub stuck: u32,
    /// Pods that no controller makes again.
    pub lone: u32,
    /// What the database loses; `None`: nothing of it is known to run there.
    pub database: Option<DatabaseLoss>,
    /// What is lost of the platform around.
    pub platform: Vec<PlatformLoss>,
}

/// The worst that the loss of a node does, the least of all first: the order of the ranking, the sign and the words of a
/// node follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worst {
    /// Nothing.
    Nothing,
    /// Parts of the database or of the platform around that others take over from: so many.
    Parts(usize),
    /// Tenants that lose at least half their headroom.
    Halved(usize),
    /// Pods that nobody makes again, or not before the node is back.
    Lost(u32),
    /// Pods that find no other node.
    Pending(u32),
    /// Tenants that lose all their ready pods.
    Down(usize),
    /// A part of the platform around that nothing takes over from.
    Around,
    /// The writer, and nobody is known to take over from it.
    Headless,
    /// The database stops.
    Stops,
}

impl Harm {
    /// The worst of it.
    pub fn worst(&self) -> Worst {
        let database = self.database.as_ref();
        match (self.down.len(), self.pending, self.stuck + self.lone, self.halved.len()) {
            _ if database.is_some_and(DatabaseLoss::stops) => Worst::Stops,
            _ if database.is_some_and(DatabaseLoss::is_headless) => Worst::Headless,
            _ if self.platform.iter().any(|lost| lost.grave) => Worst::Around,
            (n @ 1.., ..) => Worst::Down(n),
            (_, n @ 1.., ..) => Worst::Pending(n),
            (_, _, n @ 1.., _) => Worst::Lost(n),
            (.., n @ 1..) => Worst::Halved(n),
            _ => match self.parts() {
                0 if database.is_none() => Worst::Nothing,
                parts => Worst::Parts(parts),
            },
        }
    }

    /// Parts of the database and of the platform around that are lost.
    fn parts(&self) -> usize {
        let database = self.database.as_ref().map_or(0, |d| d.members.len() + d.proxies as usize);
        database + self.platform.len()
    }

    /// The worst, then how much there is of everything else.
    fn rank(&self) -> impl Ord + use<> {
        (self.worst(), self.down.len(), self.pending, self.stuck + self.lone, self.halved.len(), self.parts())
    }
}

impl WhatIf {
    /// Pods by the node they land on.
    pub fn landed(&self) -> BTreeMap<&NodeName, u32> {
        let mut all = BTreeMap::new();
        for landing in &self.landings {
            *all.entry(&landing.to).or_default() += 1;
        }
        all
    }
}

/// What happens if these nodes are lost, or machines outside the cluster that the database runs on (see [`machine`]).
/// Other names are passed over.
///
/// # Errors
/// It is not known, and why.
pub fn what_if(seen: &Snapshot, nodes: &[NodeName], loss: Loss) -> Result<WhatIf, String> {
    Forecast::default().what_if(seen, nodes, loss)
}

/// All ready nodes by the harm of their loss, the worst first (see [`Worst`]).
///
/// # Errors
/// It is not known, and why.
pub fn worst(seen: &Snapshot) -> Result<Vec<Harm>, String> {
    Forecast::default().worst(seen).map(<[_]>::to_vec)
}

/// The findings of a ranking, for [`crate::cluster::merged`]: the worst node, if its loss stops the database, or leaves
/// tenants without a pod or pods without a node.
pub fn findings(ranking: &[Harm]) -> Vec<Finding> {
    let stops = |d: &DatabaseLoss| d.stops() || d.is_headless();
    let harms = |h: &&Harm| h.severity() >= Some(Severity::Warning);
    let Some(worst) = ranking.iter().find(harms) else { return Vec::new() };
    const SHOWN: usize = 3;
    let mut says = Vec::new();
    let database = worst.database.as_ref();
    if database.is_some_and(stops) {
        says.push(format!(
            "the database stops ({})",
            database.map(|d| d.sentences().join(", ")).unwrap_or_default()
        ));
    }
    if !worst.down.is_empty() {
        let names: Vec<_> = worst.down.iter().take(SHOWN).map(|t| t.as_str()).collect();
        let more = worst.down.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        says.push(format!("{} down ({}{more})", count(worst.down.len(), "tenant"), names.join(", ")));
    }
    if worst.pending > 0 {
        let verb = if worst.pending == 1 { "finds" } else { "find" };
        says.push(format!("{} {verb} no other node", count(worst.pending as usize, "pod")));
    }
    if worst.stuck > 0 {
        let pods = count(worst.stuck as usize, "pod");
        let verb = if worst.stuck == 1 { "is" } else { "are" };
        says.push(format!("{pods} of StatefulSets {verb} not made again before it is back"));
    }
    if worst.lone > 0 {
        says.push(format!("{} lost, as no controller makes them again", count(worst.lone as usize, "pod")));
    }
    if let Some(database) = database.filter(|d| !stops(d)) {
        says.extend(database.sentences());
    }
    says.extend(worst.platform.iter().map(PlatformLoss::sentence));
    let others = ranking.iter().filter(harms).count() - 1;
    let more = match others {
        0 => String::new(),
        1 => "; another node does harm too if it fails".to_owned(),
        n => format!("; {n} other nodes do harm too if they fail"),
    };
    vec![Finding {
        rule: RULE,
        severity: Severity::Warning,
        subject: Subject::Node(worst.node.clone()),
        text: format!("if it fails: {}{more}", says.join("; ")),
        since: None,
        seen_since: None,
        because: None,
        answer: Some(Answer::Node),
        remedy: None,
    }]
}

#[cfg(test)]
mod tests;

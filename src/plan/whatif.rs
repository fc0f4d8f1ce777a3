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
//! - Where the scheduler may take one of several nodes, the first by name is taken. Preemption is reported, not
//!   simulated. Pods that wait for a node already are not counted.

mod words;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde::Serialize;

mod database;

pub use database::{DatabaseLoss, machine};

use database::Machines;

use super::schedule::{At, Board, Class, Closed, Incoming, Preemption};
use crate::cluster::{
    Answer, Budget, Capacity, Finding, Key, NodeName, Pod, Severity, Snapshot, Subject, TenantName,
};

pub use self::words::Told;

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
    /// Pods that a drain cannot evict.
    pub blocked: Vec<Blocked>,
    /// What the database loses; `None`: nothing of it is known to run there.
    pub database: Option<DatabaseLoss>,
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
    /// Pods that would stay Pending, those of StatefulSets that nobody replaces among them.
    pub pending: u32,
    /// What the database loses; `None`: nothing of it is known to run there.
    pub database: Option<DatabaseLoss>,
}

impl Harm {
    /// A database that stops is worst of all, then tenants that go down, a writer nobody is known to take over from,
    /// tenants that lose half their headroom, pods without a node, and what else the database loses.
    fn rank(&self) -> impl Ord + use<> {
        let database = self.database.as_ref();
        let parts = database.map_or(0, |d| d.members.len() + d.proxies as usize);
        (
            database.is_some_and(DatabaseLoss::stops),
            self.down.len(),
            database.is_some_and(DatabaseLoss::is_headless),
            self.halved.len(),
            self.pending,
            parts,
        )
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
pub fn what_if(seen: &Snapshot, nodes: &[NodeName], loss: Loss) -> WhatIf {
    Forecast::default().what_if(seen, nodes, loss)
}

/// All ready nodes by the harm of their loss, the worst first: a database that stops, tenants that go down, tenants that
/// lose half their headroom, pods that find no node.
pub fn worst(seen: &Snapshot) -> Vec<Harm> {
    Forecast::default().worst(seen).to_vec()
}

/// The findings of a ranking, for [`crate::cluster::merged`]: the worst node, if its loss stops the database, or leaves
/// tenants without a pod or pods without a node.
pub fn findings(ranking: &[Harm]) -> Vec<Finding> {
    let stops = |d: &DatabaseLoss| d.stops() || d.is_headless();
    let hurts = |h: &&Harm| !h.down.is_empty() || h.pending > 0 || h.database.as_ref().is_some_and(stops);
    let Some(worst) = ranking.iter().find(hurts) else { return Vec::new() };
    const SHOWN: usize = 3;
    let mut says = Vec::new();
    let database = worst.database.as_ref();
    if database.is_some_and(stops) {
        says.push(format!(
            "its loss stops the database ({})",
            database.map(|d| d.sentences().join(", ")).unwrap_or_default()
        ));
    }
    if !worst.down.is_empty() {
        let names: Vec<_> = worst.down.iter().take(SHOWN).map(|t| t.as_str()).collect();
        let more = worst.down.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        says.push(format!("its loss leaves {}{more} without a pod", names.join(", ")));
    }
    if worst.pending > 0 {
        let pods = if worst.pending == 1 { "pod" } else { "pods" };
        says.push(format!("{} {pods} of it would find no other node", worst.pending));
    }
    if let Some(database) = database.filter(|d| !stops(d)) {
        says.extend(database.sentences());
    }
    let others = ranking.iter().filter(hurts).count() - 1;
    if others > 0 {
        says.push(format!("so for {others} other{}", if others == 1 { "" } else { "s" }));
    }
    vec![Finding {
        rule: "n-1",
        severity: Severity::Warning,
        subject: Subject::Node(worst.node.clone()),
        text: says.join("; "),
        since: None,
        answer: Some(Answer::Node),
        remedy: None,
    }]
}

/// Predictions from snapshot to snapshot: nothing is worked out twice while what it rests on is the same.
#[derive(Default)]
pub struct Forecast {
    seen: Option<Snapshot>,
    cast: Option<Cast>,
    /// Pods without a node by the number of the lost one: kept while only measurements change.
    pending: Option<Vec<u32>>,
    capacities: Option<Vec<Capacity>>,
    machines: Option<Machines>,
    ranking: Option<Vec<Harm>>,
}

/// A pod on the board.
struct Resident {
    pod: Arc<Pod>,
    /// As it sits on the board, and as its replacement.
    class: (Class, Class),
    /// Its tenant's number, in the order of the names.
    tenant: Option<u32>,
    fate: Fate,
}

/// What becomes of a pod whose node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is being deleted already.
    Leaving,
    /// Its controller makes another at once.
    Replaced,
    /// Its StatefulSet waits for it.
    Numbered,
    /// It belongs to the node: DaemonSets and static pods.
    OfTheNode,
    /// Nobody makes it anew.
    Lone,
}

impl Fate {
    fn of(pod: &Pod) -> Self {
        match pod.owner.as_ref().map(|o| &*o.kind) {
            _ if pod.deleting.is_some() => Self::Leaving,
            Some("DaemonSet" | "Node") => Self::OfTheNode,
            Some("StatefulSet") => Self::Numbered,
            Some(_) => Self::Replaced,
            None => Self::Lone,
        }
    }
}

/// The board with the pods of each node in the order in which they are replaced.
struct Cast {
    board: Board,
    residents: Vec<Vec<Resident>>,
    /// The tenants by number: names, and how many pods are ready.
    names: Vec<TenantName>,
    ready: Vec<u32>,
}

impl Cast {
    fn new(seen: &Snapshot) -> Self {
        let mut tenants: HashMap<*const Pod, u32> = HashMap::new();
        for (tenant, number) in seen.tenants.values().zip(0..) {
            tenants.extend(tenant.pods.iter().map(|p| (Arc::as_ptr(p), number)));
        }
        let mut seated = Vec::with_capacity(seen.pods.len());
        let mut board = Board::seated(seen, |pod, class, at| seated.push((pod, class, at)));
        let mut residents: Vec<Vec<Resident>> = (0..board.len()).map(|_| Vec::new()).collect();
        for (pod, class, at) in seated {
            let again = Incoming::in_place_of(pod);
            let again = if Arc::ptr_eq(&again.labels, &pod.labels) { class } else { board.class(&again) };
            residents[at.index()].push(Resident {
                pod: pod.clone(),
                class: (class, again),
                tenant: tenants.get(&Arc::as_ptr(pod)).copied(),
                fate: Fate::of(pod),
            });
        }
        // The snapshot's pods come in the order of their names, which a stable sort keeps.
        residents.iter_mut().for_each(|all| all.sort_by_key(|r| Reverse(r.pod.spec.priority)));
        let ready = seen.tenants.values().map(|t| t.ready()).collect();
        Self { board, residents, names: seen.tenants.keys().cloned().collect(), ready }
    }

    /// Pods that find no node when this one dies.
    fn stranded(&mut self, at: At) -> u32 {
        let Self { board, residents, .. } = self;
        let residents = &residents[at.index()];
        let mut attempt = Attempt::new(board);
        attempt.close(at, Closed::Dead);
        let replaced: Vec<_> =
            residents.iter().filter(|r| r.fate == Fate::Replaced).map(|r| r.class.1).collect();
        if attempt.board.has_plenty_for(&replaced) {
            return residents.iter().filter(|r| r.fate == Fate::Numbered).count() as u32;
        }
        attempt.send_away(residents.iter().filter(|r| r.fate != Fate::Leaving), at);
        let mut stranded = 0;
        for resident in residents {
            stranded += match resident.fate {
                Fate::Numbered => 1,
                Fate::Replaced => u32::from(attempt.replace(resident.class.1).is_none()),
                Fate::Leaving | Fate::OfTheNode | Fate::Lone => 0,
            };
        }
        stranded
    }
}

/// Changes to a board that are taken back when it is dropped.
struct Attempt<'a> {
    board: &'a mut Board,
    closed: Vec<At>,
    sent: Vec<(Class, At)>,
    bound: Vec<(Class, At)>,
    /// Classes that found no node: nothing becomes free during an attempt, so that they never will.
    hopeless: BTreeSet<Class>,
}

impl<'a> Attempt<'a> {
    fn new(board: &'a mut Board) -> Self {
        Self { board, closed: Vec::new(), sent: Vec::new(), bound: Vec::new(), hopeless: BTreeSet::new() }
    }

    fn close(&mut self, at: At, why: Closed) {
        self.board.close(at, why);
        self.closed.push(at);
    }

    fn send_away<'r>(&mut self, residents: impl Iterator<Item = &'r Resident>, at: At) {
        for resident in residents {
            self.board.terminate(resident.class.0, at);
            self.sent.push((resident.class.0, at));
        }
    }

    /// Binds a replacement to the first of the best nodes; tells how many there are.
    fn replace(&mut self, class: Class) -> Option<(At, usize)> {
        if self.hopeless.contains(&class) {
            return None;
        }
        let Some(fits) = self.board.land(class) else {
            if !self.board.seeks_company(class) {
                self.hopeless.insert(class);
            }
            return None;
        };
        self.board.bind(class, fits.best[0]);
        self.bound.push((class, fits.best[0]));
        Some((fits.best[0], fits.best.len()))
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for (class, at) in self.bound.drain(..).rev() {
            self.board.unbind(class, at);
        }
        for (class, at) in self.sent.drain(..).rev() {
            self.board.stay(class, at);
        }
        for at in self.closed.drain(..) {
            self.board.open(at);
        }
    }
}

/// What of the basis of a prediction is the same in both: where pods sit, and what is measured.
fn same(last: &Snapshot, seen: &Snapshot) -> (bool, bool) {
    let placed = last.nodes.items.ptr_eq(&seen.nodes.items)
        && last.pods.items.ptr_eq(&seen.pods.items)
        && last.replica_sets.items.ptr_eq(&seen.replica_sets.items)
        && last.stateful_sets.items.ptr_eq(&seen.stateful_sets.items)
        && last.services.items.ptr_eq(&seen.services.items)
        && last.namespaces.items.ptr_eq(&seen.namespaces.items)
        && last.tenants.ptr_eq(&seen.tenants);
    let measured = last.usage.items.ptr_eq(&seen.usage.items)
        && last.node_usage.items.ptr_eq(&seen.node_usage.items)
        && last.pools.items.ptr_eq(&seen.pools.items)
        && last.deployments.items.ptr_eq(&seen.deployments.items)
        && last.tenancy == seen.tenancy
        && last.sizing == seen.sizing;
    (placed, measured)
}

/// Whether the database answered the same in both.
fn answered(last: &Snapshot, seen: &Snapshot) -> bool {
    last.galera.items.ptr_eq(&seen.galera.items)
        && last.proxies.items.ptr_eq(&seen.proxies.items)
        && last.database == seen.database
}

impl Forecast {
    /// Whether all that is predicted on one snapshot is so on the other as well.
    pub fn holds(last: &Snapshot, seen: &Snapshot) -> bool {
        same(last, seen) == (true, true)
            && last.budgets.items.ptr_eq(&seen.budgets.items)
            && (answered(last, seen) || Machines::of(last) == Machines::of(seen))
    }

    /// Forgets what no longer holds.
    fn look(&mut self, seen: &Snapshot) {
        if let Some(last) = &self.seen {
            let (placed, measured) = same(last, seen);
            if !placed {
                (self.cast, self.pending) = (None, None);
            }
            if !placed || !measured {
                (self.capacities, self.ranking) = (None, None);
            }
            if !placed || !answered(last, seen) {
                // It answers every second and mostly the same: what follows from it is compared, not made anew.
                let now = Machines::of(seen);
                if self.machines.as_ref() != Some(&now) {
                    if let Some(ranking) = &mut self.ranking {
                        rank(ranking, &now);
                    }
                    self.machines = Some(now);
                }
            }
        }
        self.seen = Some(seen.clone());
    }

    /// The same as [`worst`].
    pub fn worst(&mut self, seen: &Snapshot) -> &[Harm] {
        self.look(seen);
        let Self { cast, pending, capacities, machines, ranking, .. } = self;
        ranking.get_or_insert_with(|| {
            let cast = cast.get_or_insert_with(|| Cast::new(seen));
            let nodes = 0..cast.board.len();
            let pending = pending.get_or_insert_with(|| nodes.map(|i| cast.stranded(At::new(i))).collect());
            let capacities = capacities.get_or_insert_with(|| capacities_of(seen));
            let ready = |i: &usize| cast.board.node(At::new(*i)).is_ready();
            let mut all: Vec<_> = (0..cast.board.len())
                .filter(ready)
                .map(|i| Harm { pending: pending[i], ..harm(cast, capacities, i) })
                .collect();
            rank(&mut all, machines.get_or_insert_with(|| Machines::of(seen)));
            all
        })
    }

    /// The same as [`what_if`].
    pub fn what_if(&mut self, seen: &Snapshot, nodes: &[NodeName], loss: Loss) -> WhatIf {
        self.look(seen);
        let cast = self.cast.get_or_insert_with(|| Cast::new(seen));
        let capacities = self.capacities.get_or_insert_with(|| capacities_of(seen));
        let lost: BTreeSet<At> = nodes.iter().filter_map(|n| cast.board.at(n)).collect();
        let mut told = WhatIf {
            nodes: lost.iter().map(|at| cast.board.node(*at).name.clone()).collect(),
            loss,
            pods: 0,
            down: Vec::new(),
            halved: Vec::new(),
            landings: Vec::new(),
            pending: Vec::new(),
            stuck: Vec::new(),
            blocked: Vec::new(),
            database: database::lost_with(seen, nodes, loss),
        };
        told.nodes.extend(database::outside(seen, nodes));
        let Cast { board, residents, ready, names } = cast;
        let mut all: Vec<(At, &Resident)> =
            lost.iter().flat_map(|at| residents[at.index()].iter().map(|r| (*at, r))).collect();
        all.sort_by(|(_, a), (_, b)| {
            b.pod.spec.priority.cmp(&a.pod.spec.priority).then_with(|| a.pod.key.cmp(&b.pod.key))
        });
        let gone =
            Evacuation { seen, names, told: &mut told, attempt: Attempt::new(board) }.run(&lost, &all, loss);
        told.pods = all.iter().filter(|(_, r)| leaves(r, loss)).count() as u32 - told.blocked.len() as u32;
        people(seen, ready, capacities, &gone, &mut told);
        told
    }
}

/// The worst first, by what is lost of the database as well.
fn rank(all: &mut [Harm], machines: &Machines) {
    for harm in all.iter_mut() {
        harm.database = machines.get(&harm.node).cloned();
    }
    all.sort_by(|a, b| b.rank().cmp(&a.rank()).then_with(|| a.node.cmp(&b.node)));
}

/// Whether a pod goes with its node, if nothing forbids it.
fn leaves(resident: &Resident, loss: Loss) -> bool {
    match resident.fate {
        Fate::Leaving => false,
        Fate::OfTheNode => loss == Loss::Crash,
        Fate::Replaced | Fate::Numbered | Fate::Lone => true,
    }
}

fn capacities_of(seen: &Snapshot) -> Vec<Capacity> {
    seen.tenants.values().map(|t| Capacity::of(seen, t)).collect()
}

/// The part of the harm that needs no scheduler.
fn harm(cast: &Cast, capacities: &[Capacity], node: usize) -> Harm {
    let name = &cast.board.node(At::new(node)).name;
    let mut there: BTreeMap<u32, u32> = BTreeMap::new();
    let residents = &cast.residents[node];
    for resident in residents.iter().filter(|r| r.pod.ready && r.fate != Fate::Leaving) {
        if let Some(tenant) = resident.tenant {
            *there.entry(tenant).or_default() += 1;
        }
    }
    let (mut down, mut halved) = (Vec::new(), Vec::new());
    for (tenant, lost) in there {
        let tenant = tenant as usize;
        if lost >= cast.ready[tenant] {
            down.push(cast.names[tenant].clone());
        } else {
            let after = capacities[tenant].without(|_, at| at == Some(name));
            if halves(capacities[tenant].more(), after) {
                halved.push(cast.names[tenant].clone());
            }
        }
    }
    let pods = residents.iter().filter(|r| r.fate != Fate::Leaving).count() as u32;
    Harm { node: name.clone(), pods, down, halved, pending: 0, database: None }
}

fn halves(before: Option<u32>, after: Option<u32>) -> bool {
    before.zip(after).is_some_and(|(before, after)| before > 0 && u64::from(after) * 2 <= u64::from(before))
}

/// Who is hurt by the pods that are gone at the same time.
fn people(
    seen: &Snapshot,
    ready: &[u32],
    capacities: &[Capacity],
    gone: &BTreeMap<u32, BTreeSet<Key>>,
    told: &mut WhatIf,
) {
    for ((number, (name, tenant)), capacity) in seen.tenants.iter().enumerate().zip(capacities) {
        let Some(gone) = gone.get(&(number as u32)) else { continue };
        let lost = tenant.active().filter(|p| p.ready && gone.contains(&p.key)).count() as u32;
        if lost == 0 {
            continue;
        }
        if lost >= ready[number] {
            told.down.push(name.clone());
            continue;
        }
        let (before, after) = (capacity.more(), capacity.without(|pod, _| gone.contains(pod)));
        if halves(before, after) {
            let (before, after) = (before.unwrap_or(0), after.unwrap_or(0));
            told.halved.push(Halved { tenant: name.clone(), before, after });
        }
    }
}

/// Moving the pods of lost nodes, one after another.
struct Evacuation<'a> {
    seen: &'a Snapshot,
    names: &'a [TenantName],
    told: &'a mut WhatIf,
    attempt: Attempt<'a>,
}

/// A budget while pods are evicted under it.
struct Guard<'a> {
    budget: &'a Budget,
    /// Evictions it allows at the same time.
    left: u32,
    /// Evictions at the same time so far, of those allowed at first.
    at_once: u32,
}

impl Evacuation<'_> {
    /// Tells where the pods go, and gives those that are gone at the same time, by tenant.
    fn run(
        mut self,
        lost: &BTreeSet<At>,
        residents: &[(At, &Resident)],
        loss: Loss,
    ) -> BTreeMap<u32, BTreeSet<Key>> {
        let closed = match loss {
            Loss::Crash => Closed::Dead,
            Loss::Drain => Closed::Cordoned,
        };
        lost.iter().for_each(|at| self.attempt.close(*at, closed));
        let mut gone: BTreeMap<u32, BTreeSet<Key>> = BTreeMap::new();
        let mut guards: BTreeMap<Key, Guard<'_>> = BTreeMap::new();
        if loss == Loss::Crash {
            for (at, resident) in residents.iter().filter(|(_, r)| r.fate != Fate::Leaving) {
                self.attempt.send_away(std::iter::once(*resident), *at);
            }
        }
        let seen = self.seen;
        for (at, resident) in residents.iter().filter(|(_, r)| leaves(r, loss)) {
            let mut guarding = None;
            let mut at_once = true;
            if loss == Loss::Drain {
                match self.eviction(seen, resident, &mut guards) {
                    Err(blocked) => {
                        self.told.blocked.push(blocked);
                        continue;
                    }
                    Ok(guard) => guarding = guard,
                }
                self.attempt.send_away(std::iter::once(*resident), *at);
                if let Some(guard) = guarding.as_ref().and_then(|key| guards.get_mut(key)) {
                    at_once = guard.at_once < guard.budget.allowed;
                    guard.at_once += 1;
                }
            }
            if let Some(tenant) = resident.tenant.filter(|_| at_once) {
                gone.entry(tenant).or_default().insert(resident.pod.key.clone());
            }
            let replaced = match resident.fate {
                Fate::Replaced => true,
                Fate::Numbered if loss == Loss::Drain => true,
                Fate::Numbered => {
                    self.told.stuck.push(resident.pod.key.clone());
                    false
                }
                Fate::Leaving | Fate::OfTheNode | Fate::Lone => false,
            };
            if replaced && !self.land(resident) {
                // A replacement that never comes up keeps its budget short for good.
                if let Some(guard) = guarding.and_then(|key| guards.get_mut(&key)) {
                    guard.left = guard.left.saturating_sub(1);
                }
            }
        }
        gone
    }

    /// Whether the pod finds a node.
    fn land(&mut self, resident: &Resident) -> bool {
        let (pod, tenant) = (resident.pod.key.clone(), self.name(resident));
        if let Some((to, equals)) = self.attempt.replace(resident.class.1) {
            let to = self.attempt.board.node(to).name.clone();
            self.told.landings.push(Landed { pod, tenant, to, equals });
            return true;
        }
        let refusal = self.attempt.board.refused(resident.class.1);
        let board = &*self.attempt.board;
        let preempts = match &refusal.preemption {
            Preemption::Possible(nodes) => nodes.iter().map(|at| board.node(*at).name.clone()).collect(),
            Preemption::Never | Preemption::NoUse => Vec::new(),
        };
        let (message, why) = (refusal.message(), refusal.describe(board));
        self.told.pending.push(Waiting { pod, tenant, message, why, preempts });
        false
    }

    fn name(&self, resident: &Resident) -> Option<TenantName> {
        Some(self.names[resident.tenant? as usize].clone())
    }

    /// Whether a pod may be evicted now, and under which budget.
    /// Source: `registry/core/pod/storage/eviction.go`.
    fn eviction<'s>(
        &self,
        seen: &'s Snapshot,
        resident: &Resident,
        guards: &mut BTreeMap<Key, Guard<'s>>,
    ) -> Result<Option<Key>, Blocked> {
        let pod = &resident.pod;
        let blocked = |budget: Option<Key>, why: String| {
            Err(Blocked { pod: pod.key.clone(), tenant: self.name(resident), budget, why })
        };
        if resident.fate == Fate::Lone {
            return blocked(None, "no controller would make it anew: a drain takes it by force only".into());
        }
        let here = Key::new(pod.key.namespace.clone(), "");
        let here = seen.budgets.items.range(here..).take_while(|(key, _)| key.namespace == pod.key.namespace);
        let mut mine =
            here.filter(|(_, b)| b.selector.as_ref().is_some_and(|s| s.matches(&pod.labels))).map(|(_, b)| b);
        let Some(budget) = mine.next() else { return Ok(None) };
        if let Some(other) = mine.next() {
            let names = format!("{} and {}", budget.key.name, other.key.name);
            return blocked(
                Some(budget.key.clone()),
                format!("{names} both guard it: every eviction is refused"),
            );
        }
        // A pod that is not ready may go while enough others are (`unhealthyPodEvictionPolicy: IfHealthyBudget`).
        if !pod.ready && budget.healthy >= budget.needed && budget.needed > 0 {
            return Ok(None);
        }
        let guard =
            guards.entry(budget.key.clone()).or_insert(Guard { budget, left: budget.allowed, at_once: 0 });
        if guard.left == 0 {
            let why = format!(
                "{} ({}) allows no eviction: {} healthy, {} needed",
                budget.key.name, budget.rule, budget.healthy, budget.needed
            );
            return blocked(Some(budget.key.clone()), why);
        }
        Ok(Some(budget.key.clone()))
    }
}

#[cfg(test)]
mod tests;

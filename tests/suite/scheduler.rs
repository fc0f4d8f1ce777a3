//! The scheduler model against what a real kube-scheduler did, and the scale-down order against a real ReplicaSet
//! controller: `tests/captures/scheduler`, or the folder named by `WHEELHOUSE_SCHEDULER_CAPTURES`.

#![expect(clippy::unwrap_used, reason = "what a test cannot read fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    io::{BufRead, BufReader},
    path::PathBuf,
    sync::Arc,
};

use flate2::read::GzDecoder;
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use wheelhouse::{
    cluster::{
        Key, Labels, Node, NodeName, Observation, Pod, ReplicaSet, Seen, Service, Snapshot, Tenancy, Tenant,
        sketch,
    },
    plan::schedule::{Board, Class, Fits, Incoming, Placement, Preemption, Refusal, victims},
};

mod objects;

use objects::{JsonNode, JsonPod, JsonReplicaSet, JsonService, JsonTaint};

/// Every category must agree at least so far.
const WANTED: f64 = 0.99;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct World {
    seed: u64,
    category: String,
    nodes: Vec<JsonNode>,
    namespaces: Vec<String>,
    services: Vec<JsonService>,
    replica_sets: Vec<JsonReplicaSet>,
    /// Nodes onto which the recorder forced several pods with one host port: the scheduler's bookkeeping of ports
    /// is a set there, and the model's a count.
    #[serde(default)]
    host_port_duplicates: Vec<String>,
    pods: Vec<JsonPod>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Step {
    Pod(Box<Decision>),
    Delete { pod: String },
    Terminate { pod: String },
    Cordon { node: String, taints: Vec<JsonTaint> },
    Uncordon { node: String, taints: Vec<JsonTaint> },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decision {
    pod: JsonPod,
    result: String,
    node: Option<String>,
    #[serde(default)]
    feasible: BTreeSet<String>,
    r#final: Option<BTreeMap<String, i64>>,
    message: Option<String>,
    nominated_node: Option<String>,
    #[serde(default)]
    victims: Vec<String>,
    #[serde(default)]
    victims_already_terminating: Vec<String>,
    after: Option<After>,
}

#[derive(Deserialize)]
struct After {
    node: Option<String>,
}

fn folder() -> PathBuf {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/scheduler");
    std::env::var_os("WHEELHOUSE_SCHEDULER_CAPTURES").map_or_else(|| own.into(), PathBuf::from)
}

/// All lines of the recordings whose name starts so.
fn read<T: DeserializeOwned>(prefix: &str) -> Vec<T> {
    let folder = folder();
    let listing = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let named = |p: &&PathBuf| {
        let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with(prefix) && name.ends_with(".jsonl.gz")
    };
    let mut all = Vec::new();
    for file in files.iter().filter(named) {
        let lines = BufReader::new(GzDecoder::new(std::fs::File::open(file).unwrap())).lines();
        for (number, line) in lines.enumerate() {
            let parsed = serde_json::from_str(&line.unwrap());
            all.push(parsed.unwrap_or_else(|e| panic!("{} line {}: {e}", file.display(), number + 1)));
        }
    }
    all
}

/// Which pods are where, as the recording goes on; and a board that follows it step by step.
struct Replay {
    seen: Snapshot,
    board: Board,
    there: HashMap<Key, (Class, NodeName)>,
}

impl Replay {
    fn new(world: &mut World) -> Self {
        let at = Timestamp::UNIX_EPOCH;
        let mut seen = Snapshot::new(Tenancy::default());
        let nodes = std::mem::take(&mut world.nodes).into_iter().map(Node::from);
        let services = std::mem::take(&mut world.services).into_iter().map(Service::from);
        let sets = std::mem::take(&mut world.replica_sets).into_iter().map(ReplicaSet::from);
        let pods = std::mem::take(&mut world.pods).into_iter().map(Pod::from);
        let namespaces = world.namespaces.iter().map(|n| (Arc::from(n.as_str()), Labels::default()));
        seen.observe(Observation::Node(Seen::All(nodes.map(|n| (n.name.clone(), n)).collect(), at)));
        seen.observe(Observation::Service(Seen::All(services.map(|s| (s.key.clone(), s)).collect(), at)));
        seen.observe(Observation::ReplicaSet(Seen::All(sets.map(|s| (s.key.clone(), s)).collect(), at)));
        seen.observe(Observation::Namespace(Seen::All(namespaces.collect(), at)));
        seen.observe(Observation::Pod(Seen::All(pods.map(|p| (p.key.clone(), p)).collect(), at)));
        let board = Board::new(&seen);
        let mut replay = Self { seen, board, there: HashMap::new() };
        replay.rebuild();
        replay
    }

    fn rebuild(&mut self) {
        self.board = Board::new(&self.seen);
        self.there.clear();
        for pod in self.seen.pods.values().filter(|p| p.holds_resources()) {
            if let Some(node) = &pod.node {
                let class = self.board.class(&Incoming::like(pod));
                self.there.insert(pod.key.clone(), (class, node.clone()));
            }
        }
    }

    fn bind(&mut self, mut pod: Pod, class: Class, node: &str) {
        pod.node = Some(node.into());
        let at = self.board.at(&node.into()).expect("a known node");
        self.board.bind(class, at);
        self.there.insert(pod.key.clone(), (class, node.into()));
        self.seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }

    fn remove(&mut self, name: &str) {
        let key = key(name);
        let leaving = self.seen.pods.get(&key).is_some_and(|p| p.deleting.is_some());
        if let Some((class, node)) = self.there.remove(&key) {
            let at = self.board.at(&node).expect("a known node");
            if leaving {
                self.board.gone(class, at);
            } else {
                self.board.unbind(class, at);
            }
        }
        self.seen.observe(Observation::Pod(Seen::Gone(key)));
    }

    fn terminate(&mut self, name: &str) {
        let key = key(name);
        let Some(pod) = self.seen.pods.get(&key) else { return };
        let mut pod = Pod::clone(pod);
        if pod.deleting.is_none()
            && let Some((class, node)) = self.there.get(&key)
        {
            let at = self.board.at(node).expect("a known node");
            self.board.terminate(*class, at);
        }
        pod.deleting = Some(Timestamp::UNIX_EPOCH);
        self.seen.observe(Observation::Pod(Seen::Put(key, pod)));
    }

    fn cordon(&mut self, node: &str, cordoned: bool, taints: Vec<JsonTaint>) {
        let mut node = Node::clone(self.seen.nodes.get(&NodeName::from(node)).expect("a known node"));
        node.cordoned = cordoned;
        node.taints = objects::taints(taints);
        self.seen.observe(Observation::Node(Seen::Put(node.name.clone(), node)));
        self.rebuild();
    }
}

fn key(name: &str) -> Key {
    let (namespace, name) = name.split_once('/').expect("namespace/name");
    Key::new(namespace, name)
}

/// Agreement by what was compared.
#[derive(Default)]
struct Tally {
    rows: BTreeMap<String, (usize, usize)>,
    differences: Vec<String>,
}

impl Tally {
    fn count(&mut self, row: &str, agrees: bool, difference: impl FnOnce() -> String) {
        let counts = self.rows.entry(row.to_owned()).or_default();
        counts.1 += 1;
        if agrees {
            counts.0 += 1;
        } else {
            self.differences.push(format!("{row}: {}", difference()));
        }
    }

    fn agreement(&self) -> impl Iterator<Item = (&str, f64)> {
        self.rows.iter().map(|(row, (agree, all))| (row.as_str(), *agree as f64 / *all as f64))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (row, (agree, all)) in &self.rows {
            writeln!(f, "{row:<42} {agree:>6} of {all:>6}  {:>6.2} %", 100.0 * *agree as f64 / *all as f64)?;
        }
        for difference in &self.differences {
            writeln!(f, "  {difference}")?;
        }
        Ok(())
    }
}

/// The part of a refusal before the claims and preemption: the counted reasons.
fn counted(message: &str) -> &str {
    let text = message.split_once("available: ").map_or(message, |(_, rest)| rest);
    let text = text.split(" no new claims").next().unwrap_or(text);
    text.split(" preemption:").next().unwrap_or(text).trim_end_matches('.')
}

fn judge(tally: &mut Tally, category: &str, place: &str, d: &Decision, replay: &mut Replay, class: Class) {
    let names = |board: &Board, fits: &Fits| -> BTreeSet<String> {
        fits.feasible.iter().map(|at| board.node(*at).name.to_string()).collect()
    };
    let placement = replay.board.place(class);
    let board = &replay.board;
    let feasible = match &placement {
        Placement::Fits(fits) => names(board, fits),
        Placement::Nowhere(_) => BTreeSet::new(),
    };
    tally.count(&format!("{category}: feasible nodes"), feasible == d.feasible, || {
        format!("{place}: the model has {feasible:?}, the scheduler {:?}", d.feasible)
    });
    match (&placement, d.result.as_str()) {
        (Placement::Fits(fits), "bound") => {
            let best: Vec<_> = fits.best.iter().map(|at| board.node(*at).name.as_str()).collect();
            let chosen = d.node.as_deref().unwrap_or_default();
            tally.count(&format!("{category}: chosen node"), best.contains(&chosen), || {
                format!("{place}: the model likes {best:?}, the scheduler took {chosen}")
            });
            if let Some(finals) = d.r#final.as_ref().filter(|_| feasible == d.feasible) {
                let pairs = fits.feasible.iter().zip(&fits.scores);
                let scores: BTreeMap<_, _> =
                    pairs.map(|(at, score)| (board.node(*at).name.to_string(), *score)).collect();
                tally.count("all scores", scores == *finals, || {
                    format!("{place}: the model scores {scores:?}, the scheduler {finals:?}")
                });
            }
        }
        (Placement::Nowhere(refusal), "unschedulable") => {
            let message = d.message.as_deref().unwrap_or_default();
            tally.count(
                &format!("{category}: refusal reasons"),
                refusal.counts() == counted(message),
                || format!("{place}: the model says {:?}, the scheduler {message:?}", refusal.counts()),
            );
            judge_preemption(tally, place, d, board, refusal);
        }
        _ => tally.count(&format!("{category}: chosen node"), false, || {
            format!("{place}: the scheduler says {}, the model {placement:?}", d.result)
        }),
    }
}

/// A node the scheduler nominated after preempting must be among those the model reports as possible.
fn judge_preemption(tally: &mut Tally, place: &str, d: &Decision, board: &Board, refusal: &Refusal) {
    let Some(nominated) = &d.nominated_node else { return };
    let recognised = match &refusal.preemption {
        Preemption::Possible(nodes) => {
            nodes.iter().any(|at| board.node(*at).name.as_str() == nominated.as_str())
        }
        Preemption::Never | Preemption::NoUse => false,
    };
    tally.count("preemption recognised", recognised, || {
        format!("{place}: the scheduler preempted on {nominated}, the model says {:?}", refusal.preemption)
    });
}

#[test]
fn the_model_decides_as_the_real_scheduler_did() {
    let mut tally = Tally::default();
    let worlds: Vec<World> = read("sched-");
    assert!(!worlds.is_empty(), "no sched-*.jsonl.gz in {}", folder().display());
    for mut world in worlds {
        let mut replay = Replay::new(&mut world);
        let double_ports = !world.host_port_duplicates.is_empty();
        for (number, step) in world.steps.into_iter().enumerate() {
            let place = format!("seed {} step {number}", world.seed);
            match step {
                Step::Delete { pod } => replay.remove(&pod),
                Step::Terminate { pod } => replay.terminate(&pod),
                Step::Cordon { node, taints } => replay.cordon(&node, true, taints),
                Step::Uncordon { node, taints } => replay.cordon(&node, false, taints),
                Step::Pod(mut decision) => {
                    let d = &mut *decision;
                    let name = d.pod.metadata.name.clone();
                    let json = std::mem::replace(&mut d.pod, empty_pod());
                    let pod = Pod::from(json);
                    let class = replay.board.class(&Incoming::like(&pod));
                    let wants_port = pod.spec.containers.iter().any(|c| !c.host_ports.is_empty());
                    let category = match double_ports && wants_port {
                        true => "(not judged) host ports forced double",
                        false => &world.category,
                    };
                    judge(&mut tally, category, &format!("{place} ({name})"), d, &mut replay, class);
                    for victim in d.victims.iter().chain(&d.victims_already_terminating) {
                        replay.remove(victim);
                    }
                    let node = match &d.after {
                        Some(after) => after.node.clone(),
                        None => d.node.clone(),
                    };
                    if let Some(node) = node {
                        replay.bind(pod, class, &node);
                    }
                }
            }
        }
    }
    println!("{tally}");
    for (row, agreement) in tally.agreement().filter(|(row, _)| !row.starts_with("(not judged)")) {
        assert!(agreement >= WANTED, "{row}: {:.2} % agreement\n{tally}", 100.0 * agreement);
    }
}

fn empty_pod() -> JsonPod {
    serde_json::from_value(serde_json::json!({"metadata": {"name": ""}, "spec": {}})).unwrap()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScaleDown {
    case: String,
    kind: String,
    before: Option<Before>,
    victims: BTreeSet<String>,
    predicted: Option<Reading>,
}

/// What the recorder's own reading of the controller's source makes of the case.
#[derive(Deserialize)]
struct Reading {
    victim: String,
    equal: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Before {
    now_unix: f64,
    pods: Vec<JsonPod>,
}

#[test]
fn the_pods_that_go_are_those_the_real_controller_removed() {
    let mut tally = Tally::default();
    let frame = sketch("node n\ntenant app 1 on n", Timestamp::UNIX_EPOCH).unwrap();
    let workload = frame.tenants.values().next().unwrap().workload.clone();
    let cases: Vec<ScaleDown> = read("scaledown").into_iter().chain(read("surge")).collect();
    for case in cases {
        let Some(before) = case.before else { continue };
        let now = Timestamp::from_nanosecond((before.now_unix * 1e9) as i128).unwrap();
        let pods = before.pods.into_iter().map(|p| Arc::new(Pod::from(p))).collect();
        let tenant = Tenant { name: "app".into(), workload: workload.clone(), pods, unread: 0 };
        let to = tenant.active().count() - case.victims.len();
        let predicted = victims(&tenant, to as u32, now);
        let certain: BTreeSet<_> = predicted.iter().filter(|r| r.certain).map(|r| r.pod.clone()).collect();
        let possible: BTreeSet<_> = predicted
            .iter()
            .flat_map(|r| r.instead.iter().map(|(pod, _)| pod.clone()).chain([r.pod.clone()]))
            .collect();
        let agrees = certain.is_subset(&case.victims) && case.victims.is_subset(&possible);
        tally.count(&format!("scale-down: {}", case.kind), agrees, || {
            format!("{}: the model says {predicted:?}, the controller removed {:?}", case.case, case.victims)
        });
        if let Some(reading) = case.predicted.filter(|_| case.kind != "rollout") {
            // A wrong answer must not hide behind ties: no more pods may rank equal than in the recorder's reading.
            let mut equal = reading.equal;
            equal.insert(reading.victim);
            tally.count("scale-down: pods that rank equal", possible == equal, || {
                format!("{}: {predicted:?}, in the recorder's reading {equal:?}", case.case)
            });
        }
    }
    println!("{tally}");
    for (row, agreement) in tally.agreement() {
        assert!(agreement >= WANTED, "{row}: {:.2} % agreement\n{tally}", 100.0 * agreement);
    }
}

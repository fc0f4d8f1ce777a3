//! What a judge says from snapshot to snapshot is what a fresh look says, whatever changes.

use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{
    super::{
        ContainerEnd, Freshness, Key, Memory, NodeUsage, Observation, Pod, Pool, Seen, Sizing, Usage, sketch,
    },
    *,
};

const TEXT: &str = "\
node w1 memory=4Gi used=1Gi
node w2
node w3
node w4
tenant acme 3 on w1 w1 w2 used=630Mi
tenant globex 2 on w1 w2x used=200Mi
tenant initech 4 on w1 w2 w3 w3 used=300Mi
tenant zero 0 on";

/// A cluster, the judge that follows it, and the rules it has named so far.
struct Followed {
    seen: Snapshot,
    judge: Judge,
    named: Vec<&'static str>,
}

impl Followed {
    fn new() -> Self {
        let now = "2026-11-21T09:00:00Z".parse().expect("a time");
        let seen = sketch(TEXT, now).expect("a sketch");
        Self { seen, judge: Judge::default(), named: Vec::new() }
    }

    fn agrees(&mut self, after: &str) -> Vec<&'static str> {
        let Judgement { findings: said, tenants, .. } = self.judge.judge(Arc::new(self.seen.clone()));
        assert_eq!(*said, *findings(&self.seen), "{after}");
        let margins = tenants.iter().map(|j| (j.tenant.clone(), j.margin.clone()));
        let fresh = self.seen.tenants.values().map(|t| (t.clone(), Margin::of(&self.seen, t)));
        assert_eq!(margins.collect::<Vec<_>>(), fresh.collect::<Vec<_>>(), "{after}");
        let rules: Vec<_> = said.iter().map(|f| f.rule).collect();
        self.named.extend(&rules);
        rules
    }

    fn pods(&self) -> Vec<(Key, Pod)> {
        self.seen.pods.items.iter().map(|(k, p)| (k.clone(), Pod::clone(p))).collect()
    }

    fn put(&mut self, pod: Pod) {
        self.seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    }

    fn pass(&mut self, seconds: i64) {
        self.seen.at += SignedDuration::from_secs(seconds);
    }

    /// All measurements are new; those of the serving containers grew by so much.
    fn measure(&mut self, more: u64) {
        self.pass(30);
        let again = |(key, usage): (&Key, &Arc<Usage>)| {
            let mut usage = Usage { at: self.seen.at, ..Usage::clone(usage) };
            // Of nginx and php-fpm the latter serves.
            usage
                .containers
                .values_mut()
                .last()
                .into_iter()
                .for_each(|(_, used)| *used += Memory(more << 20));
            (key.clone(), usage)
        };
        let all = self.seen.usage.items.iter().map(again).collect();
        self.seen.observe(Observation::Usage(Seen::All(all, self.seen.at)));
    }

    fn ran_out_of_memory(&mut self, mut pod: Pod) {
        for container in &mut pod.containers {
            let at = Some(self.seen.at);
            container.restarts += 1;
            container.last_end = Some(Box::new(ContainerEnd { reason: "OOMKilled".into(), code: 137, at }));
        }
        self.put(pod);
    }

    fn cordon(&mut self, name: &str, cordoned: bool) {
        let Some(node) = self.seen.nodes.get(&name.into()) else { return };
        let node = Node { cordoned, ..Node::clone(node) };
        self.seen.observe(Observation::Node(Seen::Put(name.into(), node)));
    }

    fn fill(&mut self, name: &str, memory: Memory) {
        let used = NodeUsage { at: self.seen.at, cpu: super::super::Cpu(0), memory };
        self.seen.observe(Observation::NodeUsage(Seen::Put(name.into(), used)));
    }

    fn change_sizing(&mut self, change: impl FnOnce(&mut Sizing)) {
        change(Arc::make_mut(&mut self.seen.sizing));
    }

    fn pool(&mut self, tenant: &str, max_children: u32) {
        let key = Key::new(tenant, format!("{tenant}-fpm"));
        let files = [("www.conf".to_owned(), format!("[www]\npm.max_children = {max_children}"))].into();
        let pool = Pool::read(key.clone(), Arc::default(), &files, None);
        self.seen.observe(Observation::Pool(Seen::Put(key, pool)));
    }
}

#[test]
fn what_happened_within_the_last_hour_is_told_as_long_by_a_judge_as_by_a_fresh_look() {
    let mut all = Followed::new();
    all.pass(15);
    let pod = all.pods().remove(0).1;
    all.ran_out_of_memory(pod);
    all.pass(3_571);
    for second in 0..90 {
        let rules = all.agrees(&format!("{second} s later"));
        assert_eq!(rules.contains(&"oom-killed"), second < 74, "{second} s later");
        all.pass(1);
    }
}

#[test]
fn a_judge_says_after_every_change_what_a_fresh_look_would() {
    let mut all = Followed::new();
    all.agrees("the first look");
    all.agrees("nothing");
    for (key, mut pod) in all.pods() {
        pod.ready = !pod.ready;
        all.put(pod.clone());
        all.agrees(&format!("{key} turned"));
        all.seen.observe(Observation::Pod(Seen::Gone(key.clone())));
        all.agrees(&format!("{key} went"));
        pod.ready = true;
        all.put(pod);
        all.agrees(&format!("{key} came back"));
    }
    all.pass(7200);
    all.agrees("two hours");
    all.seen.observe(Observation::Node(Seen::Gone("w3".into())));
    all.agrees("a node went");
    all.seen.observe(Observation::Usage(Seen::All(vec![], all.seen.at)));
    all.agrees("the measurements went");
}

#[test]
fn what_only_the_measurements_say_comes_and_goes_with_them() {
    let mut all = Followed::new();
    assert!(!all.agrees("the first look").contains(&"headroom-falling"));
    for round in 0..24 {
        all.measure(10);
        all.agrees(&format!("measurement {round}"));
    }
    assert!(all.agrees("a steady rise").contains(&"headroom-falling"));
    all.measure(400);
    let full = all.agrees("a leap");
    assert!(full.contains(&"headroom-low") && !full.contains(&"headroom-falling"), "{full:?}");
    all.fill("w3", Memory(32 << 30));
    assert!(all.agrees("a node is full").len() >= full.len());
}

#[test]
fn what_the_time_and_the_nodes_say_does_not_wait_for_a_tenant_to_change() {
    let mut all = Followed::new();
    let doubled = |rules: &[&str]| rules.contains(&"doubled");
    assert!(doubled(&all.agrees("w4 is empty")));
    for node in ["w3", "w4"] {
        all.cordon(node, true);
    }
    assert!(!doubled(&all.agrees("no node is free")));
    for node in ["w3", "w4"] {
        all.cordon(node, false);
    }
    assert!(doubled(&all.agrees("they are again")));

    let (_, pod) = all.pods().remove(0);
    all.ran_out_of_memory(pod);
    assert!(all.agrees("killed").contains(&"oom-killed"));
    all.pass(3661);
    assert!(!all.agrees("an hour later").contains(&"oom-killed"));

    all.seen.pods.freshness = Freshness::Connecting;
    assert!(all.agrees("nothing is known").iter().all(|rule| !["doubled", "not-ready"].contains(rule)));
}

#[test]
fn a_snapshot_is_freed_by_the_judge_once_nobody_reads_it() {
    let mut judge = Judge::default();
    let publish = || Arc::new(Followed::new().seen);
    let first = judge.judge(publish());
    let freed = Arc::downgrade(&first.seen);
    drop(judge.judge(publish()));
    drop(first);
    assert!(freed.upgrade().is_some(), "whoever lets go of it last has nothing to free");
    drop(judge.judge(publish()));
    assert!(freed.upgrade().is_none());
    assert_eq!(judge.kept.len(), 1);
}

#[derive(Clone, Debug)]
enum Change {
    Turn(usize),
    Go(usize),
    Kill(usize),
    Measure(u64),
    Unmeasured(usize),
    Fill(usize, u64),
    Cordon(usize, bool),
    Pass(i64),
    Low(u32),
    Floor(u32),
    Pool(usize, u32),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0usize..9).prop_map(Change::Turn),
        (0usize..9).prop_map(Change::Go),
        (0usize..9).prop_map(Change::Kill),
        (0u64..40).prop_map(Change::Measure),
        (0usize..9).prop_map(Change::Unmeasured),
        (0usize..4, 0u64..34).prop_map(|(node, used)| Change::Fill(node, used)),
        (0usize..4, any::<bool>()).prop_map(|(node, cordoned)| Change::Cordon(node, cordoned)),
        (0i64..5000).prop_map(Change::Pass),
        (0u32..30).prop_map(Change::Low),
        (0u32..5).prop_map(Change::Floor),
        (0usize..4, 1u32..9).prop_map(|(tenant, children)| Change::Pool(tenant, children)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_row_of_changes_makes_a_judge_say_what_does_not_hold(changes in proptest::collection::vec(change(), 1..40)) {
        let mut all = Followed::new();
        let first = all.pods();
        all.agrees("the first look");
        for change in changes {
            let node = |i: usize| ["w1", "w2", "w3", "w4"][i];
            match change.clone() {
                Change::Turn(i) => {
                    let mut pod = first[i].1.clone();
                    pod.ready = !all.seen.pods.get(&pod.key).is_some_and(|p| p.ready);
                    all.put(pod);
                }
                Change::Go(i) => {
                    all.seen.observe(Observation::Pod(Seen::Gone(first[i].0.clone())));
                }
                Change::Kill(i) => all.ran_out_of_memory(first[i].1.clone()),
                Change::Measure(more) => all.measure(more),
                Change::Unmeasured(i) => {
                    all.seen.observe(Observation::Usage(Seen::Gone(first[i].0.clone())));
                }
                Change::Fill(i, used) => all.fill(node(i), Memory(used << 30)),
                Change::Cordon(i, cordoned) => all.cordon(node(i), cordoned),
                Change::Pass(seconds) => all.pass(seconds),
                Change::Low(low) => all.change_sizing(|sizing| sizing.low = low),
                Change::Floor(floor) => Arc::make_mut(&mut all.seen.tenancy).floor = floor,
                Change::Pool(i, children) => all.pool(["acme", "globex", "initech", "zero"][i], children),
            }
            all.agrees(&format!("{change:?}"));
        }
    }
}

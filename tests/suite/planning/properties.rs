//! What holds for the plans of every cluster, and for the board they are made on.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wheelhouse::plan::{
    Replicas,
    schedule::{Board, Placement},
};

use super::*;

/// A cluster of a few nodes and tenants, as a sketch.
fn some_cluster() -> impl Strategy<Value = String> {
    let node = (
        1u32..12,
        2u32..12,
        prop_oneof![6 => Just(""), 1 => Just(" cordoned"), 1 => Just(" not-ready"), 1 => Just(" taint=x")],
        prop_oneof![Just(""), Just(" zone=a"), Just(" zone=b")],
    );
    let pod = (0usize..8, prop_oneof![8 => Just(""), 1 => Just("~"), 1 => Just("-"), 1 => Just("x")]);
    let tenant = (
        prop::collection::vec(prop_oneof![10 => pod.prop_map(Some), 1 => Just(None)], 0..6),
        prop_oneof![Just("128Mi"), Just("448Mi"), Just("1Gi")],
        prop_oneof![3 => Just(""), 1 => Just(" statefulset"), 1 => Just(" together"), 1 => Just(" rolling"), 1 => Just(" hpa=2-4"), 1 => Just(" pdb=1")],
    );
    (prop::collection::vec(node, 1..7), prop::collection::vec(tenant, 1..5)).prop_map(|(nodes, tenants)| {
        let mut text = String::new();
        for (i, (memory, pods, state, zone)) in nodes.iter().enumerate() {
            writeln!(text, "node w{i} memory={memory}Gi pods={pods}{state}{zone}").unwrap();
        }
        for (i, (pods, request, more)) in tenants.iter().enumerate() {
            let leaving = |p: &&Option<(usize, &str)>| p.is_some_and(|(_, s)| s == "-");
            let desired = pods.len() - pods.iter().filter(leaving).count();
            write!(text, "tenant t{i} {desired} on").unwrap();
            for pod in pods {
                match pod {
                    Some((node, state)) => write!(text, " w{}{state}", node % nodes.len()).unwrap(),
                    None => text.push_str(" ?"),
                }
            }
            writeln!(text, " request={request}{more}").unwrap();
        }
        text
    })
}

/// Distinct tenants of the cluster and where they should go.
fn some_targets() -> impl Strategy<Value = Vec<(usize, i64)>> {
    prop::collection::vec((0usize..5, 0i64..9), 1..4)
}

fn targets(seen: &Snapshot, wanted: &[(usize, i64)]) -> Vec<Target> {
    let names: Vec<_> = seen.tenants.keys().cloned().collect();
    let distinct: BTreeMap<_, _> = wanted.iter().map(|(i, n)| (names[i % names.len()].clone(), *n)).collect();
    distinct.into_iter().map(|(tenant, to)| Target { tenant, to }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plans_keep_their_word(text in some_cluster(), wanted in some_targets()) {
        let seen = cluster(&text);
        let intent = scale(&targets(&seen, &wanted));
        let p = plan(&seen, &intent);
        prop_assert_eq!(&plan(&seen, &intent), &p, "the same inputs give the same plan");

        let refused = p.refusals().count() > 0;
        let mut room = BTreeMap::new();
        for part in &p.tenants {
            let changed = part.from != part.to;
            let homeless = part.landings.iter().any(|l| l.node.is_none());
            let pods: u32 = part.predicted.values().sum();
            if changed && !homeless {
                prop_assert_eq!(pods, part.to, "the prediction adds up\n{}", p);
            }
            prop_assert!(!homeless || part.to < part.from || refused, "who finds no room is refused\n{}", p);
            let floor = seen.tenancy.floor;
            if changed && (pods < floor || (part.predicted.len() as u32) < floor) {
                let warned = part.checks.iter().any(|c| ["floor", "zero"].contains(&&*c.rule) && c.verdict == Warn);
                prop_assert!(warned, "under the floor without a word\n{}", p);
            }
            for node in part.landings.iter().flat_map(|l| &l.equals) {
                prop_assert!(seen.nodes.get(node).unwrap().is_schedulable(), "{} takes nothing\n{}", node, p);
            }
            for node in part.landings.iter().filter_map(|l| l.node.as_ref()) {
                *room.entry(node).or_insert(0u32) += 1;
            }
            for line in p.to_string().lines() {
                prop_assert!(line.chars().count() <= 100, "too wide: {}", line);
            }
        }
        let gone: usize = p.tenants.iter().map(|t| t.removals.len()).sum();
        for (node, new) in room {
            let there = seen.loads.get(node).map_or(0, |l| l.pods);
            let limit = seen.nodes.get(node).unwrap().pods;
            prop_assert!(there + new <= limit + gone as u32, "{} is over its {} pods\n{}", node, limit, p);
        }
        if refused {
            prop_assert!(matches!(p.clone().approve(Some("anything"), None), Err(Unapproved::Refused(_))));
        }

        let after = settled(&seen, &p);
        if !refused {
            for part in p.tenants.iter().filter(|t| t.from != t.to && t.landings.iter().all(|l| l.node.is_some())) {
                let (true_, text) = verify(part, &after);
                prop_assert!(true_, "{}\n{}", text, p);
            }
        }
        let back = plan(&after, &undo(&p));
        for (tenant, change) in made(&p) {
            let Change::Replicas(Replicas { from, .. }) = change else { unreachable!() };
            let part = back.tenants.iter().find(|t| Some(&t.tenant) == tenant.tenant()).unwrap();
            prop_assert_eq!(part.to, from, "undoing ends where it began");
        }
        prop_assert_eq!(made(&back).len(), made(&p).len());
        let again = plan(&settled(&after, &back), &undo(&back));
        for part in &p.tenants {
            if part.from != part.to {
                prop_assert_eq!(again.tenants.iter().find(|t| t.tenant == part.tenant).unwrap().to, part.to);
            }
        }
    }

    #[test]
    fn the_board_never_overfills_and_forgets_what_is_taken_back(text in some_cluster()) {
        let seen = cluster(&text);
        let mut board = Board::new(&seen);
        let over: Vec<NodeName> = board.overfull().into_iter().cloned().collect();
        let workloads: Vec<_> = seen.tenants.values().map(|t| t.workload.clone()).collect();
        let classes: Vec<_> =
            workloads.iter().map(|w| board.class(&Incoming::next_of(&seen, w))).collect();
        let all = |board: &mut Board| -> Vec<Placement> { classes.iter().map(|c| board.place(*c)).collect() };
        let before = all(&mut board);
        let mut bound = Vec::new();
        for class in classes.iter().cycle().take(60) {
            if let Placement::Fits(fits) = board.place(*class) {
                prop_assert!(fits.best.iter().all(|at| fits.feasible.contains(at)));
                board.bind(*class, fits.best[0]);
                bound.push((*class, fits.best[0]));
            }
        }
        for node in board.overfull() {
            prop_assert!(over.contains(node), "{} was overfilled", node);
        }
        // One board kept up is the board made again.
        let mut after = seen.clone();
        for (i, (class, at)) in bound.iter().enumerate() {
            let which = classes.iter().position(|c| c == class).unwrap();
            let like = Incoming::next_of(&seen, &workloads[which]);
            let mut pod = seen.pods.values().next().map(|p| Pod::clone(p)).unwrap_or_else(|| blank(&like));
            pod.key = Key::new(like.namespace.clone(), format!("new-{i}"));
            (pod.owner, pod.labels, pod.spec) = (like.owner, like.labels, like.spec);
            (pod.phase, pod.deleting) = (Phase::Running, None);
            pod.node = Some(board.node(*at).name.clone());
            after.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
        }
        let mut again = Board::new(&after);
        for (workload, class) in workloads.iter().zip(&classes) {
            let same = again.class(&Incoming::next_of(&seen, workload));
            prop_assert_eq!(again.place(same), board.place(*class), "{}", text);
        }
        for (class, at) in bound.iter().rev() {
            board.unbind(*class, *at);
        }
        prop_assert_eq!(all(&mut board), before);
    }
}

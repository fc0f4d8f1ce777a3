//! Moves on the screen: one pod, one tenant, one node, and many at once.

use wheelhouse::{
    app::Effect,
    cluster::{Key, Observation, Pod, RUN_LABEL, Seen, TenantName},
    plan::{
        Check, Intent, Verdict,
        rebalance::{Aim, Goal},
    },
    ui::Place,
};

use super::cockpit::Cockpit;

/// A node came back twelve minutes ago: nothing moved back onto it.
pub const BACK: &str = "
node worker-1 memory=32Gi cpu=16 since=984h
node worker-2 memory=32Gi cpu=16 since=984h
node worker-3 memory=32Gi cpu=16 since=12m
node worker-4 memory=32Gi cpu=16 since=984h
node worker-5 memory=32Gi cpu=16 since=984h
tenant acme 2 on worker-1 worker-2 used=310Mi
tenant blackmesa 2 on worker-4 worker-4 used=301Mi
tenant dunder 3 on worker-1 worker-2 worker-1 used=222Mi
tenant globex 3 on worker-4 worker-5 worker-4 used=302Mi
tenant hooli 3 on worker-2 worker-4 worker-5 used=244Mi
tenant initech 2 on worker-5 worker-5 used=340Mi rolling
tenant massive 4 on worker-1 worker-2 worker-4 worker-4 used=201Mi
tenant piedpiper 2 on worker-2 worker-2 used=180Mi
tenant soylent 2 on worker-1 worker-5 used=320Mi pdb=1
tenant store 2 on worker-2 worker-2 used=180Mi statefulset
tenant tyrell 2 on worker-5 worker-1 used=222Mi
tenant umbrella 4 on worker-1 worker-5 worker-4 worker-5 used=166Mi
";

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

#[test]
fn one_cause_is_one_line_with_the_key_that_answers_it() {
    let mut c = Cockpit::of(BACK, (80, 24));
    look!("back_tenants_80x24", c);
    let text = c.text();
    let lines: Vec<_> = text.lines().filter(|l| l.contains("doubled up")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].contains("worker-3") && lines[0].contains("back and empty: 8 tenants are doubled up"));
    assert!(lines[0].contains("12m") && lines[0].contains("b rebalance"), "{}", lines[0]);
    // Its children are one key away, and stand below it.
    c.keys("5");
    look!("back_findings_80x24", c);
    let text = c.text();
    let cause = text.lines().position(|l| l.contains("back and empty")).expect("the cause");
    let below: Vec<_> = text.lines().skip(cause + 1).take(8).collect();
    assert!(below.iter().all(|l| l.contains('└')), "{text}");
    // The key to the next trouble does not stop at each of them.
    let mut c = Cockpit::of(BACK, (80, 24));
    let mut stops = Vec::new();
    for _ in 0..4 {
        c.keys("n");
        stops.push(c.selected());
    }
    assert!(stops.iter().filter(|s| s.as_deref() == Some("piedpiper")).count() == 0, "{stops:?}");
}

#[test]
fn the_review_of_a_campaign_shows_where_every_pod_is_and_will_be() {
    for (name, size) in [("scheme_80x24", (80, 24)), ("scheme_200x50", (200, 50)), ("scheme_40x12", (40, 12))]
    {
        let mut c = Cockpit::of(BACK, size);
        let effects = c.keys("b");
        assert!(matches!(effects.as_slice(), [Effect::RehearseAll(..)]), "{effects:?}");
        c.rehearse_all();
        look!(name, c);
    }
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b tab");
    look!("scheme_moves_80x24", c);
    c.keys("tab");
    look!("scheme_stays_80x24", c);
    let text = c.text();
    assert!(text.contains("initech") && text.contains("rollout of initech is under way"), "{text}");
    assert!(text.contains("store") && text.contains("StatefulSet"), "{text}");
}

#[test]
fn what_changes_is_told_without_colour_too() {
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b");
    let text = c.text();
    let row = text.lines().find(|l| l.contains("blackmesa")).expect("its row");
    assert!(row.contains("2!") && row.contains("1+") && row.contains("1-"), "{row}");
}

#[test]
fn b_is_about_what_is_marked() {
    let aim = |c: &mut Cockpit| c.aim().expect("something was asked");
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("N j space space b");
    let marked = Aim::Rebalance { nodes: vec![], tenants: vec!["blackmesa".into(), "dunder".into()] };
    assert_eq!(aim(&mut c), marked);
    assert!(c.text().contains("Rebalance 2 tenants"), "{}", c.text());
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("2 > j j space b");
    assert!(matches!(aim(&mut c), Aim::Rebalance { nodes, .. } if nodes == ["worker-3".into()]));
    c.keys("esc esc G D");
    assert_eq!(aim(&mut c), Aim::Drain { node: "worker-5".into() });
    assert!(c.text().contains("Drain worker-5"), "{}", c.text());
}

#[test]
fn a_campaign_is_begun_by_y_alone_and_never_unrehearsed() {
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b");
    assert_eq!(c.keys("enter b"), [], "neither Enter nor the key that opened it");
    c.keys("y");
    assert_eq!(c.wait(300), [], "the rehearsal has not answered");
    let begun = c.rehearse_all();
    assert!(matches!(begun.as_slice(), [Effect::Campaign(..)]), "{begun:?}");
    // A burst never confirms.
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b");
    c.rehearse_all();
    c.burst("y x y");
    assert_eq!(c.wait(300), []);
    // Neither does read-only mode.
    let mut c = Cockpit::with(BACK, (80, 24), |setup| setup.read_only = true);
    c.keys("b y");
    assert_eq!(c.wait(300), []);
    assert!(c.text().contains("read-only"), "{}", c.text());
}

#[test]
fn another_scheme_wants_a_fresh_yes() {
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b");
    c.rehearse_all();
    c.wait(2_000);
    c.observe(&BACK.replace("blackmesa 2 on worker-4 worker-4", "blackmesa 2 on worker-4 worker-1"));
    assert!(c.text().contains("changed since you looked"), "{}", c.text());
    c.rehearse_all();
    c.keys("y");
    assert_eq!(c.wait(300), [], "this one only says that it was read");
    c.keys("y");
    assert!(matches!(c.wait(300).as_slice(), [Effect::Campaign(..)]));
}

#[test]
fn a_drain_that_costs_a_ready_pod_wants_the_tenant_typed() {
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("2 > j D");
    c.rehearse_all();
    look!("scheme_drain_80x24", c);
    assert!(c.text().contains("store must be typed before it runs"), "{}", c.text());
    c.keys("y");
    assert_eq!(c.wait(300), []);
}

#[test]
fn how_many_moves_and_how_fast_is_chosen_in_the_review_and_planned_at_once() {
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b");
    c.rehearse_all();
    assert!(c.text().contains("e options") && c.text().contains("moves all"), "{}", c.text());
    c.keys("e");
    look!("scheme_options_80x24", c);
    // A number is typed, and the plan is another at once: it is rehearsed again, and wants no look as a surprise.
    let effects = c.keys("2");
    assert!(matches!(effects.as_slice(), [Effect::RehearseAll(..)]), "{effects:?}");
    assert!(c.text().contains("2 moves, one after another"), "{}", c.text());
    assert!(!c.text().contains("changed since you looked"), "{}", c.text());
    c.keys("tab tab tab +");
    assert!(c.text().contains("up to 2 at the same time"), "{}", c.text());
    c.keys("tab tab + +");
    let words: Vec<_> = c.text().replace('│', " ").split_whitespace().map(str::to_owned).collect();
    assert!(words.join(" ").contains("3 failures stop it"), "{}", c.text());
    c.keys("tab space");
    assert!(c.text().contains("memory off"), "{}", c.text());
    // Neither y nor q means here what it means elsewhere.
    assert_eq!(c.keys("y"), []);
    c.keys("enter");
    c.rehearse_all();
    c.wait(2_000);
    c.keys("y");
    let begun = c.wait(300);
    let [Effect::Campaign(approved, _)] = begun.as_slice() else { panic!("{begun:?}\n{}", c.text()) };
    let campaign =
        wheelhouse::run::campaign::Campaign::new("20261121-020000-c0de", "alice", (**approved).clone());
    assert_eq!((campaign.items.len(), campaign.pace.parallel, campaign.pace.stop_after), (2, 2, 3));
    assert_eq!(campaign.aim.as_ref().and_then(|aim| aim.caps.moves), Some(2));
    let goal = campaign.aim.map(|aim| aim.goal);
    assert!(matches!(goal, Some(Goal::Rebalance { only_spread: true, .. })), "{goal:?}");
}

#[test]
fn a_tenant_that_the_rehearsal_refuses_is_left_out_with_its_reason() {
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b");
    assert!(c.text().contains("blackmesa"), "{}", c.text());
    let left = [("adoption blackmesa".to_owned(), "admission webhook denies it".to_owned())].into();
    let effects = c.rehearse_all_as(Vec::new(), left);
    assert!(
        matches!(effects.as_slice(), [Effect::RehearseAll(..)]),
        "what is left is rehearsed: {effects:?}"
    );
    c.rehearse_all();
    c.keys("tab tab");
    let text = c.text();
    let line = text.lines().find(|l| l.contains("blackmesa")).expect("it stays");
    assert!(line.contains("admission webhook denies it"), "{text}");
    // It stays left out when the cluster changes.
    c.wait(2_000);
    c.observe(&BACK.replace("tyrell 2 on worker-5 worker-1", "tyrell 2 on worker-5 worker-4"));
    c.rehearse_all();
    assert!(c.text().lines().any(|l| l.contains("blackmesa") && l.contains("denies it")), "{}", c.text());
    c.keys("y y");
    c.wait(2_000);
    c.keys("y");
    let begun = c.wait(300);
    let [Effect::Campaign(approved, _)] = begun.as_slice() else { panic!("{begun:?}\n{}", c.text()) };
    let campaign =
        wheelhouse::run::campaign::Campaign::new("20261121-020000-c0de", "alice", (**approved).clone());
    let of =
        |item: &Intent| matches!(item, Intent::Move { moved } if moved.tenant == Some("blackmesa".into()));
    assert!(!campaign.items.is_empty() && !campaign.items.iter().any(of), "{:?}", campaign.items);
}

#[test]
fn several_marked_tenants_are_restarted_as_a_campaign() {
    let mut c = Cockpit::of(BACK, (80, 24));
    let effects = c.keys("N space space r");
    assert!(matches!(effects.as_slice(), [Effect::RehearseAll(..)]), "{effects:?}");
    c.rehearse_all();
    look!("restart_2_80x24", c);
    assert!(c.text().contains("estart 2 tenants"), "{}", c.text());
    c.keys("e tab +");
    c.keys("enter");
    c.rehearse_all();
    c.wait(2_000);
    c.keys("y");
    let begun = c.wait(300);
    let [Effect::Campaign(approved, _)] = begun.as_slice() else { panic!("{begun:?}\n{}", c.text()) };
    let campaign =
        wheelhouse::run::campaign::Campaign::new("20261121-020000-c0de", "alice", (**approved).clone());
    let restart = |tenant: &str| Intent::Restart { tenant: tenant.into() };
    assert_eq!(campaign.items, [restart("acme"), restart("blackmesa")]);
    assert_eq!((campaign.pace.parallel, campaign.pace.canary), (1, 2));
}

#[test]
fn what_cannot_be_is_one_sentence() {
    let mut c = Cockpit::of("node w1\nnode w2 cordoned\ntenant acme 2 on w1 w1", (80, 24));
    c.keys(": d r a i n space w 1 enter");
    assert!(c.text().contains("w1 is the last node that takes pods"), "{}", c.text());
    c.keys("y");
    assert_eq!(c.wait(300), []);
    c.keys("esc 2 j U");
    assert!(c.text().contains("not cordoned"), "{}", c.text());
    let mut c = Cockpit::of("node w1\nnode w2\ntenant acme 2 on w1 w2", (80, 24));
    c.keys("b");
    look!("scheme_nothing_80x24", c);
    assert!(c.text().contains("nothing is to be moved"), "{}", c.text());
}

#[test]
fn a_node_is_cordoned_and_uncordoned_by_one_key() {
    let mut c = Cockpit::of(BACK, (80, 24));
    let effects = c.keys("2 > C");
    assert!(
        matches!(effects.as_slice(), [Effect::Rehearse(p)] if matches!(&p.intent, Intent::Cordon { node, cordoned: true } if node.as_str() == "worker-1"))
    );
    c.rehearse();
    look!("review_cordon_80x24", c);
    let mut c = Cockpit::of(&BACK.replace("worker-1 memory=32Gi", "worker-1 cordoned memory=32Gi"), (80, 24));
    let effects = c.keys("2 C");
    assert!(
        matches!(effects.as_slice(), [Effect::Rehearse(p)] if matches!(&p.intent, Intent::Cordon { cordoned: false, .. })),
        "{effects:?}"
    );
    // By name it never does the contrary.
    c.keys("esc");
    let effects = c.keys(": c o r d o n space w o r k e r - 1 enter");
    assert!(!effects.iter().any(|e| matches!(e, Effect::Rehearse(_))), "{effects:?}");
    assert!(c.text().contains("is cordoned already"), "{}", c.text());
}

#[test]
fn a_tenant_is_restarted_through_the_review() {
    let mut c = Cockpit::of(BACK, (80, 24));
    let effects = c.keys("N r");
    assert!(
        matches!(effects.as_slice(), [Effect::Rehearse(p)] if p.intent == Intent::Restart { tenant: "acme".into() })
    );
    c.rehearse();
    look!("review_restart_80x24", c);
}

#[test]
fn a_pod_is_moved_to_a_node_that_is_chosen() {
    let text = BACK
        .replace("worker-2 memory=32Gi cpu=16 since=984h", "worker-2 memory=32Gi cpu=16 cordoned since=984h");
    let mut c = Cockpit::of(&text, (80, 24));
    c.keys("/ b l a c k enter enter v");
    look!("targets_80x24", c);
    assert!(c.text().contains("worker-2 is cordoned"), "{}", c.text());
    c.keys("G enter");
    assert!(c.text().contains("does not take it"), "{}", c.text());
    let effects = c.keys("g enter");
    let [Effect::Rehearse(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(
        matches!(&plan.intent, Intent::Move { moved } if moved.to == Some("worker-3".into()) && moved.from == "worker-4".into())
    );
    c.rehearse();
    look!("review_move_80x24", c);
}

#[test]
fn a_pod_is_deleted_through_the_review() {
    let mut c = Cockpit::of(BACK, (80, 24));
    let effects = c.keys("/ d u n d e r enter enter x");
    let asked = |e: &Effect| matches!(e, Effect::Rehearse(p) if matches!(p.intent, Intent::DeletePod { .. }));
    assert!(effects.iter().any(asked), "{effects:?}");
    c.rehearse();
    look!("review_delete_pod_80x24", c);
    c.keys("esc tab x");
    assert!(c.text().contains("choose the pod among the pods"), "{}", c.text());
}

#[test]
fn a_drained_node_that_is_back_offers_undrain() {
    let text = BACK.replace("worker-3 memory=32Gi", "worker-3 cordoned memory=32Gi");
    let mut c = Cockpit::of(&text, (80, 24));
    c.keys("5");
    let text = c.text();
    let line = text.lines().find(|l| l.contains("cordoned and empty")).expect("the finding");
    assert!(line.contains("worker-3") && line.contains("U undrain"), "{line}");
    while !c.text().lines().any(|l| l.starts_with('›') && l.contains("cordoned and empty")) {
        c.keys("j");
    }
    c.keys("U");
    assert_eq!(c.aim(), Some(Aim::Undrain { node: "worker-3".into() }));
    c.rehearse_all();
    look!("scheme_undrain_80x24", c);
    assert!(c.text().contains("worker-3 is uncordoned first"), "{}", c.text());
    assert_eq!(c.app.place(), Place::Findings);
}

#[test]
fn a_pod_that_a_move_left_over_is_a_finding_whose_key_deletes_it() {
    let mut seen = super::cockpit::night(BACK);
    let at = seen.at;
    let acme = &seen.tenants[&TenantName::from("acme")];
    let mut pod = Pod::clone(acme.pods.first().expect("a pod"));
    pod.key = Key::new(pod.key.namespace.clone(), "acme-5f6d8c9b7-0badcafe");
    pod.uid = "left-over".into();
    pod.owner = None;
    pod.created = at - jiff::SignedDuration::from_mins(20);
    let labels = pod.labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let mut labels: std::collections::BTreeMap<_, _> = labels.collect();
    labels.insert(RUN_LABEL.to_owned(), "20261121-020000-dead".to_owned());
    pod.labels = std::sync::Arc::new(labels.into());
    seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
    seen.observe(Observation::Journal(Seen::All(Vec::new(), at)));
    let mut c = Cockpit::seeing(seen, (120, 35), |_| {});
    c.keys("5");
    assert!(c.text().contains("acme-5f6d8c9b7-0badcafe was made for a move"), "{}", c.text());
    while !c.text().lines().any(|l| l.starts_with('›') && l.contains("was made for a move")) {
        c.keys("j");
    }
    assert!(c.text().contains("the cluster has no journal of run dead"), "{}", c.text());
    let effects = c.keys("x");
    let [Effect::Rehearse(plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(&plan.intent, Intent::DeletePod { pod } if &*pod.name == "acme-5f6d8c9b7-0badcafe"));
    assert_eq!(plan.steps.len(), 2, "it is deleted and gone: nothing takes its place");
}

#[test]
fn many_warnings_of_a_kind_are_one_line_and_what_is_agreed_to_stays_in_sight() {
    let mut c = Cockpit::of(BACK, (80, 24));
    c.keys("b");
    let warning = |n: usize| {
        let why = "the right to read its autoscalers and budgets is missing, so that whether one of them takes the move back is not known";
        Check::new("access", Verdict::Warn, format!("tenant-{n}: {why}"))
    };
    c.rehearse_all_as((1..=17).map(warning).collect(), Default::default());
    let text = c.text();
    assert!(text.contains("17 of a kind, the first: tenant-1: "), "{text}");
    assert!(text.contains("all tenants") && text.contains("blackmesa"), "the moves are seen: {text}");
    look!("scheme_warnings_80x24", c);
    c.keys("tab tab tab");
    assert!(c.text().contains("▸ Warnings 17") && c.text().contains("tenant-1: "), "{}", c.text());
    c.keys("G");
    let text = c.text();
    assert!(
        text.contains("tenant-17: ") && text.contains("is not known"),
        "each can be read in full: {text}"
    );
    c.keys("y");
    assert!(c.wait(300).iter().any(|effect| matches!(effect, Effect::Campaign(..))), "{}", c.text());
}

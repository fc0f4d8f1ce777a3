//! What stays where it is while one looks, and what is told truly at any width and any age of a session.

use std::sync::Arc;

use jiff::SignedDuration;
use wheelhouse::{
    app::{Effect, Msg},
    cluster::{
        Freshness, Observation, Seen, Snapshot,
        platform::{Around, edge},
        sketch,
    },
    history::{Happened, Kind, Turn},
    ui::{Place, Role},
};

use super::cockpit::{Cockpit, NIGHT, night, now};

/// A cluster in which nothing is wrong.
const CALM: &str = "
node worker-1
node worker-2
node worker-3
tenant acme 2 on worker-1 worker-2
tenant globex 2 on worker-2 worker-3
tenant wayne 2 on worker-1 worker-3
";

fn header(c: &Cockpit) -> String {
    c.text().lines().next().map(str::to_owned).unwrap_or_default()
}

fn bar(c: &Cockpit) -> String {
    c.text().lines().last().map(str::to_owned).unwrap_or_default()
}

#[test]
fn whether_harm_can_be_done_is_said_at_any_width() {
    for (read_only, words) in [(false, ["READ-WRITE", "RW"]), (true, ["READ-ONLY", "RO"])] {
        for columns in [8, 12, 16, 20, 24, 30, 40, 45, 49, 50, 60, 80, 200] {
            let c = Cockpit::with(NIGHT, (columns, 24), |setup| {
                setup.read_only = read_only;
                setup.label = Some(("PRODUCTION".into(), Role::Danger));
            });
            let header = header(&c);
            assert!(words.iter().any(|word| header.contains(word)), "{columns}: {header}");
            let label = if columns < 20 { "[" } else { "[PRODUCTION]" };
            assert!(header.contains(label), "{columns}: {header}");
            if columns >= 30 {
                assert!(header.contains(words[0]), "{columns}: {header}");
            }
        }
    }
    // How long the API is silent has room where a word has fewer letters.
    let mut seen = night(NIGHT);
    let since = now() - SignedDuration::from_secs(14);
    seen.api.freshness = Freshness::Stale { since, why: "connection refused".into() };
    let label = Some(("PRODUCTION".to_owned(), Role::Danger));
    let c = Cockpit::seeing(seen, (40, 24), |setup| setup.label = label);
    let header = header(&c);
    assert!(header.contains("[PRODUCTION]") && header.contains("RW   ✖ API silent 1"), "{header}");
}

#[test]
fn no_row_jumps_when_a_node_is_cordoned_and_let_in_again() {
    let rows = |c: &Cockpit| -> Vec<String> {
        let text = c.text();
        let rows = text.lines().skip_while(|line| !line.contains("IF IT FAILS")).skip(1);
        let name = |line: &str| line.chars().skip(4).collect::<String>();
        rows.filter_map(|line| name(line).split_whitespace().next().map(str::to_owned)).take(3).collect()
    };
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("2 j j");
    let before = (rows(&c), c.selected());
    assert_eq!(before.1.as_deref(), Some("worker-3"));
    assert!(bar(&c).contains("C cordon "), "{}", bar(&c));
    let keys = |c: &Cockpit| bar(c).find("D drain");
    let drain = keys(&c);
    c.observe(&CALM.replace("node worker-3", "node worker-3 cordoned"));
    assert_eq!((rows(&c), c.selected()), before);
    assert!(c.text().contains("◌ worker-3"), "{}", c.text());
    assert!(bar(&c).contains("C uncordon"), "{}", bar(&c));
    assert_eq!(keys(&c), drain, "no key moves with it");
    c.observe(CALM);
    assert_eq!((rows(&c), c.selected()), before);
    assert!(!bar(&c).contains("uncordon"), "{}", bar(&c));
    // One that fails comes to the top all the same, and who comes back sees the worst first.
    c.observe(&CALM.replace("node worker-3", "node worker-3 not-ready"));
    assert_eq!((rows(&c)[0].as_str(), c.selected().as_deref()), ("worker-3", Some("worker-3")));
    c.observe(&CALM.replace("node worker-2", "node worker-2 cordoned"));
    assert_eq!(rows(&c), ["worker-3", "worker-1", "worker-2"], "it stays there when it is back");
    c.keys("1 2");
    assert_eq!(rows(&c)[0], "worker-2");
    assert_eq!(c.selected().as_deref(), Some("worker-3"));
}

#[test]
fn a_cordoned_node_has_its_sign_wherever_it_is_shown() {
    let cordoned = CALM.replace("node worker-1", "node worker-1 cordoned");
    for size in [(80, 24), (200, 50)] {
        let mut c = Cockpit::of(&cordoned, size);
        let heading = c.text().lines().find(|line| line.contains("TENANT")).map(str::to_owned);
        let heading = heading.unwrap_or_default();
        assert!(
            heading.contains("◌w1") || heading.contains("◌worker-1"),
            "the first of the nodes: {heading}"
        );
        c.keys("P");
        let heading = c.text().lines().find(|line| line.contains("TENANT")).map(str::to_owned);
        assert!(heading.as_ref().is_some_and(|h| h.contains("READY▾") && h.contains("◌w")), "{heading:?}");
    }
    let mut c = Cockpit::of(&CALM.replace("node worker-1", "node worker-1 not-ready cordoned"), (80, 24));
    c.keys("2");
    assert!(c.text().contains("not ready ◌"), "{}", c.text());
    c.keys("enter");
    assert!(c.text().contains("◌ cordoned"), "{}", c.text());
    let mut c = Cockpit::of(&cordoned, (80, 24));
    c.keys("2 enter");
    assert!(c.text().contains("cordoned, ready for"), "since when it is cordoned is not known: {}", c.text());
}

#[test]
fn an_all_clear_waits_for_what_has_not_been_looked_at() {
    let mut seen = night(CALM);
    let wanted = |name: &str| edge::Wanted { name: name.into(), machine: None, connections: None };
    seen.around = Arc::new(Around {
        edges: vec![wanted("edge-1"), wanted("edge-2")],
        nodes: true,
        ..Around::default()
    });
    let mut c = Cockpit::seeing(seen.clone(), (80, 24), |_| {});
    let words = "nothing is wrong so far; not looked at yet: 2 edges and the ingress nodes";
    assert!(c.text().contains(&format!("? {words}")), "{}", c.text());
    assert!(!c.text().contains("✓ nothing"), "{}", c.text());
    c.keys("5");
    assert!(c.text().contains(words) && !c.text().contains("✓ nothing"), "{}", c.text());
    c.keys("1 n");
    assert!(c.text().contains(words), "{}", c.text());
    // Nothing else is configured: all has been looked at.
    let mut c = Cockpit::of(CALM, (80, 24));
    assert!(c.text().contains("✓ nothing is wrong"), "{}", c.text());
    c.keys("5");
    assert!(c.text().contains("✓ nothing is wrong"), "{}", c.text());
}

fn happened(minutes: i64, tenant: &str) -> Happened {
    Happened {
        time: now() - SignedDuration::from_mins(minutes),
        kind: Kind::Tenant,
        name: tenant.into(),
        tenant: Some(tenant.into()),
        node: None,
        turn: Turn::Worse,
        text: "is degraded".into(),
    }
}

#[test]
fn the_axis_is_as_long_as_what_is_known() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("t");
    let status = |c: &Cockpit| c.text().lines().rev().nth(1).map(str::to_owned).unwrap_or_default();
    assert!(status(&c).contains("known since 03:12 · last 10 min"), "{}", status(&c));
    c.send(Msg::KeptSince(now() - SignedDuration::from_mins(45)));
    assert!(status(&c).contains("known since 02:27 · last 1 h"), "{}", status(&c));
    c.send(Msg::Happened(vec![happened(20 * 60, "acme")]));
    assert!(status(&c).contains("last 6 h") && !status(&c).contains("known since"), "{}", status(&c));
    c.typed(":since 30m");
    c.keys("enter");
    assert!(status(&c).contains("last 30 min"), "{}", status(&c));
}

#[test]
fn the_timeline_opens_on_the_lane_one_comes_from_and_counts_the_lanes_below() {
    let tenants: String = (1..=20).map(|i| format!("tenant t{i:02} 2 on worker-1 worker-2\n")).collect();
    let mut c = Cockpit::of(&format!("node worker-1\nnode worker-2\n{tenants}"), (80, 24));
    c.send(Msg::Happened((1..=19).map(|i| happened(2, &format!("t{i:02}"))).collect()));
    c.keys("t");
    let text = c.text();
    assert!(text.contains("more lanes ↓") && text.contains("1 of 19 lanes"), "{text}");
    c.typed(":tenant t17");
    c.keys("enter t");
    let text = c.text();
    assert!(text.contains("t17: 1 event") && text.contains("17 of 19 lanes"), "{text}");
    let lane = text.lines().find(|line| line.starts_with('›')).unwrap_or_default();
    assert!(lane.contains("t17"), "{text}");
    // Of one to which nothing has happened it says so.
    c.typed(":tenant t20");
    c.keys("enter t");
    let text = c.text();
    assert!(text.contains("t20: 0 events") && text.contains("nothing has happened there"), "{text}");
}

/// The key and the subject of each of the first lines.
fn keys_of_lines(c: &Cockpit) -> Vec<(String, String)> {
    let text = c.text();
    let strip = text.lines().skip(2).take_while(|line| !line.contains("TENANT"));
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let subject = words.nth(1)?.to_owned();
        let mut from_behind = words.rev();
        let _ = from_behind.next()?;
        Some((from_behind.next()?.to_owned(), subject))
    };
    let is_key = |key: &str| key == "a" || (key.starts_with('F') && key.len() == 2);
    strip.filter_map(line).filter(|(key, _)| is_key(key)).collect()
}

#[test]
fn a_line_keeps_its_key_while_others_come_and_go() {
    let nodes = "node worker-1\nnode worker-2\nnode worker-3\n";
    let with = |broken: &[&str]| {
        let tenants = ["acme", "globex", "hooli", "initech"].map(|name| match broken.contains(&name) {
            true => format!("tenant {name} 2 on worker-1x worker-2x\n"),
            false => format!("tenant {name} 2 on worker-1 worker-2\n"),
        });
        format!("{nodes}{}", tenants.concat())
    };
    let mut c = Cockpit::of(&with(&["globex", "hooli", "initech"]), (120, 40));
    let key =
        |c: &Cockpit, name: &str| keys_of_lines(c).into_iter().find(|(_, of)| of == name).map(|(key, _)| key);
    let keys = |c: &Cockpit| ["globex", "hooli", "initech"].map(|name| key(c, name).unwrap_or_default());
    assert_eq!(keys(&c), ["a", "F2", "F3"], "{}", c.text());
    // The screen has been looked at for a while. The cursor changes no key.
    c.wait(3_500);
    c.keys("j");
    assert_eq!(keys(&c), ["a", "F2", "F3"], "{}", c.text());
    // Another one comes before them: they keep theirs, and it has the next.
    c.observe(&with(&["acme", "globex", "hooli", "initech"]));
    assert_eq!(key(&c, "hooli").as_deref(), Some("F2"), "{}", c.text());
    assert_eq!(key(&c, "initech").as_deref(), Some("F3"), "{}", c.text());
    // One is gone: its key answers nothing for a while, not the next one.
    c.observe(&with(&["acme", "globex", "initech"]));
    assert_eq!(key(&c, "initech").as_deref(), Some("F3"), "{}", c.text());
    assert_eq!(c.keys("F2"), Vec::<Effect>::new());
    assert!(c.text().contains("the line of hooli is gone"), "{}", c.text());
    c.keys("F3");
    assert!(
        matches!(c.app.place(), Place::Tenant(name) | Place::Log(name, _) if name.as_str() == "initech"),
        "{:?}",
        c.app.place()
    );
}

#[test]
fn the_way_tells_places_apart() {
    let way = |keys: &str| {
        let mut c = Cockpit::of(NIGHT, (80, 24));
        c.keys(keys);
        let text = c.text();
        text.lines().rev().nth(1).map(|line| line.trim().to_owned()).unwrap_or_default()
    };
    let ways =
        ["enter", "d", "y", "l", "j l", "j j l", "h", "2 enter", "2 d", "2 w", "2 w d", "2 space space w"];
    let told: Vec<_> = ways.iter().map(|keys| way(keys)).collect();
    for (i, one) in told.iter().enumerate() {
        assert_eq!(told.iter().position(|other| other == one), Some(i), "{} reads as {told:#?}", ways[i]);
        assert!(one.contains('›'), "{one}");
    }
}

#[test]
fn findings_offer_only_keys_that_answer_one_of_them() {
    let broken = CALM.replace("acme 2 on worker-1 worker-2", "acme 2 on worker-1x worker-2x");
    let mut c = Cockpit::of(&broken, (200, 50));
    c.keys("5");
    assert!(bar(&c).contains("open"), "{}", bar(&c));
    for word in ["delete pod", "undrain", "cause"] {
        assert!(!bar(&c).contains(word), "{word}: {}", bar(&c));
    }
    let mut seen: Snapshot = sketch(NIGHT, now()).expect("a sketch");
    seen.observe(Observation::Service(Seen::Lost(now(), "forbidden".into())));
    let mut c = Cockpit::seeing(seen, (80, 24), |_| {});
    c.keys("5 /");
    c.typed("services");
    c.keys("enter enter");
    assert_eq!(c.app.place(), Place::Findings);
    assert!(c.text().contains("services has no screen: all that is known"), "{}", c.text());
    assert!(!bar(&c).contains("open"), "{}", bar(&c));
}

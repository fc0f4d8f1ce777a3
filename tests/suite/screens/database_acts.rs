//! The acts on the database, by keys: from the selected row to the plan that is approved, and the run of it.

use std::sync::Arc;

use crossterm::event::Event as Input;
use wheelhouse::{
    app::{Effect, Msg},
    cluster::Snapshot,
    plan::{Approved, Change, DatabaseAct, Intent, Plan},
    run::{Event, Run},
    ui::Place,
};

use super::{
    cockpit::{Cockpit, NIGHT, now},
    database::{all_down, grown, healthy},
};
use crate::database::address;

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

fn at(seen: Snapshot, size: (u16, u16)) -> Cockpit {
    let mut c = Cockpit::seeing(seen, size, |_| {});
    c.keys("4");
    c
}

/// The keys that type a text.
fn typed(text: &str) -> String {
    let keys: Vec<_> =
        text.chars().map(|c| if c == ' ' { "space".to_owned() } else { c.to_string() }).collect();
    keys.join(" ")
}

fn act(plan: &Plan) -> &DatabaseAct {
    match &plan.intent {
        Intent::Database { act } => act,
        other => panic!("{other:?}"),
    }
}

fn started(effects: &[Effect]) -> Option<&Approved> {
    effects.iter().find_map(|e| match e {
        Effect::Start(approved, _) => Some(approved),
        _ => None,
    })
}

/// The act that the keys lead to, whose plan can be run as it stands.
fn planned(c: &mut Cockpit, keys: &str) -> Plan {
    let effects = c.keys(keys);
    let [Effect::Rehearse(plan)] = effects.as_slice() else { panic!("{keys}: {effects:?}\n{}", c.text()) };
    assert!(plan.steps.iter().any(|s| s.change.is_write()), "{plan}");
    assert_eq!(plan.refusals().count(), 0, "{plan}");
    plan.clone()
}

#[test]
fn keys_lead_from_the_selected_member_to_a_plan_of_the_whole_database() {
    let mut c = at(healthy(), (80, 60));
    let plan = planned(&mut c, "j j t");
    assert_eq!(*act(&plan), DatabaseAct::TakeOut { member: address(3) });
    let proxies: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|s| match &s.change {
            Change::Servers(wheelhouse::plan::Servers { proxy, to, .. }) if to.is_empty() => {
                Some(proxy.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(proxies, ["ps1", "ps2"]);
    assert!(c.text().contains("take n3 (127.0.0.1:24030) out of ps1"), "{}", c.text());
    assert!(c.text().contains("wait until n3 stays out of ps1"), "{}", c.text());
    c.keys("esc");
    assert_eq!(*act(&planned(&mut c, "D")), DatabaseAct::Desync { member: address(3) });
}

#[test]
fn a_weight_is_typed_and_reviewed() {
    let mut c = at(healthy(), (80, 24));
    c.keys("j e");
    look!("weight_80x24", c);
    c.keys("0");
    c.keys("enter");
    assert!(c.text().contains("0 is not a weight: from 1 to 10000000"), "{}", c.text());
    c.keys("backspace 2 0 0");
    assert!(c.text().contains("50 → 200: the heaviest then"), "{}", c.text());
    c.keys("backspace backspace");
    let plan = planned(&mut c, "5 enter");
    assert_eq!(*act(&plan), DatabaseAct::Weight { member: address(2), weight: 25 });
    // The number can be typed again, and the backend's row leads to the same.
    c.keys("e");
    assert!(c.text().contains("weight  25"), "{}", c.text());
    c.keys("esc tab e");
    assert!(c.text().contains("select") || c.text().contains("no member is selected"), "{}", c.text());
    c.keys("j e");
    assert!(c.text().contains("Weight of n1") && c.text().contains("weight  100"), "{}", c.text());
    c.keys("esc");
    let plan = planned(&mut c, &format!(": {} enter", typed("weight n3 +1")));
    assert_eq!(*act(&plan), DatabaseAct::Weight { member: address(3), weight: 11 });
}

#[test]
fn a_server_that_galera_names_is_offered_and_bad_addresses_get_a_sentence() {
    let mut c = at(grown(), (80, 24));
    c.keys("tab +");
    look!("add_server_80x24", c);
    assert!(c.text().contains("host:port  127.0.0.1:13340"), "{}", c.text());
    c.keys("x : enter");
    assert!(c.text().contains("`x:` is not an address"), "{}", c.text());
    c.keys(&format!("ctrl-u {} enter", typed("127.0.0.1:24020")));
    assert!(c.text().contains("127.0.0.1:24020 is in every proxy already"), "{}", c.text());
    c.keys("ctrl-u tab");
    let plan = planned(&mut c, "enter");
    assert_eq!(*act(&plan), DatabaseAct::AddServer { address: "127.0.0.1:13340".into(), like: None });
    // Nobody is to be offered where all are in: what is typed is taken.
    let mut c = at(healthy(), (80, 24));
    c.keys("+");
    assert!(c.text().contains("every member that Galera names"), "{}", c.text());
    let plan = planned(&mut c, &format!("{} enter", typed("DB9")));
    assert_eq!(*act(&plan), DatabaseAct::AddServer { address: "db9:3306".into(), like: None });
    c.keys("e");
    assert!(c.text().contains("host:port  db9:3306"), "{}", c.text());
}

#[test]
fn what_is_typed_stays_when_the_database_is_read_again() {
    for (keys, words) in
        [("e 7 7", "weight  77"), ("+ x y", "host:port  xy"), ("m", "take-out"), ("?", "Help")]
    {
        let mut c = at(healthy(), (80, 24));
        c.keys(keys);
        let mut newer = healthy();
        newer.revision += 1;
        c.send(Msg::Observed(Arc::new(newer).into()));
        assert!(c.text().contains(words), "{keys}: {}", c.text());
    }
}

#[test]
fn a_server_is_removed_where_it_is_selected() {
    let mut c = at(healthy(), (80, 24));
    c.keys("x");
    assert!(c.text().contains("select a server of a proxy first"), "{}", c.text());
    c.keys("tab x");
    assert!(c.text().contains("select a server of the proxy"), "{}", c.text());
    let plan = planned(&mut c, "j j j x");
    assert_eq!(*act(&plan), DatabaseAct::RemoveServer { address: "127.0.0.1:24030".into() });
}

#[test]
fn another_writer_wants_its_name_typed() {
    for (keys, name) in [("j M", "n2"), ("t", "n1"), ("tab j x", "n1"), ("e 1 enter", "n1")] {
        let mut c = at(healthy(), (80, 24));
        planned(&mut c, keys);
        assert!(c.text().contains(&format!("{name} must be typed before it runs")), "{keys}: {}", c.text());
        c.rehearse();
        c.read();
        let mut effects = c.keys("y enter");
        assert!(c.text().contains(&format!("that is not {name}: ")), "{keys}: {}", c.text());
        effects.extend(c.wait(1000));
        effects.extend(c.send(Msg::Input(Input::Paste(name.into()))));
        effects.extend(c.keys("enter"));
        effects.extend(c.wait(1000));
        assert!(started(&effects).is_none(), "{keys}: a plain y is no yes to another writer");
        c.keys(&format!("backspace {} enter", typed(name)));
        assert!(started(&c.wait(1000)).is_none(), "{keys}: typing the name is not the yes");
        c.read();
        c.keys("y");
        assert!(started(&c.wait(200)).is_some(), "{keys}: {}", c.text());
    }
    let mut c = at(healthy(), (80, 24));
    planned(&mut c, "j j t");
    assert!(!c.text().contains("must be typed"), "who only reads wants no name: {}", c.text());
}

#[test]
fn the_reason_typed_in_a_review_is_in_the_approved_plan() {
    let mut c = at(healthy(), (80, 24));
    planned(&mut c, "j j t");
    c.rehearse();
    c.keys(&format!("r {}", typed("disk is worn out")));
    c.send(Msg::Input(Input::Paste(", ticket\n4711".into())));
    c.keys("y backspace");
    look!("review_reason_80x24", c);
    assert!(started(&c.wait(1000)).is_none(), "y is a letter while a reason is typed");
    c.keys("enter");
    assert!(c.text().contains("why  disk is worn out, ticket"), "{}", c.text());
    assert!(started(&c.wait(1000)).is_none(), "enter ends the typing and no more");
    // The same plan on newer readings keeps it.
    let mut newer = healthy();
    newer.revision += 1;
    c.send(Msg::Observed(Arc::new(newer).into()));
    c.read();
    c.keys("y");
    let effects = c.wait(200);
    let approved = started(&effects).unwrap_or_else(|| panic!("{}", c.text()));
    let reason = approved.reason().expect("a reason");
    assert!(reason.starts_with("disk is worn out, ticket") && reason.ends_with("4711"), "{reason}");
    // Without one there is none, and esc takes it back.
    let mut c = at(healthy(), (80, 24));
    planned(&mut c, "j j t");
    c.rehearse();
    c.keys("r x esc");
    c.read();
    c.keys("y");
    assert_eq!(started(&c.wait(200)).map(Approved::reason), Some(None));
}

#[test]
fn a_reason_survives_another_number() {
    let mut c = Cockpit::of("node w memory=32Gi\ntenant acme 1 on w used=300Mi", (80, 24));
    c.keys("+ r m o r e enter e 3 enter");
    assert!(c.text().contains("1 → 3") && c.text().contains("why  more"), "{}", c.text());
}

#[test]
fn a_run_shows_the_proxies_before_now_and_as_predicted() {
    let mut c = at(healthy(), (80, 24));
    planned(&mut c, "j j t");
    c.start();
    c.progress(1);
    look!("run_take_out_80x24", c);
    let lines = |c: &Cockpit, word: &str| {
        let text = c.text();
        let line = text.lines().find(|l| l.trim_start().starts_with(word));
        line.unwrap_or_else(|| panic!("{word}: {text}")).to_owned()
    };
    assert!(lines(&c, "now ").contains("n3 standby") && !lines(&c, "predicted").contains("n3"));
    // The proxies have only two left: it is as predicted.
    c.send(Msg::Observed(Arc::new(super::database::without_n3()).into()));
    assert!(lines(&c, "now ✓").contains("n2 next writer") && !c.text().contains("now n"), "{}", c.text());
    assert!(!lines(&c, "now ✓").contains("n3"), "{}", c.text());
    c.resize(80, 14);
    assert!(c.text().contains("▸"), "the step under way stays in sight: {}", c.text());
}

#[test]
fn an_unfinished_run_is_given_up_for_a_reason_and_after_a_yes() {
    let approved = {
        let mut c = at(healthy(), (80, 24));
        planned(&mut c, "j j t").approve(None, None).expect("nothing refuses it")
    };
    let mut run = Run::new("20261121-031201-9c1f", "bob@bastion", approved);
    run.apply(wheelhouse::run::Entry { at: now(), by: "bob".into(), token: 1, event: Event::Taken }).unwrap();
    let begun = Event::Started { step: 0 };
    run.apply(wheelhouse::run::Entry { at: now(), by: "bob".into(), token: 1, event: begun }).unwrap();
    let with = |read_only| {
        let mut c = Cockpit::with(NIGHT, (80, 24), |setup| setup.read_only = read_only);
        c.send(Msg::Local(vec![run.clone()], vec![]));
        c
    };
    let mut c = with(false);
    c.keys("3 x");
    look!("give_up_80x24", c);
    c.keys("enter");
    assert!(c.text().contains("say why"), "{}", c.text());
    assert_eq!(c.keys(&format!("{} enter", typed("proxy gone"))), [], "it asks once more");
    assert!(c.text().contains("Give up run 9c1f?") && c.text().contains("proxy gone"), "{}", c.text());
    assert_eq!(c.keys("enter x"), []);
    let effects = c.keys("y");
    assert!(
        matches!(effects.as_slice(), [Effect::GiveUp(r, why)] if r.id == run.id && why == "proxy gone"),
        "{effects:?}"
    );
    let mut c = with(false);
    c.keys(&format!(": {} enter n o enter esc", typed("give-up 9c1f")));
    assert!(!c.text().contains("Give up run"), "{}", c.text());
    let mut c = with(true);
    assert_eq!(c.keys("3 x"), []);
    assert!(c.text().contains("read-only: nothing can be given up"), "{}", c.text());
}

#[test]
fn the_recovery_sheet_is_opened_by_its_name_from_everywhere() {
    let open = format!(": {} enter", typed("recovery"));
    for key in ["1", "2", "3", "4", "f", "W"] {
        let mut c = Cockpit::seeing(all_down(), (80, 24), |_| {});
        c.keys(key);
        c.keys(&open);
        assert_eq!(c.app.place(), Place::Recovery, "{key}: {}", c.text());
    }
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys(&open);
    assert!(c.app.place() == Place::Tenants && c.text().contains("[galera] members"), "{}", c.text());
}

#[test]
fn the_menu_and_the_help_tell_the_keys_of_the_database() {
    let mut c = at(healthy(), (120, 48));
    c.keys("m");
    for name in ["weight", "add-server", "remove-server", "take-out", "move-writer"] {
        assert!(c.text().contains(name), "{name}: {}", c.text());
    }
    c.keys("esc ?");
    for words in ["another weight of the member", "add a server to every proxy", "remove the server selected"]
    {
        assert!(c.text().contains(words), "{words}: {}", c.text());
    }
}

#[test]
fn every_size_shows_a_prompt() {
    let mut c = at(grown(), (80, 24));
    for keys in ["j e 9 9", "esc a", "x y z enter", "esc t r w h y", "enter esc 3"] {
        c.keys(keys);
        for width in (1..10).chain([20, 39, 40, 41, 60, 80, 150]) {
            for height in [1, 2, 3, 5, 8, 11, 12, 24, 60] {
                c.resize(width, height);
                c.buffer();
            }
        }
    }
}

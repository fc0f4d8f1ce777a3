//! What leads where: back and forth through places, from pods to nodes and from findings to causes; what is copied; shells,
//! port-forwards and other clusters as far as the screen goes; and what the fingers of k9s users do.

use wheelhouse::{
    app::{Destination, Effect, Msg},
    cluster::{Ports, Severity},
    ui::{Forwarded, Place},
};

use super::cockpit::{Cockpit, NIGHT};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

fn last_line(c: &Cockpit) -> String {
    let text = c.text();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len() - 2].to_owned()
}

#[test]
fn places_are_gone_back_and_forth_through_and_the_way_is_told() {
    let mut c = Cockpit::of(NIGHT, (200, 50));
    c.keys("[");
    assert!(c.text().contains("no place before this one"));
    c.keys("enter");
    let tenant = c.app.place();
    c.keys("l");
    let log = c.app.place();
    assert!(last_line(&c).starts_with(" tenants › initech › log"), "{}", last_line(&c));
    c.keys("2 enter d");
    assert!(last_line(&c).contains("nodes › "), "{}", last_line(&c));
    for place in [Place::Nodes, log.clone(), tenant.clone(), Place::Tenants] {
        // Each step back may pass places that lie between both.
        while c.app.place() != place {
            c.keys("[");
            assert!(!c.text().contains("no place before"), "{place:?} was not passed");
        }
    }
    c.keys("] ]");
    assert_eq!(c.app.place(), log);
    c.keys("q");
    assert_eq!(c.app.place(), tenant, "what lay below is there again");
    // Who turns off forgets what lay before.
    c.keys("5 ]");
    assert!(c.text().contains("no place after this one"));
}

#[test]
fn a_pod_leads_to_its_node_and_a_node_to_its_pods() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    for key in [":", "t", "e", "n", "a", "n", "t"] {
        c.keys(key);
    }
    c.typed(" globex");
    c.keys("enter o");
    let Place::Node(node) = c.app.place() else { panic!("{:?}", c.app.place()) };
    assert!(c.text().lines().any(|l| l.starts_with('›') && l.contains("globex")), "{}", c.text());
    c.keys("enter");
    assert!(matches!(c.app.place(), Place::Tenant(name) if name.as_str() == "globex"));
    let selected = c.text().lines().find(|l| l.starts_with('›')).map(str::to_owned).expect("a pod");
    assert!(selected.contains(node.as_str()), "{selected}");
}

#[test]
fn a_finding_leads_to_its_cause() {
    let mut c = Cockpit::of(&NIGHT.replace("node worker-1 ", "node worker-1 not-ready "), (120, 35));
    c.keys("5");
    let text = c.text();
    let below = text.lines().filter(|l| l.contains('\u{2514}')).count();
    assert!(below > 0, "{text}");
    let steps = text.lines().skip(3).position(|l| l.contains('\u{2514}')).expect("one below");
    for _ in 0..steps {
        c.keys("j");
    }
    while !c.text().lines().any(|l| l.starts_with('›') && l.contains('\u{2514}')) {
        c.keys("j");
    }
    c.keys("o");
    let selected = c.text().lines().find(|l| l.starts_with('›')).map(str::to_owned).unwrap_or_default();
    assert!(selected.contains("worker-") && !selected.contains('\u{2514}'), "{selected}");
    c.keys("o");
    assert!(c.text().contains("it follows from nothing else that is known"), "{}", c.text());
}

#[test]
fn names_and_lines_are_copied_everywhere() {
    let copied = |c: &mut Cockpit, keys: &str| match c.keys(keys).as_slice() {
        [.., Effect::Copy(text)] => text.clone(),
        other => panic!("{keys}: {other:?}"),
    };
    let mut c = Cockpit::of(NIGHT, (80, 24));
    assert_eq!(copied(&mut c, "c"), "initech");
    let pod = copied(&mut c, "enter c");
    assert!(pod.starts_with("initech-"), "{pod}");
    assert_eq!(copied(&mut c, "q 2 c").lines().count(), 1);
    let node = copied(&mut c, "c");
    assert!(node.starts_with("worker-"));
    assert!(copied(&mut c, "5 c").contains(": "));
    c.keys("3 c");
    assert!(c.text().contains("nothing to copy") || c.text().contains("runs"), "{}", c.text());
}

#[test]
fn a_shell_is_opened_where_one_is_and_only_with_the_right_to_change() {
    for (size, name) in SIZES.into_iter().zip(["shell_choice_80x24", "shell_choice_200x50"]) {
        let mut c = Cockpit::of(NIGHT, size);
        c.typed("/acme");
        c.keys("enter E");
        look!(name, c);
        assert!(c.text().contains("A shell in") && c.text().contains("php-fpm"));
        let effects = c.keys("enter");
        let [Effect::OpenShell(pod, container)] = effects.as_slice() else { panic!("{effects:?}") };
        assert!(pod.name.starts_with("acme-") && &**container == "php-fpm");
        assert!(c.text().contains("opening a shell in php-fpm of acme-"));
        // What is typed meanwhile is no command.
        assert_eq!(c.keys("x y +"), []);
        assert_eq!(c.send(Msg::ShellOpened(Ok(()))), [Effect::HandOver]);
        assert!(c.app.is_away());
        let effects = c.send(Msg::Returned(Severity::Notice, "the shell has ended".into()));
        assert_eq!(effects, [Effect::TakeBack]);
        assert!(!c.app.is_away() && c.text().contains("the shell has ended"));
        // Keys that come right after it were meant for it.
        assert_eq!(c.keys("x q y"), []);
        assert!(c.text().contains("right after the shell: not taken"), "{}", c.text());
        c.wait(600);
        c.keys("q");
        assert!(c.text().contains("Leave wheelhouse?"));
    }
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.typed("/acme");
    c.keys("enter E enter");
    assert_eq!(c.keys("esc"), [Effect::DropShell, Effect::Unbind]);
    assert_eq!(c.send(Msg::ShellOpened(Ok(()))), [Effect::DropShell], "nobody waits for it any more");
    c.keys("E enter");
    c.send(Msg::ShellOpened(Err("container php-fpm of acme-1 has no shell".into())));
    assert!(c.text().contains("has no shell") && !c.app.is_away());
    let mut c = Cockpit::with(NIGHT, (80, 24), |setup| setup.read_only = true);
    assert_eq!(c.keys("E"), []);
    assert!(c.text().contains("read-only: no shell is opened"), "{}", c.text());
}

#[test]
fn port_forwards_are_asked_for_listed_and_closed() {
    for (size, names) in SIZES
        .into_iter()
        .zip([["forward_ask_80x24", "forwards_80x24"], ["forward_ask_200x50", "forwards_200x50"]])
    {
        let mut c = Cockpit::of(NIGHT, size);
        c.typed("/acme");
        c.keys("enter F");
        look!(names[0], c);
        c.typed("80x");
        assert!(c.text().contains("`x` is no part of LOCAL:REMOTE"), "{}", c.text());
        c.typed("81:80");
        let effects = c.keys("enter");
        let [Effect::Forward(pod, ports)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!((&*pod.namespace, *ports), ("acme", Ports { local: 8081, remote: 80 }));
        assert!(c.text().contains("opening 8081:80"), "{}", c.text());
        let one = |id, local, trouble: Option<&str>| Forwarded {
            id,
            pod: pod.name.clone(),
            port: 80,
            local,
            open: 2,
            trouble: trouble.map(str::to_owned),
        };
        let all = vec![
            one(0, 8081, None),
            one(
                1,
                9000,
                Some("the port-forward to acme/acme-1:9000: nothing listens on that port of the pod"),
            ),
        ];
        c.send(Msg::Forwards(all, Some(Ok("127.0.0.1:8081 leads to acme-1:80".into()))));
        assert!(c.text().contains("127.0.0.1:8081 leads to acme-1:80"));
        c.typed(":forwards");
        c.keys("enter j");
        look!(names[1], c);
        assert_eq!(c.keys("c"), [Effect::Copy("127.0.0.1:9000".into())]);
        assert_eq!(c.keys("x"), [Effect::CloseForward(1)]);
        c.send(Msg::Forwards(Vec::new(), None));
        c.keys("x");
        assert!(c.text().contains("no port-forward is open"));
    }
    let mut c = Cockpit::of(NIGHT, (80, 24));
    for (line, words) in [
        (":port-forward nobody 8080:80", "there is no tenant nobody"),
        (":port-forward acme 8080", ""),
        (":port-forward acme http", "LOCAL:REMOTE"),
        (":pf acme", "takes [TENANT|POD LOCAL:REMOTE]"),
    ] {
        c.typed(line);
        c.keys("enter");
        assert!(c.text().contains(words), "{line}: {}", c.text());
        assert_eq!(c.app.place(), Place::Tenants);
    }
}

#[test]
fn another_cluster_is_asked_for_and_a_run_under_way_holds_one_here() {
    let mut c = Cockpit::with(NIGHT, (80, 24), |setup| {
        setup.contexts = ["prod-eu", "prod-us", "lab"].map(str::to_owned).to_vec();
        setup.label = Some(("PRODUCTION".into(), wheelhouse::ui::Role::Danger));
    });
    assert!(c.text().starts_with(" [PRODUCTION] prod-eu"), "{}", c.text());
    c.typed(":context ");
    look!("contexts_80x24", c);
    c.typed("prod-su");
    c.keys("enter");
    assert!(
        c.text().contains("there is no context prod-su; did you mean prod-eu or prod-us?"),
        "{}",
        c.text()
    );
    c.typed(":context lab");
    assert_eq!(c.keys("enter"), [Effect::Bind(Destination::Context("lab".into()))]);
    c.send(Msg::Bound(Err("user `x` is not in it".into())));
    assert!(c.text().contains("user `x` is not in it") && c.app.bound().is_none());
    c.typed(":context lab");
    c.keys("enter");
    c.send(Msg::Bound(Ok(false)));
    assert!(c.app.is_leaving() && c.app.bound().is_some_and(|typed| typed.len() == 2));

    let mut c = Cockpit::with(NIGHT, (80, 24), |setup| setup.contexts = vec!["lab".into()]);
    c.typed("/acme");
    c.keys("enter +");
    c.start();
    c.typed(":context lab");
    assert_eq!(c.keys("enter"), []);
    assert!(c.text().contains("is under way from here: pause it or wait"), "{}", c.text());
    c.typed(":ns all");
    c.keys("enter");
    assert!(c.text().contains("all are looked at already"), "{}", c.text());
}

#[test]
fn an_unlock_is_seen_counts_down_and_expires() {
    let mut c = Cockpit::with(NIGHT, (80, 24), |setup| setup.read_only = true);
    c.typed(":unlock");
    c.keys("enter");
    look!("unlock_80x24", c);
    assert_eq!(c.keys("y"), [Effect::Unlock(900)]);
    assert!(c.text().contains("READ-WRITE 15 min"), "{}", c.text());
    // Doing something does not prolong it.
    c.keys("+ esc");
    c.wait(14 * 60_000);
    assert!(c.text().contains("READ-WRITE 60 s"), "{}", c.text());
    assert!(c.app.alarm().is_some());
    let effects = c.wait(61_000);
    assert_eq!(effects, [Effect::Unlock(0)]);
    assert!(c.text().contains("READ-ONLY") && c.text().contains("the unlock has expired"), "{}", c.text());
    for (line, words) in [(":unlock 9h", "is no span from 10s to 8h"), (":unlock soon", "is no span")] {
        c.typed(line);
        c.keys("enter");
        assert!(c.text().contains(words), "{line}: {}", c.text());
    }
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.typed(":unlock");
    c.keys("enter");
    assert!(c.text().contains("nothing is locked"));
    c.typed(":lock");
    assert_eq!(c.keys("enter"), [Effect::Unlock(0)]);
    assert!(c.text().contains("READ-ONLY"));
}

/// What the fingers of k9s users do, and where that leads: a place, a text on the screen, or an effect; nothing of it
/// changes the cluster, and nothing is left without an answer.
#[test]
fn every_habit_of_k9s_works_or_is_answered_in_words() {
    let mut c = Cockpit::of(NIGHT, (100, 30));
    let answers: &[(&str, &str)] = &[
        ("?", "Help"),
        ("esc j k G g down up ctrl-f ctrl-b ctrl-d ctrl-u", "initech"),
        ("/ g l o b enter", "globex"),
        ("esc", "initech"),
        ("space", "1 marked"),
        ("esc", "initech"),
        ("d", "Deployment"),
        ("q y", "asking for"),
        ("q l", "log"),
        ("q p", "l, then P"),
        ("e", "nothing is edited by hand"),
        ("s", "replicas"),
        ("esc S", "worst"),
        ("N", "by name"),
        ("S r", "restart"),
        ("esc", "initech"),
        ("u", ""),
        ("z", "Rollout"),
        ("Z", "does nothing here"),
        ("ctrl-r", "nothing to refresh"),
        ("ctrl-w", "width of the terminal"),
        ("ctrl-e", "the header stays"),
        ("ctrl-k", "deleted by x"),
        ("ctrl-a", "all commands"),
        ("enter", "Pods"),
        ("enter", "log"),
        ("p", ""),
        ("t w", ""),
        ("esc o", "worker-"),
        ("[", "Pods"),
        ("]", "worker-"),
        ("-", ""),
        ("esc 0", ":namespace all"),
        ("tab", ""),
        ("E", ""),
        ("esc F", ""),
        ("esc c", ""),
        ("1 n", ""),
        ("1 end", "›"),
        ("home", "initech"),
        ("left", ""),
        ("right", ""),
        ("ctrl-space", ""),
        ("esc v", ""),
        ("x", ""),
        ("f", "takes the whole screen"),
        ("6", ""),
        ("9", ""),
        ("ctrl-g", "stands below, at the left"),
        ("ctrl-s", "a log is saved by S"),
        ("ctrl-x", "nothing is done by this key"),
        ("ctrl-z", ""),
        ("tab", ""),
        ("enter tab", "Events"),
        ("shift-tab", "Pods"),
        ("2 c", ""),
        ("u", ""),
        ("r", ""),
        ("d", ""),
    ];
    for (keys, words) in answers {
        let before = c.text();
        let effects = c.keys(keys);
        let text = c.text();
        assert!(text.contains(words), "{keys}: no {words:?} in\n{text}");
        let answered = !words.is_empty() || text != before || !effects.is_empty();
        assert!(answered, "{keys} is left without an answer:\n{text}");
        let changes = effects.iter().any(|effect| matches!(effect, Effect::Start(..) | Effect::Campaign(..)));
        assert!(!changes, "{keys}: {effects:?}");
    }
    // Its keys that order rows begin other things here, or say what does.
    for place in ["1", "2"] {
        let mut c = Cockpit::of(NIGHT, (100, 30));
        for key in "A C I M N O P R S T".split(' ') {
            c.keys("esc esc esc");
            c.keys(place);
            let before = c.text();
            let effects = c.keys(key);
            assert!(
                c.text() != before || !effects.is_empty(),
                "{place} {key} is left without an answer:\n{before}"
            );
            let changes =
                effects.iter().any(|effect| matches!(effect, Effect::Start(..) | Effect::Campaign(..)));
            assert!(!changes && !c.app.is_leaving(), "{place} {key}: {effects:?}");
        }
    }
    // The commands of its palette.
    for (line, place, words) in [
        ("no", Some(Place::Nodes), ""),
        ("nodes", Some(Place::Nodes), ""),
        ("ns", None, "all namespaces"),
        ("ctx", None, ""),
        ("pf", None, ""),
        ("po", None, "lists its pods"),
        ("dp", None, "workloads are the tenants"),
        ("pods", None, "lists its pods"),
        ("deploy", None, "workloads are the tenants"),
        ("svc", None, "kubectl has them"),
        ("xray", None, ":findings"),
        ("pulses", None, ":findings"),
    ] {
        c.keys("esc esc");
        c.typed(&format!(":{line}"));
        c.keys("enter");
        if let Some(place) = place {
            assert_eq!(c.app.place(), place, ":{line}");
        }
        assert!(c.text().contains(words), ":{line}: no {words:?} in\n{}", c.text());
        c.keys("esc");
        assert!(!c.app.is_leaving());
    }
}

//! One key has one meaning wherever it is pressed, and what is wrong shows the key that answers it.

use jiff::SignedDuration;
use wheelhouse::{
    app::{Effect, Msg, NotOpened},
    cluster::{LogLine, Ports, sketch},
    ui::{Place, Role},
};

use super::{
    cockpit::{Cockpit, NIGHT, now},
    database::no_quorum,
    moves,
    places::at,
};

/// What a screen shows of its first lines: the keys and words at their right ends.
fn answers(c: &Cockpit) -> Vec<(String, String)> {
    let text = c.text();
    let lines = text.lines().skip(3).take_while(|line| !line.contains("TENANT"));
    let marked = lines.filter(|line| line.trim_start().starts_with(['✖', '▲', '•', '▸', '‖']));
    let key = |line: &str| {
        let words: Vec<&str> = line.rsplitn(2, "  ").collect();
        let (key, word) = words[0].trim().split_once(' ').unwrap_or_else(|| panic!("no key: {line}"));
        (key.to_owned(), word.to_owned())
    };
    marked.map(key).collect()
}

#[test]
fn every_first_line_shows_a_key_that_does_what_it_says() {
    for text in [NIGHT, moves::BACK] {
        for size in [(80, 24), (100, 40)] {
            let shown = answers(&Cockpit::of(text, size));
            assert!(!shown.is_empty());
            for (key, word) in shown {
                let mut c = Cockpit::of(text, size);
                let effects = c.keys(if key == "⏎" { "enter" } else { &key });
                let (after, place) = (c.text(), c.app.place());
                let done = match word.as_str() {
                    "open" => matches!(place, Place::Tenant(_) | Place::Node(_) | Place::Run(_)),
                    "log" => matches!(place, Place::Log(..)),
                    "scale" => after.contains("replicas"),
                    "rebalance" => after.contains("Rebalance") || !effects.is_empty(),
                    other => panic!("what does {other}?"),
                };
                assert!(done, "{key} {word} at {size:?}: {place:?}\n{after}");
            }
        }
    }
    let mut c = Cockpit::of("node w1\nnode w2\ntenant acme 2 on w1 w2", (80, 24));
    c.keys("F9");
    assert!(c.text().contains("no line above has that key"), "{}", c.text());
}

#[test]
fn the_key_of_the_first_lines_leads_to_the_recovery_sheet_from_every_place() {
    for keys in ["R", "4 a", "4 R", "5 R", "4 tab a"] {
        let mut c = Cockpit::seeing(no_quorum(), (80, 24), |_| {});
        if keys == "R" {
            assert!(c.text().contains("R recovery"), "{}", c.text());
        }
        c.keys(keys);
        assert_eq!(c.app.place(), Place::Recovery, "{keys}\n{}", c.text());
    }
    let c = at((80, 24), "1 R");
    assert!(c.text().contains("nothing is to be recovered"), "{}", c.text());
}

#[test]
fn the_answering_key_answers_or_says_why_not_wherever_it_is_pressed() {
    for place in ["1", "1 enter", "2", "2 enter", "3", "4", "5", "W"] {
        let mut c = at((80, 24), place);
        let before = c.app.place();
        let effects = c.keys("a");
        let text = c.text();
        let said = text.contains("is answered by a key");
        assert!(
            said || c.app.place() != before || !effects.is_empty() || text.contains("esc cancel"),
            "{text}"
        );
        assert!(!text.contains("Add a server") && !text.contains("Abort"), "{place}\n{text}");
    }
    // What is wrong with the selected one, where it is a row among others.
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("enter a");
    assert!(matches!(c.app.place(), Place::Log(..)), "{}", c.text());
    let mut c = Cockpit::of(moves::BACK, (80, 24));
    c.keys("2");
    let back = c.text();
    assert!(back.contains("a answer"), "{back}");
}

#[test]
fn a_text_takes_the_whole_screen_and_its_place_is_not_left() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let effects = c.keys("/ a c m e enter l");
    for effect in effects {
        if let Effect::ReadLog(source, _) = effect {
            c.log(&source, 60);
        }
    }
    let place = c.app.place();
    let before = c.text();
    assert!(before.contains("prod-eu") && before.contains("f full"), "{before}");
    c.keys("f");
    let full = c.text();
    assert!(!full.contains("prod-eu") && !full.contains("m menu") && full.contains("following"), "{full}");
    let lines = |text: &str| text.lines().filter(|line| line.contains("line ")).count();
    assert_eq!(lines(&full), lines(&before) + 4, "{full}");
    c.keys("esc");
    assert_eq!((c.app.place(), c.text()), (place.clone(), before));
    c.keys("f q");
    assert_eq!(c.app.place(), place);
    c.keys("q");
    assert_eq!(c.app.place(), Place::Tenants);
    c.keys("f");
    assert_eq!(c.app.place(), Place::Tenants, "f leads nowhere: {}", c.text());
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("d f");
    assert!(!c.text().contains("prod-eu"), "{}", c.text());
}

#[test]
fn an_order_by_a_column_that_has_no_room_is_told_with_the_way_back() {
    for keys in ["T", "> > > > > > >", ": s o r t space i m a g e enter"] {
        let mut c = Cockpit::of(NIGHT, (80, 24));
        // Ages may turn over above.
        let rows = |c: &Cockpit| c.body().split("TENANT").nth(1).map(str::to_owned);
        let usual = rows(&c);
        c.keys(keys);
        assert!(c.text().contains("esc worst first"), "{keys}\n{}", c.text());
        c.keys("esc");
        assert_eq!((c.app.place(), rows(&c)), (Place::Tenants, usual), "{keys}\n{}", c.text());
    }
    let mut c = at((80, 24), "2 >");
    assert!(c.text().contains("esc worst first"), "{}", c.text());
    c.keys("esc");
    assert!(!c.text().contains("esc worst first") && c.app.place() == Place::Nodes, "{}", c.text());
}

#[test]
fn a_held_log_that_is_read_further_back_stays_where_it_was() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let effects = c.keys("/ a c m e enter l");
    let line = |n: i64| LogLine {
        at: Some(now() - SignedDuration::from_secs(2_000 - n)),
        text: format!("line {n} of many").into(),
    };
    let Some(Effect::ReadLog(source, range)) = effects.last() else { panic!("{effects:?}") };
    c.send(Msg::Log(source.clone(), *range, Ok((900..1_100).map(line).collect())));
    c.keys("F k k k");
    let held = c.text();
    assert!(held.contains("line 1096 of many") && !held.contains("line 1097 of many"), "{held}");
    let effects = c.keys("o");
    let again = effects.iter().find_map(|effect| match effect {
        Effect::ReadLog(of, range) if of == source => Some(*range),
        _ => None,
    });
    c.send(Msg::Log(source.clone(), again.expect("it is read again"), Ok((0..1_200).map(line).collect())));
    let text = c.text();
    assert!(text.contains("held, 103 lines below"), "{text}");
    assert!(text.contains("line 1096 of many") && !text.contains("line 1097 of many"), "{text}");
}

#[test]
fn what_is_misspelt_is_answered_with_what_is_meant() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    for (typed, meant) in
        [("nodse", "nodes"), ("tenats", "tenants"), ("rebalence", "rebalance"), ("loggs", "logs")]
    {
        c.typed(&format!(":{typed}"));
        c.keys("enter");
        assert!(c.text().contains(&format!("is it `{meant}`?")), "{typed}: {}", c.text());
    }
    for line in [":pods", ":svc", ":events", ":pulses"] {
        c.typed(line);
        c.keys("enter");
        let text = c.text();
        let said = text.lines().rev().nth(1).expect("what is said");
        assert!(!said.contains('…') && said.contains(':'), "{line}: {said}");
    }
}

#[test]
fn a_tenant_leads_to_the_node_with_most_of_its_pods() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("/ g l o b enter o");
    assert_eq!(c.app.place(), Place::Node("worker-3".into()));
    assert!(c.text().contains("worker-3 carries 2 of 3 ready pods of globex"), "{}", c.text());
}

#[test]
fn a_list_without_a_row_names_no_key_for_one() {
    let c = at((80, 24), "3");
    let text = c.text();
    let bar = text.lines().last().expect("the keys").to_owned();
    assert!(!bar.contains("undo") && !bar.contains("open") && bar.contains("menu"), "{bar}");
}

#[test]
fn a_port_forward_offers_what_the_pod_declares_and_stays_where_a_port_is_taken() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("/ a c m e enter F");
    let text = c.text();
    assert!(text.contains("9000:9000") && text.contains("php-fpm listens at 9000"), "{text}");
    assert!(text.contains("8080:8080") && text.contains("nginx listens at 8080"), "{text}");
    let effects = c.keys("enter");
    let [Effect::Forward(_, ports)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*ports, Ports { local: 8080, remote: 8080 });
    assert!(c.text().contains("opening 8080:8080"), "{}", c.text());
    let why = "port 8080 of 127.0.0.1 is taken: choose another, or :8080 for any free one".to_owned();
    let free = Some(Ports { local: 8081, remote: 8080 });
    c.send(Msg::Forwards(Vec::new(), Some(Err(NotOpened { why, free }))));
    let text = c.text();
    assert!(text.contains("local:remote  8080:8080"), "what was typed stays: {text}");
    assert!(text.contains("is taken") && text.contains("tab takes 8081:8080"), "{text}");
    c.keys("tab");
    let effects = c.keys("enter");
    let [Effect::Forward(_, ports)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(*ports, Ports { local: 8081, remote: 8080 });
    c.send(Msg::Forwards(Vec::new(), Some(Ok("127.0.0.1:8081 leads to acme-1:8080".into()))));
    let text = c.text();
    assert!(!text.contains("local:remote") && text.contains("127.0.0.1:8081 leads to"), "{text}");
}

/// The keys at the foot of the screen.
fn bar(c: &Cockpit) -> String {
    c.text().lines().last().unwrap_or_default().to_owned()
}

/// Those of them that can do something here and now: the others are dimmed.
fn offered(c: &Cockpit) -> Vec<String> {
    let (buf, key) = (c.buffer(), c.role(Role::Key).fg);
    let (width, y) = (buf.area().width, buf.area().height - 1);
    let lit = (0..width).map(|x| &buf[(x, y)]).map(|cell| (Some(cell.fg) == key).then(|| cell.symbol()));
    let text: String = lit.map(|symbol| symbol.unwrap_or(" ")).collect();
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_step_of_the_cursor_moves_no_key() {
    // What answers one row may not be there for the next.
    for (place, size) in [("2", (80, 24)), ("2", (200, 50)), ("W", (80, 24)), ("1 enter", (80, 24))] {
        let mut c = Cockpit::of(NIGHT, size);
        c.keys(place);
        // A word may be another one; no key moves with it.
        let bar = |c: &Cockpit| bar(c).replace("uncordon", "cordon  ");
        let before = bar(&c);
        let mut answered = Vec::new();
        for _ in 0..4 {
            answered.push(offered(&c).contains(&"a".to_owned()));
            c.keys("j");
            assert_eq!(bar(&c), before, "{place} {size:?}");
        }
        assert!(place != "2" || (answered.contains(&true) && answered.contains(&false)), "{answered:?}");
    }
}

#[test]
fn a_key_that_can_do_nothing_is_dimmed() {
    let is_offered = |c: &Cockpit, key: &str| offered(c).contains(&key.to_owned());
    // A tenant: only pods and runs are opened, only pods and events are filtered.
    let mut c = at((200, 50), "1 enter");
    assert!(is_offered(&c, "⏎") && is_offered(&c, "/"), "{}", bar(&c));
    c.keys("tab");
    assert!(!is_offered(&c, "⏎") && is_offered(&c, "/"), "{}", bar(&c));
    c.keys("enter");
    assert!(c.text().contains("nothing is opened here"), "{}", c.text());
    c.keys("tab");
    assert!(!is_offered(&c, "⏎") && !is_offered(&c, "/"), "{}", bar(&c));
    // A finding that follows from nothing, and one that does.
    let mut c = Cockpit::of(NIGHT, (200, 50));
    c.keys("5");
    assert!(!is_offered(&c, "o"), "{}", bar(&c));
    c.keys("/ p i e d enter");
    assert!(c.text().contains("└") && is_offered(&c, "o"), "{}", c.text());
    // A log without a filter has no lines around what matches; whether long ones are cut is said.
    let mut c = Cockpit::of(NIGHT, (200, 50));
    c.keys("/ a c m e enter l");
    assert!(!is_offered(&c, "e"), "{}", bar(&c));
    c.keys("e");
    assert!(c.text().contains("nothing is looked for"), "{}", c.text());
    c.keys("w");
    assert!(c.text().contains("long lines cut"), "{}", c.text());
}

#[test]
fn a_key_that_answers_is_offered_only_where_something_is_answered() {
    for (place, size) in ["1", "2", "3", "4", "5", "W", "2 enter"]
        .into_iter()
        .flat_map(|place| [(80, 24), (200, 50)].map(|size| (place, size)))
    {
        let mut c = at(size, place);
        let offered = offered(&c).contains(&"a".to_owned());
        c.keys("a");
        assert!(!(offered && c.text().contains("is answered by a key")), "{place}: {}", c.text());
    }
    let mut c = Cockpit::of("node w1\nnode w2\ntenant acme 2 on w1 w2", (200, 50));
    c.keys("2");
    assert!(bar(&c).contains("drain") && !bar(&c).contains("answer"), "{}", bar(&c));
}

#[test]
fn the_recovery_sheet_is_offered_first_where_it_is_wanted_and_nowhere_else() {
    for place in ["1", "4", "5"] {
        let c = at((200, 50), place);
        assert!(!bar(&c).contains("recovery"), "{place}: {}", bar(&c));
        let mut c = Cockpit::seeing(no_quorum(), (80, 24), |_| {});
        c.keys(place);
        assert!(bar(&c).trim_start().starts_with("R recovery"), "{place}: {}", bar(&c));
    }
}

#[test]
fn one_key_ends_a_run_and_which_it_is_says_how() {
    let mut c = at((80, 24), "/ a c m e enter esc s 5 enter");
    c.start();
    c.progress(1);
    assert!(bar(&c).contains("X abort") && !bar(&c).contains("x give up"), "{}", bar(&c));
    c.keys("x");
    assert!(!c.text().contains("Why"), "it runs: {}", c.text());
    c.happen(wheelhouse::run::Event::Paused { step: 1, why: "the pod does not start".into(), asked: false });
    c.observe(NIGHT);
    assert!(!bar(&c).contains("X abort"), "{}", bar(&c));
    c.keys("X");
    assert!(!c.text().contains("Abort run"), "{}", c.text());
}

#[test]
fn another_order_shows_what_comes_first_in_it() {
    for (place, keys) in
        [("1", "B"), ("1", ">"), ("2", ">"), ("5", ">"), ("1", ": s o r t space n a m e enter")]
    {
        let mut c = at((80, 24), place);
        c.keys("G");
        c.keys(keys);
        let first = c.text().lines().find(|line| line.starts_with('›')).map(str::to_owned);
        let top = c.text();
        c.keys("g");
        let there = c.text().lines().find(|line| line.starts_with('›')).map(str::to_owned);
        assert_eq!(first, there, "{place} {keys}\n{top}");
    }
}

#[test]
fn a_column_that_is_not_there_is_said_whole_and_one_is_named_by_its_beginning() {
    let mut c = at((80, 24), "1");
    c.typed("/mem:>20");
    c.keys("enter");
    assert!(c.text().contains("shown") && !c.text().contains("is no column"), "{}", c.text());
    let mut c = at((80, 24), "1");
    c.typed("/rest:>99");
    c.keys("enter");
    assert!(c.text().contains("no tenant matches"), "{}", c.text());
    let mut c = at((80, 24), "1");
    c.typed("/weight:>6");
    c.keys("enter");
    let text = c.text().replace("\n ", " ");
    assert!(text.contains("weight is no column: there are tenant namespace"), "{text}");
    assert!(text.contains("restarts left memory") && text.contains("as text"), "{text}");
}

#[test]
fn what_no_command_is_like_is_not_guessed() {
    let mut c = at((80, 24), "1");
    for line in [":foo", ":read", ":zzz"] {
        c.typed(line);
        c.keys("enter");
        assert!(!c.text().contains("is it"), "{line}: {}", c.text());
    }
}

#[test]
fn a_node_is_wrong_on_its_own_screen_where_the_findings_say_so() {
    let packed = "node w1 memory=8Gi used=7900Mi\nnode w2 memory=8Gi used=1Gi\ntenant a 2 on w1 w2";
    let seen = sketch(packed, now()).expect("a sketch");
    let mut c = Cockpit::seeing(seen, (80, 24), |_| {});
    c.keys("5");
    assert!(c.text().contains("of its memory in use"), "{}", c.text());
    c.keys("2");
    let row = |c: &Cockpit, name: &str| c.text().lines().find(|line| line.contains(name)).map(str::to_owned);
    let (full, free) = (row(&c, "w1").expect("a row"), row(&c, "w2").expect("a row"));
    assert!(full.contains('▲') && full.contains("memory"), "{full}");
    assert!(free.contains('✓') && free.contains("ready"), "{free}");
    c.keys("!");
    assert!(row(&c, " w1").is_some() && row(&c, " w2  ").is_none(), "{}", c.text());
}

#[test]
fn the_header_tells_every_state_of_tenants_at_80_columns() {
    let nodes = "node w1\nnode w2\nnode w3\n";
    let risky: String = (0..13).map(|i| format!("tenant r{i} 2 on w1 w1\n")).collect();
    let header = |text: &str| {
        let c = Cockpit::of(&format!("{nodes}{risky}{text}"), (80, 24));
        c.text().lines().nth(1).unwrap_or_default().to_owned()
    };
    let one = header("tenant slow 2 on w1 w2x\n");
    assert!(one.contains("1 degraded") && one.contains("13 risk"), "{one}");
    let both = header("tenant slow 2 on w1 w2x\ntenant gone 2 on w1x w2x\n");
    assert!(both.contains("✖ 1") && both.contains("1 deg") && both.contains("13 risk"), "{both}");
    assert!(both.contains("3/3 nodes"), "{both}");
}

#[test]
fn the_first_lines_are_told_whole_where_two_of_them_have_the_room() {
    for text in [NIGHT, moves::BACK] {
        let c = Cockpit::of(text, (80, 24));
        let body = c.body();
        let first: Vec<_> = body.lines().skip(1).take(3).collect();
        assert!(!first.iter().any(|line| line.contains('…')), "{first:#?}");
    }
}

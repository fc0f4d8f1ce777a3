//! One key has one meaning wherever it is pressed, and what is wrong shows the key that answers it.

use jiff::SignedDuration;
use wheelhouse::{
    app::{Effect, Msg, NotOpened},
    cluster::{LogLine, Ports},
    ui::Place,
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
    for keys in ["X", "> > > > > > >", ": s o r t space i m a g e enter"] {
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

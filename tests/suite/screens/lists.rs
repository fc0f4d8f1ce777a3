//! What every list can do: be sorted, filtered, marked, and used with the mouse.

use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use wheelhouse::{
    app::{Effect, Msg},
    ui::Place,
};

use super::{
    cockpit::{Cockpit, NIGHT},
    places::{SCREENS, at},
};

/// The first words of the rows, from above: those that begin where names do.
fn names(c: &Cockpit) -> Vec<String> {
    let text = c.text();
    let rows =
        text.lines().skip_while(|l| !l.contains("TENANT") && !l.contains("NODE") && !l.contains("MEMBER"));
    let rows = rows.skip(1).take_while(|l| !l.trim().is_empty());
    rows.filter_map(|l| l.chars().skip(4).collect::<String>().split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn every_list_has_orders_that_go_round_and_have_names() {
    for place in ["1", "1 enter", "2", "2 enter", "3", "4", "5", "W"] {
        let mut c = at((120, 35), place);
        let rows = |c: &Cockpit| {
            let text = c.body();
            text.lines().map(|line| line.chars().take(24).collect::<String>()).collect::<Vec<_>>()
        };
        let usual = rows(&c);
        c.keys(": s o r t enter");
        let text = c.text();
        let said = text.split("type :sort and one of ").nth(1).unwrap_or_else(|| panic!("{place}: {text}"));
        let orders: Vec<String> = said
            .lines()
            .next()
            .expect("a line")
            .split_whitespace()
            .take_while(|w| w.chars().all(char::is_lowercase))
            .map(str::to_owned)
            .collect();
        assert!(orders.len() > 2, "{place}: {orders:?}");
        for order in &orders[1..] {
            c.keys(">");
            assert!(c.text().contains(&format!("by {order}")), "{place}: {order}\n{}", c.text());
        }
        c.keys(">");
        assert_eq!(rows(&c), usual, "{place}: round");
        c.keys("<");
        let last = &orders[orders.len() - 1];
        assert!(c.text().contains(&format!("by {last}")), "{place}: back\n{}", c.text());
        let name = orders[1].clone();
        c.keys(":");
        c.typed(&format!("sort {name}"));
        c.keys("enter");
        assert!(c.text().contains(&format!("by {name}")), "{place}: named\n{}", c.text());
        c.keys(":");
        c.typed("sort nothing");
        c.keys("enter");
        assert!(c.text().contains("there is no order `nothing` here; there are"), "{place}\n{}", c.text());
    }
}

#[test]
fn rows_are_sorted_as_people_count() {
    let night: String = [10, 2, 1, 11].iter().map(|n| format!("node w{n}\n")).collect();
    let text = format!("{night}tenant t10 1 on w1\ntenant t2 1 on w10\ntenant t1 2 on w2 w11\n");
    let mut c = Cockpit::of(&text, (120, 35));
    c.keys("2 : s o r t space n a m e enter");
    assert_eq!(names(&c), ["w1", "w2", "w10", "w11"], "{}", c.text());
    c.keys("1 N");
    assert_eq!(names(&c), ["t1", "t2", "t10"], "{}", c.text());
    let heading = c.text().lines().find(|l| l.contains("TENANT")).expect("a heading").to_owned();
    let at = |name: &str| heading.find(&format!(" {name} ")).unwrap_or_else(|| panic!("{heading}"));
    assert!(at("w1") < at("w2") && at("w2") < at("w10") && at("w10") < at("w11"), "{heading}");
}

#[test]
fn every_filtered_list_says_what_is_filtered_and_how_many_rows_of_how_many() {
    for (place, word, rest) in [
        ("1", "hooli", "1 of 12"),
        ("1 enter", "00000", "1 of 2 pods"),
        ("2", "worker-3", "1 of 5"),
        ("2 enter", "massive", "1 of 2 tenants"),
        ("4", "n2", "1 of 3 members"),
        ("5", "vandelay", " of "),
        ("W", "worker-3", "1 of 5 ready nodes"),
    ] {
        let mut c = at((120, 35), place);
        c.keys("/");
        c.typed(word);
        c.keys("enter");
        let text = c.text();
        assert!(text.contains(&format!("filter “{word}”")) && text.contains(rest), "{place}\n{text}");
        let place_before = c.app.place();
        c.keys("esc");
        assert!(!c.text().contains("filter “"), "{place}: esc shows all\n{}", c.text());
        assert_eq!(c.app.place(), place_before, "esc takes the filter away first");
    }
}

fn mouse(c: &mut Cockpit, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
    c.send(Msg::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })))
}

#[test]
fn the_mouse_selects_opens_scrolls_and_sorts() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let click = MouseEventKind::Down(MouseButton::Left);
    let line = |c: &Cockpit, what: &str| {
        c.text().lines().position(|l| l.chars().skip(4).collect::<String>().starts_with(what)).expect(what)
            as u16
    };
    let soylent = line(&c, "soylent");
    mouse(&mut c, click, 30, soylent);
    assert_eq!(c.selected().as_deref(), Some("soylent"), "{}", c.text());
    let initech = 1 + line(&c, "TENANT");
    mouse(&mut c, click, 6, initech);
    assert_eq!(c.selected().as_deref(), Some("initech"));
    mouse(&mut c, MouseEventKind::ScrollDown, 6, 12);
    assert_ne!(c.selected().as_deref(), Some("initech"));
    let heading = c.text().lines().position(|l| l.contains("TENANT")).expect("a heading") as u16;
    let title = c.text().lines().nth(usize::from(heading)).expect("a heading").to_owned();
    let memory = title.find("MEM").map(|at| title[..at].chars().count()).expect("a column");
    mouse(&mut c, click, memory as u16 + 1, heading);
    assert!(c.text().contains("by memory"), "{}", c.text());
    let row = c.text().lines().position(|l| l.starts_with('›')).expect("a cursor") as u16;
    mouse(&mut c, click, 6, row);
    assert!(matches!(c.app.place(), Place::Tenant(_)), "the selected row is opened");
}

#[test]
fn the_mouse_never_confirms() {
    for (name, make) in SCREENS {
        let mut c = make((80, 24));
        let place = c.app.place();
        let over = ["review", "review of a campaign", "leave?", "menu", "help", "a number is asked for"]
            .contains(&name);
        if !over {
            continue;
        }
        let before = c.text();
        for row in 0..24 {
            let effects = mouse(&mut c, MouseEventKind::Down(MouseButton::Left), 10, row);
            assert!(effects.is_empty(), "{name}: {effects:?}");
        }
        assert_eq!((c.text(), c.app.place()), (before, place), "{name}");
    }
}

#[test]
fn rows_of_every_list_are_marked_and_copied_together() {
    for (place, all) in [("1 enter", 2), ("4", 2), ("5", 2), ("2", 2), ("1", 2)] {
        let mut c = at((120, 35), place);
        c.keys("space space");
        assert!(c.text().contains("2 marked"), "{place}\n{}", c.text());
        assert!(c.text().matches('●').count() >= all, "{place}\n{}", c.text());
        if !["1", "2"].contains(&place) {
            let effects = c.keys("c");
            let [Effect::Copy(text)] = effects.as_slice() else { panic!("{place}: {effects:?}") };
            let lines = || text.lines().filter(|line| !line.starts_with("→ "));
            let copied = if place == "5" { lines().count() } else { text.split(' ').count() };
            assert_eq!(copied, 2, "{place}: {text}");
        }
        let before = c.app.place();
        c.keys("esc");
        assert_eq!(c.app.place(), before, "{place}: esc takes the marks off first");
        assert!(!c.text().contains("marked"), "{place}\n{}", c.text());
    }
    let mut c = at((120, 35), "1 / a c m e enter enter");
    c.keys("space space x");
    assert!(c.text().contains("2 are marked: one pod after another"), "{}", c.text());
}

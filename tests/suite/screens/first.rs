//! What somebody meets who has never seen the screens, on terminals of any kind and size.

use std::sync::Arc;

use wheelhouse::{app::Msg, ui::Place};

use super::cockpit::{Cockpit, NIGHT, night};

#[test]
fn until_the_first_key_the_cursor_is_on_the_worst() {
    let healed = NIGHT.replace("initech 2 on worker-1x worker-3x", "initech 2 on worker-1 worker-3");
    let mut c = Cockpit::of(&healed, (80, 24));
    assert!(c.selected().unwrap_or_default().contains("hooli"), "{}", c.text());
    c.observe(NIGHT);
    assert!(c.selected().unwrap_or_default().contains("initech"), "{}", c.text());
    // A key that acts on the row holds it.
    c.keys("s esc");
    c.observe(&healed);
    assert!(c.selected().unwrap_or_default().contains("initech"), "{}", c.text());
}

#[test]
fn a_key_that_does_nothing_here_says_so() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("2 J");
    assert!(c.text().contains("J does nothing here: ? lists the keys"), "{}", c.text());
}

#[test]
fn what_is_typed_after_a_slash_is_never_a_command() {
    for keys in ["l", "W enter", "h", "enter tab tab tab"] {
        let mut c = Cockpit::of(NIGHT, (80, 24));
        c.keys(keys);
        let place = c.app.place();
        c.keys("/ s e a r c h");
        assert!(c.text().contains("/search"), "{keys}: {}", c.text());
        c.keys("enter");
        assert_eq!(c.app.place(), place, "{keys}");
        assert!(!c.text().contains("replicas for"), "{keys}: {}", c.text());
    }
}

#[test]
fn a_filter_shows_the_lines_of_a_log_that_contain_it() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let effects = c.keys("enter enter");
    let source = match effects.as_slice() {
        [.., wheelhouse::app::Effect::ReadLog(source, _)] => source.clone(),
        other => panic!("{other:?}"),
    };
    c.log(&source, 40);
    c.keys("/ l i n e space 1 7 enter");
    let text = c.text();
    assert!(text.contains("line 17") && !text.contains("line 18"), "{text}");
    assert!(text.contains("filter “line 17”"), "{text}");
    c.keys("e");
    let text = c.text();
    assert!(text.contains("line 30") && text.contains("all lines"), "{text}");
}

#[test]
fn the_log_before_a_restart_is_asked_for_only_where_there_was_one() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("/ a c m e enter l");
    let effects = c.keys("P");
    assert_eq!(effects, []);
    assert!(c.text().contains("has not restarted: there is no earlier log"), "{}", c.text());
}

#[test]
fn all_letters_are_ascii_where_the_terminal_shows_no_others() {
    for size in [(40, 12), (80, 24), (200, 50)] {
        let mut c = Cockpit::with(NIGHT, size, |setup| setup.ascii = true);
        for keys in ["", "2", "enter", "1 enter", "tab", "W", "1 h", "f", "3", "4", "1 +", "esc ?", "esc m"] {
            c.keys(keys);
            let text = c.text();
            let odd: String = text.chars().filter(|c| !c.is_ascii()).collect();
            assert!(odd.is_empty(), "{keys} at {size:?}: {odd:?}\n{text}");
        }
    }
}

#[test]
fn small_screens_show_the_words_that_matter() {
    let c = Cockpit::of(NIGHT, (40, 12));
    let text = c.text();
    assert!(text.contains("no pod of 2 is ready"), "{text}");
    let mut c = Cockpit::of(NIGHT, (40, 12));
    c.keys("enter");
    let heading = c.text().lines().find(|l| l.contains("POD ")).expect("a heading").to_owned();
    assert!(!heading.contains("RSTDE") && !heading.contains("RSTAGE"), "{heading}");
    let c = Cockpit::of(NIGHT, (30, 8));
    assert!(c.text().contains("STATE") && !c.text().contains("RST"), "{}", c.text());
}

#[test]
fn one_column_less_still_shows_where_the_pods_sit() {
    let c = Cockpit::of(NIGHT, (79, 24));
    assert!(c.text().contains("w1  w2  w3") && !c.text().contains("NODES PODS"), "{}", c.text());
}

#[test]
fn names_that_are_alike_are_told_apart() {
    let pool = "gke-prod-default-pool-1a2b3c4d";
    let world = format!(
        "node {pool}-x7k2\nnode {pool}-q9z1\ntenant customer-prod-acme-web 2 on {pool}-x7k2 {pool}-q9z1\n\
         tenant customer-prod-globex-web 2 on {pool}-x7k2 {pool}-x7k2"
    );
    for size in [(80, 24), (120, 40)] {
        let mut c = Cockpit::of(&world, size);
        let text = c.text();
        assert!(text.contains("acm") && text.contains("glo"), "{text}");
        for keys in ["2", "W", "1 enter"] {
            c.keys(keys);
            let text = c.text();
            assert!(text.contains("x7k2"), "{keys}: {text}");
        }
    }
}

#[test]
fn a_tenant_at_risk_is_no_reason_to_say_that_all_is_well() {
    let c = Cockpit::of("node w1\nnode w2\ntenant acme 2 on w1 w2", (80, 24));
    assert!(c.text().contains("✓ 1 tenant ok"), "{}", c.text());
    let c = Cockpit::of("node w1\nnode w2\ntenant acme 2 on w1 w1", (80, 24));
    assert!(c.text().contains("▲ 1 at risk") && !c.text().contains("ok  "), "{}", c.text());
    let c = Cockpit::of("node w1 cordoned\nnode w2\ntenant acme 2 on w1 w2", (120, 24));
    assert!(c.text().contains("2/2 nodes, 1 cordoned"), "{}", c.text());
}

#[test]
fn nodes_are_listed_as_people_count() {
    let world = "node w10\nnode w2\nnode w1\ntenant t10 1 on w1\ntenant t2 1 on w2\ntenant t1 1 on w10";
    let mut c = Cockpit::of(world, (80, 24));
    c.keys("N");
    assert_eq!(c.rows(), ["t1", "t2", "t10"]);
    let mut seen = night(world);
    seen.api.context = "counted".into();
    c.send(Msg::Observed(Arc::new(seen).into()));
    c.keys("2");
    assert_eq!(c.app.place(), Place::Nodes);
    let text = c.text();
    let at = |name: &str| text.find(&format!("{name} ")).unwrap_or_else(|| panic!("{name}: {text}"));
    assert!(at("w1") < at("w2") && at("w2") < at("w10"), "{text}");
}

#[test]
fn a_plan_is_run_only_when_all_its_lines_were_on_the_screen() {
    let mut c = Cockpit::of(NIGHT, (80, 14));
    c.keys("/ a c m e enter +");
    c.rehearse();
    c.wait(1_000);
    let effects = c.keys("y");
    assert_eq!(effects, []);
    assert!(c.text().contains("below; read, then press y"), "{}", c.text());
    let mut pages = 0;
    while !c.text().contains("▸ yes") {
        c.wait(1_000);
        c.keys("y");
        pages += 1;
        assert!(pages < 20, "{}", c.text());
    }
    // Jumping to the end is not reading.
    let mut c = Cockpit::of(NIGHT, (80, 12));
    c.keys("space space space space +");
    c.rehearse();
    c.wait(1_000);
    c.keys("G");
    c.wait(1_000);
    c.keys("y");
    assert!(c.text().contains("below; read, then press y"), "{}", c.text());
}

#[test]
fn at_80x24_the_line_that_does_the_same_is_on_the_first_screen() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("/ g l o b enter +");
    c.rehearse();
    let text = c.text();
    assert!(text.contains("same as") && text.contains("undo") && !text.contains("below  ↓"), "{text}");
}

#[test]
fn nothing_in_the_header_moves_whatever_happens() {
    for columns in [80, 100, 200] {
        let mut c = Cockpit::of(NIGHT, (columns, 24));
        let mut seen: Vec<(Option<usize>, Option<usize>)> = Vec::new();
        let healed =
            NIGHT.replace("worker-1x worker-3x", "worker-1 worker-3").replace("worker-5x", "worker-5");
        let worse = NIGHT.replace(
            "initech 2 on worker-1x",
            "hooli2 2 on worker-1x worker-3x\ntenant initech 2 on worker-1x",
        );
        for world in [NIGHT, &healed, &worse, NIGHT] {
            c.observe(world);
            let text = c.text();
            let line: Vec<char> = text.lines().nth(1).expect("a header").chars().collect();
            let at = |word: &str| {
                let word: Vec<char> = word.chars().collect();
                line.windows(word.len()).position(|part| part == word)
            };
            // The nodes begin with their count, the database with its word.
            seen.push((at("5/5").or_else(|| at("4/5")), at("database").or_else(|| at("no database"))));
        }
        assert!(seen[0].0.is_some() && seen[0].1.is_some(), "{columns}: {seen:?}: {}", c.text());
        assert!(seen.iter().all(|places| places.0 == seen[0].0), "{columns}: {seen:?}");
    }
}

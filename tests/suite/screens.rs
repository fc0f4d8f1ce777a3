//! The screens as their users see them: keys go in, frames come out, compared with what was agreed on.
//!
//! The frames are kept as text in `snapshots/`, and the finest of them as pictures in `screenshots/`, drawn from the
//! very same cells. `WHEELHOUSE_BLESS=1` writes the pictures again.

mod bytes;
mod campaigns;
mod cockpit;
mod database;
mod database_acts;
mod database_operator;
mod database_reviews;
mod database_seeing;
mod first;
mod forecast;
mod keys;
mod lists;
mod logs;
mod looks;
mod migrations;
mod moves;
mod objects;
mod picture;
mod places;
mod platform;
mod pump;
mod replays;
mod resize;
mod reviews;
mod steady;
mod ways;

use std::sync::Arc;

use ratatui::{
    layout::Rect,
    style::{Color, Modifier},
};
use wheelhouse::{
    app::{App, Effect, Msg, update},
    cluster::{Freshness, Observation, Reading, Seen, Severity, Snapshot, Tenancy, Workload},
    ui::{Depth, Place},
};

use cockpit::{Cockpit, NIGHT, night, now};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

#[test]
fn the_worst_tenant_is_on_top() {
    let c = Cockpit::of(NIGHT, (80, 24));
    look!("tenants_80x24", c);
    let text = c.text();
    let first = text.lines().find(|l| l.starts_with('›')).expect("a selected row");
    assert!(first.contains("initech") && first.contains("down"), "{first}");
    assert!(text.contains("READ-WRITE") && text.contains("alice@bastion") && text.contains("1 of 12"));
}

#[test]
fn wider_screens_show_more_and_nothing_else() {
    look!("tenants_120x35", Cockpit::of(NIGHT, (120, 35)));
    look!("tenants_200x50", Cockpit::of(NIGHT, (200, 50)));
}

#[test]
fn many_nodes_fold_into_counts() {
    let mut text: String = (1..=40).map(|i| format!("node worker-{i}\n")).collect();
    text.push_str("tenant acme 3 on worker-1 worker-2 worker-2\ntenant globex 2 on worker-7 worker-31x\n");
    let c = Cockpit::of(&text, (80, 24));
    look!("tenants_folded_80x24", c);
    let text = c.text();
    assert!(text.contains("NODES PODS WORST") && text.contains("2! w2") && text.contains("w31"), "{text}");
}

#[test]
fn tenants_are_filtered_sorted_and_marked() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("/ h o o");
    assert!(c.text().contains("1 of 12 shown") || c.text().contains("/hoo"), "{}", c.text());
    c.keys("enter");
    assert!(c.text().contains("filter “hoo”") && !c.text().contains("› initech"), "{}", c.text());
    c.keys("esc !");
    assert!(c.text().contains("faults only"));
    c.keys("! N");
    let names: Vec<_> = c.rows();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    c.keys("space space");
    assert!(c.text().contains("2 marked"), "{}", c.text());
    c.keys("B");
    assert!(c.text().contains("MEM▾") && c.text().contains("by memory"), "{}", c.text());
    look!("tenants_marked_80x24", c);
}

#[test]
fn the_cursor_stays_with_its_tenant() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("j j");
    let selected = c.selected();
    // The worst one is healed: the rows move, the cursor does not leave its tenant.
    c.observe(&NIGHT.replace("initech 2 on worker-1x worker-3x", "initech 2 on worker-1 worker-3"));
    assert_eq!(c.selected(), selected);
}

#[test]
fn n_leads_to_each_trouble_in_turn() {
    let mut c = Cockpit::of(NIGHT, (120, 35));
    let mut places = Vec::new();
    for _ in 0..9 {
        c.keys("n");
        places.push((c.app.place(), c.selected()));
    }
    assert!(places.iter().any(|(place, _)| *place == Place::Nodes), "{places:?}");
    assert!(places.iter().any(|(place, _)| *place == Place::Tenants), "{places:?}");
}

#[test]
fn nodes_tell_use_requests_and_limits_apart() {
    for (name, size) in [("nodes_80x24", (80, 24)), ("nodes_120x35", (120, 35)), ("nodes_200x50", (200, 50))]
    {
        let mut c = Cockpit::of(NIGHT, size);
        c.keys("2");
        look!(name, c);
    }
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("2 enter");
    assert!(matches!(c.app.place(), Place::Node(_)));
    look!("node_80x24", c);
}

#[test]
fn a_tenant_shows_pods_events_rollout_and_runs() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let effects = c.keys("enter");
    assert!(matches!(effects.as_slice(), [Effect::WatchTenant(..)]), "{effects:?}");
    look!("tenant_pods_80x24", c);
    c.events();
    c.keys("tab");
    look!("tenant_events_80x24", c);
    c.keys("tab");
    look!("tenant_rollout_80x24", c);
    let effects = c.keys("q");
    assert_eq!(effects, [Effect::StopWatching]);
}

#[test]
fn a_wide_screen_shows_what_is_selected_beside_the_list() {
    for (name, keys) in [
        ("node_200x50", "2 j j enter"),
        ("findings_200x50", "5 j"),
        ("headroom_200x50", "/ a c m e enter h"),
        ("ranking_200x50", "W"),
        ("whatif_200x50", "2 j j j w"),
        ("menu_200x50", "m"),
    ] {
        let mut c = Cockpit::of(NIGHT, (200, 50));
        c.keys(keys);
        look!(name, c);
    }
    let mut c = Cockpit::of(NIGHT, (200, 50));
    c.keys("enter");
    c.events();
    look!("tenant_pods_200x50", c);
    assert!(c.text().contains("EVENTS") && c.text().contains("CONTAINER"), "{}", c.text());
}

#[test]
fn findings_are_told_in_full() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("5");
    look!("findings_80x24", c);
    c.keys("enter");
    assert!(matches!(c.app.place(), Place::Tenant(_)));
}

#[test]
fn the_help_the_menu_and_the_command_line_come_from_one_table() {
    let mut c = Cockpit::of(NIGHT, (120, 35));
    c.keys("?");
    look!("help_120x35", c);
    c.keys("/ r e d r a w enter");
    assert!(
        c.text().contains("draw the whole screen again") && !c.text().contains("propose one"),
        "{}",
        c.text()
    );
    c.keys("esc");
    assert!(!c.text().contains("Help"), "{}", c.text());
    c.keys("m");
    look!("menu_120x35", c);
    c.keys("esc : t h e");
    assert!(c.text().contains("another theme"));
    c.keys("tab space l i g tab enter");
    assert_eq!(c.theme(), "light");
    c.keys(": n o n s e n s e enter");
    assert!(c.text().contains("there is no command `nonsense`"), "{}", c.text());
    c.keys(": n o d e s space w o r k e r - 2 enter");
    assert!(matches!(c.app.place(), Place::Node(_)), "{}", c.text());
    c.keys(": up");
    assert!(c.text().contains(":nodes worker-2"));
    c.keys("esc : q enter");
    assert!(c.app.is_leaving());
}

#[test]
fn escape_and_the_next_key_count_both_when_they_come_as_one() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("? alt-2");
    assert_eq!(c.app.place(), Place::Nodes, "{}", c.text());
    assert!(!c.text().contains("Help"), "{}", c.text());
    // In a line of text Alt with backspace takes a word away, and all else leaves it first.
    c.keys("1 / o n e space t w o alt-backspace");
    assert!(c.text().contains("one") && !c.text().contains("two"), "{}", c.text());
    c.keys("alt-2");
    assert_eq!(c.app.place(), Place::Nodes, "{}", c.text());
    // It never confirms.
    c.keys("1 q");
    assert!(c.text().contains("Leave wheelhouse?"));
    c.keys("alt-y");
    assert!(!c.app.is_leaving());
    assert!(!c.text().contains("Leave wheelhouse?"), "{}", c.text());
}

#[test]
fn q_goes_back_and_asks_once_at_the_root() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("2 enter q q");
    assert_eq!(c.app.place(), Place::Tenants);
    c.keys("q");
    assert!(c.text().contains("Leave wheelhouse?"));
    look!("quit_80x24", c);
    c.keys("esc");
    assert!(!c.app.is_leaving());
    c.keys("q y");
    assert!(c.app.is_leaving());
    let mut c = Cockpit::of(NIGHT, (80, 24));
    c.keys("ctrl-c");
    assert!(c.app.is_leaving(), "nothing is under way: ctrl-c needs no question");
}

#[test]
fn read_only_is_said_and_kept() {
    let mut c = Cockpit::with(NIGHT, (80, 24), |setup| setup.read_only = true);
    assert!(c.text().contains("READ-ONLY") && c.text().contains("read-only"));
    look!("read_only_80x24", c);
    c.keys("m");
    assert!(c.text().contains("read-only: nothing can be changed"));
}

#[test]
fn what_is_old_says_how_old() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    let mut seen = night(NIGHT);
    let since = now() - jiff::SignedDuration::from_secs(14);
    seen.api.freshness = Freshness::Stale { since, why: "connection refused".into() };
    seen.pods.freshness = Freshness::Stale { since, why: "connection refused".into() };
    c.send(Msg::Observed(Arc::new(seen).into()));
    assert!(c.text().contains("API silent 10s") && c.text().contains("data 10s old"), "{}", c.text());
    assert!(c.text().contains("acme"), "what was seen stays");
    assert!(c.app.alarm().is_some(), "a second counts on the screen");
    look!("api_silent_80x24", c);
}

#[test]
fn that_tenants_were_ok_is_no_news_while_nothing_is_heard() {
    let text = "node w1\nnode w2\nnode w3\ntenant acme 2 on w1 w2\ntenant globex 2 on w2 w3";
    for (refuses_us, said) in [(false, "✖ API silent 10s"), (true, "✖ credentials expired 10s")] {
        for size in [(80, 24), (200, 50)] {
            let mut c = Cockpit::of(text, size);
            let header = |c: &mut Cockpit| c.text().lines().take(2).collect::<Vec<_>>().join("\n");
            assert!(header(&mut c).contains("✓ 2 tenants ok"), "{}", header(&mut c));
            let mut seen = night(text);
            let since = now() - jiff::SignedDuration::from_secs(14);
            seen.api.freshness = Freshness::Stale { since, why: "no answer".into() };
            seen.api.refuses_us = refuses_us;
            seen.pods.freshness = Freshness::Stale { since, why: "no answer".into() };
            c.send(Msg::Observed(Arc::new(seen).into()));
            let header = header(&mut c);
            assert!(header.contains(said) && header.contains("2 tenants, ok 10s ago"), "{header}");
            assert!(!header.contains('✓'), "{header}");
            assert!(c.app.alarm().is_some(), "a second counts on the screen");
        }
    }
}

#[test]
fn before_anything_is_seen_there_is_a_screen() {
    let mut seen = Snapshot::default();
    seen.api.context = "prod-eu".into();
    seen.api.server = "https://10.1.2.3:6443".into();
    let mut c = Cockpit::seeing(seen.clone(), (80, 24), |_| {});
    look!("connecting_80x24", c);
    assert_eq!(c.app.alarm(), None, "nothing moves: no tick");
    seen.api.freshness = Freshness::Missing { why: "connection refused: is the API server up?".into() };
    seen.pods.freshness = Freshness::Missing { why: "connection refused".into() };
    c.send(Msg::Observed(Arc::new(seen).into()));
    assert!(c.text().contains("no API") && c.text().contains("is the API server up?"), "{}", c.text());
}

#[test]
fn while_the_pods_are_read_it_is_told_how_far_and_what_the_workloads_say() {
    let whole = night(NIGHT);
    let mut seen = Snapshot::new(Tenancy::default());
    seen.api = whole.api.clone();
    let deployments = whole.deployments.items.iter().map(|(k, w)| (k.clone(), Workload::clone(w))).collect();
    seen.observe(Observation::Deployment(Seen::All(deployments, now())));
    seen.observe(Observation::Pod(Seen::Reading(Reading { objects: 3_500, of: Some(10_000) })));
    let mut c = Cockpit::seeing(seen.clone(), (80, 24), |_| {});
    look!("reading_80x24", c);
    let text = c.text();
    assert!(text.contains("pods  3,500 of 10,000 read"), "{text}");
    let line = |name: &str| text.lines().position(|l| l.trim_start().starts_with(name)).expect("its line");
    assert!(text.lines().nth(line("acme")).is_some_and(|l| l.contains(" ready")), "{text}");
    assert_eq!(c.app.alarm(), None, "nothing moves: no tick");
    c.keys("2");
    assert!(c.text().contains("3,500 of 10,000 read"), "every place says it");
}

#[test]
fn nothing_from_outside_reaches_the_terminal_raw() {
    let mut c = Cockpit::of(NIGHT, (120, 35));
    let mut seen = night(NIGHT);
    seen.api.context = "prod\u{1b}[31m-eu\u{202e}".into();
    c.send(Msg::Observed(Arc::new(seen).into()));
    c.send(Msg::Notice(Severity::Warning, "bad\u{1b}]0;title\u{7} \u{202e}news\r\n".into()));
    let text = c.text();
    assert!(text.contains("prod-eu") && text.contains("bad news"), "{text}");
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
}

#[test]
fn without_colour_everything_can_still_be_told() {
    let mut c = Cockpit::with(NIGHT, (80, 24), |setup| setup.depth = Depth::Mono);
    for keys in ["", "2", "w", "W", "3", "f", "1 h", "1 enter", "q s", "esc ?"] {
        c.keys(keys);
        let buf = c.buffer();
        for cell in buf.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{keys}: {:?}", cell.symbol());
        }
    }
    c.keys("esc 1");
    let buf = c.buffer();
    let line = |y: u16| (0..80).map(|x| &buf[(x, y)]).collect::<Vec<_>>();
    let selected = (0..24).map(line).find(|l| l[0].symbol() == "›").expect("a selected row");
    assert!(selected.iter().all(|cell| cell.modifier.contains(Modifier::REVERSED)), "the selection shows");
    let glyphs: String = (0..24).flat_map(line).map(|cell| cell.symbol().to_owned()).collect();
    assert!(glyphs.contains('✖') && glyphs.contains('▲') && glyphs.contains("down"));
    look!("mono_80x24", c);
}

#[test]
fn colour_says_what_the_words_say() {
    let c = Cockpit::of(NIGHT, (80, 24));
    let buf = c.buffer();
    let y = (0..24).find(|y| buf[(0, *y)].symbol() == "›").expect("a selected row");
    let danger = c.role(wheelhouse::ui::Role::Danger).fg;
    assert_eq!(Some(buf[(2, y)].fg), danger, "the glyph of a tenant that is down");
    assert_eq!(Some(buf[(40, y)].bg), c.role(wheelhouse::ui::Role::Selection).bg);
}

#[test]
fn no_size_and_no_key_makes_it_fall() {
    let keys = [
        "",
        "enter",
        "h",
        "q q",
        "w d G",
        "q W enter",
        "1 enter tab tab",
        "q 2",
        "enter",
        "3",
        "4",
        "?",
        "esc m",
        "esc 1 s",
        "esc : a",
        "esc q",
    ];
    let mut sizes: Vec<(u16, u16)> = (1..=30).flat_map(|w| (1..=12).map(move |h| (w, h))).collect();
    sizes.extend([(20, 5), (500, 5), (5, 300), (600, 200), (0, 0), (40, 9), (39, 8)]);
    for size in sizes {
        let mut c = Cockpit::of(NIGHT, size);
        for keys in keys {
            c.keys(keys);
            let _ = c.buffer();
        }
    }
}

#[test]
fn a_tiny_terminal_shows_what_fits() {
    look!("tenants_20x5", Cockpit::of(NIGHT, (20, 5)));
    look!("tenants_40x10", Cockpit::of(NIGHT, (40, 10)));
}

#[test]
fn a_still_cluster_sleeps() {
    let mut c = Cockpit::of(
        "node worker-1 since=48h\nnode worker-2 since=48h\ntenant acme 2 on worker-1 worker-2",
        (80, 24),
    );
    let first = c.buffer();
    let alarm = c.app.alarm();
    assert!(alarm.is_none_or(|at| at.duration_since(now()).as_secs() > 3), "{alarm:?}");
    c.send(Msg::Tick);
    assert_eq!(c.buffer(), first);
}

#[test]
fn pictures_are_these_frames() {
    picture::check_all();
}

#[test]
fn resizing_redraws_for_the_new_size() {
    let mut c = Cockpit::of(NIGHT, (80, 24));
    for (w, h) in [(200, 50), (20, 5), (120, 35)] {
        c.resize(w, h);
        assert_eq!(*c.buffer().area(), Rect::new(0, 0, w, h));
    }
    assert_eq!(c.text(), Cockpit::of(NIGHT, (120, 35)).text());
}

#[test]
fn the_app_says_what_is_wrong_with_a_theme() {
    let setup = wheelhouse::app::Setup { theme: "neon".into(), ..Default::default() };
    let error = App::new(setup, Arc::new(Snapshot::default()), (80, 24)).err().expect("no such theme");
    assert!(error.contains("neon") && error.contains("dark"), "{error}");
    let _ = update;
}

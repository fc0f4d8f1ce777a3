//! The log of a tenant: of all its pods, of one, filtered, looked through, saved.

use jiff::SignedDuration;
use wheelhouse::{
    app::{Effect, Msg},
    cluster::{LogLine, LogRange, LogSource},
    ui::Place,
};

use super::cockpit::{Cockpit, NIGHT, now};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

fn read(effects: &[Effect]) -> Vec<(LogSource, LogRange)> {
    let of = |effect: &Effect| match effect {
        Effect::ReadLog(source, range) => Some((source.clone(), *range)),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn stopped(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::StopLog(_))).count()
}

/// The log of all pods of acme, each having written a line in turn.
fn open(size: (u16, u16)) -> (Cockpit, Vec<(LogSource, LogRange)>) {
    let mut c = Cockpit::of(NIGHT, size);
    let effects = c.keys("/ a c m e enter l");
    assert!(matches!(c.app.place(), Place::Log(_, None)), "{:?}", c.app.place());
    let sources = read(&effects);
    assert!(sources.len() > 1 && sources.iter().all(|(s, _)| &*s.container == "php-fpm"), "{sources:?}");
    for (i, (source, range)) in sources.iter().enumerate() {
        let line = |n: usize| {
            LogLine {
            at: Some(now() - SignedDuration::from_secs(((40 - n) * 10 + i) as i64)),
            text: match n % 9 {
                4 => format!("pod {i} line {n} [error] upstream timed out").into(),
                7 => format!("pod {i} line {n} \u{1b}[33mwarning\u{1b}[0m slow request 4.1 s, and so long that it goes on below").into(),
                _ => format!("pod {i} line {n} GET /api/orders 200 81 ms").into(),
            },
        }
        };
        c.send(Msg::Log(source.clone(), *range, Ok((0..40).map(line).collect())));
    }
    (c, sources)
}

#[test]
fn the_pods_of_a_tenant_stand_in_one_log_by_time() {
    for (name, size) in [("log_80x24", (80, 24)), ("log_200x50", (200, 50)), ("log_40x12", (40, 12))] {
        let (c, _) = open(size);
        look!(name, c);
    }
    let (mut c, sources) = open((120, 30));
    let text = c.text();
    let at =
        |line: &str| text.lines().position(|l| l.contains(line)).unwrap_or_else(|| panic!("{line}\n{text}"));
    assert!(at("pod 1 line 38") < at("pod 0 line 38") && at("pod 0 line 38") < at("pod 1 line 39"));
    let tag = sources[0].0.pod.name.rsplit('-').next().expect("an end").to_owned();
    let line = text.lines().find(|l| l.contains("pod 0 line 39")).expect("the line");
    assert!(line.contains(&tag), "{line}: {tag}");
    // One alone, the next, and all again.
    let effects = c.keys("tab");
    assert_eq!(read(&effects).len(), 0, "it is read already: {effects:?}");
    assert_eq!(stopped(&effects), sources.len() - 1);
    let effects = c.keys("A");
    assert_eq!(read(&effects).len(), sources.len() - 1);
    let effects = c.keys("c");
    assert!(read(&effects).iter().all(|(s, _)| &*s.container == "nginx"), "{effects:?}");
    assert_eq!((read(&effects).len(), stopped(&effects)), (sources.len(), 0), "all containers: {effects:?}");
    let effects = c.keys("c");
    assert_eq!((read(&effects).len(), stopped(&effects)), (0, sources.len()), "nginx alone: {effects:?}");
    let effects = c.keys("q");
    assert_eq!((read(&effects).len(), stopped(&effects)), (0, sources.len()));
}

#[test]
fn a_held_log_stands_still_and_says_what_is_below() {
    let (mut c, sources) = open((80, 24));
    assert!(c.text().contains("following") && c.text().contains("pod 0 line 39"), "{}", c.text());
    c.keys("ctrl-u");
    assert!(!c.text().contains("pod 0 line 39") && c.text().contains("held"), "{}", c.text());
    let before = c.body();
    let (source, range) = sources[0].clone();
    let new = LogLine { at: Some(now()), text: "brand new".into() };
    c.send(Msg::Log(source.clone(), range, Ok(vec![new])));
    assert_eq!(c.body(), before);
    c.keys("G");
    assert!(c.text().contains("following") && c.text().contains("brand new"), "{}", c.text());
    c.keys("g");
    assert!(c.text().contains("line 0 "), "{}", c.text());
    // What came of a part that is not read is not shown.
    c.keys("G");
    let other = LogRange { previous: true, ..range };
    c.send(Msg::Log(source, other, Ok(vec![LogLine { at: Some(now()), text: "of before".into() }])));
    assert!(!c.text().contains("of before"));
}

#[test]
fn what_is_looked_for_is_filtered_or_found() {
    let (mut c, sources) = open((80, 24));
    c.keys("/");
    c.typed("upstream|slow !pod.1");
    c.keys("enter");
    let text = c.text();
    assert!(text.contains("[error] upstream") && text.contains("slow request"), "{text}");
    assert!(!text.contains("GET /api") && !text.contains("pod 1"), "{text}");
    c.keys("/");
    c.keys("esc /");
    c.typed("line.4[^0-9]");
    c.keys("enter e");
    let text = c.text();
    assert!(text.contains("GET /api") && text.contains("all lines"), "{text}");
    c.keys("<");
    let text = c.text();
    assert!(text.contains("line 4 [error]") && text.contains("held"), "{text}");
    c.keys("< < < < < < <");
    assert!(c.text().contains("no older line"), "{}", c.text());
    c.keys("/");
    c.keys("esc /");
    c.typed(&format!("pod:{}", sources[1].0.pod.name));
    c.keys("enter");
    c.keys("e");
    let text = c.text();
    assert!(text.contains("pod 1 line") && !text.contains("pod 0 line"), "{text}");
    c.keys("/");
    c.keys("esc /");
    c.typed("nowhere(");
    c.keys("enter");
    let text = c.text();
    assert!(text.contains("matches") && text.contains("is taken as text"), "{text}");
}

#[test]
fn how_far_back_it_goes_is_chosen_or_typed() {
    let (mut c, _) = open((80, 24));
    let effects = c.keys("o");
    let all = read(&effects);
    assert!(all.iter().all(|(_, range)| range.since == Some(300)), "{effects:?}");
    assert!(c.text().contains("last 5m"), "{}", c.text());
    c.keys(":");
    c.typed("since 90m");
    let effects = c.keys("enter");
    assert!(read(&effects).iter().all(|(_, range)| range.since == Some(5_400)), "{effects:?}");
    c.keys(":");
    c.typed("since yesterday");
    c.keys("enter");
    assert!(c.text().contains("is no span such as 10m"), "{}", c.text());
}

#[test]
fn what_is_shown_is_saved() {
    let (mut c, _) = open((80, 24));
    c.keys("/");
    c.typed("error");
    c.keys("enter");
    let effects = c.keys("S");
    let [Effect::SaveLog { file: None, name, text }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(
        name == "acme" && text.lines().all(|l| l.contains("[error]") && l.contains("/php-fpm ")),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
    c.keys(":");
    c.typed("save-log /tmp/a b.log");
    let effects = c.keys("enter");
    assert!(
        matches!(effects.as_slice(), [Effect::SaveLog { file: Some(file), .. }] if file == "/tmp/a b.log")
    );
    let effects = c.keys("/ esc / n o w h e r e enter S");
    assert!(!effects.iter().any(|e| matches!(e, Effect::SaveLog { .. })), "{effects:?}");
    assert!(c.text().contains("there is no line to save"), "{}", c.text());
}

#[test]
fn why_no_more_comes_is_said_once() {
    let (mut c, sources) = open((80, 24));
    for (source, range) in &sources {
        c.send(Msg::Log(source.clone(), *range, Err("the kubelet of node worker-1 does not answer".into())));
    }
    let text = c.text();
    assert_eq!(text.matches("the kubelet of node").count(), 1, "{text}");
    assert!(text.contains("more: the kubelet of node worker-1 does not"), "{text}");
}

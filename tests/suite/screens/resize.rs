//! Other limits for pods that run: asked for, reviewed, refused; and how much memory is right.

use wheelhouse::{app::Effect, cluster::Memory, plan::Intent};

use super::cockpit::{Cockpit, night};

const TENANTS: &str = "
node worker-1 memory=32Gi cpu=16 since=984h
node worker-2 memory=32Gi cpu=16 since=984h
node worker-3 memory=32Gi cpu=16 since=984h
tenant acme 2 on worker-1 worker-2 used=590Mi
tenant globex 3 on worker-1 worker-2 worker-3 used=302Mi
";

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

fn cockpit(size: (u16, u16)) -> Cockpit {
    let mut seen = night(TENANTS);
    seen.api.version = Some("v1.36.2".into());
    Cockpit::seeing(seen, size, |_| {})
}

#[test]
fn the_limit_is_asked_for_with_what_is_in_use_and_reviewed() {
    let mut c = cockpit((80, 24));
    c.keys("N V");
    look!("resize_ask_80x24", c);
    c.typed("768");
    let effects = c.keys("enter");
    assert!(effects.is_empty(), "{effects:?}");
    assert!(c.text().contains("768 is 768 bytes: give the unit as well"), "{}", c.text());
    c.typed("Mi");
    assert!(c.text().contains("memory limit 640 Mi → 768 Mi"), "{}", c.text());
    let effects = c.keys("enter");
    let wanted = |e: &Effect| {
        matches!(e, Effect::Rehearse(p) if matches!(&p.intent, Intent::Resize { limits }
            if limits.tenant.as_str() == "acme" && limits.memory == Some(Memory(768 << 20))))
    };
    assert!(effects.iter().any(wanted), "{effects:?}");
    c.rehearse();
    look!("review_resize_80x24", c);
    // The line can be typed again.
    c.keys("e");
    assert!(c.text().contains("768Mi"), "{}", c.text());
}

#[test]
fn a_wide_screen_shows_the_whole_review() {
    let mut c = cockpit((200, 50));
    c.keys("N V");
    c.typed("1Gi");
    c.keys("enter");
    c.rehearse();
    look!("review_resize_200x50", c);
}

#[test]
fn what_is_refused_says_why_and_nothing_is_rehearsed() {
    let mut c = cockpit((80, 24));
    c.keys(": r e s i z e space a c m e enter");
    c.typed("500Mi");
    let effects = c.keys("enter");
    assert!(!effects.iter().any(|e| matches!(e, Effect::Rehearse(_))), "{effects:?}");
    look!("review_resize_refused_80x24", c);
}

#[test]
fn the_headroom_says_how_much_memory_is_right_and_what_is_missing() {
    let mut c = cockpit((200, 50));
    c.keys("N h");
    look!("headroom_sizing_200x50", c);
    let text = c.text();
    assert!(text.contains("SIZING") && text.contains("not enough: "), "{text}");
    assert!(c.keys("V").is_empty() && c.text().contains("Resize acme"), "{}", c.text());
}

//! Every place and everything that lies over one, filled: what is true of all screens is tried on these.

use std::sync::Arc;

use wheelhouse::app::{Effect, Msg};

use super::{
    campaigns,
    cockpit::{Cockpit, NIGHT},
    database, moves, objects,
};

/// A screen: its name, and how it comes about on a terminal of that size.
pub type Screen = (&'static str, fn((u16, u16)) -> Cockpit);

/// All of them.
pub const SCREENS: [Screen; 34] = [
    ("tenants", |size| at(size, "1")),
    ("tenants of a bad night", |size| Cockpit::of(NIGHT, size)),
    ("platform", |size| {
        let mut c = Cockpit::seeing(super::platform::around(), size, |_| {});
        c.keys(": p l a t f o r m enter j j");
        c
    }),
    ("failover sheet", |size| {
        let mut c = Cockpit::seeing(super::platform::around(), size, |_| {});
        c.keys(": r e c o v e r y enter");
        c
    }),
    ("tenant: pods", |size| at(size, "1 enter")),
    ("tenant: events", |size| {
        let mut c = at(size, "1 enter");
        c.events();
        c.keys("tab");
        c
    }),
    ("tenant: rollout", |size| at(size, "1 enter tab tab")),
    ("object", |size| object(size, "1 enter d")),
    ("object: YAML", |size| object(size, "1 enter y")),
    ("log", |size| {
        let mut c = at(size, "1 / a c m e enter");
        let effects = c.keys("l");
        for effect in effects {
            if let Effect::ReadLog(source, _) = effect {
                c.log(&source, 60);
            }
        }
        c
    }),
    ("headroom", |size| at(size, "1 h")),
    ("nodes", |size| at(size, "2")),
    ("node", |size| at(size, "2 enter")),
    ("what-if", |size| at(size, "2 w")),
    ("ranking", |size| at(size, "W")),
    ("runs", |size| {
        let mut c = run(size);
        c.keys("3");
        c
    }),
    ("run", run),
    ("action log", |size| {
        let mut c = run(size);
        c.keys("@");
        c
    }),
    ("timeline", |size| at(size, "t")),
    ("campaign", |size| campaigns::half_way(size).c),
    ("campaign: done", |size| campaigns::through(size).c),
    ("database", |size| at(size, "4")),
    ("database without a quorum", |size| {
        let mut c = Cockpit::seeing(database::no_quorum(), size, |_| {});
        c.keys("4");
        c
    }),
    ("recovery", |size| {
        let mut c = Cockpit::seeing(database::no_quorum(), size, |_| {});
        c.keys("4 R");
        c
    }),
    ("findings", |size| at(size, "5")),
    ("help", |size| at(size, "?")),
    ("menu", |size| at(size, "m")),
    ("command line", |size| {
        let mut c = at(size, "");
        for line in ["nodes", "tenants", "sort name", "tenants"] {
            c.keys(":");
            c.typed(line);
            c.keys("enter");
        }
        c.keys(": t");
        c
    }),
    ("filter", |size| at(size, "/ o")),
    ("a number is asked for", |size| at(size, "s")),
    ("an image is asked for", |size| at(size, "M")),
    ("review", |size| {
        let mut c = at(size, "/ g l o b enter +");
        c.rehearse();
        c
    }),
    ("review of a campaign", |size| {
        let mut c = Cockpit::of(moves::BACK, size);
        c.keys("b");
        c.rehearse_all();
        c
    }),
    ("leave?", |size| at(size, "q")),
];

/// A night with a healthy database, after these keys.
pub fn at(size: (u16, u16), keys: &str) -> Cockpit {
    let mut c = Cockpit::seeing(database::healthy(), size, |_| {});
    c.keys(keys);
    c
}

fn object(size: (u16, u16), keys: &str) -> Cockpit {
    let mut c = Cockpit::seeing(database::healthy(), size, |_| {});
    let effects = c.keys(keys);
    let Some(Effect::WatchObject(key)) = effects.last() else { panic!("{effects:?}") };
    let key = key.clone();
    c.send(Msg::Object(key.clone(), Ok(Arc::new(objects::pod(&key)))));
    c
}

fn run(size: (u16, u16)) -> Cockpit {
    let mut c = at(size, "/ a c m e enter esc s 5 enter");
    c.start();
    c.progress(1);
    c
}

//! This machine's clock may be ahead of the API server's or behind it: every age is the same.

use super::*;
use crate::cluster::{Api, Key, Usage, findings};

/// Seconds this machine is behind the server, as the probe says it.
const SKEWS: [i64; 3] = [0, 30, -30];

/// A course of things that happen at seconds of the true time; all but what the API server dates is dated by a machine
/// that is this much behind. How far the clocks are apart becomes known at one of the moments.
fn course(skew: i64, known_at: i64) -> Snapshot {
    let here = |second: i64| later(second - skew);
    let mut seen = Snapshot::new(Tenancy::default());
    let mut db1 = Member::new("db1:3306".into());
    let mut db2 = Member::new("db2:3306".into());
    let mut proxy1 = Proxy::new("proxy1".into());
    let desynced =
        member_rows(2, 2, &[("wsrep_local_state", "2"), ("wsrep_local_state_comment", "Donor/Desynced")]);
    let weights = [(1, 100), (2, 50)];
    for second in 0..=100 {
        if second == known_at {
            let api = Api {
                skew_millis: skew * 1_000,
                freshness: Freshness::Live { since: here(second) },
                broken_course: Some((here(0), "another cluster".into())),
                ..Api::default()
            };
            seen.observe(Observation::Api(Box::new(api)));
        }
        match second {
            2 => {
                let usage = Usage { at: later(1), containers: [].into_iter().collect() };
                seen.observe(Observation::Pod(Seen::All(vec![], here(second))));
                seen.observe(Observation::Usage(Seen::All(vec![(Key::new("a", "b"), usage)], here(second))));
            }
            40 => {
                seen.observe(Observation::Pod(Seen::Lost(here(38), "cut".into())));
                seen.observe(Observation::Node(Seen::All(vec![], here(second))));
            }
            60 => {
                seen.observe(Observation::Pod(Seen::Back(here(second))));
            }
            _ => {}
        }
        if second % 2 == 0 {
            db1 = match second < 50 {
                true => db1.answered(&member_rows(1, 2, &[]), here(second)),
                false => db1.failed(Trouble::Silent, "no answer", here(second)),
            };
            db2 = match second < 20 {
                true => db2.answered(&member_rows(2, 2, &[]), here(second)),
                false => db2.answered(&desynced, here(second)),
            };
            proxy1 = match second < 90 {
                true => proxy1.answered(&rows(&sorted(&weights)), here(second)),
                false => proxy1.failed(Trouble::Refused, "refused", here(second)),
            };
            seen.observe(Observation::Member(Seen::Put(db1.name.clone(), db1.clone())));
            seen.observe(Observation::Member(Seen::Put(db2.name.clone(), db2.clone())));
            seen.observe(Observation::Proxy(Seen::Put(proxy1.name.clone(), proxy1.clone())));
        }
    }
    seen.at = seen.dated(here(100));
    seen
}

/// Everything that rests on a moment, as text.
fn told(seen: &Snapshot) -> Vec<String> {
    let mut told = vec![format!("at {}, another cluster {:?}", seen.at, seen.api.broken_course)];
    told.extend(seen.sources().map(|(name, freshness)| format!("{name}: {freshness:?}")));
    told.extend(seen.galera.values().map(|m| format!("{m:?}")));
    told.extend(seen.proxies.values().map(|p| format!("{p:?}")));
    told.extend(findings(seen).iter().map(|f| format!("{f:?}")));
    told.push(format!("{}", asked(seen, take_out("db2"))));
    told
}

#[test]
fn ages_are_the_same_whatever_this_machine_s_clock_says() {
    let right = told(&course(0, 0));
    assert!(
        right
            .iter()
            .any(|line| line.contains("db1") && line.contains("silent_since: Some(2026-11-21T09:00:50Z)"))
    );
    for skew in SKEWS {
        for known_at in [0, 1, 30, 55, 100] {
            let told = told(&course(skew, known_at));
            for (told, right) in told.iter().zip(&right) {
                assert_eq!(told, right, "{skew} s, known at second {known_at}");
            }
            assert_eq!(told.len(), right.len());
        }
    }
}

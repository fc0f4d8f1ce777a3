//! What users lost: for how long each tenant was down, by what happened.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Happened, Kind, Turn};
use crate::cluster::{Snapshot, TenantName};

/// What the users of one tenant lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Downtime {
    /// The tenant.
    pub tenant: TenantName,
    /// For so many seconds no pod was ready.
    pub down_seconds: i64,
    /// It happened so many times.
    pub times: u32,
    /// It is so at the end still.
    pub still: bool,
}

/// What the users of each tenant lost between two moments, the most first. `before` is what was seen at the first, and
/// the events are in the order of time.
pub fn downtime(before: &Snapshot, events: &[Happened], from: Timestamp, until: Timestamp) -> Vec<Downtime> {
    let mut down: BTreeMap<TenantName, Timestamp> = BTreeMap::new();
    let mut all: BTreeMap<TenantName, Downtime> = BTreeMap::new();
    let mut note = |tenant: &TenantName, since: Timestamp, to: Timestamp, still: bool| {
        let new = || Downtime { tenant: tenant.clone(), down_seconds: 0, times: 0, still: false };
        let harm = all.entry(tenant.clone()).or_insert_with(new);
        harm.down_seconds += to.duration_since(since.max(from)).as_secs().max(0);
        harm.times += 1;
        harm.still |= still;
    };
    for tenant in before.tenants.values().filter(|tenant| before.is_ready() && tenant.is_down()) {
        down.insert(tenant.name.clone(), from);
    }
    for event in events.iter().filter(|e| e.kind == Kind::Tenant && e.time >= from && e.time <= until) {
        let Some(tenant) = &event.tenant else { continue };
        match event.turn {
            Turn::Outage => {
                down.entry(tenant.clone()).or_insert(event.time);
            }
            Turn::Better => {
                if let Some(since) = down.remove(tenant) {
                    note(tenant, since, event.time, false);
                }
            }
            Turn::Change | Turn::Worse => {}
        }
    }
    for (tenant, since) in &down {
        note(tenant, *since, until, true);
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by_key(|harm| std::cmp::Reverse(harm.down_seconds));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::sketch;

    #[test]
    fn what_users_lost_is_the_time_without_a_ready_pod() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let event = |second, tenant: &str, turn| Happened {
            time: at(second),
            kind: Kind::Tenant,
            turn,
            tenant: Some(tenant.into()),
            node: None,
            name: tenant.into(),
            text: String::new(),
        };
        let before = sketch("node w1\ntenant acme 1 on w1x\ntenant b 1 on w1", at(0)).expect("a cluster");
        let events = [
            event(60, "acme", Turn::Better),
            event(90, "b", Turn::Outage),
            event(120, "acme", Turn::Outage),
            event(150, "acme", Turn::Better),
        ];
        let told: Vec<_> = downtime(&before, &events, at(0), at(300))
            .into_iter()
            .map(|h| (h.tenant.to_string(), h.down_seconds, h.times, h.still))
            .collect();
        assert_eq!(told, [("b".to_owned(), 210, 1, true), ("acme".to_owned(), 90, 2, false)]);
    }
}

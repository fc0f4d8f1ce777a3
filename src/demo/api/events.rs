//! Events in both groups: a core Event and an `events.k8s.io/v1` object are one, shown under other names.

use serde_json::{Map, Value};

/// The view of a core Event as `events.k8s.io/v1` shows it.
pub fn as_v1(event: &Value) -> Value {
    const NAMES: &[(&str, &str)] = &[
        ("involvedObject", "regarding"),
        ("message", "note"),
        ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"),
        ("reportingComponent", "reportingController"),
    ];
    renamed(event, NAMES, "events.k8s.io/v1")
}

/// The core Event that an `events.k8s.io/v1` object stands for.
pub fn as_core(event: &Value) -> Value {
    const NAMES: &[(&str, &str)] = &[
        ("regarding", "involvedObject"),
        ("note", "message"),
        ("deprecatedSource", "source"),
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
        ("reportingController", "reportingComponent"),
    ];
    renamed(event, NAMES, "v1")
}

fn renamed(event: &Value, names: &[(&str, &str)], api_version: &str) -> Value {
    let mut shown = Map::new();
    for (key, value) in event.as_object().into_iter().flatten() {
        let name = names.iter().find(|(from, _)| from == key).map_or(key.as_str(), |(_, to)| to);
        shown.insert(name.into(), value.clone());
    }
    shown.insert("apiVersion".into(), api_version.into());
    shown.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_the_same_in_both_groups() {
        let core = json!({"apiVersion": "v1", "message": "m", "involvedObject": {"name": "x"}, "reportingComponent": "c"});
        assert_eq!(as_v1(&core)["note"], "m");
        assert_eq!(as_core(&as_v1(&core)), core);
    }
}

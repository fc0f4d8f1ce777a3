//! core/v1 Events: recorded, counted up, forgotten after an hour.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Wake, World};
use crate::kind::Kind;
use crate::store::{Object, stamp};
use crate::value::{int, name, namespace, text};

/// Who records an event, and whether it is a warning.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) component: &'a str,
    pub(crate) host: &'a str,
    pub(crate) warning: bool,
}

impl<'a> Source<'a> {
    pub(crate) fn normal(component: &'a str) -> Self {
        Self { component, host: "", warning: false }
    }

    pub(crate) fn warning(component: &'a str) -> Self {
        Self { component, host: "", warning: true }
    }
}

impl World {
    /// Records a core/v1 Event about `object`; the same event again counts up.
    pub(crate) fn event(&mut self, object: &Value, source: Source<'_>, reason: &str, message: &str) {
        let involved = json!({
            "kind": object["kind"], "namespace": object["metadata"]["namespace"], "name": object["metadata"]["name"],
            "uid": object["metadata"]["uid"], "apiVersion": object["apiVersion"],
            "resourceVersion": object["metadata"]["resourceVersion"],
        });
        self.event_on(involved, source, reason, message);
    }

    pub(crate) fn event_on(&mut self, mut involved: Value, source: Source<'_>, reason: &str, message: &str) {
        if let Some(map) = involved.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
        let namespace = match text(&involved["namespace"]) {
            "" => "default".to_owned(),
            namespace => namespace.to_owned(),
        };
        let same = |event: &Object| {
            event["involvedObject"]["uid"] == involved["uid"]
                && event["reason"] == reason
                && event["message"] == message
                && event["involvedObject"]["fieldPath"] == involved["fieldPath"]
        };
        let now = self.now();
        let old = self
            .store
            .list(Kind::EVENT, Some(&namespace))
            .find(|event| same(event))
            .map(|event| name(event).to_owned());
        if let Some(old) = old {
            self.store.update(Kind::EVENT, &namespace, &old, source.component, |event| {
                event["count"] = (int(&event["count"]) + 1).into();
                event["lastTimestamp"] = stamp(now).into();
            });
            return;
        }
        self.events += 1;
        let nanos = now.duration_since(self.epoch).as_nanos() as u64;
        let number = 0x18a3_5b00_0000_0000_u64.wrapping_add(nanos).wrapping_add(self.events);
        let event_name = format!("{}.{number:x}", text(&involved["name"]));
        let mut origin = json!({"component": source.component});
        if !source.host.is_empty() {
            origin["host"] = source.host.into();
        }
        let event = json!({
            "metadata": {"name": event_name, "namespace": namespace},
            "involvedObject": involved, "reason": reason, "message": message, "source": origin,
            "firstTimestamp": stamp(now), "lastTimestamp": stamp(now), "count": 1,
            "type": if source.warning { "Warning" } else { "Normal" },
            "eventTime": null, "reportingComponent": source.component, "reportingInstance": source.host,
        });
        self.store.insert_by(Kind::EVENT, event, source.component);
    }

    /// Events live for an hour, as on a real apiserver.
    pub(crate) fn forget_events(&mut self) {
        let limit = stamp(self.now().checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN));
        let old: Vec<(String, String)> = self
            .store
            .list(Kind::EVENT, None)
            .filter(|event| {
                let last = text(&event["lastTimestamp"]);
                let last = if last.is_empty() { text(&event["metadata"]["creationTimestamp"]) } else { last };
                last < limit.as_str()
            })
            .map(|event| (namespace(event).to_owned(), name(event).to_owned()))
            .collect();
        for (namespace, name) in old {
            self.store.remove(Kind::EVENT, &namespace, &name);
        }
        self.after(SignedDuration::from_mins(10), Wake::ForgetEvents);
    }
}

//! From two snapshots to what happened between them.

mod around;
mod hosts;

use std::sync::Arc;

use imbl::{OrdMap, ordmap::DiffItem};
use jiff::{SignedDuration, Timestamp};

use super::{Happened, Kind, Turn};
use crate::cluster::{
    Component, Database, Freshness, LocalState, MemberName, Node, NodeState, Pod, PodState, Snapshot, Tenant,
    TenantName, WorkloadKey,
};

/// An object's own date is believed when it lies so near the two snapshots: clocks of kubelets may be wrong.
const NEAR: SignedDuration = SignedDuration::from_mins(2);

/// Two snapshots that follow one another.
struct Between<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    all: Vec<Happened>,
}

/// What happened between two snapshots that follow one another, in the order of time. What was there when the first one
/// was read has not happened.
pub fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Happened> {
    let mut between = Between { before, after, all: Vec::new() };
    between.api();
    if before.is_ready() && after.is_ready() {
        between.nodes();
        between.tenants();
        between.pods();
    }
    between.members();
    between.proxies();
    between.writers();
    between.components();
    between.hosts();
    between.certificates();
    between.all.sort_by_key(|event| event.time);
    between.all
}

impl Between<'_> {
    fn add(
        &mut self,
        time: Timestamp,
        kind: Kind,
        turn: Turn,
        name: &str,
        text: impl Into<String>,
    ) -> &mut Happened {
        let event =
            Happened { time, kind, turn, tenant: None, node: None, name: name.to_owned(), text: text.into() };
        self.all.push(event);
        let last = self.all.len() - 1;
        &mut self.all[last]
    }

    /// The object's own date where it can be right, else the moment of the later snapshot.
    fn dated(&self, own: Option<Timestamp>) -> Timestamp {
        let near = |at: &Timestamp| {
            at.duration_since(self.after.at) <= SignedDuration::ZERO
                && self.before.at.duration_since(*at) <= NEAR
        };
        own.filter(near).unwrap_or(self.after.at)
    }

    fn api(&mut self) {
        let (was, is) = (&self.before.api.freshness, &self.after.api.freshness);
        match (was.trouble(), is.trouble()) {
            (None, Some(why)) if was.is_live() => {
                let text = format!("does not answer: {why}");
                self.add(self.after.at, Kind::Api, Turn::Worse, "API", text);
            }
            (Some(_), None) if is.is_live() => {
                self.add(self.after.at, Kind::Api, Turn::Better, "API", "answers again");
            }
            _ => {}
        }
    }

    fn nodes(&mut self) {
        for (name, was, is) in differing(&self.before.nodes.items, &self.after.nodes.items) {
            let ready = |node: &Node| {
                node.conditions.iter().find(|condition| &*condition.kind == "Ready").and_then(|c| c.since)
            };
            let state = |node: &Option<Arc<Node>>| node.as_ref().map(|node| node.state());
            let mut told = Vec::new();
            match (state(&was), state(&is)) {
                (None, Some(_)) => told.push((None, Turn::Change, "joined the cluster".to_owned())),
                (Some(_), None) => told.push((None, Turn::Worse, "is gone".to_owned())),
                (Some(was), Some(now)) if was != now => {
                    let at = is.as_deref().and_then(ready);
                    told.extend(match (was, now) {
                        (_, NodeState::NotReady) => Some((at, Turn::Worse, "is not ready".to_owned())),
                        (NodeState::NotReady, _) => Some((at, Turn::Better, "is ready again".to_owned())),
                        (_, NodeState::Pressure) => {
                            Some((None, Turn::Worse, "is short of memory, disk or processes".to_owned()))
                        }
                        (NodeState::Pressure, _) => {
                            Some((None, Turn::Better, "is no longer short of anything".to_owned()))
                        }
                        _ => None,
                    });
                }
                _ => {}
            }
            if let (Some(was), Some(is)) = (&was, &is)
                && was.cordoned != is.cordoned
            {
                let text = if is.cordoned { "is cordoned" } else { "is uncordoned" };
                told.push((None, Turn::Change, text.to_owned()));
            }
            for (at, turn, text) in told {
                let at = self.dated(at);
                self.add(at, Kind::Node, turn, name.as_str(), text).node = Some(name.clone());
            }
        }
    }

    fn tenants(&mut self) {
        for (name, was, is) in differing(&self.before.tenants, &self.after.tenants) {
            let mut told: Vec<(Turn, String)> = Vec::new();
            match (&was, &is) {
                (None, Some(_)) => told.push((Turn::Change, "is new".into())),
                (Some(_), None) => told.push((Turn::Change, "is gone".into())),
                (Some(was), Some(is)) => told.extend(tenant(was, is, &self.after.tenancy.container)),
                (None, None) => {}
            }
            let of_pods = |tenant: &Arc<Tenant>| tenant.pods.iter().filter_map(|pod| pod.ready_since).max();
            let at = self.dated(is.as_ref().and_then(of_pods));
            for (turn, text) in told {
                let at = if turn == Turn::Change { self.after.at } else { at };
                self.add(at, Kind::Tenant, turn, name.as_str(), text).tenant = Some(name.clone());
            }
        }
    }

    fn pods(&mut self) {
        for (_, was, is) in differing(&self.before.pods.items, &self.after.pods.items) {
            let seen = if is.is_some() { self.after } else { self.before };
            let Some(pod) = is.as_ref().or(was.as_ref()) else { continue };
            let Some(tenant) = seen.workload_of(pod).and_then(|workload| self.tenant_of(&workload)) else {
                continue;
            };
            let (node, name) = (pod.node.clone(), pod.key.name.clone());
            for (at, turn, text) in told(self.before, self.after, was.as_deref(), is.as_deref()) {
                let at = self.dated(at);
                let event = self.add(at, Kind::Pod, turn, &name, text);
                (event.tenant, event.node) = (Some(tenant.clone()), node.clone());
            }
        }
    }

    fn tenant_of(&self, workload: &WorkloadKey) -> Option<TenantName> {
        let found = self.after.tenant_of(workload).or_else(|| self.before.tenant_of(workload))?;
        Some(found.name.clone())
    }

    fn members(&mut self) {
        if self.before.galera.items.ptr_eq(&self.after.galera.items) {
            return;
        }
        let database = Database::of(self.after);
        let label = |name: &MemberName| {
            let row = database.iter().flat_map(|d| &d.members).find(|row| row.name == *name);
            row.map_or_else(|| name.to_string(), |row| row.label.to_string())
        };
        for (name, is) in &self.after.galera.items {
            let Some(was) = self.before.galera.items.get(name).filter(|was| !Arc::ptr_eq(was, is)) else {
                continue;
            };
            let mut told = answers(&was.link, &is.link, is.silent_since);
            if let (Some(was), Some(is)) = (&was.status, &is.status) {
                if was.component != is.component {
                    let turn = match is.component {
                        Component::Primary => Turn::Better,
                        _ => Turn::Worse,
                    };
                    told.push((Some(is.state_since), turn, format!("is in component {}", is.component)));
                }
                if was.local_state != is.local_state {
                    let synced = is.local_state == LocalState::Synced;
                    let turn = if synced { Turn::Better } else { Turn::Worse };
                    let comment = if is.comment.is_empty() { "another state" } else { &*is.comment };
                    told.push((Some(is.state_since), turn, format!("is {}", comment.to_lowercase())));
                }
                if is.flow.active != was.flow.active {
                    let (turn, text) = match is.flow.active {
                        true => (Turn::Worse, "replication is paused by flow control"),
                        false => (Turn::Better, "replication goes on"),
                    };
                    told.push((None, turn, text.into()));
                }
            }
            for (at, turn, text) in told {
                let at = self.dated(at);
                self.add(at, Kind::Database, turn, &label(name), text);
            }
        }
    }

    fn proxies(&mut self) {
        for (name, is) in &self.after.proxies.items {
            let Some(was) = self.before.proxies.items.get(name).filter(|was| !Arc::ptr_eq(was, is)) else {
                continue;
            };
            for (at, turn, text) in answers(&was.link, &is.link, is.silent_since) {
                let at = self.dated(at);
                self.add(at, Kind::Database, turn, name.as_str(), text);
            }
        }
    }

    /// Who takes the writes, by the proxies that answer.
    fn writers(&mut self) {
        let same = self.before.galera.items.ptr_eq(&self.after.galera.items)
            && self.before.proxies.items.ptr_eq(&self.after.proxies.items);
        if same {
            return;
        }
        let (Some(was), Some(is)) = (Database::of(self.before), Database::of(self.after)) else { return };
        if was.writers == is.writers || is.writers.is_empty() || was.writers.is_empty() {
            return;
        }
        let all = |database: &Database| -> Vec<MemberName> {
            let mut all: Vec<_> = database.writers.values().flatten().cloned().collect();
            all.sort();
            all.dedup();
            all
        };
        let label = |name: &MemberName| {
            let row = is.members.iter().find(|row| row.name == *name);
            row.map_or_else(|| name.to_string(), |row| row.label.to_string())
        };
        let (was_all, is_all) = (all(&was), all(&is));
        if was_all == is_all {
            return;
        }
        let names: Vec<_> = is_all.iter().map(label).collect();
        let (turn, text) = match names.as_slice() {
            [] => (Turn::Outage, "no member takes writes".to_owned()),
            [one] if was_all.is_empty() => (Turn::Better, format!("{one} takes the writes again")),
            [one] => (Turn::Change, format!("{one} takes the writes")),
            several => (Turn::Worse, format!("{} take writes", several.join(" and "))),
        };
        self.add(self.after.at, Kind::Database, turn, "writer", text);
    }
}

/// What is told of an object: since when by its own date, how it turned, in which words.
type Turned = (Option<Timestamp>, Turn, String);

/// Whether an endpoint answers.
fn answers(was: &Freshness, is: &Freshness, silent: Option<Timestamp>) -> Vec<Turned> {
    match (was.is_live(), is) {
        (true, Freshness::Stale { why, .. } | Freshness::Missing { why }) => {
            vec![(silent, Turn::Worse, format!("does not answer: {why}"))]
        }
        (false, Freshness::Live { .. }) if was.trouble().is_some() => {
            vec![(None, Turn::Better, "answers again".into())]
        }
        _ => Vec::new(),
    }
}

fn tenant(was: &Tenant, is: &Tenant, container: &str) -> Vec<(Turn, String)> {
    let mut told = Vec::new();
    if was.desired() != is.desired() {
        told.push((Turn::Change, format!("replicas {} → {}", was.desired(), is.desired())));
    }
    let (image_was, image) = (was.workload.image_tag(container), is.workload.image_tag(container));
    if image_was != image {
        told.push((Turn::Change, format!("image {image_was} → {image}")));
    }
    match (was.is_down(), is.is_down()) {
        (false, true) => told.push((Turn::Outage, "is down: no pod is ready".into())),
        (true, false) if is.desired() > 0 => {
            told.push((Turn::Better, format!("serves again: {} of {} ready", is.ready(), is.desired())));
        }
        _ => {
            let short = |tenant: &Tenant| tenant.ready() < tenant.desired();
            match (short(was), short(is)) {
                (false, true) if !is.is_down() && was.desired() == is.desired() => {
                    told.push((Turn::Worse, format!("{} of {} ready", is.ready(), is.desired())));
                }
                (true, false) if !was.is_down() && was.desired() == is.desired() => {
                    told.push((Turn::Better, format!("{} of {} ready", is.ready(), is.desired())));
                }
                _ => {}
            }
        }
    }
    told
}

/// What is told of a pod.
fn told(before: &Snapshot, after: &Snapshot, was: Option<&Pod>, is: Option<&Pod>) -> Vec<Turned> {
    let (was, is) = match (was, is) {
        (None, Some(is)) => {
            let place = is.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
            return vec![(Some(is.created), Turn::Change, format!("was created{place}"))];
        }
        (Some(_), None) => return vec![(None, Turn::Change, "is gone".into())],
        (Some(was), Some(is)) if was.uid == is.uid => (was, is),
        // Of the same name and another one, as those of StatefulSets.
        (Some(_), Some(is)) => return vec![(Some(is.created), Turn::Change, "was replaced".into())],
        (None, None) => return Vec::new(),
    };
    let mut told = Vec::new();
    for (container, old) in is.containers.iter().zip(&was.containers) {
        if container.name == old.name && container.restarts > old.restarts {
            let end = container.last_end.as_ref();
            let why = end.map_or(String::new(), |end| format!(": {}, exit code {}", end.reason, end.code));
            told.push((end.and_then(|e| e.at), Turn::Worse, format!("{} restarted{why}", container.name)));
        }
    }
    if was.deleting.is_none() && is.deleting.is_some() {
        told.push((None, Turn::Change, "is being deleted".into()));
    }
    if was.node.is_none()
        && let Some(node) = &is.node
    {
        told.push((None, Turn::Change, format!("goes to {node}")));
    }
    let (state_was, state) = (before.state_of(was), after.state_of(is));
    if state_was == state {
        return told;
    }
    match state {
        PodState::Ready => told.push((is.ready_since, Turn::Better, "is ready".into())),
        PodState::Failing => {
            let why = is.why_not_ready().map_or(String::new(), |why| format!(": {why}"));
            told.push((is.ready_since, Turn::Worse, format!("fails{why}")));
        }
        PodState::Unschedulable => {
            let why = is.unschedulable.as_deref().unwrap_or("no node takes it");
            told.push((None, Turn::Worse, format!("finds no node: {why}")));
        }
        PodState::Unknown => told.push((None, Turn::Worse, "is unknown: its node does not answer".into())),
        PodState::Starting if state_was == PodState::Ready => {
            told.push((is.ready_since, Turn::Worse, "is not ready".into()));
        }
        PodState::Starting | PodState::Terminating | PodState::Finished => {}
    }
    told
}

/// Key, before, after.
type Differing<K, V> = Vec<(K, Option<Arc<V>>, Option<Arc<V>>)>;

/// The objects that are not the same in both.
fn differing<K: Ord + Clone, V: PartialEq>(
    before: &OrdMap<K, Arc<V>>,
    after: &OrdMap<K, Arc<V>>,
) -> Differing<K, V> {
    if before.ptr_eq(after) {
        return Vec::new();
    }
    let of = |item| match item {
        DiffItem::Add(key, is) => (K::clone(key), None, Some(Arc::clone(is))),
        DiffItem::Update { old: (_, was), new: (key, is) } => {
            (K::clone(key), Some(Arc::clone(was)), Some(Arc::clone(is)))
        }
        DiffItem::Remove(key, was) => (K::clone(key), Some(Arc::clone(was)), None),
    };
    before.diff(after).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::sketch;

    fn between(before: &str, after: &str) -> Vec<String> {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let (before, after) =
            (sketch(before, at(0)).expect("a cluster"), sketch(after, at(10)).expect("a cluster"));
        changes(&before, &after).iter().map(|e| format!("{} {} {}", e.kind, e.name, e.text)).collect()
    }

    #[test]
    fn nothing_happened_between_two_that_are_the_same() {
        let text = "node w1\nnode w2\ntenant acme 2 on w1 w2";
        assert_eq!(between(text, text), Vec::<String>::new());
    }

    #[test]
    fn nodes_tenants_and_pods_tell_what_became_of_them() {
        let told = between(
            "node w1\nnode w2\ntenant acme 2 on w1 w2\ntenant globex 1 on w2",
            "node w1\nnode w2 not-ready cordoned\ntenant acme 2 on w1x w2x\ntenant globex 2 on w2 w1",
        );
        for expected in [
            "node w2 is not ready",
            "node w2 is cordoned",
            "tenant acme is down: no pod is ready",
            "tenant globex replicas 1 → 2",
        ] {
            assert!(told.iter().any(|line| line == expected), "{expected}: {told:#?}");
        }
        let back = between("node w1\ntenant acme 1 on w1x", "node w1\ntenant acme 1 on w1");
        assert!(back.contains(&"tenant acme serves again: 1 of 1 ready".to_owned()), "{back:#?}");
    }
}

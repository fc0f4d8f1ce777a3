//! What of the platform around is lost with machines: what runs there by the configuration, and what that does to the rest.
//!
//! It is worked out by judging the same snapshot with these components gone, and taking what is worse then.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use super::{Component, ComponentKey, ComponentKind, Facts, Platform, of_kind};
use crate::cluster::{LinkState, NodeName, Snapshot, Trouble};

/// Why it does not answer then, as the judging has it.
const GONE: &str = "its machine is lost";

/// One thing that is lost, or that suffers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlatformLoss {
    /// What.
    pub component: ComponentKey,
    /// In a sentence, after its name.
    pub text: String,
    /// Requests end there, or writes.
    pub grave: bool,
}

impl PlatformLoss {
    /// The whole sentence.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.component, self.text)
    }
}

/// Whether a component runs on a machine, by the configuration; ingress nodes by their addresses.
pub fn runs_on(seen: &Snapshot, key: &ComponentKey, machine: &NodeName) -> bool {
    let (around, name) = (&seen.around, &*key.name);
    let here = |of: &Option<NodeName>| of.as_ref() == Some(machine);
    match key.kind {
        ComponentKind::Edge => around
            .edges
            .iter()
            .any(|edge| *edge.name == *name && edge.machine.as_deref() == Some(machine.as_str())),
        ComponentKind::StorageNode => {
            around.storage.iter().any(|node| *node.name == *name && here(&node.machine))
        }
        ComponentKind::Replica => around.replicas.iter().any(|one| *one.name == *name && here(&one.machine)),
        ComponentKind::Redis => around.redis.iter().any(|one| *one.name == *name && here(&one.machine)),
        ComponentKind::IngressNode => {
            let host = name.rsplit_once(':').map_or(name, |(host, _)| host.trim_matches(['[', ']']));
            let node = seen.nodes.get(machine);
            let address = node.and_then(|node| node.address.as_deref());
            host == machine.as_str() || name == machine.as_str() || address == Some(host)
        }
        ComponentKind::Floating
        | ComponentKind::Volume
        | ComponentKind::Sentinel
        | ComponentKind::Registry => false,
    }
}

/// The components that run on a machine.
fn on<'a>(seen: &'a Snapshot, machine: &NodeName) -> Vec<&'a ComponentKey> {
    seen.platform.items.keys().filter(|key| runs_on(seen, key, machine)).collect()
}

/// Machines that components run on, by the configuration.
pub fn machines(seen: &Snapshot) -> BTreeSet<NodeName> {
    let around = &seen.around;
    let edges = around.edges.iter().filter_map(|edge| edge.machine.as_deref()).map(NodeName::from);
    let storage = around.storage.iter().filter_map(|node| node.machine.clone());
    let replicas = around.replicas.iter().filter_map(|one| one.machine.clone());
    edges
        .chain(storage)
        .chain(replicas)
        .chain(around.redis.iter().filter_map(|one| one.machine.clone()))
        .collect()
}

/// The component as it is when its machine is gone.
fn gone(component: &Component, seen: &Snapshot) -> Component {
    match component.status.as_deref() {
        // Nobody but its own node tells its bricks: they are down then, and not only unknown.
        Some(Facts::Storage(facts)) => {
            let mut facts = facts.clone();
            let bricks = facts.volumes.iter_mut().flat_map(|volume| &mut volume.bricks);
            bricks.filter_map(|brick| brick.own.as_mut()).for_each(|own| own.started = false);
            Component { status: Some(Arc::new(Facts::Storage(facts))), ..component.clone() }
        }
        _ => component.failed(Trouble::Unreachable, GONE, seen.at),
    }
}

/// What is lost with these machines. `keeps_daemons`: a drain leaves the pods of DaemonSets, the ingress controller's among
/// them, where they are.
pub fn lost_with(seen: &Snapshot, lost: &[NodeName], keeps_daemons: bool) -> Vec<PlatformLoss> {
    let stays = |key: &&ComponentKey| keeps_daemons && key.kind == ComponentKind::IngressNode;
    let keys: BTreeSet<&ComponentKey> =
        lost.iter().flat_map(|machine| on(seen, machine)).filter(|key| !stays(key)).collect();
    // What does not answer now is nobody's loss.
    let live: Vec<_> = keys
        .into_iter()
        .filter_map(|key| Some((key, seen.platform.items.get(key)?)))
        .filter(|(_, component)| component.link.is_live())
        .collect();
    if live.is_empty() {
        return Vec::new();
    }
    let before = Platform::of(seen);
    let mut then = seen.clone();
    for (key, component) in &live {
        then.platform.items.insert((*key).clone(), Arc::new(gone(component, seen)));
    }
    then.surveyed.forget();
    let after = Platform::derive(&then);
    let mut all = Vec::new();
    for row in &after.components {
        let was = before.get(&row.key).map_or(LinkState::Unknown, |row| row.state);
        let lost = live.iter().any(|(key, _)| **key == row.key);
        let grave = row.state == LinkState::Broken && was != LinkState::Broken;
        let worse = row.state > was && row.state >= LinkState::Warning;
        if lost {
            // A storage node answers in this picture; what it costs is told of its volumes.
            let text = match row.text().split_once(GONE) {
                Some((_, rest)) => format!("lost{rest}"),
                None => "lost".to_owned(),
            };
            all.push(PlatformLoss { component: row.key.clone(), text, grave });
        } else if worse && (grave || row.key.kind == ComponentKind::Volume) {
            all.push(PlatformLoss { component: row.key.clone(), text: row.text().to_owned(), grave });
        }
    }
    // Several edges may be left, or none: what the others say of it is about all of them.
    let edges = of_kind(&then, ComponentKind::Edge);
    if let Some(first) = all.iter_mut().find(|loss| loss.component.kind == ComponentKind::Edge)
        && !edges.is_empty()
        && edges.iter().all(|(_, edge)| !edge.link.is_live())
    {
        first.text = "lost, and no other edge answers: no client reaches a tenant".to_owned();
        first.grave = true;
    }
    all
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::cluster::{
        Freshness,
        platform::{
            Around,
            redis::{self, RedisFacts, RedisRole, SentinelFacts, Watched},
            volume::{self, HealCount, StorageFacts, VolumeFacts},
        },
    };

    fn at() -> Timestamp {
        Timestamp::from_second(1_795_925_000).unwrap()
    }

    fn seen() -> Snapshot {
        let redis = |n: u16| redis::Wanted {
            name: format!("redis-{n}").into(),
            address: format!("10.0.0.{n}:6379").into(),
            sentinels: vec!["s:26379".into()],
            machine: Some(format!("vm-{n}").as_str().into()),
            ..redis::Wanted::default()
        };
        let node = |n: u16| volume::Wanted {
            name: format!("gluster-{n}").into(),
            machine: Some(format!("vm-{n}").as_str().into()),
        };
        let around = Around {
            redis: [1, 2].map(redis).to_vec(),
            storage: [1, 2, 3].map(node).to_vec(),
            ..Around::default()
        };
        let mut seen = Snapshot { around: Arc::new(around), at: at(), ..Snapshot::default() };
        seen.platform.freshness = Freshness::Live { since: at() };
        let mut put = |kind, name: &str, facts| {
            let key = ComponentKey::new(kind, name);
            let component = Component::new(key.clone()).read(facts, None, at());
            seen.platform.items.insert(key, Arc::new(component));
        };
        for (n, role) in [
            (1, json!(["master", 9, [["10.0.0.2", "6379", "9"]]])),
            (2, json!(["slave", "10.0.0.1", 6379, "connected", 9])),
        ] {
            let facts = RedisFacts::read(RedisRole::read(&role), None, vec![], None, at());
            put(ComponentKind::Redis, &format!("redis-{n}"), Facts::Redis(facts));
        }
        let watched =
            Watched { name: "mymaster".into(), address: "10.0.0.1:6379".into(), ..Watched::default() };
        put(
            ComponentKind::Sentinel,
            "s:26379",
            Facts::Sentinel(SentinelFacts { masters: vec![watched], denied: vec![] }),
        );
        for n in 1..=3 {
            let own = format!("Volume1.Brick{n}.status: Started\nVolume1.Brick{n}.port_registered: 1\n");
            let bricks = (1..=3).map(|n| format!("Volume1.Brick{n}.path: g{n}:/b\n")).collect::<String>();
            let text = format!(
                "[Global]\n[Volumes]\nVolume1.name: uploads\nVolume1.status: Started\nVolume1.replica_count: 3\n{bricks}{own}"
            );
            put(
                ComponentKind::StorageNode,
                &format!("gluster-{n}"),
                Facts::Storage(StorageFacts::read(&text).unwrap()),
            );
        }
        let count = HealCount::read(
            "Brick g1:/b\nNumber of entries: 0\nBrick g2:/b\nNumber of entries: 0\nBrick g3:/b\nNumber of entries: 0\n",
        );
        let facts = VolumeFacts { count: Some((at(), count.unwrap())), ..VolumeFacts::default() };
        put(ComponentKind::Volume, "uploads", Facts::Volume(facts));
        seen
    }

    fn told(lost: &[&str]) -> Vec<(String, bool)> {
        let lost: Vec<NodeName> = lost.iter().map(|name| (*name).into()).collect();
        lost_with(&seen(), &lost, false).iter().map(|loss| (loss.sentence(), loss.grave)).collect()
    }

    #[test]
    fn what_a_machine_takes_with_it_is_told_and_what_that_does_to_the_rest() {
        let platform = Platform::of(&seen());
        assert!(platform.components.iter().all(|row| row.state == LinkState::Ok), "{platform:#?}");
        assert_eq!(
            told(&["vm-1"]),
            [
                ("storage node gluster-1 lost".to_owned(), false),
                ("volume uploads 1 of 3 bricks is down (g1:/b): it serves from the others".to_owned(), false),
                (
                    "Redis redis-1 lost; 1 sentinel names it the master: nobody takes writes until another is chosen".to_owned(),
                    true
                ),
            ]
        );
        let both = told(&["vm-2", "vm-3"]);
        let (volume, grave) = both.iter().find(|(text, _)| text.starts_with("volume")).unwrap();
        assert!(*grave && volume.contains("clients can neither read nor write"), "{volume}");
        assert_eq!(told(&["vm-9"]), []);
        // Who does not answer is nobody's loss.
        let mut seen = seen();
        let key = ComponentKey::new(ComponentKind::Redis, "redis-1");
        let silent = seen.platform.items[&key].failed(Trouble::Refused, "x", at());
        seen.platform.items.insert(key, Arc::new(silent));
        let lost = lost_with(&seen, &["vm-1".into()], false);
        assert!(lost.iter().all(|loss| loss.component.kind != ComponentKind::Redis), "{lost:?}");
    }
}

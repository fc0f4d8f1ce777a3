//! What keeps a pod from being placed whatever the nodes are like: its gates, its claims, its scheduler.
//!
//! Asked before the board is. Source: `plugins/schedulinggates`, `plugins/volumebinding` (PreFilter).

use std::sync::Arc;

use super::class::Incoming;
use crate::cluster::{ClaimPhase, Key, Snapshot, VolumeSource};

/// Why no node is even looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hurdle {
    /// In the scheduler's words, where it has any.
    pub message: String,
    /// In ours, with what to do.
    pub why: String,
}

/// What keeps such a pod from being placed; `None`: the nodes decide. A claim that a StatefulSet makes for each new pod
/// will be there; claims that cannot be read keep nobody off.
pub fn hurdle(seen: &Snapshot, pod: &Incoming) -> Option<Hurdle> {
    gates(pod).or_else(|| claims(seen, pod)).or_else(|| scheduler(seen, pod))
}

fn gates(pod: &Incoming) -> Option<Hurdle> {
    let gates: Vec<_> = pod.spec.gates.iter().map(|gate| &**gate).collect();
    let gates = if gates.is_empty() { return None } else { gates.join(", ") };
    Some(Hurdle {
        message: "Scheduling is blocked due to non-empty scheduling gates".into(),
        why: format!("its template has the scheduling gate {gates}: no node takes it before that is removed"),
    })
}

fn claims(seen: &Snapshot, pod: &Incoming) -> Option<Hurdle> {
    if !seen.claims.freshness.is_known() {
        return None;
    }
    pod.spec.volumes.iter().find_map(|volume| {
        let VolumeSource::Claim(name) = &volume.source else { return None };
        let Some(claim) = seen.claims.get(&Key::new(pod.namespace.clone(), name.clone())) else {
            let unread = seen.claims.unreadable.contains_key(&Key::new(pod.namespace.clone(), name.clone()));
            return (!unread).then(|| Hurdle {
                message: format!("persistentvolumeclaim \"{name}\" not found"),
                why: format!("its claim {name} (volume {}) does not exist: create it first", volume.name),
            });
        };
        if claim.deleting.is_some() {
            return Some(Hurdle {
                message: format!("persistentvolumeclaim \"{name}\" is being deleted"),
                why: format!("its claim {name} (volume {}) is being deleted", volume.name),
            });
        }
        (claim.phase == ClaimPhase::Lost).then(|| Hurdle {
            message: format!("persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume"),
            why: format!("the volume of its claim {name} is gone: the data has to be brought back first"),
        })
    })
}

/// Another scheduler than the default one is there when it has ever placed a pod.
fn scheduler(seen: &Snapshot, pod: &Incoming) -> Option<Hurdle> {
    let name: &Arc<str> = &pod.spec.scheduler;
    let placed = || seen.pods.values().any(|p| p.node.is_some() && p.spec.scheduler == *name);
    (!name.is_empty() && !placed()).then(|| Hurdle {
        message: format!("no pod of schedulerName \"{name}\" has a node"),
        why: format!("it asks for the scheduler {name}, which has placed no pod here: nobody may place it"),
    })
}

/// What is to be said of a prediction for such a pod: it is placed by another scheduler, whose rules are not known.
pub fn stranger(pod: &Incoming) -> Option<String> {
    let name = &pod.spec.scheduler;
    (!name.is_empty())
        .then(|| format!("the scheduler {name} places it: its rules are not known, the nodes are a guess"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Claim, Observation, Pod, PodSpec, Seen, Volume, sketch};

    fn seen() -> Snapshot {
        sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", jiff::Timestamp::UNIX_EPOCH).expect("a sketch")
    }

    fn with(seen: &mut Snapshot, change: impl Fn(&mut PodSpec)) -> Incoming {
        let pods: Vec<_> = seen.pods.values().map(|p| Pod::clone(p)).collect();
        for mut pod in pods {
            change(Arc::make_mut(&mut pod.spec));
            seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
        }
        Incoming::next_of(seen, &seen.tenants["acme"].workload.clone())
    }

    fn said(seen: &mut Snapshot, change: impl Fn(&mut PodSpec)) -> Option<String> {
        let pod = with(seen, change);
        hurdle(seen, &pod).map(|h| h.message)
    }

    #[test]
    fn gates_claims_and_schedulers_keep_a_pod_from_every_node() {
        let mut world = seen();
        assert_eq!(said(&mut world, |_| {}), None);
        let gated = said(&mut world.clone(), |spec| spec.gates = vec!["example.com/quota".into()]);
        assert!(gated.is_some_and(|m| m.contains("scheduling gates")));

        let files = |source: VolumeSource| {
            move |spec: &mut PodSpec| {
                spec.volumes = vec![Volume { name: "files".into(), source: source.clone() }];
            }
        };
        let shared = || VolumeSource::Claim("files".into());
        assert_eq!(
            said(&mut world, files(shared())).as_deref(),
            Some("persistentvolumeclaim \"files\" not found")
        );
        for own in [VolumeSource::OwnClaim, VolumeSource::Ephemeral, VolumeSource::EmptyDir { memory: false }]
        {
            assert_eq!(said(&mut world.clone(), files(own)), None);
        }
        let claim = |phase, deleting| Claim {
            key: Key::new("acme", "files"),
            phase,
            class: None,
            modes: vec![],
            size: None,
            deleting,
        };
        for (phase, deleting, there) in [
            (ClaimPhase::Bound, None, true),
            (ClaimPhase::Pending, None, true),
            (ClaimPhase::Lost, None, false),
            (ClaimPhase::Bound, Some(jiff::Timestamp::UNIX_EPOCH), false),
        ] {
            let claim = claim(phase, deleting);
            world.observe(Observation::Claim(Seen::Put(claim.key.clone(), claim)));
            assert_eq!(said(&mut world, files(shared())).is_none(), there, "{phase} {deleting:?}");
        }
        let mut blind = seen();
        blind.claims = Default::default();
        assert_eq!(said(&mut blind, files(shared())), None, "claims are not known");

        // Where another scheduler has placed pods, it is there.
        assert_eq!(
            said(&mut world.clone(), |spec| {
                spec.volumes.clear();
                spec.scheduler = "volcano".into();
            }),
            None
        );
        let mut fresh = seen();
        let mut pod = with(&mut fresh, |_| {});
        Arc::make_mut(&mut pod.spec).scheduler = "volcano".into();
        assert!(hurdle(&fresh, &pod).is_some_and(|h| h.why.contains("volcano")));
        assert!(stranger(&pod).is_some());
    }
}

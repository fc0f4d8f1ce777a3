//! Wait until every pod of a workload is of its newest template and ready.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Change, Kind, Object, Standing, pods,
    replicas::{this_workload, unfollowed_workload},
    settle::{lacks, placed},
};
use crate::{
    cluster::{Key, Pod, PodState, ReplicaSet, Snapshot, Uid, Workload, WorkloadKey, WorkloadKind},
    plan::Names,
};

/// Wait until every pod of a workload is of its newest template and ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolledOut {
    /// Which workload.
    pub workload: WorkloadKey,
    /// Its uid when it was seen.
    pub uid: Uid,
    /// The container and image that is rolled out: a pod of it that crashes or cannot start ends the wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<(Arc<str>, Arc<str>)>,
    /// The hash of the template that is rolled out, where that is what tells its pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Arc<str>>,
    /// What tells the template that a restart has set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<Restarted>,
    /// Seconds that those pods must stay ready without a restart; a restart before that ends the wait as well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub steady: u32,
}

/// The template that a restart has set: another one by its end is somebody else's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restarted {
    /// The annotation that was set.
    pub stamp: String,
    /// The newest revision of a Deployment before: each change of its template makes the next one, going back to an
    /// older one too (`deployment.kubernetes.io/revision`). `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

impl Restarted {
    /// The newest revision of a Deployment, as its ReplicaSets tell.
    pub fn newest(workload: &WorkloadKey, seen: &Snapshot) -> Option<u64> {
        if workload.kind != WorkloadKind::Deployment || !seen.replica_sets.freshness.is_live() {
            return None;
        }
        let Key { namespace, name } = &workload.key;
        let own = |set: &&Arc<ReplicaSet>| {
            set.key.namespace == *namespace && set.deployment.as_deref() == Some(&**name)
        };
        seen.replica_sets.values().filter(own).map(|set| set.revision).max().filter(|newest| *newest > 0)
    }

    /// Why the pods that come are not those of the restart.
    fn foreign(&self, found: &Workload, seen: &Snapshot) -> Option<String> {
        let key = &found.key;
        if found.restarted.as_deref() != Some(&self.stamp) {
            return Some(match &found.restarted {
                Some(at) => format!("{key} was restarted again, at {at}: somebody has changed it"),
                None => format!("{key} has another template by now: somebody has changed it"),
            });
        }
        let (before, now) = (self.revision?, Self::newest(key, seen)?);
        (now > before + 1).then(|| {
            format!(
                "{key} is at revision {now} by now, not at {} of the restart: somebody has changed its template",
                before + 1
            )
        })
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl RolledOut {
    /// Whether a pod is one of those that are rolled out.
    fn is_new(&self, pod: &Pod) -> bool {
        let image = |(container, image): &(Arc<str>, Arc<str>)| {
            pod.spec.containers.iter().any(|c| c.name == *container && c.image == *image)
        };
        let hash = |hash: &Arc<str>| pod.labels.get(super::TEMPLATE_HASH) == Some(hash);
        pod.is_active()
            && (self.image.is_some() || self.template.is_some())
            && self.image.as_ref().is_none_or(image)
            && self.template.as_ref().is_none_or(hash)
    }

    /// The new pods.
    fn new_pods<'a>(&'a self, seen: &'a Snapshot) -> impl Iterator<Item = &'a Arc<Pod>> {
        let pods = seen.tenant_of(&self.workload).map(|tenant| tenant.pods.iter());
        pods.into_iter().flatten().filter(|pod| self.is_new(pod))
    }

    /// When the new pods have been ready for long enough.
    fn steady_at(&self, seen: &Snapshot) -> Option<Timestamp> {
        let last = self.new_pods(seen).filter_map(|pod| pod.ready_since).max()?;
        last.checked_add(SignedDuration::from_secs(self.steady.into())).ok()
    }

    /// The new pod that has been restarted: it was ready, and did not stay so.
    fn restarted(&self, seen: &Snapshot) -> Option<String> {
        let pod = self.new_pods(seen).filter(|_| self.steady > 0).find(|pod| pod.restarts() > 0)?;
        let times = match pod.restarts() {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        let why = lacks(seen, pod).map_or(String::new(), |why| format!(": {why}"));
        Some(format!("{} has been restarted {times}{why}", pod.key.name))
    }

    /// Why a new pod will not become ready, or does not stay so.
    fn fails(&self, seen: &Snapshot) -> Option<String> {
        let failing = |pod: &&Arc<Pod>| seen.state_of(pod) == PodState::Failing;
        let fails = self.new_pods(seen).find(failing).and_then(|pod| lacks(seen, pod));
        fails.or_else(|| self.restarted(seen))
    }
}

impl Kind for RolledOut {
    fn object(&self) -> Object {
        Object::Workload(self.workload.clone())
    }

    fn is_write(&self) -> bool {
        false
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        unfollowed_workload(&self.workload, seen).or_else(|| pods::unseen(seen))
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let workload = match this_workload(&self.workload, &self.uid, seen) {
            Ok(workload) => workload,
            Err(why) => return Standing::Elsewhere(why),
        };
        if workload.paused {
            return Standing::Elsewhere(format!("the rollout of {} is paused", self.workload));
        }
        if workload.observed_generation < workload.generation {
            return Standing::AtFrom("its controller has not looked yet".into());
        }
        if let Some((container, image)) = &self.image
            && let Some(found) = workload.template.containers.iter().find(|c| c.name == *container)
            && found.image != *image
        {
            let text = format!("{container} of {} has the image {} by now", self.workload, found.image);
            return Standing::Elsewhere(format!("{text}, not {image}: somebody has changed it"));
        }
        if let Some(why) = self.restarted.as_ref().and_then(|restarted| restarted.foreign(workload, seen)) {
            return Standing::Elsewhere(why);
        }
        let (counts, wanted) = (workload.counts, workload.desired);
        let text = format!("{} of {wanted} updated, {} ready", counts.updated, counts.ready);
        if workload.stuck_since.is_some() {
            let tenant = seen.tenant_of(&self.workload);
            let why = tenant.and_then(|tenant| tenant.pods.iter().find_map(|pod| lacks(seen, pod)));
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            return Standing::Failed(format!("the rollout of {} is stuck, {text}{why}", self.workload));
        }
        if let Some(why) = self.fails(seen) {
            return Standing::Failed(format!("the rollout of {} fails, {text}: {why}", self.workload));
        }
        let text = match &workload.refused {
            Some(refused) if counts.updated < wanted => {
                format!("{text}; its pods are refused: {}", refused.message)
            }
            _ => text,
        };
        let others = self.template.is_some() && self.new_pods(seen).count() != wanted as usize;
        if others && (counts.updated, counts.total) == (wanted, wanted) {
            return Standing::AtFrom(format!("{text}, not all of the template that was set"));
        }
        match (counts.updated, counts.total, counts.available) == (wanted, wanted, wanted) {
            true => match self.steady_at(seen).filter(|until| self.steady > 0 && seen.at < *until) {
                Some(until) => {
                    let left = until.duration_since(seen.at).as_secs().max(1);
                    Standing::AtFrom(format!("{text}, {left} s more without a restart"))
                }
                None => Standing::AtTo,
            },
            false => Standing::AtFrom(text),
        }
    }

    fn due(&self, seen: &Snapshot) -> Option<Timestamp> {
        self.steady_at(seen).filter(|until| self.steady > 0 && seen.at < *until)
    }

    fn words(&self, _: &Names) -> String {
        let steady = match self.steady {
            0 => String::new(),
            n => format!(" and stayed ready for {n} s without a restart"),
        };
        format!("wait until {} has rolled out{steady}", self.workload)
    }

    fn outcome(&self, seen: &Snapshot) -> String {
        seen.tenant_of(&self.workload).map_or(String::new(), |tenant| placed(tenant))
    }

    fn missing(&self, seen: &Snapshot) -> String {
        let tenant = seen.tenant_of(&self.workload);
        let lacking = tenant.and_then(|tenant| tenant.pods.iter().find_map(|pod| lacks(seen, pod)));
        lacking.map_or(String::new(), |text| format!("; {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Observation, Seen, sketch};

    #[test]
    fn a_rollout_is_through_once_its_pods_stayed_ready_and_a_restart_fails_it() {
        let now: Timestamp = "2026-11-29T09:00:00Z".parse().expect("a time");
        let mut seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", now).expect("a sketch");
        let tenant = seen.tenants.values().next().expect("acme").clone();
        let container = tenant.workload.template.serving(&seen.tenancy.container).expect("it serves").clone();
        let rolled = RolledOut {
            workload: tenant.workload.key.clone(),
            uid: tenant.workload.uid.clone(),
            image: Some((container.name.clone(), container.image.clone())),
            template: None,
            restarted: None,
            steady: 30,
        };
        let mut put = |ready: i64, restarts: u32| {
            for pod in &tenant.pods {
                let mut pod = Pod::clone(pod);
                pod.ready_since = Some(now - SignedDuration::from_secs(ready));
                pod.containers.iter_mut().take(1).for_each(|c| c.restarts = restarts);
                seen.observe(Observation::Pod(Seen::Put(pod.key.clone(), pod)));
            }
            seen.clone()
        };
        let soon = put(10, 0);
        let due = now + SignedDuration::from_secs(20);
        assert_eq!(rolled.due(&soon), Some(due));
        assert!(
            matches!(rolled.stands(&soon), Standing::AtFrom(text) if text.contains("20 s more without a restart"))
        );
        assert_eq!(rolled.stands(&put(40, 0)), Standing::AtTo);
        assert_eq!(RolledOut { steady: 0, ..rolled.clone() }.stands(&soon), Standing::AtTo);
        // Another image than the one that was set is no success of this rollout.
        let image = Some((container.name.clone(), "registry.example/app:other".into()));
        let foreign = RolledOut { image, ..rolled.clone() };
        assert!(
            matches!(foreign.stands(&soon), Standing::Elsewhere(text) if text.contains("somebody has changed it"))
        );
        let template = RolledOut { image: None, template: Some("other".into()), ..rolled.clone() };
        assert!(
            matches!(template.stands(&soon), Standing::AtFrom(text) if text.contains("template that was set"))
        );
        // Nor is another template than the one that a restart set.
        let again = |at: &str, newest: u64| {
            let mut seen = soon.clone();
            let mut workload = Workload::clone(&seen.tenants.values().next().expect("acme").workload);
            workload.restarted = Some(at.into());
            seen.observe(Observation::Deployment(Seen::Put(workload.key.key.clone(), workload)));
            for revision in 1..=newest {
                let key = Key::new("acme", format!("acme-{revision}"));
                let set = ReplicaSet {
                    key: key.clone(),
                    uid: "u".into(),
                    deployment: Some("acme".into()),
                    desired: 0,
                    selector: Default::default(),
                    revision,
                    created: now,
                    images: Vec::new(),
                    scaled: None,
                };
                seen.observe(Observation::ReplicaSet(Seen::Put(key, set)));
            }
            seen
        };
        let set = Restarted { stamp: "09:00".into(), revision: Some(3) };
        let of_restart = RolledOut { image: None, restarted: Some(set), steady: 0, ..rolled.clone() };
        assert_eq!(of_restart.stands(&again("09:00", 4)), Standing::AtTo);
        for (at, newest, says) in
            [("09:01", 5, "was restarted again"), ("09:00", 5, "is at revision 5 by now, not at 4")]
        {
            let stands = of_restart.stands(&again(at, newest));
            assert!(matches!(&stands, Standing::Elsewhere(why) if why.contains(says)), "{stands:?}");
        }
        let restarted = put(10, 1);
        assert!(
            matches!(rolled.stands(&restarted), Standing::Failed(text) if text.contains("has been restarted once"))
        );
        assert_eq!(
            RolledOut { steady: 0, ..rolled }.stands(&restarted),
            Standing::AtTo,
            "nobody asked for it"
        );
    }
}

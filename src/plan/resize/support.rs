//! Whether the cluster and its nodes change pods that run at all.

use std::collections::BTreeMap;

use super::Wanted;
use crate::{
    cluster::{NodeName, Snapshot},
    plan::{
        Check,
        Verdict::{Refuse, Warn},
    },
};

/// The minor version of Kubernetes 1 from which on pods are resized in place.
const SINCE: u32 = 33;
/// The one from which on a memory limit may be lowered without a restart.
const LOWERS_SINCE: u32 = 34;

/// `v1.36.2`, `1.33`, `v1.34+`: the minor version; `None`: that is no version of Kubernetes 1.
fn minor(version: &str) -> Option<u32> {
    let rest = version.trim_start_matches('v').strip_prefix("1.")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// What refuses it because of the versions, and what is not known of them.
pub(super) fn checks(seen: &Snapshot, wanted: &[Wanted]) -> Vec<Check> {
    let mut all = Vec::new();
    let server = seen.api.version.as_deref().map(|version| (version, minor(version)));
    match server {
        Some((version, Some(minor))) if minor < SINCE => {
            let text = format!(
                "the API server is {version}: pods that run are resized from Kubernetes 1.{SINCE} on; change the \
                 template instead"
            );
            return vec![Check::new("version", Refuse, text)];
        }
        Some((_, Some(_))) => {}
        Some((version, None)) => {
            let text = format!("whether an API server {version} resizes pods that run is not known");
            all.push(Check::new("version", Warn, text));
        }
        None => {
            let text =
                "the version of the API server is not known: it may not resize pods that run".to_owned();
            all.push(Check::new("version", Warn, text));
        }
    }
    let mut kubelets: BTreeMap<&NodeName, &str> = BTreeMap::new();
    for node in wanted.iter().filter_map(|one| one.pod.node.as_ref()) {
        if let Some(found) = seen.nodes.get(node) {
            kubelets.insert(node, &found.kubelet);
        }
    }
    let old = |version: &str, since: u32| minor(version).is_some_and(|minor| minor < since);
    if let Some((node, version)) = kubelets.iter().find(|(_, version)| old(version, SINCE)) {
        let text = format!(
            "the kubelet of {node} is {version}: pods that run are resized from 1.{SINCE} on; move the pod to a newer \
             node, or change the template"
        );
        all.push(Check::new("version", Refuse, text));
    }
    let lowered =
        |one: &&Wanted| one.lowers() && one.in_force().memory_limit.is_some() && !one.restarted_by("memory");
    if let Some(one) = wanted.iter().find(lowered) {
        let node = one.pod.node.as_ref();
        let kubelet = node.and_then(|node| kubelets.get(node)).filter(|version| old(version, LOWERS_SINCE));
        let server = server.map(|(version, _)| version).filter(|version| old(version, LOWERS_SINCE));
        let older = kubelet.map(|version| format!("the kubelet of its node is {version}"));
        if let Some(why) = older.or_else(|| server.map(|version| format!("the API server is {version}"))) {
            let text = format!(
                "the memory limit of {} cannot be lowered while it runs: {why}, and that takes 1.{LOWERS_SINCE}",
                one.pod.key.name
            );
            all.push(Check::new("version", Refuse, text));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_versions_are_read_as_servers_and_kubelets_write_them() {
        for (text, of) in [
            ("v1.36.2", Some(36)),
            ("v1.33.0-rc.1", Some(33)),
            ("v1.32.4+k3s1", Some(32)),
            ("1.34+", Some(34)),
            ("v2.0.0", None),
            ("", None),
            ("v1.x", None),
        ] {
            assert_eq!(minor(text), of, "{text}");
        }
    }
}

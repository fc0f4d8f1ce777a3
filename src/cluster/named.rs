//! What people name: a tenant or a pod, and the containers that run there.

use std::sync::Arc;

use super::{
    ContainerStatus, Pod, PodState, Snapshot, Tenant, TenantName, meant_tenant, unknown_tenant,
    words::natural,
};

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// All pods of a tenant.
    Tenant(&'a Arc<Tenant>),
    /// One pod.
    Pod(&'a Arc<Pod>),
}

/// The tenant or the pod of that name: `NAME`, `NAMESPACE/POD`, or `tenant/NAME` and `pod/NAME` where names collide; a
/// tenant goes before a pod.
///
/// # Errors
/// There is none, or there are several: one sentence with what is near.
pub fn named<'a>(seen: &'a Snapshot, what: &str) -> Result<Named<'a>, String> {
    let (kind, name) = what.split_once('/').unwrap_or(("", what));
    if !["", "tenant", "pod"].contains(&kind) {
        let pod = seen.pods.values().find(|pod| *pod.key.name == *name && *pod.key.namespace == *kind);
        return pod.map(Named::Pod).ok_or_else(|| format!("there is no pod {name} in namespace {kind}"));
    }
    if let Some(tenant) = seen.tenants.get(&TenantName::from(name)).filter(|_| kind != "pod") {
        return Ok(Named::Tenant(tenant));
    }
    let mut pods = seen.pods.values().filter(|pod| *pod.key.name == *name && kind != "tenant");
    match (pods.next(), pods.next()) {
        (Some(pod), None) => Ok(Named::Pod(pod)),
        (Some(one), Some(other)) => Err(format!(
            "there are pods {name} in the namespaces {} and {}: name one as NAMESPACE/POD",
            one.key.namespace, other.key.namespace
        )),
        (None, _) => Err(match kind {
            "pod" => format!("there is no pod {name}"),
            "tenant" => unknown_tenant(seen, name),
            _ => format!("there is no tenant and no pod {name}{}", meant_tenant(seen, name)),
        }),
    }
}

/// The containers that run in these pods, as far as is known: those of ready pods first, and of a pod the one that serves
/// requests.
pub fn running<'a>(
    seen: &Snapshot,
    pods: impl IntoIterator<Item = &'a Arc<Pod>>,
) -> Vec<(&'a Arc<Pod>, &'a ContainerStatus)> {
    let known = |pod: &&Arc<Pod>| !matches!(seen.state_of(pod), PodState::Unknown | PodState::Finished);
    let runs = |pod: &'a Arc<Pod>| {
        let containers = pod.containers.iter().filter(|status| status.running_since.is_some());
        containers.map(move |status| (pod, status))
    };
    let mut all: Vec<_> = pods.into_iter().filter(known).flat_map(runs).collect();
    all.sort_by(|a, b| {
        let rank = |(pod, of): &(&Arc<Pod>, &ContainerStatus)| {
            (seen.state_of(pod) != PodState::Ready, *of.name != *seen.tenancy.container)
        };
        rank(a).cmp(&rank(b)).then_with(|| natural(&a.0.key.name, &b.0.key.name))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::sketch;

    #[test]
    fn a_name_is_a_tenant_or_a_pod_and_the_ready_ones_come_first() {
        let text = "node w1\nnode w2\ntenant acme 3 on w1x w2 w1\ntenant globex 1 on w2";
        let seen = sketch(text, jiff::Timestamp::UNIX_EPOCH).expect("a sketch");
        let tenant = |what: &str| match named(&seen, what) {
            Ok(Named::Tenant(tenant)) => tenant.name.to_string(),
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!((tenant("acme").as_str(), tenant("tenant/globex").as_str()), ("acme", "globex"));
        let acme = &seen.tenants[&TenantName::from("acme")];
        let key = &acme.pods[0].key;
        for what in
            [key.name.to_string(), format!("pod/{}", key.name), format!("{}/{}", key.namespace, key.name)]
        {
            assert!(matches!(named(&seen, &what), Ok(Named::Pod(pod)) if pod.key == *key), "{what}");
        }
        for (what, why) in [
            ("acem", "there is no tenant and no pod acem; did you mean acme?"),
            ("tenant/nobody", "there is no tenant nobody among 2"),
            ("pod/acme", "there is no pod acme"),
            ("elsewhere/acme", "there is no pod acme in namespace elsewhere"),
        ] {
            assert_eq!(named(&seen, what).unwrap_err(), why);
        }
        let all = running(&seen, &acme.pods);
        let names: Vec<_> = all.iter().map(|(pod, of)| (pod.ready, &*of.name)).collect();
        assert_eq!(names[0], (true, "php-fpm"), "{names:?}");
        assert!(names.is_sorted_by_key(|(ready, name)| (!ready, *name != "php-fpm")), "{names:?}");
    }
}

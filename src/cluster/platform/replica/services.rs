//! Whether the Services lead where they should: the read-write one to exactly the server that takes writes, the read-only
//! one to replicas that replicate.
//!
//! A server is behind a Service by the address of an endpoint that is no pod, by `externalName`, or, where the selector of
//! the Service matches pods, by the name of the pod, which is the first label of its host (`mysql-0.mysql.db.svc`).

use std::collections::BTreeSet;

use super::server::{Server, followers};
use crate::cluster::{Key, LinkState, Snapshot, platform::Judged, words::count};

/// What is wrong with the Services, told of the servers they lead to. `found` is what is said of the servers themselves.
pub(super) fn judge(seen: &Snapshot, servers: &[Server<'_>], found: &[Judged]) -> Vec<Judged> {
    let mut all = Vec::new();
    if let Some(service) = &seen.around.read_write {
        let behind = behind(seen, service, servers);
        all.extend(leads_nowhere(service, "read-write", &behind, servers));
        all.extend(read_write(service, &behind));
    }
    if let Some(service) = &seen.around.read_only {
        let behind = behind(seen, service, servers);
        all.extend(leads_nowhere(service, "read-only", &behind, servers));
        all.extend(behind.iter().filter_map(|server| read_only(service, server, servers, found)));
    }
    all
}

fn wrong(server: &Server<'_>, state: LinkState, text: String, service: &Key) -> Judged {
    let Key { namespace, name } = service;
    let remedy =
        format!("`kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name} -o wide`");
    Judged::new(server.key, state, text).rule("platform-replica-service").remedy(remedy)
}

/// A Service behind which no server is seen: told of the primary, or else of the first server.
fn leads_nowhere(service: &Key, what: &str, behind: &[Server<'_>], servers: &[Server<'_>]) -> Option<Judged> {
    let primary = servers.iter().find(|server| followers(server, servers) > 0).or_else(|| servers.first())?;
    let text =
        format!("the {what} Service {service} leads to none of the servers configured: where is not known");
    behind.is_empty().then(|| primary.judged(LinkState::Unknown, text))
}

fn read_write(service: &Key, behind: &[Server<'_>]) -> Vec<Judged> {
    let read_only = |server: &Server<'_>| server.now().and_then(|said| said.read_only);
    if behind.len() > 1 {
        let text = |server: &Server<'_>| {
            let others = count(behind.len() - 1, "other server");
            let text =
                format!("is behind the read-write Service {service}, as {others}: one alone should be");
            wrong(server, LinkState::Broken, text, service)
        };
        // One that takes writes alone is where it should lead.
        let writable = behind.iter().filter(|server| read_only(server) == Some(false)).count();
        let odd = behind.iter().filter(|server| writable > 1 || read_only(server) != Some(false));
        return odd.map(text).collect();
    }
    let refusing = behind.iter().filter(|server| read_only(server) == Some(true));
    let text = |server: &Server<'_>| {
        let text =
            format!("is where the read-write Service {service} leads, and is read-only: writes fail (1290)");
        wrong(server, LinkState::Broken, text, service)
    };
    refusing.map(text).collect()
}

fn read_only(service: &Key, server: &Server<'_>, servers: &[Server<'_>], found: &[Judged]) -> Option<Judged> {
    let stale = ["platform-replica-stopped", "platform-replica-errant", "platform-replica-lag"];
    let lags = |judged: &Judged| {
        judged.state == LinkState::Broken && judged.rule.is_some_and(|rule| stale.contains(&rule))
    };
    if found.iter().any(|judged| judged.key == *server.key && lags(judged)) {
        let text =
            format!("is still behind the read-only Service {service}: clients read what is old or strayed");
        return Some(wrong(server, LinkState::Warning, text, service));
    }
    let said = server.now()?;
    (said.read_only == Some(false)).then(|| {
        let what = if followers(server, servers) > 0 { "is the primary" } else { "takes writes" };
        let text = format!("{what} and behind the read-only Service {service}");
        wrong(server, LinkState::Warning, text, service)
    })
}

/// The servers that a Service leads to, as far as that is seen.
fn behind<'a>(seen: &Snapshot, service: &Key, servers: &[Server<'a>]) -> Vec<Server<'a>> {
    let here = |key: &Key| key.namespace == service.namespace;
    let slices = seen.endpoint_slices.values().filter(|slice| here(&slice.key));
    let slices = slices.filter(|slice| slice.service.as_ref() == Some(&service.name));
    let mut hosts: BTreeSet<&str> =
        slices.flat_map(|slice| &slice.elsewhere).map(|address| &**address).collect();
    let mut pods: BTreeSet<&str> = BTreeSet::new();
    if let Some(found) = seen.services.get(service) {
        hosts.extend(found.external.as_deref().map(|name| name.trim_end_matches('.')));
        if !found.selector.is_empty() {
            let matches = |labels: &crate::cluster::Labels| {
                found.selector.iter().all(|(name, value)| labels.get(name) == Some(value))
            };
            let all = seen.pods.items.range(Key::new(service.namespace.clone(), "")..).map(|(_, pod)| pod);
            let all = all.take_while(|pod| here(&pod.key)).filter(|pod| pod.ready && matches(&pod.labels));
            pods.extend(all.map(|pod| &*pod.key.name));
        }
    }
    let leads = |server: &&Server<'a>| {
        let address = &*server.wanted.address;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host.trim_matches(['[', ']']));
        hosts.contains(host) || host.split('.').next().is_some_and(|first| pods.contains(first))
    };
    servers.iter().filter(leads).copied().collect()
}

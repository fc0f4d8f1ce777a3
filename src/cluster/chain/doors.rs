//! Which Ingresses and HTTPRoutes lead to which tenant, and who claims the same host: worked out once for a snapshot.

use std::{
    cell::{Cell, OnceCell},
    collections::BTreeSet,
    sync::Arc,
};

use foldhash::{HashMap, HashMapExt, HashSet};
use jiff::Timestamp;

use super::Claimant;
use crate::cluster::{
    Certificate, EndpointSlice, Few, Ingress, IngressTls, Key, LabelSet, RouteParent, Service, ServicePoint,
    Snapshot, Tenant, TenantName, in_namespace,
};

/// EndpointSlices by Service.
pub(super) type Endpoints = HashMap<Key, Vec<Arc<EndpointSlice>>>;

/// Where a rule leads.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Aim {
    /// To a Service whose selector the pods of the tenant match.
    Tenant,
    /// There is no such Service.
    NoService,
    /// To a Service that selects no pod.
    Nobody,
    /// Services cannot be read, or it leads to something else than a Service.
    Unknown,
}

/// A host, and what leads it to a tenant.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) host: Arc<str>,
    pub(super) by: Claimant,
    /// Its paths, each with whether it is exact.
    pub(super) paths: Vec<(Arc<str>, bool)>,
    pub(super) point: Option<ServicePoint>,
    pub(super) aim: Aim,
    /// It leads there for sure, and not only because the tenant is alone in its namespace, or is called the same.
    pub(super) certain: bool,
}

/// Who claims a path of a host.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) by: Claimant,
    pub(super) created: Timestamp,
    pub(super) class: Option<Arc<str>>,
    /// The Service it leads to.
    pub(super) to: Option<Key>,
}

/// Host, path, and whether the path is exact.
type PathOfHost = (Arc<str>, Arc<str>, bool);

/// The host as it is shown: what stands for every host is `*`.
pub(super) fn shown(host: &Arc<str>) -> Arc<str> {
    if host.is_empty() { "*".into() } else { host.clone() }
}

/// The hosts of the listeners that a route asks for.
fn hosts_of_listeners(seen: &Snapshot, parent: &RouteParent) -> Vec<Arc<str>> {
    let gateway = seen.gateways.get(&parent.gateway);
    let listeners = gateway.iter().flat_map(|gateway| &gateway.listeners);
    let asked = listeners.filter(|(name, ..)| parent.section.as_ref().is_none_or(|section| section == name));
    asked.filter_map(|(_, host, _)| host.clone()).collect()
}

/// The ways from outside into the cluster.
#[derive(Debug, Default)]
pub struct Outside {
    doors: HashMap<TenantName, Vec<Door>>,
    claims: HashMap<PathOfHost, Vec<Claim>>,
    /// By namespace and Secret.
    certificates: HashMap<Key, Arc<Certificate>>,
    /// By Ingress.
    tls: HashMap<Key, TlsOf>,
    /// Somebody had to look which pods there are.
    pub(super) looked_at_pods: bool,
}

/// Which entry of an Ingress's `spec.tls` is for a host: the first that names it.
#[derive(Debug, Default)]
struct TlsOf {
    /// By host, and by wildcard.
    named: Few<Arc<str>, usize>,
    /// The first for all hosts.
    all: Option<usize>,
}

impl TlsOf {
    fn of(ingress: &Ingress) -> Self {
        let entries = || ingress.tls.iter().enumerate();
        // Of one host the last entry is kept: they are taken from behind.
        let named =
            entries().rev().flat_map(|(at, tls)| tls.hosts.iter().map(move |host| (host.clone(), at)));
        let all = entries().find(|(_, tls)| tls.hosts.is_empty());
        Self { named: named.collect(), all: all.map(|(at, _)| at) }
    }

    fn entry(&self, host: &str) -> Option<usize> {
        let wildcard = host.split_once('.').filter(|(first, _)| !first.is_empty());
        let wildcard = wildcard.and_then(|(_, rest)| self.named.get(&*format!("*.{rest}")));
        [self.named.get(host), wildcard, self.all.as_ref()].into_iter().flatten().min().copied()
    }
}

/// The tenants by what leads to them.
struct Tenants<'a> {
    seen: &'a Snapshot,
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<&'a Arc<Tenant>>>,
    by_namespace: HashMap<&'a str, Vec<&'a Arc<Tenant>>>,
    /// The labels that any pod has, or would have by a template; read when somebody asks for them.
    labels: OnceCell<HashSet<Labelled<'a>>>,
    looked_at_pods: Cell<bool>,
}

/// Namespace, key and value.
type Labelled<'a> = (&'a str, &'a str, &'a str);

fn selects(selector: &LabelSet, labels: &LabelSet) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

impl<'a> Tenants<'a> {
    fn of(seen: &'a Snapshot) -> Self {
        let (mut by_label, mut by_namespace) = (HashMap::new(), HashMap::new());
        for tenant in seen.tenants.values() {
            let namespace = &*tenant.workload.key.key.namespace;
            by_namespace.entry(namespace).or_insert_with(Vec::new).push(tenant);
            for (key, value) in tenant.workload.template_labels.iter() {
                by_label.entry((namespace, &**key, &**value)).or_insert_with(Vec::new).push(tenant);
            }
        }
        let (labels, looked_at_pods) = (OnceCell::new(), Cell::new(false));
        Self { seen, by_label, by_namespace, labels, looked_at_pods }
    }

    fn labels(&self) -> &HashSet<Labelled<'a>> {
        self.labels.get_or_init(|| {
            self.looked_at_pods.set(true);
            let pods = self.seen.pods.values().map(|pod| (&pod.key, &pod.labels));
            let workloads = [&self.seen.deployments, &self.seen.stateful_sets].into_iter();
            let workloads = workloads.flat_map(|all| all.values());
            let templates = workloads.map(|workload| (&workload.key.key, &workload.template_labels));
            let all = pods.chain(templates);
            all.flat_map(|(of, labels)| labels.iter().map(|(key, value)| (&*of.namespace, &**key, &**value)))
                .collect()
        })
    }

    /// The tenant whose pods a Service selects, where it is one alone.
    fn behind(&self, service: &'a Service) -> Option<&'a Arc<Tenant>> {
        let namespace = &*service.key.namespace;
        let of = |(key, value): (&'a Arc<str>, &'a Arc<str>)| {
            self.by_label.get(&(namespace, &**key, &**value)).map_or(&[][..], |all| all.as_slice())
        };
        let fewest = service.selector.iter().map(of).min_by_key(|all| all.len())?;
        let labels = |tenant: &&&Arc<Tenant>| selects(&service.selector, &tenant.workload.template_labels);
        let mut all = fewest.iter().filter(labels);
        all.next().filter(|_| all.next().is_none()).copied()
    }

    /// Whether any pod is selected, or would be by a template.
    fn anybody(&self, service: &Service) -> bool {
        let namespace = &*service.key.namespace;
        let selector = &service.selector;
        // A label that nobody has is the rule here: then nobody is looked through.
        let has = |(key, value): (&Arc<str>, &Arc<str>)| {
            let labels = self.labels();
            labels.contains(&(namespace, &**key, &**value))
        };
        if !selector.iter().all(has) {
            return false;
        }
        in_namespace(&self.seen.pods, namespace).any(|pod| selects(selector, &pod.labels))
            || [&self.seen.deployments, &self.seen.stateful_sets].into_iter().any(|all| {
                in_namespace(all, namespace).any(|workload| selects(selector, &workload.template_labels))
            })
    }

    /// Whose it is by its namespace and its names, where what it leads to does not tell.
    fn named(&self, namespace: &str, names: [&str; 2]) -> Option<&'a Arc<Tenant>> {
        match self.by_namespace.get(namespace)?.as_slice() {
            [alone] => Some(*alone),
            several => several.iter().find(|tenant| names.contains(&&*tenant.workload.key.key.name)).copied(),
        }
    }

    /// The tenant that a point leads to, where, and whether that is certain. `None`: to something else.
    fn at(&self, by: &Claimant, point: Option<&ServicePoint>) -> Option<(&'a Arc<Tenant>, Aim, bool)> {
        let Some(point) = point else {
            return Some((self.named(&by.key.namespace, [&*by.key.name; 2])?, Aim::Unknown, false));
        };
        let key = point.key(&by.key.namespace);
        let guess = |aim: Aim| Some((self.named(&key.namespace, [&*key.name, &*by.key.name])?, aim, false));
        let Some(service) = self.seen.services.get(&key) else {
            let unread = self.seen.services.unreadable.contains_key(&key);
            let known = self.seen.services.freshness.is_known() && !unread;
            return guess(if known { Aim::NoService } else { Aim::Unknown });
        };
        if service.external.is_some() || service.selector.is_empty() {
            return None;
        }
        if let Some(tenant) = self.behind(service) {
            return Some((tenant, Aim::Tenant, true));
        }
        if self.anybody(service) {
            return None;
        }
        self.looked_at_pods.set(true);
        let pods = &self.seen.pods;
        let unread = pods.unreadable.keys().any(|key| *key.namespace == *service.key.namespace);
        guess(if pods.freshness.is_known() && !unread { Aim::Nobody } else { Aim::Unknown })
    }
}

impl ServicePoint {
    /// The Service, from something in that namespace.
    pub(super) fn key(&self, namespace: &Arc<str>) -> Key {
        Key::new(self.namespace.clone().unwrap_or_else(|| namespace.clone()), self.service.clone())
    }
}

impl Outside {
    /// The ways of a snapshot, worked out once for it.
    pub fn of(seen: &Snapshot) -> Arc<Self> {
        seen.outside.ways(seen)
    }

    pub(super) fn derive(seen: &Snapshot) -> Self {
        let mut all = Self::default();
        if !seen.leads_outside() {
            return all;
        }
        let tenants = Tenants::of(seen);
        for certificate in seen.certificates.values() {
            let key = Key::new(certificate.key.namespace.clone(), certificate.secret.clone());
            all.certificates.insert(key, certificate.clone());
        }
        for ingress in seen.ingresses.values() {
            if !ingress.tls.is_empty() {
                all.tls.insert(ingress.key.clone(), TlsOf::of(ingress));
            }
            let by = Claimant { kind: "Ingress", key: ingress.key.clone() };
            let class = ingress.class.as_ref().or(ingress.annotated.as_ref());
            for path in &ingress.paths {
                let to = path.backend.as_ref().map(|point| point.key(&ingress.key.namespace));
                if !path.host.is_empty() && !ingress.canary {
                    let claim = Claim { by: by.clone(), created: ingress.created, class: class.cloned(), to };
                    all.claim((path.host.clone(), path.path.clone(), path.exact), claim);
                }
                if !ingress.canary {
                    all.open(&tenants, &by, &path.host, (&path.path, path.exact), path.backend.as_ref());
                }
            }
        }
        // A route without a Gateway, as of a service mesh, is no way from outside.
        for route in seen.http_routes.values().filter(|route| !route.parents.is_empty()) {
            let by = Claimant { kind: "HTTPRoute", key: route.key.clone() };
            let root: Arc<str> = "/".into();
            let mut hosts: BTreeSet<Arc<str>> = route.hosts.iter().cloned().collect();
            if hosts.is_empty() {
                hosts = route.parents.iter().flat_map(|parent| hosts_of_listeners(seen, parent)).collect();
            }
            if hosts.is_empty() {
                hosts.insert("".into());
            }
            for (host, point) in hosts.iter().flat_map(|host| route.backends.iter().map(move |p| (host, p))) {
                all.open(&tenants, &by, host, (&root, false), Some(point));
            }
        }
        all.looked_at_pods = tenants.looked_at_pods.get();
        all.shrink();
        all
    }

    /// Gives back the room that was taken for doors and claims that did not come.
    fn shrink(&mut self) {
        for doors in self.doors.values_mut() {
            doors.shrink_to_fit();
            doors.iter_mut().for_each(|door| door.paths.shrink_to_fit());
        }
        self.claims.values_mut().for_each(Vec::shrink_to_fit);
    }

    fn claim(&mut self, place: PathOfHost, claim: Claim) {
        let all = self.claims.entry(place).or_default();
        // The paths of an object come one after another.
        if all.last().is_none_or(|last| last.by != claim.by) {
            all.push(claim);
        }
    }

    fn open(
        &mut self,
        tenants: &Tenants<'_>,
        by: &Claimant,
        host: &Arc<str>,
        (path, exact): (&Arc<str>, bool),
        point: Option<&ServicePoint>,
    ) {
        let Some((tenant, aim, certain)) = tenants.at(by, point) else { return };
        let doors = self.doors.entry(tenant.name.clone()).or_default();
        // The paths of a host stand together: those of the same object and host are the last.
        let mut last = doors.iter_mut().rev().take_while(|door| door.by == *by && door.host == *host);
        match last.find(|door| door.point.as_ref() == point) {
            Some(door) => door.paths.push((path.clone(), exact)),
            None => doors.push(Door {
                host: host.clone(),
                by: by.clone(),
                paths: vec![(path.clone(), exact)],
                point: point.cloned(),
                aim,
                certain,
            }),
        }
    }

    pub(super) fn doors_of(&self, tenant: &TenantName) -> &[Door] {
        self.doors.get(tenant).map_or(&[], Vec::as_slice)
    }

    /// What leads to a tenant: hosts, each once; `*` is every one that nothing else names.
    pub fn hosts_of(&self, tenant: &TenantName) -> Vec<Arc<str>> {
        let mut hosts: Vec<_> = self.doors_of(tenant).iter().map(|door| shown(&door.host)).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// The hosts that lead to tenants that are to be reached, but those that stand for many.
    pub fn hosts(seen: &Snapshot) -> BTreeSet<Arc<str>> {
        let outside = Self::of(seen);
        let wanted = seen.tenants.values().filter(|tenant| tenant.desired() > 0);
        let doors = wanted.flat_map(|tenant| outside.doors_of(&tenant.name));
        let hosts = doors.map(|door| door.host.clone());
        hosts.filter(|host| !host.is_empty() && !host.contains('*')).collect()
    }

    pub(super) fn claims_on(&self, host: &Arc<str>, path: &(Arc<str>, bool)) -> &[Claim] {
        self.claims.get(&(host.clone(), path.0.clone(), path.1)).map_or(&[], Vec::as_slice)
    }

    /// Until when the certificates are valid that cert-manager keeps for the Ingresses of a tenant.
    pub(super) fn until(&self, seen: &Snapshot, tenant: &TenantName) -> Option<Timestamp> {
        let ingresses = self.doors_of(tenant).iter().filter_map(|door| seen.ingresses.get(&door.by.key));
        let secrets = ingresses.flat_map(|ingress| {
            let secrets = ingress.tls.iter().filter_map(|entry| entry.secret.clone());
            secrets.map(|secret| Key::new(ingress.key.namespace.clone(), secret)).collect::<Vec<_>>()
        });
        secrets.filter_map(|secret| self.certificate(&secret)?.not_after).min()
    }

    /// The entry of an Ingress's `spec.tls` for a host.
    pub(super) fn tls<'i>(&self, ingress: &'i Ingress, host: &str) -> Option<&'i IngressTls> {
        ingress.tls.get(self.tls.get(&ingress.key)?.entry(host)?)
    }

    pub(super) fn certificate(&self, secret: &Key) -> Option<&Arc<Certificate>> {
        self.certificates.get(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_first_entry_that_is_for_it() {
        let entry =
            |hosts: &[&str]| IngressTls { hosts: hosts.iter().map(|h| (*h).into()).collect(), secret: None };
        let tls = [&["b.example.com"][..], &["a.example.com"], &[], &["*.example.com"]].map(entry).into();
        let ingress = Ingress { tls, ..Ingress::bare(Key::new("acme", "web")) };
        let twice = Ingress { tls: [&ingress.tls[..], &[entry(&["a.example.com"])]].concat(), ..ingress };
        let tls = TlsOf::of(&twice);
        let entries =
            ["b.example.com", "a.example.com", "c.example.com", "x.org"].map(|host| tls.entry(host));
        assert_eq!(entries, [Some(0), Some(1), Some(2), Some(2)]);
    }
}

//! The links of one way, each judged by what is seen of it.

use std::sync::Arc;

use foldhash::HashMap;
use imbl::OrdMap;
use jiff::{SignedDuration, Timestamp};

use super::{
    Fault, Link, Outside, Part, Route,
    doors::{Aim, Claim, Door, Endpoints, shown},
    front::Front,
    said::{CERTIFICATE, CLAIMED_TWICE, Holds, NO_CLASS, Said, UNREACHABLE},
};
use crate::cluster::{
    Certificate, ClaimPhase, ConditionState, Database, Ingress, IngressClass, Key, LinkState, PortName,
    RouteParent, Service, ServicePoint, Snapshot, Tenant, TenantName, Term,
    term::covers,
    words::{age, count},
};

/// Endpoints follow pods: within this time a ready pod that is no endpoint is only on its way.
const FOLLOWS_WITHIN: SignedDuration = SignedDuration::from_secs(30);
/// Names told in a sentence.
const NAMED: usize = 3;
/// The controller that is known to serve the older of two.
const INGRESS_NGINX: &str = "k8s.io/ingress-nginx";

/// Requests end here.
fn is_end(link: &Link) -> bool {
    link.state == LinkState::Broken
}

/// The same, said of what may be somebody else's.
fn milder(link: Link) -> Link {
    Link { state: link.state.min(LinkState::Warning), ..link }
}

/// What is worked out once for all ways of a snapshot.
#[derive(Clone, Debug)]
struct Known {
    outside: Arc<Outside>,
    endpoints: Arc<Endpoints>,
    front: Arc<Front>,
}

impl Known {
    fn of(seen: &Snapshot) -> Self {
        Self {
            outside: Outside::of(seen),
            endpoints: seen.outside.endpoints(seen),
            front: seen.outside.front(seen),
        }
    }

    /// Whether nothing of it was worked out again.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.outside, &other.outside)
            && Arc::ptr_eq(&self.endpoints, &other.endpoints)
            && Arc::ptr_eq(&self.front, &other.front)
    }
}

/// The ways to a tenant, each with all its links.
pub(super) fn routes(seen: &Snapshot, tenant: &Tenant) -> Vec<Route> {
    let known = Known::of(seen);
    let route = |door: &Door| Route {
        host: shown(&door.host),
        by: door.by.clone(),
        path: door.paths.first().map_or_else(|| "/".into(), |(path, _)| path.clone()),
        links: links(seen, &known, tenant, door),
    };
    known.outside.doors_of(&tenant.name).iter().map(route).collect()
}

/// What was found wrong on the ways to each tenant, to be told again as long as it holds.
#[derive(Debug, Default)]
pub(super) struct Judged {
    basis: Option<Basis>,
    tenants: HashMap<TenantName, (Arc<Tenant>, Holds, Vec<Fault>)>,
}

/// What the ways to all tenants are judged by, as it was then. What the ways themselves rest on is in them.
#[derive(Debug)]
struct Basis {
    known: Known,
    classes: OrdMap<Arc<str>, Arc<IngressClass>>,
    unread_classes: OrdMap<Arc<str>, Arc<str>>,
    unread_slices: OrdMap<Key, Arc<str>>,
    /// Whether IngressClasses and EndpointSlices are known, the latter as they are now, and whether anybody looks from
    /// outside.
    read: [bool; 4],
}

impl Basis {
    fn read(seen: &Snapshot) -> [bool; 4] {
        let slices = &seen.endpoint_slices.freshness;
        let classes = seen.ingress_classes.freshness.is_known();
        [classes, slices.is_known(), slices.is_live(), seen.around.looks()]
    }

    fn of(seen: &Snapshot, known: &Known) -> Self {
        let classes = &seen.ingress_classes;
        Self {
            known: known.clone(),
            classes: classes.items.clone(),
            unread_classes: classes.unreadable.clone(),
            unread_slices: seen.endpoint_slices.unreadable.clone(),
            read: Self::read(seen),
        }
    }

    /// Whether it is the same in a snapshot.
    fn is_that_of(&self, seen: &Snapshot, known: &Known) -> bool {
        self.known.is(known)
            && self.classes.ptr_eq(&seen.ingress_classes.items)
            && self.unread_classes.ptr_eq(&seen.ingress_classes.unreadable)
            && self.unread_slices.ptr_eq(&seen.endpoint_slices.unreadable)
            && self.read == Self::read(seen)
    }
}

/// What is wrong on the ways to all tenants that are to be reached. A tenant is judged again where that may come out
/// otherwise than the last time.
pub(super) fn all_faults(seen: &Snapshot, judged: &mut Judged) -> Vec<Fault> {
    if !seen.leads_outside() {
        *judged = Judged::default();
        return Vec::new();
    }
    let known = Known::of(seen);
    if !judged.basis.as_ref().is_some_and(|basis| basis.is_that_of(seen, &known)) {
        *judged = Judged { basis: Some(Basis::of(seen, &known)), tenants: HashMap::default() };
    }
    let (mut all, mut wanted) = (Vec::new(), 0);
    for tenant in seen.tenants.values().filter(|tenant| tenant.desired() > 0) {
        wanted += 1;
        if let Some((of, holds, faults)) = judged.tenants.get(&tenant.name)
            && Arc::ptr_eq(of, tenant)
            && holds.at(seen.at)
        {
            all.extend_from_slice(faults);
            continue;
        }
        let (holds, faults) = tenant_faults(seen, &known, tenant);
        all.extend_from_slice(&faults);
        judged.tenants.insert(tenant.name.clone(), (tenant.clone(), holds, faults));
    }
    if judged.tenants.len() > wanted {
        let wanted = |name: &TenantName| seen.tenants.get(name).is_some_and(|tenant| tenant.desired() > 0);
        judged.tenants.retain(|name, _| wanted(name));
    }
    all
}

/// What is wrong on the ways to a tenant.
fn tenant_faults(seen: &Snapshot, known: &Known, tenant: &Tenant) -> (Holds, Vec<Fault>) {
    let doors = known.outside.doors_of(&tenant.name);
    let mut holds = Holds::WhileGood(Vec::new());
    let mut found = Vec::with_capacity(doors.len());
    for door in doors {
        let mut said = said(seen, known, tenant, door, false);
        said.links.retain(|link| link.rule.is_some());
        holds = holds.and(said.holds);
        found.push(said.links);
    }
    let intact = found.iter().any(|faults| !faults.iter().any(is_end));
    let faults = doors.iter().zip(found).flat_map(|(door, faults)| {
        // What is only guessed to be the tenant's does not take it down while another way is whole.
        let mild = intact && !door.certain;
        faults.into_iter().map(move |link| Fault {
            tenant: tenant.name.clone(),
            host: shown(&door.host),
            link: if mild { milder(link) } else { link },
        })
    });
    (holds, faults.collect())
}

/// The worst of all links of the ways to a tenant, and of those the first: none where all of them hold.
pub(super) fn worst(seen: &Snapshot, tenant: &Tenant) -> Option<(LinkState, Part)> {
    let known = Known::of(seen);
    let doors = known.outside.doors_of(&tenant.name).iter();
    let links = doors.flat_map(|door| said(seen, &known, tenant, door, false).links);
    let links = links.chain(behind(seen, tenant, false)).filter(|link| link.state > LinkState::Unknown);
    links.map(|link| (link.state, link.part)).min_by_key(|(state, part)| (std::cmp::Reverse(*state), *part))
}

/// All links of a way, from outside to the endpoints.
fn links(seen: &Snapshot, known: &Known, tenant: &Tenant, door: &Door) -> Vec<Link> {
    said(seen, known, tenant, door, true).links
}

fn said(seen: &Snapshot, known: &Known, tenant: &Tenant, door: &Door, all: bool) -> Said {
    let outside = &known.outside;
    let mut said = Said::new(all);
    if seen.around.looks() {
        said.at_that_moment();
    }
    let ingress = seen.ingresses.get(&door.by.key).filter(|_| door.by.kind == "Ingress");
    let requested = ingress.and_then(|ingress| requested(outside, ingress, door));
    known.front.links(seen, tenant, &door.host, requested, &mut said);
    match ingress {
        Some(ingress) => {
            rule(seen, outside, door, &mut said);
            class(seen, ingress, &mut said);
            tls(seen, outside, ingress, door, &mut said);
        }
        None => gateways(seen, door, &mut said),
    }
    service(seen, &known.endpoints, tenant, door, &mut said);
    known.front.application(seen, tenant, &door.host, &mut said);
    said
}

/// The certificate that cert-manager keeps for a host of an Ingress.
fn requested<'a>(outside: &'a Outside, ingress: &Ingress, door: &Door) -> Option<&'a Certificate> {
    let secret = outside.tls(ingress, &door.host)?.secret.as_ref()?;
    outside.certificate(&Key::new(ingress.key.namespace.clone(), secret.clone())).map(|found| &**found)
}

/// The rule, and who else claims the same.
fn rule(seen: &Snapshot, outside: &Outside, door: &Door, said: &mut Said) {
    // Who is before it decides: of its own class the oldest.
    let before = |own: &Claim, other: &Claim| (other.class != own.class, other.created, other.by.key.clone());
    let claims = door.paths.iter().filter_map(|path| {
        let all = outside.claims_on(&door.host, path);
        let own = all.iter().find(|claim| claim.by == door.by)?;
        // Two that lead to the same Service do not contradict each other.
        let others = all.iter().filter(|one| one.by != door.by && (one.to != own.to || own.to.is_none()));
        Some((own, others.min_by_key(|other| before(own, other))?))
    });
    let claims = claims.min_by_key(|(own, other)| before(own, other));
    let Some((own, other)) = claims else {
        said.ok(Part::Rule, || {
            let path = door.paths.first().map_or("/", |(path, _)| &**path);
            let more = match door.paths.len() {
                0 | 1 => String::new(),
                n => format!(" and {}", count(n - 1, "more path")),
            };
            format!("{} leads {}{path}{more} there", door.by, shown(&door.host))
        });
        return;
    };
    let host = shown(&door.host);
    let controller = |claim: &Claim| {
        let class = seen.ingress_classes.get(claim.class.as_ref()?)?;
        Some(class.controller.clone())
    };
    let nginx = controller(own).is_some_and(|controller| &*controller == INGRESS_NGINX);
    let same = own.class == other.class && nginx;
    let order = |claim: &Claim| (claim.created, claim.by.key.clone());
    let (state, text) = match (same, order(other) < order(own)) {
        (true, true) => {
            (LinkState::Broken, format!("requests go to {}, which claims it too and is older", other.by))
        }
        (true, false) => (
            LinkState::Warning,
            format!("claimed by {} too: this one is older and gets the requests", other.by),
        ),
        (false, _) if own.class == other.class => (
            LinkState::Warning,
            format!(
                "claimed by {} too: which of the two gets the requests, their controller decides",
                other.by
            ),
        ),
        (false, _) => {
            let class =
                other.class.as_deref().map_or("no class".to_owned(), |class| format!("class {class}"));
            let text = format!(
                "claimed by {} ({class}) too: who gets the requests is decided by where {host} leads",
                other.by
            );
            (LinkState::Warning, text)
        }
    };
    let remedy = format!("take {host} out of one of the two: {} or {}", own.by.edit(), other.by.edit());
    let since = own.created.max(other.created);
    let link = said.fault(CLAIMED_TWICE, Part::Rule, state, text);
    link.since = Some(since);
    link.mend(remedy);
}

/// The class of an Ingress: whether there is one.
fn class(seen: &Snapshot, ingress: &Ingress, said: &mut Said) {
    let Some(name) = &ingress.class else {
        let annotated = ingress.annotated.as_ref();
        said.unknown(Part::Class, || match annotated {
            Some(class) => format!("class {class}, by annotation: which controllers go by it is not known"),
            None => "no class: only a controller that takes Ingresses without one serves it".to_owned(),
        });
        return;
    };
    if let Some(class) = seen.ingress_classes.get(name) {
        said.ok(Part::Class, || format!("class {name} of {}", class.controller));
        return;
    }
    let unread = seen.ingress_classes.unreadable.contains_key(name);
    if !seen.ingress_classes.freshness.is_known() || unread {
        said.unknown(Part::Class, || format!("class {name}: IngressClasses are not read"));
        return;
    }
    let names: Vec<_> = seen.ingress_classes.items.keys().take(NAMED).map(|name| &**name).collect();
    let there =
        if names.is_empty() { "there is none".into() } else { format!("there is {}", names.join(", ")) };
    let text =
        format!("there is no IngressClass {name}: no controller that goes by IngressClasses serves it");
    said.fault(NO_CLASS, Part::Class, LinkState::Warning, text).mend(format!(
        "set spec.ingressClassName to one that is there ({there}): `kubectl -n {} edit ingress {}`",
        ingress.key.namespace, ingress.key.name
    ));
}

/// The certificate of an Ingress. Its Secret is never read.
fn tls(seen: &Snapshot, outside: &Outside, ingress: &Ingress, door: &Door, said: &mut Said) {
    let Some(entry) = outside.tls(ingress, &door.host) else { return };
    let Some(secret) = &entry.secret else {
        said.unknown(Part::Tls, || "the default certificate of its controller".to_owned());
        return;
    };
    let key = Key::new(ingress.key.namespace.clone(), secret.clone());
    match outside.certificate(&key) {
        Some(certificate) => issued(seen.at, certificate, said),
        None => said.unknown(Part::Tls, || format!("its certificate is in Secret {key}, which is not read")),
    }
}

/// A certificate that cert-manager keeps: by its dates, whatever the condition Ready says.
fn issued(now: Timestamp, certificate: &Certificate, said: &mut Said) {
    let name = format!("Certificate {}", certificate.key);
    let failed = certificate.failed.as_ref().map(|(at, why)| {
        let first = why.lines().next().unwrap_or_default().trim_end_matches([':', ' ']);
        format!("; the attempt {} ago failed: {first}", age(now, *at))
    });
    let failed = failed.unwrap_or_default();
    let Some(not_after) = certificate.not_after else {
        said.unknown(Part::Tls, || format!("{name} has not been issued yet{failed}"));
        return;
    };
    let term = Term::of(certificate.not_before, not_after, now);
    let text = format!("{name} {}{failed}", term.words(certificate.not_before, not_after, now));
    let state = match term {
        Term::Good => {
            said.while_good(certificate.not_before, not_after);
            return said.ok(Part::Tls, || text);
        }
        Term::Overdue => LinkState::Notice,
        Term::Ending | Term::NotYet => LinkState::Warning,
        Term::Over => LinkState::Broken,
    };
    said.at_that_moment();
    let since = (term == Term::Over).then_some(not_after);
    let link = said.fault(CERTIFICATE, Part::Tls, state, text);
    link.since = since;
    link.mend(format!(
        "read why it is not renewed: `kubectl -n {} describe certificate {}`",
        certificate.key.namespace, certificate.key.name
    ));
}

/// The Gateways of an HTTPRoute: whether one takes it up, and whether that one has what it needs.
fn gateways(seen: &Snapshot, door: &Door, said: &mut Said) {
    let route = seen.http_routes.get(&door.by.key);
    let Some((route, first)) = route.and_then(|route| Some((route, route.parents.first()?))) else { return };
    said.ok(Part::Rule, || format!("{} leads {} there", door.by, shown(&door.host)));
    let look = |what: &str| {
        format!("read what its controller says: `kubectl -n {} describe {what}`", route.key.namespace)
    };
    let httproute = format!("httproute {}", route.key.name);
    // One Gateway that serves it is enough.
    let serves = |parent: &&RouteParent| {
        parent.accepted == ConditionState::Holds && !matches!(parent.resolved, ConditionState::Fails(_))
    };
    // One that has not judged it yet may.
    let open = |parent: &&RouteParent| {
        parent.accepted == ConditionState::Unknown && !matches!(parent.resolved, ConditionState::Fails(_))
    };
    let parents = || route.parents.iter();
    let parent = parents().find(serves).or_else(|| parents().find(open)).unwrap_or(first);
    let gateway = &parent.gateway;
    match (&parent.accepted, &parent.resolved) {
        (ConditionState::Fails(why), _) => {
            let text = format!("Gateway {gateway} does not accept it: {why}");
            return said.end(Part::Class, text).mend(look(&httproute));
        }
        // It is said of the whole route: the others of its backends may be whole.
        (_, ConditionState::Fails(why)) => {
            let text = format!("not all that it refers to is resolved: {why}");
            said.fault(UNREACHABLE, Part::Class, LinkState::Warning, text).mend(look(&httproute));
        }
        (ConditionState::Unknown, _) => {
            said.unknown(Part::Class, || format!("Gateway {gateway}: no controller has judged it yet"));
        }
        (ConditionState::Holds, _) => said.ok(Part::Class, || format!("Gateway {gateway} accepts it")),
    }
    let Some(found) = seen.gateways.get(gateway) else { return };
    let describe = format!(
        "read what its controller says: `kubectl -n {} describe gateway {}`",
        gateway.namespace, gateway.name
    );
    if let ConditionState::Fails(why) = &found.programmed {
        said.end(Part::Class, format!("Gateway {gateway} is not in force: {why}")).mend(describe.clone());
    }
    let asked = |(name, host, _): &&(Arc<str>, Option<Arc<str>>, ConditionState)| {
        let named = parent.section.as_ref().is_none_or(|section| section == name);
        named && host.as_ref().is_none_or(|host| door.host.is_empty() || covers(host, &door.host))
    };
    for (name, _, resolved) in found.listeners.iter().filter(asked) {
        if let ConditionState::Fails(why) = resolved {
            let text =
                format!("listener {name} of Gateway {gateway} does not resolve what it refers to: {why}");
            said.end(Part::Tls, text).mend(describe.clone());
        }
    }
}

/// The Service, its port and its endpoints.
fn service(seen: &Snapshot, endpoints: &Endpoints, tenant: &Tenant, door: &Door, said: &mut Said) {
    let Some(point) = &door.point else {
        said.unknown(Part::Service, || format!("{} leads to something else than a Service", door.by));
        return;
    };
    let key = point.key(&door.by.key.namespace);
    let edit = door.by.edit();
    match (&door.aim, seen.services.get(&key)) {
        (Aim::Unknown, _) => {
            said.unknown(Part::Service, || format!("Service {key}: Services are not read"));
        }
        (Aim::NoService, _) | (_, None) => {
            let text = format!("there is no Service {key}");
            said.end(Part::Service, text).mend(format!("make it, or name another: {edit}"));
        }
        (Aim::Nobody, Some(service)) => {
            let labels: Vec<_> =
                service.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let text = format!("Service {key} selects {}, and no pod has these labels", labels.join(", "));
            let line = format!("`kubectl -n {} edit service {}`", key.namespace, key.name);
            said.end(Part::Service, text).mend(format!("correct its selector: {line}"));
        }
        (Aim::Tenant, Some(service)) => port(seen, endpoints, tenant, (service, point), &edit, said),
    }
}

fn named(port: &crate::cluster::ServicePort) -> String {
    if port.name.is_empty() { port.port.to_string() } else { format!("{} ({})", port.name, port.port) }
}

fn port(
    seen: &Snapshot,
    endpoints: &Endpoints,
    tenant: &Tenant,
    (service, point): (&Service, &ServicePoint),
    edit: &str,
    said: &mut Said,
) {
    let key = &service.key;
    let is = |port: &&crate::cluster::ServicePort| match &point.port {
        Some(PortName::Name(name)) => port.name == *name,
        Some(PortName::Number(number)) => port.port == *number,
        None => true,
    };
    let Some(port) = service.ports.iter().find(is) else {
        if service.ports.is_empty() {
            return said.unknown(Part::Service, || format!("the ports of Service {key} are not known"));
        }
        let ports: Vec<_> = service.ports.iter().take(NAMED).map(named).collect();
        let asked = point.port.as_ref().map_or(String::new(), |port| format!(" {port}"));
        let text = format!("Service {key} has no port{asked}, only {}", ports.join(", "));
        return said.end(Part::Service, text).mend(format!("name a port that it has: {edit}"));
    };
    said.ok(Part::Service, || format!("port {} of Service {key}", named(port)));
    if !seen.endpoint_slices.freshness.is_known() {
        said.unknown(Part::Endpoints, || "EndpointSlices are not read".to_owned());
        return;
    }
    let (mut total, mut ready, mut without) = (0, 0, 0);
    for slice in endpoints.get(key).into_iter().flatten() {
        if slice.ports.contains(&port.name) {
            (total, ready) = (total + slice.total, ready + slice.ready);
        } else {
            without += slice.ready;
        }
    }
    if ready > 0 {
        said.ok(Part::Endpoints, || format!("{ready} of {} ready", count(total, "endpoint")));
        return;
    }
    let slices = &seen.endpoint_slices;
    let unread = slices.unreadable.keys().any(|one| one.namespace == key.namespace);
    if !slices.freshness.is_live() || unread {
        return said.unknown(Part::Endpoints, || "not all EndpointSlices are read".to_owned());
    }
    if without > 0 {
        let text = format!(
            "port {} of Service {key} leads to port {} of the pods, which none of them has",
            named(port),
            port.target
        );
        let line = format!("`kubectl -n {} edit service {}`", key.namespace, key.name);
        return said.end(Part::Endpoints, text).mend(format!("correct its targetPort: {line}"));
    }
    said.at_that_moment();
    let settled = tenant.active().filter(|pod| {
        pod.ready && pod.ready_since.is_some_and(|since| seen.at.duration_since(since) > FOLLOWS_WITHIN)
    });
    match (settled.count(), tenant.ready(), tenant.desired()) {
        (0, 0, 0) => said.unknown(Part::Endpoints, || "none: no pod is wanted".to_owned()),
        // The pods say why, in findings of their own.
        (0, 0, _) => {
            said.say(Part::Endpoints, LinkState::Broken, || format!("no endpoint of Service {key} is ready"))
        }
        (0, ..) => said.unknown(Part::Endpoints, || "the pods are not endpoints yet".to_owned()),
        (pods, ..) => {
            let are = if pods == 1 { "is" } else { "are" };
            let text = format!("no endpoint of Service {key} is ready, though {} {are}", count(pods, "pod"));
            let line = format!("`kubectl -n {} get endpointslices -o wide`", key.namespace);
            said.end(Part::Endpoints, text).mend(format!("compare them with the pods: {line}"));
        }
    }
}

/// What all ways lead to: the pods, and what these need.
pub(super) fn behind(seen: &Snapshot, tenant: &Tenant, all: bool) -> Vec<Link> {
    let mut said = Said::new(all);
    let (ready, desired) = (tenant.ready(), tenant.desired());
    let pods = match ready {
        _ if desired == 0 => LinkState::Unknown,
        0 if tenant.unread > 0 => LinkState::Unknown,
        0 => LinkState::Broken,
        n if n < desired => LinkState::Warning,
        _ => LinkState::Ok,
    };
    said.say(Part::Pods, pods, || match desired {
        0 => "parked: no pod is wanted".to_owned(),
        _ => format!("{ready} of {} ready", count(desired, "pod")),
    });
    volumes(seen, tenant, &mut said);
    if let Some(database) = Database::of(seen) {
        let heard = database.members.iter().any(|row| row.now().is_some());
        let state = match (&database.view, heard) {
            (Some(_), _) => LinkState::Ok,
            (None, true) => LinkState::Broken,
            (None, false) => LinkState::Unknown,
        };
        let state = if database.members.is_empty() { LinkState::Unknown } else { state };
        said.say(Part::Database, state, || database.headline());
    }
    said.links
}

/// The claims of its pods: one that is lost, or still waits for its volume.
fn volumes(seen: &Snapshot, tenant: &Tenant, said: &mut Said) {
    let mut names: Vec<Arc<str>> = Vec::new();
    for pod in tenant.active() {
        names.extend(pod.spec.volumes.iter().filter_map(|volume| volume.claim(&pod.key.name)));
    }
    names.sort();
    names.dedup();
    if names.is_empty() {
        return;
    }
    if !seen.claims.freshness.is_known() {
        return said.unknown(Part::Volume, || "PersistentVolumeClaims are not read".to_owned());
    }
    let namespace = &tenant.workload.key.key.namespace;
    let of = |name: &Arc<str>| {
        let key = Key::new(namespace.clone(), name.clone());
        match seen.claims.get(&key).map(|claim| claim.phase) {
            Some(ClaimPhase::Bound) => None,
            Some(phase) => Some(format!("claim {name} is {phase}")),
            None => Some(format!("there is no claim {name}")),
        }
    };
    let unread =
        |name: &&Arc<str>| seen.claims.unreadable.contains_key(&Key::new(namespace.clone(), (*name).clone()));
    let read = names.iter().filter(|name| !unread(name));
    match read.clone().find_map(of) {
        Some(text) => said.say(Part::Volume, LinkState::Broken, || text),
        None if read.count() < names.len() => {
            said.unknown(Part::Volume, || "not all PersistentVolumeClaims are read".to_owned());
        }
        None => said.ok(Part::Volume, || format!("{} bound", count(names.len(), "claim"))),
    }
}

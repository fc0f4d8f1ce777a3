//! The way from a host name to the pods of a tenant, link after link, and which link is broken first. Pure.
//!
//! What is not seen (Ingresses that may not be read, Secrets, which are never read) is not known, and never wrong. What
//! is not there (no Ingress at all) is no fault: the way may lead past the cluster's objects.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{Key, LinkState, Snapshot, Tenant, TenantName};

mod derived;
mod doors;
mod front;
mod judge;
mod said;

pub(super) use derived::Derived;
pub use doors::Outside;

/// A link of the way, from outside to inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The resolver: where the name leads.
    Dns,
    /// The edges.
    Edge,
    /// What the edges present and answer.
    Served,
    /// The ingress nodes.
    IngressNode,
    /// The Ingress or HTTPRoute that names the host.
    Rule,
    /// Its IngressClass, or its Gateway: who carries it out.
    Class,
    /// The certificate.
    Tls,
    /// The Service, and its port.
    Service,
    /// The endpoints of the Service.
    Endpoints,
    /// What the application answers.
    Application,
    /// The pods of the tenant.
    Pods,
    /// The volumes they need.
    Volume,
    /// The database.
    Database,
}

impl Part {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Edge => "edge",
            Self::Served => "served",
            Self::IngressNode => "node",
            Self::Application => "app",
            Self::Rule => "rule",
            Self::Class => "class",
            Self::Tls => "TLS",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::Pods => "pods",
            Self::Volume => "volume",
            Self::Database => "database",
        }
    }
}

/// A link, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Which one.
    pub part: Part,
    /// How it is.
    pub state: LinkState,
    /// In a sentence.
    pub text: String,
    /// Since when, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The rule that tells it as a finding; `None`: another one does, or it is none.
    #[serde(skip)]
    pub(super) rule: Option<&'static str>,
}

/// What names a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Claimant {
    /// `Ingress` or `HTTPRoute`.
    pub kind: &'static str,
    /// Namespace and name.
    #[serde(flatten)]
    pub key: Key,
}

impl std::fmt::Display for Claimant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

impl Claimant {
    /// The line that edits it.
    fn edit(&self) -> String {
        let kind = if self.kind == "Ingress" { "ingress" } else { "httproute" };
        format!("`kubectl -n {} edit {kind} {}`", self.key.namespace, self.key.name)
    }
}

/// The way from one host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    /// The host; `*`: every one that nothing else names.
    pub host: Arc<str>,
    /// What names it.
    pub by: Claimant,
    /// The first path that leads there.
    pub path: Arc<str>,
    /// Its links, from outside to inside.
    pub links: Vec<Link>,
}

impl Route {
    /// The worst of its links.
    pub fn state(&self) -> LinkState {
        self.links.iter().map(|link| link.state).max().unwrap_or(LinkState::Ok)
    }
}

/// All ways to a tenant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chain {
    /// The tenant.
    pub tenant: TenantName,
    /// Ingresses or HTTPRoutes cannot be read: what else leads to it is not known.
    pub unseen: bool,
    /// Which of them.
    #[serde(skip)]
    unread: &'static str,
    /// The way from each host.
    pub routes: Vec<Route>,
    /// What all of them lead to: the pods, and what these need.
    pub behind: Vec<Link>,
}

impl Chain {
    /// The ways to a tenant, as far as they are seen.
    pub fn of(seen: &Snapshot, tenant: &Tenant) -> Self {
        let routes = &seen.http_routes.freshness;
        let ingresses = seen.ingresses.freshness.is_known();
        Self {
            tenant: tenant.name.clone(),
            unseen: !ingresses || !(routes.is_known() || routes.is_absent()),
            unread: if ingresses { "HTTPRoutes" } else { "Ingresses" },
            routes: judge::routes(seen, tenant),
            behind: judge::behind(seen, tenant, true),
        }
    }

    /// The worst of all links of the ways to a tenant, and of those the first; `None`: all that are seen hold. The same as
    /// [`Self::state`], for many tenants at once.
    pub fn worst(seen: &Snapshot, tenant: &Tenant) -> Option<(LinkState, Part)> {
        judge::worst(seen, tenant)
    }

    /// Until when the certificates of a tenant are valid: the first that ends, of those that are presented and those that
    /// cert-manager keeps.
    pub fn until(seen: &Snapshot, tenant: &Tenant) -> Option<Timestamp> {
        let outside = Outside::of(seen);
        let hosts = outside.hosts_of(&tenant.name);
        let presented = hosts.iter().filter_map(|host| front::until(seen, host));
        presented.chain(outside.until(seen, &tenant.name)).min()
    }

    /// The first link that is broken, from outside to inside, and the host whose way it is on; of what all ways lead to,
    /// no host.
    pub fn broken(&self) -> Option<(Option<&Arc<str>>, &Link)> {
        let broken = |link: &&Link| link.state == LinkState::Broken;
        let ways = self.routes.iter().filter_map(|r| Some((Some(&r.host), r.links.iter().find(broken)?)));
        let first = ways.min_by_key(|(_, link)| link.part);
        first.or_else(|| Some((None, self.behind.iter().find(broken)?)))
    }

    /// The worst of all links.
    pub fn state(&self) -> LinkState {
        let unseen = self.unseen && self.routes.is_empty();
        let unseen = if unseen { LinkState::Unknown } else { LinkState::Ok };
        let behind = self.behind.iter().map(|link| link.state).chain([unseen]);
        self.routes.iter().map(Route::state).chain(behind).max().unwrap_or(LinkState::Ok)
    }

    /// It in one sentence, without the name of the tenant.
    pub fn sentence(&self) -> String {
        let all = || {
            let ways = self.routes.iter();
            let ways = ways.flat_map(|route| route.links.iter().map(move |link| (Some(route), link)));
            ways.chain(self.behind.iter().map(|link| (None, link)))
        };
        let worst = |state: LinkState| all().find(|(_, link)| link.state == state);
        let at = |host: Option<&Arc<str>>, text: &str| match host {
            Some(host) => format!("{host}: {text}"),
            None => text.to_owned(),
        };
        if let Some((host, link)) = self.broken() {
            return at(host, &link.text);
        }
        for state in [LinkState::Warning, LinkState::Notice] {
            if let Some((route, link)) = worst(state) {
                return at(route.map(|route| &route.host), &link.text);
            }
        }
        match self.routes.len() {
            0 if self.unseen => format!("what leads to it is not known: {} are not read", self.unread),
            0 => "no Ingress and no HTTPRoute leads to it".to_owned(),
            1 => format!("{}: every link that is seen holds", self.routes[0].host),
            n => format!("{n} hosts: every link that is seen holds"),
        }
    }
}

/// What is wrong on the way to a tenant, for the findings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) tenant: TenantName,
    pub(super) host: Arc<str>,
    pub(super) link: Link,
}

impl Snapshot {
    /// What is wrong on the ways to the tenants, by tenant; of one rule the worst, with how many more hosts it is about.
    pub(super) fn faults_outside(&self, rule: &str) -> Vec<(Fault, usize)> {
        let faults = self.outside.faults(self);
        let mut found: Vec<(Fault, usize)> = Vec::new();
        let mut hosts: Vec<&Arc<str>> = Vec::new();
        for fault in faults.iter().filter(|fault| fault.link.rule == Some(rule)) {
            match found.last_mut().filter(|(last, _)| last.tenant == fault.tenant) {
                Some((last, more)) => {
                    // Several things may be wrong on the way of one host.
                    if !hosts.contains(&&fault.host) {
                        hosts.push(&fault.host);
                        *more += 1;
                    }
                    if fault.link.state > last.link.state {
                        *last = fault.clone();
                    }
                }
                None => {
                    hosts = vec![&fault.host];
                    found.push((fault.clone(), 0));
                }
            }
        }
        found
    }
}

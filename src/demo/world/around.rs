//! What stands around the cluster where a scenario has it: the proxies in front, and the registry of images.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

/// How long a certificate lives.
pub(crate) const LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What stands around the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The proxies in front.
    pub edges: Option<Edges>,
    /// The registry of images.
    pub registry: Option<Registry>,
}

/// The proxies in front of the ingress controllers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges {
    /// Each of them.
    pub proxies: Vec<Edge>,
    /// Which of them has the floating address; `None`: none has.
    pub floating: Option<usize>,
    /// The certificates as they lie on the disks of both.
    pub stored: Certificates,
    /// Since when they run.
    pub since: Timestamp,
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Its name.
    pub name: String,
    /// Its process runs; else connections are refused.
    pub up: bool,
    /// Its workers take connections and never say a word.
    pub hung: bool,
    /// The certificates that it read when it was reloaded last.
    pub loaded: Certificates,
}

/// The certificates of all hosts, by the moment of their issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// When those of all hosts were issued.
    pub issued: Timestamp,
    /// The hosts whose certificate was issued at another moment.
    pub apart: BTreeMap<String, Timestamp>,
}

impl Certificates {
    /// When the certificate of a host was issued.
    pub(crate) fn of(&self, host: &str) -> Timestamp {
        self.apart.get(host).copied().unwrap_or(self.issued)
    }
}

/// When a certificate ends that was issued then.
pub(crate) fn ends(issued: Timestamp) -> Timestamp {
    issued.checked_add(LIFETIME).unwrap_or(Timestamp::MAX)
}

impl Edges {
    /// Two proxies, the first of which has the floating address, all certificates issued then.
    pub(crate) fn new(since: Timestamp, issued: Timestamp) -> Self {
        let certificates = Certificates { issued, apart: BTreeMap::new() };
        let proxy =
            |name: &str| Edge { name: name.to_owned(), up: true, hung: false, loaded: certificates.clone() };
        Self {
            proxies: vec![proxy("edge1"), proxy("edge2")],
            floating: Some(0),
            stored: certificates.clone(),
            since,
        }
    }

    /// The certificate of a host was issued then, and both proxies have read it.
    pub(crate) fn issued(&mut self, host: &str, issued: Timestamp) {
        let of_proxies = self.proxies.iter_mut().map(|proxy| &mut proxy.loaded);
        for certificates in of_proxies.chain([&mut self.stored]) {
            certificates.apart.insert(host.to_owned(), issued);
        }
    }

    /// The certificate of a host is issued again, and put on the disks.
    pub(crate) fn renew_of(&mut self, host: &str, now: Timestamp) {
        self.stored.apart.insert(host.to_owned(), now);
    }

    /// Whether a proxy presents a certificate of a host that has not expired, by its place from 0.
    pub fn presents(&self, edge: usize, host: &str, now: Timestamp) -> bool {
        self.proxies.get(edge).is_some_and(|proxy| now < ends(proxy.loaded.of(host)))
    }

    /// The certificates of all hosts whose renewal does not fail are issued again, and put on the disks.
    pub fn renew(&mut self, now: Timestamp) {
        self.stored.issued = now;
    }

    /// A proxy reads the certificates again, by its place from 0.
    pub fn reload(&mut self, edge: usize) {
        let stored = self.stored.clone();
        if let Some(edge) = self.proxies.get_mut(edge) {
            edge.loaded = stored;
        }
    }
}

/// A registry of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Its storage is there; else it answers that it has nothing.
    pub mounted: bool,
    /// Images that were never pushed to it, or were deleted: whole references.
    pub absent: BTreeSet<String>,
    /// Digests of parts that a garbage collection took away by mistake.
    pub collected: BTreeSet<String>,
    /// Tags that lead to a later build, by the whole reference: which one. The first is 1.
    pub moved: BTreeMap<String, u32>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { mounted: true, absent: BTreeSet::new(), collected: BTreeSet::new(), moved: BTreeMap::new() }
    }
}

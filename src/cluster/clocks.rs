//! Two clocks: this machine's dates what is read, the API server's is the one in which ages are told.
//!
//! Whoever observes writes down the moments of this machine. [`Snapshot::observe`] moves them into the server's clock as it
//! takes them in, and moves all of them once more when it learns how far the clocks are apart. So every moment of a
//! snapshot is of one clock, that of [`Snapshot::at`]. What comes with a date of its own (creation times, leases, journals,
//! measurements) has the server's already.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Api, Endpoint, Freshness, Seen, Slice, Snapshot, galera, proxysql};

/// Something with moments in it.
pub(super) trait Dated {
    /// The same, with each moment this much later.
    fn moved(self, by: SignedDuration) -> Self;
}

impl Dated for Timestamp {
    fn moved(self, by: SignedDuration) -> Self {
        self.saturating_add(by).unwrap_or(self)
    }
}

impl Dated for Freshness {
    fn moved(self, by: SignedDuration) -> Self {
        match self {
            Self::Live { since } => Self::Live { since: since.moved(by) },
            Self::Stale { since, why } => Self::Stale { since: since.moved(by), why },
            other @ (Self::Connecting | Self::Missing { .. }) => other,
        }
    }
}

impl<K, V> Dated for Seen<K, V> {
    fn moved(self, by: SignedDuration) -> Self {
        match self {
            Self::All(all, at) => Self::All(all, at.moved(by)),
            Self::AllBut(all, odd, at) => Self::AllBut(all, odd, at.moved(by)),
            Self::Lost(at, why) => Self::Lost(at.moved(by), why),
            Self::Back(at) => Self::Back(at.moved(by)),
            other @ (Self::Put(..) | Self::Unreadable(..) | Self::Gone(_) | Self::Reading(_)) => other,
        }
    }
}

/// News of objects that are dated here themselves, those in the other clock.
pub(super) fn objects_moved<K, V: Dated>(seen: Seen<K, V>, by: SignedDuration) -> Seen<K, V> {
    let all = |all: Vec<(K, V)>| all.into_iter().map(|(key, value)| (key, value.moved(by))).collect();
    match seen {
        Seen::All(them, at) => Seen::All(all(them), at),
        Seen::AllBut(them, odd, at) => Seen::AllBut(all(them), odd, at),
        Seen::Put(key, value) => Seen::Put(key, value.moved(by)),
        other => other,
    }
}

impl<N, S: Dated + Clone, H: Dated + Clone> Dated for Endpoint<N, S, H> {
    fn moved(self, by: SignedDuration) -> Self {
        if by.is_zero() {
            return self;
        }
        Self {
            link: self.link.moved(by),
            silent_since: self.silent_since.map(|at| at.moved(by)),
            status: self.status.map(|status| Arc::new(Arc::unwrap_or_clone(status).moved(by))),
            history: self.history.into_iter().map(|reading| reading.moved(by)).collect(),
            ..self
        }
    }
}

impl Dated for galera::Sample {
    fn moved(self, by: SignedDuration) -> Self {
        Self { at: self.at.moved(by), ..self }
    }
}

impl Dated for galera::Status {
    fn moved(self, by: SignedDuration) -> Self {
        Self {
            at: self.at.moved(by),
            state_since: self.state_since.moved(by),
            view_since: self.view_since.moved(by),
            committed_since: self.committed_since.moved(by),
            ..self
        }
    }
}

impl Dated for proxysql::ProxySample {
    fn moved(self, by: SignedDuration) -> Self {
        Self { at: self.at.moved(by), ..self }
    }
}

/// Its `checks` and `refusals` are dated by the proxy's own clock, and are compared with each other only.
impl Dated for proxysql::ProxyStatus {
    fn moved(self, by: SignedDuration) -> Self {
        Self {
            at: self.at.moved(by),
            checked_since: self.checked_since.moved(by),
            writers_since: self.writers_since.moved(by),
            rows_since: self.rows_since.into_iter().map(|(row, at)| (row, at.moved(by))).collect(),
            ..self
        }
    }
}

impl Api {
    /// The server's clock minus that of this machine.
    pub fn skew(&self) -> SignedDuration {
        SignedDuration::from_millis(self.skew_millis)
    }
}

impl Snapshot {
    /// A moment of this machine's clock, in the clock of this snapshot.
    pub fn dated(&self, here: Timestamp) -> Timestamp {
        here.moved(self.api.skew())
    }

    /// Takes in what the API server is seen to be, which may say that the clocks are otherwise apart than was thought.
    pub(super) fn observe_api(&mut self, mut api: Api) -> bool {
        let skew = api.skew();
        api.freshness = api.freshness.moved(skew);
        api.broken_course = api.broken_course.map(|(at, why)| (at.moved(skew), why));
        let by = skew.saturating_sub(self.api.skew());
        let changed = self.api != api;
        self.api = api;
        if !by.is_zero() {
            self.move_moments(by);
        }
        changed
    }

    fn move_moments(&mut self, by: SignedDuration) {
        self.at = self.at.moved(by);
        for freshness in self.freshnesses() {
            *freshness = std::mem::take(freshness).moved(by);
        }
        move_measured(&mut self.usage, by, |usage| usage.at);
        move_measured(&mut self.node_usage, by, |usage| usage.at);
        move_objects(&mut self.galera, by);
        move_objects(&mut self.proxies, by);
        move_objects(&mut self.platform, by);
        move_objects(&mut self.looks, by);
    }

    fn freshnesses(&mut self) -> [&mut Freshness; 26] {
        [
            &mut self.nodes.freshness,
            &mut self.pods.freshness,
            &mut self.deployments.freshness,
            &mut self.stateful_sets.freshness,
            &mut self.replica_sets.freshness,
            &mut self.services.freshness,
            &mut self.autoscalers.freshness,
            &mut self.budgets.freshness,
            &mut self.quotas.freshness,
            &mut self.limit_ranges.freshness,
            &mut self.claims.freshness,
            &mut self.ingresses.freshness,
            &mut self.ingress_classes.freshness,
            &mut self.endpoint_slices.freshness,
            &mut self.http_routes.freshness,
            &mut self.gateways.freshness,
            &mut self.certificates.freshness,
            &mut self.namespaces.freshness,
            &mut self.leases.freshness,
            &mut self.journals.freshness,
            &mut self.pools.freshness,
            &mut self.jobs.freshness,
            &mut self.galera.freshness,
            &mut self.proxies.freshness,
            &mut self.platform.freshness,
            &mut self.looks.freshness,
        ]
    }
}

fn move_objects<K: Ord + Clone, V: Dated + Clone>(slice: &mut Slice<K, V>, by: SignedDuration) {
    let moved = |(key, object): (&K, &Arc<V>)| (key.clone(), Arc::new(V::clone(object).moved(by)));
    slice.items = slice.items.iter().map(moved).collect();
}

/// Measurements are as old as the newest of them, which has the server's date; only how long they have been missing is
/// dated here.
fn move_measured<K: Ord + Clone, V>(
    slice: &mut Slice<K, V>,
    by: SignedDuration,
    measured: impl Fn(&V) -> Timestamp,
) {
    let newest = slice.items.values().map(|usage| measured(usage)).max();
    match &slice.freshness {
        Freshness::Live { since } | Freshness::Stale { since, .. } if Some(*since) == newest => {}
        _ => slice.freshness = std::mem::take(&mut slice.freshness).moved(by),
    }
}

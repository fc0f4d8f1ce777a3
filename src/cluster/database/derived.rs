//! The database of a snapshot, worked out once, however many ask for it.

use std::sync::{Arc, OnceLock};

use imbl::OrdMap;
use jiff::Timestamp;

use super::{Database, Expectations, Member, MemberName, Proxy, ProxyName, Snapshot};

/// What was worked out of a snapshot, and what it rests on. A snapshot that was changed since is worked out again, never
/// answered with what no longer holds.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Derived(OnceLock<(Basis, Arc<Database>)>);

#[derive(Clone, Debug)]
struct Basis {
    galera: OrdMap<MemberName, Arc<Member>>,
    proxies: OrdMap<ProxyName, Arc<Proxy>>,
    expected: Arc<Expectations>,
    at: Timestamp,
}

impl Basis {
    fn of(seen: &Snapshot) -> Self {
        Self {
            galera: seen.galera.items.clone(),
            proxies: seen.proxies.items.clone(),
            expected: seen.database.clone(),
            at: seen.at,
        }
    }

    fn holds(&self, seen: &Snapshot) -> bool {
        self.galera.ptr_eq(&seen.galera.items)
            && self.proxies.ptr_eq(&seen.proxies.items)
            && Arc::ptr_eq(&self.expected, &seen.database)
            && self.at == seen.at
    }
}

impl Derived {
    /// The database of the snapshot that this belongs to.
    pub(super) fn of(&self, seen: &Snapshot) -> Arc<Database> {
        let (basis, database) = self.0.get_or_init(|| (Basis::of(seen), Arc::new(Database::derive(seen))));
        if basis.holds(seen) { database.clone() } else { Arc::new(Database::derive(seen)) }
    }

    /// Forgets it: the snapshot changes.
    pub(in crate::cluster) fn forget(&mut self) {
        self.0.take();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::cluster::{Database, Member, Observation, Seen, Snapshot, Trouble};

    #[test]
    fn a_snapshot_is_worked_out_once_and_again_when_it_has_changed() {
        let db1 = || Member::new("db1:3306".into());
        let mut seen = Snapshot::default();
        assert_eq!(Database::of(&seen), None);
        seen.observe(Observation::Member(Seen::Put(db1().name, db1())));
        let of = |seen: &Snapshot| Database::of(seen).expect("a member is configured");
        let first = of(&seen);
        assert!(Arc::ptr_eq(&first, &of(&seen)), "the second look works nothing out");
        assert!(Arc::ptr_eq(&first, &of(&seen.clone())), "nor does a copy");

        let silent = db1().failed(Trouble::Refused, "refused", seen.at);
        seen.observe(Observation::Member(Seen::Put(silent.name.clone(), silent)));
        let then = of(&seen);
        assert_ne!(then, first, "what was seen since counts");
        assert!(Arc::ptr_eq(&then, &of(&seen)), "and is worked out once");

        // Past every wait, by hand: no report came in.
        seen.galera.items.insert(db1().name, Arc::new(db1()));
        assert_eq!(of(&seen), first);
        let mut later = seen.clone();
        later.at = later.at.saturating_add(jiff::SignedDuration::from_hours(1)).expect("a span of time");
        assert!(!Arc::ptr_eq(&of(&later), &of(&seen)), "what rests on the time is judged again");
    }
}

//! The board with all pods on it, what becomes of each when its node dies, and attempts that are taken back.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use foldhash::{HashMap, HashMapExt};

use super::super::schedule::{At, Board, Class, Closed, Incoming};
use crate::cluster::{Pod, RUN_LABEL, Snapshot, TenantName};

/// A pod on the board.
pub(super) struct Resident {
    pub pod: Arc<Pod>,
    /// As it sits on the board, and as its replacement.
    pub class: (Class, Class),
    /// Its tenant's number, in the order of the names.
    pub tenant: Option<u32>,
    pub fate: Fate,
}

/// What becomes of a pod whose node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is being deleted already.
    Leaving,
    /// Its controller makes another at once.
    Replaced,
    /// Its StatefulSet waits for it.
    Numbered,
    /// It belongs to the node: DaemonSets and static pods.
    OfTheNode,
    /// Nobody makes it again.
    Lone,
}

impl Fate {
    fn of(pod: &Pod) -> Self {
        match pod.owner.as_ref().map(|o| &*o.kind) {
            _ if pod.deleting.is_some() => Self::Leaving,
            Some("DaemonSet" | "Node") => Self::OfTheNode,
            Some("StatefulSet") => Self::Numbered,
            Some(_) => Self::Replaced,
            // Made for a move: the pod whose place it takes is still there.
            None if pod.labels.get(RUN_LABEL).is_some() => Self::Leaving,
            None => Self::Lone,
        }
    }
}

/// The board with the pods of each node in the order in which they are replaced.
pub(super) struct Cast {
    pub board: Board,
    pub residents: Vec<Vec<Resident>>,
    /// The tenants by number: names, and how many pods are ready.
    pub names: Vec<TenantName>,
    pub ready: Vec<u32>,
}

impl Cast {
    pub(super) fn new(seen: &Snapshot) -> Self {
        let mut tenants: HashMap<*const Pod, u32> = HashMap::new();
        for (tenant, number) in seen.tenants.values().zip(0..) {
            tenants.extend(tenant.pods.iter().map(|p| (Arc::as_ptr(p), number)));
        }
        let mut seated = Vec::with_capacity(seen.pods.len());
        let mut board = Board::seated(seen, |pod, class, at| seated.push((pod, class, at)));
        let mut residents: Vec<Vec<Resident>> = (0..board.len()).map(|_| Vec::new()).collect();
        for (pod, class, at) in seated {
            let again = Incoming::in_place_of(pod);
            let again = if Arc::ptr_eq(&again.labels, &pod.labels) { class } else { board.class(&again) };
            residents[at.index()].push(Resident {
                pod: pod.clone(),
                class: (class, again),
                tenant: tenants.get(&Arc::as_ptr(pod)).copied(),
                fate: Fate::of(pod),
            });
        }
        // The snapshot's pods come in the order of their names, which a stable sort keeps.
        residents.iter_mut().for_each(|all| all.sort_by_key(|r| Reverse(r.pod.spec.priority)));
        residents.iter_mut().for_each(Vec::shrink_to_fit);
        board.shrink();
        // With pods that could not be read it is not known which is the last one that is ready.
        let ready = seen.tenants.values().map(|t| if t.unread > 0 { u32::MAX } else { t.ready() }).collect();
        Self { board, residents, names: seen.tenants.keys().cloned().collect(), ready }
    }

    /// Pods that find no node when this one dies.
    pub(super) fn stranded(&mut self, at: At) -> u32 {
        let Self { board, residents, .. } = self;
        let residents = &residents[at.index()];
        let mut attempt = Attempt::new(board);
        attempt.close(at, Closed::Dead);
        let replaced: Vec<_> =
            residents.iter().filter(|r| r.fate == Fate::Replaced).map(|r| r.class.1).collect();
        if attempt.board.has_plenty_for(&replaced) {
            return 0;
        }
        attempt.send_away(residents.iter().filter(|r| r.fate != Fate::Leaving), at);
        let mut stranded = 0;
        for resident in residents.iter().filter(|r| r.fate == Fate::Replaced) {
            stranded += u32::from(attempt.replace(resident.class.1).is_none());
        }
        stranded
    }
}

/// Changes to a board that are taken back when it is dropped.
pub(super) struct Attempt<'a> {
    pub board: &'a mut Board,
    closed: Vec<At>,
    sent: Vec<(Class, At)>,
    bound: Vec<(Class, At)>,
    /// Classes that found no node: nothing becomes free during an attempt, so that they never will.
    hopeless: BTreeSet<Class>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(board: &'a mut Board) -> Self {
        Self { board, closed: Vec::new(), sent: Vec::new(), bound: Vec::new(), hopeless: BTreeSet::new() }
    }

    pub(super) fn close(&mut self, at: At, why: Closed) {
        self.board.close(at, why);
        self.closed.push(at);
    }

    pub(super) fn send_away<'r>(&mut self, residents: impl Iterator<Item = &'r Resident>, at: At) {
        for resident in residents {
            self.board.terminate(resident.class.0, at);
            self.sent.push((resident.class.0, at));
        }
    }

    /// Binds a replacement to the first of the best nodes; tells how many there are.
    pub(super) fn replace(&mut self, class: Class) -> Option<(At, usize)> {
        if self.hopeless.contains(&class) {
            return None;
        }
        let Some(fits) = self.board.land(class) else {
            if !self.board.seeks_company(class) {
                self.hopeless.insert(class);
            }
            return None;
        };
        self.board.bind(class, fits.best[0]);
        self.bound.push((class, fits.best[0]));
        Some((fits.best[0], fits.best.len()))
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for (class, at) in self.bound.drain(..).rev() {
            self.board.unbind(class, at);
        }
        for (class, at) in self.sent.drain(..).rev() {
            self.board.stay(class, at);
        }
        for at in self.closed.drain(..) {
            self.board.open(at);
        }
    }
}

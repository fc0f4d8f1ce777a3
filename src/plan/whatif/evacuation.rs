//! Moving the pods of lost nodes, one after another, by the scheduler's rules and those of the disruption budgets.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        eviction::{Eviction, eviction, none_allowed},
        schedule::{At, Closed, Preemption},
    },
    Blocked, Landed, Loss, Waiting, WhatIf,
    cast::{Attempt, Fate, Resident},
};
use crate::cluster::{Budget, Key, Snapshot, TenantName};

/// Moving the pods of lost nodes, one after another.
pub(super) struct Evacuation<'a> {
    pub seen: &'a Snapshot,
    pub names: &'a [TenantName],
    pub told: &'a mut WhatIf,
    pub attempt: Attempt<'a>,
}

/// A budget while pods are evicted under it.
struct Guard<'a> {
    budget: &'a Budget,
    /// Evictions it allows at the same time.
    left: u32,
    /// Evictions at the same time so far, of those allowed at first.
    at_once: u32,
}

impl Evacuation<'_> {
    /// Tells where the pods go, and gives those that are gone at the same time, by tenant.
    pub(super) fn run(
        mut self,
        lost: &BTreeSet<At>,
        residents: &[(At, &Resident)],
        loss: Loss,
    ) -> BTreeMap<u32, BTreeSet<Key>> {
        let closed = match loss {
            Loss::Crash => Closed::Dead,
            Loss::Drain => Closed::Cordoned,
        };
        lost.iter().for_each(|at| self.attempt.close(*at, closed));
        let mut gone: BTreeMap<u32, BTreeSet<Key>> = BTreeMap::new();
        let mut guards: BTreeMap<Key, Guard<'_>> = BTreeMap::new();
        if loss == Loss::Crash {
            for (at, resident) in residents.iter().filter(|(_, r)| r.fate != Fate::Leaving) {
                self.attempt.send_away(std::iter::once(*resident), *at);
            }
        }
        let seen = self.seen;
        for (at, resident) in residents.iter().filter(|(_, r)| leaves(r, loss)) {
            let mut guarding = None;
            let mut at_once = true;
            if loss == Loss::Drain {
                match self.eviction(seen, resident, &mut guards) {
                    Err(blocked) => {
                        self.told.blocked.push(blocked);
                        continue;
                    }
                    Ok(guard) => guarding = guard,
                }
                self.attempt.send_away(std::iter::once(*resident), *at);
                if let Some(guard) = guarding.as_ref().and_then(|key| guards.get_mut(key)) {
                    at_once = guard.at_once < guard.budget.allowed;
                    guard.at_once += 1;
                }
            }
            if let Some(tenant) = resident.tenant.filter(|_| at_once) {
                gone.entry(tenant).or_default().insert(resident.pod.key.clone());
            }
            let replaced = match resident.fate {
                Fate::Replaced => true,
                Fate::Numbered if loss == Loss::Drain => true,
                Fate::Numbered => {
                    self.told.stuck.push(resident.pod.key.clone());
                    false
                }
                Fate::Lone => {
                    self.told.lone.push(resident.pod.key.clone());
                    false
                }
                Fate::OfTheNode => {
                    self.told.with_node.push(resident.pod.key.clone());
                    false
                }
                Fate::Leaving => false,
            };
            if replaced && !self.land(resident) {
                // A replacement that never comes up keeps its budget short for good.
                if let Some(guard) = guarding.and_then(|key| guards.get_mut(&key)) {
                    guard.left = guard.left.saturating_sub(1);
                }
            }
        }
        gone
    }

    /// Whether the pod finds a node.
    fn land(&mut self, resident: &Resident) -> bool {
        let (pod, tenant) = (resident.pod.key.clone(), self.name(resident));
        if let Some((to, equals)) = self.attempt.replace(resident.class.1) {
            let to = self.attempt.board.node(to).name.clone();
            self.told.landings.push(Landed { pod, tenant, to, equals });
            return true;
        }
        let refusal = self.attempt.board.refused(resident.class.1);
        let board = &*self.attempt.board;
        let preempts = match &refusal.preemption {
            Preemption::Possible(nodes) => nodes.iter().map(|at| board.node(*at).name.clone()).collect(),
            Preemption::Never | Preemption::NoUse => Vec::new(),
        };
        let (message, why) = (refusal.message(), refusal.describe(board));
        self.told.pending.push(Waiting { pod, tenant, message, why, preempts });
        false
    }

    fn name(&self, resident: &Resident) -> Option<TenantName> {
        Some(self.names[resident.tenant? as usize].clone())
    }

    /// Whether a pod may be evicted now, and under which budget.
    fn eviction<'s>(
        &self,
        seen: &'s Snapshot,
        resident: &Resident,
        guards: &mut BTreeMap<Key, Guard<'s>>,
    ) -> Result<Option<Key>, Blocked> {
        let pod = &resident.pod;
        let blocked = |budget: Option<Key>, why: String| {
            Err(Blocked { pod: pod.key.clone(), tenant: self.name(resident), budget, why })
        };
        if resident.fate == Fate::Lone {
            let why =
                "no controller makes it again: kubectl drain refuses it without --force, and it is lost then";
            return blocked(None, why.into());
        }
        let budget = match eviction(seen, pod) {
            Eviction::Free => return Ok(None),
            Eviction::Never(budget, why) => return blocked(Some(budget), why),
            Eviction::Counted(budget) => budget,
        };
        let guard =
            guards.entry(budget.key.clone()).or_insert(Guard { budget, left: budget.allowed, at_once: 0 });
        if guard.left == 0 {
            return blocked(Some(budget.key.clone()), none_allowed(budget, pod));
        }
        Ok(Some(budget.key.clone()))
    }
}

/// Whether a pod goes with its node, if nothing forbids it.
pub(super) fn leaves(resident: &Resident, loss: Loss) -> bool {
    match resident.fate {
        Fate::Leaving => false,
        Fate::OfTheNode => loss == Loss::Crash,
        Fate::Replaced | Fate::Numbered | Fate::Lone => true,
    }
}

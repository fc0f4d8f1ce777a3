//! Whether the moves of a campaign would pass, and what becomes of those that would not: the rule of the command line and
//! of the screen.
//!
//! Rights and admission differ from one namespace to the next and from one way of moving to the other, so one plan stands
//! for all of its kind. Kinds that are refused where others pass are left out, each with its reason; where none passes,
//! that is what refuses the campaign.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{Proposed, passes};
use crate::{
    cluster::Snapshot,
    plan::{
        Intent, Plan, Stay, Verdict,
        rebalance::{Samples, kind_of},
    },
    run::{self, Access, Rehearsal},
};

/// Plans that are rehearsed at the same time.
const AT_ONCE: usize = 8;

/// Why kinds of items are left out, by [`kind_of`].
pub type Refusals = BTreeMap<String, String>;

/// The kinds that their own plans refuse, where others pass. What passes by itself is waited for instead.
pub fn refusals(plans: &[Plan]) -> Refusals {
    let lasting = |plan: &&Plan| plan.refusals().any(|check| !passes(check));
    let why = |plan: &Plan| plan.refusals().map(|c| c.text.as_str()).collect::<Vec<_>>().join("; ");
    let refused = plans.iter().filter(lasting).map(|plan| (plan, why(plan)));
    left_out(refused.collect(), plans)
}

/// Those refused that may be left out: moves, as long as another passes.
fn left_out(refused: Vec<(&Plan, String)>, all: &[Plan]) -> Refusals {
    let is_move = |plan: &Plan| matches!(plan.intent, Intent::Move { .. });
    let moves = all.iter().filter(|plan| is_move(plan)).count();
    let only_moves = refused.iter().all(|(plan, _)| is_move(plan));
    match only_moves && refused.len() < moves {
        true => refused.into_iter().map(|(plan, why)| (kind_of(&plan.intent), why)).collect(),
        false => Refusals::new(),
    }
}

/// Rehearses these plans. What stands of the checks concerns what is left; the second value says what is left out.
pub async fn rehearse(access: &Access, plans: &[Plan]) -> (Rehearsal, Refusals) {
    let access = access.remembering();
    let open = plans.iter().filter(|plan| plan.refusals().next().is_none() && !plan.steps.is_empty());
    let open: Vec<_> = open.map(|plan| (access.clone(), plan.clone())).collect();
    let asked = stream::iter(open).map(|(access, plan)| async move {
        let found = run::rehearse(&access, &plan).await;
        (plan, found)
    });
    let found: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let mut refused = Vec::new();
    for (plan, found) in &found {
        let why: Vec<_> =
            found.checks.iter().filter(|c| c.verdict == Verdict::Refuse).map(|c| &*c.text).collect();
        if !why.is_empty() {
            refused.push((plan, why.join("; ")));
        }
    }
    let asked: Vec<_> = found.iter().map(|(plan, _)| plan.clone()).collect();
    let left = left_out(refused, &asked);
    let mut all = Rehearsal::default();
    for (plan, found) in found {
        for missing in found.journal_missing {
            if !all.journal_missing.contains(&missing) {
                all.journal_missing.push(missing);
            }
        }
        let stands = !left.contains_key(&kind_of(&plan.intent));
        for check in found.checks.into_iter().filter(|_| stands) {
            if !all.checks.iter().any(|c| c.text == check.text) {
                all.checks.push(check);
            }
        }
    }
    (all, left)
}

/// Items without those that are left out, and why their pods stay.
fn without(items: &[Intent], left: &Refusals) -> (Vec<Intent>, Vec<Stay>) {
    let (mut kept, mut stays) = (Vec::new(), Vec::new());
    for item in items {
        match (item, left.get(&kind_of(item))) {
            (Intent::Move { moved }, Some(why)) => stays.push(Stay {
                pod: moved.pod.clone(),
                tenant: moved.tenant.clone(),
                node: moved.from.clone(),
                rule: "dry-run".into(),
                why: why.clone(),
            }),
            _ => kept.push(item.clone()),
        }
    }
    (kept, stays)
}

impl Proposed {
    /// Plans that stand for all of its items, on what is seen.
    pub fn samples(&self, seen: &Snapshot) -> Samples {
        Samples::of(self.items(), seen)
    }

    /// The same without what is left out; and why that stays.
    pub fn without(&self, seen: &Snapshot, left: &Refusals) -> (Self, Vec<Stay>) {
        let (items, stays) = without(self.items(), left);
        (self.with(seen, items), stays)
    }
}

//! Planning a change of replicas: one patch a tenant, then the wait for each to settle.
//!
//! Also the second half of taking such a change back ([`super::undo`]): the same checks apply to both.

use std::{collections::BTreeSet, sync::Arc};

use super::{Check, Intent, Part, Plan, Target, Verdict, check, draft::Draft, schedule::Board};
use crate::cluster::{Snapshot, Tenant, TenantName};

/// New pods of one tenant that a plan will predict one by one.
const MOST_NEW: u32 = 5000;

pub(super) fn plan(seen: &Snapshot, intent: &Intent, targets: &[Target]) -> Plan {
    let mut checks = check::freshness(seen);
    let mut wanted = Vec::new();
    let mut named = BTreeSet::new();
    for target in targets {
        let name = &target.tenant;
        if !named.insert(name) {
            checks.push(Check::new("tenant", Verdict::Refuse, format!("{name} is named twice")));
            continue;
        }
        let Some(tenant) = seen.tenants.get(name) else {
            // While the workloads are not known, their absence means nothing: the freshness check speaks.
            if seen.deployments.freshness.is_known() && seen.stateful_sets.freshness.is_known() {
                checks.push(Check::new("tenant", Verdict::Refuse, check::unknown(seen, name.as_str())));
            }
            continue;
        };
        match replicas(name, target.to, tenant.desired()) {
            Ok(to) => wanted.push((tenant.clone(), to)),
            Err(check) => checks.push(check),
        }
    }
    plan_for(seen, intent, wanted, checks)
}

/// The number as the API takes it, or why not.
fn replicas(tenant: &TenantName, to: i64, from: u32) -> Result<u32, Check> {
    let refuse = |text: String| Err(Check::new("range", Verdict::Refuse, text));
    match u32::try_from(to) {
        _ if to < 0 => refuse(format!("{tenant}: {to} replicas are {} below zero", -i128::from(to))),
        Ok(to) if to <= i32::MAX as u32 && to.saturating_sub(from) <= MOST_NEW => Ok(to),
        _ => {
            refuse(format!("{tenant}: {to} replicas are more than {MOST_NEW} new ones, too many to predict"))
        }
    }
}

/// The plan that brings each tenant to its number, with all checks.
pub(super) fn plan_for(
    seen: &Snapshot,
    intent: &Intent,
    wanted: Vec<(Arc<Tenant>, u32)>,
    mut checks: Vec<Check>,
) -> Plan {
    let blind = !seen.pods.freshness.is_known();
    let moves = wanted.iter().any(|(tenant, to)| tenant.desired() != *to);
    let mut board = (moves && seen.room_unknown().is_none()).then(|| Board::new(seen));
    // All that go make room first: every patch is sent before anything is waited for.
    let mut drafts: Vec<_> =
        wanted.into_iter().map(|(tenant, to)| Draft::new(seen, board.as_mut(), tenant, to)).collect();
    if let Some(board) = &mut board {
        drafts.iter_mut().for_each(|draft| draft.land(board));
    }
    if let Some(why) = drafts.iter().find_map(|draft| draft.unpredicted.as_ref()) {
        let text = format!("{why}: where the new pods come up, and whether they find room, is not known");
        checks.push(Check::new("scope", Verdict::Warn, text));
    }
    let changed = || drafts.iter().filter(|d| d.changes());
    let steps = changed().map(Draft::patch).chain(changed().map(Draft::settle)).collect();
    let parts = drafts.into_iter().map(|draft| part(draft, seen, blind)).collect();
    Plan::assemble(seen, intent.clone(), parts, Vec::new(), None, steps, checks)
}

/// What is told of a draft once all is known.
fn part(draft: Draft, seen: &Snapshot, blind: bool) -> Part {
    let checks = check::tenant(seen, &draft, blind);
    let workload = &draft.tenant.workload;
    let from = draft.tenant.desired();
    let by_hand = draft.changes().then(|| draft.patch().change.by_hand(seen)).flatten();
    Part {
        kubectl: by_hand.unwrap_or_default(),
        undo: match (draft.changes(), checks.iter().any(|c| c.rule == "claims" && c.verdict == Verdict::Warn))
        {
            (false, _) => String::new(),
            (true, true) => format!("{} → {from}, with new and empty claims", draft.to),
            (true, false) => format!("{} → {from}", draft.to),
        },
        tenant: draft.tenant.name.clone(),
        workload: workload.key.clone(),
        from,
        to: draft.to,
        now: draft.now,
        predicted: draft.predicted,
        unpredicted: draft.unpredicted,
        landings: draft.landings,
        removals: draft.removals,
        checks,
        what: None,
        resized: Vec::new(),
    }
}

//! One move, by hand.

use super::{
    Proposal, balance,
    order::carry_out,
    refuse,
    stage::{Stage, Tried, Whose},
};
use crate::{
    cluster::{NodeName, TenantName},
    plan::{Check, MoveReason},
};

/// The move of one pod of a tenant from one node to another, or why it cannot be.
pub(super) fn single(
    mut stage: Stage,
    tenant: &TenantName,
    from: &NodeName,
    to: &NodeName,
) -> Result<Proposal, Check> {
    if from == to {
        return Err(refuse("target", format!("{to} is the node it is on: name another as target")));
    }
    let (Some(source), Some(target)) = (stage.board.at(from), stage.board.at(to)) else {
        return Err(refuse("node", format!("{from} or {to} is no node")));
    };
    let Some(whose) = stage.housed.iter().position(|h| h.tenant.name == *tenant).map(Whose) else {
        return Err(refuse("tenant", format!("{tenant} is no tenant")));
    };
    if let Some((rule, why)) = &stage.closed[target.index()] {
        return Err(refuse(rule, why));
    }
    let there = stage.housed[whose.0].pods.iter().enumerate().filter(|(_, p)| p.at == source).map(|(i, _)| i);
    let there: Vec<_> = there.collect();
    if there.is_empty() {
        let nodes: Vec<_> = stage.housed[whose.0].counts.keys().map(|at| stage.name(*at).as_str()).collect();
        let nodes = if nodes.is_empty() { "no node".into() } else { nodes.join(", ") };
        return Err(refuse("source", format!("{tenant} has no pod on {from}: its pods are on {nodes}")));
    }
    let mut first = None;
    for pod in there {
        let who = (whose, pod);
        match stage.means(who) {
            Err((rule, why)) => {
                let name = stage.lodger(who).pod.key.name.clone();
                first = first.or(Some((rule, format!("{name}: {why}"))));
            }
            Ok(means) => {
                if stage.first_to_take(who, [target]).is_none() {
                    return Err(refuse("no-room", not_taken(&mut stage, who, target, to)));
                }
                let before = balance::of(&stage);
                let tried = Tried { who, from: source, to: target, means, reason: MoveReason::Asked };
                let moves = vec![carry_out(&mut stage, tried)];
                return Ok(Proposal {
                    moves,
                    stays: Vec::new(),
                    closed: Vec::new(),
                    before,
                    after: balance::of(&stage),
                });
            }
        }
    }
    let (rule, why) = first.unwrap_or(("source", format!("no pod of {tenant} on {from} may move")));
    Err(refuse(rule, why))
}

fn not_taken(
    stage: &mut Stage,
    who: super::stage::Who,
    target: crate::plan::schedule::At,
    to: &NodeName,
) -> String {
    let class = stage.lodger(who).class.1;
    let mut refusal = stage.board.refused(class);
    refusal.reasons.retain(|(at, _)| *at == target);
    match refusal.reasons.is_empty() {
        true => format!("memory in use on {to} would exceed {} %", stage.policy.most_in_use),
        false => refusal.describe(&stage.board),
    }
}

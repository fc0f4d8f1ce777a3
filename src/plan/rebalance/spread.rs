//! The first goal: no tenant with several pods on one node while another that takes its pods has fewer by two.

use std::cmp::Reverse;

use super::{
    movable::Why,
    stage::{Stage, Who, Whose},
};
use crate::plan::{MoveReason, Stay, schedule::At};

/// Moves pods until no move brings a tenant's pods further apart. Tells whether it moved any.
pub(super) fn spread(stage: &mut Stage) -> bool {
    // Where room is short, small pods first: that cures the most.
    let mut wanting: Vec<(u64, Whose)> = (0..stage.housed.len())
        .map(Whose)
        .filter(|whose| stage.housed[whose.0].in_scope && crowded(stage, *whose).next().is_some())
        .map(|whose| (stage.housed[whose.0].pods.iter().map(|p| p.memory).max().unwrap_or(0), whose))
        .collect();
    wanting.sort();
    let mut any = false;
    loop {
        let mut again = false;
        for (_, whose) in &wanting {
            while step(stage, *whose) {
                again = true;
            }
        }
        // A move that was kept may stand where another pod alone could go.
        for (_, whose) in &wanting {
            while make_room(stage, *whose) {
                again = true;
            }
        }
        if !again {
            return any;
        }
        any = true;
        wanting.retain(|(_, whose)| crowded(stage, *whose).next().is_some());
    }
}

/// Nodes on which a tenant has several pods, the most first.
fn crowded(stage: &Stage, whose: Whose) -> impl Iterator<Item = (At, u32)> + use<> {
    let mut all: Vec<_> =
        stage.housed[whose.0].counts.iter().filter(|(_, n)| **n > 1).map(|(at, n)| (*at, *n)).collect();
    all.sort_by_key(|(at, n)| (Reverse(*n), Reverse(stage.share(*at, 0)), *at));
    all.into_iter()
}

/// The pod of a tenant that leaves a node: the youngest of those that may, as it has the least to lose; one that is
/// moved already only where no other may, as it can still be sent elsewhere.
fn leaver(stage: &Stage, whose: Whose, from: At) -> Result<Who, Why> {
    let mut there: Vec<_> =
        stage.housed[whose.0].pods.iter().enumerate().filter(|(_, p)| p.at == from).collect();
    there.sort_by_key(|(_, p)| (p.moved, Reverse((p.pod.created, p.pod.key.clone()))));
    let mut first = None;
    for (number, _) in there {
        let who = (whose, number);
        match stage.means(who) {
            Ok(_) => return Ok(who),
            Err(why) => first = first.or(Some(why)),
        }
    }
    Err(first.unwrap_or(("source", "none of its pods is there".into())))
}

/// Nodes that take pods and have fewer of a tenant's than another by two and more: the fewest first, then the zone
/// with the fewest, then the one with the smallest part of its memory requested.
fn emptier(stage: &Stage, who: Who, here: u32) -> Vec<At> {
    let housed = &stage.housed[who.0.0];
    let memory = stage.lodger(who).memory as i64;
    let there = |at: &At| housed.counts.get(at).copied().unwrap_or(0);
    let mut all: Vec<_> = stage
        .all()
        .filter(|at| stage.takes_pods(*at) && there(at) + 2 <= here && stage.allows(who, *at))
        .map(|at| (there(&at), stage.in_zone(who.0, at), stage.share(at, memory), at))
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(.., at)| at).collect()
}

fn reason(stage: &Stage, whose: Whose, here: u32) -> MoveReason {
    match stage.housed[whose.0].counts.len() {
        1 => MoveReason::OneNode { pods: here },
        _ => MoveReason::Doubled { pods: here },
    }
}

/// One move of a tenant, if one helps.
fn step(stage: &mut Stage, whose: Whose) -> bool {
    for (from, here) in crowded(stage, whose) {
        let Ok(who) = leaver(stage, whose, from) else { continue };
        let Ok(means) = stage.means(who) else { continue };
        let nodes = emptier(stage, who, here);
        if let Some(to) = stage.first_to_take(who, nodes) {
            let reason = reason(stage, whose, here);
            stage.keep(who, to, means, reason);
            return true;
        }
    }
    false
}

/// Nodes whose pods are looked at for one that could go elsewhere, for each pod that finds no room.
const TARGETS: usize = 8;

/// Makes room for a pod of this tenant: a pod of another, on a node that would help, goes elsewhere, where that does
/// not bring its own tenant nearer together.
fn make_room(stage: &mut Stage, whose: Whose) -> bool {
    for (from, here) in crowded(stage, whose) {
        let Ok(who) = leaver(stage, whose, from) else { continue };
        let Ok(means) = stage.means(who) else { continue };
        for target in emptier(stage, who, here).into_iter().take(TARGETS) {
            for other in in_the_way(stage, whose, target) {
                let count = |at: &At| stage.housed[other.0.0].counts.get(at).copied().unwrap_or(0);
                let there = count(&target);
                let mut elsewhere: Vec<_> = stage
                    .all()
                    .filter(|at| *at != target && stage.takes_pods(*at) && count(at) < there)
                    .filter(|at| stage.allows(other, *at))
                    .map(|at| (count(&at), stage.share(at, 0), at))
                    .collect();
                elsewhere.sort_unstable();
                let Ok(others_means) = stage.means(other) else { continue };
                let Some(instead) = stage.first_to_take(other, elsewhere.into_iter().map(|(.., at)| at))
                else {
                    continue;
                };
                let tenant = stage.housed[whose.0].tenant.name.clone();
                let before = stage.lodger(other).at;
                stage.keep(other, instead, others_means, MoveReason::MakesRoom { tenant });
                if stage.allows(who, target) && stage.first_to_take(who, [target]).is_some() {
                    let reason = reason(stage, whose, here);
                    stage.keep(who, target, means, reason);
                    return true;
                }
                stage.keep(other, before, others_means, MoveReason::Asked);
            }
        }
    }
    false
}

/// Pods of other tenants on a node that may go elsewhere: those first that were only sent there by a move, and which
/// take a move less.
fn in_the_way(stage: &Stage, whose: Whose, target: At) -> Vec<Who> {
    let others = (0..stage.housed.len()).map(Whose).filter(|other| *other != whose);
    let there = others.filter(|other| stage.housed[other.0].counts.contains_key(&target));
    let mut all: Vec<_> = there
        .flat_map(|other| {
            let pods = stage.housed[other.0].pods.iter().enumerate();
            pods.filter(|(_, p)| p.at == target).map(move |(i, p)| (!p.moved, p.memory, (other, i)))
        })
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(.., who)| who).filter(|who| stage.housed[who.0.0].in_scope).collect()
}

/// The pods that stay although their tenant has fewer by two on another node, each with the reason.
pub(super) fn left(stage: &mut Stage) -> Vec<Stay> {
    let mut stays = Vec::new();
    for whose in (0..stage.housed.len()).map(Whose) {
        if !stage.housed[whose.0].in_scope {
            continue;
        }
        for (from, here) in crowded(stage, whose) {
            let counts = &stage.housed[whose.0].counts;
            let fewer: Vec<_> =
                stage.all().filter(|at| counts.get(at).copied().unwrap_or(0) + 2 <= here).collect();
            let who = match leaver(stage, whose, from) {
                Ok(who) => Ok(who),
                Err(why) if fewer.iter().any(|at| stage.takes_pods(*at)) => Err(why),
                Err(_) => continue,
            };
            let (number, (rule, why)) = match who {
                Err(why) => {
                    let there = stage.housed[whose.0].pods.iter().position(|p| p.at == from && !p.moved);
                    (there.unwrap_or(0), why)
                }
                Ok(who) => match no_target(stage, who, here, &fewer) {
                    Some(why) => (who.1, why),
                    None => continue,
                },
            };
            let housed = &stage.housed[whose.0];
            stays.push(Stay {
                pod: housed.pods[number].pod.key.clone(),
                tenant: Some(housed.tenant.name.clone()),
                node: stage.name(from).clone(),
                rule: rule.into(),
                why,
            });
        }
    }
    stays
}

/// Why no node is left for a pod that may move. `None`: none has fewer pods of its tenant, as far as any takes pods.
fn no_target(stage: &mut Stage, who: Who, here: u32, fewer: &[At]) -> Option<Why> {
    let open: Vec<_> = fewer.iter().filter(|at| stage.takes_pods(**at)).copied().collect();
    if open.is_empty() {
        // Nodes that will take pods soon are told; those that are meant not to are not.
        let soon = fewer.iter().find_map(|at| stage.closed[at.index()].clone())?;
        return matches!(soon.0, "node-too-young" | "daemon-set" | "pressure").then_some(soon);
    }
    if !emptier(stage, who, here).is_empty() {
        let class = stage.lodger(who).class.1;
        let refusal = stage.board.refused(class);
        let only: Vec<_> = refusal.reasons.into_iter().filter(|(at, _)| open.contains(at)).collect();
        if only.is_empty() {
            let text =
                format!("memory in use would exceed {} % of every such node", stage.policy.most_in_use);
            return Some(("in-use", text));
        }
        let refusal = crate::plan::schedule::Refusal { reasons: only, ..refusal };
        return Some(("no-room", refusal.describe(&stage.board)));
    }
    let from = stage.lodger(who).at;
    if let Some(nodes) = stage.only_nodes()
        && !nodes.contains(&from)
        && !open.iter().any(|at| nodes.contains(at))
    {
        let names: Vec<_> = nodes.iter().map(|at| stage.name(*at).to_string()).collect();
        return Some(("scope", format!("only moves from or to {} are asked for", names.join(", "))));
    }
    Some(("cap", "the number of moves is limited".into()))
}

//! The third goal: memory evens out over the nodes, without giving up anything of the first.

use std::{cmp::Reverse, collections::BTreeSet};

use super::stage::{Lodger, Stage, WHOLE, Who, Whose, part};
use crate::plan::{MoveReason, Stay, schedule::At};

/// Which memory.
#[derive(Clone, Copy, PartialEq)]
enum Measure {
    Requested,
    InUse,
}

/// Evens out memory requests. Tells whether it moved any pod.
pub(super) fn requests(stage: &mut Stage) -> bool {
    even_out(stage, Measure::Requested, stage.policy.even_within)
}

/// Evens out memory in use, where it is known of every node.
pub(super) fn in_use(stage: &mut Stage) -> bool {
    stage.used.iter().all(Option::is_some) && even_out(stage, Measure::InUse, stage.policy.use_within)
}

/// Moves from the fullest nodes to the emptiest, the largest pod that brings them nearer first, until all lie within
/// so many percent of their mean or no move helps.
fn even_out(stage: &mut Stage, measure: Measure, within: u32) -> bool {
    let band = u64::from(within) * WHOLE / 100;
    let field = field(stage);
    let mut there: Vec<Vec<Who>> = vec![Vec::new(); stage.board.len()];
    for (housed, whose) in
        stage.housed.iter().zip((0..).map(Whose)).filter(|(h, _)| h.in_scope && h.held.is_none())
    {
        // What was moved for one kind of memory is not moved again for the other, or there would be no end.
        let free = |l: &Lodger| measure == Measure::Requested || !(l.moved || l.tired);
        for (lodger, pod) in housed.pods.iter().zip(0..).filter(|(l, _)| free(l)) {
            there[lodger.at.index()].push((whose, pod));
        }
    }
    let mut stuck = BTreeSet::new();
    let mut moved = false;
    loop {
        let mut nodes: Vec<_> = field.iter().map(|at| (share(stage, measure, *at, 0), *at)).collect();
        nodes.sort_unstable();
        let mean = mean(stage, measure, &field);
        let uneven = |a: &u64| a.abs_diff(mean) > band;
        if !nodes.iter().any(|(share, _)| uneven(share)) {
            return moved;
        }
        let sources =
            nodes.iter().rev().take_while(|(share, _)| *share > mean).filter(|(_, at)| !stuck.contains(at));
        let mut found = None;
        for (full, from) in sources.copied().collect::<Vec<_>>() {
            let targets: Vec<_> = nodes
                .iter()
                .take_while(|(share, _)| *share < mean)
                .filter(|(share, at)| stage.takes_pods(*at) && (uneven(share) || uneven(&full)))
                .map(|(_, at)| *at)
                .collect();
            found = best(stage, measure, &there[from.index()], from, &targets);
            if found.is_some() {
                break;
            }
            if uneven(&full) {
                stuck.insert(from);
            }
        }
        let Some((who, to)) = found else { return moved };
        let from = stage.lodger(who).at;
        let percent = |share: u64| (share * 100 / WHOLE) as u32;
        let reason = MoveReason::Uneven {
            from: percent(share(stage, measure, from, 0)),
            to: percent(share(stage, measure, to, 0)),
        };
        let Ok(means) = stage.means(who) else { return moved };
        there[from.index()].retain(|other| *other != who);
        if measure == Measure::Requested {
            there[to.index()].push(who);
        }
        stage.keep(who, to, means, reason);
        stage.housed[who.0.0].pods[who.1].tired |= measure == Measure::InUse;
        moved = true;
    }
}

/// The pods that stay although their node has more memory requested than lies near the mean and another would take
/// some: those that may not move, each with the reason.
pub(super) fn left(stage: &mut Stage) -> Vec<Stay> {
    let field = field(stage);
    let band = u64::from(stage.policy.even_within) * WHOLE / 100;
    let most = mean(stage, Measure::Requested, &field).saturating_add(band);
    let full: BTreeSet<_> = field.into_iter().filter(|at| stage.share(*at, 0) > most).collect();
    let mut stays = Vec::new();
    for (housed, whose) in stage.housed.iter().zip((0..).map(Whose)).filter(|(h, _)| h.in_scope) {
        for (lodger, pod) in housed.pods.iter().zip(0..).filter(|(l, _)| full.contains(&l.at)) {
            let Err((rule, why)) = stage.means((whose, pod)) else { continue };
            stays.push(Stay {
                pod: lodger.pod.key.clone(),
                tenant: Some(housed.tenant.name.clone()),
                node: stage.name(lodger.at).clone(),
                rule: rule.into(),
                why,
            });
        }
    }
    stays
}

/// The nodes that count: ready, and open to the pods of some tenant.
fn field(stage: &mut Stage) -> Vec<At> {
    let classes: Vec<_> = stage.housed.iter().filter_map(|h| h.pods.first()).map(|p| p.class.1).collect();
    let open = stage.board.open_to_any(&classes);
    stage.all().filter(|at| open[at.index()] && stage.board.node(*at).is_schedulable()).collect()
}

/// The part of a node's memory that counts, with so much more of it.
fn share(stage: &Stage, measure: Measure, at: At, more: i64) -> u64 {
    match measure {
        Measure::Requested => stage.share(at, more),
        Measure::InUse => {
            let used = stage.used[at.index()].unwrap_or(0);
            part(used.saturating_add_signed(more), stage.board.memory(at).1)
        }
    }
}

/// What all nodes have taken of what all offer.
fn mean(stage: &Stage, measure: Measure, field: &[At]) -> u64 {
    let (mut taken, mut all) = (0u64, 0u64);
    for at in field {
        let (requested, offered) = stage.board.memory(*at);
        all = all.saturating_add(offered);
        taken = taken.saturating_add(match measure {
            Measure::Requested => requested,
            Measure::InUse => stage.used[at.index()].unwrap_or(0),
        });
    }
    part(taken, all)
}

/// The largest pod of a node that one of the targets takes and that leaves both nearer to each other.
fn best(stage: &mut Stage, measure: Measure, there: &[Who], from: At, targets: &[At]) -> Option<(Who, At)> {
    let weight = |stage: &Stage, who: Who| match measure {
        Measure::Requested => Some(stage.lodger(who).memory),
        Measure::InUse => stage.lodger(who).used,
    };
    let mut pods: Vec<_> =
        there.iter().filter_map(|who| Some((weight(stage, *who).filter(|w| *w > 0)?, *who))).collect();
    pods.sort_by_key(|(weight, who)| (Reverse(*weight), *who));
    let band = u64::from(stage.policy.even_within) * WHOLE / 100;
    for target in targets {
        // Evening out one kind of memory must not make the other uneven.
        let most = match measure {
            Measure::Requested => u64::MAX,
            Measure::InUse => stage.share(from, 0).max(stage.share(*target, 0)).saturating_add(band),
        };
        for (weight, who) in &pods {
            let count = |at: At| stage.housed[who.0.0].counts.get(&at).copied().unwrap_or(0);
            let nearer = share(stage, measure, from, -(*weight as i64))
                >= share(stage, measure, *target, *weight as i64);
            if nearer
                && count(*target) < count(from)
                && stage.share(*target, stage.lodger(*who).memory as i64) <= most
                && stage.allows(*who, *target)
                && stage.means(*who).is_ok()
                && stage.first_to_take(*who, [*target]).is_some()
            {
                return Some((*who, *target));
            }
        }
    }
    None
}

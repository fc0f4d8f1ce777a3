//! The order of the moves: the most harmful state is mended first, and each target has room when its turn comes.

use std::cmp::Reverse;

use super::stage::{Stage, Tried};
use crate::{
    cluster::Memory,
    plan::{Move, MoveReason},
};

/// The moves that were kept, tried once more one after another from the start. One that no order allows is given up.
pub(super) fn ordered(stage: &mut Stage) -> Vec<Move> {
    let mut left = std::mem::take(&mut stage.tried);
    for tried in left.iter().rev() {
        stage.put(tried.who, tried.from);
    }
    // Of one tenant in the order in which its pods come apart: 3 on one node, then 2.
    left.sort_by_key(|t| (rank(&t.reason), t.who.0, Reverse(crowd(&t.reason)), t.who, t.from, t.to));
    let mut moves = Vec::with_capacity(left.len());
    loop {
        let before = moves.len();
        let mut later = Vec::new();
        for tried in left {
            if stage.first_to_take(tried.who, [tried.to]).is_some() {
                moves.push(carry_out(stage, tried));
            } else {
                later.push(tried);
            }
        }
        if later.is_empty() || moves.len() == before {
            for tried in later {
                stage.housed[tried.who.0.0].pods[tried.who.1].moved = false;
            }
            return moves;
        }
        left = later;
    }
}

/// Pods on one node that a reason names.
fn crowd(reason: &MoveReason) -> u32 {
    match reason {
        MoveReason::OneNode { pods } | MoveReason::Doubled { pods } => *pods,
        _ => 0,
    }
}

fn rank(reason: &MoveReason) -> u8 {
    match reason {
        MoveReason::OneNode { .. } => 0,
        MoveReason::Doubled { .. } | MoveReason::MakesRoom { .. } => 1,
        MoveReason::Uneven { .. } => 2,
        MoveReason::Drained | MoveReason::Asked => 3,
    }
}

/// Makes a move on the stage, and tells it.
pub(super) fn carry_out(stage: &mut Stage, tried: Tried) -> Move {
    let free = Memory(stage.board.free_memory(tried.to));
    stage.put(tried.who, tried.to);
    let after = Memory(stage.board.free_memory(tried.to));
    let housed = &stage.housed[tried.who.0.0];
    let pod = &housed.pods[tried.who.1].pod;
    let told = Move {
        tenant: Some(housed.tenant.name.clone()),
        workload: Some(housed.tenant.workload.key.clone()),
        pod: pod.key.clone(),
        uid: pod.uid.clone(),
        from: stage.name(tried.from).clone(),
        to: Some(stage.name(tried.to).clone()),
        means: tried.means,
        reason: tried.reason.clone(),
        free: Some((free, after)),
    };
    stage.tried.push(tried);
    told
}

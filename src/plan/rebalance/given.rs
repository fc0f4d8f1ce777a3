//! Moves that are given, and what comes of them.

use jiff::SignedDuration;

use super::{
    Caps, Policy, Proposal, balance,
    order::carry_out,
    stage::{Stage, Tried, Whose},
};
use crate::{cluster::Snapshot, plan::Move};

/// These moves as a proposal, in their order: how the pods are spread before and after, and the room on the targets. One
/// of a pod or to a node that is not there changes nothing.
pub fn given(seen: &Snapshot, moves: Vec<Move>) -> Proposal {
    let policy = Policy { pod_age: SignedDuration::ZERO, ..Policy::default() };
    let mut stage = Stage::new(seen, &policy, Caps::default());
    let before = balance::of(&stage);
    let carried = |moved: Move| {
        let find = |stage: &Stage| {
            stage.housed.iter().enumerate().find_map(|(whose, housed)| {
                let pod = housed.pods.iter().position(|lodger| lodger.pod.uid == moved.uid)?;
                Some((Whose(whose), pod))
            })
        };
        let at = |stage: &Stage| Some((stage.board.at(&moved.from)?, stage.board.at(moved.to.as_ref()?)?));
        let (Some(who), Some((from, to))) = (find(&stage), at(&stage)) else { return moved };
        let tried = Tried { who, from, to, means: moved.means, reason: moved.reason.clone() };
        let free = carry_out(&mut stage, tried).free;
        Move { free, ..moved }
    };
    let moves: Vec<_> = moves.into_iter().map(carried).collect();
    let after = balance::of(&stage);
    Proposal { moves, before, after, ..Proposal::default() }
}

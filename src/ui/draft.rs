//! Many moves before anybody has agreed to them: worked out beside the event loop, so that no key waits for it.

use std::sync::Arc;

use crate::{
    cluster::Snapshot,
    plan::{
        Check, Intent, Verdict,
        rebalance::{self, Aim, Caps, Policy, Proposal, Samples, Scheme},
    },
    run::campaign::{self, Campaign, Pace, Proposed},
};

/// What is to be worked out.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// The moves for an aim.
    Aim(Aim),
    /// What is left of a campaign that stands still, on what is seen now.
    Rest(Box<Campaign>),
    /// What takes a campaign back.
    Back(Box<Campaign>),
}

impl Wanted {
    /// In a few words: `rebalance the cluster`.
    pub fn words(&self) -> String {
        match self {
            Self::Aim(aim) => aim.to_string(),
            Self::Rest(campaign) => format!("go on: {}", campaign.goal),
            Self::Back(campaign) => format!("undo campaign {}: {}", campaign.short(), campaign.goal),
        }
    }
}

/// What was worked out: what is shown, and what can be approved.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The moves, what stays, the numbers.
    pub scheme: Scheme,
    /// Plans that stand for all of them in a rehearsal.
    pub samples: Samples,
    /// What an operator can say yes to.
    pub proposed: Proposed,
}

impl Draft {
    /// Works it out: up to some seconds for a large cluster.
    ///
    /// # Errors
    /// The check that refuses it.
    pub fn of(seen: &Arc<Snapshot>, wanted: &Wanted, policy: &Policy) -> Result<Self, Check> {
        let goal = wanted.words();
        let (scheme, proposed) = match wanted {
            Wanted::Aim(aim) => {
                let (first, foreseen) = aim.before(seen);
                let run = campaign::Aim { goal: aim.goal(), caps: Caps::default(), policy: policy.clone() };
                let offer = campaign::offer(&run, &foreseen)?;
                let items: Vec<_> = first.into_iter().chain(offer.items).collect();
                let proposed = Proposed::new(&foreseen, goal, Some(run), items.clone(), Pace::default());
                (Scheme::new(offer.proposal, items, foreseen), proposed)
            }
            Wanted::Rest(campaign) => {
                let proposed = campaign::rest(campaign, seen)?;
                let items = proposed.items().to_vec();
                let proposal = match &campaign.aim {
                    Some(aim) => campaign::offer(aim, seen)?.proposal,
                    None => rebalance::foretold(seen, policy, moves(&items)),
                };
                (Scheme::new(proposal, items, seen.clone()), proposed)
            }
            Wanted::Back(campaign) => {
                let refused = |why: String| Check::new("undo", Verdict::Refuse, why);
                let (items, stays) = campaign::back(campaign, seen).map_err(refused)?;
                let proposal = Proposal { ..rebalance::foretold(seen, policy, moves(&items)) };
                let pace = campaign.pace.clone();
                let proposed = Proposed::new(seen, goal, None, items.clone(), pace).undoing(&campaign.id);
                let mut scheme = Scheme::new(proposal, items, seen.clone());
                scheme.notes = stays;
                (scheme, proposed)
            }
        };
        let samples = scheme.samples();
        Ok(Self { scheme, samples, proposed })
    }
}

fn moves(items: &[Intent]) -> Vec<crate::plan::Move> {
    let of = |item: &Intent| match item {
        Intent::Move { moved } => Some(moved.clone()),
        _ => None,
    };
    items.iter().filter_map(of).collect()
}

//! The gate between a proposal and a campaign: the only way to get an [`Approved`] one.

use std::{collections::BTreeSet, sync::Arc};

use super::{Aim, Campaign, Envelope, Pace};
use crate::{
    cluster::{Lease, Snapshot, words::short_run},
    plan::{
        Check, Confirmation, Intent, Means, Stay, Unapproved, Verdict, plan_each,
        rebalance::{Goal, Proposal, propose},
    },
};

/// A campaign that nobody has said yes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    pub(super) goal: String,
    pub(super) aim: Option<Aim>,
    pub(super) items: Vec<Intent>,
    pub(super) pace: Pace,
    pub(super) undoes: Option<String>,
    pub(super) confirmation: Confirmation,
}

impl Proposed {
    /// These items, on what is seen, for a goal in a few words: `drain worker-3`.
    pub fn new(
        seen: &Snapshot,
        goal: impl Into<String>,
        aim: Option<Aim>,
        items: Vec<Intent>,
        pace: Pace,
    ) -> Self {
        let confirmation = confirmation(seen, &items);
        Self { goal: goal.into(), aim, items, pace, undoes: None, confirmation }
    }

    /// The same with other items.
    pub(super) fn with(&self, seen: &Snapshot, items: Vec<Intent>) -> Self {
        let confirmation = confirmation(seen, &items);
        Self { items, confirmation, ..self.clone() }
    }

    /// The same, which takes that campaign back.
    pub fn undoing(self, campaign: &str) -> Self {
        Self { undoes: Some(campaign.to_owned()), ..self }
    }

    /// What it is for, in a few words.
    pub fn goal(&self) -> &str {
        &self.goal
    }

    /// What is to be done, in order.
    pub fn items(&self) -> &[Intent] {
        &self.items
    }

    /// How fast.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// What approving it agrees to.
    pub fn envelope(&self) -> Envelope {
        Envelope { grave: self.confirmation != Confirmation::Yes, ..Envelope::of(&self.items) }
    }

    /// What the operator must do to approve it: what is grave in any item wants the name typed.
    pub fn confirmation(&self) -> &Confirmation {
        &self.confirmation
    }

    /// Approves it: it must do something, and `typed` must be what [`Proposed::confirmation`] asks for.
    ///
    /// # Errors
    /// It does nothing, or something had to be typed.
    pub fn approve(self, typed: Option<&str>, reason: Option<String>) -> Result<Approved, Unapproved> {
        if self.items.is_empty() {
            return Err(Unapproved::Nothing);
        }
        if let Confirmation::Type(text) = &self.confirmation
            && typed.map(str::trim) != Some(text.as_str())
        {
            return Err(Unapproved::NotTyped(text.clone()));
        }
        let envelope = self.envelope();
        let Self { goal, aim, items, pace, undoes, .. } = self;
        let reason = reason.map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
        Ok(Approved { goal, aim, items, pace, envelope, undoes, reason })
    }
}

/// A campaign somebody has said yes to. Only this can be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved {
    pub(super) goal: String,
    pub(super) aim: Option<Aim>,
    pub(super) items: Vec<Intent>,
    pub(super) pace: Pace,
    pub(super) envelope: Envelope,
    pub(super) undoes: Option<String>,
    pub(super) reason: Option<String>,
}

/// What is proposed for an aim, and the items that carry it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The moves, what stays and why, before and after.
    pub proposal: Proposal,
    /// The items, in order.
    pub items: Vec<Intent>,
}

/// What an aim comes to on what is seen. A drain keeps new pods off the node first.
///
/// # Errors
/// The check that refuses it.
pub fn offer(aim: &Aim, seen: &Snapshot) -> Result<Offer, Check> {
    let mut proposal = propose(seen, &aim.goal, aim.caps, &aim.policy)?;
    let (moves, others): (Vec<_>, Vec<_>) =
        proposal.moves.into_iter().partition(|moved| moved.tenant.is_none() || moved.to.is_some());
    proposal.moves = moves;
    proposal.stays.extend(others.into_iter().map(|moved| Stay {
        pod: moved.pod,
        tenant: moved.tenant,
        node: moved.from,
        rule: "no-room".into(),
        why: "no other node takes it: add one, or make room".into(),
    }));
    let first = match &aim.goal {
        Goal::Drain { node } => {
            let cordoned = seen.nodes.get(node).is_some_and(|node| node.cordoned);
            (!cordoned).then(|| Intent::Cordon { node: node.clone(), cordoned: true })
        }
        Goal::Rebalance { .. } | Goal::Fill { .. } | Goal::Move { .. } => None,
    };
    let moves = proposal.moves.iter().map(|moved| Intent::Move { moved: moved.clone() });
    let items = first.into_iter().chain(moves).collect();
    Ok(Offer { proposal, items })
}

/// The rest of a campaign that stands still, before an operator has agreed to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// What is left to do.
    pub proposed: Proposed,
    /// What was proposed for its aim, with what stays and why; `None`: its items stand for themselves.
    pub proposal: Option<Proposal>,
}

/// A run of the campaign whose lease has not been given back and has not run out: until then its tenant can be planned
/// for by nobody.
fn unsettled(campaign: &Campaign, seen: &Snapshot) -> Option<Check> {
    let own = |run: &str| campaign.begun().any(|begun| begun == run);
    let held = |lease: &&Arc<Lease>| lease.is_held(seen.at) && lease.run.as_deref().is_some_and(own);
    let lease = seen.leases.values().find(held)?;
    let seconds = lease.held_until()?.duration_since(seen.at).as_secs().max(1);
    let run = short_run(lease.run.as_deref().unwrap_or_default());
    let name = &lease.key.name;
    let text = format!(
        "run {run} of this campaign has not given its lease {name} back: it runs out in {seconds} s, wait for it"
    );
    Some(Check::new("lease", Verdict::Refuse, text))
}

/// What an operator would agree to for the rest of a campaign that stands still: its aim proposed again on what is seen,
/// or the items that wait where it has none.
///
/// # Errors
/// The check that refuses it; its rule is `lease` while a run of the campaign still holds one.
pub fn rest(campaign: &Campaign, seen: &Snapshot) -> Result<Rest, Check> {
    if let Some(check) = unsettled(campaign, seen) {
        return Err(check);
    }
    let left = campaign.left().into_iter();
    // That a node takes pods again comes before what is moved there, and follows from no goal.
    let opens = |item: &Intent| matches!(item, Intent::Cordon { cordoned: false, .. });
    let (items, proposal) = match &campaign.aim {
        Some(aim) => {
            let offer = offer(aim, seen)?;
            (left.filter(opens).chain(offer.items).collect(), Some(offer.proposal))
        }
        None => (left.collect(), None),
    };
    let (goal, aim) = (campaign.goal.clone(), campaign.aim.clone());
    Ok(Rest { proposed: Proposed::new(seen, goal, aim, items, campaign.pace.clone()), proposal })
}

/// A move by adoption keeps every pod ready: nothing in it is grave, and planning it alone would tell nothing.
fn is_plain(item: &Intent) -> bool {
    matches!(item, Intent::Move { moved } if moved.means == Means::Adoption)
}

/// What has to be typed for all of them together.
fn confirmation(seen: &Snapshot, items: &[Intent]) -> Confirmation {
    let plans = plan_each(seen, items.iter().filter(|item| !is_plain(item)));
    let typed: BTreeSet<_> = plans
        .filter_map(|plan| match plan.confirmation() {
            Confirmation::Type(text) => Some(text),
            Confirmation::Yes => None,
        })
        .collect();
    match typed.len() {
        0 => Confirmation::Yes,
        1 => Confirmation::Type(typed.into_iter().next().unwrap_or_default()),
        n => Confirmation::Type(format!("{n} tenants")),
    }
}

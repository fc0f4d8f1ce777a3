//! Many moves before anybody has agreed to them: worked out beside the event loop, so that no key waits for it.

use std::sync::Arc;

use super::Terms;
use crate::{
    cluster::{Snapshot, TenantName},
    plan::{
        Check, Intent, Verdict,
        many::{self, Deed, Many},
        rebalance::{self, Aim, Goal, Policy, Samples, Scheme},
        whatif::{Loss, what_if},
    },
    run::campaign::{self, Campaign, Pace, Proposed, Refusals, Rest},
};

/// What is to be worked out.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// The moves for an aim.
    Aim(Aim),
    /// The same for many tenants.
    Tenants(Box<ToTenants>),
    /// What is left of a campaign that stands still, on what is seen now.
    Rest(Box<Campaign>),
    /// What takes a campaign back.
    Back(Box<Campaign>),
}

/// What is done to which tenants, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct ToTenants {
    /// What.
    pub deed: Deed,
    /// To whom.
    pub tenants: Vec<TenantName>,
    /// So many at the same time.
    pub parallel: u32,
    /// So many first.
    pub canary: u32,
    /// So many failures stop it.
    pub max_failures: u32,
}

impl Wanted {
    /// In a few words: `rebalance the cluster`.
    pub fn words(&self) -> String {
        match self {
            Self::Aim(aim) => aim.to_string(),
            Self::Tenants(wanted) => wanted.deed.words(wanted.tenants.len()),
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
    /// The tenants, where the same is done to each; then there are no moves.
    pub many: Option<Many>,
}

impl Draft {
    /// Works it out: up to some seconds for a large cluster.
    ///
    /// # Errors
    /// The check that refuses it.
    pub fn of(seen: &Arc<Snapshot>, wanted: &Wanted, terms: &Terms, policy: &Policy) -> Result<Self, Check> {
        let goal = wanted.words();
        let (scheme, proposed) = match wanted {
            Wanted::Tenants(wanted) => {
                let made = many::many(seen, &wanted.deed, &wanted.tenants);
                let pace = Pace::of_tenants(seen, terms.parallel, terms.canary, terms.stop_after);
                let proposed = Proposed::of_tenants(&made, pace);
                return Ok(Self::of_tenants(seen, made, proposed));
            }
            Wanted::Rest(campaign) if campaign.is_of_tenants() => {
                let made = many::given(seen, campaign.goal.clone(), campaign.left());
                let proposed = Proposed::of_tenants(&made, campaign.pace.clone());
                return Ok(Self::of_tenants(seen, made, proposed));
            }
            Wanted::Back(campaign) if campaign.is_of_tenants() => {
                let refused = |why: String| Check::new("undo", Verdict::Refuse, why);
                let (items, stays) = campaign::back(campaign, seen).map_err(refused)?;
                let made = many::given(seen, goal, items);
                let pace = terms.pace(campaign.pace.clone());
                let proposed = Proposed::of_tenants(&made, pace).undoing(&campaign.id);
                let mut draft = Self::of_tenants(seen, made, proposed);
                draft.scheme.notes = stays;
                return Ok(draft);
            }
            Wanted::Aim(aim) => {
                let (first, foreseen) = aim.before(seen);
                let goal_of = match aim.goal() {
                    Goal::Rebalance { nodes, tenants, .. } => {
                        Goal::Rebalance { nodes, tenants, only_spread: terms.only_spread }
                    }
                    other => other,
                };
                let run = campaign::Aim { goal: goal_of, caps: terms.caps, policy: policy.clone() };
                let offer = campaign::offer(&run, &foreseen)?;
                let items: Vec<_> = first.into_iter().chain(offer.items).collect();
                let proposed =
                    Proposed::new(&foreseen, goal, Some(run), items.clone(), terms.pace(Pace::default()));
                let mut scheme = Scheme::new(offer.proposal, items, foreseen);
                scheme.notes = aim.is_open(seen).into_iter().chain(notes(aim, &scheme)).collect();
                (scheme, proposed)
            }
            Wanted::Rest(campaign) => {
                let Rest { proposed, proposal } = campaign::rest(campaign, seen)?;
                let items = proposed.items().to_vec();
                let proposal = proposal.unwrap_or_else(|| rebalance::given(seen, moves(&items)));
                (Scheme::new(proposal, items, seen.clone()), proposed)
            }
            Wanted::Back(campaign) => {
                let refused = |why: String| Check::new("undo", Verdict::Refuse, why);
                let (items, stays) = campaign::back(campaign, seen).map_err(refused)?;
                let proposal = rebalance::given(seen, moves(&items));
                let pace = terms.pace(campaign.pace.clone());
                let proposed = Proposed::new(seen, goal, None, items.clone(), pace).undoing(&campaign.id);
                let mut scheme = Scheme::new(proposal, items, seen.clone());
                scheme.notes = stays;
                (scheme, proposed)
            }
        };
        let draft = Self { samples: scheme.samples(), scheme, proposed, many: None };
        let mut left = terms.left.clone();
        left.extend(campaign::refusals(&draft.samples.plans));
        Ok(draft.without(&left))
    }

    /// The same without the moves that are refused.
    fn without(self, left: &Refusals) -> Self {
        let Scheme { proposal, foreseen, notes, .. } = &self.scheme;
        let (proposed, stays) = self.proposed.without(foreseen, left);
        if stays.is_empty() {
            return self;
        }
        let items = proposed.items().to_vec();
        let mut scheme = Scheme::new(proposal.clone().without(foreseen, stays), items, foreseen.clone());
        scheme.notes.clone_from(notes);
        Self { samples: scheme.samples(), scheme, proposed, many: None }
    }

    /// The same for whole tenants: no pod is moved.
    fn of_tenants(seen: &Arc<Snapshot>, made: Many, proposed: Proposed) -> Self {
        let scheme = Scheme::new(rebalance::Proposal::default(), Vec::new(), seen.clone());
        let samples =
            Samples { plans: made.samples.clone(), namespaces: (made.samples.len(), made.items.len()) };
        Self { scheme, samples, proposed, many: Some(made) }
    }
}

/// What else is to be said of an aim: what the database loses with a drained node, and which nodes take no pods yet.
fn notes(aim: &Aim, scheme: &Scheme) -> Vec<String> {
    let mut notes = Vec::new();
    if let Aim::Drain { node } = aim {
        notes.extend(rebalance::emptied(&scheme.foreseen, &scheme.proposal));
        let told = what_if(&scheme.foreseen, std::slice::from_ref(node), Loss::Drain).ok();
        notes.extend(told.and_then(|told| told.database).map(|loss| loss.sentences()).unwrap_or_default());
    }
    // Those that are meant not to take any are not worth a word.
    let soon = |rule: &str| matches!(rule, "node-too-young" | "daemon-set" | "pressure");
    let closed = scheme.proposal.closed.iter().filter(|closed| soon(&closed.rule));
    notes.extend(closed.map(|closed| closed.why.clone()));
    notes
}

fn moves(items: &[Intent]) -> Vec<crate::plan::Move> {
    let of = |item: &Intent| match item {
        Intent::Move { moved } => Some(moved.clone()),
        _ => None,
    };
    items.iter().filter_map(of).collect()
}

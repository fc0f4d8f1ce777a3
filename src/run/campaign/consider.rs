//! What an item comes to on what is seen now. Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Campaign, Doing, ItemState, is_of_tenant, next::brief};
use crate::{
    cluster::{NodeName, Snapshot, Written},
    plan::{
        Check, Intent, Means, Move, MoveReason, Plan, plan,
        rebalance::{Policy, elsewhere},
    },
    run::journal,
};

/// What passes by itself, such as a lease that was just given back or a pod that is starting, is waited for so long
/// after the last entry.
const PATIENCE: SignedDuration = SignedDuration::from_secs(180);
/// What refuses a plan, and passes by itself.
const PASSING: &[&str] = &["lease", "ready", "rollout", "freshness"];
/// The same for a tenant among many: the others are not to wait for it.
const PATIENCE_OF_MANY: SignedDuration = SignedDuration::from_secs(45);
/// What refuses the plan of every tenant alike, and is waited for however long it lasts.
const BUSY: &str = "database";

/// What an item comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Considered {
    /// This plan, inside what was agreed to.
    Run(Box<Plan>),
    /// It is not needed: why.
    Skip(String),
    /// It cannot be done yet: why.
    Later(Doing),
    /// It goes to another node, within what was agreed to: which, and why.
    Elsewhere(NodeName, String),
    /// An operator has to decide: why. The flag says that the plan itself would do, but was not agreed to.
    Stop(String, bool),
}

/// Plans an item on what is seen, at a time of the API server's.
pub fn consider(campaign: &Campaign, item: usize, seen: &Snapshot, now: Timestamp) -> Considered {
    let intent = &campaign.items[item];
    if let Some(why) = needless(intent, seen) {
        return Considered::Skip(why);
    }
    let plan = plan(seen, intent);
    let refusals: Vec<_> = plan.refusals().collect();
    if refusals.is_empty() {
        if plan.steps.is_empty() {
            let says = plan.all_checks().last().map(|c| c.text.clone());
            return Considered::Skip(says.unwrap_or_else(|| "it is so already".into()));
        }
        return match campaign.envelope.exceeded(&plan) {
            Some(why) if is_of_tenant(intent) => Considered::Skip(brief(&why)),
            Some(why) => Considered::Stop(format!("{}: {why}", campaign.words(item)), true),
            None => Considered::Run(Box::new(plan)),
        };
    }
    let texts: Vec<_> = refusals.iter().map(|c| c.text.as_str()).collect();
    let waited = now.duration_since(campaign.last_at().unwrap_or(now));
    if refusals.iter().any(|c| c.rule == "open-run") && waited < PATIENCE && has_unseen_end(campaign, seen) {
        return Considered::Later(format!("{}: {}", campaign.words(item), texts.join("; ")).into());
    }
    if is_of_tenant(intent) {
        let rules: Vec<_> = refusals.iter().map(|c| &*c.rule).collect();
        return of_many(&rules, &texts.join("; "), waited);
    }
    // What passes by itself, such as the lease of the run before, is waited for once nothing else stands in the way.
    let lasting: Vec<_> = refusals.iter().filter(|c| !passes(c)).map(|c| c.text.as_str()).collect();
    if lasting.is_empty() {
        let why = format!("{}: {}", campaign.words(item), texts.join("; "));
        return match waited < PATIENCE {
            true => Considered::Later(why.into()),
            false => Considered::Stop(format!("{why}, for {} s", PATIENCE.as_secs()), false),
        };
    }
    let why = format!("{}: {}", campaign.words(item), lasting.join("; "));
    let other = match intent {
        // Who asked for a node, or evens memory out between two, means that one.
        Intent::Move { moved } if moved.means == Means::Adoption && is_free(&moved.reason) => {
            another(campaign, moved, seen)
        }
        _ => None,
    };
    match other {
        Some(to) => Considered::Elsewhere(to, why),
        None => Considered::Stop(why, false),
    }
}

/// It passes by itself: it is waited for when its turn comes.
pub fn passes(check: &Check) -> bool {
    PASSING.contains(&&*check.rule)
}

/// What becomes of a tenant among many whose plan is refused: it is waited for, or left out.
fn of_many(rules: &[&str], why: &str, waited: SignedDuration) -> Considered {
    if !rules.iter().all(|rule| PASSING.contains(rule) || *rule == BUSY) {
        return Considered::Skip(brief(why));
    }
    match rules.iter().find(|rule| ["freshness", BUSY].contains(rule)) {
        Some(_) => Considered::Later(Doing::Waits(why.to_owned())),
        None if waited < PATIENCE_OF_MANY => Considered::Later(Doing::Waits(why.to_owned())),
        None => Considered::Skip(brief(why)),
    }
}

/// A run of this campaign that is over is seen as open yet: its end is written down before it is seen. Its lease may
/// have run out by then, where what is seen is late.
fn has_unseen_end(campaign: &Campaign, seen: &Snapshot) -> bool {
    let open = |run: &str| {
        let state = |s: &ItemState| matches!(s, ItemState::Running(id) | ItemState::Held(id, _) if id == run);
        campaign.states.iter().any(state)
    };
    let over: BTreeSet<_> = campaign.begun().filter(|run| !open(run)).map(journal::name).collect();
    seen.journals.values().any(|j| j.of == Written::Run && !j.is_over() && over.contains(&*j.key.name))
}

/// Any node that takes the pod serves the goal.
fn is_free(reason: &MoveReason) -> bool {
    matches!(reason, MoveReason::OneNode { .. } | MoveReason::Doubled { .. } | MoveReason::Drained)
}

/// Another node, among those agreed to, that takes the pod and serves the goal as well.
fn another(campaign: &Campaign, moved: &Move, seen: &Snapshot) -> Option<NodeName> {
    let policy = campaign.aim.as_ref().map_or_else(Policy::default, |aim| aim.policy.clone());
    let nodes = campaign.envelope.nodes.iter().filter(|node| Some(*node) != moved.to.as_ref());
    let nodes: Vec<_> = nodes.cloned().collect();
    elsewhere(seen, moved, &nodes, &policy)
        .into_iter()
        .map(|to| Move { to: Some(to), ..moved.clone() })
        .find(|other| {
            let intent = Intent::Move { moved: other.clone() };
            needless(&intent, seen).is_none() && plan(seen, &intent).refusals().all(passes)
        })
        .and_then(|other| other.to)
}

/// Why an item brings the goal no nearer any more.
fn needless(item: &Intent, seen: &Snapshot) -> Option<String> {
    let Intent::Move { moved } = item else { return None };
    if !seen.pods.freshness.is_live() {
        return None;
    }
    let name = &moved.pod.name;
    let Some(pod) = seen.pods.get(&moved.pod).filter(|pod| pod.uid == moved.uid) else {
        return Some(format!("{name} is gone"));
    };
    if pod.deleting.is_some() {
        return Some(format!("{name} is being deleted"));
    }
    if pod.node.as_ref().is_some_and(|node| *node != moved.from) {
        return Some(format!("{name} is not on {} any more", moved.from));
    }
    if !matches!(moved.reason, MoveReason::OneNode { .. } | MoveReason::Doubled { .. }) {
        return None;
    }
    let (tenant, to) = (seen.tenants.get(moved.tenant.as_ref()?)?, moved.to.as_ref()?);
    let placement = tenant.placement();
    let pods = |node| placement.get(node).copied().unwrap_or(0);
    let (there, here) = (pods(&moved.from), pods(to));
    (there < here + 2).then(|| {
        let (tenant, from) = (&tenant.name, &moved.from);
        format!("{tenant} has {there} on {from} and {here} on {to} now: the move would not spread it")
    })
}

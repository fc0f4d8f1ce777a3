//! How many more replicas of a tenant the cluster takes now, on which nodes, and why not on the others.
//!
//! Called by the screens and the command line. It answers a question and plans nothing: what a change of replicas does
//! is `plan`'s to say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    admission::admission,
    schedule::{Board, Incoming},
};
use crate::cluster::{NodeName, Snapshot, Tenant, TenantName};

/// Replicas tried at most: beyond, the answer is "that many at least".
const MOST: u32 = 1000;

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fitting {
    /// The tenant.
    pub tenant: TenantName,
    /// How many were asked for; `None`: as many as fit.
    pub asked: Option<u32>,
    /// How many fit, one after another.
    pub fits: u32,
    /// More would fit: the counting stopped.
    pub or_more: bool,
    /// On which nodes they come up. Where the scheduler likes several equally, the first by name.
    pub nodes: BTreeMap<NodeName, u32>,
    /// Each node that takes none (any more), and why.
    pub refusing: Vec<Refusing>,
    /// The scheduler's sentence about the first that does not fit.
    pub message: Option<String>,
    /// Why the API server or what its pods need lets no more in, whatever room there is.
    pub admission: Option<String>,
    /// Why pods of it are refused at this moment.
    pub refused: Option<String>,
    /// What may let fewer in and is not known.
    pub unknown: Vec<String>,
}

/// A node that does not take the next replica.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusing {
    /// Which.
    pub node: NodeName,
    /// How many it takes before.
    pub after: u32,
    /// Why, in the scheduler's words.
    pub reasons: Vec<String>,
    /// The same with the arithmetic.
    pub why: String,
}

/// How many more replicas of a tenant find a node now, or whether so many do.
///
/// # Errors
/// It is not known, and why.
pub fn fits(seen: &Snapshot, tenant: &Tenant, asked: Option<u32>) -> Result<Fitting, String> {
    if let Some(why) = seen.room_unknown() {
        return Err(why);
    }
    let mut board = Board::new(seen);
    let class = board.class(&Incoming::next_of(seen, &tenant.workload));
    let admission = admission(seen, &tenant.workload);
    let asked_for = asked.unwrap_or(MOST).min(MOST);
    let refused = tenant.workload.refused.as_ref().map(|r| r.message.to_string());
    let let_in = admission.limit.as_ref().map_or(asked_for, |(limit, _)| asked_for.min(*limit));
    // A pod more is refused as those are that are missing now.
    let let_in = if refused.is_some() { 0 } else { let_in };
    let mut nodes: BTreeMap<NodeName, u32> = BTreeMap::new();
    let mut landed = 0;
    while landed < let_in {
        let Some(fits) = board.land(class) else { break };
        board.bind(class, fits.best[0]);
        *nodes.entry(board.node(fits.best[0]).name.clone()).or_default() += 1;
        landed += 1;
    }
    let full = landed < let_in;
    let refusal = board.refused(class);
    let refusing = refusal.reasons.iter().map(|(at, reasons)| {
        let node = board.node(*at).name.clone();
        let why: Vec<_> = reasons.iter().map(|r| r.describe()).collect();
        Refusing {
            after: nodes.get(&node).copied().unwrap_or(0),
            reasons: reasons.iter().map(|r| r.in_its_words().into_owned()).collect(),
            why: why.join(", "),
            node,
        }
    });
    Ok(Fitting {
        tenant: tenant.name.clone(),
        asked,
        fits: landed,
        or_more: !full && let_in == asked_for && refusal.reasons.len() < board.len(),
        refusing: refusing.collect(),
        message: full.then(|| refusal.message()),
        admission: admission.limit.filter(|_| !full && let_in < asked_for).map(|(_, why)| why),
        refused,
        unknown: admission.unknown,
        nodes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::sketch;

    #[test]
    fn replicas_are_counted_until_the_nodes_are_full_and_each_says_why() {
        let text = "node w1 memory=2Gi\nnode w2 memory=1Gi\nnode w3 cordoned\ntenant acme 1 on w1";
        let seen = sketch(text, jiff::Timestamp::UNIX_EPOCH).expect("a sketch");
        let acme = &seen.tenants[&TenantName::from("acme")];
        // 448 Mi each: w1 takes 4 in all, w2 takes 2.
        let fits = |more| fits(&seen, acme, more).expect("the room is known");
        let all = fits(None);
        assert_eq!((all.fits, all.or_more), (5, false));
        let on: Vec<_> = all.nodes.iter().map(|(n, k)| (n.as_str(), *k)).collect();
        assert_eq!(on, [("w1", 3), ("w2", 2)]);
        let says: Vec<_> =
            all.refusing.iter().map(|r| (r.node.as_str(), r.after, r.reasons.join(";"))).collect();
        assert_eq!(
            says,
            [
                ("w1", 3, "Insufficient memory".to_owned()),
                ("w2", 2, "Insufficient memory".into()),
                ("w3", 0, "node(s) were unschedulable".into())
            ]
        );
        assert!(
            all.message
                .is_some_and(|m| m.starts_with("0/3 nodes are available: 1 node(s) were unschedulable"))
        );
        let two = fits(Some(2));
        assert_eq!((two.fits, two.or_more, two.message), (2, true, None));
        assert_eq!(two.refusing.len(), 1, "{:?}", two.refusing);
        assert_eq!(fits(Some(6)).fits, 5);
    }
}

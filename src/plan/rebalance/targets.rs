//! Where one pod can go: every node with what speaks against it.

use super::{
    Caps, Policy, known_tenant, refuse,
    stage::{Stage, Whose},
};
use crate::{
    cluster::{Key, Memory, NodeName, Snapshot, TenantName},
    plan::{Check, Intent, Move, MoveReason, Verdict, check},
};

/// A node that a pod could come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetNode {
    /// The node.
    pub node: NodeName,
    /// Pods of the same tenant there.
    pub pods: u32,
    /// Memory there that no pod has requested.
    pub free: Memory,
    /// Why it does not take the pod; `None`: it does.
    pub why_not: Option<String>,
}

/// A pod that is to be moved, and where it can go.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// The move, without its target.
    pub moved: Move,
    /// The nodes it could come to.
    pub nodes: Vec<TargetNode>,
}

impl Targets {
    /// The move to one of them.
    pub fn to(&self, target: &TargetNode) -> Intent {
        Intent::Move { moved: Move { to: Some(target.node.clone()), ..self.moved.clone() } }
    }
}

/// The nodes other than its own that a pod of a tenant could come to: those that take it first, the one with the fewest
/// pods of the tenant and then the emptiest first of them.
///
/// # Errors
/// The check that refuses to move this pod at all.
pub fn targets(seen: &Snapshot, tenant: &TenantName, pod: &Key, policy: &Policy) -> Result<Targets, Check> {
    if let Some(unknown) = check::freshness(seen).into_iter().find(|c| c.verdict == Verdict::Refuse) {
        return Err(unknown);
    }
    known_tenant(seen, tenant)?;
    let mut stage = Stage::new(seen, policy, Caps::default());
    let whose = stage.housed.iter().position(|h| h.tenant.name == *tenant).map(Whose);
    let found = whose.and_then(|whose| {
        let at = stage.housed[whose.0].pods.iter().position(|p| p.pod.key == *pod)?;
        Some((whose, at))
    });
    let Some(who) = found else {
        let why = format!("{} is on no node, or is no pod of {tenant} any more", pod.name);
        return Err(refuse("pod", why));
    };
    let means = stage.means(who).map_err(|(rule, why)| refuse(rule, why))?;
    let source = stage.lodger(who).at;
    let class = stage.lodger(who).class.1;
    let others: Vec<_> = stage.all().filter(|at| *at != source).collect();
    let takes: Vec<bool> =
        others.iter().map(|at| stage.takes_pods(*at) && stage.first_to_take(who, [*at]).is_some()).collect();
    // Why the others do not is asked once, of all of them.
    let refusal = takes.contains(&false).then(|| stage.board.refused(class));
    let mut all: Vec<_> = others
        .iter()
        .zip(takes)
        .map(|(at, takes)| {
            let why_not = (!takes).then(|| match &stage.closed[at.index()] {
                Some((_, why)) => why.clone(),
                None => {
                    let reasons = refusal.iter().flat_map(|r| &r.reasons).find(|(node, _)| node == at);
                    let words = |(_, reasons): &(_, Vec<_>)| {
                        let each = reasons.iter().map(|r: &crate::plan::schedule::Reason| r.describe());
                        each.collect::<Vec<_>>().join(", ")
                    };
                    reasons.map(words).unwrap_or_else(|| {
                        format!("memory in use would exceed {} %", stage.policy.most_in_use)
                    })
                }
            });
            TargetNode {
                node: stage.name(*at).clone(),
                pods: stage.housed[who.0.0].counts.get(at).copied().unwrap_or(0),
                free: Memory(stage.board.free_memory(*at)),
                why_not,
            }
        })
        .collect();
    all.sort_by_key(|t| (t.why_not.is_some(), t.pods, std::cmp::Reverse(t.free.0), t.node.clone()));
    let housed = &stage.housed[who.0.0].tenant;
    let pod = &stage.lodger(who).pod;
    let moved = Move {
        tenant: Some(housed.name.clone()),
        workload: Some(housed.workload.key.clone()),
        pod: pod.key.clone(),
        uid: pod.uid.clone(),
        from: stage.name(source).clone(),
        to: None,
        means,
        reason: MoveReason::Asked,
        free: None,
    };
    Ok(Targets { moved, nodes: all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::sketch;

    #[test]
    fn every_other_node_is_told_with_what_speaks_against_it() {
        let now = "2026-11-29T09:00:00Z".parse().expect("a time");
        let text = "node w1\nnode w2 cordoned\nnode w3 memory=512Mi\nnode w4\nnode w5 memory=8Gi\ntenant acme 2 on w1 w4 request=384Mi\ntenant full 1 on w3 request=384Mi";
        let seen = sketch(text, now).expect("a sketch");
        let acme = &seen.tenants[&TenantName::from("acme")];
        let pod = acme.pods.iter().find(|p| p.node == Some("w1".into())).expect("a pod").key.clone();
        let all = targets(&seen, &acme.name, &pod, &Policy::default()).expect("it may move").nodes;
        let told: Vec<_> = all.iter().map(|t| (t.node.as_str(), t.pods, t.why_not.as_deref())).collect();
        assert_eq!(told[..2], [("w5", 0, None), ("w4", 1, None)], "{told:?}");
        assert!(
            told.contains(&("w2", 0, Some("w2 is cordoned: uncordon it first"))) && told.len() == 4,
            "{told:?}"
        );
        let full = all.iter().find(|t| t.node.as_str() == "w3").and_then(|t| t.why_not.clone());
        assert!(full.is_some_and(|why| why.contains("memory")), "{told:?}");
        let gone = targets(&seen, &acme.name, &Key::new("acme", "none"), &Policy::default());
        assert!(gone.is_err_and(|c| c.text.contains("none")));
    }
}

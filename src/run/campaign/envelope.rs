//! What an operator agreed to when a campaign was approved.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    cluster::{NodeName, TenantName},
    plan::{About, Change, Confirmation, Intent, Means, Plan},
};

/// What the operator has approved: a plan that goes beyond it is not run without a new yes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The tenants whose pods may be touched.
    pub tenants: BTreeSet<TenantName>,
    /// The nodes that pods may come to, or that may be cordoned.
    pub nodes: BTreeSet<NodeName>,
    /// Pods may be evicted, with one ready pod less meanwhile.
    #[serde(default)]
    pub evictions: bool,
    /// What wants a name typed was agreed to.
    #[serde(default)]
    pub grave: bool,
}

impl Envelope {
    /// The envelope that these items need, without anything grave.
    pub fn of(items: &[Intent]) -> Self {
        let mut envelope = Self::default();
        for item in items {
            match item {
                Intent::Move { moved } => {
                    envelope.tenants.extend(moved.tenant.clone());
                    envelope.nodes.extend(moved.to.clone());
                    // A pod that is no tenant's is evicted on account of its node.
                    envelope.nodes.extend(moved.tenant.is_none().then(|| moved.from.clone()));
                    envelope.evictions |= moved.means == Means::Eviction;
                }
                Intent::Migrate { migration } => {
                    envelope.tenants.insert(migration.tenant.clone());
                }
                Intent::Rollback { rollback } => {
                    envelope.tenants.insert(rollback.tenant.clone());
                }
                Intent::Release { release } => {
                    envelope.tenants.insert(release.tenant.clone());
                }
                Intent::Restart { tenant } => {
                    envelope.tenants.insert(tenant.clone());
                }
                Intent::Scale { targets } => {
                    envelope.tenants.extend(targets.iter().map(|t| t.tenant.clone()));
                }
                Intent::Cordon { node, .. } => {
                    envelope.nodes.insert(node.clone());
                }
                Intent::Undo { changes, .. } => {
                    let tenants = changes.iter().filter_map(|(about, _)| about.tenant().cloned());
                    envelope.tenants.extend(tenants);
                }
                Intent::Resize { limits } => {
                    envelope.tenants.insert(limits.tenant.clone());
                }
                Intent::DeletePod { .. } | Intent::Database { .. } => {}
            }
        }
        envelope
    }

    /// Takes in what was agreed to beside it.
    pub(super) fn widen(&mut self, other: &Self) {
        self.tenants.extend(other.tenants.iter().cloned());
        self.nodes.extend(other.nodes.iter().cloned());
        self.evictions |= other.evictions;
        self.grave |= other.grave;
    }

    /// Why a plan goes beyond it; `None`: it lies inside.
    pub fn exceeded(&self, plan: &Plan) -> Option<String> {
        for step in &plan.steps {
            let beyond = match &step.about {
                About::Tenant(tenant) => !self.tenants.contains(tenant),
                About::Node(node) => !self.nodes.contains(node),
                About::Database => true,
            };
            if beyond {
                return Some(format!("{} was not agreed to", step.about));
            }
            match &step.change {
                Change::CreatePod(pod) if !self.nodes.contains(&pod.node) => {
                    return Some(format!("a pod on {} was not agreed to", pod.node));
                }
                Change::Evict(_) if !self.evictions => {
                    return Some("an eviction was not agreed to".into());
                }
                _ => {}
            }
        }
        match plan.confirmation() {
            Confirmation::Type(name) if !self.grave => {
                let grave =
                    plan.all_checks().find(|c| c.grave).map_or(String::new(), |c| format!(": {}", c.text));
                Some(format!("the plan wants `{name}` typed{grave}"))
            }
            _ => None,
        }
    }
}

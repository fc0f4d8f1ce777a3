//! Whether a plan that was read back is one that a planner makes: a journal can be edited by hand.

use std::collections::BTreeMap;

use super::{About, Change, Object, Plan, Step};
use crate::cluster::{TenantName, WorkloadKey};

/// No step is given longer, in seconds: thirty days, the longest deadline of a migration.
const LONGEST: u32 = 30 * 86_400;
/// The API takes no larger number of replicas.
const MOST_REPLICAS: u32 = i32::MAX as u32;

impl Plan {
    /// Whether a planner can have made it.
    ///
    /// # Errors
    /// What no planner makes, in a few words.
    pub fn sound(&self) -> Result<(), String> {
        let workloads: BTreeMap<&TenantName, &WorkloadKey> =
            self.tenants.iter().map(|part| (&part.tenant, &part.workload)).collect();
        for (number, step) in self.steps.iter().enumerate() {
            self.step(number, step, &workloads)
                .map_err(|why| format!("step {} of its plan {why}", number + 1))?;
        }
        Ok(())
    }

    fn step(
        &self,
        number: usize,
        step: &Step,
        workloads: &BTreeMap<&TenantName, &WorkloadKey>,
    ) -> Result<(), String> {
        if !(1..=LONGEST).contains(&step.within) {
            return Err(format!("may take {} s, and no plan gives it so long", step.within));
        }
        let earlier =
            [("takes back", step.takes_back), ("waits for", step.confirms), ("follows", step.follows)];
        for (does, of) in earlier {
            if let Some(of) = of.filter(|of| *of >= number) {
                return Err(format!("{does} step {}, which is no earlier one", of + 1));
            }
        }
        if let Some(of) = step.serves.filter(|of| *of <= number || *of >= self.steps.len()) {
            return Err(format!("makes ready for step {}, which is no later one of the plan", of + 1));
        }
        let object = step.change.object();
        let of_database = object.is_of_database();
        let fits = match &step.about {
            About::Database => of_database,
            About::Node(node) => match &object {
                Object::Node(other) => other == node,
                Object::Pod(_) => true,
                _ => false,
            },
            About::Tenant(_) => !of_database && !matches!(object, Object::Node(_)),
        };
        if !fits {
            return Err(format!("is about {}, and changes {object}", step.about));
        }
        if let (About::Tenant(tenant), Object::Workload(key)) = (&step.about, &object)
            && let Some(own) = workloads.get(tenant).filter(|own| ***own != *key)
        {
            return Err(format!("is about {tenant}, which is {own}, and changes {key}"));
        }
        let namespace = match (&step.about, &object) {
            (About::Tenant(tenant), Object::Pod(key) | Object::Autoscaler(key) | Object::Job(key)) => {
                workloads.get(tenant).map(|own| (&own.key.namespace, &key.namespace))
            }
            _ => None,
        };
        if let Some((own, other)) = namespace.filter(|(own, other)| own != other) {
            return Err(format!(
                "is about {}, which is in namespace {own}, and changes {object} in {other}",
                step.about
            ));
        }
        match &step.change {
            Change::Replicas(replicas) if replicas.from.max(replicas.to) > MOST_REPLICAS => {
                Err(format!("sets {} replicas, more than the API takes", replicas.from.max(replicas.to)))
            }
            Change::Settle(settle) if settle.replicas > MOST_REPLICAS => {
                Err(format!("waits for {} replicas, more than the API takes", settle.replicas))
            }
            Change::Bounds(bounds) if bounds.to.0 > bounds.to.1 || bounds.from.0 > bounds.from.1 => {
                Err("has an autoscaler whose least is above its most".into())
            }
            _ => Ok(()),
        }
    }
}

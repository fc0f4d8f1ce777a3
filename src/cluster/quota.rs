//! What a namespace allows: ResourceQuotas and LimitRanges, and the claims its pods' data are on.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Amounts, Cpu, Key, Memory, PodSpec};

/// A ResourceQuota: how much all objects of a namespace together may be, ask for, or use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// Namespace and name.
    pub key: Key,
    /// What it limits, by name; those whose amount is limited.
    pub lines: BTreeMap<Arc<str>, QuotaLine>,
    /// `spec.scopes` and `spec.scopeSelector`: it counts only pods that match all of them.
    pub scopes: Vec<QuotaScope>,
}

/// One resource of a quota. Processor in thousandths of a core, memory and storage in bytes, all else in whole units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaLine {
    /// `status.hard`: what is in force; `spec.hard` before its controller has looked at it.
    pub hard: u64,
    /// `status.used`; `None` before its controller has looked at it.
    pub used: Option<u64>,
}

impl QuotaLine {
    /// What is left; `None`: not known yet.
    pub fn left(&self) -> Option<u64> {
        self.used.map(|used| self.hard.saturating_sub(used))
    }
}

/// A condition on the pods a quota counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuotaScope {
    /// Pods that end by themselves (`activeDeadlineSeconds`): true, or those that do not.
    Terminating(bool),
    /// Pods without any request or limit: true, or those with one.
    BestEffort(bool),
    /// Pods of these priority classes.
    PriorityClass(super::Operator),
    /// Anything else, by name: whether a pod matches is not known.
    Other(Arc<str>),
}

impl Quota {
    /// Whether it counts such a pod; `None`: that is not known.
    /// Source: `pkg/quota/v1/evaluator/core/pods.go` `podMatchesScopeFunc`.
    pub fn counts(&self, spec: &PodSpec) -> Option<bool> {
        let mut known = true;
        for scope in &self.scopes {
            let matches = match scope {
                QuotaScope::Terminating(ends) => spec.ends_by_itself == *ends,
                QuotaScope::BestEffort(best) => spec.is_best_effort() == *best,
                QuotaScope::PriorityClass(operator) => {
                    let class = Some(&*spec.priority_class).filter(|c| !c.is_empty());
                    let wanted = super::Requirement { key: "".into(), operator: operator.clone() };
                    wanted.matches(class)
                }
                QuotaScope::Other(_) => {
                    known = false;
                    true
                }
            };
            if !matches {
                return Some(false);
            }
        }
        known.then_some(true)
    }

    /// The first of its resources that does not allow one more such pod, and how much of it the pod asks for; `None`: it
    /// allows one more, or does not count it.
    /// Source: `pkg/quota/v1/evaluator/core/pods.go` `podComputeUsageHelper`.
    pub fn refuses(&self, spec: &PodSpec) -> Option<(&Arc<str>, u64, QuotaLine)> {
        if self.counts(spec) == Some(false) {
            return None;
        }
        let (requests, limits) = (spec.requests(), spec.limits());
        let wanted = |resource: &str| match resource {
            "pods" | "count/pods" => 1,
            "cpu" | "requests.cpu" => requests.0.0,
            "memory" | "requests.memory" => requests.1.0,
            "limits.cpu" => limits.0.0,
            "limits.memory" => limits.1.0,
            other => spec.other_request(other.strip_prefix("requests.").unwrap_or(other)),
        };
        self.lines.iter().find_map(|(resource, line)| {
            let wanted = wanted(resource);
            (wanted > 0 && line.left().is_some_and(|left| wanted > left)).then_some((resource, wanted, *line))
        })
    }

    /// An amount of one of its resources, for people: `2.5`, `640 Mi`, `4`.
    pub fn amount(resource: &str, amount: u64) -> String {
        match unit(resource) {
            Unit::Cores => Cpu(amount).to_string(),
            Unit::Bytes => Memory(amount).to_string(),
            Unit::Count => amount.to_string(),
        }
    }
}

/// What a resource of a quota is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Thousandths of a core.
    Cores,
    /// Bytes.
    Bytes,
    /// Objects, or whole units of an extended resource.
    Count,
}

/// What a resource is counted in, by its name in a quota (`requests.cpu`, `limits.memory`, `pods`, `count/secrets`).
pub fn unit(resource: &str) -> Unit {
    let name = resource.strip_prefix("requests.").or(resource.strip_prefix("limits.")).unwrap_or(resource);
    match name {
        "cpu" => Unit::Cores,
        "memory" | "ephemeral-storage" | "storage" => Unit::Bytes,
        _ if resource.starts_with("count/") => Unit::Count,
        _ if name.ends_with("/requests.storage") || name.starts_with("hugepages-") => Unit::Bytes,
        _ => Unit::Count,
    }
}

/// A LimitRange: what one container, pod or claim of a namespace may ask for, and what it gets when it asks for nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitRange {
    /// Namespace and name.
    pub key: Key,
    /// `spec.limits`.
    pub limits: Vec<Limit>,
}

/// One of `spec.limits`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// `Container`, `Pod` or `PersistentVolumeClaim`.
    pub kind: Arc<str>,
    /// `min`.
    pub min: Amounts,
    /// `max`.
    pub max: Amounts,
    /// `default`: the limit of a container without one.
    pub default_limit: Amounts,
    /// `defaultRequest`: the request of a container without one.
    pub default_request: Amounts,
    /// `maxLimitRequestRatio`: the most a limit may be of its request, in thousandths.
    pub ratio: BTreeMap<Arc<str>, u64>,
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Namespace and name.
    pub key: Key,
    /// `status.phase`.
    pub phase: ClaimPhase,
    /// `spec.storageClassName`.
    pub class: Option<Arc<str>>,
    /// `spec.accessModes`, such as `ReadWriteOnce`.
    pub modes: Vec<Arc<str>>,
    /// `status.capacity.storage`, or what it asks for while it has none.
    pub size: Option<Memory>,
    /// `metadata.deletionTimestamp`.
    pub deleting: Option<Timestamp>,
}

/// `status.phase` of a claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimPhase {
    /// It has no volume yet.
    #[default]
    Pending,
    /// It has one.
    Bound,
    /// Its volume is gone.
    Lost,
}

impl fmt::Display for ClaimPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "Pending",
            Self::Bound => "Bound",
            Self::Lost => "Lost",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_counted_in_its_unit() {
        for (resource, amount, text) in [
            ("requests.cpu", 2500, "2.5"),
            ("cpu", 250, "250m"),
            ("limits.memory", 671_088_640, "640 Mi"),
            ("requests.storage", 10 << 30, "10 Gi"),
            ("fast.storageclass.storage.k8s.io/requests.storage", 10 << 30, "10 Gi"),
            ("pods", 4, "4"),
            ("count/cpu", 4, "4"),
            ("requests.nvidia.com/gpu", 2, "2"),
        ] {
            assert_eq!(Quota::amount(resource, amount), text, "{resource}");
        }
    }
}

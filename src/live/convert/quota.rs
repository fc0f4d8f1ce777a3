//! ResourceQuotas, LimitRanges and PersistentVolumeClaims.

use std::{collections::BTreeMap, sync::Arc};

use super::{Fault, Interner, Object, amount, amounts, each, given, key_of};
use crate::{
    cluster::{
        Claim, ClaimPhase, Key, Limit, LimitRange, Memory, Operator, Quota, QuotaLine, QuotaScope, Unit, unit,
    },
    live::slim::{self, Quantities},
};

pub(super) fn quota(slim: slim::Quota, interner: &mut Interner) -> Result<Object<Key, Quota>, Fault> {
    let slim::Quota { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    // `status.hard` is what admission goes by; before the controller has looked, nothing is limited yet.
    let hard = if status.hard.is_empty() { &spec.hard } else { &status.hard };
    let mut lines = BTreeMap::new();
    for (name, given) in hard {
        let of = |field: &str, given| amount(&format!("{field}.{name}"), given, parts(name));
        let used = status.used.get(name).map(|used| of("status.used", used)).transpose()?;
        lines.insert(interner.text(name), QuotaLine { hard: of("hard", given)?, used });
    }
    let expression = |e: slim::ScopeExpression| scope(&e.scope_name, &e.operator, e.values);
    let scopes = spec.scopes.iter().map(|name| scope(name, "Exists", Vec::new()));
    let scopes = scopes.chain(spec.scope_selector.match_expressions.into_iter().map(expression)).collect();
    let value = Quota { key: key.clone(), lines, scopes };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

fn scope(name: &str, operator: &str, values: Vec<String>) -> QuotaScope {
    let values = values.into_iter().map(Into::into).collect();
    match (name, operator) {
        ("Terminating", "Exists") => QuotaScope::Terminating(true),
        ("NotTerminating", "Exists") => QuotaScope::Terminating(false),
        ("BestEffort", "Exists") => QuotaScope::BestEffort(true),
        ("NotBestEffort", "Exists") => QuotaScope::BestEffort(false),
        ("PriorityClass", "Exists") => QuotaScope::PriorityClass(Operator::Exists),
        ("PriorityClass", "DoesNotExist") => QuotaScope::PriorityClass(Operator::DoesNotExist),
        ("PriorityClass", "In") => QuotaScope::PriorityClass(Operator::In(values)),
        ("PriorityClass", "NotIn") => QuotaScope::PriorityClass(Operator::NotIn(values)),
        _ => QuotaScope::Other(name.into()),
    }
}

/// How many parts of one an amount of that resource is kept in.
fn parts(resource: &str) -> u64 {
    if unit(resource) == Unit::Cores { 1000 } else { 1 }
}

pub(super) fn limit_range(
    slim: slim::LimitRange,
    interner: &mut Interner,
) -> Result<Object<Key, LimitRange>, Fault> {
    let slim::LimitRange { metadata: meta, spec } = slim;
    let key = key_of(&meta, interner)?;
    let limits = each(spec.limits, |l| limit(l, interner))?;
    let value = LimitRange { key: key.clone(), limits };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

fn limit(given: slim::LimitRangeItem, interner: &mut Interner) -> Result<Limit, Fault> {
    let thousandths = |ratios: &Quantities| -> Result<BTreeMap<Arc<str>, u64>, Fault> {
        ratios.iter().map(|(name, ratio)| Ok((name.as_str().into(), amount(name, ratio, 1000)?))).collect()
    };
    Ok(Limit {
        kind: interner.text(&given.r#type),
        min: amounts(&given.min)?,
        max: amounts(&given.max)?,
        default_limit: amounts(&given.default)?,
        default_request: amounts(&given.default_request)?,
        ratio: thousandths(&given.max_limit_request_ratio)?,
    })
}

pub(super) fn claim(slim: slim::Claim, interner: &mut Interner) -> Result<Object<Key, Claim>, Fault> {
    let slim::Claim { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let size = status.capacity.get("storage").or_else(|| spec.resources.requests.get("storage"));
    let value = Claim {
        key: key.clone(),
        phase: match status.phase.as_str() {
            "Bound" => ClaimPhase::Bound,
            "Lost" => ClaimPhase::Lost,
            _ => ClaimPhase::Pending,
        },
        class: given(&spec.storage_class_name, interner),
        modes: spec.access_modes.iter().map(|mode| interner.text(mode)).collect(),
        size: size.map(|size| amount("storage", size, 1)).transpose()?.map(Memory),
        deleting: meta.deletion_timestamp,
    };
    Ok(Object { key, version: meta.resource_version.into(), value })
}

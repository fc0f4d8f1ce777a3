//! ResourceQuotas: what a namespace may use in all, what it uses, and who may not come any more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Refusal, containers};
use crate::kind::{KINDS, Kind};
use crate::quantity::Amount;
use crate::store::Object;
use crate::value::{int, is_finished, list, name, namespace, set, text, time};
use crate::world::{Wake, Work, World};

type Amounts = BTreeMap<String, Amount>;

/// The resources that each container has to name where a quota counts them.
const NAMED: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
/// The kinds that are also counted by their plain names.
const PLAIN: [&Kind; 5] = [Kind::CONFIG_MAP, Kind::CLAIM, Kind::RESOURCE_QUOTA, Kind::SECRET, Kind::SERVICE];

/// Charges the quotas of the object's namespace with it.
///
/// # Errors
/// The first quota that it exceeds, or for which it does not say enough.
pub(super) fn charge(world: &mut World, kind: &Kind, object: &Value, dry: bool) -> Result<(), Refusal> {
    let space = namespace(object).to_owned();
    let quotas = world.store.list(Kind::RESOURCE_QUOTA, Some(&space));
    let quotas: Vec<Object> = quotas.filter(|quota| concerns(quota, kind, object)).cloned().collect();
    if quotas.is_empty() {
        return Ok(());
    }
    let asked = usage(kind, object);
    for quota in &quotas {
        if kind == Kind::POD
            && let Some(missing) = missing(quota, object)
        {
            return Err(Refusal { why: format!("failed quota: {}: must specify {missing}", name(quota)) });
        }
    }
    quotas.iter().try_for_each(|quota| within(quota, &asked))?;
    for quota in quotas.iter().filter(|_| !dry) {
        let hard = amounts(&quota["spec"]["hard"]);
        world.store.update_status(Kind::RESOURCE_QUOTA, &space, name(quota), "kube-apiserver", |quota| {
            let mut used = amounts(&quota["status"]["used"]);
            for (resource, wanted) in asked.iter().filter(|(resource, _)| hard.contains_key(*resource)) {
                let now = used.entry(resource.clone()).or_default();
                *now = now.plus(*wanted);
            }
            set(quota, &["status", "used"], shown(&used));
        });
    }
    Ok(())
}

/// Holds a pod that is there already to the quotas of its namespace, when it is to take more.
///
/// # Errors
/// The first quota that it exceeds, or for which it does not say enough.
pub(super) fn more(world: &World, before: &Value, after: &Value) -> Result<(), Refusal> {
    let quotas = world.store.list(Kind::RESOURCE_QUOTA, Some(namespace(after)));
    let quotas: Vec<&Object> = quotas.filter(|quota| concerns(quota, Kind::POD, after)).collect();
    if let Some((quota, missing)) = quotas.iter().find_map(|quota| Some((quota, missing(quota, after)?))) {
        return Err(Refusal { why: format!("failed quota: {}: must specify {missing}", name(quota)) });
    }
    let had = usage(Kind::POD, before);
    let mut asked = usage(Kind::POD, after);
    asked.retain(|resource, wanted| {
        *wanted = wanted.less(had.get(resource).copied().unwrap_or_default());
        wanted.nano() > 0
    });
    quotas.into_iter().try_for_each(|quota| within(quota, &asked))
}

/// Whether a quota has room for so much.
///
/// # Errors
/// What of it is exceeded.
fn within(quota: &Value, asked: &Amounts) -> Result<(), Refusal> {
    let (hard, used) = (amounts(&quota["spec"]["hard"]), amounts(&quota["status"]["used"]));
    let mut over = (Amounts::new(), Amounts::new(), Amounts::new());
    for (resource, wanted) in asked.iter().filter(|(_, wanted)| wanted.nano() > 0) {
        let Some(most) = hard.get(resource) else { continue };
        let now = used.get(resource).copied().unwrap_or_default();
        if now.plus(*wanted) > *most {
            over.0.insert(resource.clone(), *wanted);
            over.1.insert(resource.clone(), now);
            over.2.insert(resource.clone(), *most);
        }
    }
    if over.0.is_empty() {
        return Ok(());
    }
    let why = format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        name(quota),
        told(&over.0),
        told(&over.1),
        told(&over.2)
    );
    Err(Refusal { why })
}

/// Counts what the namespace uses.
pub(crate) fn quota(world: &mut World, space: &str, called: &str) {
    let Some(quota) = world.store.get(Kind::RESOURCE_QUOTA, space, called).cloned() else { return };
    let hard = amounts(&quota["spec"]["hard"]);
    let mut used: Amounts = hard.keys().map(|resource| (resource.clone(), Amount::default())).collect();
    let mut next: Option<Timestamp> = None;
    for kind in KINDS.iter().filter(|kind| kind.namespaced && kind.stored() == *kind) {
        let counted = kind == Kind::POD || hard.contains_key(&count(kind)) || PLAIN.contains(&kind);
        for object in world.store.list(kind, Some(space)).filter(|_| counted) {
            if !concerns(&quota, kind, object) {
                continue;
            }
            let mut asked = usage(kind, object);
            if kind == Kind::POD {
                match counts_until(object, world.now()) {
                    None => asked.retain(|resource, _| *resource == count(kind)),
                    Some(Some(until)) => next = next.into_iter().chain([until]).min(),
                    Some(None) => {}
                }
            }
            for (resource, amount) in asked {
                if let Some(total) = used.get_mut(&resource) {
                    *total = total.plus(amount);
                }
            }
        }
    }
    if let Some(next) = next {
        world.at(next, Wake::Work(Work::Quota(space.to_owned(), called.to_owned())));
    }
    world.store.update_status(Kind::RESOURCE_QUOTA, space, called, "kube-controller-manager", |quota| {
        set(quota, &["status"], json!({"hard": shown(&hard), "used": shown(&used)}));
    });
}

/// Whether a pod counts, and for how long; None when it has ended, or should be gone for its whole grace once more.
fn counts_until(pod: &Value, now: Timestamp) -> Option<Option<Timestamp>> {
    if is_finished(pod) {
        return None;
    }
    let Some(deleted) = time(&pod["metadata"]["deletionTimestamp"]) else { return Some(None) };
    let grace = SignedDuration::from_secs(int(&pod["metadata"]["deletionGracePeriodSeconds"]).max(0));
    // a second later: the comparison is strict
    let until =
        deleted.checked_add(grace).and_then(|at| at.checked_add(SignedDuration::from_secs(1))).ok()?;
    (until > now).then_some(Some(until))
}

/// Whether the quota's scopes take in the object.
fn concerns(quota: &Value, kind: &Kind, object: &Value) -> bool {
    let spec = &quota["spec"];
    let scopes = list(&spec["scopes"]).map(|scope| json!({"scopeName": scope, "operator": "Exists"}));
    let selected = list(&spec["scopeSelector"]["matchExpressions"]).cloned();
    scopes.chain(selected).all(|scope| {
        let (name, operator) = (text(&scope["scopeName"]), text(&scope["operator"]));
        if kind != Kind::POD {
            return false;
        }
        let deadline = object["spec"]["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds >= 0);
        let best = super::qos_class(&object["spec"]) == "BestEffort";
        match name {
            "BestEffort" => best,
            "NotBestEffort" => !best,
            "Terminating" => deadline,
            "NotTerminating" => !deadline,
            "PriorityClass" => {
                let own = text(&object["spec"]["priorityClassName"]);
                let listed = list(&scope["values"]).any(|value| *value == own);
                match operator {
                    "In" => listed,
                    "NotIn" => !listed,
                    "DoesNotExist" => own.is_empty(),
                    _ => !own.is_empty(),
                }
            }
            _ => false,
        }
    })
}

fn count(kind: &Kind) -> String {
    format!("count/{}", kind.resource())
}

/// What an object takes, by the names quotas have for it.
fn usage(kind: &Kind, object: &Value) -> Amounts {
    let one = Amount::whole(1);
    let mut all = Amounts::from([(count(kind), one)]);
    if PLAIN.contains(&kind) {
        all.insert(kind.plural.into(), one);
    }
    if kind == Kind::CLAIM
        && let Some(storage) = Amount::read(&object["spec"]["resources"]["requests"]["storage"])
    {
        all.insert("requests.storage".into(), storage);
    }
    if kind == Kind::SERVICE {
        for (wanted, named) in
            [("LoadBalancer", "services.loadbalancers"), ("NodePort", "services.nodeports")]
        {
            if object["spec"]["type"] == wanted {
                all.insert(named.into(), one);
            }
        }
    }
    if kind != Kind::POD {
        return all;
    }
    all.insert("pods".into(), one);
    for part in ["requests", "limits"] {
        let mut total = Amounts::new();
        for container in containers(object) {
            for (resource, amount) in amounts(&container["resources"][part]) {
                let sum = total.entry(resource).or_default();
                *sum = sum.plus(amount);
            }
        }
        for first in list(&object["spec"]["initContainers"]) {
            for (resource, amount) in amounts(&first["resources"][part]) {
                let sum = total.entry(resource).or_default();
                *sum = (*sum).max(amount);
            }
        }
        for (resource, amount) in total {
            if part == "requests" {
                all.insert(resource.clone(), amount);
            }
            all.insert(format!("{part}.{resource}"), amount);
        }
    }
    all
}

/// What containers would have to say: `limits.memory for: nginx,php-fpm; ...`.
fn missing(quota: &Value, pod: &Value) -> Option<String> {
    let hard = amounts(&quota["spec"]["hard"]);
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for container in containers(pod).chain(list(&pod["spec"]["initContainers"])) {
        for resource in NAMED.into_iter().filter(|resource| hard.contains_key(*resource)) {
            let (part, short) = resource.split_once('.').unwrap_or(("requests", resource));
            if container["resources"][part][short].is_null() {
                all.entry(resource).or_default().push(text(&container["name"]));
            }
        }
    }
    if all.is_empty() {
        return None;
    }
    let told = all.into_iter().map(|(resource, mut names)| {
        names.sort_unstable();
        format!("{resource} for: {}", names.join(","))
    });
    Some(told.collect::<Vec<_>>().join("; "))
}

fn amounts(value: &Value) -> Amounts {
    let each = value.as_object().into_iter().flatten();
    each.filter_map(|(resource, amount)| Some((resource.clone(), Amount::read(amount)?))).collect()
}

fn told(amounts: &Amounts) -> String {
    let each = amounts.iter().map(|(resource, amount)| format!("{resource}={amount}"));
    each.collect::<Vec<_>>().join(",")
}

fn shown(amounts: &Amounts) -> Value {
    let each = amounts.iter().map(|(resource, amount)| (resource.clone(), Value::from(amount.to_string())));
    Value::Object(each.collect())
}

//! Namespaces, Kubernetes Events, php-fpm pools, and what wheelhouse itself has left in the cluster.

use std::sync::Arc;

use super::{Fault, Interner, Object, count, created, given, key_of, named};
use crate::{
    cluster::{Job, JobEnd, Journal, Key, KubeEvent, Labels, Lease, Pool, Written},
    live::slim,
};

pub(super) fn namespace(
    slim: slim::Namespace,
    interner: &mut Interner,
) -> Result<Object<Arc<str>, Labels>, Fault> {
    let meta = slim.metadata;
    let key = named(&meta.name)?.into();
    Ok(Object { key, version: meta.resource_version.into(), value: interner.labels(meta.labels) })
}

pub(super) fn lease(slim: slim::Lease, interner: &mut Interner) -> Result<Object<Key, Lease>, Fault> {
    let slim::Lease { metadata: meta, spec } = slim;
    let key = key_of(&meta, interner)?;
    let version = meta.resource_version.as_str().into();
    let value = Lease {
        key: key.clone(),
        resource_version: meta.resource_version.into(),
        holder: given(&spec.holder_identity, interner),
        run: meta.annotations.run.map(Arc::from),
        acquired: spec.acquire_time,
        renewed: spec.renew_time,
        seconds: spec.lease_duration_seconds,
        transitions: spec.lease_transitions,
    };
    Ok(Object { key, version, value })
}

pub(super) fn journal(slim: slim::ConfigMap, interner: &mut Interner) -> Result<Object<Key, Journal>, Fault> {
    let slim::ConfigMap { metadata: meta, data } = slim;
    let key = key_of(&meta, interner)?;
    let version = meta.resource_version.as_str().into();
    let state = meta.labels.get("wheelhouse.dev/state").filter(|state| !state.is_empty());
    let state = state.map(|state| Arc::from(&**state));
    let (of, plan) = match meta.labels.get("app.kubernetes.io/component").map(String::as_str) {
        Some("campaign") => (Written::Campaign, data.campaign),
        _ => (Written::Run, data.plan),
    };
    let value = Journal {
        key: key.clone(),
        state,
        resource_version: meta.resource_version.into(),
        created: created(meta.creation_timestamp)?,
        of,
        plan: plan.into(),
        events: data.events.into(),
        asked: data.asked.into(),
    };
    Ok(Object { key, version, value })
}

pub(super) fn sight(slim: slim::SightFile, interner: &mut Interner) -> Result<Object<Key, String>, Fault> {
    let slim::SightFile { metadata: meta, binary_data } = slim;
    let key = key_of(&meta, interner)?;
    Ok(Object { key, version: meta.resource_version.into(), value: binary_data.seen })
}

pub(super) fn job(slim: slim::Job, interner: &mut Interner) -> Result<Object<Key, Job>, Fault> {
    let slim::Job { metadata: meta, spec, status } = slim;
    let key = key_of(&meta, interner)?;
    let label = |name: &str| meta.labels.get(name).map(|value| value.as_str().into());
    let end = |kind: &str| {
        let condition = status.conditions.iter().find(|c| c.r#type == kind && c.status == "True")?;
        let complete = kind == "Complete";
        Some(JobEnd {
            complete,
            reason: condition.reason.as_str().into(),
            at: condition.last_transition_time,
        })
    };
    let version = meta.resource_version.as_str().into();
    let value = Job {
        key: key.clone(),
        resource_version: meta.resource_version.as_str().into(),
        run: label("wheelhouse.dev/run"),
        workload: label("wheelhouse.dev/workload"),
        suspended: spec.suspend,
        started: status.start_time,
        active: count(status.active),
        terminating: count(status.terminating),
        ended: end("Complete").or_else(|| end("Failed")),
    };
    Ok(Object { key, version, value })
}

/// A ConfigMap: nothing is kept of one without a php-fpm pool.
pub(super) fn pool(
    slim: slim::PoolFiles,
    interner: &mut Interner,
) -> Result<Object<Key, Option<Pool>>, Fault> {
    let slim::PoolFiles { metadata: meta, data } = slim;
    let key = key_of(&meta, interner)?;
    let mut value = Pool::read(key.clone(), interner.labels(meta.labels), &data, interner.session_key());
    if let Some(pool) = &mut value {
        interner.pool_files(pool.files_mut());
    }
    Ok(Object { key, version: meta.resource_version.into(), value })
}

pub(super) fn event(slim: slim::Event, interner: &mut Interner) -> Result<Object<Key, KubeEvent>, Fault> {
    let meta = &slim.metadata;
    let key = key_of(meta, interner)?;
    let series = slim.series.unwrap_or_default();
    // Old clients write the timestamps and the count, newer ones `eventTime` and `series`.
    let at = series.last_observed_time.or(slim.last_timestamp).or(slim.event_time).or(slim.first_timestamp);
    let about = &slim.involved_object;
    let namespace = if about.namespace.is_empty() { &meta.namespace } else { &about.namespace };
    let value = KubeEvent {
        at: at.or(meta.creation_timestamp).ok_or("it has no time")?,
        warning: slim.r#type == "Warning",
        reason: interner.text(&slim.reason),
        object: (interner.text(&about.kind), Key::new(interner.text(namespace), about.name.as_str())),
        message: interner.text(&slim.message),
        count: count(slim.count.max(series.count)).max(1),
    };
    Ok(Object { key, version: slim.metadata.resource_version.into(), value })
}

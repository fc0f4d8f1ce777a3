//! Watches the pods of a run's tenants while it holds them, so that a run that came through with its tenant down meanwhile
//! does not say that all came as predicted. Pure: `drive` shows it every snapshot, and writes down what is new.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{Disruption, Entry, Event, Run};
use crate::{
    cluster::{Snapshot, Tenant, TenantName, Uid, words},
    plan::{About, Part},
};

impl Run {
    /// What has happened to the pods of a tenant while the run held it.
    pub fn harm(&self, tenant: &TenantName) -> Option<&Disruption> {
        match &last(self, tenant)?.event {
            Event::Harmed { harm, .. } => Some(harm),
            _ => None,
        }
    }

    /// The tenants whose pods something happened to, each with what.
    pub fn harms(&self) -> impl Iterator<Item = (&TenantName, &Disruption)> {
        self.tenants().filter_map(|tenant| Some((tenant, self.harm(tenant)?)))
    }

    /// What came of a tenant's part, with what happened to its pods meanwhile: whether that is as predicted, and one
    /// sentence.
    pub(super) fn compared(&self, part: &Part, (as_predicted, text): (bool, String)) -> (bool, String) {
        let Some(harm) = self.harm(&part.tenant) else { return (as_predicted, text) };
        match harm.is_beyond(part, self.plan()) {
            true => (false, format!("it {}; its pods: {text}", harm.words())),
            false => (as_predicted, format!("{text}; it {}, as the plan says", harm.words())),
        }
    }

    /// What did not come out as predicted, of all its parts.
    pub(super) fn unpredicted(&self) -> Option<String> {
        let differs = |entry: &Entry| match &entry.event {
            Event::Verified { about, as_predicted: false, text } => Some(format!("{about}: {text}")),
            _ => None,
        };
        let all: Vec<_> = self.entries.iter().filter_map(differs).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The tenants that more happened to than the plan foresees, each in a sentence; many are counted.
    pub(super) fn harm_words(&self) -> Option<String> {
        const NAMED: usize = 3;
        let beyond =
            |part: &&Part| self.harm(&part.tenant).is_some_and(|harm| harm.is_beyond(part, self.plan()));
        let all: Vec<_> = self.plan().tenants.iter().filter(beyond).collect();
        let named = all
            .iter()
            .take(NAMED)
            .filter_map(|part| Some(format!("{} {}", part.tenant, self.harm(&part.tenant)?.words())));
        let mut told: Vec<_> = named.collect();
        if all.len() > NAMED {
            told.push(format!("and {} more", words::count(all.len() - NAMED, "tenant")));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The entry that was last written about a tenant's pods.
fn last<'a>(run: &'a Run, tenant: &TenantName) -> Option<&'a Entry> {
    let of = |entry: &&Entry| matches!(&entry.event, Event::Harmed { tenant: of, .. } if of == tenant);
    run.entries.iter().rev().find(of)
}

/// What comes of a part is not compared yet: the run still holds its tenant.
fn is_open(run: &Run, part: &Part) -> bool {
    run.verified(&About::Tenant(part.tenant.clone())).is_none()
}

/// How often a container was restarted, and when it last ended.
type Known = (u32, Option<Timestamp>);

/// What is new about one tenant is written down this often at most, while the run goes on.
const EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Looks at the pods of a run's tenants in one session.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    /// What happened to them, with what sessions before have written down.
    harms: BTreeMap<TenantName, Disruption>,
    /// Tenants that had a ready pod while this session looked.
    ready: BTreeSet<TenantName>,
    /// What is known of each container, by the uid of its pod and its name.
    known: BTreeMap<(Uid, Arc<str>), Known>,
}

impl Watcher {
    /// Takes in what is seen now.
    pub(super) fn look(&mut self, run: &Run, seen: &Snapshot) {
        let Some(began) = run.began() else { return };
        if !seen.pods.freshness.is_live() {
            return;
        }
        for part in &run.plan().tenants {
            let Some(tenant) = seen.tenant_of(&part.workload).filter(|_| is_open(run, part)) else {
                continue;
            };
            let written = || run.harm(&part.tenant).cloned().unwrap_or_default();
            let mut harm = self.harms.remove(&part.tenant).unwrap_or_else(|| {
                let harm = written();
                // From when the session before ended until now, nobody looked.
                Disruption { at_most: harm.at_most || harm.down_since.is_some(), ..harm }
            });
            self.readiness(&part.tenant, tenant, &mut harm, seen.at);
            let since = last(run, &part.tenant).map_or(began, |entry| entry.at);
            self.ends(tenant, &mut harm, since);
            self.harms.insert(part.tenant.clone(), harm);
        }
    }

    /// What is to be written down now: what is not yet, unless that was just done; with `all` that too.
    pub(super) fn news(&self, run: &Run, now: Timestamp, all: bool) -> Vec<(TenantName, Disruption)> {
        let parts = run.plan().tenants.iter().filter(|part| is_open(run, part));
        let new = parts.filter_map(|part| {
            let harm = self.harms.get(&part.tenant)?;
            let differs = *harm != run.harm(&part.tenant).cloned().unwrap_or_default();
            let due = last(run, &part.tenant).is_none_or(|entry| now.duration_since(entry.at) >= EVERY);
            (differs && (all || due)).then(|| (part.tenant.clone(), harm.clone()))
        });
        new.collect()
    }

    /// Whether a pod is ready. One that never was since the run began was not taken down by it.
    fn readiness(&mut self, name: &TenantName, tenant: &Tenant, harm: &mut Disruption, now: Timestamp) {
        if tenant.unread > 0 {
            return;
        }
        let ready = || tenant.active().filter(|pod| pod.ready);
        if ready().next().is_some() {
            self.ready.insert(name.clone());
            if let Some(since) = harm.down_since.take() {
                // While nobody looked, the pods tell since when they are ready.
                let until = ready()
                    .filter_map(|pod| pod.ready_since)
                    .min()
                    .unwrap_or(now)
                    .clamp(since, now.max(since));
                let seconds = u32::try_from(until.duration_since(since).as_secs()).unwrap_or(0).max(1);
                harm.down = harm.down.saturating_add(seconds);
            }
        } else if tenant.desired() == 0 {
            // It is asked for.
            harm.down_since = None;
        } else if self.ready.contains(name) && harm.down_since.is_none() {
            harm.down_since = Some(now);
        }
    }

    /// Counts the containers that have ended since they were last looked at; of those that are seen for the first time,
    /// since `since`.
    fn ends(&mut self, tenant: &Tenant, harm: &mut Disruption, since: Timestamp) {
        for pod in tenant.active() {
            for container in &pod.containers {
                let end = container.last_end.as_deref();
                let at = end.and_then(|end| end.at);
                let now: Known = (container.restarts, at);
                let key = (pod.uid.clone(), container.name.clone());
                let known = *self.known.entry(key.clone()).or_insert_with(|| match at {
                    _ if pod.created > since => (0, None),
                    Some(at) if at > since => (container.restarts.saturating_sub(1), None),
                    _ => now,
                });
                let more = container.restarts.saturating_sub(known.0);
                let ended = match at {
                    // Its restart comes later, and is none of its own.
                    Some(_) if at != known.1 => more.max(1),
                    Some(_) => 0,
                    None => more,
                };
                if ended > 0 {
                    let reason = end.map_or("", |end| &*end.reason).to_owned();
                    *harm.ended.entry(reason).or_default() += ended;
                }
                self.known.insert(key, now);
            }
        }
    }
}

#[cfg(test)]
mod tests;

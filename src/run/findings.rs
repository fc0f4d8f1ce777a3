//! What runs and their journals add to what is found: once, for the screens and for the command line.

use std::{collections::BTreeMap, sync::Arc};

use super::{RunSeen, campaign, unreadable};
use crate::{
    cluster::{Finding, Severity, Snapshot, Subject, Tenant, WorkloadKey, merged, words::count},
    plan::Change,
};

/// The name of the rule about journals that cannot be read.
pub const JOURNAL_UNREADABLE: &str = "journal-unreadable";

/// The rule about a tenant that asks for fewer replicas than the floor.
const UNDER_FLOOR: &str = "under-floor";

/// The journals of runs and campaigns that cannot be read, one sentence each.
pub fn unreadable_journals(seen: &Snapshot) -> Vec<String> {
    unreadable(seen).into_iter().chain(campaign::unreadable(seen)).collect()
}

/// The replicas that unfinished runs will give back, by workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lent(BTreeMap<WorkloadKey, u32>);

impl Lent {
    /// Those of these runs.
    pub fn of(runs: &[RunSeen]) -> Self {
        let open = runs.iter().map(|known| &known.run).filter(|run| !run.state.is_over());
        let back = open.flat_map(|run| run.borrowed().map(|step| &run.plan().steps[step].change));
        let replicas = back.filter_map(|change| match change {
            Change::Replicas(replicas) => Some((replicas.workload.clone(), replicas.to)),
            _ => None,
        });
        Self(replicas.collect())
    }

    /// The replicas that a run holding this tenant at fewer gives back; `None`: none holds it.
    pub fn back(&self, tenant: &Tenant) -> Option<u32> {
        self.0.get(&tenant.workload.key).copied().filter(|back| *back > tenant.desired())
    }

    /// That a tenant asks for fewer replicas than the floor, because a run holds it there: which tenant, and what the
    /// run gives back.
    fn explains<'a>(&self, finding: &Finding, seen: &'a Snapshot) -> Option<(&'a Tenant, u32)> {
        let Subject::Tenant(name) = &finding.subject else { return None };
        if self.0.is_empty() || finding.rule != UNDER_FLOOR {
            return None;
        }
        let tenant = seen.tenants.get(name)?;
        Some((tenant, self.back(tenant)?))
    }

    /// A finding says no more than that a run holds its tenant low.
    pub fn tells(&self, finding: &Finding, seen: &Snapshot) -> bool {
        self.explains(finding, seen).is_some()
    }

    /// The replicas asked for of a tenant in the end: a run that holds it at fewer gives them back.
    pub fn wanted(&self, tenant: &Tenant) -> u32 {
        self.back(tenant).unwrap_or(tenant.desired())
    }
}

/// What is found of the cluster, with what the runs and the journals that cannot be read add to it and what is found
/// `elsewhere`, in the one order of [`crate::cluster::findings`].
pub fn told(
    found: Arc<[Finding]>,
    seen: &Snapshot,
    runs: &[RunSeen],
    unreadable: &[String],
    mut elsewhere: Vec<Finding>,
) -> Arc<[Finding]> {
    elsewhere.extend(unreadable.iter().map(|sentence| of_journal(sentence)));
    let lent = Lent::of(runs);
    if elsewhere.is_empty() && lent.0.is_empty() {
        return found;
    }
    merged(held(found.to_vec(), seen, &lent), elsewhere).into()
}

/// A tenant that asks for fewer replicas than the floor because an unfinished run holds it there says so. It stays a
/// warning: the loss of what is left takes it down, whoever has asked for that.
fn held(mut found: Vec<Finding>, seen: &Snapshot, lent: &Lent) -> Vec<Finding> {
    for finding in &mut found {
        if let Some((tenant, back)) = lent.explains(finding, seen) {
            let now = count(tenant.desired() as usize, "replica");
            finding.text = format!("a run holds it at {now} and gives back {back}");
            finding.answer = None;
        }
    }
    found
}

/// What removes a journal that cannot be read: nothing goes by it any more.
fn removed_by(journal: &str) -> String {
    match journal.trim_start_matches("journal ").split_once('/') {
        Some(("", _)) | None => ": remove the file once you know what it did".into(),
        Some((namespace, name)) => {
            format!(": `kubectl -n {namespace} delete configmap {name}` removes it once you know what it did")
        }
    }
}

/// The finding of a journal that cannot be read.
fn of_journal(sentence: &str) -> Finding {
    let (journal, why) = sentence.split_once(": ").unwrap_or(("journals", sentence));
    Finding {
        rule: JOURNAL_UNREADABLE,
        severity: Severity::Warning,
        subject: Subject::Source(journal.to_owned()),
        text: format!(
            "{why}; its {} cannot be finished or taken back{}",
            if journal.contains("campaign-") { "campaign" } else { "run" },
            removed_by(journal)
        ),
        since: None,
        seen_since: None,
        because: None,
        answer: None,
        remedy: None,
    }
}

//! Planning to give a tenant a template it has had before: the difference shown, set, and its rollout watched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    About, Change, Check, Intent, PLACED_AS_THEY_COME, Part, Plan, RolledOut, SetTemplate, Step, Verdict,
    check, migrate::checks,
};
use crate::cluster::{Revision, Snapshot, Template, TemplateDifference, TenantName, differences};

/// Seconds a write may take.
const WRITE_WITHIN: u32 = 30;
/// Seconds a rollout may take for each of its pods.
const ROLLOUT_A_POD: u32 = 240;

/// A template a tenant has had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Which tenant.
    pub tenant: TenantName,
    /// The revision it has.
    pub from: Revision,
    /// The one it gets.
    pub to: Revision,
    /// How they differ.
    pub differs: Vec<TemplateDifference>,
    /// The operator says that the tool that owns the manifests does not revert it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gitops_paused: bool,
    /// Seconds that the new pods must stay ready without a restart.
    #[serde(default)]
    pub steady: u32,
}

impl Rollback {
    /// To that revision of those that were read, the present one first; without a number to the one before.
    ///
    /// # Errors
    /// One sentence: there is none, or it is the present one.
    pub fn of(tenant: &TenantName, all: &[Template], to: Option<u64>) -> Result<Self, String> {
        let Some((now, earlier)) = all.split_first() else {
            return Err(format!("{tenant} has no revision that can be read"));
        };
        let number = |t: &Template| t.revision.number;
        let found = match to {
            Some(to) if to == number(now) => return Err(format!("{tenant} is at revision {to} already")),
            Some(to) => earlier.iter().find(|t| number(t) == to).ok_or_else(|| {
                let known: Vec<_> = all.iter().map(|t| number(t).to_string()).collect();
                format!("{tenant} has no revision {to}; it has {}", known.join(", "))
            })?,
            None => earlier.first().ok_or_else(|| {
                format!("{tenant} has no revision before {}: nothing to roll back to", number(now))
            })?,
        };
        Ok(Self {
            tenant: tenant.clone(),
            from: now.revision.clone(),
            to: found.revision.clone(),
            differs: differences(now, found),
            gitops_paused: false,
            steady: super::STEADY,
        })
    }
}

pub(super) fn plan(seen: &Snapshot, intent: &Intent, rollback: &Rollback) -> Plan {
    let mut checks = check::freshness(seen);
    let Rollback { tenant: name, from, to, differs, gitops_paused, steady } = rollback;
    let Some(tenant) = seen.tenants.get(name) else {
        if seen.deployments.freshness.is_known() && seen.stateful_sets.freshness.is_known() {
            checks.push(Check::new("tenant", Verdict::Refuse, check::unknown(seen, name.as_str())));
        }
        return Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], checks);
    };
    let workload = &tenant.workload;
    let (key, uid) = (workload.key.clone(), workload.uid.clone());
    let set = SetTemplate { workload: key.clone(), uid: uid.clone(), from: from.clone(), to: to.clone() };
    let change = Change::SetTemplate(set);
    let mut own: Vec<_> = differs.iter().map(|d| Check::new("differs", Verdict::Ok, d.words())).collect();
    if differs.is_empty() {
        own.push(Check::new("differs", Verdict::Ok, "both revisions set the same"));
    }
    if workload.paused {
        let text = format!("the rollout of {name} is paused: resume it first");
        own.push(Check::new("paused", Verdict::Refuse, text));
    }
    own.extend(check::rolled(seen, tenant));
    // What is rolled back is often a rollout that does not come to its end.
    own.extend(check::rollout(seen, workload).map(|c| Check { verdict: Verdict::Warn, ..c }));
    own.extend(check::lease(seen, name));
    own.extend(check::open_run(seen, tenant));
    own.extend(checks::reverts(tenant, "the template", *gitops_paused));
    if let super::Standing::Elsewhere(why) = change.stands(seen) {
        own.push(Check::new("revision", Verdict::Refuse, format!("{why}: look at the revisions again")));
    }
    let about = About::Tenant(name.clone());
    let rolled = RolledOut {
        workload: key.clone(),
        uid,
        image: None,
        template: Some(to.hash.clone()),
        restarted: None,
        steady: *steady,
    };
    let within = ROLLOUT_A_POD.saturating_mul(tenant.desired().clamp(1, 60)).saturating_add(*steady);
    let kubectl = change.by_hand(seen).unwrap_or_default();
    let steps = vec![
        Step::new(about.clone(), change, WRITE_WITHIN),
        Step::new(about, Change::RolledOut(rolled), within),
    ];
    let part = Part {
        tenant: name.clone(),
        workload: key,
        from: tenant.desired(),
        to: tenant.desired(),
        now: tenant.placement(),
        predicted: BTreeMap::new(),
        unpredicted: Some(PLACED_AS_THEY_COME.into()),
        landings: Vec::new(),
        removals: Vec::new(),
        checks: own,
        kubectl,
        undo: format!("the template of revision {} again", from.number),
        what: Some(format!("{name} revision {} → {}", from.number, to.number)),
        resized: Vec::new(),
    };
    Plan::assemble(seen, intent.clone(), vec![part], vec![], None, steps, checks)
}

//! Planning to roll an image out: the image is set, its rollout watched, and set back when that fails.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    About, Change, Check, Guard, Intent, OnFailure, PLACED_AS_THEY_COME, Part, Plan, RolledOut, SetImage,
    Step, Verdict, check, images, migrate::checks,
};
use crate::cluster::{Snapshot, Tenant, TenantName, image_tag};

/// Seconds a write may take.
const WRITE_WITHIN: u32 = 30;
/// Seconds a rollout may take for each of its pods.
const ROLLOUT_A_POD: u32 = 240;

/// Seconds that new pods stay ready without a restart before a rollout counts as done, where nothing else is said.
pub const STEADY: u32 = 30;

/// An image for a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Which tenant.
    pub tenant: TenantName,
    /// The tag, or the whole reference, of the image.
    pub image: String,
    /// The container; none: the one that serves requests, by the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The operator says that the tool that owns the manifests does not revert it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gitops_paused: bool,
    /// Seconds that the new pods must stay ready without a restart.
    #[serde(default)]
    pub steady: u32,
}

pub(super) fn plan(seen: &Snapshot, intent: &Intent, release: &Release) -> Plan {
    let mut checks = check::freshness(seen);
    let name = &release.tenant;
    let Some(tenant) = seen.tenants.get(name) else {
        if seen.deployments.freshness.is_known() && seen.stateful_sets.freshness.is_known() {
            checks.push(Check::new("tenant", Verdict::Refuse, check::unknown(seen, name.as_str())));
        }
        return Plan::assemble(seen, intent.clone(), vec![], vec![], None, vec![], checks);
    };
    let mut own = checks::standing(seen, tenant);
    let wanted = release.container.as_deref().unwrap_or(&seen.tenancy.container);
    let set =
        checks::container(tenant, wanted).map_err(|text| Check::new("container", Verdict::Refuse, text));
    let set = set.and_then(|container| match images::misspelt(&release.image) {
        Some(why) => Err(Check::new("image", Verdict::Refuse, why)),
        None => Ok(SetImage {
            workload: tenant.workload.key.clone(),
            uid: tenant.workload.uid.clone(),
            container: container.name.clone(),
            from: container.image.clone(),
            to: images::retagged(&container.image, &release.image),
        }),
    });
    let set = set.map_err(|check| own.push(check)).ok();
    if let Some(set) = &set {
        own.push(images::exists(seen, &set.to));
        own.extend(checks::reverts(tenant, "the image", release.gitops_paused));
    }
    planned(seen, intent, tenant, set, release.steady, own, checks)
}

/// The plan that sets an image, with these checks.
pub(super) fn planned(
    seen: &Snapshot,
    intent: &Intent,
    tenant: &Arc<Tenant>,
    set: Option<SetImage>,
    steady: u32,
    mut own: Vec<Check>,
    checks: Vec<Check>,
) -> Plan {
    let set = set.filter(|set| {
        let same = set.from == set.to;
        if same {
            let text = format!("{} runs {} already: nothing to do", tenant.name, image_tag(&set.to));
            own.push(Check::new("image", Verdict::Ok, text));
        }
        !same
    });
    if set.is_some() {
        own.extend(check::rolled(seen, tenant));
    }
    let kubectl =
        set.as_ref().and_then(|set| Change::SetImage(set.clone()).by_hand(seen)).unwrap_or_default();
    let what = match &set {
        Some(set) => format!("{} {} → {}", tenant.name, image_tag(&set.from), image_tag(&set.to)),
        None => tenant.name.to_string(),
    };
    let undo = set.as_ref().map_or(String::new(), |set| format!("the image {} again", image_tag(&set.from)));
    let steps = set.map_or(Vec::new(), |set| steps(tenant, set, steady));
    let now = tenant.placement();
    let rolls = !steps.is_empty();
    let predicted = if rolls { BTreeMap::new() } else { now.clone() };
    let part = Part {
        tenant: tenant.name.clone(),
        workload: tenant.workload.key.clone(),
        from: tenant.desired(),
        to: tenant.desired(),
        predicted,
        now,
        unpredicted: rolls.then(|| PLACED_AS_THEY_COME.into()),
        landings: Vec::new(),
        removals: Vec::new(),
        checks: own,
        kubectl,
        undo,
        what: Some(what),
        resized: Vec::new(),
    };
    let mut plan = Plan::assemble(seen, intent.clone(), vec![part], vec![], None, steps, checks);
    plan.on_failure = OnFailure::Restore;
    plan
}

fn steps(tenant: &Tenant, set: SetImage, steady: u32) -> Vec<Step> {
    let about = About::Tenant(tenant.name.clone());
    let step = |change: Change, within: u32| Step::new(about.clone(), change, within);
    let within = ROLLOUT_A_POD.saturating_mul(tenant.desired().clamp(1, 60)).saturating_add(steady);
    let back = SetImage { from: set.to.clone(), to: set.from.clone(), ..set.clone() };
    let rolled = |set: &SetImage, steady: u32| {
        let (workload, uid) = (set.workload.clone(), set.uid.clone());
        let image = Some((set.container.clone(), set.to.clone()));
        Change::RolledOut(RolledOut { workload, uid, image, template: None, restarted: None, steady })
    };
    let (forward, backward) = (rolled(&set, steady), rolled(&back, 0));
    let guards = vec![Guard::NoRollout { workload: set.workload.clone() }];
    vec![
        Step { guards, ..step(Change::SetImage(set), WRITE_WITHIN) },
        step(forward, within),
        Step { takes_back: Some(0), way_out: true, ..step(Change::SetImage(back), WRITE_WITHIN) },
        Step { confirms: Some(2), way_out: true, ..step(backward, within) },
    ]
}

//! `wheelhouse delete-pod`.

use clap::Args;

use super::{Common, Failure, act, session, table};
use crate::{
    cluster::{Key, Snapshot, TenantName},
    plan::{self, Intent},
};

/// The arguments of `wheelhouse delete-pod`.
#[derive(Debug, Args)]
pub(super) struct DeletePodArgs {
    /// The pod as NAMESPACE/POD, or its tenant, with the pod's name after it
    #[arg(value_name = "NAMESPACE/POD|TENANT")]
    of: String,
    /// The pod's name, after a tenant
    pod: Option<String>,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: DeletePodArgs) -> Result<(), Failure> {
    let named = match &args.pod {
        Some(_) => None,
        None => Some(args.of.split_once('/').ok_or_else(|| {
            let of = table::plain(&args.of);
            Failure::Usage(format!(
                "which pod? name it as NAMESPACE/POD, or as {of} POD if {of} is its tenant"
            ))
        })?),
    };
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let pod = match (named, &args.pod) {
        (Some((namespace, name)), _) => Key::new(namespace, name),
        (None, pod) => of_tenant(&snapshot, &args.of, pod.as_deref().unwrap_or_default())?,
    };
    act::carry_out_on(&mut session, snapshot, &Intent::DeletePod { pod }, args.consent).await
}

/// The pod of that name among a tenant's.
fn of_tenant(seen: &Snapshot, tenant: &str, pod: &str) -> Result<Key, Failure> {
    let Some(found) = seen.tenants.get(&TenantName::from(tenant)) else {
        return Err(Failure::Failed(table::plain(&plan::unknown_tenant(seen, tenant))));
    };
    let key = found.pods.iter().map(|p| &p.key).find(|key| *key.name == *pod).cloned();
    key.ok_or_else(|| {
        let all: Vec<_> = found.pods.iter().map(|p| p.key.name.to_string()).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        Failure::Failed(table::plain(&format!("{tenant} has no pod {pod}; its pods: {all}")))
    })
}

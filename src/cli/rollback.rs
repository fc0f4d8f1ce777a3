//! `wheelhouse rollback`.

use clap::Args;
use serde::Serialize;

use super::{Common, Failure, Format, act, session, table};
use crate::{
    cluster::TenantName,
    live,
    plan::{Intent, Rollback, unknown_tenant},
    ui,
};

/// The arguments of `wheelhouse rollback`.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// The revision whose template it gets [default: the one before]
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
    /// Only list the revisions
    #[arg(long, conflicts_with = "to")]
    list: bool,
    /// The tool that owns the manifests does not revert the template: you have paused it
    #[arg(long)]
    gitops_paused: bool,
    #[command(flatten)]
    consent: act::Consent,
}

#[derive(Serialize)]
struct RevisionJson<'a> {
    revision: u64,
    replica_set: &'a str,
    created: jiff::Timestamp,
    /// It is the present one.
    present: bool,
    settings: &'a std::collections::BTreeMap<String, String>,
}

pub(super) async fn run(common: &Common, args: RollbackArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let name = TenantName::from(args.tenant.as_str());
    let Some(tenant) = snapshot.tenants.get(&name) else {
        return Err(Failure::Failed(table::plain(&unknown_tenant(&snapshot, name.as_str()))));
    };
    let all = live::revisions(&session.wire, &tenant.workload).await;
    let all = all.map_err(|why| Failure::Failed(table::plain(&why)))?;
    if args.list {
        return match args.consent.output {
            Format::Json => {
                let json = all.iter().enumerate().map(|(i, t)| RevisionJson {
                    revision: t.revision.number,
                    replica_set: &t.revision.set,
                    created: t.created,
                    present: i == 0,
                    settings: &t.settings,
                });
                table::json(&json.collect::<Vec<_>>())
            }
            Format::Table => {
                let image = format!("image of {}", snapshot.tenancy.container);
                let row = |(i, t): (usize, &crate::cluster::Template)| {
                    let image = t.settings.get(&image).cloned().unwrap_or_default();
                    let present = if i == 0 { "present" } else { "" };
                    [t.revision.number.to_string(), ui::age(snapshot.at, t.created), image, present.into()]
                        .map(|cell| table::plain(&cell))
                        .to_vec()
                };
                let rows: Vec<_> = all.iter().enumerate().map(row).collect();
                table::print(&table::table(&[">REVISION", ">AGE", "IMAGE", ""], &rows))
            }
        };
    }
    let rollback = Rollback::of(&name, &all, args.to).map_err(|why| Failure::Failed(table::plain(&why)))?;
    let rollback = Rollback { gitops_paused: args.gitops_paused, ..rollback };
    act::carry_out_on(&mut session, snapshot, &Intent::Rollback { rollback }, args.consent).await
}

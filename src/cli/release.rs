//! `wheelhouse release` and `wheelhouse images`.

use std::time::Duration;

use clap::Args;

use super::{
    Common, Failure, Format, act,
    many::{self, WhichTenants},
    session, table,
};
use crate::{
    cluster,
    plan::{Intent, Release, many::Deed},
};

/// The arguments of `wheelhouse release`.
#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    which: WhichTenants,
    /// The image that is rolled out: a tag, or a whole reference
    #[arg(long, value_name = "TAG")]
    image: String,
    /// The container that gets it [default: the one that serves requests]
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The tool that owns the manifests does not revert the image: you have paused it
    #[arg(long)]
    gitops_paused: bool,
    /// How long the new pods must stay ready without a restart; 0s: as soon as they are ready, it is done
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = super::span::span)]
    steady: Duration,
    #[command(flatten)]
    consent: act::Consent,
}

pub(super) async fn run(common: &Common, args: ReleaseArgs) -> Result<(), Failure> {
    let single = args.which.single();
    let release = Release {
        tenant: single.clone().unwrap_or_else(|| "".into()),
        image: args.image,
        container: args.container,
        gitops_paused: args.gitops_paused,
        steady: u32::try_from(args.steady.as_secs()).unwrap_or(u32::MAX),
    };
    let mut session = session::open(common).await?;
    match single {
        Some(_) => act::carry_out(&mut session, &Intent::Release { release }, args.consent).await,
        None => many::carry_out(&mut session, &args.which, &Deed::Release(release), &args.consent).await,
    }
}

pub(super) async fn images(common: &Common, format: Format) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let images = cluster::images(&snapshot);
    match format {
        Format::Json => table::json(&images),
        Format::Table => {
            const NAMED: usize = 6;
            let rows: Vec<_> = images
                .iter()
                .map(|image| {
                    let mut names: Vec<_> =
                        image.tenants.iter().take(NAMED).map(ToString::to_string).collect();
                    if image.tenants.len() > NAMED {
                        names.push(format!("and {} more", image.tenants.len() - NAMED));
                    }
                    let cells = [
                        &image.tag,
                        &image.tenants.len().to_string(),
                        &image.pods.to_string(),
                        &names.join(", "),
                        &image.image.to_string(),
                    ];
                    cells.map(|cell| table::plain(cell)).to_vec()
                })
                .collect();
            table::print(&table::table(&["TAG", ">TENANTS", ">PODS", "WHICH", "IMAGE"], &rows))
        }
    }
}

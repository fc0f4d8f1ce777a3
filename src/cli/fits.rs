//! `wheelhouse fits`.

use clap::Args;

use super::{Common, Failure, Format, Output, headroom, session, table};
use crate::{
    cluster::Tenant,
    plan::{Fitting, Number, fits},
};

/// More replicas than this are not tried.
const MOST: u32 = 1000;

/// The arguments of `wheelhouse fits`.
#[derive(Debug, Args)]
pub(super) struct FitsArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// Whether so many more fit, such as +2, or so many in all [default: how many more do]
    #[arg(value_name = "+N", allow_negative_numbers = true)]
    more: Option<Number>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(common: &Common, args: FitsArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let tenant = headroom::tenant(&snapshot, &args.tenant)?;
    let asked = args.more.map(|number| more(tenant, number)).transpose()?;
    let fitting = match fits(&snapshot, tenant, asked) {
        Ok(fitting) => fitting,
        Err(why) => {
            return headroom::not_known(&format!("how many more of {} fit", tenant.name), &why, args.output);
        }
    };
    match args.output.output {
        Format::Json => table::json(&fitting)?,
        Format::Table => table::print(&text(&fitting))?,
    }
    match fitting.asked {
        Some(asked) if fitting.fits < asked => Err(Failure::Told),
        _ => Ok(()),
    }
}

/// How many more are asked for: `+2`, or what is missing to that number of replicas.
fn more(tenant: &Tenant, number: Number) -> Result<u32, Failure> {
    let now = tenant.desired();
    let more = number.from(now) - i64::from(now);
    u32::try_from(more).ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(|| {
        let name = &tenant.name;
        Failure::Usage(match more {
            ..=0 => format!("{name} asks for {now} now: name more, such as +2 or {}", now + 2),
            _ => format!("{more} more replicas are too many to try: at most +{MOST}"),
        })
    })
}

fn text(f: &Fitting) -> String {
    let or_more = if f.or_more && f.asked.is_none() { " or more" } else { "" };
    let head = match f.asked {
        Some(1) if f.fits == 1 => format!("{}: 1 more fits", f.tenant),
        None if f.fits == 1 && !f.or_more => format!("{}: 1 more fits", f.tenant),
        Some(asked) if f.fits == asked => format!("{}: {asked} more fit", f.tenant),
        Some(asked) => format!("{}: {} of {asked} more fit", f.tenant, f.fits),
        None => format!("{}: {}{or_more} more fit", f.tenant, f.fits),
    };
    let mut text = table::plain(&head) + "\n";
    let mut rows: Vec<Vec<String>> = Vec::new();
    let refusing = |node: &str| f.refusing.iter().find(|r| r.node.as_str() == node);
    for (node, pods) in &f.nodes {
        let why = refusing(node.as_str()).map_or(String::new(), |r| format!("then {}", r.why));
        rows.push(vec![node.to_string(), format!("+{pods}"), why]);
    }
    for refusing in f.refusing.iter().filter(|r| r.after == 0) {
        rows.push(vec![refusing.node.to_string(), "0".into(), refusing.why.clone()]);
    }
    rows.iter_mut().flatten().for_each(|cell| *cell = table::plain(cell));
    text += &table::with_text(&["NODE", ">FITS", "WHY NOT MORE"], &rows);
    if let Some(why) = &f.admission {
        text += &format!("no more are let in: {}\n", table::plain(why));
    }
    if let Some(why) = &f.refused {
        text += &format!("its pods are refused now: {}\n", table::plain(why));
    }
    for why in &f.unknown {
        text += &format!("{}\n", table::plain(why));
    }
    if let Some(message) = &f.message {
        text += &table::plain(message);
        text.push('\n');
    }
    text
}

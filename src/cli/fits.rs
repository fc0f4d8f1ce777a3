//! `wheelhouse fits`.

use clap::Args;

use super::{Common, Failure, Format, Output, headroom, session, table};
use crate::plan::{Fitting, fits};

/// The arguments of `wheelhouse fits`.
#[derive(Debug, Args)]
pub(super) struct FitsArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// Whether so many more fit, such as +2 [default: how many do]
    #[arg(value_name = "+N", value_parser = more)]
    more: Option<u32>,
    #[command(flatten)]
    output: Output,
}

fn more(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix('+').unwrap_or(text).parse::<u32>();
    number
        .ok()
        .filter(|n| (1..=1000).contains(n))
        .ok_or_else(|| "not a number such as +2, up to +1000".into())
}

pub(super) async fn run(common: &Common, args: FitsArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let fitting = fits(&snapshot, headroom::tenant(&snapshot, &args.tenant)?, args.more);
    match args.output.output {
        Format::Json => table::json(&fitting)?,
        Format::Table => table::print(&text(&fitting))?,
    }
    match fitting.asked {
        Some(asked) if fitting.fits < asked => Err(Failure::Told),
        _ => Ok(()),
    }
}

fn text(f: &Fitting) -> String {
    let or_more = if f.or_more && f.asked.is_none() { " or more" } else { "" };
    let head = match f.asked {
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
    text += &table::table(&["NODE", ">FITS", "WHY NOT MORE"], &rows);
    if let Some(message) = &f.message {
        text += &table::plain(message);
        text.push('\n');
    }
    text
}

//! The same for many tenants on the command line: who, how fast, shown, rehearsed, confirmed, carried out, told.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use super::{
    Failure, Format,
    act::{self, Consent},
    campaign,
    campaign_json::CampaignJson,
    session::Session,
    table,
};
use crate::{
    cluster::{Selector, Snapshot, TenantName, words::count},
    plan::{
        Check, Confirmation, Verdict,
        many::{Deed, LeftOut, Many, Row, Shared, many},
        unknown_tenant,
    },
    run::{
        Rehearsal,
        campaign::{self as engine, CampaignSeen, Pace, Proposed, rehearse_tenants},
    },
};

/// Which tenants, and how fast where they are several.
#[derive(Clone, Debug, Args)]
pub(super) struct WhichTenants {
    /// The tenants, as `wheelhouse tenants` names them; several are done one after another, as a campaign
    #[arg(required_unless_present_any = ["all", "selector"], num_args = 1..)]
    tenant: Vec<String>,
    /// Every tenant
    #[arg(long, conflicts_with_all = ["tenant", "selector"])]
    all: bool,
    /// The tenants whose workload has these labels, as kubectl reads them: tier=gold,!legacy
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "tenant", value_parser = selector)]
    selector: Option<Selector>,
    /// Of several: so many at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=32))]
    parallel: u32,
    /// Of several: so many go first, one by one; if one of them fails, no other is begun
    #[arg(long, value_name = "N", default_value_t = 1)]
    canary: u32,
    /// Of several: begin no further one once so many have failed or are held
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    max_failures: u32,
}

fn selector(text: &str) -> Result<Selector, String> {
    text.parse()
}

impl WhichTenants {
    /// The only tenant that is named.
    pub(super) fn single(&self) -> Option<TenantName> {
        match self.tenant.as_slice() {
            [one] => Some(one.as_str().into()),
            _ => None,
        }
    }

    /// So many at the same time.
    pub(super) fn parallel(&self) -> u32 {
        self.parallel
    }

    /// The tenants, each once, in the order they are named in.
    fn found(&self, seen: &Snapshot) -> Result<Vec<TenantName>, Failure> {
        if let Some(selector) = &self.selector {
            let fits = |name: &&TenantName| selector.matches(&seen.tenants[*name].workload.labels);
            let found: Vec<_> = seen.tenants.keys().filter(fits).cloned().collect();
            return match found.is_empty() {
                true => Err(Failure::Failed(format!(
                    "no tenant of {} has the labels of --selector",
                    seen.tenants.len()
                ))),
                false => Ok(found),
            };
        }
        if self.all {
            let all: Vec<_> = seen.tenants.keys().cloned().collect();
            return match all.is_empty() {
                true => Err(Failure::Failed("there is no tenant".into())),
                false => Ok(all),
            };
        }
        let (mut found, mut known, mut unknown) = (Vec::new(), BTreeSet::new(), Vec::new());
        for name in &self.tenant {
            let name = TenantName::from(name.as_str());
            if !seen.tenants.contains_key(&name) {
                unknown.push(unknown_tenant(seen, name.as_str()));
            } else if known.insert(name.clone()) {
                found.push(name);
            }
        }
        match unknown.is_empty() {
            true => Ok(found),
            false => Err(Failure::Failed(table::plain(&unknown.join("; ")))),
        }
    }
}

#[derive(Serialize)]
struct ManyJson<'a> {
    goal: &'a str,
    /// To whom it is done, in order.
    tenants: &'a [Row],
    left_out: &'a [LeftOut],
    counts: CountsJson,
    parallel: u32,
    canary: u32,
    max_failures: u32,
    warnings: &'a [Shared],
    /// What it would wait for if it began now; `null`: for nothing.
    waits: Option<&'a str>,
    /// What has to be typed; `null`: a yes is enough.
    confirm: Option<&'a str>,
    rehearsal: &'a [Check],
    /// As it ended; not there in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<CampaignJson>,
    /// Why it did not come through; `null`: it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
}

#[derive(Serialize)]
struct CountsJson {
    all: usize,
    tenants: usize,
    left_out: usize,
}

/// Works it out, shows it, asks once, and carries it out as far as consent goes.
pub(super) async fn carry_out(
    session: &mut Session,
    which: &WhichTenants,
    deed: &Deed,
    consent: &Consent,
) -> Result<(), Failure> {
    let snapshot = session.observed_with_database().await?;
    let tenants = which.found(&snapshot)?;
    let made = many(&snapshot, deed, &tenants);
    let pace = Pace::of_tenants(&snapshot, which.parallel, which.canary, which.max_failures);
    if made.items.is_empty() {
        return nothing(&made, &pace, consent.output);
    }
    let access = session.access(&snapshot);
    let rehearsal = rehearse_tenants(&access, &made.samples).await;
    if consent.output == Format::Table {
        table::print(&shown(&made, &pace, &rehearsal))?;
    }
    let stops: Vec<_> =
        rehearsal.checks.iter().filter(|c| c.verdict == Verdict::Refuse).map(|c| &*c.text).collect();
    if !stops.is_empty() {
        return Err(Failure::Failed(table::plain(&format!("refused: {}", stops.join("; ")))));
    }
    let place = act::place(consent, &rehearsal)?;
    if consent.dry_run {
        return match consent.output {
            Format::Json => table::json(&json(&made, &pace, &rehearsal.checks, None)),
            Format::Table => Ok(()),
        };
    }
    let typed = act::confirm(&made.confirmation, consent)?;
    let approved =
        Proposed::of_tenants(&made, pace.clone()).approve(typed.as_deref(), consent.reason.clone());
    let handle = engine::start(access, approved.map_err(Failure::failed)?, place, session.seen.clone());
    let (campaign, heard) = campaign::ended(session, handle, consent.output, campaign::Past::default()).await;
    let stopped = campaign::not_done(&campaign, &session.again);
    let counts = campaign.counts();
    match consent.output {
        Format::Json => {
            let seen = CampaignSeen { ours: true, ..CampaignSeen::of(campaign) };
            let ended = (CampaignJson::of(&seen), stopped.clone());
            table::json(&json(&made, &pace, &rehearsal.checks, Some(ended)))?;
        }
        Format::Table => table::print(&format!("{}\n", counts.words()))?,
    }
    match stopped {
        Some(why) => Err(Failure::Failed(table::plain(&format!("stopped: {why}")))),
        None if counts.failed + counts.held > 0 => Err(Failure::Told),
        None => heard,
    }
}

fn json<'a>(
    many: &'a Many,
    pace: &Pace,
    rehearsal: &'a [Check],
    ended: Option<(CampaignJson, Option<String>)>,
) -> ManyJson<'a> {
    let (campaign, stopped) = ended.unzip();
    ManyJson {
        goal: &many.goal,
        tenants: &many.rows,
        left_out: &many.left,
        counts: CountsJson {
            all: many.rows.len() + many.left.len(),
            tenants: many.rows.len(),
            left_out: many.left.len(),
        },
        parallel: pace.parallel,
        canary: pace.canary,
        max_failures: pace.stop_after,
        warnings: &many.warnings,
        waits: many.waits.as_deref(),
        confirm: match &many.confirmation {
            Confirmation::Yes => None,
            Confirmation::Type(text) => Some(text),
        },
        rehearsal,
        campaign,
        stopped: stopped.flatten(),
    }
}

/// Nobody is left to do it to. That all are as wanted already is no failure.
fn nothing(many: &Many, pace: &Pace, output: Format) -> Result<(), Failure> {
    match output {
        Format::Json => table::json(&json(many, pace, &[], None))?,
        Format::Table => table::print(&left_out(many))?,
    }
    let refused = many.left.iter().filter(|left| left.rule != "nothing");
    let refused: Vec<_> = refused.collect();
    match refused.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => {
            let why = &first.why;
            let text = match rest.iter().all(|left| left.why == *why) {
                true => format!("refused: {why}"),
                false => format!(
                    "all {} are left out, {} for this: {why}",
                    count(many.left.len() as u32, "tenant"),
                    first.tenant
                ),
            };
            Err(Failure::Failed(table::plain(&text)))
        }
    }
}

/// Tenants that are listed by name before the question.
const NAMED: usize = 20;

/// What stands above the question.
fn shown(many: &Many, pace: &Pace, rehearsal: &Rehearsal) -> String {
    let mut text = format!("{}\n\n", many.goal);
    let row = |row: &Row| {
        let why = row.waits.as_ref().map(|why| format!("waits: {why}")).or_else(|| row.warning.clone());
        [row.tenant.to_string(), row.replicas.to_string(), row.image.clone(), why.unwrap_or_default()]
            .map(|cell| table::plain(&cell))
            .to_vec()
    };
    let rows: Vec<_> = many.rows.iter().take(NAMED).map(row).collect();
    text += &table::table(&["TENANT", ">PODS", "IMAGE", "TO THINK OF"], &rows);
    if many.rows.len() > NAMED {
        text += &format!("and {} more\n", many.rows.len() - NAMED);
    }
    text += &left_out(many);
    text.push('\n');
    let more = |n: usize| if n == 1 { String::new() } else { format!("{n} tenants, the first: ") };
    for warning in &many.warnings {
        text += &format!("{} {}{}\n", Verdict::Warn.glyph(), more(warning.tenants), warning.text);
    }
    for check in rehearsal.checks.iter().filter(|c| c.verdict != Verdict::Ok) {
        text += &format!("{} {}\n", check.verdict.glyph(), check.text);
    }
    let (some, all) = (many.samples.len(), many.items.len());
    if some > 0 && rehearsal.checks.iter().all(|c| c.verdict != Verdict::Refuse) {
        let of =
            if some == all { String::new() } else { format!(" for {some} of {all}, each again at its turn") };
        text += &format!("{} rehearsed{of}: the rights are there and the writes pass\n", Verdict::Ok.glyph());
    }
    if let Some(why) = &many.waits {
        text += &format!("{} it waits before the first one: {why}\n", Verdict::Warn.glyph());
    }
    text += &format!("{}\n", pace_words(pace, all));
    text.lines().map(|line| table::plain(line) + "\n").collect()
}

/// How fast it goes, and what stops it.
pub(super) fn pace_words(pace: &Pace, all: usize) -> String {
    let first = (pace.canary as usize).min(all);
    // With one failure to stop it, that of the first is no other.
    let canary = match (first, pace.stop_after > 1) {
        (0, _) => String::new(),
        (1, false) => "1 goes first; ".to_owned(),
        (1, true) => "1 goes first, and its failure stops it; ".to_owned(),
        (n, false) => format!("{n} go first, one by one; "),
        (n, true) => format!("{n} go first, one by one, and a failure among them stops it; "),
    };
    let pace_of = match pace.parallel {
        1 => "then one after another".to_owned(),
        n => format!("then {n} at the same time"),
    };
    let stops = match pace.stop_after {
        0 | 1 => "the first failure stops it".to_owned(),
        n => format!("{n} failures stop it"),
    };
    let waits = match pace.brakes.is_empty() {
        true => "",
        false => "; it waits while the database is busy",
    };
    format!("{canary}{pace_of}; {stops}{waits}")
}

fn left_out(many: &Many) -> String {
    if many.left.is_empty() {
        return String::new();
    }
    let row = |left: &LeftOut| [left.tenant.to_string(), left.why.clone()].map(|c| table::plain(&c)).to_vec();
    let rows: Vec<_> = many.left.iter().take(NAMED).map(row).collect();
    let mut text = format!("\n{}", table::with_text(&["LEFT OUT", "WHY"], &rows));
    if many.left.len() > NAMED {
        text += &format!("and {} more\n", many.left.len() - NAMED);
    }
    text
}

//! `wheelhouse doctor`: what will not work, and the line that mends it.

mod database;
mod platform;
mod terminal;

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{Common, Failure, Format, Output, rbac, session, session::Session, table};
use crate::{
    cluster::{
        Freshness, Snapshot,
        words::{count, span},
    },
    cockpit,
    run::rights::{self, RbacRole},
    wire::cost::{self, Amount},
};

/// What it costs the cluster to go on looking is measured for so long.
const MEASURED: Duration = Duration::from_secs(3);
/// A difference of clocks from here on makes ages wrong.
const SKEW: i64 = 2_000;

/// The arguments of `wheelhouse doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: nothing fails (there may be warnings); 1: something does, and what mends it stands below it."
)]
pub(super) struct DoctorArgs {
    /// The role you need: a right of it that you lack is a failure
    #[arg(long, value_parser = rbac::role(), default_value = "viewer", value_name = "ROLE")]
    role: RbacRole,
    #[command(flatten)]
    output: Output,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Rating {
    /// It works.
    Ok,
    /// It is not there, and nothing is wrong with that.
    Notice,
    /// It works in part.
    Warning,
    /// It does not work.
    Fails,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Found {
    /// `cluster`, `rights`, `metrics`, `database`, `platform`, `clock`, `proxy`, `terminal`, `machine`, `configuration`.
    area: &'static str,
    verdict: Rating,
    /// One sentence.
    text: String,
    /// The line that mends it.
    mend: Option<String>,
}

impl Found {
    fn new(area: &'static str, verdict: Rating, text: impl Into<String>) -> Self {
        Self { area, verdict, text: text.into(), mend: None }
    }

    fn ok(area: &'static str, text: impl Into<String>) -> Self {
        Self::new(area, Rating::Ok, text)
    }

    fn mend(self, line: impl Into<String>) -> Self {
        Self { mend: Some(line.into()), ..self }
    }
}

#[derive(Serialize)]
struct CostJson {
    /// Watches that stay open.
    watches: u64,
    requests: AmountJson,
    /// Bytes of answers as they came over the wire.
    bytes: AmountJson,
    /// Queries of each endpoint of the database.
    endpoints: std::collections::BTreeMap<String, AmountJson>,
}

#[derive(Serialize)]
struct AmountJson {
    /// Since the program began.
    total: u64,
    per_second: f64,
}

impl From<Amount> for AmountJson {
    fn from(amount: Amount) -> Self {
        Self { total: amount.total, per_second: amount.per_second }
    }
}

#[derive(Serialize)]
struct DoctorJson {
    /// Nothing fails.
    ok: bool,
    checks: Vec<Found>,
    cost: CostJson,
}

pub(super) async fn run(common: &Common, args: DoctorArgs) -> Result<(), Failure> {
    let layers = session::layers(common)?;
    let mut found = vec![match layers.path() {
        Some(path) => Found::ok("configuration", format!("{} has no mistakes", path.display())),
        None => Found::new("configuration", Rating::Notice, "there is none: the defaults are in force")
            .mend(format!("{} config init", super::name())),
    }];
    found.extend(terminal::checks());
    found.push(machine());
    let mut session = session::open(common).await?;
    let known = session.observed_with_database().await;
    let snapshot = session.seen.borrow().clone();
    match &known {
        Ok(_) => {
            found.push(answers(&snapshot));
            found.extend(rights(&session, args.role).await);
            found.extend(sources(&snapshot));
        }
        Err(failure) => {
            let mend =
                "kubectl version     # says whether another client gets through; `wheelhouse help cluster`";
            found.push(Found::new("cluster", Rating::Fails, failure.to_string()).mend(mend));
        }
    }
    found.push(proxy(&session));
    found.push(server_clock(&snapshot));
    found.extend(database::checks(&session, &snapshot).await);
    if known.is_ok() {
        found.extend(platform::shared(&session, &snapshot).await);
    }
    if known.is_ok() {
        tokio::time::sleep(MEASURED).await;
    }
    tell(found, &session, args.output.output)
}

fn tell(mut found: Vec<Found>, session: &Session, format: Format) -> Result<(), Failure> {
    const ORDER: [&str; 10] = [
        "configuration",
        "cluster",
        "rights",
        "metrics",
        "proxy",
        "clock",
        "database",
        "platform",
        "terminal",
        "machine",
    ];
    found.sort_by_key(|it| ORDER.iter().position(|area| *area == it.area));
    let fails = found.iter().filter(|it| it.verdict == Rating::Fails).count();
    if format == Format::Json {
        let api = session.wire.cost();
        let endpoints = cost::queries().into_iter().map(|(name, queries)| (name, queries.into()));
        let cost = CostJson {
            watches: api.watches,
            requests: api.requests.into(),
            bytes: api.bytes.into(),
            endpoints: endpoints.collect(),
        };
        table::json(&DoctorJson { ok: fails == 0, checks: found, cost })?;
    } else {
        table::print(&text(&found, &cockpit::cost(&session.wire)))?;
    }
    if fails > 0 { Err(Failure::Told) } else { Ok(()) }
}

fn text(found: &[Found], cost: &[String]) -> String {
    let mut text = String::new();
    for it in found {
        let mark = match it.verdict {
            Rating::Ok => "✓",
            Rating::Notice => "•",
            Rating::Warning => "▲",
            Rating::Fails => "✖",
        };
        text += &format!("{mark} {:13} {}\n", it.area, table::plain(&it.text));
        if let Some(mend) = &it.mend {
            text += &format!("  {:13} → {}\n", "", table::plain(mend));
        }
    }
    text += "\nWhat this look costs the cluster:\n";
    for line in cost {
        text += &format!("  {}\n", table::plain(line));
    }
    let of = |verdict| found.iter().filter(|it| it.verdict == verdict).count();
    let (fails, warnings) = (of(Rating::Fails), of(Rating::Warning));
    text + &match fails {
        0 => format!("\nnothing fails, {}\n", count(warnings, "warning")),
        1 => format!("\n1 thing fails, {}\n", count(warnings, "warning")),
        n => format!("\n{n} things fail, {}\n", count(warnings, "warning")),
    }
}

/// The audit file can be written.
fn machine() -> Found {
    let Ok(folder) = session::state_dir() else {
        return Found::new("machine", Rating::Fails, "no home folder is known: no run can be audited")
            .mend("export XDG_STATE_HOME=$HOME/.local/state");
    };
    let file = folder.join("audit.jsonl");
    let tried = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::OpenOptions::new().append(true).create(true).open(&file));
    match tried {
        Ok(_) => Found::ok("machine", format!("what is done is written to {}", file.display())),
        Err(e) => Found::new("machine", Rating::Fails, format!("{} cannot be written: {e}", file.display()))
            .mend(format!("ls -ld {}", folder.display())),
    }
}

fn answers(seen: &Snapshot) -> Found {
    let api = &seen.api;
    let version = api.version.as_deref().unwrap_or("of an unknown version");
    let latency = api.latency.map_or(String::new(), |took| format!(", answers in {} ms", took.as_millis()));
    let user = api.user.as_deref().map_or(String::new(), |user| format!(", as {user}"));
    Found::ok("cluster", format!("{} at {}: {version}{latency}{user}", api.context, api.server))
}

/// The rights of every role; those of the wanted one count.
async fn rights(session: &Session, wanted: RbacRole) -> Vec<Found> {
    let (namespace, journal) = (session.config.namespace.as_deref(), &session.config.journal.namespace);
    let mut found = Vec::new();
    for role in RbacRole::ALL {
        let name = role.name();
        let lacking = match rights::lacking(&session.wire, role, namespace, journal).await {
            Ok(lacking) => lacking,
            Err(why) => {
                let text = format!("your rights cannot be asked for: {why}");
                found.push(Found::new("rights", Rating::Warning, text));
                return found;
            }
        };
        if lacking.is_empty() {
            found.push(Found::ok("rights", format!("{name}: you have them all")));
            continue;
        }
        let counts = wanted.with_those_below().contains(&role);
        let verdict = if counts { Rating::Fails } else { Rating::Notice };
        let mut whats: Vec<&str> = lacking.iter().map(|it| it.what).collect();
        whats.dedup();
        let first = &lacking[0].right;
        let more = match lacking.len() {
            1 => first.clone(),
            n => format!("{first} and {}", count(n - 1, "more right")),
        };
        let within = namespace.map_or("in all namespaces".to_owned(), |n| format!("in namespace {n}"));
        let text = format!("{name}: you lack, {within}: {} ({more})", whats.join("; "));
        let namespace = namespace.map_or(String::new(), |n| format!(" -n {n}"));
        let mend = format!("{} rbac {name} --user NAME{namespace} | kubectl apply -f -", super::name());
        found.push(Found::new("rights", verdict, text).mend(mend));
    }
    found
}

/// The sources that are not live.
fn sources(seen: &Snapshot) -> Vec<Found> {
    let (mut found, mut measured) = (Vec::new(), true);
    for (name, freshness) in seen.sources() {
        let metrics = name.contains("usage") || name.contains("metrics");
        let area = if metrics { "metrics" } else { "cluster" };
        let why = match freshness {
            Freshness::Live { .. } => continue,
            Freshness::Connecting => "not read yet".to_owned(),
            Freshness::Stale { why, .. } | Freshness::Missing { why } => why.to_string(),
        };
        measured &= !metrics;
        let it = Found::new(area, Rating::Warning, format!("{name}: {why}"));
        found.push(if metrics {
            it.mend(
                "kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml",
            )
        } else {
            it
        });
    }
    if measured {
        found.push(Found::ok("metrics", "what pods and nodes use is measured"));
    }
    found
}

fn proxy(session: &Session) -> Found {
    match session.wire.proxy() {
        None => Found::ok("proxy", "the API server is asked directly"),
        Some(proxy) => {
            let database =
                if session.has_database() { "; the database is asked directly all the same" } else { "" };
            Found::ok("proxy", format!("the API server is asked through {proxy}{database}"))
        }
    }
}

fn server_clock(seen: &Snapshot) -> Found {
    skewed("the API server", seen.api.skew_millis, false)
}

/// A clock beside this machine's, in milliseconds ahead of it.
fn skewed(whose: &str, millis: i64, counts: bool) -> Found {
    if millis.abs() < SKEW {
        return Found::ok("clock", format!("{whose} has the time of this machine, within 2 s"));
    }
    let (seconds, way) = (millis.abs() / 1_000, if millis > 0 { "ahead of" } else { "behind" });
    let ages = if counts { "its ages are wrong by that" } else { "ages are told by the server's clock" };
    let text = format!("{whose} is {} {way} this machine: {ages}", span(seconds));
    Found::new("clock", Rating::Warning, text)
        .mend("timedatectl set-ntp true     # on the one whose clock is wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_with_the_line_that_mends_it() {
        let all = [
            Found::ok("cluster", "x"),
            Found::new("rights", Rating::Fails, "viewer: you lack it").mend("kubectl apply"),
            skewed("db1", -90_000, true),
        ];
        let told = text(&all, &["API server: 3 watches".into()]);
        assert!(told.starts_with("✓ cluster       x\n✖ rights        viewer: you lack it\n"), "{told}");
        assert!(told.contains("\n                → kubectl apply\n"), "{told}");
        assert!(
            told.contains("▲ clock         db1 is 90s behind this machine: its ages are wrong by that\n"),
            "{told}"
        );
        assert!(told.contains("  API server: 3 watches\n"), "{told}");
        assert!(told.ends_with("\n1 thing fails, 1 warning\n"), "{told}");
    }
}

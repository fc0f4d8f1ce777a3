//! `wheelhouse galera`: the recovery sheet, and the acts on one member.
//!
//! The sheet prints what to do and does none of it. The acts are plans like any other: shown, confirmed, run, verified.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{Common, Failure, Format, Output, act::Consent, database_act, session, table};
use crate::{
    cluster::{
        Database, MemberName,
        database::{Evidence, Saved, recovery},
    },
    plan::{DatabaseAct, Number, WEIGHTS},
};

/// The arguments of `wheelhouse galera`.
#[derive(Debug, Args)]
pub(super) struct GaleraArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What is known of every member, which is the most advanced, and the commands to recover; it runs none of them
    Recovery(RecoveryArgs),
    /// Take a member out of every ProxySQL: its clients go to the others
    TakeOut(MemberArgs),
    /// Bring a member back into every ProxySQL: as it was when a run took it out, otherwise like another member
    BringBack {
        #[command(flatten)]
        member: MemberArgs,
        /// The member whose weight and limits it gets, whatever it had before
        #[arg(long, value_name = "MEMBER")]
        like: Option<String>,
    },
    /// Give a member another weight in every ProxySQL: the heaviest candidate is the writer
    Weight {
        /// The member, by its name or address
        member: String,
        /// Its weight: from 1 to 10000000, or +5 and -5 for more and less than now
        #[arg(value_name = "WEIGHT", allow_negative_numbers = true, value_parser = weight)]
        weight: Number,
        #[command(flatten)]
        consent: Consent,
    },
    /// Make a member the one that all ProxySQLs write to
    MoveWriter(MemberArgs),
    /// Take a member out of flow control: it may fall behind, and ProxySQL moves its clients away
    Desync(MemberArgs),
    /// Let a member catch up and serve again
    Resync(MemberArgs),
}

/// Reads a weight. The error says what one is.
fn weight(text: &str) -> Result<Number, String> {
    let (low, high) = (WEIGHTS.start(), WEIGHTS.end());
    let fits = |n: &Number| matches!(n, Number::By(_)) || WEIGHTS.contains(&n.from(0).unsigned_abs());
    let number = text.parse().ok().filter(fits);
    number.ok_or_else(|| format!("a weight is a whole number from {low} to {high}, or +1 or -1 from now"))
}

/// A member, and how far consent goes.
#[derive(Debug, Args)]
struct MemberArgs {
    /// The member, by its name or address, as `wheelhouse database` shows them
    member: String,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Debug, Args)]
struct RecoveryArgs {
    /// The grastate.dat of a member that is down: FILE when only one is, otherwise MEMBER=FILE; `-` is standard input
    #[arg(long, value_name = "[MEMBER=]FILE")]
    grastate: Vec<String>,
    /// What `--wsrep-recover` printed on a member that is down, or its error log, or UUID:SEQNO in a file
    #[arg(long, value_name = "[MEMBER=]FILE")]
    recovered: Vec<String>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(common: &Common, args: GaleraArgs) -> Result<(), Failure> {
    type Act = fn(MemberName) -> DatabaseAct;
    let (args, act): (MemberArgs, Act) = match args.command {
        Command::Recovery(args) => return sheet(common, args).await,
        Command::BringBack { member: MemberArgs { member, consent }, like } => {
            return database_act::carry_out(common, consent, |names| {
                let like = names.maybe_member(like.as_deref())?;
                Ok(DatabaseAct::BringBack { member: names.member(&member)?, like })
            })
            .await;
        }
        Command::Weight { member, weight, consent } => {
            return database_act::carry_out(common, consent, |names| names.weight(&member, weight)).await;
        }
        Command::TakeOut(args) => (args, |member| DatabaseAct::TakeOut { member }),
        Command::MoveWriter(args) => (args, |member| DatabaseAct::MoveWriter { member }),
        Command::Desync(args) => (args, |member| DatabaseAct::Desync { member }),
        Command::Resync(args) => (args, |member| DatabaseAct::Resync { member }),
    };
    database_act::carry_out(common, args.consent, |names| Ok(act(names.member(&args.member)?))).await
}

async fn sheet(common: &Common, args: RecoveryArgs) -> Result<(), Failure> {
    let snapshot = session::database(common).await?.snapshot;
    let database = Database::of(&snapshot).filter(|d| !d.members.is_empty());
    let database = database.ok_or_else(|| {
        Failure::Usage("no Galera members are configured: list them in [galera] members".into())
    })?;
    let mut fed: BTreeMap<MemberName, (String, Vec<String>)> = BTreeMap::new();
    for source in args.grastate.iter().chain(&args.recovered) {
        let (member, path) = named(&database, source)?;
        let (text, files) = fed.entry(member).or_default();
        text.push_str(&(read(&path)? + "\n"));
        files.push(path.display().to_string());
    }
    let mut saved = Vec::new();
    for (member, (text, files)) in fed {
        let label = database.members.iter().find(|row| row.name == member).map_or("", |row| &*row.label);
        let wrong = |why| Failure::Failed(table::plain(&format!("{label} ({}): {why}", files.join(", "))));
        saved.push((member, Saved::parse(&text).map_err(wrong)?));
    }
    let sheet = recovery(&Evidence::of(&database, &saved));
    match args.output.output {
        Format::Json => table::json(&sheet),
        Format::Table => {
            let text = sheet.to_string();
            table::print(&text.lines().map(|line| table::plain(line) + "\n").collect::<String>())
        }
    }
}

/// Which member a file is of.
fn named(database: &Database, source: &str) -> Result<(MemberName, PathBuf), Failure> {
    let names = || database.members.iter().map(|r| r.label.to_string()).collect::<Vec<_>>().join(", ");
    if let Some((name, path)) = source.split_once('=') {
        if path.is_empty() {
            return Err(Failure::Usage(format!("no file is named for {}: MEMBER=FILE", table::plain(name))));
        }
        let row = database.member(name);
        let row = row.ok_or_else(|| {
            Failure::Failed(format!("no member is called {}: there are {}", table::plain(name), names()))
        })?;
        return Ok((row.name.clone(), path.into()));
    }
    let down: Vec<_> = database.members.iter().filter(|row| row.now().is_none()).collect();
    match down.as_slice() {
        [only] => Ok((only.name.clone(), source.into())),
        _ => Err(Failure::Usage(format!(
            "{} members do not answer: say of which this is, as MEMBER={source}; there are {}",
            down.len(),
            names()
        ))),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        return read.map(|_| text).map_err(|e| Failure::Failed(format!("cannot read standard input: {e}")));
    }
    let bytes =
        std::fs::read(path).map_err(|e| Failure::Failed(format!("cannot read {}: {e}", path.display())))?;
    // An error log may hold anything.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

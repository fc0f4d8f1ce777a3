//! `wheelhouse galera recovery`: the recovery sheet. It prints what to do and does none of it.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{Common, Failure, Format, Output, session, table};
use crate::cluster::{
    Database, MemberName,
    database::{Evidence, Saved, recovery},
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
    let Command::Recovery(args) = args.command;
    let snapshot = session::database(common).await?;
    let database = Database::of(&snapshot).filter(|d| !d.members.is_empty());
    let database = database.ok_or_else(|| {
        Failure::Usage("no Galera members are configured: list them in [galera] members".into())
    })?;
    let mut fed: BTreeMap<MemberName, String> = BTreeMap::new();
    for source in args.grastate.iter().chain(&args.recovered) {
        let (member, path) = named(&database, source)?;
        fed.entry(member).or_default().push_str(&(read(&path)? + "\n"));
    }
    let mut saved = Vec::new();
    for (member, text) in fed {
        let found = Saved::parse(&text).map_err(|why| Failure::Usage(format!("{member}: {why}")))?;
        saved.push((member, found));
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
        let row = database.member(name);
        let row =
            row.ok_or_else(|| Failure::Usage(format!("no member is called {name}: there are {}", names())))?;
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
        return read.map(|_| text).map_err(|e| Failure::Usage(format!("cannot read standard input: {e}")));
    }
    let bytes =
        std::fs::read(path).map_err(|e| Failure::Usage(format!("cannot read {}: {e}", path.display())))?;
    // An error log may hold anything.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

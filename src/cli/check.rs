//! `wheelhouse check`: a monitoring plug-in. One line, and the exit code says the rest: 0 ok, 1 warning, 2 critical, 3
//! unknown.

use super::{Common, Failure, session, table};
use crate::cluster::{Database, Severity, Snapshot, findings};

/// So many of the worst findings stand in the line.
const NAMED: usize = 3;

pub(super) async fn run(common: &Common) -> Result<(), Failure> {
    let looked = match session::open(common).await {
        Ok(mut session) => session.observed_with_database().await,
        Err(failure) => Err(failure),
    };
    let (code, line) = match looked {
        Ok(snapshot) => line(&snapshot),
        Err(failure) => (3, format!("UNKNOWN - {failure}")),
    };
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    table::print(&format!("WHEELHOUSE {}\n", table::plain(&line)))?;
    if code == 0 { Ok(()) } else { Err(Failure::Checked(code)) }
}

fn line(snapshot: &Snapshot) -> (u8, String) {
    let found = findings(snapshot);
    let (code, word) = match found.first().map(|f| f.severity) {
        Some(Severity::Critical) => (2, "CRITICAL"),
        Some(Severity::Warning) => (1, "WARNING"),
        Some(Severity::Notice) | None => (0, "OK"),
    };
    let tenants = snapshot.tenants.len();
    let whole = snapshot.tenants.values().filter(|t| t.ready() >= t.desired()).count();
    let (nodes, ready) = (snapshot.nodes.len(), snapshot.nodes.values().filter(|n| n.is_ready()).count());
    let mut text = format!("{word} - {whole}/{tenants} tenants whole, {ready}/{nodes} nodes ready");
    let mut data = format!("tenants={tenants} tenants_whole={whole} nodes={nodes} nodes_ready={ready}");
    if let Some(database) = Database::of(snapshot) {
        text += &format!(", {}", database.headline().text);
        data += &format!(" members={} members_in_view={}", database.quorum.expected, database.quorum.size);
    }
    let loud: Vec<_> = found.iter().filter(|f| f.severity > Severity::Notice).collect();
    for finding in loud.iter().take(NAMED) {
        text += &format!("; {}: {}", finding.subject.name(), finding.text);
    }
    if loud.len() > NAMED {
        text += &format!("; and {} more", loud.len() - NAMED);
    }
    // What follows the bar is for programs.
    (code, format!("{} | {data}", text.replace('|', "/")))
}

//! `wheelhouse findings`: everything that is wrong, the worst first, what each means, and what answers it.

use super::{Common, Failure, Format, session, status, table};
use crate::cluster::{Finding, RULES, Snapshot, database::subject};

pub(super) async fn run(common: &Common, format: Format) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed_with_database().await?;
    let runs = session.runs(&snapshot);
    let found = status::wrong(&session, &snapshot, &runs);
    match format {
        Format::Json => table::json(&found),
        Format::Table if found.is_empty() => table::print(&match snapshot.nothing_wrong_so_far() {
            Some(text) => format!("? {text}\n"),
            None => "✓ nothing is wrong\n".to_owned(),
        }),
        Format::Table => table::print(&found.iter().map(|one| told(one, &snapshot)).collect::<String>()),
    }
}

/// One of them, in as many lines as it has parts.
fn told(finding: &Finding, seen: &Snapshot) -> String {
    let mut lines = vec![table::finding(finding, seen)];
    if let Some(cause) = &finding.because {
        lines.push(format!("    follows from {}", subject(seen, cause)));
    }
    lines.extend(finding.remedy.as_ref().map(|remedy| format!("    → {remedy}")));
    let means = RULES.iter().find(|rule| rule.name == finding.rule).map_or("", |rule| rule.doc);
    lines.push(format!("    {} · {}: {means}", finding.severity.word(), finding.rule));
    lines.iter().map(|line| table::plain(line.trim_end()) + "\n").collect()
}

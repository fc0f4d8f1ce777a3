//! The stops of the key that leads to the next thing that is wrong.

use crate::cluster::{Finding, Subject};

/// The finding that comes next: several about one thing are one stop. `last` is where the key led before, `here` what
/// is under the cursor of the first screen.
pub fn next<'f>(findings: &'f [Finding], last: Option<&Subject>, here: Option<&str>) -> Option<&'f Finding> {
    let mut stops: Vec<&Finding> = Vec::new();
    for finding in findings {
        if !stops.iter().any(|f| f.subject == finding.subject) {
            stops.push(finding);
        }
    }
    // The first press need not lead to where the cursor already is.
    let begun = || stops.first().map(|f| &f.subject).filter(|s| here == Some(s.name()));
    let at = last.or_else(begun).and_then(|last| stops.iter().position(|f| f.subject == *last));
    stops.get(at.map_or(0, |i| i + 1)).or(stops.first()).copied()
}

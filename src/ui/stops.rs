//! The stops of the key that leads to the next thing that is wrong: campaigns and runs that wait for an operator, then
//! findings.

use crate::{
    cluster::{Finding, Severity, Snapshot, Subject},
    run::{RunSeen, campaign::CampaignSeen},
};

/// What the key leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// A campaign that waits for an operator, by its id.
    Campaign(String),
    /// A run that does.
    Run(String),
    /// What a finding is about.
    About(Subject),
}

/// What waits for an operator, what is open first: a run of a campaign that waits is told by that one, but where its own
/// outcome is open.
pub fn waiting(campaigns: &[CampaignSeen], runs: &[RunSeen], seen: &Snapshot) -> Vec<Stop> {
    let all: Vec<_> = campaigns.iter().filter(|known| known.wants_an_operator()).collect();
    let told = |known: &&RunSeen| {
        known.run.campaign.as_ref().is_none_or(|of| all.iter().all(|c| c.campaign.id != *of))
    };
    let waits = runs.iter().filter(|known| known.wants_an_operator());
    let (open, others): (Vec<_>, Vec<_>) = waits.partition(|known| known.open(seen).is_some());
    let stop = |known: &RunSeen| Stop::Run(known.run.id.clone());
    let campaigns = all.iter().map(|known| Stop::Campaign(known.campaign.id.clone()));
    let others = others.into_iter().filter(told).map(stop);
    open.into_iter().map(stop).chain(campaigns).chain(others).collect()
}

/// The stop that comes next, what waits for an operator first: several findings about one thing are one stop. `last` is where the key led before, `here`
/// what is under the cursor of the first screen.
pub fn next(
    mut stops: Vec<Stop>,
    findings: &[Finding],
    last: Option<&Stop>,
    here: Option<&str>,
) -> Option<Stop> {
    // What follows from a cause that has its answer is told by that one, but where users see errors.
    let told = |f: &&Finding| f.because.is_none() || f.severity == Severity::Critical;
    for finding in findings.iter().filter(told) {
        let stop = Stop::About(finding.subject.clone());
        if !stops.contains(&stop) {
            stops.push(stop);
        }
    }
    // The first press need not lead to where the cursor already is.
    let at_cursor = |stop: &&Stop| matches!(stop, Stop::About(subject) if here == Some(subject.name()));
    let at = last.or_else(|| stops.first().filter(at_cursor)).and_then(|l| stops.iter().position(|s| s == l));
    stops.get(at.map_or(0, |i| i + 1)).or(stops.first()).cloned()
}

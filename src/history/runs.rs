//! What runs and campaigns did, by their journals.

use super::{Happened, Kind, Turn};
use crate::{
    cluster::NodeName,
    plan::About,
    run::{self, Event, Outcome, RunSeen, campaign, campaign::CampaignSeen},
};

/// What happened in runs and campaigns, in the order of time. A run of a campaign is told as well: it says which pods
/// were moved.
pub fn of_runs(runs: &[RunSeen], campaigns: &[CampaignSeen]) -> Vec<Happened> {
    let mut all: Vec<_> =
        runs.iter().flat_map(of_run).chain(campaigns.iter().flat_map(of_campaign)).collect();
    all.sort_by_key(|event| event.time);
    all
}

fn of_run(known: &RunSeen) -> Vec<Happened> {
    let run = &known.run;
    let only = match run.plan().tenants.as_slice() {
        [one] => Some(one.tenant.clone()),
        _ => None,
    };
    let told = run.entries.iter().filter_map(|entry| {
        let about = match &entry.event {
            Event::Started { step } | Event::Done { step, .. } | Event::TakenBack { step, .. } => {
                let step = run.plan().steps.get(*step)?;
                // What is waited for tells itself by what is seen.
                if !step.change.is_write() {
                    return None;
                }
                Some(&step.about)
            }
            Event::Verified { about, .. } => Some(about),
            Event::Versions(_) | Event::Skipped { .. } | Event::Log(_) => return None,
            _ => None,
        };
        let turn = match &entry.event {
            Event::Paused { .. } | Event::Leaving { .. } => Turn::Worse,
            Event::Finished { outcome: Outcome::Failed, .. } => Turn::Worse,
            Event::Finished { outcome: Outcome::Done, .. } => Turn::Better,
            _ => Turn::Change,
        };
        let (_, text) = run::entry(run, &entry.event)?;
        Some(Happened {
            time: entry.at,
            kind: Kind::Run,
            turn,
            tenant: about.and_then(About::tenant).cloned().or_else(|| only.clone()),
            node: about.and_then(node),
            name: run.id.clone(),
            text: format!("{} {text}", entry.by),
        })
    });
    told.collect()
}

fn of_campaign(known: &CampaignSeen) -> Vec<Happened> {
    let of = &known.campaign;
    let told = of.entries.iter().filter_map(|entry| {
        let turn = match &entry.event {
            campaign::Event::Failed { .. }
            | campaign::Event::Held { .. }
            | campaign::Event::Paused { .. } => Turn::Worse,
            campaign::Event::Finished { whole, .. } => {
                if *whole {
                    Turn::Better
                } else {
                    Turn::Worse
                }
            }
            // Its runs tell these.
            campaign::Event::Began { .. } | campaign::Event::Done { .. } => return None,
            _ => Turn::Change,
        };
        let (_, text) = campaign::entry(of, &entry.event);
        Some(Happened {
            time: entry.at,
            kind: Kind::Campaign,
            turn,
            tenant: None,
            node: None,
            name: of.id.clone(),
            text: format!("{} {text}", entry.by),
        })
    });
    told.collect()
}

/// The node a step is about.
fn node(about: &About) -> Option<NodeName> {
    match about {
        About::Node(name) => Some(name.clone()),
        _ => None,
    }
}

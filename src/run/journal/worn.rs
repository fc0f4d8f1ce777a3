//! Which journals of finished runs may go. Pure: `drive` and the campaigns delete them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;

use super::{KEPT, PREFIX, decode};
use crate::cluster::{Journal, ResourceVersion, Snapshot, Written};

/// The runs that a campaign still looks at: all but those of its items that are done. None once it is over.
fn needed(campaign: &str, seen: &Snapshot) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Line {
        event: String,
        item: Option<usize>,
        run: Option<String>,
    }
    let of = |journal: &&Arc<Journal>| {
        journal.of == Written::Campaign && journal.key.name.strip_suffix(campaign) == Some("campaign-")
    };
    let Some(journal) = seen.journals.values().find(of) else { return BTreeSet::new() };
    let mut runs: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for line in journal.events.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        match (&*line.event, line.item, line.run) {
            ("began", Some(item), Some(run)) => {
                runs.entry(item).or_default().insert(run);
            }
            ("done", Some(item), _) => {
                runs.remove(&item);
            }
            ("finished" | "undone", ..) => return BTreeSet::new(),
            _ => {}
        }
    }
    runs.into_values().flatten().collect()
}

/// The journals that may go: of runs that are over, all but the newest fifty. One that cannot be read stays.
pub(in crate::run) fn oldest_finished(seen: &Snapshot) -> Vec<(String, ResourceVersion)> {
    #[derive(Deserialize)]
    struct Head {
        campaign: Option<String>,
    }
    // Each of two thousand runs asks this at its end: only what may go is read whole.
    let by_label = |j: &&Arc<Journal>| j.of == Written::Run && (j.state.is_none() || j.is_over());
    let mut over: Vec<_> = seen.journals.values().filter(by_label).collect();
    if over.len() <= KEPT {
        return Vec::new();
    }
    let mut campaigns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    over.retain(|j| {
        let head: Option<Head> = serde_json::from_str(&j.plan).ok();
        let Some(campaign) = head.and_then(|head| head.campaign) else { return true };
        let runs = campaigns.entry(campaign).or_insert_with_key(|id| needed(id, seen));
        !j.key.name.strip_prefix(PREFIX).is_some_and(|id| runs.contains(id))
    });
    over.sort_by(|a, b| b.key.name.cmp(&a.key.name));
    let is_over = |j: &&Arc<Journal>| decode(j).is_ok_and(|run| run.state.is_over());
    let gone = over.into_iter().filter(|j| j.is_over() || is_over(j)).skip(KEPT).filter(is_over);
    gone.map(|j| (j.key.name.to_string(), j.resource_version.clone())).collect()
}

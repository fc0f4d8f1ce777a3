//! A campaign's journal: one ConfigMap, `data.campaign` and `data.events` as `record` spells them, and `data.asked` with
//! what other cockpits wish of it. A campaign kept on one machine is a file of the same lines. Pure.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{Asked, Campaign, CampaignSeen, Entry, record};
use crate::{
    cluster::{Journal, Key, ResourceVersion, Snapshot, Written},
    run::{journal, local},
};

/// Finished campaigns that are kept.
const KEPT: usize = 20;
/// Data keys of the ConfigMap.
pub(super) const HEAD: &str = "campaign";
pub(super) const ASKED: &str = "asked";

/// The name of a campaign's ConfigMap, and of its lease.
pub(super) fn name(id: &str) -> String {
    format!("campaign-{id}")
}

/// The same campaign with what others wish of it.
fn asked_of(campaign: Campaign, asked: &str) -> Campaign {
    let asked = record::wishes(asked).into_iter().map(|wish| wish.unwrap_or_else(Asked::unread)).collect();
    Campaign { asked, ..campaign }
}

fn decode(journal: &Journal) -> Result<Campaign, String> {
    let unread = |why: String| format!("journal {}: {why}", journal.key);
    let read = record::in_cluster(&journal.plan, &journal.events, journal.state.as_deref());
    let campaign = asked_of(read.map_err(unread)?, &journal.asked);
    match name(&campaign.id) == *journal.key.name {
        true => Ok(campaign),
        false => {
            let why = "it holds a campaign of another id than its name says: it cannot be trusted";
            Err(unread(why.to_owned()))
        }
    }
}

/// The campaigns as they were read last: a journal that has not changed is not read again.
#[derive(Clone, Debug, Default)]
pub struct Decoded(BTreeMap<Key, (Arc<Journal>, Result<Campaign, String>)>);

impl Decoded {
    /// All campaigns that left a journal in the cluster, newest first, and one sentence for each that cannot be read.
    pub fn read(&mut self, snapshot: &Snapshot) -> (Vec<CampaignSeen>, Vec<String>) {
        self.0.retain(|key, (journal, _)| {
            snapshot.journals.get(key).is_some_and(|now| Arc::ptr_eq(now, journal))
        });
        for journal in snapshot.journals.values().filter(|j| j.of == Written::Campaign) {
            let read = || (journal.clone(), decode(journal));
            self.0.entry(journal.key.clone()).or_insert_with(read);
        }
        let mut known: Vec<_> = self.0.values().filter_map(|(_, read)| read.as_ref().ok()).collect();
        known.sort_by(|a, b| b.id.cmp(&a.id));
        // Not known is not nobody.
        let unknown = snapshot.leases.freshness.trouble().map(|why| format!("leases: {why}"));
        let seen = known.into_iter().map(|campaign| CampaignSeen {
            holder: journal::holder(&campaign.id, snapshot),
            unknown: unknown.clone(),
            ..CampaignSeen::of(campaign.clone())
        });
        (seen.collect(), self.0.values().filter_map(|(_, read)| read.as_ref().err().cloned()).collect())
    }
}

/// All campaigns that left a journal in the cluster, newest first. Reading them costs: [`Decoded`] reads each once.
pub fn campaigns(snapshot: &Snapshot) -> Vec<CampaignSeen> {
    Decoded::default().read(snapshot).0
}

/// The journals of campaigns that cannot be read, one sentence each.
pub fn unreadable(snapshot: &Snapshot) -> Vec<String> {
    Decoded::default().read(snapshot).1
}

/// The campaigns of one cluster whose journals are kept on this machine, newest first; the sentence where one cannot be
/// read. `context` and `server` are those of the connection they were made with.
pub fn local_campaigns(state_dir: &Path, context: &str, server: &str) -> Vec<Result<Campaign, String>> {
    local::texts(state_dir, local::CAMPAIGNS, context, server)
        .into_iter()
        .map(|(path, text)| {
            text.and_then(|text| of_file(&path, &text))
                .map_err(|e| format!("journal {}: {e}", path.display()))
        })
        .collect()
}

/// The campaign in a file of this machine, with what was asked of it beside it.
pub(super) fn of_file(path: &Path, text: &str) -> Result<Campaign, String> {
    let (head, events) = text.split_once('\n').ok_or("what was approved was never written in full")?;
    let asked = std::fs::read_to_string(path.with_extension(ASKED)).unwrap_or_default();
    Ok(Campaign { local: true, ..asked_of(record::read(head, events)?, &asked) })
}

/// The campaign of that id, or whose id ends in `-id`, or the only one whose id begins with it.
///
/// # Errors
/// One sentence: none is, or several are.
pub fn find<'a>(campaigns: &'a [CampaignSeen], id: &str) -> Result<&'a CampaignSeen, String> {
    journal::named(campaigns, id, |c| &c.campaign.id, "campaign")
}

/// The ConfigMap of a campaign that has no entry yet.
pub(super) fn blank(campaign: &Campaign, namespace: &str) -> Result<ConfigMap, String> {
    let head = record::head(campaign)?;
    let labels = [journal::MANAGED_BY, journal::OF_CAMPAIGN, (journal::CAMPAIGN, campaign.id.as_str())];
    let metadata = ObjectMeta {
        name: Some(name(&campaign.id)),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
        ..ObjectMeta::default()
    };
    let data = BTreeMap::from([(HEAD.to_owned(), head), ("events".to_owned(), String::new())]);
    Ok(ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
}

/// The same ConfigMap with these entries more; `campaign` is the campaign with them applied.
pub(super) fn with(journal: &ConfigMap, campaign: &Campaign, entries: &[Entry]) -> Result<ConfigMap, String> {
    let mut journal = journal.clone();
    let data = journal.data.get_or_insert_default();
    let lines: String = entries.iter().map(record::line).collect();
    let size: usize = data.values().map(String::len).sum();
    if size + lines.len() > record::ROOM {
        return Err("its journal is full: do what is left in another campaign".into());
    }
    data.entry("events".into()).or_default().push_str(&lines);
    let labels = journal.metadata.labels.get_or_insert_default();
    labels.insert(journal::STATE.into(), campaign.state.word().into());
    Ok(journal)
}

/// The campaign a ConfigMap holds.
pub(super) fn of(journal: &ConfigMap) -> Result<Campaign, String> {
    let text = |key| journal.data.as_ref().and_then(|d| d.get(key)).map_or("", String::as_str);
    let campaign = record::in_cluster(text(HEAD), text("events"), journal::label(journal))?;
    Ok(asked_of(campaign, text(ASKED)))
}

/// The campaigns that may go: over, all but the newest.
pub(super) fn oldest_finished(seen: &Snapshot) -> Vec<(String, ResourceVersion)> {
    let over = campaigns(seen).into_iter().map(|known| known.campaign).filter(|c| c.state.is_over());
    let names = over.skip(KEPT).map(|c| name(&c.id));
    let version = |name: &str| {
        seen.journals.values().find(|j| &*j.key.name == name).map(|j| j.resource_version.clone())
    };
    names.filter_map(|name| version(&name).map(|version| (name, version))).collect()
}

//! What a campaign's journal says, as text: one ConfigMap a campaign, as a run's.
//!
//! `data.campaign` is what was approved, the moves in it as lists without names, so that 2,000 of them fit; `data.events`
//! one JSON object a line. Pure: nothing here reads or writes anything.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Aim, Approved, Asked, Campaign, Entry, Envelope, Pace};
use crate::{
    cluster::{Key, WorkloadKey, WorkloadKind},
    plan::{Intent, Means, Migration, Move, MoveReason, Release},
    run::journal,
};

/// The format written. Raised when an older reader would misread it.
const FORMAT: u32 = 3;
/// From this format on it carries the sum of what was approved, and one without it is not read.
const SUMMED: u32 = 3;
/// A ConfigMap holds 1 MiB in all; the rest is for its metadata.
pub const ROOM: usize = 1_000_000;
/// What the entries of one item may take.
const ROOM_AN_ITEM: usize = 280;

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    id: String,
    operator: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    goal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aim: Option<Aim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    pace: Pace,
    envelope: Envelope,
    items: Vec<Stored>,
    /// [`sum()`] of the rest, as it was written; absent before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum: Option<String>,
}

/// What tells that a campaign is still the one that was approved: of all that is stored of it but the sum itself.
fn sum(head: &Value) -> String {
    let mut head = head.clone();
    if let Some(head) = head.as_object_mut() {
        head.remove("sum");
    }
    journal::sum_of(&head)
}

/// Items among the events.
pub(super) mod items {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Intent, Stored};

    pub(in crate::run::campaign) fn serialize<S: Serializer>(
        items: &[Intent],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::stored(items).serialize(serializer)
    }

    pub(in crate::run::campaign) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Intent>, D::Error> {
        super::restored(Vec::<Stored>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

type StoredMove = (String, (WorkloadKind, String, String), String, String, String, String, bool, MoveReason);

/// An item as it is stored: tenant, workload, pod, uid, from, to, by eviction, why; or only a tenant, to which the same
/// is done as to the one before.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Like(String),
    Move(Box<StoredMove>),
    Other(Intent),
}

/// The items as they are stored.
fn stored(items: &[Intent]) -> Vec<Stored> {
    let mut last: Option<&Intent> = None;
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        let like = last.and_then(|last| like(last, item));
        all.push(like.map_or_else(|| Stored::from(item), Stored::Like));
        last = Some(item);
    }
    all
}

/// The items that were stored so.
fn restored(stored: Vec<Stored>) -> Result<Vec<Intent>, String> {
    let mut items: Vec<Intent> = Vec::with_capacity(stored.len());
    for one in stored {
        let item = match one {
            Stored::Like(tenant) => {
                let last = items.last().and_then(|last| of_tenant(last, &tenant));
                last.ok_or_else(|| format!("`{tenant}` stands behind no item whose like it could be"))?
            }
            Stored::Move(moved) => of_move(*moved),
            Stored::Other(intent) => intent,
        };
        items.push(item);
    }
    Ok(items)
}

/// The tenant of an item to which the same is done as to another.
fn like(last: &Intent, item: &Intent) -> Option<String> {
    let tenant = match item {
        Intent::Migrate { migration } => migration.tenant.as_str(),
        Intent::Release { release } => release.tenant.as_str(),
        _ => return None,
    };
    (of_tenant(last, tenant)? == *item).then(|| tenant.to_owned())
}

/// The same, done to another tenant.
fn of_tenant(item: &Intent, tenant: &str) -> Option<Intent> {
    match item {
        Intent::Migrate { migration } => {
            Some(Intent::Migrate { migration: Migration { tenant: tenant.into(), ..migration.clone() } })
        }
        Intent::Release { release } => {
            Some(Intent::Release { release: Release { tenant: tenant.into(), ..release.clone() } })
        }
        _ => None,
    }
}

impl From<&Intent> for Stored {
    fn from(intent: &Intent) -> Self {
        let Intent::Move { moved } = intent else { return Self::Other(intent.clone()) };
        let (Some(tenant), Some(workload), Some(to)) = (&moved.tenant, &moved.workload, &moved.to) else {
            return Self::Other(intent.clone());
        };
        let key = &workload.key;
        let workload = (workload.kind, key.namespace.to_string(), key.name.to_string());
        let text = |part: &dyn std::fmt::Display| part.to_string();
        Self::Move(Box::new((
            text(tenant),
            workload,
            moved.pod.name.to_string(),
            text(&moved.uid),
            text(&moved.from),
            text(to),
            moved.means == Means::Eviction,
            moved.reason.clone(),
        )))
    }
}

fn of_move(moved: StoredMove) -> Intent {
    let (tenant, (kind, namespace, name), pod, uid, from, to, evicted, reason) = moved;
    Intent::Move {
        moved: Move {
            tenant: Some(tenant.into()),
            pod: Key::new(namespace.as_str(), pod),
            workload: Some(WorkloadKey::new(kind, namespace, name)),
            uid: uid.into(),
            from: from.into(),
            to: Some(to.into()),
            means: if evicted { Means::Eviction } else { Means::Adoption },
            reason,
            // Worked out again when it is planned.
            free: None,
        },
    }
}

/// What was approved, as it is stored.
///
/// # Errors
/// One sentence, when it would not fit with all its entries.
pub fn head(campaign: &Campaign) -> Result<String, String> {
    let head = Head {
        format: FORMAT,
        id: campaign.id.clone(),
        operator: campaign.operator.clone(),
        reason: campaign.reason.clone(),
        goal: campaign.goal.clone(),
        aim: campaign.aim.clone(),
        undoes: campaign.undoes.clone(),
        pace: campaign.pace.clone(),
        envelope: campaign.envelope.clone(),
        items: stored(&campaign.items),
        sum: None,
    };
    let unwritten = |e: serde_json::Error| format!("it cannot be written as JSON: {e}");
    let text = serde_json::to_string(&head).map_err(unwritten)?;
    // By what is read again: numbers may come out otherwise than they went in.
    let sum = Some(sum(&serde_json::from_str(&text).map_err(unwritten)?));
    let text = serde_json::to_string(&Head { sum, ..head }).map_err(unwritten)?;
    let count = campaign.items.len();
    if text.len() + count * ROOM_AN_ITEM > ROOM {
        return Err(format!("{count} items do not fit into the journal of one campaign: do it in several"));
    }
    Ok(text)
}

/// One entry, as it is stored.
pub fn line(entry: &Entry) -> String {
    let mut line = serde_json::to_string(entry).expect("an entry is text, numbers and times");
    line.push('\n');
    line
}

/// The campaign that was stored as this text in a file.
///
/// # Errors
/// One sentence: it is damaged, or was written by a newer version.
pub fn read(head: &str, events: &str) -> Result<Campaign, String> {
    told(head, events).map(|(campaign, _)| campaign)
}

/// The campaign that was stored as this text in the cluster, with the state it is labelled with.
pub(super) fn in_cluster(head: &str, events: &str, label: Option<&str>) -> Result<Campaign, String> {
    let (campaign, format) = told(head, events)?;
    match format >= SUMMED {
        true => journal::untouched(events, label, campaign.state.word()).map(|()| campaign),
        false => Ok(campaign),
    }
}

/// The campaign that was stored as this text, and its format.
fn told(head: &str, events: &str) -> Result<(Campaign, u32), String> {
    let (head, format) = journal::head_of(head, "its items", (FORMAT, SUMMED), sum)?;
    let head: Head = serde_json::from_value(head).map_err(|e| format!("its items cannot be read: {e}"))?;
    let approved = Approved {
        goal: head.goal,
        aim: head.aim,
        items: restored(head.items).map_err(|e| format!("its items cannot be read: {e}"))?,
        pace: head.pace,
        envelope: head.envelope,
        undoes: head.undoes,
        reason: head.reason,
    };
    let mut campaign = Campaign::new(head.id, head.operator, approved);
    journal::fold(events, |entry| campaign.apply(entry))?;
    Ok((campaign, format))
}

/// A wish, as it is stored.
pub fn wish(asked: &Asked) -> String {
    let mut line = serde_json::to_string(asked).expect("a wish is text, numbers and times");
    line.push('\n');
    line
}

/// The wishes that were stored as this text. One that cannot be read counts, so that those after it keep their places,
/// and asks for nothing.
pub fn wishes(text: &str) -> Vec<Result<Asked, String>> {
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n') && !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).map_err(|e| format!("it cannot be read: {e}"))).collect()
}

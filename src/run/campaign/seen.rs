//! A campaign as it is known here: who drives it, how it is called, and what may be asked of it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Campaign, CampaignState, Event, ItemState};
use crate::{
    cluster::{Key, Snapshot},
    plan::{Intent, Means, Move, MoveReason},
    run::{Holder, Shown},
};

/// A campaign, and who drives it.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignSeen {
    /// The campaign.
    pub campaign: Campaign,
    /// Who holds its lease; `None` when it was given back.
    pub holder: Option<Holder>,
    /// Why it is not known whether anybody holds it.
    pub unknown: Option<String>,
    /// This session drives it.
    pub ours: bool,
}

/// What may be asked of a campaign; each with the reason why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offers {
    /// Pausing it.
    pub pause: Result<(), String>,
    /// Going on with it.
    pub resume: Result<(), String>,
    /// Ending it once what is under way is through.
    pub stop: Result<(), String>,
    /// Leaving out an item or what is left of a tenant.
    pub skip: Result<(), String>,
    /// Trying again an item that failed or was skipped.
    pub retry: Result<(), String>,
    /// Taking back what it did.
    pub undo: Result<(), String>,
    /// Closing it; what it did stays.
    pub give_up: Result<(), String>,
}

impl CampaignSeen {
    /// A campaign that nobody drives.
    pub fn of(campaign: Campaign) -> Self {
        Self { campaign, holder: None, unknown: None, ours: false }
    }

    /// Time has passed, and nothing else: whether its holder still lives is told by that alone.
    pub fn age(&mut self, now: Timestamp) {
        if let Some(holder) = &mut self.holder {
            holder.alive = holder.until.is_some_and(|until| now <= until);
        }
    }

    /// How it is called.
    pub fn shown(&self) -> Shown {
        let alive = self.ours || self.holder.as_ref().is_some_and(|h| h.alive);
        match self.campaign.state {
            CampaignState::Done => Shown::Done,
            CampaignState::Stopped => Shown::Stopped,
            CampaignState::Undone => Shown::Undone,
            // Its pause is written down before the lease is given back: whoever holds it takes it up.
            CampaignState::Paused if alive && !self.ours => Shown::Running,
            CampaignState::Paused => Shown::Paused(self.campaign.paused_by().map(str::to_owned)),
            CampaignState::Planned if alive => Shown::Planned,
            CampaignState::Running if alive => Shown::Running,
            _ if self.unknown.is_some() && !self.campaign.local => Shown::Unknown,
            CampaignState::Planned | CampaignState::Running => Shown::Interrupted,
        }
    }

    /// Nobody drives it any more, and it is not over.
    pub fn is_interrupted(&self) -> bool {
        self.shown() == Shown::Interrupted
    }

    /// It is not over and nobody drives it: an operator has to decide.
    pub fn wants_an_operator(&self) -> bool {
        matches!(self.shown(), Shown::Interrupted | Shown::Paused(_))
    }

    /// What may be asked of it: only what would be accepted.
    pub fn offers(&self, seen: &Snapshot) -> Offers {
        Offers {
            pause: self.pause(),
            resume: self.still(),
            stop: self.stop(),
            skip: self.skip(),
            retry: self.retry(),
            undo: self.undo(seen),
            give_up: self.still(),
        }
    }

    fn name(&self) -> &str {
        self.campaign.short()
    }

    /// Whether it is not over.
    fn open(&self) -> Result<(), String> {
        match self.campaign.state.is_over() {
            true => Err(format!("campaign {} {}", self.name(), self.shown().phrase())),
            false => Ok(()),
        }
    }

    fn is_driven(&self) -> bool {
        matches!(self.shown(), Shown::Running | Shown::Planned)
    }

    /// Going on with it, or closing it: nobody drives it, and it is not over.
    ///
    /// # Errors
    /// Why not.
    pub fn still(&self) -> Result<(), String> {
        self.open()?;
        match (self.shown(), &self.holder) {
            (Shown::Unknown, _) => {
                let why = self.unknown.as_deref().unwrap_or_default();
                Err(format!("whether anybody drives campaign {} is not known: {why}", self.name()))
            }
            _ if self.is_driven() && self.ours => {
                Err(format!("campaign {} is under way: p pauses it", self.name()))
            }
            (_, Some(holder)) if self.is_driven() => Err(format!("{} drives it", holder.who)),
            _ => Ok(()),
        }
    }

    /// Pausing it.
    ///
    /// # Errors
    /// Why not.
    pub fn pause(&self) -> Result<(), String> {
        self.open()?;
        let standing = format!("campaign {} {}", self.name(), self.shown().phrase());
        match self.shown() {
            _ if self.is_driven() => Ok(()),
            Shown::Interrupted => Err(format!("{standing}: nobody drives it, and nothing of it goes on")),
            _ => Err(standing),
        }
    }

    /// Ending it once what is under way is through.
    ///
    /// # Errors
    /// Why not.
    pub fn stop(&self) -> Result<(), String> {
        self.open()?;
        match self.campaign.stopping && self.is_driven() {
            true => Err(format!("campaign {} ends already once what is under way is through", self.name())),
            false => Ok(()),
        }
    }

    /// Leaving out an item or what is left of a tenant.
    ///
    /// # Errors
    /// Why not.
    pub fn skip(&self) -> Result<(), String> {
        let counts = self.campaign.counts();
        self.has(counts.waiting + counts.running + counts.held > 0, "is left")
    }

    /// Trying again an item that failed or was skipped.
    ///
    /// # Errors
    /// Why not.
    pub fn retry(&self) -> Result<(), String> {
        let counts = self.campaign.counts();
        self.has(counts.failed + counts.skipped > 0, "failed or was skipped")
    }

    fn has(&self, any: bool, what: &str) -> Result<(), String> {
        self.open()?;
        match any {
            true => Ok(()),
            false => Err(format!("campaign {} has no item that {what}", self.name())),
        }
    }

    /// Taking back what it did.
    ///
    /// # Errors
    /// Why not.
    pub fn undo(&self, seen: &Snapshot) -> Result<(), String> {
        if self.campaign.state == CampaignState::Undone {
            return Err(format!("campaign {} is taken back already", self.name()));
        }
        if !self.campaign.state.is_over() {
            self.still()?;
        }
        // Of thousands one is enough.
        let done = results(&self.campaign);
        match done.iter().rev().any(|(item, done)| opposite(&self.campaign, *item, *done, seen).is_ok()) {
            true => Ok(()),
            false => back(&self.campaign, seen).map(drop),
        }
    }
}

/// What a campaign has noted of an item that is done: the pod that came, and the image before.
type Noted<'a> = (Option<&'a str>, Option<&'a str>);

/// The items that are done.
fn results(campaign: &Campaign) -> BTreeMap<usize, Noted<'_>> {
    let done = campaign.entries.iter().filter_map(|entry| match &entry.event {
        Event::Done { item, pod, was, .. } => Some((*item, (pod.as_deref(), was.as_deref()))),
        _ => None,
    });
    let mut all: BTreeMap<_, _> = done.collect();
    all.retain(|item, _| matches!(campaign.states[*item], ItemState::Done(_)));
    all
}

/// Sentences, the first few of many.
fn few(all: &[String]) -> String {
    const NAMED: usize = 3;
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// What takes a campaign back on what is seen: each item by its opposite, the last first; and why the others stay.
///
/// # Errors
/// Nothing of it can be taken back: why.
pub fn back(campaign: &Campaign, seen: &Snapshot) -> Result<(Vec<Intent>, Vec<String>), String> {
    let (mut items, mut stays) = (Vec::new(), Vec::new());
    for (item, done) in results(campaign).into_iter().rev() {
        match opposite(campaign, item, done, seen) {
            Ok(intent) => items.push(intent),
            Err(why) => stays.push(why),
        }
    }
    // A migration that was begun may have changed the schema, however its run stands.
    let begun: BTreeSet<_> = campaign
        .entries
        .iter()
        .filter_map(|entry| match entry.event {
            Event::Began { item, .. } => Some(item),
            _ => None,
        })
        .filter(|item| matches!(campaign.items[*item], Intent::Migrate { .. }))
        .filter(|item| !matches!(campaign.states[*item], ItemState::Done(_)))
        .collect();
    for item in begun {
        stays.push(format!("{}: what its migration did to the schema stays", campaign.words(item)));
    }
    // A node takes pods again before any comes back to it.
    items.sort_by_key(|item| !matches!(item, Intent::Cordon { cordoned: false, .. }));
    match (items.is_empty(), stays.as_slice()) {
        (false, _) => Ok((items, stays)),
        (true, []) if campaign.states.iter().any(|state| matches!(state, ItemState::Running(_))) => {
            Err(format!(
                "nothing of campaign {} is done yet: closing it (`campaigns give-up`) takes back what the run under way has \
                 borrowed",
                campaign.short()
            ))
        }
        (true, []) => Err(format!("campaign {} has changed nothing", campaign.short())),
        (true, _) => Err(few(&stays)),
    }
}

/// The opposite of an item that is done.
fn opposite(
    campaign: &Campaign,
    item: usize,
    (pod, was): Noted<'_>,
    seen: &Snapshot,
) -> Result<Intent, String> {
    let words = campaign.words(item);
    match &campaign.items[item] {
        Intent::Cordon { node, cordoned } => match seen.nodes.get(node) {
            None => Err(format!("{node} is gone")),
            Some(now) if now.cordoned != *cordoned => {
                Err(format!("{node} is as before: nothing to take back"))
            }
            Some(_) => Ok(Intent::Cordon { node: node.clone(), cordoned: !cordoned }),
        },
        Intent::Move { moved } if moved.means == Means::Adoption => {
            let gone = || format!("{words}: the pod that came is gone: there is nothing to move back");
            let key = pod.map(|pod| Key::new(moved.pod.namespace.clone(), pod));
            let pod = key.and_then(|key| seen.pods.get(&key)).ok_or_else(gone)?;
            let at = pod.node.clone().ok_or_else(gone)?;
            if at == moved.from {
                return Err(format!("{words}: {} is on {at} already", pod.key.name));
            }
            let back = Move {
                pod: pod.key.clone(),
                uid: pod.uid.clone(),
                from: at,
                to: Some(moved.from.clone()),
                reason: MoveReason::Asked,
                free: None,
                ..moved.clone()
            };
            Ok(Intent::Move { moved: back })
        }
        Intent::Move { .. } => {
            Err(format!("{words}: an eviction cannot be taken back: its controller has made another pod"))
        }
        Intent::Release { release } => {
            let was = was.ok_or_else(|| format!("{words}: which image it replaced is not known"))?;
            let tenant = seen.tenants.get(&release.tenant);
            let tenant = tenant.ok_or_else(|| format!("{words}: {} is gone", release.tenant))?;
            let name = release.container.as_deref().unwrap_or(&seen.tenancy.container);
            let now = tenant.workload.template.containers.iter().find(|c| &*c.name == name);
            let now = now.ok_or_else(|| format!("{words}: {} has no container {name}", release.tenant))?;
            if now.image != crate::plan::retagged(&now.image, &release.image) {
                let tag = crate::cluster::image_tag(&now.image);
                return Err(format!("{words}: it runs {tag} by now: somebody has changed it since"));
            }
            Ok(Intent::Release { release: crate::plan::Release { image: was.to_owned(), ..release.clone() } })
        }
        Intent::Scale { .. }
        | Intent::Undo { .. }
        | Intent::Restart { .. }
        | Intent::Migrate { .. }
        | Intent::Rollback { .. }
        | Intent::DeletePod { .. }
        | Intent::Resize { .. }
        | Intent::Database { .. } => Err(format!("{words} cannot be taken back by a campaign: undo its run")),
    }
}

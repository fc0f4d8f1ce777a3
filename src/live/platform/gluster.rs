//! Storage nodes are asked over ssh for their own state, each in a task of its own; and one of them at a time is asked
//! what of one volume is left to heal.
//!
//! Of all the commands of gluster only three are sent, by words that the script `wheelhouse-look` on the node knows:
//! `get-state` (no lock), `heal-count` (a short lock, seconds with a hung brick: then the volume is left alone for a
//! while), and `heal info summary` (walks every entry: only while there are some, and seldom). Nothing is healed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    super::database::watch::pause_after,
    endpoint::{Components, Why, send},
};
use crate::{
    cluster::{
        Observation, Seen, Trouble,
        platform::{
            Component, ComponentKey, ComponentKind, Facts,
            volume::{HealCount, HealSummary, StorageFacts, VolumeFacts, is_volume_name},
        },
    },
    wire::ssh::{Output, Ssh},
};

/// The script ends what it runs before that.
const STATE_WITHIN: Duration = Duration::from_secs(20);
const COUNT_WITHIN: Duration = Duration::from_secs(20);
const SUMMARY_WITHIN: Duration = Duration::from_secs(35);
/// A volume whose count took too long is not counted again before: a command that was cut off leaves its lock behind.
const AFTER_SILENCE: Duration = Duration::from_secs(300);
/// The summary is not asked again before: it locks entry after entry.
const SUMMARY_EVERY: Duration = Duration::from_secs(300);
/// The same after summaries that were not had.
const SUMMARY_AT_MOST: Duration = Duration::from_secs(3600);

/// The volumes that each node told last, and which nodes answer.
#[derive(Default)]
struct PoolTold {
    volumes: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    answering: BTreeMap<Arc<str>, bool>,
}

impl PoolTold {
    /// A node has answered: what it told before holds no more.
    fn told(&mut self, node: &Arc<str>, facts: &StorageFacts, only: &[Arc<str>]) {
        let names = facts.volumes.iter().map(|volume| volume.name.clone());
        let names = names.filter(|name| only.is_empty() || only.contains(name));
        self.volumes.insert(node.clone(), names.filter(|name| is_volume_name(name)).collect());
        self.answering.insert(node.clone(), true);
    }

    /// The volumes that there are.
    fn names(&self) -> BTreeSet<Arc<str>> {
        self.volumes.values().flatten().cloned().collect()
    }

    /// A node that answers, of these.
    fn answers<'a>(&self, nodes: &'a [(Arc<str>, String)]) -> Option<&'a Arc<str>> {
        nodes.iter().map(|(name, _)| name).find(|name| self.answering.get(*name) == Some(&true))
    }

    /// Volumes that were known before and are none: every node has answered or failed, one answers, and none names them.
    fn gone<'a>(
        &self,
        nodes: &[(Arc<str>, String)],
        before: impl Iterator<Item = &'a Arc<str>>,
        only: &[Arc<str>],
    ) -> Vec<Arc<str>> {
        if !self.are_heard(nodes) || self.answers(nodes).is_none() {
            return Vec::new();
        }
        let names = self.names();
        before.filter(|name| !names.contains(*name) && !only.contains(*name)).cloned().collect()
    }

    /// Every node has answered or failed.
    fn are_heard(&self, nodes: &[(Arc<str>, String)]) -> bool {
        nodes.iter().all(|(name, _)| self.answering.contains_key(name))
    }
}

/// How long a summary waits after one that was had, or was not: one that takes too long costs the pool each time.
fn summary_pause(before: Duration, had: bool) -> Duration {
    match had {
        true => SUMMARY_EVERY,
        false => before.saturating_mul(2).min(SUMMARY_AT_MOST),
    }
}

/// What the tasks of one pool share.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<PoolTold>>);

impl Pool {
    fn with<T>(&self, of: impl FnOnce(&mut PoolTold) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Asks one storage node for its state until nobody listens any more.
pub(super) async fn watch_node(
    mut component: Component,
    destination: String,
    pool: Pool,
    only: Vec<Arc<str>>,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let mut ssh = Ssh::new(destination);
    let key = component.name.clone();
    let mut pause = every;
    loop {
        let now = Timestamp::now();
        let trouble = match state(&mut ssh).await {
            Ok(facts) => {
                pool.with(|known| known.told(&key.name, &facts, &only));
                component = component.read(Facts::Storage(facts), None, now);
                None
            }
            Err(why) => {
                pool.with(|known| known.answering.insert(key.name.clone(), false));
                component = why.tell(&component);
                Some(why.trouble())
            }
        };
        if !send(&into, &component).await {
            return;
        }
        pause = pause_after(trouble, pause, every).max(every.min(Duration::from_secs(5)));
        sleep(pause).await;
    }
}

async fn state(ssh: &mut Ssh) -> Result<StorageFacts, Why> {
    let output = ssh.run("gluster-state", STATE_WITHIN).await.map_err(Why::from)?;
    let text = done(output)?;
    StorageFacts::read(&text).map_err(|why| Why::new(Trouble::Other, why))
}

/// What a command wrote, or why it failed.
fn done(output: Output) -> Result<String, Why> {
    let said = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let said = crate::wire::one_line(said);
    Err(match output.status {
        Some(0) => return Ok(output.stdout),
        Some(126) => Why::new(Trouble::Denied, format!("the script on it refuses the words: {said}")),
        Some(127) => Why::new(
            Trouble::Denied,
            "the key runs no wheelhouse-look there, or gluster is not installed: see `wheelhouse help platform`".into(),
        ),
        Some(124 | 137) => Why::new(Trouble::Silent, "gluster has not answered in time there".into()),
        _ if said.contains("Connection failed") => {
            Why::new(Trouble::Other, "glusterd does not run there; its bricks may".into())
        }
        status => {
            let status = status.map_or("a signal".to_owned(), |n| n.to_string());
            let said = if said.is_empty() { "nothing is said".to_owned() } else { said };
            Why::new(Trouble::Other, format!("gluster failed ({status}): {said}"))
        }
    })
}

/// What is known of one volume between two rounds.
struct Volume {
    component: Component,
    /// It is not counted before.
    not_before: Instant,
    summary_not_before: Instant,
    summary_pause: Duration,
}

impl Volume {
    fn new(component: Component) -> Self {
        let now = Instant::now();
        Self { component, not_before: now, summary_not_before: now, summary_pause: SUMMARY_EVERY }
    }
}

/// Asks what is left to heal, one volume at a time, until nobody listens any more.
pub(super) async fn watch_volumes(
    nodes: Vec<(Arc<str>, String)>,
    pool: Pool,
    only: Vec<Arc<str>>,
    before: Components,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let mut ssh: BTreeMap<Arc<str>, Ssh> =
        nodes.iter().map(|(name, destination)| (name.clone(), Ssh::new(destination.clone()))).collect();
    let of_before = before.into_iter().filter(|(key, _)| key.kind == ComponentKind::Volume);
    let mut volumes: BTreeMap<Arc<str>, Volume> =
        of_before.map(|(key, component)| (key.name, Volume::new(component))).collect();
    loop {
        let (mut names, gone, heard, node) = pool.with(|told| {
            let gone = told.gone(&nodes, volumes.keys(), &only);
            (told.names(), gone, told.are_heard(&nodes), told.answers(&nodes).cloned())
        });
        for name in gone {
            volumes.remove(&name);
            let key = ComponentKey::new(ComponentKind::Volume, name);
            if into.send(Observation::Platform(Seen::Gone(key))).await.is_err() {
                return;
            }
        }
        if heard {
            names.extend(volumes.keys().cloned());
        }
        // A count takes a lock of the volume: it is had half as often as the states.
        let mut pause = every.saturating_mul(2);
        if names.is_empty() {
            pause = every.min(Duration::from_millis(500));
        }
        for name in names {
            let key = ComponentKey::new(ComponentKind::Volume, name.clone());
            let volume = volumes.entry(name.clone()).or_insert_with(|| Volume::new(Component::new(key)));
            match node.as_ref().and_then(|node| ssh.get_mut(node)) {
                Some(ssh) => count(volume, &name, ssh).await,
                None => {
                    let why = Why::new(Trouble::Unreachable, "no storage node answers".into());
                    volume.component = why.tell(&volume.component);
                }
            }
            if !send(&into, &volume.component).await {
                return;
            }
        }
        sleep(pause).await;
    }
}

/// One round of one volume.
async fn count(volume: &mut Volume, name: &str, ssh: &mut Ssh) {
    let now = Timestamp::now();
    let mut facts = match volume.component.status.as_deref() {
        Some(Facts::Volume(facts)) => facts.clone(),
        _ => VolumeFacts::default(),
    };
    let mut number = None;
    if Instant::now() >= volume.not_before {
        let counted = match ssh.run(&format!("gluster-heal-count {name}"), COUNT_WITHIN).await {
            Ok(output) => done(output)
                .and_then(|text| HealCount::read(&text).map_err(|why| Why::new(Trouble::Other, why))),
            Err(failure) => Err(Why::from(failure)),
        };
        match counted {
            Ok(count) => {
                let (total, unknown) = count.total(usize::MAX);
                // Of some bricks only: no number that compares.
                number = (unknown == 0).then_some(total as f64);
                facts.count = Some((now, count));
                facts.uncounted = None;
            }
            Err(why) => {
                if why.trouble() == Trouble::Silent {
                    volume.not_before = Instant::now() + AFTER_SILENCE;
                }
                facts.uncounted = Some(why.text().into());
            }
        }
    }
    let pending = facts.count.as_ref().is_some_and(|(_, count)| count.total(usize::MAX) != (0, 0));
    if pending && Instant::now() >= volume.summary_not_before {
        let output = ssh.run(&format!("gluster-heal-summary {name}"), SUMMARY_WITHIN).await;
        let text = output.ok().and_then(|output| done(output).ok());
        let summary = text.and_then(|text| HealSummary::read(&text).ok());
        volume.summary_pause = summary_pause(volume.summary_pause, summary.is_some());
        volume.summary_not_before = Instant::now() + volume.summary_pause;
        if let Some(summary) = summary {
            facts.summary = Some((now, summary));
        }
    } else if !pending {
        volume.summary_pause = SUMMARY_EVERY;
        facts.summary = None;
    }
    volume.component = volume.component.read(Facts::Volume(facts), number, now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::platform::volume::VolumeState;

    #[test]
    fn a_volume_that_no_node_tells_any_more_is_no_volume() {
        let facts = |names: &[&str]| StorageFacts {
            volumes: (names.iter())
                .map(|name| VolumeState { name: Arc::from(*name), ..VolumeState::default() })
                .collect(),
            ..StorageFacts::default()
        };
        let names = |known: &PoolTold| known.names().iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut known = PoolTold::default();
        let (one, two) = (Arc::from("gluster-1"), Arc::from("gluster-2"));
        known.told(&one, &facts(&["uploads", "old"]), &[]);
        known.told(&two, &facts(&["uploads", "old"]), &[]);
        assert_eq!(names(&known), ["old", "uploads"]);
        known.told(&one, &facts(&["uploads"]), &[]);
        known.told(&two, &facts(&["uploads"]), &[]);
        assert_eq!(names(&known), ["uploads"]);
        known.told(&one, &facts(&["uploads", "other"]), &[Arc::from("uploads")]);
        assert_eq!(names(&known), ["uploads"]);
    }

    #[test]
    fn a_volume_of_who_looked_before_is_gone_once_all_nodes_were_heard_and_none_names_it() {
        let nodes: Vec<_> = ["gluster-1", "gluster-2"].map(|name| (Arc::from(name), String::new())).into();
        let volume = |name: &str| VolumeState { name: name.into(), ..VolumeState::default() };
        let facts = StorageFacts { volumes: vec![volume("uploads")], ..StorageFacts::default() };
        let before: Vec<Arc<str>> = vec!["old".into(), "uploads".into(), "named".into()];
        let gone = |told: &PoolTold| told.gone(&nodes, before.iter(), &["named".into()]);
        let mut told = PoolTold::default();
        assert!(gone(&told).is_empty(), "no node was heard");
        told.told(&nodes[0].0, &facts, &[]);
        assert!(gone(&told).is_empty(), "the other may name it");
        told.answering.insert(nodes[1].0.clone(), false);
        assert_eq!(gone(&told), [Arc::from("old")]);
        told.answering.insert(nodes[0].0.clone(), false);
        assert!(gone(&told).is_empty(), "none answers");
    }

    #[test]
    fn a_summary_that_is_not_had_is_asked_less_and_less_often() {
        let once = summary_pause(SUMMARY_EVERY, false);
        assert_eq!(once, SUMMARY_EVERY * 2);
        assert_eq!((0..9).fold(once, |pause, _| summary_pause(pause, false)), SUMMARY_AT_MOST);
        assert_eq!(summary_pause(once, true), SUMMARY_EVERY);
    }
}

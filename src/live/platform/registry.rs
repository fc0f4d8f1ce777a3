//! The registry that images come from, asked now and then: whether it answers, and whether it still has what runs. A few
//! images a round, one after another, one of them with all its parts. It only reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1;
use kube::Api;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    cluster::{
        Key, Observation, Seen, Snapshot,
        platform::registry::{Base, HasImage, ImageTold, RegistryFacts},
        platform::{Component, Facts},
    },
    wire::{
        Wire,
        registry::{Alive, Answer, Registries, host_of},
    },
};

/// Images asked for in a round.
const A_ROUND: usize = 3;
/// While nothing has been asked yet, and while it does not answer.
const SOON: Duration = Duration::from_secs(10);
/// Images asked for in a round at most, where all that were asked for are missing.
const A_CONTROL: usize = 9;

/// Follows the configured registry until the receiver is gone.
pub async fn follow(
    registries: Registries,
    mut component: Component,
    at: Arc<str>,
    every: Duration,
    wire: Option<Wire>,
    mut seen: watch::Receiver<Arc<Snapshot>>,
    into: mpsc::Sender<Observation>,
) {
    let Some(host) = registries.host() else { return };
    let key = component.name.clone();
    let mut registry = Following { registries: &registries, wire, told: BTreeMap::new(), turn: 0, whole: 0 };
    let mut since: Option<(Base, Timestamp)> = None;
    if let Some(Facts::Registry(facts)) = component.status.as_deref() {
        since = facts.since.map(|since| (facts.base.clone(), since));
        registry.told = facts.images.iter().map(|told| (told.image.clone(), told.clone())).collect();
    }
    if into.send(Observation::Platform(Seen::Put(key.clone(), component.clone()))).await.is_err() {
        return;
    }
    // What runs is known when the cluster has been read; whether the registry answers can be asked without.
    let gone = matches!(timeout(SOON, seen.wait_for(|seen| seen.is_ready())).await, Ok(Err(_)));
    if gone {
        return;
    }
    loop {
        let running = running(&seen.borrow().clone(), host);
        let base = registry.round(&running).await;
        if since.as_ref().is_none_or(|(known, _)| *known != base) {
            since = Some((base.clone(), Timestamp::now()));
        }
        let wait = wait(&base, registry.told.len() >= running.len().min(A_ROUND), every);
        let facts = RegistryFacts {
            at: at.clone(),
            base,
            since: since.as_ref().map(|(_, since)| *since),
            running: u32::try_from(running.len()).unwrap_or(u32::MAX),
            images: registry.told.values().cloned().collect(),
        };
        component = facts.of(&component, Timestamp::now());
        let told = Observation::Platform(Seen::Put(key.clone(), component.clone()));
        if into.send(told).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = into.closed() => return,
        }
    }
}

/// How long until it is asked again; `whole`: enough images have been asked for. One that wants a login is not asked more
/// often than one that lets us in.
fn wait(base: &Base, whole: bool, every: Duration) -> Duration {
    match base {
        Base::Fails(_) | Base::Unasked(_) => every.min(SOON),
        Base::Open if !whole => every.min(SOON),
        Base::Open | Base::WantsLogin | Base::Refuses(_) | Base::NoLogin(_) => every,
    }
}

/// Which of so many images are asked for in a round, and whether with all their parts: those of a turn, and one of all in
/// turn with its parts. One that was damaged is never asked for without. And where the next turn begins.
fn choose(
    count: usize,
    turn: usize,
    whole: usize,
    damaged: &BTreeSet<usize>,
) -> (BTreeMap<usize, bool>, usize) {
    let mut chosen = BTreeMap::new();
    if count == 0 {
        return (chosen, 0);
    }
    chosen.insert(whole % count, true);
    let mut next = turn % count;
    while chosen.len() < count.min(A_ROUND) {
        chosen.entry(next).or_insert(damaged.contains(&next));
        next = (next + 1) % count;
    }
    (chosen, next)
}

/// The images of a registry that run, each with a pod of it and its container.
fn running(seen: &Snapshot, host: &str) -> BTreeMap<Arc<str>, (Key, Arc<str>)> {
    let mut found = BTreeMap::new();
    let mut other: BTreeSet<Arc<str>> = BTreeSet::new();
    for pod in seen.pods.values().filter(|pod| pod.ready) {
        for container in &pod.spec.containers {
            let image = &container.image;
            if found.contains_key(image) || other.contains(image) {
                continue;
            }
            if host_of(image) == host {
                found.insert(image.clone(), (pod.key.clone(), container.name.clone()));
            } else {
                other.insert(image.clone());
            }
        }
    }
    found
}

/// An image that runs, with a pod of it and its container.
type Runs<'a> = (&'a Arc<str>, &'a (Key, Arc<str>));

struct Following<'a> {
    registries: &'a Registries,
    wire: Option<Wire>,
    told: BTreeMap<Arc<str>, ImageTold>,
    /// Where the next round begins.
    turn: usize,
    /// Which one is asked for with all its parts in the next round.
    whole: usize,
}

impl Following<'_> {
    /// Asks for the base, and for the next few images.
    async fn round(&mut self, running: &BTreeMap<Arc<str>, (Key, Arc<str>)>) -> Base {
        self.told.retain(|image, _| running.contains_key(image));
        let images: Vec<_> = running.iter().collect();
        let base = self.base(&images).await;
        if base != Base::Open {
            return base;
        }
        let is_damaged =
            |image: &str| matches!(self.told.get(image), Some(ImageTold { told: HasImage::Damaged(..), .. }));
        let damaged = images.iter().enumerate().filter(|(_, (image, _))| is_damaged(image)).map(|(n, _)| n);
        let (chosen, next) = choose(images.len(), self.turn, self.whole, &damaged.collect());
        (self.turn, self.whole) = (next, self.whole.wrapping_add(1));
        let mut all_missing = true;
        for (n, whole) in &chosen {
            all_missing &= self.one(images[*n], *whole).await == HasImage::Missing;
        }
        // Is it these, or its storage? Further ones tell.
        let further = (0..images.len()).filter(|n| !chosen.contains_key(n));
        for n in further.take(A_CONTROL.saturating_sub(chosen.len())) {
            if !all_missing {
                break;
            }
            all_missing &= self.one(images[n], false).await == HasImage::Missing;
        }
        base
    }

    /// What its base says, asked as for an image that runs. That one namespace has no login for it says nothing of others.
    async fn base(&self, images: &[Runs<'_>]) -> Base {
        let mut asked: BTreeMap<&str, &str> = BTreeMap::new();
        for (image, (pod, _)) in images {
            asked.entry(&pod.namespace).or_insert(image);
        }
        let none = format!("{}/none", self.registries.host().unwrap_or_default());
        if asked.is_empty() {
            asked.insert("", &none);
        }
        let mut first = None;
        for (namespace, image) in asked.into_iter().take(A_CONTROL) {
            let base = match self.registries.alive(image, namespace).await {
                Alive::Yes => Base::Open,
                Alive::WantsLogin => Base::WantsLogin,
                Alive::Refuses(whose) => Base::Refuses(whose.into()),
                Alive::NoLogin(why) => Base::NoLogin(why.into()),
                Alive::No(why) => Base::Fails(why.into()),
                Alive::Unasked(why) => Base::Unasked(why.into()),
            };
            match base {
                Base::Refuses(_) | Base::NoLogin(_) => first = first.or(Some(base)),
                // Another namespace could not be asked for: what is known stands.
                Base::Unasked(_) => return first.unwrap_or(base),
                Base::Open | Base::WantsLogin | Base::Fails(_) => return base,
            }
        }
        first.unwrap_or_default()
    }

    /// Asks for one image, and keeps what is said of it.
    async fn one(&mut self, (image, (pod, container)): Runs<'_>, whole: bool) -> HasImage {
        let told = self.ask(image, pod, container, whole).await;
        let since = self.told.get(image).filter(|before| before.told == told).map(|before| before.since);
        let since = since.unwrap_or_else(Timestamp::now);
        self.told.insert(image.clone(), ImageTold { image: image.clone(), since, told: told.clone() });
        told
    }

    /// What it says of an image that this container of a pod runs; `whole`: all its parts are asked for.
    async fn ask(&self, image: &str, pod: &Key, container: &str, whole: bool) -> HasImage {
        let namespace = &*pod.namespace;
        let answer = match whole {
            true => self.registries.ask(image, None, namespace).await,
            false => self.registries.has(image, namespace).await,
        };
        match answer {
            Answer::Has(found) => match self.moved(image, pod, container).await {
                Some((runs, now)) => HasImage::Moved(runs.into(), now.into()),
                None => HasImage::Has(found.digest.map(Into::into)),
            },
            Answer::HasNot(_) | Answer::Lost(..) => HasImage::Missing,
            Answer::Damaged { part, all, .. } => HasImage::Damaged(part.into(), all),
            Answer::Barred(why) => HasImage::Barred(why.into()),
            Answer::Unknown(why) => HasImage::Unknown(why.into()),
        }
    }

    /// The digest that runs, and the one that the tag leads to now, where they differ.
    async fn moved(&self, image: &str, pod: &Key, container: &str) -> Option<(String, String)> {
        let client = self.wire.as_ref()?.client().await.ok()?;
        let found = Api::<v1::Pod>::namespaced(client, &pod.namespace).get_opt(&pod.name).await.ok()??;
        let statuses = found.status?.container_statuses?;
        let status = statuses.into_iter().find(|status| status.name == container)?;
        let runs = status.image_id.split_once('@')?.1.to_owned();
        let now = self.registries.moved(image, &runs, &pod.namespace).await.ok()??;
        Some((runs, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_image_is_asked_for_with_all_its_parts_in_turn() {
        for count in 1..20 {
            let (mut turn, mut with_parts, mut asked) = (0, BTreeSet::new(), BTreeSet::new());
            for whole in 0..count {
                let (chosen, next) = choose(count, turn, whole, &BTreeSet::new());
                assert_eq!(chosen.len(), count.min(A_ROUND));
                with_parts.extend(chosen.iter().filter(|(_, whole)| **whole).map(|(n, _)| *n));
                asked.extend(chosen.into_keys());
                turn = next;
            }
            assert_eq!((with_parts.len(), asked.len()), (count, count));
        }
        // A damaged one does not look whole because its parts were not asked for.
        let (chosen, _) = choose(6, 2, 5, &BTreeSet::from([3]));
        assert_eq!(chosen, BTreeMap::from([(2, false), (3, true), (5, true)]));
        assert!(choose(0, 4, 4, &BTreeSet::new()).0.is_empty());
    }

    #[test]
    fn a_registry_that_wants_a_login_is_not_asked_more_often() {
        let every = Duration::from_secs(60);
        for base in [Base::WantsLogin, Base::Refuses("x".into()), Base::NoLogin("x".into())] {
            assert_eq!(wait(&base, false, every), every, "{base:?}");
        }
        assert_eq!(wait(&Base::Open, true, every), every);
        assert_eq!(wait(&Base::Open, false, every), SOON);
        assert_eq!(wait(&Base::Fails("x".into()), true, every), SOON);
        assert_eq!(wait(&Base::Fails("x".into()), true, Duration::from_secs(1)), Duration::from_secs(1));
    }
}

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
    time::{Instant, sleep, timeout},
};

use crate::{
    cluster::{
        Key, Observation, Seen, Snapshot,
        platform::registry::{Base, ImageTold, RegistryFacts, Told},
        platform::{Component, ComponentKey, ComponentKind, Facts},
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
/// A login that is refused is not shown again for so long: accounts are locked by those who try.
const AFTER_REFUSAL: Duration = Duration::from_secs(3_600);

/// Follows the configured registry until the receiver is gone.
pub async fn follow(
    registries: Registries,
    at: Arc<str>,
    every: Duration,
    wire: Option<Wire>,
    mut seen: watch::Receiver<Arc<Snapshot>>,
    into: mpsc::Sender<Observation>,
) {
    let Some(host) = registries.host() else { return };
    let key = ComponentKey::new(ComponentKind::Registry, host);
    let mut component = Component::new(key.clone());
    let mut registry =
        Following { registries: &registries, wire, told: BTreeMap::new(), turn: 0, refused: None };
    if into.send(Observation::Platform(Seen::Put(key.clone(), component.clone()))).await.is_err() {
        return;
    }
    let mut since: Option<(Base, Timestamp)> = None;
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
        let whole = base == Base::Open && registry.told.len() >= running.len().min(A_ROUND);
        let facts = RegistryFacts {
            at: at.clone(),
            base,
            since: since.as_ref().map(|(_, since)| *since),
            running: u32::try_from(running.len()).unwrap_or(u32::MAX),
            images: registry.told.values().cloned().collect(),
        };
        component = component.read(Facts::Registry(facts), None, Timestamp::now());
        let told = Observation::Platform(Seen::Put(key.clone(), component.clone()));
        if into.send(told).await.is_err() {
            return;
        }
        let wait = if whole { every } else { every.min(SOON) };
        tokio::select! {
            () = sleep(wait) => {}
            () = into.closed() => return,
        }
    }
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

struct Following<'a> {
    registries: &'a Registries,
    wire: Option<Wire>,
    told: BTreeMap<Arc<str>, ImageTold>,
    /// Where the next round begins.
    turn: usize,
    /// Since when it refuses a login, and whose.
    refused: Option<(Instant, Base)>,
}

impl Following<'_> {
    /// Asks for the base, and for the next few images.
    async fn round(&mut self, running: &BTreeMap<Arc<str>, (Key, Arc<str>)>) -> Base {
        if let Some((since, base)) = &self.refused {
            if since.elapsed() < AFTER_REFUSAL {
                return base.clone();
            }
            self.refused = None;
        }
        self.told.retain(|image, _| running.contains_key(image));
        let images: Vec<_> = running.iter().collect();
        let (of, namespace) = match images.first() {
            Some((image, (pod, _))) => (image.to_string(), pod.namespace.to_string()),
            None => (format!("{}/none", self.registries.host().unwrap_or_default()), String::new()),
        };
        let base = match self.registries.alive(&of, &namespace).await {
            Alive::Yes => Base::Open,
            Alive::WantsLogin => Base::WantsLogin,
            Alive::Refuses(whose) => Base::Refuses(whose.into()),
            Alive::NoLogin(why) => Base::NoLogin(why.into()),
            Alive::No(why) => Base::Fails(why.into()),
        };
        if matches!(base, Base::Refuses(_)) {
            self.refused = Some((Instant::now(), base.clone()));
        }
        if base != Base::Open {
            return base;
        }
        let turns = images.len().min(A_ROUND);
        for n in 0..turns {
            let (image, (pod, container)) = images[(self.turn + n) % images.len()];
            let told = self.ask(image, pod, container, n == 0).await;
            let since = self.told.get(image).filter(|before| before.told == told).map(|before| before.since);
            let since = since.unwrap_or_else(Timestamp::now);
            self.told.insert(image.clone(), ImageTold { image: image.clone(), since, told });
        }
        self.turn = (self.turn + turns) % images.len().max(1);
        base
    }

    /// What it says of an image that this container of a pod runs; `whole`: all its parts are asked for.
    async fn ask(&self, image: &str, pod: &Key, container: &str, whole: bool) -> Told {
        let namespace = &*pod.namespace;
        let answer = if whole {
            self.registries.ask(image, None, namespace).await
        } else {
            match self.registries.digest(image, namespace).await {
                Ok(Some(found)) => Answer::Has(found),
                Ok(None) => Answer::HasNot(String::new()),
                Err(why) => Answer::Unknown(why),
            }
        };
        match answer {
            Answer::Has(found) => match self.moved(image, pod, container).await {
                Some((runs, now)) => Told::Moved(runs.into(), now.into()),
                None => Told::Has(found.digest.map(Into::into)),
            },
            Answer::HasNot(_) | Answer::Lost(..) => Told::Missing,
            Answer::Damaged { part, all, .. } => Told::Damaged(part.into(), all),
            Answer::Barred(why) | Answer::Unknown(why) => Told::Unknown(why.into()),
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

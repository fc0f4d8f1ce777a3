//! Which cockpit looks at the platform around for all that look at the same: one `coordination.k8s.io` Lease, taken as
//! client-go takes it, and the ConfigMap beside it, in which the holder tells what it sees.
//!
//! Whoever does not hold the Lease takes it when it has not changed for as long as it is good, by its own clock: clocks of
//! two machines are never compared. The holder stops at two thirds of that time if it cannot renew it. Nothing is ever made
//! for it but these two objects: where their namespace is not there, nobody is elected.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    ByteString,
    api::{coordination::v1::Lease, core::v1::ConfigMap},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Holder, Who,
    perform::{Clock, Failure, Right, Writer},
};
use crate::{cluster::platform::Duty, wire::Wire};

/// Rights that are missing are looked for again after this.
const RIGHTS_AGAIN: Duration = Duration::from_secs(60);
/// How long giving the Lease back may take.
const GIVES_BACK_WITHIN: Duration = Duration::from_secs(1);
/// Seconds that a Lease is good at most, whatever it says.
const LONGEST: i32 = 3600;
/// What tells these objects from journals, which are followed by another label.
const LABELS: [(&str, &str); 2] =
    [("app.kubernetes.io/part-of", "wheelhouse"), ("app.kubernetes.io/component", "platform")];
/// The key of what is told, in the ConfigMap.
const TOLD: &str = "seen";
/// How long a name from a Lease is shown at most.
const NAME: usize = 200;

/// Who stands for election, and for what.
#[derive(Clone)]
pub struct Candidate {
    /// The cluster.
    pub wire: Wire,
    /// Who stands.
    pub who: Who,
    /// The namespace of the journals.
    pub namespace: String,
    /// The name of the Lease, and of the ConfigMap beside it.
    pub name: String,
    /// How long the Lease is good without being renewed, in seconds.
    pub seconds: u32,
    /// Why it never stands, in a sentence: nothing is written then.
    pub never: Option<String>,
}

impl Candidate {
    /// Stands for election until it is told to stop, or `stop` is dropped; then gives the Lease back. `duty` says what is to be
    /// done; `tell` has what the holder tells the others.
    pub async fn stand(
        self,
        duty: watch::Sender<Duty>,
        mut tell: watch::Receiver<Option<Arc<[u8]>>>,
        mut stop: oneshot::Receiver<()>,
    ) {
        let mut candidacy = Candidacy::None;
        loop {
            let pause = tokio::select! {
                pause = self.round(&mut candidacy, &duty) => pause,
                _ = &mut stop => break,
            };
            let next = Instant::now() + pause;
            if !matches!(candidacy, Candidacy::Elected(_)) {
                // What was to be told by one that looks no more is never told.
                tell.mark_unchanged();
            }
            loop {
                let elected = matches!(candidacy, Candidacy::Elected(_));
                tokio::select! {
                    () = sleep_until(next) => break,
                    _ = &mut stop => return candidacy.end().await,
                    Ok(()) = tell.changed(), if elected => {
                        let told = tell.borrow_and_update().clone();
                        if let Some(told) = told && let Candidacy::Elected(hand) = &mut candidacy {
                            hand.put(&told).await;
                        }
                    }
                }
            }
        }
        candidacy.end().await;
    }

    /// Why this program never holds the Lease, in a sentence; `None`: it may.
    ///
    /// # Errors
    /// The API server cannot be asked: one sentence.
    pub async fn barred(&self) -> Result<Option<String>, String> {
        if self.never.is_some() {
            return Ok(self.never.clone());
        }
        self.hand().await?.barred(&self.namespace).await.map_err(|failure| failure.text())
    }

    async fn hand(&self) -> Result<Hand, String> {
        let client = self.wire.writer().await?;
        let writer = Writer::new(client, self.never.is_some(), &self.namespace, Clock::ahead(0));
        let identity = format!("{} {}", self.who.operator, self.who.session);
        let seconds = i32::try_from(self.seconds).unwrap_or(LONGEST).clamp(1, LONGEST);
        let name = self.name.clone();
        Ok(Hand { writer, name, identity, seconds, seen: None, mine: None, version: None, full: None })
    }

    /// One round: the Lease is renewed, taken, or looked at. Returns how long until the next.
    async fn round(&self, candidacy: &mut Candidacy, duty: &watch::Sender<Duty>) -> Duration {
        let third = Duration::from_secs(self.seconds.max(1).into()) / 3;
        let says = |now: Duty| {
            duty.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
        };
        if let Some(why) = &self.never {
            says(Duty::Barred(why.as_str().into()));
            return RIGHTS_AGAIN;
        }
        let mut hand = match std::mem::replace(candidacy, Candidacy::None) {
            Candidacy::Elected(hand) | Candidacy::Waiting(hand) => hand,
            Candidacy::None => {
                let asked = async {
                    let hand = self.hand().await?;
                    let barred = hand.barred(&self.namespace).await.map_err(|failure| failure.text())?;
                    Ok::<_, String>((hand, barred))
                };
                match asked.await {
                    Ok((hand, None)) => hand,
                    Ok((_, Some(why))) => {
                        says(Duty::Barred(why.into()));
                        return jittered(RIGHTS_AGAIN);
                    }
                    Err(why) => {
                        tracing::debug!(why, "nobody can be elected");
                        says(Duty::Undecided);
                        return jittered(third);
                    }
                }
            }
        };
        let now = match hand.round().await {
            Ok(now) => now,
            Err(failure) if failure.is_forbidden() => Duty::Barred(failure.text().into()),
            Err(failure) => {
                tracing::debug!(why = failure.text(), "the Lease of who looks around is not known");
                Duty::Undecided
            }
        };
        let now = match hand.full.take() {
            Some(why) => {
                hand.give_back().await;
                Duty::Barred(why.into())
            }
            None => now,
        };
        *candidacy = match now {
            Duty::Look => Candidacy::Elected(hand),
            Duty::Barred(_) => Candidacy::None,
            Duty::Undecided | Duty::Read(_) => Candidacy::Waiting(hand),
        };
        let pause = match now {
            // Those that wait come at different times.
            Duty::Read(_) | Duty::Undecided => jittered(third),
            Duty::Look => third,
            Duty::Barred(_) => jittered(RIGHTS_AGAIN),
        };
        says(now);
        pause
    }
}

/// A little longer, so that cockpits that wait for the same do not go on together.
fn jittered(span: Duration) -> Duration {
    span.mul_f64(rand::random_range(1.0..1.5))
}

enum Candidacy {
    None,
    Waiting(Hand),
    Elected(Hand),
}

impl Candidacy {
    /// Gives the Lease back, so that nobody has to wait until it runs out.
    async fn end(self) {
        if let Self::Elected(mut hand) = self {
            let _ = timeout(GIVES_BACK_WITHIN, hand.give_back()).await;
        }
    }
}

/// What holds the Lease, or waits for it.
struct Hand {
    writer: Writer,
    name: String,
    identity: String,
    seconds: i32,
    /// The Lease of somebody else as it was last seen, and since when it has been like that.
    seen: Option<(Option<String>, Instant)>,
    /// The Lease as it was last written, and before when.
    mine: Option<(Lease, Instant)>,
    /// The version of the ConfigMap, where it is known.
    version: Option<String>,
    /// Why what is told cannot be stored.
    full: Option<String>,
}

impl Hand {
    /// The rights that it takes.
    async fn barred(&self, namespace: &str) -> Result<Option<String>, Failure> {
        for (group, resource) in [("coordination.k8s.io", "leases"), ("", "configmaps")] {
            for verb in ["create", "update"] {
                let right =
                    Right { verb, group, resource: resource.to_owned(), namespace: namespace.to_owned() };
                if !self.writer.may(&right).await? {
                    return Ok(Some(format!("it needs the right to {right}")));
                }
            }
        }
        let there = self.writer.has_namespace().await?;
        Ok((there == Some(false)).then(|| format!("there is no namespace {namespace} to tell it in")))
    }

    async fn round(&mut self) -> Result<Duty, Failure> {
        if let Some((lease, before)) = self.mine.take() {
            let now = Instant::now();
            match self.writer.store_lease(&self.renewed(lease.clone())).await {
                Ok(lease) => {
                    self.mine = Some((lease, now));
                    return Ok(Duty::Look);
                }
                // Overtaken, or deleted: it is looked at again.
                Err(failure) if failure.is_conflict() || failure.is_missing() => {}
                Err(failure) => {
                    self.mine = Some((lease, before));
                    return if self.is_good() && !failure.is_forbidden() {
                        Ok(Duty::Look)
                    } else {
                        Err(failure)
                    };
                }
            }
        }
        let found = self.writer.lease(&self.name).await?;
        if let Some(who) = found.as_ref().and_then(|lease| self.held_by_another(lease)) {
            return Ok(Duty::Read(who));
        }
        let before = Instant::now();
        match self.writer.store_lease(&self.taken(found)).await {
            Ok(lease) => {
                self.mine = Some((lease, before));
                (self.seen, self.version) = (None, None);
                Ok(Duty::Look)
            }
            Err(failure) if failure.is_conflict() => Ok(Duty::Undecided),
            Err(failure) => Err(failure),
        }
    }

    /// It is held, and will be for a while.
    fn is_good(&self) -> bool {
        let good = Duration::from_secs(self.seconds.unsigned_abs().into()) * 2 / 3;
        self.mine.as_ref().is_some_and(|(_, before)| before.elapsed() < good)
    }

    /// Who else holds it, unless it has not changed for as long as it is good.
    fn held_by_another(&mut self, lease: &Lease) -> Option<Arc<str>> {
        let spec = lease.spec.as_ref()?;
        let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty())?;
        if holder == self.identity {
            return None;
        }
        let version = &lease.metadata.resource_version;
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                let now = Instant::now();
                self.seen = Some((version.clone(), now));
                now
            }
        };
        let seconds = spec.lease_duration_seconds.unwrap_or(self.seconds).clamp(1, LONGEST);
        let good = Duration::from_secs(seconds.unsigned_abs().into());
        let who = || Holder::parse(holder).0.chars().take(NAME).collect::<String>().into();
        (since.elapsed() < good).then(who)
    }

    /// The Lease as it stands once it is held.
    fn taken(&self, found: Option<Lease>) -> Lease {
        let mut lease = found.unwrap_or_else(|| Lease { metadata: self.named(), ..Lease::default() });
        let now = MicroTime(self.writer.clock.now());
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&*self.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |n| n.saturating_add(1)));
            spec.acquire_time = Some(now);
        }
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = Some(self.seconds);
        self.renewed(lease)
    }

    fn renewed(&self, mut lease: Lease) -> Lease {
        lease.metadata.managed_fields = None;
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(self.writer.clock.now()));
        lease
    }

    fn named(&self) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.name.clone()),
            labels: Some(LABELS.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()),
            ..ObjectMeta::default()
        }
    }

    /// Stores what is told, in place of what was told before: never over what somebody else has told since.
    async fn put(&mut self, told: &[u8]) {
        if !self.is_good() {
            return;
        }
        let version = match &self.version {
            Some(version) => Some(version.clone()),
            None => match self.writer.journal(&self.name).await {
                Ok(found) => found.and_then(|found| found.metadata.resource_version),
                Err(failure) => return self.not_put(&failure),
            },
        };
        let file = ConfigMap {
            metadata: ObjectMeta { resource_version: version, ..self.named() },
            binary_data: Some([(TOLD.to_owned(), ByteString(told.to_vec()))].into()),
            ..ConfigMap::default()
        };
        match self.writer.store_file(&file).await {
            Ok(stored) => self.version = stored.metadata.resource_version,
            Err(failure) => self.not_put(&failure),
        }
    }

    /// What cannot be stored at all is told; what was not stored now is told in its time.
    fn not_put(&mut self, failure: &Failure) {
        tracing::debug!(why = failure.text(), "what is seen around is not stored");
        self.version = None;
        let passes = failure.is_conflict() || failure.is_missing();
        if !passes && matches!(failure, Failure::Refused { .. } | Failure::ReadOnly) {
            self.full = Some(format!("what is seen cannot be told to other cockpits: {}", failure.text()));
        }
    }

    async fn give_back(&mut self) {
        let Some((mut lease, _)) = self.mine.take() else { return };
        lease.spec.get_or_insert_default().holder_identity = None;
        if let Err(failure) = self.writer.store_lease(&self.renewed(lease)).await {
            tracing::debug!(why = failure.text(), "the Lease of who looks around runs out by itself");
        }
    }
}

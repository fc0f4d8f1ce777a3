//! The Lease of who looks for all, as one program holds it or waits for it.
//!
//! Whoever does not hold it takes it when it has not changed for as long as it is good, by its own clock: clocks of two
//! machines are never compared. The holder counts it as lost at two thirds of that time, the time that its machine slept
//! included.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::coordination::v1::Lease,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use tokio::time::Instant;

use super::{
    super::{
        Holder,
        moment::Moment,
        perform::{Failure, Right, Writer},
    },
    named,
};
use crate::cluster::platform::Duty;

/// Seconds that a Lease is good at most, whatever it says.
pub(super) const LONGEST: i32 = 3600;
/// How long a name from a Lease is shown at most.
const NAME: usize = 200;
/// How often giving it back is tried: a renewal that was cut off may come between.
const GIVES_BACK: usize = 3;

pub(super) struct Office {
    pub(super) writer: Writer,
    name: String,
    identity: String,
    /// How long the Lease is good.
    seconds: i32,
    /// The Lease of somebody else as it was last seen, and since when it has been like that.
    seen: Option<(Option<String>, Instant)>,
    /// The Lease as it was last written, and before when.
    mine: Option<(Lease, Moment)>,
    /// It was asked for, and may be held even where no answer said so.
    asked: bool,
    /// The last round has renewed or taken it.
    renewed: bool,
}

impl Office {
    pub(super) fn new(writer: Writer, name: &str, identity: String, seconds: i32) -> Self {
        let (seen, mine, asked, renewed) = (None, None, false, false);
        Self { writer, name: name.to_owned(), identity, seconds, seen, mine, asked, renewed }
    }

    /// Why nobody can be elected with these rights, or in this cluster.
    pub(super) async fn barred(&self, namespace: &str) -> Result<Option<String>, Failure> {
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

    /// The Lease is renewed, taken, or looked at: whoever holds it then.
    pub(super) async fn round(&mut self) -> Result<Duty, Failure> {
        self.renewed = false;
        if self.is_good()
            && let Some((lease, _)) = &self.mine
        {
            let (now, lease) = (Moment::now(), self.dated(lease.clone()));
            match self.writer.store_lease(&lease).await {
                Ok(lease) => return Ok(self.held(lease, now)),
                // Overtaken, or deleted: it is looked at again.
                Err(failure) if failure.is_conflict() || failure.is_missing() => {}
                Err(failure) if failure.is_forbidden() || !self.is_good() => return Err(failure),
                Err(_) => return Ok(Duty::Look),
            }
        }
        self.mine = None;
        let found = self.writer.lease(&self.name).await?;
        if let Some(who) = found.as_ref().and_then(|lease| self.held_by_another(lease)) {
            self.asked = false;
            return Ok(Duty::Read(who));
        }
        let now = Moment::now();
        self.asked = true;
        match self.writer.store_lease(&self.taken(found)).await {
            Ok(lease) => Ok(self.held(lease, now)),
            Err(failure) if failure.is_conflict() => Ok(Duty::Undecided),
            Err(failure) => Err(failure),
        }
    }

    fn held(&mut self, lease: Lease, since: Moment) -> Duty {
        (self.mine, self.seen, self.renewed) = (Some((lease, since)), None, true);
        Duty::Look
    }

    /// It is held, and will be for a while.
    pub(super) fn is_good(&self) -> bool {
        self.mine.as_ref().is_some_and(|(_, since)| since.age() < self.span() * 2 / 3)
    }

    /// The last round has renewed or taken it.
    pub(super) fn is_renewed(&self) -> bool {
        self.renewed
    }

    fn span(&self) -> Duration {
        Duration::from_secs(self.seconds.unsigned_abs().into())
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
        let mut lease = found.unwrap_or_else(|| Lease { metadata: named(&self.name), ..Lease::default() });
        let now = MicroTime(self.writer.clock.now());
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&*self.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |n| n.saturating_add(1)));
            spec.acquire_time = Some(now);
        }
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = Some(self.seconds);
        self.dated(lease)
    }

    fn dated(&self, mut lease: Lease) -> Lease {
        lease.metadata = ObjectMeta { managed_fields: None, ..lease.metadata };
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(self.writer.clock.now()));
        lease
    }

    /// Gives it back where it may be held, so that nobody has to wait until it runs out.
    pub(super) async fn give_back(&mut self) {
        self.mine = None;
        if self.asked
            && let Err(failure) = self.free().await
        {
            tracing::debug!(why = failure.text(), "the Lease of who looks around runs out by itself");
        }
        self.asked = false;
    }

    async fn free(&self) -> Result<(), Failure> {
        for _ in 0..GIVES_BACK {
            let Some(mut lease) = self.writer.lease(&self.name).await? else { break };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.take().as_deref() != Some(&*self.identity) {
                break;
            }
            match self.writer.store_lease(&self.dated(lease)).await {
                Err(failure) if failure.is_conflict() => {}
                other => return other.map(drop),
            }
        }
        Ok(())
    }

    /// As if the machine had slept so long since it was renewed.
    #[cfg(test)]
    pub(super) fn sleeps(&mut self, span: Duration) {
        self.mine = self.mine.take().map(|(lease, since)| (lease, since.slept(span)));
    }
}

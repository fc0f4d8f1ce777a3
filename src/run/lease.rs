//! Who may change a tenant: one `coordination.k8s.io` Lease a tenant, called by `drive`.
//!
//! Taken before a run writes anything, renewed every third of its duration while the run lives, given back at its end.
//! Every write of a lease names the version it replaces, so of two sessions one wins. The transition count is the
//! fencing token. A lease is taken from a silent holder only after its duration and a margin have passed by the API
//! server's clock, while the holder itself stops writing at two thirds of the duration by its own.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use tokio::sync::watch;

use super::{
    Holder,
    journal::{MANAGED_BY, RUN},
    moment::Moment,
    perform::{Failure, Writer},
};

/// Clocks may differ by this much, seconds, before a lease is taken too early.
const MARGIN: i64 = crate::cluster::Lease::MARGIN;
/// Leases renewed at the same time.
const AT_ONCE: usize = 8;

/// What came of trying to take a lease.
#[derive(Debug)]
pub(super) enum Take {
    /// It is ours.
    Mine,
    /// Somebody else holds it: who, since when, for which run, and when it runs out unless it is renewed.
    Held(String),
}

/// Whether the leases are good for writing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LeaseStanding {
    /// All are.
    Good,
    /// One could not be renewed in time; nobody else is known to have it.
    Late(String),
    /// One is somebody else's now.
    Lost(String),
}

/// The leases of one run in one session.
pub(super) struct Leases {
    writer: Writer,
    holder: String,
    run: String,
    seconds: i32,
    /// A session of this run wrote with this token.
    written: i64,
    kept: Mutex<Vec<Kept>>,
    token: AtomicI64,
    /// Grows with each renewal, and tells of a loss.
    news: watch::Sender<Option<String>>,
}

#[derive(Clone)]
struct Kept {
    lease: Lease,
    marked: Moment,
}

impl Leases {
    /// No lease yet, for this holder (`operator session`) and run; `written` is the highest token its journal has, -1
    /// where it has none.
    pub(super) fn new(writer: Writer, holder: String, run: &str, seconds: u32, written: i64) -> Self {
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX).max(1);
        let (kept, news) = (Mutex::default(), watch::Sender::new(None));
        let token = AtomicI64::new(0);
        Self { writer, holder, run: run.to_owned(), seconds, written, kept, token, news }
    }

    /// Tries to take one lease. Can be repeated when the answer was lost.
    pub(super) async fn take(&self, name: &str) -> Result<Take, Failure> {
        for _ in 0..5 {
            let found = self.writer.lease(name).await?;
            let now = self.writer.clock.now();
            if let Some(held) = found.as_ref().and_then(|l| self.held_by_another(l, now)) {
                return Ok(Take::Held(held));
            }
            let marked = Moment::now();
            match self.writer.put_lease(&self.taken(name, found, now)).await {
                Ok(lease) => {
                    let transitions = lease.spec.as_ref().and_then(|s| s.lease_transitions).unwrap_or(0);
                    self.token.fetch_max(transitions.into(), Ordering::Relaxed);
                    self.kept
                        .lock()
                        .expect("nothing panics while it holds this lock")
                        .push(Kept { lease, marked });
                    return Ok(Take::Mine);
                }
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(Take::Held("several sessions want it at once".into()))
    }

    /// The fencing token: the highest transition count among all that were taken, those given back early too.
    pub(super) fn token(&self) -> i64 {
        self.token.load(Ordering::Relaxed)
    }

    /// Gives one back before the run is over.
    pub(super) async fn give_back_early(&self, name: &str) {
        let lease = {
            let mut kept = self.kept.lock().expect("nothing panics while it holds this lock");
            let at = kept.iter().position(|k| name_of(&k.lease) == name);
            at.map(|at| kept.swap_remove(at).lease)
        };
        if let Some(lease) = lease {
            self.give_back(lease).await;
        }
    }

    /// Whether they are good for writing at this moment.
    pub(super) fn standing(&self) -> LeaseStanding {
        if let Some(lost) = self.news.borrow().clone() {
            return LeaseStanding::Lost(lost);
        }
        let kept = self.kept.lock().expect("nothing panics while it holds this lock");
        let good = Duration::from_secs(self.seconds.unsigned_abs().into()) * 2 / 3;
        match kept.iter().find(|k| k.marked.age() >= good) {
            Some(late) => {
                let (name, ago) = (name_of(&late.lease), late.marked.age().as_secs());
                LeaseStanding::Late(format!(
                    "the lease {name} was last renewed {ago} s ago: nothing is written until it is"
                ))
            }
            None => LeaseStanding::Good,
        }
    }

    /// Waits until a renewal or a loss.
    pub(super) async fn changed(&self) {
        let mut news = self.news.subscribe();
        // Its sender is ours: it cannot be gone.
        let _ = news.changed().await;
    }

    /// Renews them for ever; never ends. Dropping it, with the run, lets them run out.
    pub(super) async fn keep(&self) {
        let third = Duration::from_secs(self.seconds.unsigned_abs().into()) / 3;
        loop {
            tokio::time::sleep(if self.standing() == LeaseStanding::Good { third } else { third.min(SOON) })
                .await;
            let kept = self.kept.lock().expect("nothing panics while it holds this lock").clone();
            let renewals =
                stream::iter(kept.into_iter().map(|k| self.renewed(k.lease))).buffer_unordered(AT_ONCE);
            let lost: Vec<_> = renewals.filter_map(std::future::ready).collect().await;
            self.news.send_if_modified(|news| {
                *news = news.take().or(lost.into_iter().next());
                true
            });
        }
    }

    /// Gives them back, so that nobody has to wait until they run out. Those that cannot be given back will.
    pub(super) async fn release(&self) {
        let kept = std::mem::take(&mut *self.kept.lock().expect("nothing panics while it holds this lock"));
        stream::iter(kept).for_each_concurrent(AT_ONCE, |k| self.give_back(k.lease)).await;
    }

    /// Who else holds it, if anybody does who may still be alive.
    fn held_by_another(&self, lease: &Lease, now: Timestamp) -> Option<String> {
        let spec = lease.spec.as_ref()?;
        let holder = spec.holder_identity.as_deref().filter(|h| !h.is_empty())?;
        let run = lease.metadata.annotations.as_ref().and_then(|a| a.get(RUN));
        // Another run of this very session is another holder: two runs must not change one tenant.
        if holder == self.holder && run == Some(&self.run) {
            return None;
        }
        let last = spec.renew_time.as_ref().or(spec.acquire_time.as_ref())?.0;
        let seconds = i64::from(spec.lease_duration_seconds.unwrap_or(self.seconds)).clamp(1, 86_400);
        let until = last.checked_add(SignedDuration::from_secs(seconds + MARGIN)).unwrap_or(Timestamp::MAX);
        if until < now {
            return None;
        }
        let (who, _) = Holder::parse(holder);
        let mut text = who;
        if let Some(MicroTime(since)) = &spec.acquire_time {
            text += &format!(" holds it since {}", since.strftime("%H:%M:%S UTC"));
        }
        if let Some(run) = run {
            text += &format!(" for run {run}");
        }
        Some(format!("{text}; it is free at {} unless they renew it", until.strftime("%H:%M:%S UTC")))
    }

    /// The lease as it stands once we hold it.
    fn taken(&self, name: &str, found: Option<Lease>, now: Timestamp) -> Lease {
        let mut lease = found.unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..Lease::default()
        });
        let annotated = lease.metadata.annotations.as_ref().and_then(|a| a.get(RUN)) == Some(&self.run);
        let mine = annotated && holder(&lease) == Some(&self.holder);
        let (key, value) = MANAGED_BY;
        lease.metadata.labels.get_or_insert_default().insert(key.into(), value.into());
        lease.metadata.annotations.get_or_insert_default().insert(RUN.into(), self.run.clone());
        lease.metadata.managed_fields = None;
        let fresh = lease.metadata.resource_version.is_none();
        let spec = lease.spec.get_or_insert_default();
        if !mine {
            let before = spec.lease_transitions.unwrap_or(0);
            // A lease that was deleted begins again: whoever wrote to the journal before must still be the older one.
            let least = i32::try_from(self.written.saturating_add(1)).unwrap_or(i32::MAX);
            spec.lease_transitions = Some(if fresh { 0 } else { before.saturating_add(1) }.max(least));
            spec.acquire_time = Some(MicroTime(now));
        }
        spec.holder_identity = Some(self.holder.clone());
        spec.lease_duration_seconds = Some(self.seconds);
        spec.renew_time = Some(MicroTime(now));
        lease
    }

    /// Renews one; the sentence when it is lost, and not given back meanwhile.
    async fn renewed(&self, lease: Lease) -> Option<String> {
        let name = name_of(&lease).to_owned();
        let lost = self.renew(lease).await?;
        let kept = self.kept.lock().expect("nothing panics while it holds this lock");
        kept.iter().any(|k| name_of(&k.lease) == name).then_some(lost)
    }

    /// Renews one; the sentence when it is lost.
    async fn renew(&self, mut lease: Lease) -> Option<String> {
        let name = name_of(&lease).to_owned();
        for _ in 0..3 {
            let marked = Moment::now();
            lease.spec.get_or_insert_default().renew_time = Some(MicroTime(self.writer.clock.now()));
            match self.writer.put_lease(&lease).await {
                Ok(lease) => {
                    let mut kept = self.kept.lock().expect("nothing panics while it holds this lock");
                    if let Some(slot) = kept.iter_mut().find(|k| name_of(&k.lease) == name) {
                        *slot = Kept { lease, marked };
                    }
                    return None;
                }
                Err(failure) if failure.is_missing() => return Some(format!("the lease {name} was deleted")),
                Err(failure) if failure.is_conflict() => match self.writer.lease(&name).await {
                    Ok(Some(now)) => match holder(&now) {
                        // A renewal of ours whose answer was lost, or somebody else's label.
                        Some(holder) if holder == self.holder => lease = now,
                        other => {
                            let who = Holder::parse(other.unwrap_or("nobody")).0;
                            return Some(format!("{who} has the lease {name} now"));
                        }
                    },
                    Ok(None) => return Some(format!("the lease {name} was deleted")),
                    Err(_) => return None,
                },
                Err(_) => return None,
            }
        }
        None
    }

    async fn give_back(&self, mut lease: Lease) {
        let name = name_of(&lease).to_owned();
        for attempt in 0..4 {
            if attempt > 0 {
                match self.writer.lease(&name).await {
                    Ok(Some(now)) if holder(&now) == Some(&self.holder) => lease = now,
                    Ok(_) => return,
                    Err(_) => tokio::time::sleep(SOON / 4).await,
                }
            }
            lease.metadata.annotations.get_or_insert_default().remove(RUN);
            lease.spec.get_or_insert_default().holder_identity = None;
            match self.writer.put_lease(&lease).await {
                Ok(_) => return,
                Err(Failure::Unreached(_) | Failure::Busy { .. }) => tokio::time::sleep(SOON / 4).await,
                Err(failure) if failure.is_conflict() => {}
                Err(_) => return,
            }
        }
    }
}

/// How soon a renewal that failed is tried again.
const SOON: Duration = Duration::from_secs(1);

fn name_of(lease: &Lease) -> &str {
    lease.metadata.name.as_deref().unwrap_or_default()
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref().and_then(|s: &LeaseSpec| s.holder_identity.as_deref()).filter(|h| !h.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{Method, Request, Response};
    use http_body_util::{BodyExt, Full};
    use kube::client::Body;
    use serde_json::{Value, json};
    use tokio::sync::Notify;
    use tower::service_fn;

    use super::*;
    use crate::run::perform::Clock;

    /// An API server with one lease, of version 7, that lets a renewal wait until the lease was given back.
    fn with_a_slow_renewal() -> Writer {
        let (given, stored) = (Arc::new(Notify::new()), Arc::new(Mutex::new(json!(null))));
        let answer = service_fn(move |request: Request<Body>| {
            let (given, stored) = (given.clone(), stored.clone());
            async move {
                let method = request.method().clone();
                let body = request.into_body().collect().await?.to_bytes();
                let lease: Value = serde_json::from_slice(&body).unwrap_or_default();
                if method == Method::PUT && !lease["spec"]["holderIdentity"].is_null() {
                    given.notified().await;
                }
                let mut stored = stored.lock().unwrap();
                let reply = |status, body: &Value| {
                    let body = Full::from(body.to_string());
                    Ok::<_, tower::BoxError>(Response::builder().status(status).body(body).unwrap())
                };
                match method {
                    Method::GET => reply(200, &stored),
                    _ if lease["metadata"]["resourceVersion"] == "7" && stored["spec"].is_object() => reply(
                        409,
                        &json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": ""}),
                    ),
                    _ => {
                        *stored = lease;
                        stored["metadata"]["resourceVersion"] = "8".into();
                        given.notify_one();
                        reply(200, &stored)
                    }
                }
            }
        });
        Writer::new(kube::Client::new(answer, "default"), false, "wheelhouse", Clock::ahead(0))
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_given_back_while_it_is_renewed_is_not_lost() {
        let leases = Leases::new(with_a_slow_renewal(), "alice 1".into(), "r", 15, -1);
        let lease = |holder: &str| {
            let metadata = json!({"name": "tenant-acme", "resourceVersion": "7"});
            serde_json::from_value(json!({"metadata": metadata, "spec": {"holderIdentity": holder}}))
        };
        let kept = Kept { lease: lease("alice 1").expect("a lease"), marked: Moment::now() };
        leases.kept.lock().unwrap().push(kept);
        let given_back = async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            leases.give_back_early("tenant-acme").await;
            leases.changed().await;
        };
        tokio::select! {
            () = leases.keep() => unreachable!("it never ends"),
            () = given_back => {}
        }
        assert_eq!(leases.standing(), LeaseStanding::Good);
    }
}

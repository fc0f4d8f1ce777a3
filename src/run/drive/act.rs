//! The steps themselves: what stands is looked at before a run goes on, and each change is performed.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::timeout;

use super::{Driver, Session, Stop};
use crate::{
    plan::Change,
    run::{
        Event, StepState,
        decide::{self, endpoint},
        lease::Standing,
        perform::{Failure, Told, Written, version},
    },
};

/// How long an endpoint of the database may not answer before an operator is asked.
const SILENCE: Duration = Duration::from_secs(30);

impl Driver {
    /// Asks the API server itself how the workloads stand: what the watches have shown so far may be older than the
    /// last write of a session that died.
    pub(super) async fn look(&mut self, session: &Session<'_>) -> Result<(), Stop> {
        let writes: Vec<_> = {
            let run = self.run.borrow();
            let open = |s: &StepState| !matches!(s, StepState::Done(_) | StepState::Skipped(_));
            let steps = run.plan().steps.iter().zip(&run.steps).filter(|(_, state)| open(state));
            let workloads: BTreeSet<_> =
                steps.filter_map(|(step, _)| step.change.workload().cloned()).collect();
            workloads.into_iter().collect()
        };
        for workload in writes {
            self.say(Some(format!("looking at {workload}")));
            match self.insist(|| session.writer.scale_of(&workload)).await {
                Ok(Some(scale)) => {
                    let replicas = scale.spec.and_then(|s| s.replicas).unwrap_or(0);
                    let desired = u32::try_from(replicas).unwrap_or(0);
                    let told = decide::Told { version: version(&scale.metadata), desired };
                    self.facts.told.insert(workload, told);
                }
                // Gone, or not ours to read: what is seen will say so.
                Ok(None) | Err(Failure::Refused { .. }) => {}
                Err(failure) => return Err(Stop::Pause(self.current(), failure.text())),
            }
        }
        self.look_at_database(session).await
    }

    /// Asks the endpoints of the database themselves: what is observed later than this is evidence, whatever a session
    /// that died has sent.
    async fn look_at_database(&mut self, session: &Session<'_>) -> Result<(), Stop> {
        let endpoints: BTreeSet<_> = {
            let run = self.run.borrow();
            let open = |s: &StepState| !matches!(s, StepState::Done(_) | StepState::Skipped(_));
            let steps = run.plan().steps.iter().zip(&run.steps).filter(|(_, state)| open(state));
            steps.filter_map(|(step, _)| endpoint(&step.change)).collect()
        };
        for endpoint in endpoints {
            self.say(Some(format!("looking at {endpoint}")));
            match timeout(SILENCE, self.insist(|| session.writer.look(&endpoint))).await {
                Ok(Ok(mark)) => {
                    self.facts.marks.insert(endpoint, mark);
                }
                Ok(Err(failure)) => return Err(Stop::Pause(self.current(), failure.text())),
                Err(_) => return Err(Stop::Pause(self.current(), self.silence())),
            }
        }
        Ok(())
    }

    /// What was last tried, when it was tried for too long.
    fn silence(&self) -> String {
        let tried = self.run.borrow().doing.clone().unwrap_or_default();
        let tried = tried.trim_end_matches("; trying again");
        format!("{tried}, for {} s", SILENCE.as_secs())
    }

    pub(super) async fn perform(&mut self, session: &mut Session<'_>, step: usize) -> Result<(), Stop> {
        let change = self.run.borrow().plan().steps[step].change.clone();
        self.append(session, Event::Started { step }).await?;
        let Change::Replicas { workload, uid, from, to } = &change else {
            return self.act(session, step, &change).await;
        };
        self.say(Some(change.to_string()));
        let sent = AtomicBool::new(false);
        let fence = || {
            let good = session.leases.standing() == Standing::Good;
            sent.fetch_or(good, Ordering::Relaxed);
            good
        };
        let scaled = match self.insist(|| session.writer.scale(workload, uid, *from, *to, fence)).await {
            Ok(scaled) => scaled,
            // The loop sees to the lease, and then decides again.
            Err(Failure::Fenced) => return Ok(()),
            Err(failure) => return Err(Stop::Pause(step, failure.text())),
        };
        let told = decide::Told { version: scaled.version, desired: *to };
        self.facts.told.insert(workload.clone(), told);
        let text = if scaled.wrote || sent.into_inner() {
            self.told(session, step, format!("{to} replicas asked for")).await
        } else {
            format!("it had {to} replicas already")
        };
        self.append(session, Event::Done { step, text }).await
    }

    /// Tells of a scaled workload in an Event. Not being able to is worth a note in the step's text, no more.
    pub(super) async fn told(&self, session: &Session<'_>, step: usize, text: String) -> String {
        let (told, workload, uid) = {
            let run = self.run.borrow();
            let Change::Replicas { workload, uid, from, to } = &run.plan().steps[step].change else {
                return text;
            };
            let (who, id) = (&self.hands.who.operator, &run.id);
            let why = run.approved.reason().map_or(String::new(), |r| format!(": {r}"));
            let message = format!("{who} scaled {} from {from} to {to} (run {id}){why}", workload.key.name);
            ((format!("{}.{id}-{step}", workload.key.name), message), workload.clone(), uid.clone())
        };
        let (name, message) = told;
        match session.writer.tell(Told { name, workload: &workload, uid: &uid, message }).await {
            Ok(()) => text,
            Err(failure) => format!("{text}; no Event tells of it: {}", failure.text()),
        }
    }

    /// Performs a change of the database. A wait has nothing to be performed.
    async fn act(&mut self, session: &mut Session<'_>, step: usize, change: &Change) -> Result<(), Stop> {
        let Some(endpoint) = endpoint(change).filter(|_| change.is_write()) else { return Ok(()) };
        let words = self.run.borrow().plan().words(change);
        self.say(Some(words));
        let sent = AtomicBool::new(false);
        let fence = || {
            let good = session.leases.standing() == Standing::Good;
            sent.fetch_or(good, Ordering::Relaxed);
            good
        };
        let writer = &session.writer;
        let tries = self.insist(async || match change {
            Change::Servers { proxy, address, from, to } => {
                writer.servers(proxy.as_str(), address, from, to, fence).await
            }
            Change::Save { proxy, .. } => writer.save(proxy.as_str(), fence).await,
            Change::Desync { member, from, to } => writer.desync(member.as_str(), *from, *to, fence).await,
            _ => writer.look(&endpoint).await.map(|mark| Written { wrote: false, mark }),
        });
        let written = match timeout(SILENCE, tries).await {
            Ok(Ok(written)) => written,
            // The loop sees to the lease, and then decides again.
            Ok(Err(Failure::Fenced)) => return Ok(()),
            Ok(Err(failure)) => return Err(Stop::Pause(step, failure.text())),
            Err(_) => return Err(Stop::Pause(step, self.silence())),
        };
        self.facts.marks.insert(endpoint, written.mark);
        let text = match change {
            _ if !written.wrote && !sent.into_inner() => "it was so already".to_owned(),
            Change::Servers { from, to, .. } if from == to => "memory is as it runs".into(),
            Change::Servers { to, .. } if to.is_empty() => "it is gone from the runtime".into(),
            Change::Servers { .. } => "the runtime has it so".into(),
            Change::Save { .. } => "the disk has what runs".into(),
            Change::Desync { to, .. } => format!("wsrep_desync is {}", if *to { "ON" } else { "OFF" }),
            _ => String::new(),
        };
        self.append(session, Event::Done { step, text }).await
    }
}

//! The steps themselves: what stands is looked at before a run goes on, and each change is performed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{Driver, Session, Stop, asked};
use crate::{
    plan::{Change, Object},
    run::{
        Event, StepState,
        decide::{Leaving, deadline},
        lease::LeaseStanding,
        perform::{Context, EventNote, Failure, Performed, act},
    },
};

/// How long an endpoint of the database may not answer before an operator is asked.
const SILENCE: Duration = Duration::from_secs(30);
/// How long to wait before a blocked eviction is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

impl Driver {
    /// Asks everything that is left to be changed or waited for by its own word: what the watches have shown so far may
    /// be older than the last write of a session that died.
    pub(super) async fn look(&mut self, session: &Session<'_>) -> Result<(), Stop> {
        let changes: BTreeMap<Object, Change> = {
            let run = self.run.borrow();
            let steps = run.plan().steps.iter().zip(&run.steps).filter(|(_, state)| !state.is_through());
            steps.map(|(step, _)| (step.change.object(), step.change.clone())).collect()
        };
        for (object, change) in changes {
            self.say(Some(format!("looking at {object}")));
            let looked = self.insist(|| act(&change).look(&session.writer));
            let looked = match object.is_of_database() {
                true => timeout(SILENCE, looked).await,
                false => Ok(looked.await),
            };
            match looked {
                Ok(Ok(Some(mark))) => {
                    self.facts.marks.insert(object, mark);
                }
                Ok(Ok(None)) => {}
                Ok(Err(failure)) => return Err(Stop::Pause(self.current(), failure.text())),
                Err(_) => return Err(Stop::Pause(self.current(), self.silence())),
            }
        }
        Ok(())
    }

    /// What was last tried, when it was tried for too long.
    fn silence(&self) -> String {
        let tried = self.tried.lock().expect("nothing panics while it holds this lock").clone();
        format!("{tried}, for {} s", SILENCE.as_secs())
    }

    /// Writes down that a step begins, does it, and writes down that it is done. A wait has nothing to be done.
    pub(super) async fn perform(&mut self, session: &mut Session<'_>, step: usize) -> Result<(), Stop> {
        let change = self.run.borrow().plan().steps[step].change.clone();
        self.keep_versions(session, &change).await?;
        self.append(session, Event::Started { step }).await?;
        if !change.is_write() {
            return Ok(());
        }
        // Without the leases, the loop sees to them, and then decides again.
        let Some((performed, sent)) = self.write(session, step, &change).await? else { return Ok(()) };
        let text = match performed.wrote || sent {
            true => self.told(session, step, performed.text).await,
            false => performed.text,
        };
        self.append(session, Event::Done { step, text }).await
    }

    /// Takes an earlier step back on the way out. What became the cluster's own is not taken back.
    pub(super) async fn take_back(&mut self, session: &mut Session<'_>, step: usize) -> Result<(), Stop> {
        let (change, of) = {
            let run = self.run.borrow();
            let at = &run.plan().steps[step];
            (at.change.clone(), at.takes_back.unwrap_or(step))
        };
        if self.run.borrow().steps[step] == StepState::Waiting {
            self.append(session, Event::Started { step }).await?;
        }
        let performed = match self.write(session, step, &change).await {
            Ok(Some((performed, _))) => performed,
            Ok(None) => return Ok(()),
            Err(stop) => return Err(self.still_borrowed(stop, &change)),
        };
        let event = match performed.kept {
            true => Event::Skipped { step, text: performed.text },
            false => Event::TakenBack { step: of, text: performed.text },
        };
        self.append(session, event).await
    }

    /// Why the run leaves, and that it leaves something behind.
    fn still_borrowed(&self, stop: Stop, change: &Change) -> Stop {
        let words = self.run.borrow().plan().words(change);
        let left = self.run.borrow().leaving.clone().map(Leaving::GiveUp);
        let (Stop::Pause(at, why), Some(leaving)) = (stop, left.as_ref().or(self.facts.leaving.as_ref()))
        else {
            return Stop::Unwritten(format!("still to do: {words}"));
        };
        match leaving {
            Leaving::Pause(step, because) => {
                Stop::Pause(*step, format!("{because}; still to do: {words}: {why}"))
            }
            Leaving::GiveUp(because) => Stop::Pause(at, format!("{because}; still to do: {words}: {why}")),
        }
    }

    /// Sends a write, again and again while there is no answer. `None`: the leases are not good at this moment. The
    /// flag says that something may have been sent.
    async fn write(
        &mut self,
        session: &Session<'_>,
        step: usize,
        change: &Change,
    ) -> Result<Option<(Performed, bool)>, Stop> {
        let (words, id) = {
            let run = self.run.borrow();
            (run.plan().words(change), run.id.clone())
        };
        self.say(Some(words));
        let sent = AtomicBool::new(false);
        let fence = || {
            let good = session.leases.standing() == LeaseStanding::Good;
            sent.fetch_or(good, Ordering::Relaxed);
            good
        };
        let context = Context { run: &id, fence: &fence, dry: false };
        loop {
            let tries = self.insist(|| act(change).perform(&session.writer, &context));
            let written = match change.object().is_of_database() {
                true => timeout(SILENCE, tries).await,
                false => Ok(tries.await),
            };
            match written {
                Ok(Ok(performed)) => {
                    if let Some(mark) = performed.mark.clone() {
                        self.facts.marks.insert(change.object(), mark);
                    }
                    return Ok(Some((performed, sent.into_inner())));
                }
                Ok(Err(Failure::Fenced)) => return Ok(None),
                Ok(Err(Failure::Blocked(text))) => self.blocked(session, step, text).await?,
                // Who gives a run up wants it closed: what somebody else has changed since is theirs.
                Ok(Err(Failure::Drift(why))) if self.is_given_up() => {
                    let text = format!("left as it is: {why}");
                    let performed = Performed { wrote: false, text, mark: None, kept: true };
                    return Ok(Some((performed, false)));
                }
                Ok(Err(failure)) => return Err(Stop::Pause(step, failure.text())),
                Err(_) => return Err(Stop::Pause(step, self.silence())),
            }
        }
    }

    /// An operator has closed the run.
    fn is_given_up(&self) -> bool {
        let leaving = self.run.borrow().leaving.clone();
        leaving.is_some_and(|why| why.starts_with("given up by "))
    }

    /// Waits a moment before what a disruption budget does not allow is asked for again, until the step's time is over.
    async fn blocked(&self, session: &Session<'_>, step: usize, text: String) -> Result<(), Stop> {
        let now = session.writer.clock.now();
        let (until, within) = {
            let run = self.run.borrow();
            (deadline(&run, step, now), run.plan().steps[step].within)
        };
        if now >= until {
            return Err(Stop::Pause(step, format!("{text} for {within} s")));
        }
        self.say(Some(text.clone()));
        let mut pause = self.pause.clone();
        tokio::select! {
            () = sleep(AGAIN) => Ok(()),
            () = asked(&mut pause) => Err(Stop::Pause(step, text)),
        }
    }

    /// Tells of a write in an Event. Not being able to is worth a note in the step's text, no more.
    pub(super) async fn told(&self, session: &Session<'_>, step: usize, text: String) -> String {
        let told = {
            let run = self.run.borrow();
            let Some(telling) = act(&run.plan().steps[step].change).tells() else { return text };
            let (who, id) = (&self.access.who.operator, &run.id);
            let why = run.approved.reason().map_or(String::new(), |r| format!(": {r}"));
            let name = format!("{}.{id}-{step}", telling.involved.name());
            let message = format!("{who} {} (run {id}){why}", telling.what);
            EventNote { name, involved: telling.involved, reason: telling.reason, message }
        };
        match session.writer.tell(told).await {
            Ok(()) => text,
            Err(failure) => format!("{text}; no Event tells of it: {}", failure.text()),
        }
    }
}

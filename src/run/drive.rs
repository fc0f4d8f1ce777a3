//! Drives one run in one session: takes the leases, writes down, performs, waits, verifies, gives the leases back.
//!
//! Started by `run::start` and `run::resume`; asks `decide` what to do and `perform` to do it. The entry of a step is
//! stored before its request is sent and after it is answered, so that the end of this task at any moment leaves a
//! journal that another session can go on with.

mod act;
mod listen;
mod record;
mod versions;

pub(super) use record::store;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    Access, Entry, Event, JournalPlace, Outcome, Run,
    decide::{Decision, Facts, Leaving, decide},
    journal,
    lease::{LeaseStanding, Leases},
    local::LocalJournal,
    perform::{Failure, Writer},
    session::{self, Held, PATIENCE, asked, insist},
    watcher::Watcher,
};
use crate::{
    cluster::Snapshot,
    plan::{About, PartRef},
};

/// A time that comes this soon is looked for so often.
const NEAR: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(500);

/// How a run begins in this session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is new.
    New(JournalPlace),
    /// Its journal is there already.
    Again,
    /// Its journal is there already, and an operator takes what it waits for as succeeded.
    Succeeded,
    /// Its journal is there already, and all that is left is to say in it that it was given up, and why.
    GiveUp(String),
}

/// Why this session is through with a run before it is over.
enum Stop {
    /// It pauses at this step; that is still to be written down.
    Pause(usize, String),
    /// It can no longer be written down: it is somebody else's, or out of reach.
    Unwritten(String),
    /// Its journal was deleted or damaged: nobody can go on with it.
    Lost(String),
    /// It was never taken up.
    Refused(String),
}

/// Where the journal is kept, open for writing.
enum Open {
    Cluster(Box<ConfigMap>),
    Local(LocalJournal),
}

pub(super) struct Driver {
    access: Access,
    run: watch::Sender<Run>,
    seen: watch::Receiver<Arc<Snapshot>>,
    pause: watch::Receiver<bool>,
    facts: Facts,
    /// What was last tried without an answer.
    tried: Mutex<String>,
    /// What has been read of the log of a Job.
    ear: listen::Ear,
    /// When the time of the API server was last asked for.
    heard: Instant,
    /// What happens to the pods of its tenants.
    watcher: Watcher,
}

/// What a driver has once it is connected.
struct Session<'a> {
    writer: Writer,
    leases: &'a Leases,
    open: Open,
}

impl Driver {
    pub(super) fn new(
        access: Access,
        run: watch::Sender<Run>,
        seen: watch::Receiver<Arc<Snapshot>>,
        pause: watch::Receiver<bool>,
    ) -> Self {
        Self {
            access,
            run,
            seen,
            pause,
            facts: Facts::default(),
            tried: Mutex::default(),
            ear: listen::Ear::default(),
            heard: Instant::now(),
            watcher: Watcher::default(),
        }
    }

    /// Drives the run until it is over or paused.
    pub(super) async fn drive(mut self, begin: Begin) {
        let seen = self.seen.borrow().clone();
        let (id, tokens): (_, Vec<_>) = {
            let run = self.run.borrow();
            (run.id.clone(), run.entries.iter().map(|e| e.token).collect())
        };
        let held = match Held::connect(&self.access, &seen, &id, tokens).await {
            Ok(held) => held,
            Err(why) => return self.show(&begin, Stop::Refused(why)),
        };
        let (writer, leases) = (&held.writer, &held.leases);
        let stopped = held.during(self.carry(&begin, writer, leases)).await;
        leases.release().await;
        if let Some(stop) = stopped {
            self.show(&begin, stop);
        }
        self.say(None);
        self.sweep(writer).await;
    }

    /// From the leases to the last entry.
    async fn carry(&mut self, begin: &Begin, writer: &Writer, leases: &Leases) -> Result<(), Stop> {
        let local = match begin {
            Begin::New(place) => *place == JournalPlace::Local,
            Begin::Again | Begin::Succeeded | Begin::GiveUp(_) => self.run.borrow().local,
        };
        if !local {
            self.take(leases).await?;
        }
        let open = match begin {
            Begin::New(_) => self.open_new(local).map_err(Stop::Refused)?,
            Begin::Again | Begin::Succeeded | Begin::GiveUp(_) => {
                self.reopen(local, writer, leases.token()).await?
            }
        };
        let mut session = Session { writer: writer.clone(), leases, open };
        let nothing_borrowed = {
            let run = self.run.borrow();
            run.borrowed().next().is_none() && run.unconfirmed().is_none()
        };
        let first = match begin {
            Begin::GiveUp(why) if nothing_borrowed => Event::Finished {
                outcome: Outcome::Failed,
                text: super::tell::failure(&self.run.borrow(), why),
            },
            Begin::New(_) | Begin::Again | Begin::Succeeded | Begin::GiveUp(_) => Event::Taken,
        };
        if let Err(stop) = self.append(&mut session, first).await {
            return Err(match stop {
                Stop::Unwritten(why) | Stop::Lost(why) => Stop::Refused(why),
                other => other,
            });
        }
        if self.run.borrow().state.is_over() {
            return Ok(());
        }
        if *begin == Begin::Succeeded {
            let text = format!("taken as succeeded by {}", self.access.who.operator);
            let undecided = self.run.borrow().undecided();
            for step in undecided {
                self.append(&mut session, Event::Done { step, text: text.clone() }).await?;
            }
        }
        if let Begin::GiveUp(why) = begin {
            self.append(&mut session, Event::Leaving { why: why.clone() }).await?;
        }
        loop {
            match self.steps(&mut session).await {
                // What is borrowed must not stand while nobody is at it.
                Err(Stop::Pause(step, why)) if self.must_take_back(&session) => {
                    self.facts.leaving = Some(Leaving::Pause(step, why));
                }
                Err(Stop::Pause(step, why)) => {
                    let asked = self.facts.pause.is_some();
                    self.write_harm(&mut session, true).await?;
                    return self.append(&mut session, Event::Paused { step, why, asked }).await;
                }
                other => return other,
            }
        }
    }

    /// Something is borrowed, and this session may still give it back.
    fn must_take_back(&self, session: &Session<'_>) -> bool {
        let run = self.run.borrow();
        let borrowed = || run.borrowed().any(|i| !run.plan().steps[i].way_out);
        self.facts.leaving.is_none()
            && run.leaving.is_none()
            && !run.holds()
            && borrowed()
            && !matches!(session.leases.standing(), LeaseStanding::Lost(_))
    }

    /// The leases of all that the plan is about and that is not through, in the order of their names, so that two sessions that want the same
    /// ones cannot each hold half.
    async fn take(&mut self, leases: &Leases) -> Result<(), Stop> {
        let names: BTreeSet<String> = {
            let run = self.run.borrow();
            let about = || run.plan().steps.iter().map(|s| &s.about);
            let open: BTreeSet<_> =
                about().filter(|about| run.verified(about).is_none()).map(About::lease).collect();
            // Where nothing is left but to say so, the leases tell who may.
            if open.is_empty() { about().map(About::lease).collect() } else { open }
        };
        for name in names {
            self.say(Some(format!("taking the lease {name}")));
            let answer = self.insist(|| leases.take(&name)).await;
            session::taken(&name, answer).map_err(Stop::Refused)?;
        }
        Ok(())
    }

    fn open_new(&self, local: bool) -> Result<Open, String> {
        let run = self.run.borrow();
        if local {
            let wire = &self.access.wire;
            let book = LocalJournal::begin(&self.access.state_dir, wire.context(), wire.server(), &run)?;
            return Ok(Open::Local(book));
        }
        Ok(Open::Cluster(Box::new(journal::blank(&run, &self.access.journal_namespace)?)))
    }

    /// Opens the journal as it stands now, which may say more than what was seen when the operator chose to resume.
    async fn reopen(&mut self, local: bool, writer: &Writer, token: i64) -> Result<Open, Stop> {
        let id = self.run.borrow().id.clone();
        let (open, stored) = if local {
            let wire = &self.access.wire;
            let reopened = LocalJournal::reopen(&self.access.state_dir, wire.context(), wire.server(), &id);
            let (book, run) = reopened.map_err(Stop::Refused)?;
            (Open::Local(book), run)
        } else {
            let name = journal::name(&id);
            let found = self.insist(|| writer.journal(&name)).await;
            let found = found.map_err(|f| Stop::Refused(f.text()))?;
            let object = found.ok_or_else(|| Stop::Refused(format!("the journal {name} is gone")))?;
            let run = journal::of(&object).map_err(|e| Stop::Refused(format!("journal {name}: {e}")))?;
            (Open::Cluster(Box::new(object)), run)
        };
        if stored.state.is_over() {
            let why = format!("there is nothing left to do: the run is {} already", stored.state);
            self.run.send_replace(stored);
            return Err(Stop::Refused(why));
        }
        if stored.entries.iter().any(|e| e.token > token) {
            return Err(Stop::Refused("a session with a newer lease has written to its journal".into()));
        }
        self.run.send_modify(|run| {
            run.entries = stored.entries;
            run.steps = stored.steps;
            run.leaving = stored.leaving;
            run.log = stored.log;
        });
        Ok(open)
    }

    async fn steps(&mut self, session: &mut Session<'_>) -> Result<(), Stop> {
        if self.facts.leaving.is_none() {
            self.look(session).await?;
        }
        loop {
            self.hold(session).await?;
            if *self.pause.borrow() {
                self.facts.pause = Some(format!("paused by {}", self.access.who.operator));
            }
            let seen = self.seen.borrow_and_update().clone();
            let seen = aged(seen, session.writer.clock.now());
            self.watcher.look(&self.run.borrow(), &seen);
            self.write_harm(session, false).await?;
            let decision = decide(&self.run.borrow(), &seen, session.writer.clock.now(), &self.facts);
            match decision {
                Decision::Perform(step) => self.perform(session, step).await?,
                Decision::Skip(step, text) => self.append(session, Event::Skipped { step, text }).await?,
                Decision::Done(step, text) => {
                    self.keep_log(session, step).await?;
                    let text = self.told(session, step, text).await;
                    self.append(session, Event::Done { step, text }).await?;
                }
                Decision::Verify(about) => {
                    self.write_harm(session, true).await?;
                    let verdict = self.verdict(&about, &seen);
                    let (as_predicted, text) = verdict.unwrap_or((true, String::new()));
                    let lease = about.lease();
                    self.append(session, Event::Verified { about, as_predicted, text }).await?;
                    // Others may have it while the rest of the plan goes on; the last is given back at the end.
                    if self.run.borrow().current().is_some() {
                        session.leases.give_back_early(&lease).await;
                    }
                }
                Decision::TakeBack(step) => self.take_back(session, step).await?,
                Decision::Fail(step, why) => {
                    self.keep_log(session, step).await?;
                    if let Some(unknown) = self.unknown(step, &why) {
                        return Err(Stop::Pause(step, self.with_versions(step, unknown).await));
                    }
                    self.append(session, Event::Leaving { why }).await?;
                }
                Decision::Pause(step, why) => {
                    self.keep_log(session, step).await?;
                    let why = self.with_versions(step, why).await;
                    return Err(Stop::Pause(step, why));
                }
                Decision::Finish(..) if self.write_harm(session, true).await? => {}
                Decision::Finish(outcome, text) => {
                    let text = self.mark_undone(session, text).await?;
                    return self.append(session, Event::Finished { outcome, text }).await;
                }
                Decision::Wait { until, text } => {
                    self.say(Some(text));
                    let until = self.listen(session, &seen, until).await;
                    self.wait(session, until).await?;
                }
            }
        }
    }

    /// What came of a part of the plan: whether it is as predicted, and one sentence.
    fn verdict(&self, about: &About, seen: &Snapshot) -> Option<(bool, String)> {
        let run = self.run.borrow();
        let part = run.part(about)?;
        let verdict = part.verify(seen);
        Some(match part {
            PartRef::Tenant(part) => run.compared(part, verdict),
            PartRef::Node(_) | PartRef::Database(_) => verdict,
        })
    }

    /// Writes down what has happened to the pods of its tenants; whether anything was new.
    async fn write_harm(&mut self, session: &mut Session<'_>, all: bool) -> Result<bool, Stop> {
        let news = self.watcher.news(&self.run.borrow(), session.writer.clock.now(), all);
        let any = !news.is_empty();
        for (tenant, harm) in news {
            self.append(session, Event::Harmed { tenant, harm }).await?;
        }
        Ok(any)
    }

    /// Waits until the leases are good for writing.
    async fn hold(&mut self, session: &Session<'_>) -> Result<(), Stop> {
        loop {
            match session.leases.standing() {
                LeaseStanding::Good => return Ok(()),
                LeaseStanding::Lost(why) => return Err(Stop::Pause(self.current(), why)),
                LeaseStanding::Late(why) => {
                    self.say(Some(why.clone()));
                    tokio::select! {
                        () = session.leases.changed() => {}
                        () = asked(&mut self.pause) => return Err(Stop::Pause(self.current(), why)),
                    }
                }
            }
        }
    }

    /// Waits until something is seen, the time has come, a lease is lost, or an operator asks to stop.
    async fn wait(&mut self, session: &Session<'_>, until: Option<Timestamp>) -> Result<(), Stop> {
        let now = session.writer.clock.now();
        let pause = async {
            // Asked before: it was seen to, and this wait is for something else.
            if *self.pause.borrow() {
                std::future::pending().await
            } else {
                asked(&mut self.pause.clone()).await
            }
        };
        let time = async {
            match until.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default()) {
                // Never for long at once: the API server's clock may be found to be another. What is seen meanwhile does
                // not put that off.
                Some(left) => {
                    let soon = if left < NEAR { LOOK } else { PATIENCE };
                    let wait = left.min(soon.saturating_sub(self.heard.elapsed()));
                    sleep(wait.max(Duration::from_millis(50))).await;
                    session.writer.hear().await;
                }
                None => std::future::pending().await,
            }
        };
        let mut seen = self.seen.clone();
        let (ended, heard) = tokio::select! {
            changed = seen.changed() => (changed.is_err(), false),
            () = time => (false, true),
            () = session.leases.changed() => (false, false),
            () = pause => (false, false),
        };
        if heard {
            self.heard = Instant::now();
        }
        if ended {
            return Err(Stop::Pause(self.current(), "the program that drove it was left".into()));
        }
        Ok(())
    }

    /// Shows how it ended where that could not be written down.
    fn show(&self, begin: &Begin, stop: Stop) {
        let at = self.seen.borrow().dated(Timestamp::now());
        let (by, step) = (self.access.who.operator.clone(), self.current());
        let lost = match &stop {
            Stop::Lost(why) => Some(why.clone()),
            _ => None,
        };
        let event = match (stop, begin) {
            (Stop::Refused(text), Begin::New(_)) => Event::Finished { outcome: Outcome::Failed, text },
            (Stop::Refused(why) | Stop::Unwritten(why) | Stop::Lost(why), _) => {
                Event::Paused { step, why, asked: false }
            }
            (Stop::Pause(step, why), _) => Event::Paused { step, why, asked: false },
        };
        self.run.send_modify(|run| {
            run.doing = None;
            run.journal_lost = lost;
            // Refused because it was over already: it stays as its journal has it.
            let _ = run.apply(Entry { at, by, token: 0, event });
        });
    }

    /// The step it stands at.
    fn current(&self) -> usize {
        let run = self.run.borrow();
        run.current().unwrap_or(run.steps.len().saturating_sub(1))
    }

    fn say(&self, text: Option<String>) {
        self.run.send_if_modified(|run| {
            let new = run.doing != text;
            run.doing = text;
            new
        });
    }

    /// Repeats what can be repeated: for ever while there is no answer, some times while the API server is busy.
    async fn insist<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        op: impl Fn() -> F,
    ) -> Result<T, Failure> {
        insist(op, self.pause.clone(), |text| {
            self.tried.lock().expect("nothing panics while it holds this lock").clone_from(text);
            self.say(Some(format!("{text}; trying again")));
        })
        .await
    }

    /// Deletes the oldest finished journals. Where that is not possible they stay.
    async fn sweep(&self, writer: &Writer) {
        let oldest_finished = journal::oldest_finished(&self.seen.borrow());
        for (name, version) in oldest_finished {
            if let Err(failure) = writer.delete_journal(&name, &version).await {
                tracing::debug!(name, why = failure.text(), "an old journal stays");
                return;
            }
        }
    }
}

/// The same view at a later time: nothing but time has passed since it was published.
fn aged(seen: Arc<Snapshot>, now: Timestamp) -> Arc<Snapshot> {
    if now <= seen.at {
        return seen;
    }
    let mut later = (*seen).clone();
    later.at = now;
    Arc::new(later)
}

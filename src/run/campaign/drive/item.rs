//! The runs of the items: begun, gone on with, given up.

use std::sync::Arc;

use super::{Child, Considered, Driver, Event, ItemState, Session, Stop, consider};
use crate::{
    cluster::Snapshot,
    plan::{Confirmation, Plan},
    run::{
        self, JournalPlace, Run, RunSeen, RunState,
        campaign::{
            is_of_tenant,
            next::{brief, done},
        },
        rehearse,
    },
};

impl Driver {
    /// Plans an item on what is seen, writes its run down, and begins it.
    pub(super) async fn begin(
        &mut self,
        session: &mut Session<'_>,
        item: usize,
        seen: &Arc<Snapshot>,
    ) -> Result<(), Stop> {
        let begun = match &self.campaign.borrow().states[item] {
            ItemState::Running(id) => Some(id.clone()),
            _ => None,
        };
        if let Some(id) = &begun
            && self.is_written(session, id).await?
        {
            // The watch has not told it yet.
            self.publish(Some(format!("reading run {id}").into()));
            return self.wait(session).await;
        }
        let considered = consider(&self.campaign.borrow(), item, seen, session.writer.clock.now());
        let plan = match considered {
            Considered::Run(plan) => *plan,
            Considered::Skip(why) => return self.append(session, vec![Event::Skipped { item, why }]).await,
            Considered::Later(why) => {
                self.publish(Some(why));
                return self.wait(session).await;
            }
            Considered::Elsewhere(to, why) => {
                // What was to be begun as a run that does not exist is to be begun again.
                let again = begun.map(|_| Event::Retried { item });
                let events = again.into_iter().chain([Event::Retargeted { item, to, why }]).collect();
                return self.append(session, events).await;
            }
            Considered::Stop(why, beyond) => {
                return Err(Stop::Pause { why, asked: false, beyond: beyond.then_some(item) });
            }
        };
        if is_of_tenant(&plan.intent) {
            let words = self.campaign.borrow().words(item);
            self.publish(Some(format!("asking whether the writes would pass: {words}").into()));
            let barred = self.insist(|| rehearse::barred(&session.writer, &plan)).await;
            if let Some(why) = barred.map_err(|failure| Stop::because(failure.text()))? {
                return self.append(session, vec![Event::Skipped { item, why: brief(&why) }]).await;
            }
        }
        let id = begun.unwrap_or_else(|| run::new_id(session.writer.clock.now()));
        self.append(session, vec![Event::Began { item, run: id.clone() }]).await?;
        self.launch(id, plan)
    }

    fn launch(&mut self, id: String, plan: Plan) -> Result<(), Stop> {
        // What is grave was agreed to, or the plan would lie outside of what was.
        let typed = match plan.confirmation() {
            Confirmation::Type(text) => Some(text),
            Confirmation::Yes => None,
        };
        let (campaign, reason, local) = {
            let campaign = self.campaign.borrow();
            (campaign.id.clone(), campaign.reason.clone(), campaign.local)
        };
        let approved =
            plan.approve(typed.as_deref(), reason).map_err(|why| Stop::because(why.to_string()))?;
        let place = if local { JournalPlace::Local } else { JournalPlace::Cluster };
        let access = self.access.clone();
        let handle = run::begin(access, id.clone(), Some(campaign), approved, place, self.seen.clone());
        self.children.insert(id, Child { handle, through: false });
        self.publish(None);
        Ok(())
    }

    /// Whether the journal of a run is there, by the API server's own word.
    async fn is_written(&self, session: &Session<'_>, id: &str) -> Result<bool, Stop> {
        if self.campaign.borrow().local {
            return Ok(false);
        }
        let name = run::journal::name(id);
        let found = self.insist(|| session.writer.journal(&name)).await;
        found.map(|found| found.is_some()).map_err(|failure| Stop::because(failure.text()))
    }

    /// Goes on with the run of an item that stands still.
    pub(super) async fn resume(
        &mut self,
        session: &mut Session<'_>,
        item: usize,
        runs: &[RunSeen],
    ) -> Result<(), Stop> {
        let Some(run) = self.run_of(item, runs) else { return Ok(()) };
        self.append(session, vec![Event::Resumed { item }]).await?;
        let id = run.id.clone();
        let handle = run::resume(self.access.clone(), run, self.seen.clone());
        self.children.insert(id, Child { handle, through: false });
        Ok(())
    }

    /// Gives up the run of an item that stands still: what it borrowed is taken back.
    pub(super) async fn give_up(
        &mut self,
        item: usize,
        why: &str,
        runs: &[RunSeen],
    ) -> Result<Option<Run>, Stop> {
        let Some(run) = self.run_of(item, runs) else { return Ok(None) };
        let id = run.id.clone();
        let name = run.short().to_owned();
        let handle = run::give_up(self.access.clone(), run, why, self.seen.clone());
        self.children.insert(id.clone(), Child { handle, through: false });
        self.publish(Some(format!("run {name} is given up: {why}").into()));
        let Some(child) = self.children.get_mut(&id) else { return Ok(None) };
        let run = child.handle.ended().await;
        child.through = true;
        match run.state {
            state if state.is_over() => Ok(Some(run)),
            // It only gives back by now, and could not: it stays open by itself, and the others do not wait for it.
            _ if run.leaving.is_some() && is_of_tenant(&run.plan().intent) => Ok(Some(run)),
            RunState::Paused => {
                let last = run.last_word().unwrap_or(why).to_owned();
                Err(Stop::because(format!("run {name} cannot be given up: {last}")))
            }
            _ => Err(Stop::because(format!("run {name} cannot be given up: {why}"))),
        }
    }

    /// The run of an item that is under way.
    fn run_of(&self, item: usize, runs: &[RunSeen]) -> Option<Run> {
        let campaign = self.campaign.borrow();
        let ItemState::Running(id) = &campaign.states[item] else { return None };
        runs.iter().find(|known| known.run.id == *id).map(|known| known.run.clone())
    }

    /// Closes the campaign: its runs that stand still are given up, what was done stays.
    pub(super) async fn close(&mut self, session: &mut Session<'_>, why: &str) -> Result<(), Stop> {
        let seen = self.seen.borrow_and_update().clone();
        let runs = self.runs(&seen);
        let open: Vec<_> = {
            let campaign = self.campaign.borrow();
            (0..campaign.items.len())
                .filter(|i| matches!(campaign.states[*i], ItemState::Running(_)))
                .collect()
        };
        for item in open {
            let event = match self.run_of(item, &runs) {
                None => Event::Retried { item },
                // A job that may be under way is no campaign's to end: its run stays open.
                Some(run) if !run.state.is_over() && run.holds() => {
                    Event::Held { item, why: format!("its run stays open, {why}") }
                }
                Some(run) => {
                    let run = match run.state.is_over() {
                        true => run,
                        false => self.give_up(item, why, &runs).await?.unwrap_or(run),
                    };
                    match run.state {
                        RunState::Done => done(item, &run),
                        // What it still holds is told before what came about.
                        _ if !run.state.is_over() => {
                            Event::Held { item, why: brief(run.last_word().unwrap_or(why)) }
                        }
                        _ if run.came_about().is_some() => done(item, &run),
                        _ => Event::Failed { item, why: run.last_word().unwrap_or(why).to_owned() },
                    }
                }
            };
            self.append(session, vec![event]).await?;
        }
        self.append(session, vec![Event::Finished { whole: false, text: why.to_owned() }]).await
    }
}

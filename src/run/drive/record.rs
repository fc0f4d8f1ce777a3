//! What has happened is written down: in the journal, in the audit log, and in the journal of a run that was taken
//! back.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;

use super::{Driver, Open, Session, Stop};
use crate::{
    plan::Intent,
    run::{
        Entry, Event, Run, RunState, journal,
        local::{self, Audited, LocalJournal},
        perform::{Failure, Writer},
    },
};

impl Driver {
    /// A run that takes another back says so in that one's journal; before it ends itself, so that a crash in between
    /// does not leave the other one unmarked.
    pub(super) async fn mark_undone(&mut self, session: &Session<'_>, text: String) -> Result<String, Stop> {
        let (undone, entry) = {
            let run = self.run.borrow();
            let Intent::Undo { run: undone, .. } = &run.plan().intent else { return Ok(text) };
            (undone.clone(), self.entry(session, Event::Undone { by_run: run.id.clone() }))
        };
        if matches!(session.open, Open::Local(_)) {
            let wire = &self.access.wire;
            let marked = LocalJournal::reopen(&self.access.state_dir, wire.context(), wire.server(), &undone)
                .and_then(|(mut book, run)| match run.state {
                    RunState::Undone => Ok(()),
                    _ => book.append(&journal::line(&entry)).map_err(|e| e.to_string()),
                });
            return Ok(match marked {
                Ok(()) => text,
                Err(why) => format!("{text}; {why}"),
            });
        }
        match self.insist(|| mark(&session.writer, &undone, &entry)).await {
            Ok(None) => Ok(text),
            Ok(Some(note)) => Ok(format!("{text}; {note}")),
            Err(Failure::Interrupted(why)) => Err(Stop::Pause(self.current(), why)),
            Err(failure) => Ok(format!("{text}; run {undone} could not be marked: {}", failure.text())),
        }
    }

    pub(super) fn entry(&self, session: &Session<'_>, event: Event) -> Entry {
        let by = self.access.who.operator.clone();
        let at = session.writer.clock.now();
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        Entry { at, by, token: session.leases.token(), event }
    }

    /// Stores an entry, then lets everybody see it.
    pub(super) async fn append(&mut self, session: &mut Session<'_>, event: Event) -> Result<(), Stop> {
        let entry = self.entry(session, event);
        let mut next = self.run.borrow().clone();
        next.apply(entry.clone())
            .map_err(|why| Stop::Unwritten(format!("its journal does not allow it: {why}")))?;
        next.doing = None;
        let lost = |text: &str| Stop::Lost(format!("the run can no longer be written down: {text}"));
        match &mut session.open {
            Open::Cluster(object) => {
                let before = journal::events(object).to_owned();
                let wanted = journal::with(object, &next, &entry).map_err(Stop::Unwritten)?;
                let writer = &session.writer;
                let stored = self.insist(|| store(writer, &wanted, &before, "plan")).await;
                **object = match stored {
                    Ok(stored) => stored,
                    Err(Failure::Drift(text)) if is_lost(writer, &next.id).await => return Err(lost(&text)),
                    Err(failure) => {
                        let text = failure.text();
                        return Err(Stop::Unwritten(format!(
                            "the run can no longer be written down: {text}"
                        )));
                    }
                };
            }
            Open::Local(book) => {
                let path = book.path().display().to_string();
                book.append(&journal::line(&entry))
                    .map_err(|e| Stop::Unwritten(format!("the journal {path} cannot be written: {e}")))?;
            }
        }
        next.unaudited = self.audit(&next, &entry).err().or(next.unaudited);
        self.run.send_replace(next);
        Ok(())
    }

    /// # Errors
    /// One sentence: it cannot be written.
    fn audit(&self, run: &Run, entry: &Entry) -> Result<(), String> {
        let written = match &entry.event {
            Event::Started { step } | Event::Done { step, .. } => {
                run.plan().steps.get(*step).map(|s| &s.change).filter(|change| change.is_write())
            }
            _ => None,
        };
        let of_database = written.filter(|change| change.object().is_of_database());
        let kubectl = written.and_then(|change| change.by_hand(&self.seen.borrow()));
        let change = of_database.map(ToString::to_string);
        let line = Audited {
            time: entry.at,
            operator: &self.access.who.operator,
            user: self.access.who.user.as_deref(),
            context: self.access.wire.context(),
            server: self.access.wire.server(),
            run: Some(&run.id),
            campaign: run.campaign.as_deref(),
            event: &entry.event,
            kubectl: kubectl.as_deref(),
            database: change.as_deref(),
            reason: run.approved.reason(),
        };
        local::audit(&self.access.state_dir, &line).map_err(|error| {
            tracing::warn!(%error, run = run.id, "the audit log cannot be written");
            format!(
                "the audit file {} cannot be written: {error}",
                local::audit_file(&self.access.state_dir).display()
            )
        })
    }
}

/// Whether the journal of a run is gone, or holds what nobody can read: then nobody can go on with the run.
async fn is_lost(writer: &Writer, id: &str) -> bool {
    match writer.journal(&journal::name(id)).await {
        Ok(Some(found)) => journal::of(&found).is_err(),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Stores a journal in place of the one whose events were `before`; `head` is the key of what was approved. Found to stand
/// already: the answer had got lost. What others have added under another key stays.
pub(in crate::run) async fn store(
    writer: &Writer,
    wanted: &ConfigMap,
    before: &str,
    head: &str,
) -> Result<ConfigMap, Failure> {
    let mut wanted = wanted.clone();
    let name = wanted.metadata.name.clone().unwrap_or_default();
    for _ in 0..5 {
        match writer.put_journal(&wanted).await {
            Err(failure) if failure.is_conflict() => {}
            Err(failure) if failure.is_missing() => {
                return Err(Failure::Drift(format!("the journal {name} was deleted")));
            }
            other => return other,
        }
        let Some(found) = writer.journal(&name).await? else { continue };
        let text = |map: &ConfigMap, key: &str| map.data.as_ref().and_then(|d| d.get(key)).cloned();
        let same_plan = text(&found, head) == text(&wanted, head);
        if same_plan && journal::events(&found) == journal::events(&wanted) {
            return Ok(found);
        }
        if !same_plan || journal::events(&found) != before {
            let what = if head == "plan" { "run" } else { head };
            let text = match last_by(&found) {
                Some(who) if same_plan && journal::events(&found).starts_with(before) => {
                    format!("{who} has taken the {what} over")
                }
                _ => format!("the journal {name} is damaged: somebody has written something else into it"),
            };
            return Err(Failure::Drift(text));
        }
        for (key, text) in found.data.unwrap_or_default() {
            if key != head && key != "events" {
                wanted.data.get_or_insert_default().insert(key, text);
            }
        }
        wanted.metadata.resource_version = found.metadata.resource_version;
    }
    Err(Failure::Drift(format!("the journal {name} is being changed by others all the time")))
}

/// Who wrote the last entry of a journal; `None`: it is no entry.
fn last_by(journal: &ConfigMap) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct By {
        by: String,
    }
    let last = journal::events(journal).lines().last();
    last.and_then(|line| serde_json::from_str::<By>(line).ok()).map(|last| last.by)
}

/// Adds that it was undone to another run's journal; a note when there is none to add to.
async fn mark(writer: &Writer, undone: &str, entry: &Entry) -> Result<Option<String>, Failure> {
    let name = journal::name(undone);
    loop {
        let Some(found) = writer.journal(&name).await? else {
            return Ok(Some(format!("the journal of run {undone} is gone")));
        };
        let Ok(mut run) = journal::of(&found) else {
            return Ok(Some(format!("the journal of run {undone} cannot be read")));
        };
        if run.state == RunState::Undone {
            return Ok(None);
        }
        if let Err(why) = run.apply(entry.clone()) {
            return Ok(Some(format!("run {undone} cannot be marked: {why}")));
        }
        let wanted = match journal::with(&found, &run, entry) {
            Ok(wanted) => wanted,
            Err(why) => return Ok(Some(why)),
        };
        match writer.put_journal(&wanted).await {
            Err(failure) if failure.is_conflict() => {}
            other => return other.map(|_| None),
        }
    }
}

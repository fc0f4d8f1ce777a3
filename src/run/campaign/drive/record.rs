//! What has happened is written down: in the journal, in the audit log, and in the journal of a campaign that was taken
//! back.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::{Driver, Entry, Event, Open, Session, Stop, journal};
use crate::run::{
    campaign::{Campaign, CampaignState, record},
    drive::store,
    local::{self, Audited, LocalJournal},
    perform::{Failure, Writer},
};

/// How long the time of the API server is waited for.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

impl Driver {
    pub(super) fn open_new(&self, local: bool) -> Result<Open, String> {
        let campaign = self.campaign.borrow();
        if local {
            let book = LocalJournal::create(self.path(&campaign.id), &record::head(&campaign)?)?;
            return Ok(Open::Local(book));
        }
        Ok(Open::Cluster(Box::new(journal::blank(&campaign, &self.access.journal_namespace)?)))
    }

    /// Where the journal of a campaign is on this machine.
    fn path(&self, id: &str) -> std::path::PathBuf {
        let wire = &self.access.wire;
        local::path(&self.access.state_dir, local::CAMPAIGNS, wire.context(), wire.server(), id)
    }

    /// Opens the journal as it stands now, which may say more than what was seen when the operator chose to go on.
    pub(super) async fn reopen(&mut self, local: bool, writer: &Writer, token: i64) -> Result<Open, Stop> {
        let id = self.campaign.borrow().id.clone();
        let (open, stored) = if local {
            let (book, path, text) = LocalJournal::open(self.path(&id)).map_err(Stop::Refused)?;
            let stored = journal::of_file(&path, &text);
            let stored = stored.map_err(|e| Stop::Refused(format!("journal {}: {e}", path.display())))?;
            (Open::Local(book), stored)
        } else {
            let name = journal::name(&id);
            let found = self.insist(|| writer.journal(&name)).await;
            let found = found.map_err(|f| Stop::Refused(f.text()))?;
            let object = found.ok_or_else(|| Stop::Refused(format!("the journal {name} is gone")))?;
            let stored = journal::of(&object).map_err(|e| Stop::Refused(format!("journal {name}: {e}")))?;
            (Open::Cluster(Box::new(object)), stored)
        };
        if stored.state.is_over() {
            let why = format!("there is nothing left to do: the campaign is {} already", stored.state.word());
            self.campaign.send_replace(stored);
            return Err(Stop::Refused(why));
        }
        if stored.entries.iter().any(|e| e.token > token) {
            return Err(Stop::Refused("a session with a newer lease has written to its journal".into()));
        }
        self.before = stored.asked.len();
        // It is being taken up: a pause that it is taken out of is none.
        self.campaign.send_replace(Campaign { state: CampaignState::Running, ..stored });
        Ok(open)
    }

    /// Stores entries of this session, then lets everybody see them.
    pub(super) async fn append(&mut self, session: &mut Session<'_>, events: Vec<Event>) -> Result<(), Stop> {
        let by = self.access.who.operator.clone();
        self.append_as(session, events, by, 0).await
    }

    /// The same for who wished it; `heard` so many wishes of the journal are answered with them. All of them are stored
    /// at once or none.
    pub(super) async fn append_as(
        &mut self,
        session: &mut Session<'_>,
        events: Vec<Event>,
        by: String,
        heard: usize,
    ) -> Result<(), Stop> {
        // How long an item took is told by these entries: where clocks do not run alike, ours is set first.
        if events.iter().any(|event| matches!(event, Event::Began { .. } | Event::Done { .. })) {
            let _ = timeout(HEARD_WITHIN, session.writer.hear()).await;
        }
        let at = session.writer.clock.now();
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        let token = session.leases.token();
        let (mut next, mut entries) = (self.campaign.borrow().clone(), Vec::new());
        // What was heard before and waits for its entry is answered with this one too.
        let answered = next.entries.iter().map(|e| e.heard).max().unwrap_or(0);
        let heard = Some(heard.max(next.heard)).filter(|heard| *heard > answered).unwrap_or(0);
        for event in events {
            let entry = Entry { at, by: by.clone(), token, heard, event };
            next.apply(entry.clone())
                .map_err(|why| Stop::Unwritten(format!("its journal does not allow it: {why}")))?;
            entries.push(entry);
        }
        match &mut session.open {
            Open::Cluster(object) => {
                let before = crate::run::journal::events(object).to_owned();
                let wanted = journal::with(object, &next, &entries).map_err(Stop::Unwritten)?;
                let writer = &session.writer;
                let stored = self.insist(|| store(writer, &wanted, &before, journal::HEAD)).await;
                let stored = stored.map_err(|f| {
                    Stop::Unwritten(format!("the campaign can no longer be written down: {}", f.text()))
                })?;
                **object = stored;
            }
            Open::Local(book) => {
                let path = book.path().display().to_string();
                let lines: String = entries.iter().map(record::line).collect();
                book.append(&lines)
                    .map_err(|e| Stop::Unwritten(format!("the journal {path} cannot be written: {e}")))?;
            }
        }
        for entry in &entries {
            self.audit(&next, entry);
        }
        self.campaign.send_modify(|campaign| {
            next.asked = std::mem::take(&mut campaign.asked);
            next.under_way = std::mem::take(&mut campaign.under_way);
            *campaign = next;
        });
        Ok(())
    }

    fn audit(&self, campaign: &Campaign, entry: &Entry) {
        let line = Audited {
            time: entry.at,
            operator: &entry.by,
            user: self.access.who.user.as_deref(),
            context: self.access.wire.context(),
            server: self.access.wire.server(),
            run: None,
            campaign: Some(&campaign.id),
            event: &entry.event,
            kubectl: None,
            database: None,
            reason: campaign.reason.as_deref(),
        };
        if let Err(error) = local::audit(&self.access.state_dir, &line) {
            tracing::warn!(%error, campaign = campaign.id, "the audit log cannot be written");
        }
    }

    /// A campaign that takes another back says so in that one's journal, once all of it is through; before it ends
    /// itself, so that a crash in between does not leave the other one unmarked.
    pub(super) async fn mark_undone(
        &mut self,
        session: &Session<'_>,
        whole: bool,
        text: String,
    ) -> Result<String, Stop> {
        let (undone, id) = {
            let campaign = self.campaign.borrow();
            let Some(undone) = campaign.undoes.clone().filter(|_| whole) else { return Ok(text) };
            (undone, campaign.id.clone())
        };
        let entry = Entry {
            at: session.writer.clock.now(),
            by: self.access.who.operator.clone(),
            token: session.leases.token(),
            heard: 0,
            event: Event::Undone { by_campaign: id },
        };
        let marked = match session.open {
            Open::Local(_) => self.mark_file(&undone, &entry),
            Open::Cluster(_) => match self.insist(|| mark(&session.writer, &undone, &entry)).await {
                Ok(note) => note,
                Err(Failure::Interrupted(why)) => return Err(Stop::because(why)),
                Err(failure) => Some(format!("campaign {undone} could not be marked: {}", failure.text())),
            },
        };
        Ok(match marked {
            None => text,
            Some(note) => format!("{text}; {note}"),
        })
    }

    fn mark_file(&self, undone: &str, entry: &Entry) -> Option<String> {
        let marked = LocalJournal::open(self.path(undone)).and_then(|(mut book, path, text)| {
            let campaign = journal::of_file(&path, &text)?;
            match campaign.state {
                CampaignState::Undone => Ok(()),
                _ => book.append(&record::line(entry)).map_err(|e| e.to_string()),
            }
        });
        marked.err()
    }
}

/// Adds that it was undone to another campaign's journal; a note when there is none to add to.
async fn mark(writer: &Writer, undone: &str, entry: &Entry) -> Result<Option<String>, Failure> {
    let name = journal::name(undone);
    loop {
        let Some(found) = writer.journal(&name).await? else {
            return Ok(Some(format!("the journal of campaign {undone} is gone")));
        };
        let Ok(mut campaign) = journal::of(&found) else {
            return Ok(Some(format!("the journal of campaign {undone} cannot be read")));
        };
        if campaign.state == CampaignState::Undone {
            return Ok(None);
        }
        if let Err(why) = campaign.apply(entry.clone()) {
            return Ok(Some(format!("campaign {undone} cannot be marked: {why}")));
        }
        let wanted = match journal::with(&found, &campaign, std::slice::from_ref(entry)) {
            Ok(wanted) => wanted,
            Err(why) => return Ok(Some(why)),
        };
        match writer.put_journal(&wanted).await {
            Err(failure) if failure.is_conflict() => {}
            other => return other.map(|_| None),
        }
    }
}

//! What is wished of a campaign is obeyed: each wish is answered with an entry, and counts as answered from then on.

use super::{Driver, Event, ItemState, Open, Session, Stop, Wish, journal};
use crate::{
    cluster::{Key, TenantName, words::short_run},
    plan::About,
    run::{campaign::Asked, reading::MIGRATED},
};

impl Driver {
    /// Answers what is wished of it: by this session, and by others in the journal.
    pub(super) async fn obey(&mut self, session: &mut Session<'_>) -> Result<(), Stop> {
        while let Ok(wish) = self.wished.try_recv() {
            self.own.push_back(wish);
        }
        if *self.halt.borrow() {
            self.pausing.get_or_insert_with(|| self.access.who.operator.clone());
        }
        while let Some(wish) = self.own.pop_front() {
            let by = self.access.who.operator.clone();
            self.answer(session, &wish, by, 0).await?;
        }
        self.hear(session);
        loop {
            let (heard, asked) = {
                let campaign = self.campaign.borrow();
                let Some(asked) = campaign.asked.get(campaign.heard).cloned() else { return Ok(()) };
                (campaign.heard + 1, asked)
            };
            self.answer(session, &asked.wish, asked.by, heard).await?;
        }
    }

    /// Reads what others wish of it, where there is more than was known.
    fn hear(&mut self, session: &Session<'_>) {
        let known = self.campaign.borrow().asked.len();
        let told = match &session.open {
            Open::Cluster(object) => {
                let mine = object.data.as_ref().and_then(|d| d.get(journal::ASKED)).cloned();
                let seen = self.seen.borrow();
                let key = Key::new(
                    self.access.journal_namespace.as_str(),
                    object.metadata.name.as_deref().unwrap_or_default(),
                );
                let theirs = seen.journals.get(&key).map(|j| j.asked.to_string());
                // Lines are only ever added: the longer one is the newer.
                [mine, theirs].into_iter().flatten().max_by_key(String::len).unwrap_or_default()
            }
            Open::Local(book) => {
                std::fs::read_to_string(book.path().with_extension(journal::ASKED)).unwrap_or_default()
            }
        };
        let asked = super::super::record::wishes(&told);
        if asked.len() > known {
            let asked = asked.into_iter().map(|wish| wish.unwrap_or_else(Asked::unread)).collect();
            self.campaign.send_modify(|campaign| campaign.asked = asked);
        }
    }

    /// Answers one wish; `heard` so many of the journal's are answered with it.
    async fn answer(
        &mut self,
        session: &mut Session<'_>,
        wish: &Wish,
        by: String,
        heard: usize,
    ) -> Result<(), Stop> {
        let decline = |why: &str| vec![Event::Declined { wish: wish.to_string(), why: why.into() }];
        let events = match wish {
            // Whoever took the campaign up since wants it to go on.
            Wish::Pause if heard > 0 && heard <= self.before => decline("it was taken up again since"),
            Wish::Pause => {
                self.pausing = Some(by.clone());
                // Answered by the pause itself.
                self.campaign.send_modify(|campaign| campaign.heard = campaign.heard.max(heard));
                return Ok(());
            }
            Wish::GoOn => match self.pausing.take() {
                Some(_) => decline("it goes on"),
                None => decline("it is under way"),
            },
            Wish::Stop if self.campaign.borrow().stopping => decline("it ends already"),
            Wish::Stop => vec![Event::Stopping],
            Wish::Skip { item } => {
                let items = self.open_items(|at, _| at == *item);
                self.skipped(session, items, &by).await?
            }
            Wish::SkipTenant { tenant } => {
                let items = self.open_items(|_, about| about == Some(tenant));
                self.skipped(session, items, &by).await?
            }
            Wish::Retry { item } => {
                let state = self.campaign.borrow().states.get(*item).cloned();
                match state {
                    Some(ItemState::Failed(_) | ItemState::Skipped(_)) => {
                        vec![Event::Retried { item: *item }]
                    }
                    Some(ItemState::Held(run, _)) => {
                        decline(&format!("run {} holds it: decide about that run", short_run(&run)))
                    }
                    _ => Vec::new(),
                }
            }
            Wish::Unread => decline("it is not understood: a newer wheelhouse wrote it"),
        };
        let events = if events.is_empty() { decline("nothing of it is left to do") } else { events };
        self.append_as(session, events, by, heard).await
    }

    /// Items that are not through, and of which this holds.
    fn open_items(&self, is: impl Fn(usize, Option<&TenantName>) -> bool) -> Vec<usize> {
        let campaign = self.campaign.borrow();
        let open = (0..campaign.items.len()).filter(|item| {
            let about = campaign.about(*item);
            let tenant = about.as_ref().and_then(About::tenant);
            matches!(campaign.states[*item], ItemState::Waiting | ItemState::Running(_) | ItemState::Held(..))
                && is(*item, tenant)
        });
        open.collect()
    }

    /// Leaves items out; the run of one that is under way is paused and given up first.
    async fn skipped(
        &mut self,
        session: &mut Session<'_>,
        items: Vec<usize>,
        by: &str,
    ) -> Result<Vec<Event>, Stop> {
        let why = format!("skipped by {by}");
        let mut events = Vec::new();
        for item in items {
            let state = self.campaign.borrow().states[item].clone();
            if let ItemState::Held(id, _) = &state {
                let seen = self.seen.borrow().clone();
                if self.runs(&seen).iter().any(|known| known.run.id == *id) {
                    let (wish, run) = (format!("skip {}", self.campaign.borrow().words(item)), short_run(id));
                    let why = format!("run {run} holds it: decide about that run");
                    events.push(Event::Declined { wish, why });
                    continue;
                }
            }
            if let ItemState::Running(id) = &state {
                let declined = |driver: &Self, why: &str| {
                    let wish = format!("skip {}", driver.campaign.borrow().words(item));
                    Event::Declined { wish, why: why.to_owned() }
                };
                let seen = self.seen.borrow().clone();
                let run = self.runs(&seen).into_iter().find(|known| known.run.id == *id);
                if let Some(why) = run.and_then(|known| known.run.beyond_skipping()) {
                    events.push(declined(self, why));
                    continue;
                }
                if let Some(child) = self.children.get_mut(id) {
                    child.handle.pause();
                    let run = child.handle.ended().await;
                    child.through = true;
                    if run.holds() && !run.state.is_over() {
                        let why = "its job had begun when it was to be skipped".to_owned();
                        events.push(Event::Held { item, why });
                        continue;
                    }
                }
                let seen = self.seen.borrow().clone();
                let runs = self.runs(&seen);
                match runs.iter().find(|known| known.run.id == *id) {
                    // It came through after all; what became of it is noted in its turn.
                    Some(known) if known.run.state.is_over() => continue,
                    // Its job succeeded while the wish was under way: what is left of it is done.
                    Some(known) if known.run.has_migrated() => {
                        events.push(declined(self, MIGRATED));
                        self.resume(session, item, &runs).await?;
                        continue;
                    }
                    Some(_) => {
                        let given_up = self.give_up(item, &why, &runs).await?;
                        // What it is for has come about: that stands, and is noted in its turn.
                        if given_up.is_some_and(|run| run.came_about().is_some()) {
                            continue;
                        }
                    }
                    None => {}
                }
            }
            events.push(Event::Skipped { item, why: why.clone() });
        }
        Ok(events)
    }
}

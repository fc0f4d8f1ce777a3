//! What was heard of the cockpit that looks for all: what it told last, and how old that is.
//!
//! It is as old as it says, by the API server's clock, and at least as old as one has it, by one's own.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{super::pack::unpacked, GOOD_FOR, News};
use crate::cluster::{Seen, platform::Sight};

/// Whoever goes over to looking begins with what was told so long ago at most: since when something is broken is worth more
/// than what it is like now, which is asked at once.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// What was heard.
#[derive(Default)]
pub(super) struct Heard {
    /// Somebody was asked and has answered, if only that it cannot be read.
    answered: bool,
    /// Why it cannot be read.
    unheard: Option<Arc<str>>,
    told: Option<HeardSight>,
}

/// What was told.
struct HeardSight {
    base64: String,
    heard: Instant,
    /// `None`: not read yet.
    by: Option<Result<By, Arc<str>>>,
    /// What is not shown yet.
    news: Option<Sight>,
}

/// Who told it, and when.
struct By {
    who: Arc<str>,
    session: Arc<str>,
    at: Timestamp,
}

impl Heard {
    /// Takes in what the API server says of the ConfigMap.
    pub(super) fn take(&mut self, news: News, now: Instant) {
        match news {
            Seen::All(all, _) | Seen::AllBut(all, _, _) => {
                (self.answered, self.unheard) = (true, None);
                match all.into_iter().next() {
                    Some((_, base64)) => self.put(base64, now),
                    None => self.told = None,
                }
            }
            Seen::Put(_, base64) => self.put(base64, now),
            Seen::Gone(_) => self.told = None,
            Seen::Lost(_, why) => (self.answered, self.unheard) = (true, Some(why)),
            Seen::Back(_) => self.unheard = None,
            Seen::Unreadable(..) | Seen::Reading(_) => {}
        }
    }

    fn put(&mut self, base64: String, heard: Instant) {
        if self.told.as_ref().is_none_or(|told| told.base64 != base64) {
            self.told = Some(HeardSight { base64, heard, by: None, news: None });
        }
    }

    /// Whether it is known what is told, if anything is.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// Why it cannot be read.
    pub(super) fn unheard(&self) -> Option<&Arc<str>> {
        self.unheard.as_ref()
    }

    /// Who of the others has told what is still good at this moment of the API server, or why that cannot be used. `None`:
    /// nothing is. For a program that looks, by itself since a moment, nothing is good that was told before.
    pub(super) fn told(
        &mut self,
        session: &str,
        looks_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Result<Arc<str>, Arc<str>>> {
        let told = self.told.as_mut().filter(|told| told.heard.elapsed() <= GOOD_FOR)?;
        let by = told.by.get_or_insert_with(|| {
            let sight = read(&told.base64)?;
            let by = By { who: sight.who.clone(), session: sight.session.clone(), at: sight.at };
            told.news = Some(sight);
            Ok(by)
        });
        match by {
            Err(why) => Some(Err(why.clone())),
            Ok(by) => {
                let is_newer = looks_since.is_none_or(|since| by.at > since);
                let is_good = *by.session != *session && is_newer && is_within(GOOD_FOR, by.at, now);
                is_good.then(|| Ok(by.who.clone()))
            }
        }
    }

    /// What was told, where it is not shown yet.
    pub(super) fn news(&mut self) -> Option<Sight> {
        self.told.as_mut()?.news.take()
    }

    /// What was told last, by whomever, where that is worth to begin with.
    pub(super) fn last(&self, now: Timestamp) -> Option<Sight> {
        let sight = read(&self.told.as_ref()?.base64).ok()?;
        is_within(KEPT_FOR, sight.at, now).then_some(sight)
    }
}

fn read(base64: &str) -> Result<Sight, Arc<str>> {
    Ok(unpacked(base64).and_then(|text| Sight::read(&text))?)
}

/// Whether two moments of the API server are that near: its clock may have been put back.
fn is_within(span: Duration, at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).unsigned_abs() <= span
}

//! What was heard of the cockpit that looks for all: what it told last, and how old that is.
//!
//! What comes while one listens is as old as one has it, by one's own clock that never goes back. What was there before is as
//! old as it says, by the API server's clock.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{super::pack::unpacked, GOOD_FOR, News};
use crate::cluster::{Seen, platform::Sight};

/// What was heard.
#[derive(Default)]
pub(super) struct Heard {
    /// Somebody was asked and has answered, if only that it cannot be read.
    answered: bool,
    /// Why it cannot be read.
    unheard: Option<Arc<str>>,
    told: Option<Told>,
}

/// What was told.
struct Told {
    base64: String,
    heard: Instant,
    /// It came while one listened.
    came: bool,
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
                    Some((_, base64)) => self.put(base64, false, now),
                    None => self.told = None,
                }
            }
            Seen::Put(_, base64) => self.put(base64, true, now),
            Seen::Gone(_) => self.told = None,
            Seen::Lost(_, why) => (self.answered, self.unheard) = (true, Some(why)),
            Seen::Back(_) => self.unheard = None,
            Seen::Unreadable(..) | Seen::Reading(_) => {}
        }
    }

    fn put(&mut self, base64: String, came: bool, heard: Instant) {
        if self.told.as_ref().is_none_or(|told| told.base64 != base64) {
            self.told = Some(Told { base64, heard, came, by: None, news: None });
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
    /// nothing is.
    pub(super) fn told(&mut self, session: &str, now: Timestamp) -> Option<Result<Arc<str>, Arc<str>>> {
        let told = self.told.as_mut()?;
        if told.heard.elapsed() > GOOD_FOR {
            return None;
        }
        if told.by.is_none() {
            let read = unpacked(&told.base64).and_then(|text| Sight::read(&text));
            let by = read.map(|sight| {
                let by = By { who: sight.who.clone(), session: sight.session.clone(), at: sight.at };
                told.news = Some(sight);
                by
            });
            told.by = Some(by.map_err(Into::into));
        }
        match told.by.as_ref()? {
            Err(why) => Some(Err(why.clone())),
            Ok(by) if *by.session == *session => None,
            Ok(by) => {
                let age = now.duration_since(by.at);
                let good = told.came || age.unsigned_abs() <= GOOD_FOR;
                good.then(|| Ok(by.who.clone()))
            }
        }
    }

    /// What was told, where it is not shown yet.
    pub(super) fn news(&mut self) -> Option<Sight> {
        self.told.as_mut()?.news.take()
    }
}

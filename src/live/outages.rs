//! What the log file is told: which source was lost when and why, and when it was back.
//!
//! Asked by the door before each publication. One cause is told once: while the API server is away, that is all there is to
//! say of the sources behind it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::cluster::{Freshness, Snapshot};

/// What is lost at present.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// Why, and whether that was told: what follows from the API server's outage is not.
    lost: BTreeMap<String, (Arc<str>, bool)>,
    /// When the course of events was last found broken.
    broken: Option<Timestamp>,
}

/// One line of the log.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Lost(String),
    Back(String),
}

impl Outages {
    /// Writes down what has changed since the last snapshot.
    pub fn note(&mut self, seen: &Snapshot) {
        for news in self.news(seen) {
            match news {
                News::Lost(text) => tracing::warn!("{text}"),
                News::Back(text) => tracing::info!("{text}"),
            }
        }
    }

    fn news(&mut self, seen: &Snapshot) -> Vec<News> {
        let mut news = Vec::new();
        let api = format!("API server {}", seen.api.server);
        self.one(api, &seen.api.freshness, None, &mut news);
        let away = seen.api.freshness.trouble();
        for (name, freshness) in seen.sources() {
            self.one(name.to_owned(), freshness, away, &mut news);
        }
        for member in seen.galera.values() {
            self.one(format!("member {}", member.name.as_str()), &member.link, away, &mut news);
        }
        for proxy in seen.proxies.values() {
            self.one(format!("proxy {}", proxy.name.as_str()), &proxy.link, away, &mut news);
        }
        if let Some((at, why)) = seen.api.broken_course.as_ref().filter(|(at, _)| self.broken != Some(*at)) {
            news.push(News::Lost(why.to_string()));
            self.broken = Some(*at);
        }
        news
    }

    fn one(&mut self, name: String, freshness: &Freshness, away: Option<&str>, news: &mut Vec<News>) {
        if let Some(why) = freshness.trouble() {
            if self.lost.get(&name).is_none_or(|(before, _)| **before != *why) {
                let told = away != Some(why);
                if told {
                    news.push(News::Lost(format!("{name}: lost: {why}")));
                }
                self.lost.insert(name, (why.into(), told));
            }
        } else if freshness.is_live() && self.lost.remove(&name).is_some_and(|(_, told)| told) {
            news.push(News::Back(format!("{name}: back")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Observation, Seen};

    #[test]
    fn an_outage_is_told_once_with_its_cause_and_its_end() {
        let mut seen = Snapshot::default();
        seen.api.server = "https://lab".into();
        let mut outages = Outages::default();
        assert_eq!(outages.news(&seen), []);
        let now = Timestamp::UNIX_EPOCH;
        let live = Freshness::Live { since: now };
        seen.api.freshness = live.clone();
        seen.observe(Observation::Pod(Seen::All(Vec::new(), now)));
        assert_eq!(outages.news(&seen), []);
        seen.api.freshness = live.lost(now, "it is away");
        seen.observe(Observation::Pod(Seen::Lost(now, "it is away".into())));
        assert_eq!(outages.news(&seen), [News::Lost("API server https://lab: lost: it is away".into())]);
        assert_eq!(outages.news(&seen), []);
        seen.api.freshness = live;
        // What was lost with it comes back a little later.
        assert_eq!(outages.news(&seen), [News::Back("API server https://lab: back".into())]);
        seen.observe(Observation::Pod(Seen::Back(now)));
        seen.observe(Observation::Budget(Seen::Lost(now, "no right".into())));
        let told = outages.news(&seen);
        assert!(
            told.iter().any(|n| matches!(n, News::Lost(text) if text.ends_with(": lost: no right"))),
            "{told:?}"
        );
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

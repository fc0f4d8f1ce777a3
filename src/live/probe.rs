//! Whether the API server answers, how fast, what time it has, and whom it takes us for.
//!
//! One task, started by the door. Its verdict goes to the screen as [`Api`] and to the sources as [`Link`]: when the
//! server does not answer, what they show is old, whatever their connections pretend; and when another cluster answers at the same
//! address, or the same one as it was earlier, they start over.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    clock::Clock,
    course::{Course, World},
    read::{self, Fault},
};
use crate::{
    cluster::{Api, Freshness, Observation},
    wire::Wire,
};

/// How long the server may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// A difference of clocks below this is noise: the server tells its time in whole seconds.
const SKEW_FROM: i64 = 2_000;

/// While it does not answer it is asked this often, whether the attempts before have ended or not.
const AWAY_EVERY: Duration = Duration::from_secs(1);
/// Attempts under way at once.
const ATTEMPTS: usize = 6;
/// Questions between two looks at which cluster it is.
const LOOK_EVERY: u32 = 6;

/// What the sources know of the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub state: State,
    pub world: World,
}

/// Whether the API server answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It does.
    Up,
    /// It does not, or does not accept our credentials, and why.
    Down(Arc<str>),
}

impl Link {
    /// Why nothing can be read at present.
    pub fn down(&self) -> Option<&Arc<str>> {
        match &self.state {
            State::Down(why) => Some(why),
            State::Up | State::Unknown => None,
        }
    }
}

/// Something failed that its answer may explain: it is asked at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt(Arc<Notify>);

impl Doubt {
    pub fn raise(&self) {
        self.0.notify_one();
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

#[derive(Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewStatus {
    user_info: UserInfo,
}

#[derive(Deserialize)]
struct UserInfo {
    username: String,
}

/// What is known before anything was asked.
pub(super) fn unseen(wire: &Wire) -> Api {
    Api {
        context: wire.context().into(),
        server: wire.server().into(),
        flags: wire.flags(),
        ..Api::default()
    }
}

/// What asks it.
pub(super) struct Probe {
    pub wire: Wire,
    pub clock: Clock,
    /// Between two questions to a server that answers.
    pub every: Duration,
    /// The namespace that is looked at, where it is not the whole cluster.
    pub namespace: Option<String>,
    pub doubt: Doubt,
}

impl Probe {
    /// Asks the API server until nobody listens any more.
    pub async fn ask(self, tell: mpsc::Sender<Observation>, link: watch::Sender<Link>) {
        let mut api = unseen(&self.wire);
        let mut course = Course::default();
        let mut pace = Pace::default();
        let (mut asked_who, mut look_in) = (false, 0);
        let mut doubted = false;
        loop {
            let begun = Instant::now();
            let before = api.clone();
            let away = before.freshness.trouble().is_some();
            match self.attempt(away).await {
                Ok((headers, bytes, latency)) => {
                    let version = serde_json::from_slice::<Version>(&bytes).ok();
                    api.version = version.map(|v| v.git_version.into()).or(api.version);
                    answered(&mut api, &self.clock, &headers, latency, &mut pace);
                    api.refuses_us = false;
                }
                Err(fault) => {
                    api.refuses_us = fault.code == 401;
                    api.freshness = api.freshness.lost(self.clock.answered(), fault.why);
                }
            }
            if api.freshness.is_live() {
                if !asked_who {
                    match who(&self.wire).await {
                        Ok(user) => (api.user, asked_who) = (Some(user.into()), true),
                        // Servers before 1.28 do not know the question; anything else may pass.
                        Err(fault) => asked_who = matches!(fault.code, 403 | 404 | 405 | 422),
                    }
                }
                // Before the sources take up where they stood: whether there is such a place still.
                if away || look_in == 0 {
                    look_in = LOOK_EVERY;
                    if course.look(&self.wire, self.namespace.as_deref()).await {
                        api.broken_course = Some((self.clock.now(), course.world.why.clone()));
                        asked_who = false;
                    }
                }
                look_in -= 1;
            }
            let state = match api.freshness.trouble() {
                Some(why) => State::Down(why.into()),
                None => State::Up,
            };
            if api != before && tell.send(Observation::Api(Box::new(api.clone()))).await.is_err() {
                return;
            }
            let now = Link { state, world: course.world.clone() };
            link.send_if_modified(|link| {
                let changed = *link != now;
                *link = now;
                changed
            });
            let pause = if api.freshness.is_live() { self.every } else { AWAY_EVERY };
            // Many sources doubt at once: they are answered together.
            let earliest = if doubted { begun + AWAY_EVERY } else { begun };
            let doubt = async {
                sleep_until(earliest).await;
                self.doubt.0.notified().await;
            };
            doubted = false;
            tokio::select! {
                () = sleep(pause) => {}
                () = doubt, if api.freshness.is_live() => (doubted, look_in) = (true, 0),
                () = tell.closed() => return,
            }
        }
    }

    /// One question. While the server is away attempts overlap, so that none that hangs delays the news of its return.
    async fn attempt(&self, away: bool) -> Result<(HeaderMap, Bytes, Duration), Fault> {
        let one = || async {
            let begun = Instant::now();
            match read::get(&self.wire, "/version", ANSWERS_WITHIN).await {
                Ok((headers, bytes)) => Ok((headers, bytes, begun.elapsed())),
                // It answers, if only to say that this is none of our business.
                Err(fault) if matches!(fault.code, 403 | 404 | 429) => {
                    Ok((HeaderMap::new(), Bytes::new(), begun.elapsed()))
                }
                Err(fault) => Err(fault),
            }
        };
        if !away {
            return one().await;
        }
        let mut attempts = FuturesUnordered::from_iter([one()]);
        loop {
            tokio::select! {
                Some(outcome) = attempts.next() => return outcome,
                () = sleep(AWAY_EVERY), if attempts.len() < ATTEMPTS => attempts.push(one()),
            }
        }
    }
}

/// What is told of how long the server takes: a number on a screen where nothing happens must not tremble.
#[derive(Default)]
struct Pace {
    told: Option<Duration>,
    last: Option<Duration>,
}

impl Pace {
    /// The time to tell after an answer took so long. It moves when two answers in a row have at least doubled or halved it.
    fn told(&mut self, latency: Duration) -> Duration {
        let moved = |old: Duration, new: Duration| {
            let (low, high) = (old.min(new), old.max(new));
            high > low * 2 && high - low > Duration::from_millis(10)
        };
        let last = self.last.replace(latency);
        match self.told {
            None => self.told = Some(latency),
            Some(told) => {
                let both = last.filter(|last| (*last > told) == (latency > told));
                if let Some(last) = both.filter(|last| moved(told, *last) && moved(told, latency)) {
                    // Of the two the one that is nearer to what was told.
                    let nearer = if latency > told { last.min(latency) } else { last.max(latency) };
                    self.told = Some(nearer);
                }
            }
        }
        self.told.unwrap_or(latency)
    }
}

fn answered(api: &mut Api, clock: &Clock, headers: &HeaderMap, latency: Duration, pace: &mut Pace) {
    clock.heard();
    api.latency = Some(pace.told(latency));
    if let Some(skew) = skew(headers, Timestamp::now(), latency)
        && (skew - api.skew_millis).abs() >= 1_500
    {
        api.skew_millis = skew;
    }
    if !api.freshness.is_live() {
        api.freshness = Freshness::Live { since: clock.now() };
    }
}

/// Server time minus ours, in milliseconds, from the `Date` of a reply that took `latency` and has just come.
pub(super) fn skew(headers: &HeaderMap, now: Timestamp, latency: Duration) -> Option<i64> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    // The whole second the server names began half a second ago on average; its reply was half the time on its way.
    let theirs = date.as_millisecond() + 500;
    let ours = now.as_millisecond() - i64::try_from(latency.as_millis() / 2).unwrap_or(0);
    let skew = theirs - ours;
    Some(if skew.abs() < SKEW_FROM { 0 } else { skew })
}

async fn who(wire: &Wire) -> Result<String, Fault> {
    let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let reply = read::ask(wire, path, body.to_owned(), ANSWERS_WITHIN).await?;
    let review: Review = serde_json::from_slice(&reply).map_err(|e| Fault {
        code: 422,
        why: format!("the review is not understood: {e}"),
        after: None,
    })?;
    Ok(review.status.user_info.username)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_answer_does_not_move_the_time_that_is_told() {
        let mut pace = Pace::default();
        let told = [3, 548, 4, 90, 80, 85, 5, 300, 6, 7]
            .map(|millis| pace.told(Duration::from_millis(millis)).as_millis());
        assert_eq!(told, [3, 3, 3, 3, 80, 80, 80, 80, 80, 7]);
    }

    #[test]
    fn the_clocks_are_compared_by_the_date_of_a_reply() {
        let now: Timestamp = "2026-11-21T09:00:00.400Z".parse().expect("a time");
        let with = |date: &str| {
            let headers = HeaderMap::from_iter([(header::DATE, date.parse().expect("a header"))]);
            skew(&headers, now, Duration::from_millis(200))
        };
        assert_eq!(with("Sat, 21 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(with("Sat, 21 Nov 2026 09:00:02 GMT"), Some(2_200));
        assert_eq!(with("Sat, 21 Nov 2026 09:05:00 GMT"), Some(300_200));
        assert_eq!(with("Sat, 21 Nov 2026 08:59:00 GMT"), Some(-59_800));
        assert_eq!(with("yesterday"), None);
        assert_eq!(skew(&HeaderMap::new(), now, Duration::ZERO), None);
    }
}

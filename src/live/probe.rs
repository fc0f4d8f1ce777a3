//! The pulse of the API server: does it answer, how fast, what time does it have, who does it take us for.
//!
//! One task, started by the door. Its verdict goes to the screen as [`Api`] and to the sources as [`Link`]: when the
//! pulse is gone, what they show is old, whatever their connections pretend.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{
    clock::Clock,
    read::{self, Fault},
};
use crate::{
    cluster::{Api, Freshness, Observation},
    wire::Wire,
};

/// How long the server may take to show a pulse.
const PULSE_WITHIN: Duration = Duration::from_secs(5);
/// A difference of clocks below this is noise: the server tells its time in whole seconds.
const SKEW_FROM: i64 = 2_000;

/// Whether the API server answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It does.
    Up,
    /// It does not, and why.
    Down(Arc<str>),
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

/// Feels the pulse until nobody listens any more.
pub(super) async fn probe(
    wire: Wire,
    clock: Clock,
    every: Duration,
    tell: mpsc::Sender<Observation>,
    link: watch::Sender<Link>,
) {
    let mut api = unseen(&wire);
    let mut asked_who = false;
    loop {
        let before = api.clone();
        let begun = Instant::now();
        match read::get(&wire, "/version", PULSE_WITHIN).await {
            Ok((headers, bytes)) => {
                let latency = begun.elapsed();
                let version = serde_json::from_slice::<Version>(&bytes).ok();
                api.version = version.map(|v| v.git_version.into()).or(api.version);
                answered(&mut api, &clock, &headers, latency);
            }
            // It answers, if only to say that this is none of our business.
            Err(fault) if matches!(fault.code, 403 | 404 | 429) => {
                answered(&mut api, &clock, &HeaderMap::new(), begun.elapsed());
            }
            Err(fault) => api.freshness = api.freshness.lost(clock.now(), fault.why),
        }
        if api.freshness.is_live() && !asked_who {
            match who(&wire).await {
                Ok(user) => (api.user, asked_who) = (Some(user.into()), true),
                // Servers before 1.28 do not know the question; anything else may pass.
                Err(fault) => asked_who = matches!(fault.code, 403 | 404 | 405 | 422),
            }
        }
        let now = match api.freshness.trouble() {
            Some(why) => Link::Down(why.into()),
            None => Link::Up,
        };
        if api != before && tell.send(Observation::Api(Box::new(api.clone()))).await.is_err() {
            return;
        }
        link.send_if_modified(|link| {
            let changed = *link != now;
            *link = now;
            changed
        });
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = tell.closed() => return,
        }
    }
}

fn answered(api: &mut Api, clock: &Clock, headers: &HeaderMap, latency: Duration) {
    // The number on the screen does not tremble: it moves when it doubles or halves.
    let moved = api.latency.is_none_or(|old| {
        let (low, high) = (old.min(latency), old.max(latency));
        high > low * 2 && high - low > Duration::from_millis(10)
    });
    if moved {
        api.latency = Some(latency);
    }
    if let Some(skew) = skew(headers, Timestamp::now(), latency)
        && (skew - api.skew_millis).abs() >= 1_500
    {
        api.skew_millis = skew;
        clock.correct(skew);
    }
    if !api.freshness.is_live() {
        api.freshness = Freshness::Live { since: clock.now() };
    }
}

/// Server time minus ours, in milliseconds, from the `Date` of a reply that took `latency` and has just come.
fn skew(headers: &HeaderMap, now: Timestamp, latency: Duration) -> Option<i64> {
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
    let reply = read::ask(wire, path, body.to_owned(), PULSE_WITHIN).await?;
    let review: Review = serde_json::from_slice(&reply).map_err(|e| Fault {
        code: 422,
        why: format!("the review is not understood: {e}"),
        after: None,
    })?;
    Ok(review.status.user_info.username)
}

/// Why the API server does not answer at present, marking that as seen.
pub(super) fn down(link: &mut watch::Receiver<Link>) -> Option<Arc<str>> {
    match &*link.borrow_and_update() {
        Link::Down(why) => Some(why.clone()),
        Link::Up | Link::Unknown => None,
    }
}

/// Until the API server answers again after an outage.
pub(super) async fn up(link: &mut watch::Receiver<Link>) {
    let mut was_down = matches!(*link.borrow(), Link::Down(_));
    while link.changed().await.is_ok() {
        match *link.borrow_and_update() {
            Link::Up if was_down => return,
            Link::Down(_) => was_down = true,
            Link::Up | Link::Unknown => {}
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! One endpoint is asked round after round, less often while it does not answer, by the way that is open.

use std::time::Duration;

use tokio::{sync::mpsc, time::sleep};

use super::{
    source::Source,
    way::{Next, Way},
};
use crate::{
    cluster::{Observation, Trouble},
    wire::sql::{Failure, Kind},
};

/// While an endpoint is down it is asked at least this often, so that its return is soon seen.
const RETRY_WITHIN: Duration = Duration::from_secs(5);
/// A login that was refused is not tried more often: servers count failed logins, and block.
const RETRY_DENIED: Duration = Duration::from_secs(30);

/// Asks one endpoint until nobody listens any more.
pub(in crate::live) async fn watch<S: Source>(
    mut known: S::Known,
    mut way: Way,
    every: Duration,
    into: mpsc::Sender<Observation>,
) {
    let mut pause = every;
    loop {
        let mut source = S::new(way.sql().await);
        // For as long as the way is good.
        loop {
            let failure = match source.ask(&known).await {
                Ok(answered) => {
                    known = answered;
                    None
                }
                Err(failure) => {
                    let failure = way.told(failure);
                    known = S::failed(&known, trouble(&failure), &failure.text);
                    Some(failure)
                }
            };
            if into.send(S::news(known.clone())).await.is_err() {
                return;
            }
            pause = pause_after(failure.as_ref().map(trouble), pause, every);
            let next = way.after(failure.as_ref()).await;
            if next != Next::Now {
                sleep(pause).await;
            }
            if next != Next::Same {
                break;
            }
        }
    }
}

/// How long to wait before the next round: longer and longer while it does not answer.
pub(in crate::live) fn pause_after(trouble: Option<Trouble>, pause: Duration, every: Duration) -> Duration {
    match trouble {
        None => every,
        Some(Trouble::Denied | Trouble::Tls | Trouble::NotMysql) => (pause * 2).min(RETRY_DENIED.max(every)),
        Some(_) => (pause * 2).min(RETRY_WITHIN.max(every)),
    }
}

pub(in crate::live) fn trouble(failure: &Failure) -> Trouble {
    match failure.kind {
        Kind::Refused => Trouble::Refused,
        // A server that closes the connection at once is as good as none: it starts, stops, or was killed.
        Kind::Lost => Trouble::Refused,
        Kind::Silent => Trouble::Silent,
        Kind::Unreachable => Trouble::Unreachable,
        Kind::Denied => Trouble::Denied,
        Kind::Tls => Trouble::Tls,
        Kind::NotMysql => Trouble::NotMysql,
        Kind::Full => Trouble::Full,
        Kind::Statement(_) | Kind::Taken | Kind::Other => Trouble::Other,
    }
}

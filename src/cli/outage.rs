//! Tells whoever follows a run or a campaign on the command line when the API server stops answering, what is under way
//! then, and when it answers again: nothing else would be printed for as long as it is away.

use std::{pin::pin, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{output, session::Session, table};
use crate::{
    cluster::{Freshness, words},
    run::{Run, campaign::Campaign},
};

/// A server that is away for less long than this is not told of.
const GRACE: Duration = Duration::from_secs(3);

/// What is followed, for the sentence: what it is at, and the command that goes on with it.
pub(super) struct Followed {
    /// What is under way; `None`: nothing any more.
    at: Option<String>,
    /// Its Job runs in the cluster, whoever looks.
    job: bool,
    /// `wheelhouse runs resume 9c1f`.
    resume: String,
}

/// A run or a campaign.
pub(super) trait Follow {
    /// Where it is.
    fn followed(&self, again: &str) -> Followed;
}

impl Follow for Run {
    fn followed(&self, again: &str) -> Followed {
        Followed {
            at: (!self.state.is_over()).then(|| under_way(self)),
            job: !self.undecided().is_empty(),
            resume: format!("{again} runs resume {}", self.id),
        }
    }
}

impl Follow for Campaign {
    fn followed(&self, again: &str) -> Followed {
        let runs: Vec<_> = self.under_way.iter().map(under_way).collect();
        let at = match runs.is_empty() {
            true => self.goal.clone(),
            false => runs.join("; "),
        };
        Followed {
            at: (!self.state.is_over()).then_some(at),
            job: self.under_way.iter().any(|run| !run.undecided().is_empty()),
            resume: format!("{again} campaigns resume {}", self.id),
        }
    }
}

/// What a run is at: its plan, and the step.
fn under_way(run: &Run) -> String {
    let step = run.current().map(|step| run.plan().step_words(&run.plan().steps[step]));
    let summary = crate::run::summary(run);
    step.map_or_else(|| summary.clone(), |step| format!("{summary}: {step}"))
}

/// Something to tell.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// It does not answer since then: why.
    Away(Option<Timestamp>, String),
    /// It answers again, after so long.
    Back(Duration),
}

/// Whether the API server answers, as it was last told.
#[derive(Debug, Default)]
struct Outage {
    since: Option<Instant>,
    told: bool,
}

impl Outage {
    /// Takes in how the API server is at a moment.
    fn look(&mut self, api: &Freshness, now: Instant) -> Option<News> {
        let Some(why) = api.trouble() else {
            let since = self.since.take();
            let told = std::mem::take(&mut self.told);
            return since.filter(|_| told).map(|since| News::Back(now.duration_since(since)));
        };
        let since = *self.since.get_or_insert(now);
        if self.told || now.duration_since(since) < GRACE {
            return None;
        }
        self.told = true;
        let last = match api {
            Freshness::Stale { since, .. } => Some(*since),
            _ => None,
        };
        Some(News::Away(last, why.to_owned()))
    }

    /// When to look again where nothing is seen.
    fn due(&self) -> Option<Instant> {
        self.since.filter(|_| !self.told).map(|since| since + GRACE)
    }
}

/// The sentence.
fn words(news: &News, followed: &Followed) -> Option<String> {
    Some(match news {
        News::Back(after) => {
            let after = words::span(i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
            format!("✓ the API server answers again, after {after}")
        }
        News::Away(last, why) => {
            let at = followed.at.as_ref()?;
            let last = last.map_or(String::new(), |at| format!(" since {}", at.strftime("%H:%M:%S UTC")));
            let job = if followed.job { " Its Job runs on by itself." } else { "" };
            format!(
                "▲ the API server does not answer{last}: {why}. Under way: {at}. Nothing is lost: what was done is in \
                 the journal.{job} It is tried again until the server answers; ctrl-c stops that, and `{}` goes on later",
                followed.resume
            )
        }
    })
}

/// Waits for the work of a session to end that is followed `now`, and tells meanwhile when the API server stops answering
/// and when it answers again.
pub(super) async fn told<T>(
    session: &Session,
    now: watch::Receiver<impl Follow>,
    work: impl Future<Output = T>,
) -> T {
    let mut seen = session.seen.clone();
    let mut work = pin!(work);
    let (mut outage, mut followable) = (Outage::default(), true);
    loop {
        let news = outage.look(&seen.borrow_and_update().api.freshness, Instant::now());
        if let Some(line) = news.and_then(|news| words(&news, &now.borrow().followed(&session.again))) {
            // That nobody listens ends nothing.
            let _ = output::tell(table::plain(&line));
        }
        let due = async {
            match outage.due() {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = &mut work => return done,
            changed = seen.changed(), if followable => followable = changed.is_ok(),
            () = due => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_told_once_when_it_lasts_and_once_when_it_ends() {
        let last: Timestamp = "2026-11-29T18:10:07Z".parse().expect("a time");
        let away = Freshness::Stale { since: last, why: "connection refused".into() };
        let live = Freshness::Live { since: last };
        let (mut outage, began) = (Outage::default(), Instant::now());
        let mut told = Vec::new();
        for (second, api) in [(0, &live), (1, &away), (2, &live), (10, &away), (11, &away), (13, &away)] {
            told.extend(outage.look(api, began + Duration::from_secs(second)).map(|news| (second, news)));
        }
        assert_eq!(told, [(13, News::Away(Some(last), "connection refused".into()))]);
        assert_eq!(outage.look(&away, began + Duration::from_secs(400)), None);
        let back = outage.look(&live, began + Duration::from_secs(610));
        assert_eq!(back, Some(News::Back(Duration::from_secs(600))));
        let at = Some("migrate acme: wait until job m has ended".to_owned());
        let followed = Followed { at, job: true, resume: "wheelhouse runs resume r".into() };
        let (_, away) = told.remove(0);
        let text = words(&away, &followed).expect("a sentence");
        for part in ["since 18:10:07 UTC: connection refused.", "wait until job m has ended", "runs resume r"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(
            words(&back.expect("it is back"), &followed).as_deref(),
            Some("✓ the API server answers again, after 10m")
        );
        // Once nothing is under way, nothing is said of what is.
        assert_eq!(words(&away, &Followed { at: None, ..followed }), None);
    }
}

//! The cockpit on a recording: the same screens, and nothing that could reach a cluster.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use ratatui::backend::Backend as _;
use tokio::sync::mpsc;

use super::{
    INBOX, alike, clipboard,
    report::{incident, saved},
    screen,
};
use crate::{
    app::{self, App, Effect, Msg, Setup},
    cluster::{Judge, Severity},
    history::{Happened, of_runs},
    plan::whatif::Forecast,
    record::Recording,
    run::{self, campaign},
    ui::{Question, Replay, Seek},
};

/// Why nothing is asked of a cluster.
const RECORDED: &str = "this is a recording";

/// Opens the cockpit on a recording, at a moment of it, and stays until it is left. `name` is what it is called.
///
/// # Errors
/// One sentence: the terminal cannot be used, or that part of the recording is damaged.
pub async fn replay(
    mut setup: Setup,
    mut recording: Recording,
    name: String,
    place: usize,
    state_dir: PathBuf,
) -> Result<(), String> {
    let seen = Arc::new(recording.at(place)?);
    let (from, until) = recording.ends();
    setup.read_only = true;
    setup.fixed = true;
    setup.contexts = Vec::new();
    let gaps = recording.gaps().to_vec();
    setup.replay = Some(Replay { name, from, until, marked: None });
    let happened = happened(&mut recording)?;
    let mut screen = screen::take(setup.mouse)?;
    let size = screen.size().map_err(|e| format!("the terminal does not tell its size: {e}"))?;
    let app = App::new(setup, seen, (size.width, size.height))?;
    let (tell, inbox) = mpsc::channel(INBOX);
    // By the inbox, since what the app asks for then is performed.
    let gaps = gaps.into_iter().map(|gap| Msg::Notice(Severity::Warning, gap));
    for message in [Msg::Happened(happened)].into_iter().chain(gaps) {
        let _ = tell.try_send(message);
    }
    let listening = [
        tokio::spawn(super::sizes(tell.clone())),
        tokio::spawn(super::signals(alike::asked(), tell.clone())),
        tokio::spawn(super::keys(tell.clone())),
    ];
    let mut player = Player {
        recording: Arc::new(Mutex::new((recording, Judge::default()))),
        at: Arc::new(AtomicI64::new(i64::try_from(place).unwrap_or(0))),
        seeking: Arc::default(),
        forecast: Arc::default(),
        state_dir,
        tell,
    };
    let result =
        app::run(app, &mut *screen, inbox, Timestamp::now, |effect, backend| player.perform(effect, backend))
            .await;
    screen::leave();
    listening.iter().for_each(|task| task.abort());
    result.map(drop).map_err(|e| format!("the terminal failed: {e}"))
}

/// What happened in all of a recording, runs and campaigns with it: those that its last moment knows.
fn happened(recording: &mut Recording) -> Result<Vec<Happened>, String> {
    let last = recording.at(usize::MAX)?;
    let mut all = recording.events().to_vec();
    all.extend(of_runs(&run::runs(&last), &campaign::campaigns(&last)));
    all.sort_by_key(|event| event.time);
    Ok(all)
}

/// What it takes to replay.
struct Player {
    recording: Arc<Mutex<(Recording, Judge)>>,
    /// The place that is shown, by its number among the moments.
    at: Arc<AtomicI64>,
    /// How many moments are still sought.
    seeking: Arc<AtomicUsize>,
    forecast: Arc<Mutex<Forecast>>,
    state_dir: PathBuf,
    tell: mpsc::Sender<Msg>,
}

impl Player {
    fn say(&self, severity: Severity, text: impl Into<String>) {
        // A full inbox loses a courtesy, nothing more.
        let _ = self.tell.try_send(Msg::Notice(severity, text.into()));
    }

    fn answer(&self, msg: Msg) {
        let tell = self.tell.clone();
        tokio::spawn(async move { tell.send(msg).await });
    }

    fn perform(&mut self, effect: Effect, backend: &mut screen::Backend) -> io::Result<()> {
        match effect {
            Effect::Seek(seek, question) => self.seek(seek, question),
            Effect::Export(from, until) => self.export(from, until),
            Effect::Foresee(shown, question) => {
                alike::foresee(&self.forecast, shown, question, &self.tell);
            }
            Effect::WatchTenant(tenant, _) => {
                let why = format!("{RECORDED}: events of Kubernetes are not in it");
                self.answer(Msg::TenantEvents(tenant, Err(why)));
            }
            Effect::ReadLog(source, range) => {
                self.answer(Msg::Log(source, range, Err(format!("{RECORDED}: logs are never in it"))));
            }
            Effect::WatchObject(key) => {
                self.answer(Msg::Object(key, Err(format!("{RECORDED}: whole objects are not in it"))));
            }
            Effect::ReadAudit => self.answer(Msg::Audit(Ok(run::Audit::default()))),
            Effect::Revisions(tenant) => {
                self.answer(Msg::Revisions(tenant, Err(format!("{RECORDED}: nothing can be changed"))));
            }
            Effect::Bind(_) => {
                self.answer(Msg::Bound(Err(format!("{RECORDED}: close it first to look at another cluster"))))
            }
            Effect::Copy(text) => clipboard::copy(&text, backend, &self.tell)?,
            Effect::KeepTheme { configured, chosen } => {
                alike::keep_theme(&self.state_dir, (&configured, &chosen), &self.tell);
            }
            Effect::Suspend => alike::suspend()?,
            Effect::Retake => screen::retake()?,
            Effect::Login => {
                self.answer(Msg::Returned(Severity::Warning, format!("{RECORDED}: nobody logs in")))
            }
            Effect::TakeBack => screen::enter()?,
            Effect::Redraw
            | Effect::StopWatching
            | Effect::StopLog(_)
            | Effect::StopObject
            | Effect::Unbind
            | Effect::DropShell
            | Effect::Cost
            | Effect::Hint
            | Effect::Unlock(_) => {}
            // All others change something, or lead to a change.
            _ => self.say(Severity::Warning, format!("{RECORDED}: nothing can be changed")),
        }
        Ok(())
    }

    /// Goes to another moment. Keys that come faster than the recording is read are followed one after another.
    /// What is predicted there comes with the last of them.
    fn seek(&self, seek: Seek, question: Option<Question>) {
        let (recording, wanted, tell) = (self.recording.clone(), self.at.clone(), self.tell.clone());
        let (forecast, seeking) = (self.forecast.clone(), self.seeking.clone());
        seeking.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            let mut held = recording.lock().unwrap_or_else(PoisonError::into_inner);
            let is_last = seeking.fetch_sub(1, Ordering::Relaxed) == 1;
            let (recording, judge) = &mut *held;
            let moments = recording.moments();
            let last = i64::try_from(moments.len()).unwrap_or(i64::MAX) - 1;
            let here = wanted.load(Ordering::Relaxed).clamp(0, last);
            let time = |place: i64| {
                usize::try_from(place).ok().and_then(|i| moments.get(i)).copied().unwrap_or_default()
            };
            let (first, end) = recording.ends();
            let place = match seek {
                Seek::Moments(by) => Ok(here.saturating_add(by)),
                Seek::Seconds(by) => {
                    let at = time(here).saturating_add(SignedDuration::from_secs(by)).unwrap_or(end);
                    let found =
                        recording.find(at.clamp(first, end)).map(|at| i64::try_from(at).unwrap_or(last));
                    // At least one moment, where there are few.
                    found.map(|found| if found == here { here + by.signum() } else { found })
                }
                Seek::To(at) => recording.find(at).map(|at| i64::try_from(at).unwrap_or(last)),
            };
            let at_an_end = |place: i64| match place {
                ..0 => Some("this is the first moment of the recording"),
                place if place > last => Some("this is the last moment of the recording"),
                _ => None,
            };
            let (place, edge) = match place {
                Ok(place) => (place.clamp(0, last), at_an_end(place)),
                Err(why) => {
                    let _ = tell.blocking_send(Msg::Notice(Severity::Warning, why));
                    return;
                }
            };
            match recording.at(usize::try_from(place).unwrap_or(0)) {
                Ok(seen) => {
                    wanted.store(place, Ordering::Relaxed);
                    let seen = Arc::new(seen);
                    let outlook = is_last.then(|| alike::outlook(&forecast, seen.clone(), question));
                    let _ = tell.blocking_send(Msg::Sought(judge.judge(seen), outlook));
                    if let Some(edge) = edge {
                        let _ = tell.blocking_send(Msg::Notice(Severity::Notice, edge.into()));
                    }
                }
                Err(why) => {
                    let _ = tell.blocking_send(Msg::Notice(Severity::Warning, why));
                }
            }
        });
    }

    fn export(&self, from: Timestamp, until: Timestamp) {
        let (recording, state_dir, tell) =
            (self.recording.clone(), self.state_dir.clone(), self.tell.clone());
        tokio::task::spawn_blocking(move || {
            let mut held = recording.lock().unwrap_or_else(PoisonError::into_inner);
            let made = incident(&mut held.0, Some(from), Some(until), &[], None);
            let _ = tell.blocking_send(saved(made, &state_dir));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::sketch,
        plan::whatif::Loss,
        record::{Head, Recorder},
    };

    #[tokio::test]
    async fn a_moment_comes_with_what_is_predicted_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("night.rec");
        let mut recorder = Recorder::create(&path, &Head::default()).expect("a new file");
        for (revision, node) in [(1, "w1"), (2, "w1 not-ready"), (3, "w1")] {
            let at = Timestamp::from_second(1_800_000_000 + 60 * revision).expect("a time");
            let text = format!("node {node}\nnode w2\ntenant acme 2 on w1 w2");
            let mut seen = sketch(&text, at).expect("a cluster");
            seen.revision = revision.unsigned_abs();
            recorder.take(&seen).expect("it is recorded");
        }
        recorder.close().expect("it is written");
        let recording = Recording::open(&[path]).expect("it is read");
        let (tell, mut inbox) = mpsc::channel(INBOX);
        let player = Player {
            recording: Arc::new(Mutex::new((recording, Judge::default()))),
            at: Arc::default(),
            seeking: Arc::default(),
            forecast: Arc::default(),
            state_dir: folder.path().into(),
            tell,
        };
        let question = Question::WhatIf(vec!["w2".into()], Loss::Crash);
        for (by, ranked) in [(1, &["w2"][..]), (1, &["w1", "w2"]), (-1, &["w2"])] {
            player.seek(Seek::Moments(by), Some(question.clone()));
            let Some(Msg::Sought(judgement, Some(outlook))) = inbox.recv().await else { panic!("no moment") };
            assert!(Arc::ptr_eq(&judgement.seen, &outlook.seen));
            let mut nodes: Vec<_> = outlook.ranking.iter().map(|harm| harm.node.as_str()).collect();
            nodes.sort_unstable();
            assert_eq!(nodes, ranked);
            assert!(outlook.what_if.is_some() && outlook.question.as_ref() == Some(&question));
        }
        // Of those that one only passes nothing is predicted.
        let held = player.recording.clone();
        let held = held.lock().expect("nobody panicked");
        for by in [-1, 1, 1] {
            player.seek(Seek::Moments(by), Some(question.clone()));
        }
        drop(held);
        let mut predicted = Vec::new();
        while predicted.len() < 3 {
            if let Some(Msg::Sought(_, outlook)) = inbox.recv().await {
                predicted.push(outlook.is_some());
            }
        }
        assert_eq!(predicted, [false, false, true]);
    }
}

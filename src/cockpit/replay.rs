//! The cockpit on a recording: the same screens, and nothing that could reach a cluster.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
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
    cluster::{Judge, Severity, Snapshot},
    history::{Happened, of_runs},
    plan::whatif::Forecast,
    record::Recording,
    run::{self, campaign},
    ui::{Replay, Seek},
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
    let app = App::new(setup, seen.clone(), (size.width, size.height))?;
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
        seen: Arc::new(Mutex::new(seen)),
        at: Arc::new(AtomicI64::new(i64::try_from(place).unwrap_or(0))),
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
    seen: Arc<Mutex<Arc<Snapshot>>>,
    /// The place that is shown, by its number among the moments.
    at: Arc<AtomicI64>,
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
            Effect::Seek(seek) => self.seek(seek),
            Effect::Export(from, until) => self.export(from, until),
            Effect::Foresee(question) => {
                let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
                alike::foresee(&self.forecast, seen, question, &self.tell);
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
    fn seek(&self, seek: Seek) {
        let (recording, wanted, tell) = (self.recording.clone(), self.at.clone(), self.tell.clone());
        let shown = self.seen.clone();
        tokio::task::spawn_blocking(move || {
            let mut held = recording.lock().unwrap_or_else(PoisonError::into_inner);
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
                    *shown.lock().unwrap_or_else(PoisonError::into_inner) = seen.clone();
                    let _ = tell.blocking_send(Msg::Observed(judge.judge(seen)));
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
            let (first, last) = held.0.ends();
            let made = incident(
                &mut held.0,
                Some(from.clamp(first, last)),
                Some(until.clamp(first, last)),
                &[],
                None,
            );
            let _ = tell.blocking_send(saved(made, &state_dir));
        });
    }
}

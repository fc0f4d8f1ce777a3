//! What a cockpit does in the same way on a cluster and on a recording.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{mpsc, watch};

use super::{screen, themes};
use crate::{
    app::{Msg, OnScreen},
    cluster::Snapshot,
    plan::whatif::Forecast,
    ui::{Outlook, Question},
};

/// Becomes true once the process is asked to stop.
pub(super) fn asked() -> watch::Receiver<bool> {
    let (ask, asked) = watch::channel(false);
    tokio::spawn(async move {
        super::asked_to_stop().await;
        ask.send_replace(true);
    });
    asked
}

/// Gives the terminal back and stops the process, until it is told to go on.
///
/// # Errors
/// The terminal cannot be taken again.
pub(super) fn suspend() -> io::Result<()> {
    screen::leave();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
    screen::enter()
}

/// Keeps the theme that was chosen for the next time, and says where.
pub(super) fn keep_theme(state_dir: &Path, (configured, chosen): (&str, &str), tell: &mpsc::Sender<Msg>) {
    let (severity, text) = themes::chosen(state_dir, configured, chosen);
    // A full inbox loses a courtesy, nothing more.
    let _ = tell.try_send(Msg::Notice(severity, text));
}

/// Predicts on a thread of its own: it may take as long as some frames.
pub(super) fn foresee(
    forecast: &Arc<Mutex<Forecast>>,
    OnScreen(seen): OnScreen,
    question: Option<Question>,
    tell: &mpsc::Sender<Msg>,
) {
    let (forecast, tell) = (forecast.clone(), tell.clone());
    tokio::task::spawn_blocking(move || {
        let _ = tell.blocking_send(Msg::Foreseen(outlook(&forecast, seen, question)));
    });
}

/// What is predicted of what is seen; what it was made with before is used again.
pub(super) fn outlook(
    forecast: &Mutex<Forecast>,
    seen: Arc<Snapshot>,
    question: Option<Question>,
) -> Box<Outlook> {
    let mut forecast = forecast.lock().unwrap_or_else(PoisonError::into_inner);
    Box::new(Outlook::of(&mut forecast, seen, question))
}

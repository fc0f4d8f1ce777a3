//! Connecting the rooms: what the command line and the screen share.
//!
//! [`run()`] opens the screen; `contexts` goes from one cluster to another; `effects` performs what the app asks for;
//! `screen` takes the terminal and gives it back; `terminal` sends it frames in few bytes; `shared` is what the command
//! line takes as well.

mod alike;
mod clipboard;
#[cfg(target_os = "linux")]
mod code;
mod contexts;
mod effects;
mod forwards;
pub mod hand_over;
mod keeping;
mod lookout;
mod replay;
mod report;
mod screen;
mod shared;
mod terminal;
mod themes;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossterm::event::EventStream;
use futures::StreamExt;
use jiff::Timestamp;
use ratatui::backend::Backend as _;
use tokio::sync::{mpsc, watch};

use crate::{
    app::{self, App, Msg, Onlooker},
    cluster::{Judge, Snapshot},
    live,
};
use effects::Performer;
use keeping::Keeping;
use lookout::Lookout;

pub use contexts::{Look, target};
pub use keeping::head;
pub use lookout::{candidate, listening};
pub use replay::replay;
pub use report::incident;
pub use shared::{
    access, ascii, campaigns, cost, database, operator, platform, runs, scope, setup, unreadable_journals,
};
pub use terminal::Terminal;

/// Messages on their way to the app; when they are this many, their senders wait.
const INBOX: usize = 1024;

/// How long a run under way is given to come to a halt when the cockpit is left.
const LEAVES_WITHIN: Duration = Duration::from_secs(3);

/// Opens the cockpit and stays until it is left, on one cluster after another.
///
/// # Errors
/// The terminal cannot be used, or the theme is not understood. The terminal is given back in any case.
pub async fn run(mut look: Look, state_dir: PathBuf) -> Result<(), String> {
    let mut screen = screen::take(look.setup.mouse)?;
    let asked = alike::asked();
    while let Some(next) = stay(look, &state_dir, &mut screen, asked.clone()).await? {
        look = next;
    }
    Ok(())
}

/// Looks at one cluster. Returns what is looked at next, if anything is: everything that belongs to this one has come to
/// its end by then.
async fn stay(
    look: Look,
    state_dir: &Path,
    screen: &mut screen::Screen,
    asked: watch::Receiver<bool>,
) -> Result<Option<Look>, String> {
    contexts::remember(state_dir, look.wire.context());
    let mut scope = scope(&look.config);
    let lookout = Lookout::begin(&look.config, &look.wire, &mut scope);
    let (seen, following) = live::observe(look.wire.clone(), scope);
    let size = screen.size().map_err(|e| format!("the terminal does not tell its size: {e}"))?;
    let app = App::new(look.setup.clone(), seen.borrow().clone(), (size.width, size.height))?;
    let (tell, inbox) = mpsc::channel(INBOX);
    let listening = [
        tokio::spawn(sizes(tell.clone())),
        tokio::spawn(signals(asked, tell.clone())),
        tokio::spawn(observations(seen.clone(), tell.clone(), look.setup.onlooker.clone())),
        #[cfg(target_os = "linux")]
        tokio::spawn(code::give_back(seen.clone())),
    ];
    if let Some(onlooker) = &look.setup.onlooker {
        onlooker.opened(tell.clone());
    }
    #[cfg(debug_assertions)]
    tokio::spawn(panic_on_demand(seen.clone()));
    let keeping = Keeping::begin(&look, state_dir, seen.clone(), tell.clone());
    let mut performer = Performer::new(look, seen, state_dir.to_owned(), tell);
    performer.tell_local_runs();
    performer.listen();
    let result = app::run(app, &mut **screen, inbox, Timestamp::now, |effect, backend| {
        performer.perform(effect, backend)
    })
    .await;
    performer.take_terminal_back().await;
    let app = result.map_err(|e| format!("the terminal failed: {e}"));
    let typed = app.as_ref().ok().and_then(|app| app.bound());
    if typed.is_none() {
        screen::leave();
    }
    keeping.end().await;
    listening.iter().for_each(|task| task.abort());
    // What is under way is paused in the operator's name, and still sees what it takes back.
    let next = performer.leave(LEAVES_WITHIN).await;
    following.abort();
    let _ = following.await;
    if let Some(lookout) = lookout {
        lookout.end().await;
    }
    Ok(next.zip(typed.map(<[String]>::to_vec)).map(|(mut next, history)| {
        next.setup.history = history;
        next
    }))
    .and_then(|next| app.map(|_| next))
}

/// In debug builds, panics in the background once something was observed when `WHEELHOUSE_PANIC` is set: the tests look
/// at what that leaves of the terminal.
#[cfg(debug_assertions)]
async fn panic_on_demand(mut seen: watch::Receiver<Arc<Snapshot>>) {
    if std::env::var_os("WHEELHOUSE_PANIC").is_some() && seen.wait_for(|s| s.is_ready()).await.is_ok() {
        panic!("asked to panic by WHEELHOUSE_PANIC");
    }
}

async fn keys(tell: mpsc::Sender<Msg>) {
    let mut events = EventStream::new();
    while let Some(event) = events.next().await {
        let message = event.map_or(Msg::Leave, Msg::Input);
        if matches!(message, Msg::Input(crossterm::event::Event::Resize(..))) {
            continue;
        }
        let last = matches!(message, Msg::Leave);
        if tell.send(message).await.is_err() || last {
            return;
        }
    }
    let _ = tell.send(Msg::Leave).await;
}

/// Tells every new size of the terminal. The library's stream of events tells it as well, but loses it when a key comes
/// at the same moment: its poll is edge-triggered, and it returns with the key.
async fn sizes(tell: mpsc::Sender<Msg>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    while changes.recv().await.is_some() {
        let Ok((columns, rows)) = crossterm::terminal::size() else { continue };
        if tell.send(Msg::Input(crossterm::event::Event::Resize(columns, rows))).await.is_err() {
            return;
        }
    }
}

async fn signals(mut asked: watch::Receiver<bool>, tell: mpsc::Sender<Msg>) {
    tokio::join!(
        async {
            let _ = asked.wait_for(|asked| *asked).await;
            let _ = tell.send(Msg::Leave).await;
        },
        each(libc::SIGTSTP, || Msg::Suspend, &tell),
        each(libc::SIGCONT, || Msg::Continued, &tell),
    );
}

/// Tells each signal of this kind.
async fn each(kind: libc::c_int, message: fn() -> Msg, tell: &mpsc::Sender<Msg>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut signals) = signal(SignalKind::from_raw(kind)) else { return };
    while signals.recv().await.is_some() {
        if tell.send(message()).await.is_err() {
            return;
        }
    }
}

/// Judges what is observed before the app is told, beside its event loop.
async fn observations(
    mut seen: watch::Receiver<Arc<Snapshot>>,
    tell: mpsc::Sender<Msg>,
    onlooker: Option<Arc<dyn Onlooker>>,
) {
    let mut judge = Judge::default();
    while seen.changed().await.is_ok() {
        let snapshot = seen.borrow_and_update().clone();
        if let Some(onlooker) = &onlooker {
            onlooker.observed(&snapshot);
        }
        if tell.send(Msg::Observed(judge.judge(snapshot))).await.is_err() {
            return;
        }
    }
}

/// Ends when the process is asked to stop: interrupt, termination, or a lost terminal.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::hangup()) => {}
    }
}

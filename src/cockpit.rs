//! Connecting the rooms: what the command line and the screen share.
//!
//! [`run()`] opens the screen; `effects` performs what the app asks for; `screen` takes the terminal and gives it back.

mod effects;
mod screen;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use crossterm::event::EventStream;
use futures::StreamExt;
use jiff::Timestamp;
use ratatui::backend::Backend as _;
use tokio::sync::{mpsc, watch};

use crate::{
    app::{self, App, Msg, Setup},
    cluster::{Judge, Snapshot},
    config::{self, Config},
    live::{
        self, Scope,
        database::{Account, Configured, Password, Place, Reach, logins},
    },
    run::{self, Hands, RunSeen, Who},
    ui::{Depth, Theme},
    wire::{Wire, sql::Tls},
};
use effects::Performer;

/// Messages on their way to the app; when they are this many, their senders wait.
const INBOX: usize = 1024;

/// How long a run under way is given to come to a halt when the cockpit is left.
const FAREWELL: Duration = Duration::from_secs(3);

/// Opens the cockpit and stays until it is left.
///
/// # Errors
/// The terminal cannot be used, or the theme is not understood. The terminal is given back in any case.
pub async fn run(config: Config, setup: Setup, wire: Wire, state_dir: PathBuf) -> Result<(), String> {
    let (seen, following) = live::observe(wire.clone(), scope(&config));
    let mut screen = screen::take()?;
    let size = screen.size().map_err(|e| format!("the terminal does not tell its size: {e}"))?;
    let app = App::new(setup, seen.borrow().clone(), (size.width, size.height))?;
    let (tell, inbox) = mpsc::channel(INBOX);
    let listening = [
        tokio::spawn(keys(tell.clone())),
        tokio::spawn(sizes(tell.clone())),
        tokio::spawn(signals(tell.clone())),
        tokio::spawn(observations(seen.clone(), tell.clone())),
    ];
    #[cfg(debug_assertions)]
    tokio::spawn(panic_on_demand(seen.clone()));
    let mut performer = Performer::new(config, wire, seen, state_dir, tell);
    performer.tell_local_runs();
    let result = app::run(app, &mut *screen, inbox, Timestamp::now, |effect, backend| {
        performer.perform(effect, backend)
    })
    .await;
    drop(screen);
    listening.iter().chain([&following]).for_each(|task| task.abort());
    performer.leave(FAREWELL).await;
    result.map(drop).map_err(|e| format!("the terminal failed: {e}"))
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

async fn signals(tell: mpsc::Sender<Msg>) {
    asked_to_stop().await;
    let _ = tell.send(Msg::Leave).await;
}

/// Judges what is observed before the app is told, beside its event loop.
async fn observations(mut seen: watch::Receiver<Arc<Snapshot>>, tell: mpsc::Sender<Msg>) {
    let mut judge = Judge::default();
    while seen.changed().await.is_ok() {
        let snapshot = seen.borrow_and_update().clone();
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

/// How the cockpit is to look and whom it serves, by the configuration and what the terminal says of itself.
///
/// # Errors
/// The theme is not known, or its file is not understood.
pub fn setup(config: &Config) -> Result<Setup, String> {
    let variable = |name: &str| std::env::var(name).ok();
    let (no_color, colorterm, term) = (variable("NO_COLOR"), variable("COLORTERM"), variable("TERM"));
    let setup = Setup {
        operator: operator(config),
        read_only: config.read_only,
        theme: config.theme.clone().unwrap_or_else(|| "dark".into()),
        themes: config::own_themes(),
        depth: Depth::detect(no_color.as_deref(), colorterm.as_deref(), term.as_deref()),
    };
    Theme::load(&setup.theme, &setup.themes, setup.depth)?;
    Ok(setup)
}

/// What is observed.
pub fn scope(config: &Config) -> Scope {
    Scope {
        tenancy: config.tenants.clone(),
        sizing: config.headroom.clone(),
        journal_namespace: config.journal.namespace.clone(),
        namespace: config.namespace.clone(),
        metrics_every: config.refresh.metrics.0,
        probe_every: config.refresh.probe.0,
        database: database(config),
        ..Scope::default()
    }
}

/// The database, where one is configured. Passwords are read from where the configuration says, but those in Secrets.
pub fn database(config: &Config) -> Option<Configured> {
    let Config { galera, proxysql, .. } = config;
    if galera.members.is_empty() && proxysql.addresses.is_empty() {
        return None;
    }
    let place = |place: &config::Place| match place {
        config::Place::Direct(at) => Place::Direct(at.to_string().as_str().into(), at.host.clone(), at.port),
        config::Place::Service { service, port } => {
            Place::Service { service: service.clone(), port: port.clone(), reach: reach(proxysql.reach) }
        }
    };
    let member = |at: &config::Address| (at.to_string().as_str().into(), at.host.clone(), at.port);
    Some(Configured {
        members: galera.members.iter().map(member).collect(),
        members_by: account(&galera.login),
        proxies: proxysql.addresses.iter().map(place).collect(),
        proxies_by: account(&proxysql.login),
        every: config.refresh.database.0,
        expected: config::expectations(galera, proxysql),
    })
}

fn reach(reach: config::Reach) -> Reach {
    match reach {
        config::Reach::Auto => Reach::Auto,
        config::Reach::Direct => Reach::Direct,
        config::Reach::PortForward => Reach::PortForward,
    }
}

fn account(login: &config::Login) -> Result<Account, String> {
    // What is fetched later has to be something now.
    let fetched = login.secret().map(|_| Default::default());
    let read = login.account(fetched, std::env::home_dir().as_deref(), |name| std::env::var(name).ok());
    let read = read.map_err(|e| e.to_string())?;
    let password = match login.secret() {
        Some(found) => Password::Secret(found.secret.clone(), found.key.clone()),
        None => Password::Known(read.password),
    };
    Ok(Account { user: read.user, password, tls: read.tls_ca.map(|ca| Tls { ca, name: read.tls_name }) })
}

/// What runs are carried out with.
pub fn hands(config: &Config, wire: Wire, seen: &Snapshot, state_dir: PathBuf) -> Hands {
    let database = database(config).map(|configured| logins(&configured, Some(wire.clone())));
    Hands {
        wire,
        database,
        who: Who {
            operator: operator(config),
            user: seen.api.user.as_deref().map(str::to_owned),
            session: session(),
        },
        journal_namespace: config.journal.namespace.clone(),
        read_only: config.read_only,
        state_dir,
        lease_seconds: u32::try_from(config.journal.lease.0.as_secs()).unwrap_or(u32::MAX),
    }
}

/// All runs known, the newest first: those whose journal is in the cluster, and those kept on this machine.
pub fn runs(seen: &Snapshot, state_dir: &Path, wire: &Wire) -> Vec<RunSeen> {
    let local = run::local_journals(state_dir, wire.context(), wire.server());
    let local = local.into_iter().filter_map(Result::ok).map(|run| RunSeen { run, holder: None });
    let mut all: Vec<_> = run::runs(seen).into_iter().chain(local).collect();
    all.sort_by(|a, b| b.run.id.cmp(&a.run.id));
    all
}

/// How this operator signs: as configured, or `USER@HOST`.
pub fn operator(config: &Config) -> String {
    config.operator.clone().unwrap_or_else(|| {
        let user = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let user = user.filter(|user| !user.is_empty()).unwrap_or_else(|| "somebody".into());
        match rustix::system::uname().nodename().to_string_lossy() {
            host if host.is_empty() => user,
            host => format!("{user}@{host}"),
        }
    })
}

/// Tells this process from every other that ever held a lease.
fn session() -> String {
    static SESSION: LazyLock<String> =
        LazyLock::new(|| format!("{}-{:08x}", std::process::id(), rand::random::<u32>()));
    SESSION.clone()
}

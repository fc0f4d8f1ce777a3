//! Performing what the app asks for: the only place where the screen's wishes reach the cluster.

mod hands;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinHandle},
    time::Instant,
};

use super::{
    alike, clipboard,
    contexts::Look,
    forwards::Forwards,
    report::{incident, saved},
    screen,
    shared::access,
};
use crate::{
    app::{Effect, Msg},
    cluster::{LogSource, Severity, Snapshot},
    config, live,
    plan::{Rollback, rebalance, whatif::Forecast},
    record::open_kept,
    run::{
        self, Access, Handle, Rehearsal, Run,
        campaign::{self, Campaign, Wish},
    },
    ui::Draft,
    wire::exec::Exec,
};

/// How often an object is read again while it is described.
const OBJECT_EVERY: Duration = Duration::from_secs(5);
/// A task that is ended is waited for so long.
const ENDS_WITHIN: Duration = Duration::from_millis(500);

/// What it takes to perform effects.
pub(super) struct Performer {
    look: Look,
    seen: watch::Receiver<Arc<Snapshot>>,
    state_dir: PathBuf,
    tell: mpsc::Sender<Msg>,
    /// The runs of this session: how to make each halt, and the task that reports it.
    runs: BTreeMap<String, (watch::Sender<bool>, JoinHandle<()>)>,
    /// The campaigns of this session: how to tell each a wish, and the task that reports it.
    campaigns: BTreeMap<String, (mpsc::UnboundedSender<Wish>, JoinHandle<()>)>,
    events: Option<AbortHandle>,
    logs: BTreeMap<LogSource, AbortHandle>,
    object: Option<AbortHandle>,
    /// Who reads the keys, while the terminal is the cockpit's.
    keys: Option<JoinHandle<()>>,
    /// A shell on its way, and then the one that has the terminal.
    shell: Option<JoinHandle<()>>,
    opened: Arc<Mutex<Option<Exec>>>,
    forwards: Forwards,
    /// What is looked at next.
    next: Arc<Mutex<Option<Look>>>,
    /// What is read-only can be changed until then.
    unlocked: Option<Instant>,
    /// What the last prediction was made with.
    forecast: Arc<Mutex<Forecast>>,
}

impl Performer {
    pub(super) fn new(
        look: Look,
        seen: watch::Receiver<Arc<Snapshot>>,
        state_dir: PathBuf,
        tell: mpsc::Sender<Msg>,
    ) -> Self {
        let forwards = Forwards::new(look.wire.clone(), tell.clone());
        Self {
            look,
            seen,
            state_dir,
            tell,
            runs: BTreeMap::new(),
            campaigns: BTreeMap::new(),
            events: None,
            logs: BTreeMap::new(),
            object: None,
            keys: None,
            shell: None,
            opened: Arc::default(),
            forwards,
            next: Arc::default(),
            unlocked: None,
            forecast: Arc::default(),
        }
    }

    /// Performs one effect. An error is the terminal's: it ends the cockpit.
    pub(super) fn perform(&mut self, effect: Effect, backend: &mut screen::Backend) -> io::Result<()> {
        match effect {
            Effect::Rehearse(plan) => {
                let (access, tell) = (self.access(), self.tell.clone());
                tokio::spawn(async move {
                    let rehearsal = run::rehearse(&access, &plan).await;
                    let _ = tell.send(Msg::Rehearsed(rehearsal)).await;
                });
            }
            Effect::Start(approved, place) => {
                let handle = run::start(self.access(), approved, place, self.seen.clone());
                self.drive(handle);
            }
            Effect::Resume(run) => {
                let handle = run::resume(self.access(), *run, self.seen.clone());
                self.drive(handle);
            }
            Effect::Succeed(run) => {
                let handle = run::take_as_succeeded(self.access(), *run, self.seen.clone());
                self.drive(handle);
            }
            Effect::GiveUp(run, why) => {
                // One that has only just paused gives its leases back first.
                let before = self.runs.remove(&run.id).map(|(_, report)| report);
                let (halt, asked) = watch::channel(false);
                let (id, tell) = (run.id.clone(), self.tell.clone());
                let (access, seen) = (self.access(), self.seen.clone());
                let task = tokio::spawn(async move {
                    if let Some(before) = before {
                        let _ = before.await;
                    }
                    report(run::give_up(access, *run, &why, seen), asked, tell).await;
                });
                self.runs.insert(id, (halt, task));
            }
            Effect::PauseRun(id) => {
                if let Some((halt, _)) = self.runs.get(&id) {
                    halt.send_replace(true);
                }
            }
            Effect::WatchTenant(tenant, namespace) => {
                let mut events = live::tenant_events(&self.look.wire, &namespace);
                let tell = self.tell.clone();
                let task = tokio::spawn(async move {
                    while let Some(list) = events.recv().await {
                        if tell.send(Msg::TenantEvents(tenant.clone(), list)).await.is_err() {
                            return;
                        }
                    }
                });
                stop(self.events.replace(task.abort_handle()));
            }
            Effect::StopWatching => stop(self.events.take()),
            Effect::ReadLog(source, range) => {
                let mut lines = live::read_log(&self.look.wire, &source, range);
                let (tell, of) = (self.tell.clone(), source.clone());
                let task = tokio::spawn(async move {
                    while let Some(batch) = lines.recv().await {
                        if tell.send(Msg::Log(of.clone(), range, batch)).await.is_err() {
                            return;
                        }
                    }
                });
                stop(self.logs.insert(source, task.abort_handle()));
            }
            Effect::StopLog(source) => stop(self.logs.remove(&source)),
            Effect::WatchObject(key) => {
                let (wire, tell) = (self.look.wire.clone(), self.tell.clone());
                let task = tokio::spawn(async move {
                    let mut last = None;
                    loop {
                        let now = live::object(&wire, &key).await.map(Arc::new);
                        if last.as_ref() != Some(&now) {
                            last = Some(now.clone());
                            if tell.send(Msg::Object(key.clone(), now)).await.is_err() {
                                return;
                            }
                        }
                        tokio::time::sleep(OBJECT_EVERY).await;
                    }
                });
                stop(self.object.replace(task.abort_handle()));
            }
            Effect::StopObject => stop(self.object.take()),
            Effect::KeepTheme { configured, chosen } => {
                alike::keep_theme(&self.state_dir, (&configured, &chosen), &self.tell);
            }
            // Only a recording has other moments.
            Effect::Seek(..) => {}
            Effect::Export(from, until) => self.export(from, until),
            Effect::ReadAudit => {
                let (folder, tell) = (self.state_dir.clone(), self.tell.clone());
                let wire = &self.look.wire;
                let (context, server) = (wire.context().to_owned(), wire.server().to_owned());
                tokio::task::spawn_blocking(move || {
                    let _ = tell.blocking_send(Msg::Audit(run::audited(&folder, &context, &server)));
                });
            }
            Effect::SaveLog { file, name, text } => self.save_log(file, &name, text),
            Effect::Foresee(shown, question) => {
                alike::foresee(&self.forecast, shown, question, &self.tell);
            }
            Effect::Scheme(wanted, terms) => {
                let (seen, tell) = (self.seen.borrow().clone(), self.tell.clone());
                let policy = self.look.config.moves.clone();
                tokio::task::spawn_blocking(move || {
                    let found = Draft::of(&seen, &wanted, &terms, &policy);
                    let _ = tell.blocking_send(Msg::Scheme(wanted, terms, Box::new(found)));
                });
            }
            Effect::Plan(intent, runs) => {
                let (seen, tell) = (self.seen.borrow().clone(), self.tell.clone());
                tokio::task::spawn_blocking(move || {
                    let plan = run::instead::planned(&seen, &runs, &intent);
                    let _ = tell.blocking_send(Msg::Planned(intent, Box::new(plan)));
                });
            }
            Effect::Targets(tenant, pod) => {
                let (seen, tell) = (self.seen.borrow().clone(), self.tell.clone());
                let policy = self.look.config.moves.clone();
                tokio::task::spawn_blocking(move || {
                    let found = rebalance::targets(&seen, &tenant, &pod, &policy);
                    let _ = tell.blocking_send(Msg::Targets(pod, found));
                });
            }
            Effect::Revisions(tenant) => {
                let (wire, tell) = (self.look.wire.clone(), self.tell.clone());
                let found = self.seen.borrow().tenants.get(&tenant).cloned();
                tokio::spawn(async move {
                    let rollback = match found {
                        Some(found) => live::revisions(&wire, &found.workload)
                            .await
                            .and_then(|all| Rollback::of(&tenant, &all, None).map(Box::new)),
                        None => Err(format!("there is no tenant {tenant}")),
                    };
                    let _ = tell.send(Msg::Revisions(tenant, rollback)).await;
                });
            }
            Effect::RehearseAll(id, plans) => {
                let (access, tell) = (self.access(), self.tell.clone());
                tokio::spawn(async move {
                    if plans.first().is_some_and(|plan| campaign::is_of_tenant(&plan.intent)) {
                        let all = campaign::rehearse_tenants(&access, &plans).await;
                        let all = Rehearsal { plan: id, ..all };
                        let _ = tell.send(Msg::RehearsedAll(all, Default::default())).await;
                        return;
                    }
                    let (all, left) = campaign::rehearse(&access, &plans).await;
                    let _ = tell.send(Msg::RehearsedAll(Rehearsal { plan: id, ..all }, left)).await;
                });
            }
            Effect::Campaign(approved, place) => {
                let handle = campaign::start(self.access(), *approved, place, self.seen.clone());
                self.drive_campaign(handle);
            }
            Effect::GoOn(campaign, instead) => {
                let instead = instead.map(|approved| *approved);
                let handle = campaign::resume(self.access(), *campaign, instead, self.seen.clone());
                self.drive_campaign(handle);
            }
            Effect::GiveUpCampaign(campaign, why) => {
                let handle = campaign::give_up(self.access(), *campaign, &why, self.seen.clone());
                self.drive_campaign(handle);
            }
            Effect::Wish(campaign, wish) => self.wish(*campaign, wish),
            Effect::OpenShell(pod, container) => self.open_shell(&pod, &container),
            Effect::DropShell => {
                stop(self.shell.take().map(|task| task.abort_handle()));
                taken(&self.opened);
            }
            Effect::HandOver => self.hand_over(),
            Effect::Forward(pod, ports) => self.forwards.open(pod, ports),
            Effect::CloseForward(id) => self.forwards.close(id),
            Effect::Bind(to) => self.bind(to),
            Effect::Unbind => {
                taken(&self.next);
            }
            Effect::Login => self.log_in(false),
            Effect::LoginThere => self.log_in(true),
            Effect::Unlock(seconds) => {
                // Where nothing was read-only before, it is from now on.
                self.look.config.read_only = true;
                let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
                self.unlocked = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
            }
            Effect::TakeBack => {
                screen::enter()?;
                self.listen();
            }
            Effect::Cost => {
                let (cost, tell) = (super::shared::cost(&self.look.wire), self.tell.clone());
                tokio::spawn(async move { tell.send(Msg::Cost(cost)).await });
            }
            Effect::Copy(text) => {
                clipboard::copy(&text, backend, &self.tell)?;
                if let Some(onlooker) = &self.look.setup.onlooker {
                    onlooker.copied(&text);
                }
            }
            Effect::Hint => {
                if let Some(onlooker) = &self.look.setup.onlooker {
                    onlooker.asked();
                }
            }
            Effect::Suspend => alike::suspend()?,
            Effect::Retake => screen::retake()?,
            // The loop draws every cell again by itself.
            Effect::Redraw => {}
        }
        Ok(())
    }

    /// Reads the keys from now on.
    pub(super) fn listen(&mut self) {
        self.keys = Some(tokio::spawn(super::keys(self.tell.clone())));
    }

    /// Ends what has the terminal, or waits for it.
    pub(super) async fn take_terminal_back(&mut self) {
        for task in [self.keys.take(), self.shell.take()].into_iter().flatten() {
            end(task).await;
        }
    }

    /// Saves the report of an incident, from what was kept and what is seen now.
    fn export(&self, from: Timestamp, until: Timestamp) {
        let (wire, state_dir, tell) = (&self.look.wire, self.state_dir.clone(), self.tell.clone());
        let (context, server) = (wire.context().to_owned(), wire.server().to_owned());
        let seen = self.seen.borrow().clone();
        tokio::task::spawn_blocking(move || {
            let made = open_kept(&state_dir, &context, &server).and_then(|mut recording| {
                let audit = run::audited(&state_dir, &context, &server)?;
                incident(&mut recording, Some(from), Some(until), &audit.lines, Some(&seen))
            });
            let _ = tell.blocking_send(saved(made, &state_dir));
        });
    }

    /// Saves a log where it was asked for, else in the state folder, and tells where it is.
    fn save_log(&self, file: Option<String>, name: &str, text: String) {
        let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
        let named = file.is_some();
        let file = match file {
            Some(file) => config::at_home(Path::new(&file)),
            None => self.state_dir.join("logs").join(format!("{name}-{now}.log")),
        };
        let tell = self.tell.clone();
        tokio::task::spawn_blocking(move || {
            // The folder of a file that was named is the operator's to make.
            let folder = file.parent().filter(|_| !named);
            let saved = folder.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
                // What is there is somebody's: it is not written over.
                let mut file = std::fs::File::create_new(&file)?;
                io::Write::write_all(&mut file, text.as_bytes())
            });
            let file = file.display();
            let _ = tell.blocking_send(match saved {
                Ok(()) => {
                    let lines = crate::cluster::words::count(text.lines().count(), "line");
                    Msg::Notice(Severity::Notice, format!("{lines} saved in {file}"))
                }
                Err(why) => Msg::Notice(Severity::Warning, format!("{file} cannot be written: {why}")),
            });
        });
    }

    /// Tells the app the runs whose journals are on this machine only.
    pub(super) fn tell_local_runs(&self) {
        let (folder, wire, tell) = (self.state_dir.clone(), self.look.wire.clone(), self.tell.clone());
        tokio::task::spawn_blocking(move || {
            let runs = run::local_journals(&folder, wire.context(), wire.server());
            let campaigns = campaign::local_campaigns(&folder, wire.context(), wire.server());
            let _ = tell.blocking_send(Msg::Local(
                runs.into_iter().filter_map(Result::ok).collect(),
                campaigns.into_iter().filter_map(Result::ok).collect(),
            ));
        });
    }

    /// Makes the runs under way halt, so that the next cockpit finds them at rest and not in doubt, and reads nothing any
    /// more. Returns what is looked at next.
    pub(super) async fn leave(self, patience: Duration) -> Option<Look> {
        for task in [self.events, self.object].into_iter().flatten().chain(self.logs.into_values()) {
            task.abort();
        }
        let mut reports = Vec::new();
        for (halt, report) in self.runs.into_values() {
            halt.send_replace(true);
            reports.push(report);
        }
        for (wishes, report) in self.campaigns.into_values() {
            let _ = wishes.send(Wish::Pause);
            reports.push(report);
        }
        let _ = tokio::time::timeout(patience, futures::future::join_all(reports)).await;
        taken(&self.next)
    }

    fn access(&self) -> Access {
        let unlocked = self.unlocked.is_some_and(|until| Instant::now() < until);
        let look = &self.look;
        let access = access(&look.config, look.wire.clone(), &self.seen.borrow(), self.state_dir.clone());
        Access { read_only: access.read_only && !unlocked, ..access }
    }

    fn drive(&mut self, handle: Handle) {
        let (halt, asked) = watch::channel(false);
        let (id, tell) = (handle.id.clone(), self.tell.clone());
        self.runs.insert(id, (halt, tokio::spawn(report(handle, asked, tell))));
    }

    fn drive_campaign(&mut self, handle: campaign::Handle) {
        let (wishes, wished) = mpsc::unbounded_channel();
        let (id, tell) = (handle.id.clone(), self.tell.clone());
        self.campaigns.insert(id, (wishes, tokio::spawn(report_campaign(handle, wished, tell))));
    }

    /// Asks something of a campaign: of its driver here, or through its journal of whoever drives it.
    fn wish(&self, campaign: Campaign, wish: Wish) {
        let ours = self.campaigns.get(&campaign.id).filter(|(_, report)| !report.is_finished());
        if let Some((wishes, _)) = ours {
            let _ = wishes.send(wish);
            return;
        }
        let (access, seen, tell) = (self.access(), self.seen.borrow().clone(), self.tell.clone());
        tokio::spawn(async move {
            if let Err(why) = campaign::ask(&access, &campaign, wish, &seen).await {
                let _ = tell.send(Msg::Notice(Severity::Warning, why)).await;
            }
        });
    }
}

/// Reports a run until the session is through with it.
async fn report(mut handle: Handle, mut asked: watch::Receiver<bool>, tell: mpsc::Sender<Msg>) {
    let send = async |run: Run| tell.send(Msg::Ran(Box::new(run))).await;
    loop {
        let run = handle.watch.borrow_and_update().clone();
        if send(run).await.is_err() {
            break;
        }
        tokio::select! {
            changed = handle.watch.changed() => if changed.is_err() { break },
            Ok(()) = asked.changed() => handle.pause(),
        }
    }
    let _ = send(handle.ended().await).await;
}

/// Reports a campaign until the session is through with it.
async fn report_campaign(
    mut handle: campaign::Handle,
    mut wished: mpsc::UnboundedReceiver<Wish>,
    tell: mpsc::Sender<Msg>,
) {
    let send = async |campaign: Campaign| tell.send(Msg::Campaign(Box::new(campaign))).await;
    loop {
        let campaign = handle.watch.borrow_and_update().clone();
        if send(campaign).await.is_err() {
            break;
        }
        tokio::select! {
            changed = handle.watch.changed() => if changed.is_err() { break },
            Some(wish) = wished.recv() => handle.wish(wish),
        }
    }
    let _ = send(handle.ended().await).await;
}

/// What was put there, which nobody else gets any more.
fn taken<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Ends a task. One that reads the keys of a terminal which is gone never comes back from the library, which reads that end
/// again and again: nobody waits for it.
async fn end(task: JoinHandle<()>) {
    task.abort();
    let _ = tokio::time::timeout(ENDS_WITHIN, task).await;
}

fn stop(task: Option<AbortHandle>) {
    if let Some(task) = task {
        task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_never_comes_back_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        let runtime = runtime.expect("a runtime");
        let (release, held) = std::sync::mpsc::channel::<()>();
        runtime.block_on(async {
            let (begun, begins) = tokio::sync::oneshot::channel();
            let task = tokio::spawn(async move {
                let _ = begun.send(());
                let _ = held.recv();
            });
            begins.await.expect("it runs");
            end(task).await;
        });
        drop(release);
    }
}

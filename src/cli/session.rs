//! From arguments and configuration to a live view of the cluster.

use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::{Common, Failure, table};
use crate::{
    cluster::{Freshness, Outside, Snapshot, platform::ComponentKind},
    cockpit,
    config::{self, Config, Layers, Origin},
    live,
    plan::{self, About, Intent},
    run,
    wire::{KUBECONFIG, Wire},
};

/// How far the lists have come is told this often.
const TOLD_EVERY: Duration = Duration::from_millis(300);

/// A command's connection to the cluster.
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) wire: Wire,
    pub(super) seen: watch::Receiver<Arc<Snapshot>>,
    /// `wheelhouse` with the flags that lead it to the same cluster, as it is typed.
    pub(super) again: String,
    /// How long it waits for the cluster.
    pub(super) timeout: Duration,
    state_dir: PathBuf,
}

/// The configuration in its layers: the file, the environment, flags.
pub(super) fn layers(common: &Common) -> Result<Layers, Failure> {
    let file = config::read(common.config.as_deref()).map_err(Failure::failed)?;
    let layers = file.map_or_else(|| Ok(Layers::default()), |(path, text)| Layers::of(path, &text));
    let mut layers = layers.map_err(|e| Failure::Usage(e.to_string()))?;
    let origin = |id: &str| common.given.origin(id);
    // As kubectl has it: over what a file says, under the flag.
    let listed = std::env::var(KUBECONFIG).ok().filter(|list| !list.is_empty());
    if let Some(list) = listed.filter(|_| common.kubeconfig.is_none()) {
        layers.lay(Origin::Environment(KUBECONFIG.to_owned()), "kubeconfig", list);
    }
    if let Some(file) = &common.kubeconfig {
        layers.lay(origin("kubeconfig"), "kubeconfig", file);
    }
    for (id, value) in
        [("context", &common.context), ("namespace", &common.namespace), ("theme", &common.theme)]
    {
        value.iter().for_each(|value| layers.lay(origin(id), id, value));
    }
    if common.read_only {
        layers.lay(origin("read_only"), "read-only", true);
    }
    common.database.lay_over(&mut layers, &origin);
    for setting in common.settings.iter().filter(|setting| !setting.trim().is_empty()) {
        layers.set(origin("settings"), setting).map_err(|e| Failure::Usage(e.to_string()))?;
    }
    Ok(layers)
}

/// The name of the context that is looked at, as far as kubeconfig and configuration tell it.
pub(super) fn context(layers: &Layers) -> Result<Option<String>, Failure> {
    let before = layers.config(None).map_err(|e| Failure::Usage(e.to_string()))?;
    Ok(cockpit::target(&before).context_name())
}

/// The configuration in force: that of the context that is looked at.
pub(super) fn configure(common: &Common) -> Result<Config, Failure> {
    let layers = layers(common)?;
    let context = context(&layers)?;
    layers.config(context.as_deref()).map_err(|e| Failure::Usage(e.to_string()))
}

/// A connection to the cluster of a configuration. A credential plug-in that must ask does so now, where it can.
pub(super) async fn wire(config: &Config) -> Result<Wire, Failure> {
    let wire = Wire::connect_lazily(&cockpit::target(config)).await.map_err(Failure::Failed)?;
    log_in(&wire).await?;
    Ok(wire)
}

/// Lets a credential plug-in ask that says it must, before a screen is taken.
pub(super) async fn log_in(wire: &Wire) -> Result<(), Failure> {
    let person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if person && wire.asks().await {
        wire.log_in().await.map_err(Failure::Failed)?;
    }
    Ok(())
}

pub(super) fn state_dir() -> Result<PathBuf, Failure> {
    config::state_dir().ok_or_else(|| {
        Failure::Failed("no home folder is known for the audit file; set HOME or XDG_STATE_HOME".into())
    })
}

/// Follows the cluster of a configuration, for one that waits as long as commands do by default.
pub(super) async fn follow(config: Config) -> Result<Session, Failure> {
    const WAITS: Duration = Duration::from_secs(30);
    let wire = wire(&config).await?;
    let (seen, _) = live::observe(wire.clone(), cockpit::listening(&config));
    Ok(Session {
        again: "wheelhouse".to_owned(),
        config,
        wire,
        seen,
        timeout: WAITS,
        state_dir: state_dir()?,
    })
}

/// `wheelhouse` with the flags that lead it to the same cluster and the same configuration.
fn again(common: &Common, wire: &Wire) -> String {
    let flags = wire.flags();
    let file = common.config.as_ref().map(|file| file.to_string_lossy());
    let file = file.as_deref().map(|file| ["--config", file]);
    plan::line("wheelhouse", file.into_iter().flatten().chain(flags.iter().map(|flag| &**flag)))
}

/// Connects, and starts to follow the cluster.
pub(super) async fn open(common: &Common) -> Result<Session, Failure> {
    open_first(common, None).await
}

/// The same; the hosts of this tenant are looked at first.
pub(super) async fn open_first(common: &Common, tenant: Option<&str>) -> Result<Session, Failure> {
    let config = configure(common)?;
    let wire = wire(&config).await?;
    let mut scope = cockpit::listening(&config);
    if let Some(platform) = &mut scope.platform {
        platform.first = tenant.map(str::to_owned);
    }
    let (seen, _) = live::observe(wire.clone(), scope);
    let again = again(common, &wire);
    Ok(Session { again, config, wire, seen, timeout: common.timeout, state_dir: state_dir()? })
}

/// The database alone, and the runs that are about it.
pub(super) struct OfDatabase {
    pub(super) snapshot: Snapshot,
    /// Those that are not over, the newest first.
    pub(super) runs: Vec<run::RunSeen>,
    /// Why those in the cluster are not known; none where no cluster is configured.
    pub(super) unknown: Option<String>,
    /// `wheelhouse` with the flags that lead it to these runs.
    pub(super) again: String,
}

/// Seconds of the budget of looks that are spent at once.
const AT_ONCE: usize = 5;
/// How long hosts are looked at around before a command says what it knows.
const LOOKS_WITHIN: Duration = Duration::from_secs(10);
/// How long the runs are waited for that may be about it.
const RUNS_WITHIN: Duration = Duration::from_secs(3);

/// Looks at the database alone. What does not answer within the time limit says so.
pub(super) async fn database(common: &Common) -> Result<OfDatabase, Failure> {
    let config = configure(common)?;
    let configured = cockpit::database(&config).ok_or_else(no_database)?;
    // Only Secrets and services need a cluster; their absence is the reason of the endpoints that need them.
    let wire = wire(&config).await.ok();
    let mut snapshot = Snapshot::new(config.tenants.clone());
    snapshot.database = Arc::new(configured.expected.clone());
    let (tell, mut reports) = mpsc::channel(64);
    let _tasks = live::database::follow(configured, wire.clone(), tell);
    let kept = async {
        let wire = wire.as_ref()?;
        Some(live::ours(wire, &config.journal.namespace, RUNS_WITHIN.min(common.timeout)).await)
    };
    let looking = async {
        while let Some(report) = reports.recv().await {
            snapshot.observe(report);
            snapshot.at = Timestamp::now();
            if is_settled(&config, &snapshot) {
                return;
            }
        }
    };
    let (_, kept) = tokio::join!(tokio::time::timeout(common.timeout, looking), kept);
    let (kept, unknown) = match kept {
        Some(Ok(kept)) => (kept, None),
        Some(Err(why)) => (Vec::new(), Some(why)),
        None => (Vec::new(), None),
    };
    for observation in kept {
        snapshot.observe(observation);
    }
    let mut runs = match &wire {
        Some(wire) => cockpit::runs(&snapshot, &state_dir()?, wire),
        None => Vec::new(),
    };
    runs.retain(|seen| !seen.run.state.is_over() && seen.run.plan().database.is_some());
    let again = wire.as_ref().map_or_else(|| "wheelhouse".to_owned(), |wire| again(common, wire));
    Ok(OfDatabase { snapshot, runs, unknown, again })
}

/// No database is configured: what to do.
pub(super) fn no_database() -> Failure {
    Failure::Usage("no database is configured: `wheelhouse help database` tells how to name it".into())
}

/// Every endpoint of the database has answered (members twice: rates need two readings) or said why not.
fn is_settled(config: &Config, snapshot: &Snapshot) -> bool {
    let (members, proxies) = (&snapshot.galera, &snapshot.proxies);
    let configured: BTreeSet<_> = config.galera.members.iter().collect();
    members.values().count() == configured.len()
        && config.proxysql.addresses.is_empty() == proxies.is_empty()
        && members.values().all(|m| m.link.trouble().is_some() || m.history.len() > 1)
        && proxies.values().all(|p| p.link != Freshness::Connecting)
}

/// Waits, and tells who sits at a terminal how far the lists have come.
async fn telling<T>(seen: &watch::Receiver<Arc<Snapshot>>, what: impl Future<Output = T>) -> T {
    let mut what = std::pin::pin!(what);
    let mut told = String::new();
    let terminal = rewrites(std::io::stderr().is_terminal(), std::env::var("TERM").ok().as_deref());
    loop {
        tokio::select! {
            done = &mut what => {
                if !told.is_empty() {
                    // Nobody has to see it.
                    let _ = write!(std::io::stderr(), "\r\x1b[K");
                }
                return done;
            }
            () = tokio::time::sleep(TOLD_EVERY), if terminal => {
                let now = reading(&seen.borrow());
                if now != told {
                    let _ = write!(std::io::stderr(), "\r{now}\x1b[K");
                    told = now;
                }
            }
        }
    }
}

/// Whether a line can be written over another: a terminal that says it can do nothing gets plain lines.
fn rewrites(is_terminal: bool, term: Option<&str>) -> bool {
    is_terminal && term != Some("dumb")
}

/// How far the lists have come: `reading the cluster: 3,500 of 10,000 pods`; empty when none takes long.
fn reading(seen: &Snapshot) -> String {
    let lists: Vec<_> =
        seen.reading().into_iter().map(|(name, reading)| format!("{reading} {name}")).collect();
    if lists.is_empty() { String::new() } else { format!("reading the cluster: {}", lists.join(", ")) }
}

impl Session {
    /// The same as [`Session::observed`], once the database has settled as well, and the platform around.
    pub(super) async fn observed_with_database(&mut self) -> Result<Arc<Snapshot>, Failure> {
        let seen = self.with_database().await?;
        if self.has_platform() { Ok(self.looked_around(None).await) } else { Ok(seen) }
    }

    /// The same as [`Session::observed`], once the database has settled as well.
    pub(super) async fn with_database(&mut self) -> Result<Arc<Snapshot>, Failure> {
        self.observed().await?;
        let settled = self.seen.wait_for(|snapshot| is_settled(&self.config, snapshot));
        let _ = tokio::time::timeout(self.timeout, settled).await.map(|found| found.map(drop));
        Ok(self.seen.borrow().clone())
    }

    /// What is known once the places around have answered or said why not, and these hosts (without any: all of them, where
    /// they are few enough to be looked at at once) have been looked at there, as far as that is done in a moment.
    pub(super) async fn looked_around(&mut self, hosts: Option<&[Arc<str>]>) -> Arc<Snapshot> {
        let of = |seen: &Snapshot| match hosts {
            Some(hosts) => hosts.to_vec(),
            None => {
                let all = Outside::hosts(seen);
                let most = seen.around.probes as usize * AT_ONCE / seen.platform.len().max(1);
                if all.len() <= most { all.into_iter().collect() } else { Vec::new() }
            }
        };
        let images = self.config.platform.registry.is_configured();
        let told = |seen: &Snapshot| {
            let mut registries =
                seen.platform.items.iter().filter(|(key, _)| key.kind == ComponentKind::Registry);
            !images || registries.any(|(_, registry)| registry.link != Freshness::Connecting)
        };
        let looked = |seen: &Snapshot| !seen.around.looks() || seen.has_looked_at(&of(seen));
        let stores = self.config.platform.has_stores();
        let heard = |seen: &Snapshot| !stores || seen.has_heard_stores();
        let settled = self.seen.wait_for(|seen| looked(seen) && told(seen) && heard(seen));
        let within = self.timeout.min(LOOKS_WITHIN);
        let _ = tokio::time::timeout(within, settled).await.map(|found| found.map(drop));
        self.seen.borrow().clone()
    }

    /// Something of the platform around is configured.
    pub(super) fn has_platform(&self) -> bool {
        !self.config.platform.is_empty()
    }

    /// What is known once all that matters for it has answered or said why not: the database too, if it is about that.
    pub(super) async fn observed_for(&mut self, intent: &Intent) -> Result<Arc<Snapshot>, Failure> {
        let of_database = match intent {
            Intent::Scale { .. }
            | Intent::Move { .. }
            | Intent::Cordon { .. }
            | Intent::Restart { .. }
            | Intent::Release { .. }
            | Intent::Rollback { .. }
            | Intent::DeletePod { .. }
            | Intent::Resize { .. } => false,
            Intent::Undo { changes, .. } => changes.iter().any(|(about, _)| *about == About::Database),
            Intent::Database { .. } | Intent::Migrate { .. } => true,
        };
        if of_database { self.with_database().await } else { self.observed().await }
    }

    /// The first snapshot in which every source has either answered or said why not.
    pub(super) async fn observed(&mut self) -> Result<Arc<Snapshot>, Failure> {
        let mut seen = self.seen.clone();
        let settled = seen.wait_for(|s| {
            s.api.freshness.trouble().is_some()
                || (s.api.freshness.is_live()
                    && s.sources()
                        .iter()
                        .chain(&s.outside_sources())
                        .all(|(_, f)| **f != Freshness::Connecting))
        });
        // Past the time limit, or when nothing follows the cluster any more, what is known must do.
        let _ = telling(&self.seen, tokio::time::timeout(self.timeout, settled))
            .await
            .map(|found| found.map(drop));
        let snapshot = self.seen.borrow().clone();
        if let Some(namespace) = snapshot.absent_namespace() {
            let near = snapshot.api.context.clone();
            return Err(Failure::Failed(format!(
                "there is no namespace {} in {near}",
                table::plain(namespace)
            )));
        }
        if snapshot.is_ready() {
            return Ok(snapshot);
        }
        let sources = [("the API server", &snapshot.api.freshness)].into_iter().chain(snapshot.sources());
        let why = sources.filter_map(|(_, f)| f.trouble()).next().map(str::to_owned);
        let waited = humantime::format_duration(self.timeout);
        let mut why = why.unwrap_or_else(|| {
            let waiting = snapshot.sources().into_iter().filter(|(_, f)| **f == Freshness::Connecting);
            let waiting: Vec<_> = waiting.map(|(name, _)| name).collect();
            match snapshot.api.freshness.is_live() {
                true => {
                    format!("not read within {waited}: {}; give it longer with --timeout", waiting.join(", "))
                }
                false => format!("it has not answered within {waited}; see --timeout"),
            }
        });
        if snapshot.is_out_of_reach() && snapshot.namespace.is_none() {
            why += "; with rights in one namespace only, name it with -n NAMESPACE";
        }
        Err(Failure::Failed(format!("{}: {why}", self.wire.server())))
    }

    /// A database is configured.
    pub(super) fn has_database(&self) -> bool {
        !self.config.galera.members.is_empty() || !self.config.proxysql.addresses.is_empty()
    }

    /// What runs are carried out with.
    pub(super) fn access(&self, snapshot: &Snapshot) -> run::Access {
        cockpit::access(&self.config, self.wire.clone(), snapshot, self.state_dir.clone())
    }

    /// All campaigns known: those of the cluster and those of this machine.
    pub(super) fn campaigns(&self, snapshot: &Snapshot) -> Vec<run::campaign::CampaignSeen> {
        cockpit::campaigns(snapshot, &self.state_dir, &self.wire)
    }

    /// The journals that cannot be read, of the cluster and of this machine, one sentence each.
    pub(super) fn unreadable_journals(&self, snapshot: &Snapshot) -> Vec<String> {
        cockpit::unreadable_journals(snapshot, &self.state_dir, &self.wire)
    }

    /// All runs known: those of the cluster and those of this machine.
    pub(super) fn runs(&self, snapshot: &Snapshot) -> Vec<run::RunSeen> {
        cockpit::runs(snapshot, &self.state_dir, &self.wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Observation, Reading, Seen};

    #[test]
    fn a_line_is_written_over_where_the_terminal_can() {
        assert!(rewrites(true, Some("xterm")) && rewrites(true, None));
        assert!(!rewrites(true, Some("dumb")) && !rewrites(false, Some("xterm")));
    }

    #[test]
    fn who_waits_for_long_lists_is_told_how_far_they_have_come() {
        let mut seen = Snapshot::default();
        assert_eq!(reading(&seen), "");
        seen.observe(Observation::Pod(Seen::Reading(Reading { objects: 3_500, of: Some(10_000) })));
        seen.observe(Observation::Deployment(Seen::Reading(Reading { objects: 1_200, of: None })));
        assert_eq!(reading(&seen), "reading the cluster: 3,500 of 10,000 pods, 1,200 deployments");
        seen.observe(Observation::Pod(Seen::All(vec![], Timestamp::UNIX_EPOCH)));
        assert_eq!(reading(&seen), "reading the cluster: 1,200 deployments");
    }
}

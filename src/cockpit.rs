//! Connecting the rooms: what the command line and the screen share, and the one place where the app's effects are
//! performed.

use std::path::{Path, PathBuf};

use crate::{
    cluster::Snapshot,
    config::Config,
    live::Scope,
    run::{self, Hands, RunSeen, Who},
    wire::Wire,
};

/// What is observed.
pub fn scope(config: &Config) -> Scope {
    Scope {
        tenancy: config.tenants.clone(),
        journal_namespace: config.journal.namespace.clone(),
        namespace: config.namespace.clone(),
        metrics_every: config.refresh.metrics.0,
        probe_every: config.refresh.probe.0,
        ..Scope::default()
    }
}

/// What runs are carried out with.
pub fn hands(config: &Config, wire: Wire, seen: &Snapshot, state_dir: PathBuf) -> Hands {
    Hands {
        wire,
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
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
        let host = host.map(|host| host.trim().to_owned()).unwrap_or_default();
        if host.is_empty() { user } else { format!("{user}@{host}") }
    })
}

/// Tells this process from every other that ever held a lease.
fn session() -> String {
    use std::sync::LazyLock;
    static SESSION: LazyLock<String> =
        LazyLock::new(|| format!("{}-{:08x}", std::process::id(), rand::random::<u32>()));
    SESSION.clone()
}

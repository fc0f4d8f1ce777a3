//! What the command line and the screen share: from the configuration to what the rooms take, and the runs known.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use super::themes;
use crate::{
    app::Setup,
    cluster::{Snapshot, words::count},
    config::{self, Config},
    live::{
        Scope,
        database::{Account, Configured, Password, ProxyTarget, logins},
        platform::{Configured as Around, ReplicaServer, StoreAddress, Stores},
        registry::{AskedBy, ConfiguredRegistry, registries},
    },
    run::{
        self, Access, RunSeen, Who,
        campaign::{self, CampaignSeen},
    },
    ui::{self, Depth, Theme, command},
    wire::{
        Wire,
        cost::{self, ApiCost},
        registry::RegistryAddress,
        sql::Tls,
    },
};

/// Redis and servers with replicas are not asked more often, whatever the pace of the database.
const STORES_EVERY: Duration = Duration::from_secs(2);

/// How the cockpit is to look and whom it serves, by the configuration and what the terminal says of itself.
///
/// # Errors
/// The theme is not known, its file is not understood, or the configuration gives a command a key it cannot have.
pub fn setup(config: &Config, state_dir: &Path) -> Result<Setup, String> {
    let variable = |name: &str| std::env::var(name).ok();
    let (no_color, colorterm, term) = (variable("NO_COLOR"), variable("COLORTERM"), variable("TERM"));
    let keys = command::bind(config.keys.iter()).map_err(|wrong| {
        let all: Vec<_> = wrong.iter().map(|bad| format!("[keys] {}: {}", bad.command, bad.why)).collect();
        all.join("\n")
    })?;
    command::install(keys);
    let configured = config.theme.clone().unwrap_or_else(|| "dark".into());
    let mut setup = Setup {
        operator: operator(config),
        read_only: config.read_only,
        theme: configured.clone(),
        configured,
        themes: config::own_themes(),
        depth: Depth::detect(no_color.as_deref(), colorterm.as_deref(), term.as_deref()),
        ascii: config.ascii || ascii(),
        mouse: config.mouse,
        migrations: config.migrations.clone(),
        ..Setup::default()
    };
    Theme::load(&setup.theme, &setup.themes, setup.depth)?;
    if let Some(kept) = themes::kept(state_dir, &setup.configured)
        && Theme::load(&kept, &setup.themes, setup.depth).is_ok()
    {
        setup.theme = kept;
    }
    Ok(setup)
}

/// Whether the terminal shows ASCII only, by the locale.
pub fn ascii() -> bool {
    let variable = |name: &str| std::env::var(name).ok();
    let (all, ctype, lang) = (variable("LC_ALL"), variable("LC_CTYPE"), variable("LANG"));
    ui::is_ascii_only(all.as_deref(), ctype.as_deref(), lang.as_deref())
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
        platform: platform(config),
        ..Scope::default()
    }
}

/// The database, where one is configured. Passwords are read from where the configuration says, but those in Secrets.
pub fn database(config: &Config) -> Option<Configured> {
    let Config { galera, proxysql, .. } = config;
    if galera.members.is_empty() && proxysql.addresses.is_empty() {
        return None;
    }
    let place = |place: &config::ProxyEntry| match place {
        config::ProxyEntry::Direct(at) => {
            ProxyTarget::Direct(at.to_string().as_str().into(), at.host.clone(), at.port)
        }
        config::ProxyEntry::Service { service, port } => {
            ProxyTarget::Service { service: service.clone(), port: port.clone(), reach: proxysql.reach }
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

/// The platform around, where any of it is configured.
pub fn platform(config: &Config) -> Option<Around> {
    let platform = &config.platform;
    if platform.is_empty() {
        return None;
    }
    let pair = |at: &config::Address| (at.host.clone(), at.port);
    let edge = |edge: &config::platform::Edge| {
        let stub = edge.stub_status.as_ref();
        let stub = stub.map(|url| (url.at.host.clone(), url.at.port, url.path.to_string()));
        (edge.name.clone(), pair(&edge.address.0), stub)
    };
    Some(Around {
        edges: platform.edges.iter().map(edge).collect(),
        floating: platform.floating.as_ref().map(|at| pair(&at.0)),
        nodes: platform.ingress_nodes.iter().map(|at| pair(&at.0)).collect(),
        node_port: platform.node_port.map(|port| port.0),
        probes: platform.probes.0,
        every: platform.every.0,
        path: platform.path.to_string(),
        deep: platform.deep_path.as_ref().map(|path| (path.to_string(), platform.deep_every.0)),
        ca: platform.ca.as_deref().map(config::at_home),
        first: None,
        stores: stores(config),
        registry: registry(&platform.registry).map(|of| (of, platform.registry.every.0)),
        around: config::platform::around(platform),
        sharing: None,
    })
}

/// What holds data around the cluster.
fn stores(config: &Config) -> Stores {
    let platform = &config.platform;
    let place = |at: &config::Address, login: &config::Login| StoreAddress {
        host: at.host.clone(),
        port: at.port,
        user: login.user.clone(),
        // The files of the MySQL clients are about something else.
        password: match login.password {
            Some(_) => password(login),
            None => Ok(Password::Known(None)),
        },
        tls: login.tls_ca.as_deref().map(|ca| Tls { ca: config::at_home(ca), name: login.tls_name.clone() }),
    };
    let mut sentinels: BTreeMap<String, StoreAddress> = BTreeMap::new();
    for redis in &platform.redis {
        for at in &redis.sentinel {
            sentinels.entry(at.to_string()).or_insert_with(|| place(&at.0, &redis.login));
        }
    }
    let server =
        |redis: &config::platform::Redis| (redis.name.as_str().into(), place(&redis.address.0, &redis.login));
    let replica = |replica: &config::platform::Replica| {
        let at = &replica.address;
        let by = account(&replica.login);
        ReplicaServer { name: replica.name.as_str().into(), host: at.host.clone(), port: at.port, by }
    };
    Stores {
        redis: platform.redis.iter().map(server).collect(),
        sentinels: sentinels.into_iter().map(|(name, place)| (name.into(), place)).collect(),
        replicas: platform.replicas.iter().map(replica).collect(),
        storage: platform
            .gluster
            .nodes
            .iter()
            .map(|n| (n.name.as_str().into(), n.ssh().to_owned()))
            .collect(),
        volumes: platform.gluster.volumes.iter().map(|name| name.as_str().into()).collect(),
        every: config.refresh.database.0.max(STORES_EVERY),
        storage_every: platform.gluster.every.0,
    }
}

/// A password, where the user is told elsewhere.
fn password(login: &config::Login) -> Result<Password, String> {
    let login = config::Login { user: Some(login.user.clone().unwrap_or_default()), ..login.clone() };
    account(&login).map(|account| account.password)
}

/// How the registry of images is asked. Passwords are read from where the configuration says, but those in Secrets.
fn registry(of: &config::platform::Registry) -> Option<ConfiguredRegistry> {
    let host = of.name.as_ref()?.to_string();
    let by = match (&of.pull_secret, &of.user, &of.password) {
        (Some(secret), ..) => AskedBy::PullSecret(secret.0.clone(), secret.1.clone()),
        (None, Some(user), Some(password)) => {
            let login = config::Login {
                user: Some(user.clone()),
                password: Some(password.clone()),
                ..config::Login::default()
            };
            match account(&login) {
                Ok(account) => AskedBy::User(user.clone(), account.password),
                Err(why) => AskedBy::Unread(why),
            }
        }
        _ => AskedBy::Nobody,
    };
    let authority = of.ca.as_deref().map(config::at_home);
    let base = of.address.as_ref().map(ToString::to_string);
    Some(ConfiguredRegistry { host, place: RegistryAddress { base, authority }, by })
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

/// What this process costs the cluster, a line each: the API server, and each endpoint of the database.
pub fn cost(wire: &Wire) -> Vec<String> {
    let ApiCost { watches, requests, bytes } = wire.cost();
    let server = format!(
        "API server: {}, {:.1} requests and {} a second; {} and {} since the start",
        match watches {
            1 => "1 watch".to_owned(),
            n => format!("{n} watches"),
        },
        requests.per_second,
        amount(bytes.per_second),
        count(requests.total, "request"),
        amount(bytes.total as f64)
    );
    let of_database = cost::queries().into_iter().map(|(endpoint, queries)| {
        let all = match queries.total {
            1 => "1 query".to_owned(),
            n => format!("{n} queries"),
        };
        format!("{endpoint}: {:.1} queries a second; {all} since the start", queries.per_second)
    });
    [server].into_iter().chain(of_database).collect()
}

/// An amount of bytes: `0 B`, `12 kB`, `3.4 MB`.
fn amount(bytes: f64) -> String {
    match bytes {
        b if b < 1_000.0 => format!("{b:.0} B"),
        b if b < 1_000_000.0 => format!("{:.1} kB", b / 1e3),
        b => format!("{:.1} MB", b / 1e6),
    }
}

/// What runs are carried out with.
pub fn access(config: &Config, wire: Wire, seen: &Snapshot, state_dir: PathBuf) -> Access {
    let database = database(config).map(|configured| logins(&configured, Some(wire.clone())));
    let images = registry(&config.platform.registry);
    let registries = images.map(|of| registries(&of, Some(wire.clone()))).unwrap_or_default();
    Access {
        wire,
        database,
        registries,
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
    let local = local.into_iter().filter_map(Result::ok).map(RunSeen::of);
    let mut all: Vec<_> = run::runs(seen).into_iter().chain(local).collect();
    all.sort_by(|a, b| b.run.id.cmp(&a.run.id));
    all
}

/// All campaigns known, the newest first: those whose journal is in the cluster, and those kept on this machine.
pub fn campaigns(seen: &Snapshot, state_dir: &Path, wire: &Wire) -> Vec<CampaignSeen> {
    let local = campaign::local_campaigns(state_dir, wire.context(), wire.server());
    let local = local.into_iter().filter_map(Result::ok).map(CampaignSeen::of);
    let mut all: Vec<_> = campaign::campaigns(seen).into_iter().chain(local).collect();
    all.sort_by(|a, b| b.campaign.id.cmp(&a.campaign.id));
    all
}

/// The journals of runs and campaigns that cannot be read, of the cluster and of this machine, one sentence each.
pub fn unreadable_journals(seen: &Snapshot, state_dir: &Path, wire: &Wire) -> Vec<String> {
    let (context, server) = (wire.context(), wire.server());
    let runs = run::local_journals(state_dir, context, server).into_iter().filter_map(Result::err);
    let campaigns = campaign::local_campaigns(state_dir, context, server).into_iter().filter_map(Result::err);
    run::unreadable_journals(seen).into_iter().chain(runs).chain(campaigns).collect()
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
pub(super) fn session() -> String {
    static SESSION: LazyLock<String> =
        LazyLock::new(|| format!("{}-{:08x}", std::process::id(), rand::random::<u32>()));
    SESSION.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_bytes_have_units() {
        let all = [0.0, 999.4, 1_500.0, 3_400_000.0].map(amount);
        assert_eq!(all, ["0 B", "999 B", "1.5 kB", "3.4 MB"]);
    }
}

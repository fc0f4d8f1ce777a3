//! `wheelhouse demo`: the embedded cluster, with the cockpit or without.

use std::{
    fs::OpenOptions,
    io::Write,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    pin::pin,
};

use clap::Args;

use super::{Common, Failure, screen, session, table};
use crate::{
    cockpit,
    config::{
        self, Address, Config, Galera, Login, PasswordFrom, ProxyAddress, ProxyEntry, Proxysql,
        platform::{
            BaseUrl, Edge, HttpUrl, PlainAddress, Platform, Registry, RegistryName, TlsAddress, UrlPath,
        },
    },
    demo,
};

/// Processes of each edge of the embedded cluster, and the connections that each takes.
const EDGE_WORKERS: u32 = 4;
const EDGE_CONNECTIONS: u32 = 512;

/// The context of the embedded cluster.
pub(super) const DEMO: &str = "demo";

/// The arguments of `wheelhouse demo`.
#[derive(Debug, Args)]
#[command(next_help_heading = "The embedded cluster")]
pub(super) struct DemoArgs {
    /// Serve the cluster without the cockpit, print the path of its kubeconfig, and go on until interrupted
    #[arg(long)]
    serve: bool,
    /// How many tenants
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=5000))]
    tenants: u32,
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=500))]
    nodes: u32,
    /// The same seed gives the same world
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// What is going on: calm, node-recovered, pressure, host-stolen; around the cluster: certificate-expiring, edge-stale,
    /// registry-lost; or in the database: galera-degraded, galera-no-quorum, galera-all-down, flow-control, proxysql-drift,
    /// writer-lost
    #[arg(long, value_name = "NAME", default_value = "node-recovered")]
    scenario: demo::Scenario,
    /// World seconds a second; 0: its time stands
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed, allow_hyphen_values = true)]
    speed: f64,
    /// The port on 127.0.0.1 [default: any free one]
    #[arg(long, value_name = "P", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Where the kubeconfig is written (mode 0600)
    #[arg(long, value_name = "FILE")]
    kubeconfig_out: Option<PathBuf>,
    /// Where a wheelhouse configuration for this world is written (mode 0600); beside it what `--wsrep-recover` prints on
    /// the members that are down
    #[arg(long, value_name = "FILE")]
    config_out: Option<PathBuf>,
}

impl DemoArgs {
    /// There is no screen that log lines could break.
    pub(super) fn serves(&self) -> bool {
        self.serve
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.0..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 0 to 1000".into()),
    }
}

pub(super) async fn run(common: &Common, args: DemoArgs) -> Result<(), Failure> {
    if common.kubeconfig.is_some() || common.context.is_some() {
        return Err(Failure::Usage(
            "the demo brings its own cluster: --kubeconfig and --context do not go with it".into(),
        ));
    }
    for path in [&args.kubeconfig_out, &args.config_out].into_iter().flatten() {
        may_be_written(path)?;
    }
    let layers = session::layers(common)?;
    let mut config = layers.config(Some(DEMO)).map_err(|e| Failure::Usage(e.to_string()))?;
    let options = demo::Options {
        tenants: args.tenants as usize,
        nodes: args.nodes as usize,
        seed: args.seed,
        scenario: args.scenario,
        speed: args.speed,
        port: args.port,
        epoch: None,
    };
    let cluster = demo::start(options).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            Failure::Failed(format!("port {} of 127.0.0.1 is taken; choose another --port", args.port))
        }
        _ => Failure::Failed(format!("the embedded cluster cannot listen on 127.0.0.1: {e}")),
    })?;
    let kept = args.kubeconfig_out.is_some();
    let path = match args.kubeconfig_out {
        Some(path) => path,
        None => default_path()?,
    };
    write_private(&path, &cluster.kubeconfig())?;
    let path = std::path::absolute(&path).unwrap_or(path);
    config.kubeconfig = Some(path.clone());
    config.context = None;
    let passwords = point_at(&mut config, &cluster, &path, args.nodes as usize)?;
    let written = write_config(&config, args.config_out.as_deref())
        .and_then(|()| write_recovered(cluster.database(), args.config_out.as_deref()));
    let result = match written {
        Err(failure) => Err(failure),
        Ok(()) if args.serve => serve(&path).await,
        Ok(()) => screen::open(layers, config, true).await,
    };
    if !kept {
        for path in passwords.iter().chain([&path]) {
            let _ = std::fs::remove_file(path);
        }
    }
    drop(cluster);
    result
}

/// A file beside the kubeconfig.
fn beside(kubeconfig: &Path, what: &str) -> PathBuf {
    let mut path = kubeconfig.as_os_str().to_owned();
    path.push(what);
    path.into()
}

/// Names what stands around the cluster in the configuration, where it has anything, with the certificate of its authority
/// and the password of its registry in files beside the kubeconfig. Returns these files.
fn point_around(
    config: &mut Config,
    cluster: &demo::Cluster,
    kubeconfig: &Path,
) -> Result<Vec<PathBuf>, Failure> {
    let mut platform = Platform::default();
    let mut files = Vec::new();
    if let Some(outside) = cluster.outside() {
        let address = |at: &SocketAddr| Address { host: at.ip().to_string(), port: at.port() };
        let ca = beside(kubeconfig, ".authority.pem");
        write_private(&ca, &outside.authority)?;
        files.push(ca.clone());
        let edge = |proxy: &demo::Proxy| Edge {
            name: proxy.name.clone(),
            address: TlsAddress(address(&proxy.address)),
            stub_status: Some(HttpUrl { at: address(&proxy.status), path: UrlPath("/stub_status".into()) }),
            machine: None,
            workers: Some(EDGE_WORKERS),
            worker_connections: Some(EDGE_CONNECTIONS),
        };
        platform.edges = outside.edges.iter().map(edge).collect();
        platform.floating = outside.floating.as_ref().map(|at| TlsAddress(address(at)));
        platform.ingress_nodes = outside.nodes.iter().map(|(_, at)| PlainAddress(address(at))).collect();
        platform.ca = Some(ca.clone());
        if let Some(images) = &outside.registry {
            let password = beside(kubeconfig, ".registry-password");
            write_private(&password, &format!("{}\n", images.login.1))?;
            files.push(password.clone());
            platform.registry = Registry {
                name: Some(RegistryName(images.name.into())),
                address: Some(BaseUrl(format!("https://{}", images.address))),
                ca: Some(ca),
                user: Some(images.login.0.into()),
                password: Some(PasswordFrom::File(password)),
                ..Registry::default()
            };
        }
    }
    config.platform = platform;
    Ok(files)
}

/// Names the database in the configuration, its members spread over the nodes and its proxies where their pods run, and what
/// stands around the cluster, with the passwords in files beside the kubeconfig. Returns these files.
pub(super) fn point_at(
    config: &mut Config,
    cluster: &demo::Cluster,
    kubeconfig: &Path,
    nodes: usize,
) -> Result<Vec<PathBuf>, Failure> {
    let database = cluster.database();
    let on = |i: usize| format!("worker-{}", i % nodes.max(1) + 1);
    let address = |at: &SocketAddr| Address { host: at.ip().to_string(), port: at.port() };
    let login = |(user, password): demo::database::Login, of: &str| {
        let path = beside(kubeconfig, &format!(".{of}-password"));
        write_private(&path, &format!("{password}\n"))?;
        Ok((
            path.clone(),
            Login { user: Some(user.into()), password: Some(PasswordFrom::File(path)), ..Login::default() },
        ))
    };
    let (galera, by) = login(database.credentials.cockpit, "galera")?;
    let members: Vec<_> = database.members.iter().map(address).collect();
    let hosts = members.iter().cloned().enumerate().map(|(i, member)| (member, on(i))).collect();
    let names = members.iter().cloned().zip((1..).map(|i| format!("db{i}"))).collect();
    config.galera = Galera { members, names, hosts, login: by, ..Galera::default() };
    let (proxysql, by) = login(database.credentials.proxy_admin, "proxysql")?;
    let proxies: Vec<_> = database.proxies.iter().map(address).collect();
    // Its pods may move: where they run is asked of the cluster.
    let hosts =
        proxies.iter().cloned().map(|proxy| (ProxyAddress(proxy), "database/proxysql".into())).collect();
    let addresses = proxies.into_iter().map(ProxyEntry::Direct).collect();
    config.proxysql = Proxysql { addresses, hosts, login: by, ..Proxysql::default() };
    let mut files = point_around(config, cluster, kubeconfig)?;
    files.extend([galera, proxysql]);
    Ok(files)
}

async fn serve(path: &Path) -> Result<(), Failure> {
    // Who reads the path may end us at once: signals are listened for before it is told.
    let mut asked = pin!(cockpit::asked_to_stop());
    if futures::poll!(asked.as_mut()).is_pending() {
        table::print(&format!("{}\n", path.display()))?;
        asked.await;
    }
    Ok(())
}

fn write_config(config: &Config, path: Option<&Path>) -> Result<(), Failure> {
    path.map_or(Ok(()), |path| write_private(path, &config.to_toml()))
}

/// What `--wsrep-recover` prints on each member that is down: `demo.db2.recovered` beside `demo.toml`.
fn write_recovered(database: &demo::database::Database, config: Option<&Path>) -> Result<(), Failure> {
    let Some(config) = config else { return Ok(()) };
    for (member, printed) in database.recovered() {
        write_private(
            &config.with_extension(format!("db{}.recovered", member + 1)),
            &format!("{printed}\n"),
        )?;
    }
    Ok(())
}

pub(super) fn default_path() -> Result<PathBuf, Failure> {
    let folder = config::state_dir().ok_or_else(|| {
        Failure::Failed("no home folder is known for the kubeconfig; name one with --kubeconfig-out".into())
    })?;
    std::fs::create_dir_all(&folder)
        .map_err(|e| Failure::Failed(format!("cannot make {}: {e}", folder.display())))?;
    Ok(folder.join(format!("demo-{}.kubeconfig", std::process::id())))
}

/// Whether a file of that name may be written: what is there and is no file stays what it is, whoever we are.
fn may_be_written(path: &Path) -> Result<(), Failure> {
    let Ok(there) = std::fs::metadata(path) else { return Ok(()) };
    let what = match there.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(Failure::Usage(format!("{} is {what}: name a file, that is written or replaced", path.display())))
}

/// Writes a file that only its owner may read, replacing one that is there.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    may_be_written(path)?;
    // A link leads to the file that is meant.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let cannot = |e| Failure::Failed(format!("cannot write {}: {e}", path.display()));
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(e)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)
}

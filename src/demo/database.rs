//! The simulated database of the embedded world: Galera members and ProxySQL admin ports on loopback, speaking the
//! MySQL protocol. Called by the world that embeds it and by tests. It imports no other room of the crate: a mistake
//! in the cockpit's model of the database cannot be mirrored here.
//!
//! ```text
//!  mysql client --TCP--> server ---> mysqld (SQL of a member)    ---> galera   (pure, stepped)
//!                          |    \--> admin  (SQL of ProxySQL)    ---> proxysql (pure, stepped)
//!                       protocol                                        ^ traffic, checks
//! ```
//!
//! The state is pure and stepped in world time; only `server` knows sockets. Rules, names, formats, error texts and
//! durations were measured on MariaDB 10.11 with galera 26.4 and on ProxySQL 2.7.1.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

mod admin;
mod answer;
mod dialect;
pub mod galera;
pub mod hostgroups;
pub mod member;
mod modules;
mod mysqld;
mod noise;
mod posture;
mod protocol;
pub mod proxysql;
mod scenario;
mod schema;
mod server;
mod servers;
mod stats;
mod variables;

pub use posture::Fault;
pub use scenario::Scenario;

use crate::port::Port;
use galera::{Galera, TICK};
use hostgroups::{Place, Probe, Service};
use member::{Process, Provider, Reject};
use mysqld::{Client, Rights};
use proxysql::ProxySql;

/// Name and password of an account.
pub type Login = (&'static str, &'static str);

/// More than this is not made up for at once: the machine was asleep.
const LATEST: Duration = Duration::from_secs(10);
const MONITOR: Login = ("wheelhouse", "least-grants-9c41");
const COCKPIT: Login = ("cockpit", "grants-to-act-e25b");
const OPERATOR: Login = ("dba", "all-grants-77e0");
const BARE: Login = ("nobody", "no-grants-1b3d");
const PROXY_ADMIN: Login = ("admin", "proxy-admin-5f28");
const PROXY_STATS: Login = ("stats", "proxy-stats-d6a4");

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Galera members, at least 1.
    pub members: usize,
    /// ProxySQL instances.
    pub proxies: usize,
    /// The same seed gives the same numbers.
    pub seed: u64,
    /// Where the story begins.
    pub scenario: Scenario,
    /// World seconds a real second; 0 means that only [`Database::step`] moves the world.
    pub speed: f64,
    /// Seconds since 1970 at the moment the world is handed over.
    pub epoch: u64,
    /// Statements a second of all tenants together: reads, and commits.
    pub load: (f64, f64),
}

impl Default for Options {
    fn default() -> Options {
        Options {
            members: 3,
            proxies: 2,
            seed: 1,
            scenario: Scenario::Calm,
            speed: 0.0,
            epoch: 1_795_248_000,
            load: (900.0, 120.0),
        }
    }
}

/// The accounts of the simulated database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Member: PROCESS, and SELECT on the two wsrep tables.
    pub monitor: Login,
    /// Member: what `monitor` may, and SUPER, to desync.
    pub cockpit: Login,
    /// Member: everything.
    pub operator: Login,
    /// Member: nothing but logging in.
    pub bare: Login,
    /// ProxySQL: everything.
    pub proxy_admin: Login,
    /// ProxySQL: statistics only.
    pub proxy_stats: Login,
}

/// A server of the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// A Galera member, by position.
    Member(usize),
    /// A ProxySQL, by position.
    Proxy(usize),
}

/// Everything that is simulated. Pure: it changes by [`State::step`] and by what is done to it.
pub struct State {
    /// The cluster.
    pub galera: Galera,
    /// The proxies.
    pub proxies: Vec<ProxySql>,
    /// Reads and commits a second of all tenants together.
    pub load: (f64, f64),
    /// The last statements received, oldest first: for tests that assert what a client never sends.
    pub heard: VecDeque<(Endpoint, String)>,
    /// How many clients each endpoint has greeted so far.
    pub greeted: BTreeMap<Endpoint, u64>,
    /// Connections that break at a statement that writes.
    pub cuts: Cuts,
    /// Statements that begin so are answered as if they were carried out, and are not.
    pub deaf_to: Option<&'static str>,
    /// What else happens right after a statement that begins so, once.
    pub meanwhile: Option<(&'static str, Meanwhile)>,
    rest: Duration,
}

/// Something that happens to everything at once.
pub type Meanwhile = Box<dyn FnOnce(&mut State) + Send>;

/// Connections break from a certain write on: for tests of what a client makes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// At the so many-th write from now, counted from 1; 0: never.
    pub at: usize,
    /// The write is carried out, and only its answer is lost.
    pub answered: bool,
    /// Every later write is lost too, before it is carried out.
    pub for_good: bool,
    /// Writes counted so far.
    pub counted: usize,
}

impl Cuts {
    /// Whether the connection breaks at this statement, before or after it is carried out.
    fn strike(&mut self, statement: &str) -> Option<bool> {
        let verb = statement.trim_start().get(..4).unwrap_or_default().to_ascii_uppercase();
        if self.at == 0 || ["SELE", "SHOW"].contains(&verb.as_str()) {
            return None;
        }
        self.counted += 1;
        match self.counted.cmp(&self.at) {
            std::cmp::Ordering::Equal => Some(self.answered),
            std::cmp::Ordering::Greater if self.for_good => Some(false),
            _ => None,
        }
    }
}

impl State {
    /// A state at the beginning of a scenario, with these addresses.
    pub fn new(options: &Options, members: &[SocketAddr], proxies: &[SocketAddr]) -> State {
        let galera = Galera::new(members, options.seed);
        let known: Vec<_> = galera.members.iter().map(|m| (m.address, m.name.clone())).collect();
        let before = scenario::PRELUDE.as_micros() as u64;
        let epoch_us = (options.epoch * 1_000_000).saturating_sub(before);
        let proxy = |(i, address): (usize, &SocketAddr)| {
            ProxySql::new(*address, &known, epoch_us, options.seed.wrapping_add(1 + i as u64))
        };
        let proxies = proxies.iter().enumerate().map(proxy).collect();
        let mut state = State {
            galera,
            proxies,
            load: options.load,
            heard: VecDeque::new(),
            greeted: BTreeMap::new(),
            cuts: Cuts::default(),
            deaf_to: None,
            meanwhile: None,
            rest: Duration::ZERO,
        };
        scenario::play(&mut state, options.scenario);
        state
    }

    /// One statement of somebody else at the admin port of a proxy.
    pub fn tell(&mut self, proxy: usize, statement: &str) {
        admin::answer(&mut self.proxies[proxy], admin::Role::Admin, "somebody", statement);
    }

    /// Somebody gives a member, by its name, another weight in what a proxy runs, and does not save it.
    pub fn weigh(&mut self, proxy: usize, member: &str, weight: u32) {
        self.tell(proxy, &format!("UPDATE mysql_servers SET weight={weight} WHERE comment='{member}'"));
        self.tell(proxy, "LOAD MYSQL SERVERS TO RUNTIME");
    }

    /// Moves the world on. Only whole ticks of 100 ms happen; the rest is kept, so that the same total gives the same
    /// world however it is cut.
    pub fn step(&mut self, time: Duration) {
        self.rest += time;
        let tick = Duration::from_millis(TICK);
        while self.rest >= tick {
            self.rest -= tick;
            self.tick();
        }
    }

    fn tick(&mut self) {
        let galera = &self.galera;
        let service = |place: &Place| service(galera, place);
        let probe = |place: &Place| probe(galera, place);
        let mut offered = vec![0.0; galera.members.len()];
        let mut reads = vec![0; galera.members.len()];
        let up = self.proxies.iter().filter(|p| p.down_until.is_none()).count().max(1) as f64;
        let share = (self.load.0 / up, self.load.1 / up);
        for proxy in &mut self.proxies {
            for (place, (read, writes)) in proxy.tick(TICK, share, service, probe) {
                if let Some(at) = find(galera, &place) {
                    reads[at] += read;
                    offered[at] += writes;
                }
            }
        }
        if self.proxies.is_empty()
            && let Some(writer) = (0..offered.len()).find(|m| galera.takes_writes(*m))
        {
            offered[writer] = self.load.1;
        }
        self.galera.tick(&offered);
        for (member, read) in self.galera.members.iter_mut().zip(reads) {
            member.counters.selects += read;
            member.counters.bytes_sent += read * 420;
        }
    }

    fn hear(&mut self, endpoint: Endpoint, statement: &str) {
        self.heard.push_back((endpoint, statement.to_owned()));
        if self.heard.len() > 4096 {
            self.heard.pop_front();
        }
    }
}

fn find(galera: &Galera, (host, port): &Place) -> Option<usize> {
    galera.members.iter().position(|m| m.address.port() == *port && m.address.ip().to_string() == *host)
}

/// How a member treats the clients of a proxy.
fn service(galera: &Galera, place: &Place) -> Service {
    let Some(at) = find(galera, place) else { return Service::Gone };
    match galera.members[at].process {
        Process::Frozen => Service::Hanging,
        Process::Starting | Process::Stopped { .. } => Service::Gone,
        Process::Running if !galera.serves(at) || galera.members[at].stale => Service::Refusing,
        Process::Running if galera.stalled(at) => Service::Stalled,
        Process::Running => Service::Full,
    }
}

/// What the monitor of a proxy learns about a member.
fn probe(galera: &Galera, place: &Place) -> Probe {
    let gone = || {
        Probe::Failed(format!(
            "timeout or error in creating new connection: Can't connect to server on '{}' (115)",
            place.0
        ))
    };
    let Some(at) = find(galera, place) else { return gone() };
    let m = &galera.members[at];
    match m.process {
        Process::Frozen => Probe::TimedOut,
        Process::Starting | Process::Stopped { .. } => gone(),
        Process::Running => Probe::Reply {
            primary: m.view.primary && m.provider == Provider::Connected,
            read_only: m.read_only,
            queue: m.queue(),
            state: m.local_state() as u8,
            desync: m.desync,
            reject: m.reject != Reject::None,
            donor_rejects: m.donor_rejects,
        },
    }
}

/// What every task shares.
struct Shared {
    state: Mutex<State>,
    postures: tokio::sync::watch::Sender<posture::Postures>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the state was held has already failed its test; the others may go on.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Does something to the state, and tells the servers if they must behave differently now.
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let (result, members, proxies) = {
            let mut state = self.lock();
            let result = f(&mut state);
            let (members, proxies) = posture::reach(&state);
            (result, members, proxies)
        };
        self.postures.send_if_modified(|postures| postures.update(members, proxies));
        result
    }
}

/// The running simulation. Dropping it stops everything.
pub struct Database {
    /// Addresses of the members, in order.
    pub members: Vec<SocketAddr>,
    /// Addresses of the admin ports, in order.
    pub proxies: Vec<SocketAddr>,
    /// The accounts.
    pub credentials: Credentials,
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Starts the simulated database on ports of 127.0.0.1 chosen by the system.
///
/// # Errors
/// When a port of loopback cannot be had.
pub async fn start(options: Options) -> io::Result<Database> {
    let ports = |n: usize| (0..n).map(|_| Port::reserve()).collect::<io::Result<Vec<_>>>();
    let (member_ports, proxy_ports) = (ports(options.members.max(1))?, ports(options.proxies)?);
    let address = |port: &Port| port.address;
    let members: Vec<_> = member_ports.iter().map(address).collect();
    let proxies: Vec<_> = proxy_ports.iter().map(address).collect();
    let state = State::new(&options, &members, &proxies);
    let (up, proxies_up) = posture::reach(&state);
    let postures = posture::Postures::new(up, proxies_up);
    let shared =
        Arc::new(Shared { state: Mutex::new(state), postures: tokio::sync::watch::Sender::new(postures) });
    let endpoints = (0..members.len()).map(Endpoint::Member).chain((0..proxies.len()).map(Endpoint::Proxy));
    let mut tasks = Vec::new();
    for (endpoint, mut port) in endpoints.zip(member_ports.into_iter().chain(proxy_ports)) {
        // Open before anybody can be told the address: a client never meets a server that is about to listen.
        port.set(shared.postures.borrow().of(endpoint).is_open())?;
        tasks.push(tokio::spawn(server::serve(endpoint, port, shared.clone(), options.seed)));
    }
    if options.speed > 0.0 {
        let shared = shared.clone();
        let speed = options.speed.min(1000.0);
        tasks.push(tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(TICK));
            clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            let mut last = clock.tick().await;
            loop {
                clock.tick().await;
                // By what has passed, as the rest of the world goes: a tick that came late takes no time away.
                let now = tokio::time::Instant::now();
                let passed = now.duration_since(last).min(LATEST);
                last = now;
                shared.with(|state| state.step(passed.mul_f64(speed)));
            }
        }));
    }
    let credentials = Credentials {
        monitor: MONITOR,
        cockpit: COCKPIT,
        operator: OPERATOR,
        bare: BARE,
        proxy_admin: PROXY_ADMIN,
        proxy_stats: PROXY_STATS,
    };
    Ok(Database { members, proxies, credentials, shared, tasks })
}

impl Database {
    /// The members that are down, by their place, with what `mariadbd --wsrep-recover` prints on each.
    pub fn recovered(&self) -> Vec<(usize, String)> {
        let state = self.shared.lock();
        let members = state.galera.members.iter().enumerate();
        members.filter_map(|(i, member)| Some((i, member.recovered()?))).collect()
    }

    /// Moves the world on by hand.
    pub fn step(&self, time: Duration) {
        self.with(|state| state.step(time));
    }

    /// Looks at the state, or does something to it.
    pub fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        self.shared.with(f)
    }

    /// Makes a server misbehave on the wire, whatever its state; `None` ends it.
    pub fn fault(&self, endpoint: Endpoint, fault: Option<Fault>) {
        self.shared.postures.send_if_modified(|postures| postures.fault(endpoint, fault));
    }

    /// The statements an endpoint has received, oldest first.
    pub fn heard(&self, endpoint: Endpoint) -> Vec<String> {
        self.with(|s| s.heard.iter().filter(|(e, _)| *e == endpoint).map(|(_, text)| text.clone()).collect())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

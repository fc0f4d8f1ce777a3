//! One simulated ProxySQL: its runtime, its monitor's logs, and the layers its admin port shows. Pure.
//! The statements of the admin port are in `admin`, the tables they read are filled in `stats`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

use rusqlite::Connection;

use super::{
    dialect::{self, Outcome, quoted},
    hostgroups::{Hostgroups, Place, Probe, Service, Status},
    modules::{LAYERED, MODULES, Module},
    noise::{Noise, checksum},
    schema, servers,
};

/// Rows of a monitor log kept for each backend.
const KEPT: usize = 60;
/// Milliseconds between pings and between connection checks of the monitor.
const PING: u64 = 8_000;
const CONNECT: u64 = 120_000;
/// Milliseconds from the death of the process until its supervisor has started it again.
const RESTART: u64 = 5_000;
/// A log of the monitor: place, microseconds since 1970, duration in microseconds, result.
pub(super) type Checks<T> = VecDeque<(Place, u64, u64, T)>;

/// One proxy.
pub struct ProxySql {
    /// Address of its admin port.
    pub address: SocketAddr,
    /// World milliseconds.
    pub now: u64,
    /// Microseconds since 1970 at world time zero.
    pub epoch_us: u64,
    /// The runtime.
    pub hostgroups: Hostgroups,
    /// Whether it accepts clients on its traffic port (`PROXYSQL PAUSE`).
    pub paused: bool,
    /// World milliseconds at which it is back, while it is down.
    pub down_until: Option<u64>,
    /// World milliseconds of its start.
    pub started: u64,
    /// Galera checks: place, world microseconds since 1970, duration, result.
    pub(super) galera_log: Checks<Probe>,
    /// Pings and connection checks: place, microseconds since 1970, duration, error.
    pub(super) ping_log: Checks<Option<String>>,
    pub(super) connect_log: Checks<Option<String>>,
    /// What the admin user sees: main, and attached disk, stats, monitor, stats_history, and `live`, the runtime of
    /// everything that is not a backend.
    pub(super) admin: Connection,
    /// What the stats user sees.
    pub(super) stats: Connection,
    /// Version, seconds since 1970 and checksum of each module as it was last loaded.
    pub(super) checksums: BTreeMap<&'static str, (u64, u64, u64)>,
    /// Counters at the last read of a `_reset` table of digests.
    pub(super) digest_base: (u64, u64),
    /// Connections to the admin port, by id.
    pub sessions: BTreeSet<u64>,
    /// The last id given to one of them.
    pub(super) last_session: u64,
    /// Client sessions that were killed, so that the list shows others.
    pub(super) killed: u64,
    refused_before: BTreeSet<Place>,
    seed: u64,
    noise: Noise,
}

impl ProxySql {
    /// A proxy that knows these members, the first with the greatest weight, with its configuration saved.
    pub fn new(address: SocketAddr, members: &[(SocketAddr, String)], epoch_us: u64, seed: u64) -> ProxySql {
        let admin = dialect::open(&["disk", "stats", "monitor", "stats_history", "live"]);
        let stats = dialect::open(&["monitor"]);
        schema::create(&admin, &stats);
        let mut proxy = ProxySql {
            address,
            now: 0,
            epoch_us,
            hostgroups: Hostgroups::new(seed),
            paused: false,
            down_until: None,
            started: 0,
            galera_log: VecDeque::new(),
            ping_log: VecDeque::new(),
            connect_log: VecDeque::new(),
            admin,
            stats,
            checksums: BTreeMap::new(),
            digest_base: (0, 0),
            sessions: BTreeSet::new(),
            last_session: 0,
            killed: 0,
            refused_before: BTreeSet::new(),
            seed,
            noise: Noise::new(seed ^ 0xad),
        };
        let mut configuration = String::new();
        for ((member, name), weight) in members.iter().zip([100, 50, 10].into_iter().chain((1..9).rev())) {
            configuration.push_str(&format!(
                "INSERT INTO disk.mysql_servers (hostgroup_id,hostname,port,weight,max_connections,comment) \
                 VALUES (10,{},{},{weight},100,{});\n",
                quoted(&member.ip().to_string()),
                member.port(),
                quoted(name)
            ));
        }
        configuration.push_str(
            "INSERT INTO disk.mysql_galera_hostgroups VALUES (10,20,30,9999,1,1,2,100,'tenants');
             INSERT INTO disk.mysql_users (username,password,default_hostgroup) VALUES ('app','*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19',10);
             INSERT INTO disk.mysql_query_rules (rule_id,active,match_digest,destination_hostgroup,apply)
                 VALUES (100,1,'^SELECT .* FOR UPDATE',10,1),(200,1,'^SELECT',30,1);\n",
        );
        for (name, value) in schema::variables(address) {
            configuration.push_str(&format!(
                "INSERT INTO disk.global_variables VALUES ({},{});\n",
                quoted(&name),
                quoted(&value)
            ));
        }
        proxy.batch(&configuration);
        proxy.restart();
        proxy
    }

    /// The process dies; what was not on disk is lost, and a supervisor starts it again after five seconds.
    pub fn crash(&mut self) {
        self.down_until = Some(self.now + RESTART);
        self.sessions.clear();
    }

    /// Starts from disk: disk to memory, memory to runtime, all counters at zero.
    pub fn restart(&mut self) {
        self.down_until = None;
        self.started = self.now;
        self.hostgroups = Hostgroups::new(self.seed);
        self.checksums.clear();
        self.galera_log.clear();
        self.ping_log.clear();
        self.connect_log.clear();
        for table in LAYERED {
            self.copy("disk", "main", table);
        }
        for module in MODULES {
            self.load(module);
        }
    }

    /// Copies a table from one layer to another.
    pub(super) fn copy(&self, from: &str, to: &str, table: &str) {
        self.batch(&format!(
            "DELETE FROM {to}.{table}; INSERT INTO {to}.{table} SELECT * FROM {from}.{table};"
        ));
    }

    fn batch(&self, sql: &str) {
        self.admin.execute_batch(sql).expect("the layers have the same columns and constraints");
    }

    /// A number from a table of the admin database.
    pub(super) fn number(&self, sql: &str) -> i64 {
        self.admin.query_row(sql, [], |row| row.get(0)).unwrap_or(0)
    }

    /// The weight of the member at a port in the rows on its disk; 0 where there is none.
    pub fn weight_on_disk(&self, port: u16) -> i64 {
        self.number(&format!("SELECT coalesce(max(weight), 0) FROM disk.mysql_servers WHERE port = {port}"))
    }

    /// A runtime variable.
    pub fn variable(&self, name: &str) -> String {
        let sql =
            format!("SELECT variable_value FROM live.global_variables WHERE variable_name={}", quoted(name));
        self.admin.query_row(&sql, [], |row| row.get(0)).unwrap_or_default()
    }

    /// Brings one module from memory to the runtime.
    pub(super) fn load(&mut self, module: &Module) {
        match module.name {
            "MYSQL SERVERS" => {
                self.copy("main", "live", "mysql_galera_hostgroups");
                let (rows, roles) = (servers::backends(&self.admin), servers::roles(&self.admin));
                self.hostgroups.load(rows, roles);
            }
            "MYSQL USERS" => self.batch(
                "DELETE FROM live.mysql_users;
                 INSERT INTO live.mysql_users SELECT * FROM main.mysql_users;
                 UPDATE live.mysql_users SET backend=0, frontend=1;
                 INSERT INTO live.mysql_users SELECT username,password,active,use_ssl,default_hostgroup,default_schema,
                     schema_locked,transaction_persistent,fast_forward,1,0,max_connections,attributes,comment
                     FROM main.mysql_users;",
            ),
            "MYSQL VARIABLES" | "ADMIN VARIABLES" => {
                let prefix = if module.name == "MYSQL VARIABLES" { "mysql-" } else { "admin-" };
                // A value out of range is put back without a word.
                self.batch(&format!(
                    "UPDATE main.global_variables SET variable_value=(SELECT variable_value FROM live.global_variables l
                         WHERE l.variable_name=main.global_variables.variable_name)
                     WHERE variable_name='mysql-monitor_galera_healthcheck_interval'
                         AND CAST(variable_value AS INTEGER) NOT BETWEEN 50 AND 604800000
                         AND EXISTS (SELECT 1 FROM live.global_variables);
                     DELETE FROM live.global_variables WHERE variable_name LIKE '{prefix}%';
                     INSERT INTO live.global_variables
                         SELECT * FROM main.global_variables WHERE variable_name LIKE '{prefix}%';"
                ));
            }
            _ => {
                for table in module.tables {
                    self.copy("main", "live", table);
                }
            }
        }
        if let Some(name) = module.checksum {
            let sum = self.content(if module.name == "MYSQL SERVERS" { "main" } else { "live" }, module);
            let epoch = self.epoch_us / 1_000_000 + self.now / 1000;
            let version = self.checksums.get(name).map_or(0, |(version, ..)| *version) + 1;
            self.checksums.insert(name, (version, epoch, sum));
            if module.name == "MYSQL SERVERS" {
                self.checksums.insert("mysql_servers", (version, epoch, sum.rotate_left(17)));
            }
        }
    }

    /// A checksum of the rows of a module in one layer; 0 for none.
    pub(super) fn content(&self, layer: &str, module: &Module) -> u64 {
        let mut text = String::new();
        for table in module.tables {
            let only = match module.name {
                "MYSQL VARIABLES" => " WHERE variable_name LIKE 'mysql-%'",
                "ADMIN VARIABLES" => {
                    " WHERE variable_name LIKE 'admin-%' AND variable_name<>'admin-mysql_ifaces'"
                }
                _ => "",
            };
            let sql = format!("SELECT * FROM {layer}.{table}{only} ORDER BY 1,2,3");
            let sql = if table == &"global_variables" { sql.replace("1,2,3", "1,2") } else { sql };
            if let Ok(Outcome::Rows(rows)) = dialect::run(&self.admin, &sql, false) {
                for row in rows.rows {
                    text.push_str(&format!("{row:?}"));
                }
            }
        }
        if text.is_empty() { 0 } else { checksum(&text) }
    }

    /// `SAVE MYSQL SERVERS FROM RUNTIME`: the runtime's rows, SHUNNED as ONLINE.
    pub(super) fn save_servers(&mut self) {
        self.hostgroups.purge();
        let rows: Vec<_> = self
            .hostgroups
            .backends
            .iter()
            .filter(|b| b.status != Status::OfflineHard)
            .map(|b| {
                let status = if b.status == Status::Shunned { Status::Online } else { b.status };
                servers::row(b, status)
            })
            .collect();
        dialect::refill(&self.admin, "main.mysql_servers", rows);
        self.copy("live", "main", "mysql_galera_hostgroups");
    }

    /// One tick: restart, traffic, monitor. Answers what reaches each place: reads in this tick, writes a second.
    pub fn tick(
        &mut self,
        tick: u64,
        load: (f64, f64),
        service: impl Fn(&Place) -> Service,
        probe: impl Fn(&Place) -> Probe,
    ) -> BTreeMap<Place, (u64, f64)> {
        self.now += tick;
        match self.down_until {
            Some(at) if self.now >= at => self.restart(),
            Some(_) => return BTreeMap::new(),
            None => {}
        }
        let load = if self.paused { (0.0, 0.0) } else { load };
        let reached = self.hostgroups.traffic(self.now, tick, load, service);
        let up = self.now - self.started;
        let interval: u64 =
            self.variable("mysql-monitor_galera_healthcheck_interval").parse().unwrap_or(5_000).max(tick);
        let due = |every: u64| up / every != up.saturating_sub(tick) / every;
        let enabled = self.variable("mysql-monitor_enabled") == "true";
        if enabled && due(interval) {
            self.check(&probe);
        }
        if enabled && (due(PING) || up == tick) {
            for place in self.hostgroups.monitored() {
                let (at, took) = (self.clock(), 90 + self.noise.below(240));
                let error = ping_error(&probe(&place));
                let took = if error.is_some() { 0 } else { took };
                keep(&mut self.ping_log, (place, at, took, error));
            }
        }
        if enabled && (due(CONNECT) || up == tick) {
            for place in self.hostgroups.monitored() {
                let (at, took) = (self.clock(), 470 + self.noise.below(600));
                let error = ping_error(&probe(&place));
                let took = if error.is_some() { 0 } else { took };
                keep(&mut self.connect_log, (place, at, took, error));
            }
        }
        reached
    }

    fn check(&mut self, probe: &impl Fn(&Place) -> Probe) {
        let mut probes = BTreeMap::new();
        for place in self.hostgroups.monitored() {
            let mut found = probe(&place);
            if matches!(found, Probe::Failed(_)) {
                if self.refused_before.insert(place.clone()) {
                    found = Probe::Failed("Lost connection to server during query".to_owned());
                }
            } else {
                self.refused_before.remove(&place);
            }
            let (at, took) = (self.clock() + self.noise.below(3_000), 1_000 + self.noise.below(2_000));
            keep(&mut self.galera_log, (place.clone(), at, took, found.clone()));
            probes.insert(place, found);
        }
        self.hostgroups.check(&probes);
    }

    /// Microseconds since 1970.
    pub fn clock(&self) -> u64 {
        self.epoch_us + self.now * 1000
    }
}

fn ping_error(probe: &Probe) -> Option<String> {
    match probe {
        Probe::Reply { .. } => None,
        Probe::TimedOut => Some(
            "Lost connection to server at 'handshake: reading initial communication packet', system error: 110".to_owned(),
        ),
        Probe::Failed(text) => Some(text.trim_start_matches("timeout or error in creating new connection: ").to_owned()),
    }
}

fn keep<T>(log: &mut VecDeque<T>, row: T) {
    log.push_back(row);
    // Three members or five: the log is cut by rows, as by time in the real one.
    if log.len() > KEPT * 5 {
        log.pop_front();
    }
}

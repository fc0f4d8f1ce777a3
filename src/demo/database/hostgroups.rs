//! ProxySQL's runtime: backends in hostgroups, the Galera monitor with its election of the writer, the connection
//! pool and the traffic through it. Pure. Rules read in ProxySQL 2.7.1 and checked against recorded failovers.

use std::collections::{BTreeMap, BTreeSet};

use super::noise::Noise;

/// Status of a backend in one hostgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Takes traffic.
    Online,
    /// Takes none for now: surplus writer, or errors.
    Shunned,
    /// Takes no new traffic. The Galera monitor undoes it at its next check.
    OfflineSoft,
    /// On its way out; only connections in use are left.
    OfflineHard,
}

impl Status {
    /// As the tables spell it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Online => "ONLINE",
            Status::Shunned => "SHUNNED",
            Status::OfflineSoft => "OFFLINE_SOFT",
            Status::OfflineHard => "OFFLINE_HARD",
        }
    }

    /// From the memory layer. SHUNNED is a state of the runtime: loading it gives ONLINE.
    pub fn loaded(word: &str) -> Status {
        match word.to_ascii_uppercase().as_str() {
            "OFFLINE_SOFT" => Status::OfflineSoft,
            "OFFLINE_HARD" => Status::OfflineHard,
            _ => Status::Online,
        }
    }
}

/// Counters of the connection pool of one backend in one hostgroup; they begin anew when the row does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Connections in use.
    pub used: u64,
    /// Connections open and idle.
    pub free: u64,
    /// Connections made.
    pub ok: u64,
    /// Connections that failed.
    pub err: u64,
    /// Most in use at once.
    pub max_used: u64,
    /// Statements sent.
    pub queries: u64,
    /// Bytes to the backend.
    pub sent: u64,
    /// Bytes from the backend.
    pub received: u64,
}

/// A row of `runtime_mysql_servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Hostgroup.
    pub hostgroup: i64,
    /// Host.
    pub hostname: String,
    /// Port.
    pub port: u16,
    /// Status.
    pub status: Status,
    /// Weight: share of reads, and rank as a writer.
    pub weight: i64,
    /// Most connections from this proxy.
    pub max_connections: i64,
    /// gtid_port, compression, max_replication_lag, use_ssl, max_latency_ms: carried, never used.
    pub others: [i64; 5],
    /// Comment.
    pub comment: String,
    /// Its pool.
    pub pool: Pool,
}

/// Host and port of a backend.
pub type Place = (String, u16);

impl Backend {
    /// Host and port.
    pub fn place(&self) -> Place {
        (self.hostname.clone(), self.port)
    }
}

/// A row of `mysql_galera_hostgroups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Hostgroup of the writer, and of the surplus writers as SHUNNED.
    pub writer: i64,
    /// Hostgroup of the surplus writers as ONLINE.
    pub backup: i64,
    /// Hostgroup of the readers.
    pub reader: i64,
    /// Hostgroup of those that are out; they are ONLINE there.
    pub offline: i64,
    /// Whether the monitor acts.
    pub active: bool,
    /// Most writers at once.
    pub max_writers: i64,
    /// 0 no, 1 the writer reads too, 2 the surplus writers read.
    pub also_reader: i64,
    /// Receive queue above which a read-only member goes out.
    pub max_behind: u64,
}

/// What one check of one member gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An existing connection broke, or a new one was refused.
    Failed(String),
    /// No answer in time.
    TimedOut,
    /// An answer.
    Reply {
        /// `wsrep_cluster_status` is Primary.
        primary: bool,
        /// `read_only`.
        read_only: bool,
        /// `wsrep_local_recv_queue`.
        queue: u64,
        /// `wsrep_local_state`.
        state: u8,
        /// `wsrep_desync`.
        desync: bool,
        /// `wsrep_reject_queries` is not NONE.
        reject: bool,
        /// `wsrep_sst_donor_rejects_queries`.
        donor_rejects: bool,
    },
}

/// How a member treats a client that comes through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Reads and writes.
    Full,
    /// Reads; a commit waits.
    Stalled,
    /// Connects and answers 1047.
    Refusing,
    /// Accepts connections and never answers.
    Hanging,
    /// Refuses connections.
    Gone,
}

/// A row of `stats_mysql_errors`, by hostgroup, place and error number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How often.
    pub count: u64,
    /// World milliseconds, first and last.
    pub seen: (u64, u64),
    /// The last message.
    pub text: String,
}

/// What a verdict on a member is based on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Writer,
    ReadOnly,
    Unsure,
    Offline,
    /// Offline because it rejects queries.
    Rejecting,
}

/// The runtime.
#[derive(Clone, Debug)]
pub struct Hostgroups {
    /// Every backend in every hostgroup, in the order of creation.
    pub backends: Vec<Backend>,
    /// The Galera hostgroups.
    pub roles: Vec<Roles>,
    /// Errors by hostgroup, place and number.
    pub failures: BTreeMap<(i64, Place, u16), Failure>,
    /// Client connections of this proxy.
    pub clients: u64,
    /// World milliseconds since which clients wait for a hostgroup without backends, and the hostgroup.
    pub waiting: Option<(u64, i64)>,
    /// Clients that gave up waiting (error 9001).
    pub gave_up: u64,
    /// Clients that lost their connection to what was loaded or to a member that was taken out.
    pub cut: u64,
    /// Statements of clients, reads and writes.
    pub questions: (u64, u64),
    /// Rows as they were loaded: the monitor leaves them where they are when it makes a backend the writer.
    loaded: BTreeSet<(i64, Place)>,
    missed: BTreeMap<Place, u32>,
    noise: Noise,
}

impl Hostgroups {
    /// A runtime without backends.
    pub fn new(seed: u64) -> Hostgroups {
        Hostgroups {
            backends: Vec::new(),
            roles: Vec::new(),
            failures: BTreeMap::new(),
            clients: 24,
            waiting: None,
            gave_up: 0,
            cut: 0,
            questions: (0, 0),
            loaded: BTreeSet::new(),
            missed: BTreeMap::new(),
            noise: Noise::new(seed),
        }
    }

    /// `LOAD MYSQL SERVERS TO RUNTIME`: exactly these rows. What is not among them goes; what is in use goes last.
    pub fn load(&mut self, rows: Vec<Backend>, roles: Vec<Roles>) {
        let key = |b: &Backend| (b.hostgroup, b.place());
        let wanted: BTreeSet<_> = rows.iter().filter(|b| b.status != Status::OfflineHard).map(key).collect();
        let named: BTreeSet<_> = rows.iter().map(key).collect();
        let reads = |this: &Hostgroups| {
            let reader = this.roles.first().map(|r| r.reader);
            this.backends.iter().any(|b| Some(b.hostgroup) == reader && b.status == Status::Online)
        };
        let had_readers = reads(self);
        for old in &mut self.backends {
            if !wanted.contains(&key(old)) {
                // Deleted rows drain; those that were put to OFFLINE_HARD are cut.
                if named.contains(&key(old)) && old.status != Status::OfflineHard {
                    self.cut += old.pool.used;
                }
                old.status = Status::OfflineHard;
            }
        }
        for row in rows {
            if row.status == Status::OfflineHard {
                continue;
            }
            match self.backends.iter_mut().find(|b| b.status != Status::OfflineHard && key(b) == key(&row)) {
                Some(old) => *old = Backend { pool: std::mem::take(&mut old.pool), ..row },
                None => self.backends.push(row),
            }
        }
        self.roles = roles;
        self.loaded = wanted;
        if had_readers && !reads(self) {
            self.cut += self.clients;
        }
        self.sweep();
    }

    /// The backend clients write to, if there is one.
    pub fn writer(&self) -> Option<&Backend> {
        let roles = self.roles.first()?;
        self.backends.iter().find(|b| b.hostgroup == roles.writer && b.status == Status::Online)
    }

    /// The hosts the monitor checks.
    pub fn monitored(&self) -> Vec<Place> {
        let places: BTreeSet<_> =
            self.backends.iter().filter(|b| b.status != Status::OfflineHard).map(Backend::place).collect();
        places.into_iter().collect()
    }

    /// One round of the Galera monitor.
    pub fn check(&mut self, probes: &BTreeMap<Place, Probe>) {
        let mut verdicts = BTreeMap::new();
        for (place, probe) in probes {
            let missed = self.missed.entry(place.clone()).or_insert(0);
            let verdict = match probe {
                Probe::Failed(_) => Verdict::Offline,
                Probe::TimedOut => {
                    *missed += 1;
                    if *missed >= 3 { Verdict::Offline } else { Verdict::Unsure }
                }
                Probe::Reply { primary, read_only, queue, state, desync, reject, donor_rejects } => {
                    *missed = 0;
                    let behind = self.roles.first().map_or(0, |r| r.max_behind);
                    match () {
                        () if !primary || *desync || !(*state == 4 || *state == 2 && !donor_rejects) => {
                            Verdict::Offline
                        }
                        () if *reject => Verdict::Rejecting,
                        // Only read-only members are judged by their queue, whatever the manual says.
                        () if *read_only && behind > 0 && *queue > behind => Verdict::Offline,
                        () if *read_only => Verdict::ReadOnly,
                        () => Verdict::Writer,
                    }
                }
            };
            verdicts.insert(place.clone(), verdict);
        }
        for roles in self.roles.clone().iter().filter(|roles| roles.active) {
            self.converge(roles, &verdicts);
        }
        self.sweep();
    }

    fn converge(&mut self, roles: &Roles, verdicts: &BTreeMap<Place, Verdict>) {
        let managed = [roles.writer, roles.backup, roles.reader, roles.offline];
        let mut templates: BTreeMap<Place, Backend> = BTreeMap::new();
        for b in &self.backends {
            if managed.contains(&b.hostgroup) && b.status != Status::OfflineHard {
                templates.entry(b.place()).or_insert_with(|| b.clone());
            }
        }
        let outside = |this: &Hostgroups, place: &Place| !this.inside(place, roles);
        let (mut writers, mut readers, mut out, mut rejecting) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for place in templates.keys() {
            match verdicts.get(place).copied().unwrap_or(Verdict::Unsure) {
                Verdict::Writer => writers.push(place.clone()),
                Verdict::ReadOnly => readers.push(place.clone()),
                Verdict::Unsure if outside(self, place) => out.push(place.clone()),
                Verdict::Unsure if self.row(roles.writer, place).is_some() => writers.push(place.clone()),
                Verdict::Unsure => readers.push(place.clone()),
                // Traffic has already shunned it: it stays where it is, SHUNNED, and another one writes.
                Verdict::Rejecting if self.row(roles.writer, place) == Some(Status::Shunned) => {
                    rejecting.push(place.clone());
                }
                Verdict::Offline | Verdict::Rejecting => out.push(place.clone()),
            }
        }
        // The last one standing is left where it is, even if it is no use: nothing could take its place.
        if writers.is_empty() && readers.is_empty() && rejecting.is_empty() {
            let last = out
                .iter()
                .filter(|p| !outside(self, p))
                .max_by_key(|p| (self.row(roles.writer, p) == Some(Status::Online), templates[*p].weight))
                .cloned();
            out.retain(|p| Some(p) != last.as_ref());
        }
        writers.sort_by_key(|p| {
            let b = &templates[p];
            std::cmp::Reverse((b.weight, b.hostname.clone(), b.port))
        });
        let surplus = writers.split_off(writers.len().min(usize::try_from(roles.max_writers).unwrap_or(0)));
        let mut rebuild_later = false;
        for place in &writers {
            if self.row(roles.writer, place) != Some(Status::Online) {
                rebuild_later |= !rejecting.is_empty();
                self.place(&templates[place], roles.writer, Status::Online);
                self.remove(place, &[roles.offline]);
                self.remove_unloaded(place, roles.backup);
                if roles.also_reader != 1 {
                    self.remove_unloaded(place, roles.reader);
                }
            }
            if roles.also_reader == 1 {
                self.place(&templates[place], roles.reader, Status::Online);
            }
        }
        for place in &surplus {
            self.remove(place, &[roles.offline]);
            self.place(&templates[place], roles.writer, Status::Shunned);
            if rebuild_later {
                self.remove(place, &[roles.backup, roles.reader]);
                continue;
            }
            self.place(&templates[place], roles.backup, Status::Online);
            if roles.also_reader != 0 {
                self.place(&templates[place], roles.reader, Status::Online);
            }
        }
        for place in &readers {
            self.remove(place, &[roles.writer, roles.backup, roles.offline]);
            self.place(&templates[place], roles.reader, Status::Online);
        }
        for place in &rejecting {
            self.remove(place, &[roles.backup, roles.reader]);
        }
        for place in &out {
            let pooled = self.backends.iter().filter(|b| b.hostgroup == roles.reader && b.place() == *place);
            self.cut += pooled.map(|b| b.pool.used).sum::<u64>();
            self.remove(place, &[roles.writer, roles.backup, roles.reader]);
            self.place(&templates[place], roles.offline, Status::Online);
        }
    }

    fn inside(&self, place: &Place, roles: &Roles) -> bool {
        [roles.writer, roles.backup, roles.reader].iter().any(|h| self.row(*h, place).is_some())
    }

    fn row(&self, hostgroup: i64, place: &Place) -> Option<Status> {
        self.backends
            .iter()
            .find(|b| b.hostgroup == hostgroup && b.place() == *place && b.status != Status::OfflineHard)
            .map(|b| b.status)
    }

    fn place(&mut self, template: &Backend, hostgroup: i64, status: Status) {
        let place = template.place();
        let row = self
            .backends
            .iter_mut()
            .find(|b| b.hostgroup == hostgroup && b.place() == place && b.status != Status::OfflineHard);
        match row {
            Some(row) => row.status = status,
            None => {
                self.backends.push(Backend { hostgroup, status, pool: Pool::default(), ..template.clone() })
            }
        }
    }

    fn remove(&mut self, place: &Place, hostgroups: &[i64]) {
        for b in &mut self.backends {
            if hostgroups.contains(&b.hostgroup) && b.place() == *place {
                b.status = Status::OfflineHard;
            }
        }
    }

    fn remove_unloaded(&mut self, place: &Place, hostgroup: i64) {
        if !self.loaded.contains(&(hostgroup, place.clone())) {
            self.remove(place, &[hostgroup]);
        }
    }

    /// Rows on their way out end with their last used connection.
    fn sweep(&mut self) {
        self.backends.retain(|b| b.status != Status::OfflineHard || b.pool.used > 0);
    }

    /// One tick of traffic: `reads` and `writes` statements a second are offered by the clients of this proxy.
    /// Answers what reaches each place: statements read in this tick, and writes offered a second.
    pub fn traffic(
        &mut self,
        now: u64,
        tick: u64,
        (reads, writes): (f64, f64),
        service: impl Fn(&Place) -> Service,
    ) -> BTreeMap<Place, (u64, f64)> {
        let mut reached = BTreeMap::new();
        let Some(roles) = self.roles.first().cloned() else { return reached };
        // What was on its way out and waits for a commit stays; the rest has ended since the last tick.
        for b in &mut self.backends {
            let stalled = service(&b.place()) == Service::Stalled;
            if b.status == Status::OfflineHard && !stalled {
                b.pool.used = 0;
            }
        }
        self.sweep();
        let takes = |b: &Backend, hostgroup| b.hostgroup == hostgroup && b.status == Status::Online;
        let readers: i64 =
            self.backends.iter().filter(|b| takes(b, roles.reader)).map(|b| b.weight.max(1)).sum();
        let writers = self.backends.iter().filter(|b| takes(b, roles.writer)).count();
        // A client that waits for a reader sends no write either.
        let empty = if readers == 0 { Some(roles.reader) } else { (writers == 0).then_some(roles.writer) };
        match (self.waiting, empty) {
            (_, None) => self.waiting = None,
            (None, Some(hostgroup)) => self.waiting = Some((now, hostgroup)),
            (Some((since, _)), Some(hostgroup)) if now >= since + 10_000 => {
                self.gave_up += self.clients;
                self.waiting = Some((now, hostgroup));
            }
            _ => {}
        }
        let (clients, seconds) = (self.clients, tick as f64 / 1000.0);
        let mut failures = Vec::new();
        for b in &mut self.backends {
            let (is_reader, is_writer) = (takes(b, roles.reader), takes(b, roles.writer) && readers > 0);
            if !is_reader && !is_writer {
                if b.status != Status::OfflineHard {
                    b.pool.free += std::mem::take(&mut b.pool.used);
                }
                continue;
            }
            let share = if is_reader {
                reads * b.weight.max(1) as f64 / readers as f64
            } else {
                writes / writers as f64
            };
            let n = (share * seconds) as u64
                + u64::from(self.noise.below(1000) < ((share * seconds).fract() * 1000.0) as u64);
            let place = b.place();
            let state = service(&place);
            let busy = match state {
                Service::Full => (n / 4).clamp(u64::from(n > 0), clients),
                Service::Stalled if is_reader => (n / 4).clamp(1, clients).max(3),
                Service::Stalled | Service::Hanging => clients,
                Service::Refusing | Service::Gone => 0,
            };
            let most = b.max_connections.max(0) as u64;
            let busy = busy.min(most);
            let open = b.pool.used + b.pool.free;
            if busy > open {
                b.pool.ok += busy - open;
            }
            b.pool.used = busy;
            b.pool.free = open.max(busy) - busy;
            b.pool.max_used = b.pool.max_used.max(busy);
            let entry: &mut (u64, f64) = reached.entry(place.clone()).or_default();
            match state {
                Service::Full | Service::Stalled if is_reader => {
                    entry.0 += n;
                    b.pool.queries += n;
                    b.pool.sent += n * 64;
                    b.pool.received += n * 420;
                    self.questions.0 += n;
                }
                Service::Full => {
                    entry.1 += share;
                    b.pool.queries += n * 3;
                    b.pool.sent += n * 210;
                    b.pool.received += n * 11;
                    self.questions.1 += n;
                }
                Service::Stalled => entry.1 += share,
                Service::Hanging => {}
                Service::Refusing if n > 0 => {
                    b.status = Status::Shunned;
                    b.pool.err += 5;
                    let text = "WSREP has not yet prepared node for application use";
                    failures.push((b.hostgroup, place, 1047, 5, text.to_owned()));
                }
                Service::Gone => {
                    b.status = Status::Shunned;
                    b.pool.err += 5;
                    (b.pool.used, b.pool.free) = (0, 0);
                    let text = format!("Can't connect to server on '{}' (115)", b.hostname);
                    failures.push((b.hostgroup, place, 2002, 5, text));
                }
                Service::Refusing => {}
            }
        }
        for (hostgroup, place, number, count, text) in failures {
            let failure = self.failures.entry((hostgroup, place, number)).or_insert(Failure {
                count: 0,
                seen: (now, now),
                text: String::new(),
            });
            failure.count += count;
            failure.seen.1 = now;
            failure.text = text;
        }
        reached
    }
}

//! The simulated Galera cluster: views and quorum, replication and flow control, state transfers, faults.
//! Pure and stepped in ticks of 100 ms of world time. Durations are those measured on MariaDB 10.11 with galera 26.4
//! and its default timeouts (suspect 5 s); quorum is the provider's weighted rule.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::member::{
    Change, Counters, Hold, Member, NO_HISTORY, Process, Provider, Reject, Session, State, View,
};
use super::noise::Noise;

mod replication;
mod transfer;
mod views;

/// Milliseconds of world time one tick takes.
pub const TICK: u64 = 100;
/// From the silence of a peer to the new view without it.
const EVICTION: u64 = 6_000;
/// From the silence of a peer to the first doubt (`evs_state` GATHER).
const SUSPICION: u64 = 5_000;
/// The side that keeps quorum notices closed sockets sooner than the side that is cut off.
const CUT_SEEN_BY_MAJORITY: u64 = 2_200;
const CUT_SEEN_BY_MINORITY: u64 = 5_500;
const HEALING: u64 = 3_000;
/// A woken member believes its old view for this long, then is in none for `ALONE`.
const STALE: u64 = 6_000;
const ALONE: u64 = 2_000;
/// From the start of a process to its membership, and the time an incremental transfer takes.
const STARTING: u64 = 1_600;
const INCREMENTAL: u64 = 2_500;

/// What is to happen at a moment.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    /// These members look around and agree on a view.
    Regroup(Vec<usize>),
    /// A woken member notices that it was left behind.
    Notice(usize),
    /// It talks to the others again.
    Return(usize),
    /// A started process asks to be let in.
    Admit(usize),
    /// A joiner has its state.
    Transferred { joiner: usize, donor: usize },
}

/// A schema change under TOI: it holds every commit of the component until it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Toi {
    /// Where it was issued.
    pub origin: usize,
    /// The change.
    pub change: Change,
}

/// The cluster.
#[derive(Clone, Debug)]
pub struct Galera {
    /// World milliseconds.
    pub now: u64,
    /// The members, in the order of the configuration.
    pub members: Vec<Member>,
    /// Milliseconds a full state transfer takes.
    pub full_copy: u64,
    /// A schema change under way.
    pub toi: Option<Toi>,
    events: Vec<(u64, Event)>,
    /// Members that said goodbye since the last primary view: they do not count against quorum.
    departed: BTreeSet<usize>,
    /// Fractions of write-sets not yet sent, and not yet applied, by member.
    carry: Vec<(f64, f64)>,
    noise: Noise,
    /// Ids of connections are never used twice, across restarts too.
    last_session: u64,
}

impl Galera {
    /// A healthy cluster that has run for a while.
    pub fn new(addresses: &[SocketAddr], seed: u64) -> Galera {
        let mut noise = Noise::new(seed);
        let all: Vec<usize> = (0..addresses.len()).collect();
        let view = View { primary: true, conf_id: all.len() as u64, members: all };
        let history = noise.uuid();
        let position = 48_000_000 + noise.below(900_000);
        let started = 0;
        let member = |(i, address): (usize, &SocketAddr)| Member {
            name: format!("db{}", i + 1),
            address: *address,
            process: Process::Running,
            provider: Provider::Connected,
            view: view.clone(),
            last_primary: view.clone(),
            state: State::Synced,
            weight: 1,
            history: history.clone(),
            committed: position,
            received: position,
            desync: false,
            pending_desync: Vec::new(),
            desync_left: 0,
            donating: None,
            rsu: None,
            reject: Reject::None,
            read_only: false,
            donor_rejects: false,
            apply_rate: 2_000.0,
            gcache: 2 << 30,
            partition: 0,
            stale: false,
            requests_pause: false,
            paused: false,
            gather_at: None,
            started,
            gcomm: noise.uuid(),
            counters: Counters::default(),
            sessions: Default::default(),
            set: Default::default(),
            version: "10.11.19-MariaDB-0+deb12u1".to_owned(),
        };
        let members: Vec<_> = addresses.iter().enumerate().map(member).collect();
        let carry = vec![(0.0, 0.0); members.len()];
        Galera {
            now: 0,
            members,
            full_copy: 40_000,
            toi: None,
            events: Vec::new(),
            departed: BTreeSet::new(),
            carry,
            noise,
            last_session: 30,
        }
    }

    /// The member at an address.
    pub fn at(&self, address: SocketAddr) -> Option<usize> {
        self.members.iter().position(|m| m.address == address)
    }

    /// Whether a client of this member could commit now.
    pub fn takes_writes(&self, at: usize) -> bool {
        self.serves(at) && !self.members[at].read_only
    }

    /// Whether a client of this member could read a table now.
    pub fn serves(&self, at: usize) -> bool {
        let m = &self.members[at];
        m.process == Process::Running && m.ready() && m.reject == Reject::None
    }

    /// Whether commits of this member's component stand still: an unnoticed loss, a TOI change, or a full stop by
    /// flow control.
    pub fn stalled(&self, at: usize) -> bool {
        let m = &self.members[at];
        let lost = m.view.members.iter().any(|peer| !self.hears(at, *peer));
        let toi = self.toi.as_ref().is_some_and(|toi| m.view.members.contains(&toi.origin));
        let locked = m.sessions.values().any(|s| s.hold.is_some()) || m.rsu.is_some();
        lost || toi || locked || self.room(at) == Some(0)
    }

    /// Kills the process: nothing is said to the peers.
    pub fn kill(&mut self, at: usize) {
        self.halt(at, Process::Stopped { clean: false });
        self.members[at].sessions.clear();
    }

    /// Stops the process with SIGSTOP.
    pub fn freeze(&mut self, at: usize) {
        self.halt(at, Process::Frozen);
    }

    /// Lets a frozen process run again. If its peers have gone on, it believes its old view for six seconds.
    pub fn wake(&mut self, at: usize) {
        if self.members[at].process != Process::Frozen {
            return;
        }
        self.members[at].process = Process::Running;
        let left_behind = (0..self.members.len())
            .any(|peer| peer != at && self.alive(peer) && !self.members[peer].view.members.contains(&at));
        if left_behind && self.members[at].view.primary {
            self.members[at].stale = true;
            self.after(STALE, Event::Notice(at));
        }
    }

    /// Shuts the process down in order: the peers' view and the quorum shrink at once.
    pub fn stop(&mut self, at: usize) {
        let was = self.members[at].view.clone();
        self.members[at].process = Process::Stopped { clean: true };
        self.members[at].sessions.clear();
        self.depart(at, was);
    }

    /// `wsrep_cluster_address=''`: the provider leaves, the process stays.
    pub fn leave(&mut self, at: usize) {
        let was = self.members[at].view.clone();
        self.members[at].provider = Provider::Left;
        self.members[at].state = State::Initialized;
        self.depart(at, was);
    }

    /// The vote goes against this member: it leaves and its position is void.
    pub fn expel(&mut self, at: usize) {
        let was = self.members[at].view.clone();
        let m = &mut self.members[at];
        m.provider = Provider::Inconsistent;
        m.state = State::Inconsistent;
        m.history.clear();
        self.depart(at, was);
    }

    /// Starts a stopped process, or lets a provider that left join again.
    pub fn start(&mut self, at: usize) {
        let (now, gcomm) = (self.now, self.noise.uuid());
        let m = &mut self.members[at];
        match (m.process, m.provider) {
            (Process::Stopped { .. }, _) => m.process = Process::Starting,
            (Process::Running, Provider::Left) => {}
            _ => return,
        }
        m.provider = Provider::Connected;
        m.state = State::Initialized;
        m.view = View { primary: false, members: vec![at], conf_id: 0 };
        (m.desync, m.donating, m.stale, m.gather_at) = (false, None, false, None);
        (m.pending_desync, m.desync_left) = (Vec::new(), 0);
        m.gcomm = gcomm;
        if m.process == Process::Starting {
            (m.counters, m.started) = (Counters::default(), now);
        }
        self.after(STARTING, Event::Admit(at));
    }

    /// Starts a stopped process with `--wsrep-new-cluster` at its own position.
    pub fn bootstrap(&mut self, at: usize) {
        if !matches!(self.members[at].process, Process::Stopped { .. }) || self.members[at].history.is_empty()
        {
            return;
        }
        let (now, gcomm) = (self.now, self.noise.uuid());
        let m = &mut self.members[at];
        (m.process, m.provider, m.state) = (Process::Running, Provider::Connected, State::Synced);
        (m.counters, m.started, m.gcomm) = (Counters::default(), now, gcomm);
        m.received = m.committed;
        m.view = View { primary: true, members: vec![at], conf_id: 1 };
        m.last_primary = m.view.clone();
        self.departed.clear();
    }

    /// Starts every stopped process without its position: the group forms again by itself, nothing is transferred,
    /// and all claim to be in sync with data that may differ.
    pub fn reform_without_position(&mut self) {
        let all: Vec<usize> = (0..self.members.len()).collect();
        let now = self.now;
        for m in &mut self.members {
            (m.process, m.provider, m.state) = (Process::Running, Provider::Connected, State::Synced);
            (m.counters, m.started, m.gather_at) = (Counters::default(), now, None);
            m.history = NO_HISTORY.to_owned();
            m.received = m.committed;
            m.view = View { primary: true, members: all.clone(), conf_id: 0 };
            m.last_primary = m.view.clone();
        }
        self.events.clear();
    }

    /// Cuts this member off from the others, as `gmcast.isolate=1` does.
    pub fn isolate(&mut self, at: usize) {
        let apart = 1 + self.members.iter().map(|m| m.partition).max().unwrap_or(0);
        self.members[at].partition = apart;
        let others: Vec<usize> = (0..self.members.len()).filter(|m| *m != at).collect();
        self.after(CUT_SEEN_BY_MAJORITY, Event::Regroup(others));
        self.after(CUT_SEEN_BY_MINORITY, Event::Regroup(vec![at]));
    }

    /// Mends every cut.
    pub fn heal(&mut self) {
        for m in &mut self.members {
            m.partition = 0;
        }
        let all = (0..self.members.len()).collect();
        self.after(HEALING, Event::Regroup(all));
    }

    /// `pc.bootstrap=YES`: this member's component becomes primary, whoever is missing. No effect on a primary one.
    pub fn declare_primary(&mut self, at: usize) {
        if self.members[at].view.primary {
            return;
        }
        let group = self.group(at);
        let conf_id = group.iter().map(|m| self.members[*m].last_primary.conf_id).max().unwrap_or(0) + 1;
        self.install(&group, Some(conf_id));
    }

    /// Issues a schema change under TOI.
    pub fn toi(&mut self, at: usize, statement: &str, length: u64) {
        let change = Change { statement: statement.to_owned(), started: self.now, length };
        self.toi = Some(Toi { origin: at, change });
    }

    /// Issues a schema change under RSU.
    pub fn rsu(&mut self, at: usize, statement: &str, length: u64) {
        self.members[at].rsu = Some(Change { statement: statement.to_owned(), started: self.now, length });
    }

    /// Opens a session that holds a lock; its id is returned. It ends by [`Galera::end_session`].
    pub fn hold(&mut self, at: usize, user: &str, hold: Hold) -> u64 {
        let id = self.connect(at, user, "10.4.7.19:51234", Some("tenant_acme"));
        if let Some(session) = self.members[at].sessions.get_mut(&id) {
            session.hold = Some(hold);
        }
        id
    }

    /// Notes a new connection and gives it an id.
    pub fn connect(&mut self, at: usize, user: &str, host: &str, database: Option<&str>) -> u64 {
        let since = self.now;
        self.last_session += 1;
        let id = self.last_session;
        let (user, host) = (user.to_owned(), host.to_owned());
        let database = database.map(str::to_owned);
        self.members[at].sessions.insert(id, Session { user, host, database, since, hold: None });
        id
    }

    /// Ends a connection, whatever it holds. Says whether there was one.
    pub fn end_session(&mut self, at: usize, id: u64) -> bool {
        self.members[at].sessions.remove(&id).is_some()
    }

    /// `FLUSH STATUS`: it is replicated, so it resets the counters of every member of the component.
    pub fn flush_status(&mut self, at: usize) {
        for peer in self.members[at].view.members.clone() {
            self.flush_local_status(peer);
        }
    }

    /// `FLUSH LOCAL STATUS`.
    pub fn flush_local_status(&mut self, at: usize) {
        let c = &mut self.members[at].counters;
        (c.fc_sent, c.fc_recv, c.queue_max, c.queue_sum, c.queue_samples) = (0, 0, 0, 0.0, 0.0);
        c.paused_ns_flushed = c.paused_ns;
    }

    /// One tick. `offered` is the write-sets a second that clients would commit at each member; the answer is how
    /// many were committed in this tick.
    pub fn tick(&mut self, offered: &[f64]) -> Vec<u64> {
        self.now += TICK;
        self.happen();
        for m in &mut self.members {
            (m.paused, m.requests_pause) = (false, false);
            if !m.applier_blocked() {
                // Each of them counts; one can be taken back.
                for (_, on) in std::mem::take(&mut m.pending_desync) {
                    m.desync_left += u64::from(on && m.desync);
                    m.desync = on;
                }
            }
        }
        let mut committed = vec![0; self.members.len()];
        let mut seen = BTreeSet::new();
        for at in 0..self.members.len() {
            if self.alive(at) && self.members[at].view.primary && !seen.contains(&at) {
                let view = &self.members[at].view;
                let group: Vec<usize> =
                    self.group(at).into_iter().filter(|m| self.members[*m].view == *view).collect();
                seen.extend(group.iter().copied());
                self.replicate(&group, offered, &mut committed);
            }
        }
        for at in 0..self.members.len() {
            self.apply(at);
        }
        committed
    }
}

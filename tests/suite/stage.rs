//! A calm simulated database on the embedded cluster, and the cockpits that act on it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::{Duration, Instant};

use secrecy::SecretString;
use wheelhouse::{
    demo::database::{self as simulated, Endpoint, hostgroups::Status},
    live::database::{Account, Configured, Password, ProxyTarget},
    plan::Plan,
    run::{Handle, JournalPlace, Run, RunState},
    wire::sql::{Login, Sql},
};

use crate::session::{Ground, PATIENCE, Session};

/// How to log in.
fn account((user, password): simulated::Login) -> Result<Account, String> {
    let password = Password::Known(Some(SecretString::from(password.to_owned())));
    Ok(Account { user: user.into(), password, tls: None })
}

/// The world and how much of it a cockpit follows.
pub struct Stage {
    pub ground: Ground,
    proxies: usize,
}

impl Stage {
    /// A calm database whose monitors check five times a second.
    pub fn new() -> Self {
        Self::with(2, 200)
    }

    /// The same with so many proxies configured, whose monitors check every so many milliseconds.
    pub fn with(proxies: usize, check_every: u64) -> Self {
        let stage = Self { ground: Ground::new(), proxies };
        let alice = stage.bare("setup");
        let check = format!("SET mysql-monitor_galera_healthcheck_interval={check_every}");
        for at in 0..2 {
            stage.tell(&alice, at, &check);
            stage.tell(&alice, at, "LOAD MYSQL VARIABLES TO RUNTIME");
        }
        stage.database().step(Duration::from_secs(2));
        stage
    }

    pub fn database(&self) -> &simulated::Database {
        self.ground.cluster.database()
    }

    pub fn bare(&self, operator: &str) -> Session {
        self.ground.session(operator)
    }

    pub fn session_by(&self, operator: &str, member: simulated::Login, proxy: simulated::Login) -> Session {
        let database = self.database();
        let configured = Configured {
            members: (database.members.iter())
                .map(|at| (at.to_string().as_str().into(), at.ip().to_string(), at.port()))
                .collect(),
            members_by: account(member),
            proxies: (database.proxies.iter().take(self.proxies))
                .map(|at| ProxyTarget::Direct(at.to_string().as_str().into(), at.ip().to_string(), at.port()))
                .collect(),
            proxies_by: account(proxy),
            every: Duration::from_millis(20),
            expected: Default::default(),
        };
        let session = self.ground.session_of_database(operator, configured);
        session.until("the database", |s| {
            s.galera.values().filter(|m| m.now().is_some()).count() == 3
                && s.proxies.values().filter(|p| p.now().is_some()).count() == self.proxies
        });
        session
    }

    pub fn session(&self, operator: &str) -> Session {
        let logins = self.database().credentials;
        self.session_by(operator, logins.operator, logins.proxy_admin)
    }

    /// One statement of somebody else.
    pub fn tell(&self, session: &Session, proxy: usize, statement: &str) {
        self.ask(session, proxy, statement);
    }

    /// One question of somebody else; the first column of the answer.
    pub fn ask(&self, session: &Session, proxy: usize, statement: &str) -> Vec<String> {
        let at = self.database().proxies[proxy];
        let (user, password) = self.database().credentials.proxy_admin;
        let login = Login {
            host: at.ip().to_string(),
            port: at.port(),
            user: user.into(),
            password: Some(SecretString::from(password.to_owned())),
            tls: None,
        };
        let answer = session.block("an answer", async { Sql::new(login).ask(statement).await }).unwrap();
        answer.rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }

    /// What of the servers is configuration, in one layer of one proxy: `main`, `runtime` or `disk`.
    pub fn layer(&self, session: &Session, proxy: usize, layer: &str) -> Vec<String> {
        let table =
            if layer == "runtime" { "runtime_mysql_servers" } else { &format!("{layer}.mysql_servers") };
        let question = format!(
            "SELECT DISTINCT hostname || ':' || port || ' ' || weight || ' ' || max_connections || ' ' || comment \
             FROM {table} WHERE status <> 'OFFLINE_HARD' ORDER BY 1"
        );
        self.ask(session, proxy, &question)
    }

    /// Memory, runtime and disk of every proxy, who writes and who reads.
    pub fn layers(&self, session: &Session) -> Vec<Vec<String>> {
        let proxy = |at: usize| {
            let online = "SELECT hostgroup_id || ' ' || port FROM runtime_mysql_servers WHERE status = 'ONLINE' \
                          AND hostgroup_id IN (10, 30) ORDER BY 1";
            let layers = ["main", "runtime", "disk"].map(|layer| self.layer(session, at, layer));
            layers.into_iter().chain([self.ask(session, at, online)]).collect::<Vec<_>>()
        };
        (0..self.proxies).flat_map(proxy).collect()
    }

    /// Until the monitor has checked twice more.
    pub fn settle(&self) {
        self.database().step(Duration::from_secs(2));
    }

    pub fn member(&self, at: usize) -> String {
        self.database().members[at].to_string()
    }

    pub fn proxy(&self, at: usize) -> String {
        self.database().proxies[at].to_string()
    }

    /// Drives a run; the database moves, and nothing else. `each` is asked after every tick.
    pub fn drive_until(
        &self,
        session: &Session,
        handle: &mut Handle,
        far: impl Fn(&Run) -> bool,
        each: impl Fn(),
    ) {
        let began = Instant::now();
        while !far(&handle.watch.borrow_and_update()) {
            assert!(began.elapsed() < PATIENCE, "the run gets nowhere: {:?}", handle.watch.borrow().doing);
            let news =
                async { tokio::time::timeout(Duration::from_millis(10), handle.watch.changed()).await };
            let _ = session.block("news", news);
            self.database().step(Duration::from_millis(100));
            each();
        }
    }

    /// Until the run is so far while the database stands still: no monitor checks, so no wait for one can end.
    pub fn stand_until(&self, session: &Session, handle: &Handle, far: impl Fn(&Run) -> bool) {
        let mut watch = handle.watch.clone();
        session.block("the run", async move { watch.wait_for(|run| far(run)).await.map(drop) }).unwrap();
    }

    pub fn drive(&self, session: &Session, handle: &mut Handle) -> Run {
        self.drive_until(session, handle, |run| run.state.is_over() || run.state == RunState::Paused, || {});
        session.block("the end of the run", handle.ended())
    }

    pub fn run(&self, session: &Session, plan: Plan) -> Run {
        let mut handle = session.start(plan, JournalPlace::Cluster);
        self.drive(session, &mut handle)
    }

    /// `10 db1 ONLINE` and so on, of one proxy.
    pub fn writers(&self, proxy: usize) -> Vec<u16> {
        self.database().with(|s| {
            let all = &s.proxies[proxy].hostgroups.backends;
            all.iter().filter(|b| b.hostgroup == 10 && b.status == Status::Online).map(|b| b.port).collect()
        })
    }

    pub fn hostgroups_of(&self, proxy: usize, member: usize) -> Vec<i64> {
        let port = self.database().members[member].port();
        self.database().with(|s| {
            let all = s.proxies[proxy].hostgroups.backends.iter();
            let mut found: Vec<_> = all
                .filter(|b| b.port == port && b.status != Status::OfflineHard)
                .map(|b| b.hostgroup)
                .collect();
            found.sort_unstable();
            found
        })
    }

    pub fn cut(&self) -> u64 {
        self.database().with(|s| s.proxies.iter().map(|p| p.hostgroups.cut).sum())
    }

    pub fn heard(&self, endpoint: Endpoint, statement: &str) -> usize {
        self.database().heard(endpoint).iter().filter(|s| s.starts_with(statement)).count()
    }
}

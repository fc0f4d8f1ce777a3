//! Real MariaDB Galera members, in every state that matters, and the words the cockpit has for it.
//!
//! One cluster is taken through its states one after the other: starting one costs most of the time. Nothing sleeps for
//! a fixed time: every state is waited for, with a deadline that says what was seen instead.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpListener, sync::mpsc, task::JoinSet};
use wheelhouse::{
    cluster::{
        Finding, MemberName, Observation, Severity, Snapshot, Tenancy,
        database::{Case, Database, Evidence, Expectations, Saved, Sheet, recovery},
        findings,
    },
    live::database::{Endpoints, observe},
    wire::sql::{ANSWER_WITHIN, CONNECT_WITHIN, Kind, Login, Sql, Tls},
};

const PASSWORD: &str = "not-to-be-seen-17";
/// The least rights: nothing (USAGE) for the status; these two for threads and for the last primary view.
pub const GRANTS: &[&str] = &[
    "CREATE USER wheelhouse@'%' IDENTIFIED BY 'not-to-be-seen-17'",
    "GRANT PROCESS ON *.* TO wheelhouse@'%'",
    "GRANT SELECT ON mysql.wsrep_cluster_members TO wheelhouse@'%'",
    "CREATE USER nobody@'%' IDENTIFIED BY 'not-to-be-seen-17'",
];

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/galera/member")
}

fn needs_mariadb() {
    let there = ["/usr/sbin/mariadbd", "/usr/lib/galera/libgalera_smm.so", "/usr/bin/rsync"]
        .iter()
        .all(|p| Path::new(p).exists());
    assert!(
        there,
        "real Galera members are needed: apt-get install mariadb-server galera-4 rsync (tests/run does it)"
    );
}

/// The first of a hundred ports nobody listens at, below those the system hands out. No two calls get the same.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 100) as u16;
    (0..100)
        .map(|_| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 100 * 100)
        .find(|base| (0..60).all(|port| std::net::TcpListener::bind(("127.0.0.1", base + port)).is_ok()))
        .expect("a hundred free ports")
}

/// Real members below a folder of their own; they end with the test.
struct Lab {
    root: TempDir,
    base: u16,
    count: u16,
    running: Vec<Option<Child>>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Lab {
    fn new(count: u16) -> Self {
        needs_mariadb();
        let root = tempfile::tempdir().expect("a folder");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755))
            .expect("the server's user may enter");
        let made = Command::new(script()).arg("template").arg(root.path()).status().expect("bash");
        assert!(
            made.success(),
            "{}",
            fs::read_to_string(root.path().join("install.log")).unwrap_or_default()
        );
        let running = (0..=count).map(|_| None).collect();
        Self { root, base: free_ports(), count, running }
    }

    fn port(&self, node: u16) -> u16 {
        self.base + 10 * node
    }

    fn name(&self, node: u16) -> MemberName {
        format!("127.0.0.1:{}", self.port(node)).as_str().into()
    }

    /// Starts a member. Its folder is what it was, or empty: then it takes a full copy.
    fn start(&mut self, node: u16, flags: &[&str]) {
        let child = Command::new(script())
            .arg("run")
            .arg(self.root.path())
            .args([self.base, node, self.count].map(|n| n.to_string()))
            .args(flags)
            .stdin(Stdio::null())
            .spawn()
            .expect("bash");
        self.running[usize::from(node)] = Some(child);
    }

    /// Gives a member the template's data, so that it need not copy them.
    fn seed(&self, node: u16) {
        let folder = self.root.path().join(format!("n{node}"));
        fs::create_dir_all(&folder).expect("a folder");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(self.root.path().join("template"))
            .arg(folder.join("data"))
            .status();
        assert!(copied.expect("cp").success());
    }

    fn signal(&self, node: u16, signal: &str) {
        let pid = self.running[usize::from(node)].as_ref().expect("it runs").id();
        let sent = Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// `kill -9`, and it is gone.
    fn kill(&mut self, node: u16) {
        let mut child = self.running[usize::from(node)].take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// A clean stop.
    fn stop(&mut self, node: u16) {
        self.signal(node, "-TERM");
        let mut child = self.running[usize::from(node)].take().expect("it runs");
        child.wait().expect("it ends");
    }

    /// What a person finds on the machine of a member that is down.
    fn evidence(&self, node: u16) -> String {
        let told = Command::new(script()).arg("recover").arg(self.root.path()).arg(node.to_string()).output();
        String::from_utf8_lossy(&told.expect("bash").stdout).into_owned()
    }

    fn login(&self, node: u16, user: &str) -> Login {
        let password = (user != "root").then(|| PASSWORD.to_owned().into());
        Login { host: "127.0.0.1".into(), port: self.port(node), user: user.into(), password, tls: None }
    }

    fn root(&self, node: u16) -> Sql {
        Sql::new(self.login(node, "root"))
    }

    async fn run(&self, node: u16, statement: &str) {
        self.root(node).ask(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }

    /// Waits until a statement works: the server is up and in a primary component.
    async fn until_serving(&mut self, node: u16) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.root(node).ask("SELECT COUNT(*) FROM mysql.user").await;
            if answer.is_ok() {
                return;
            }
            let log = self.root.path().join(format!("n{node}/error.log"));
            let ended = self.running[usize::from(node)]
                .as_mut()
                .is_some_and(|c| c.try_wait().is_ok_and(|e| e.is_some()));
            if ended || Instant::now() > deadline {
                let log = fs::read_to_string(log).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(15).collect();
                panic!(
                    "db{node} does not serve: {answer:?}\n{}",
                    tail.into_iter().rev().collect::<Vec<_>>().join("\n")
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A cockpit that watches the members.
struct Eye {
    snapshot: Snapshot,
    news: mpsc::Receiver<Observation>,
    _tasks: JoinSet<()>,
}

impl Eye {
    fn on(lab: &Lab, user: &str) -> Self {
        let (into, news) = mpsc::channel(100);
        let members = (1..=lab.count).map(|n| (lab.name(n), lab.login(n, user))).collect();
        let every = Duration::from_millis(300);
        let tasks = observe(Endpoints { members, proxies: vec![], every }, into);
        Self { snapshot: Snapshot::new(Tenancy::default()), news, _tasks: tasks }
    }

    fn database(&self) -> std::sync::Arc<Database> {
        Database::of(&self.snapshot).expect("members are configured")
    }

    fn state(&self, node: usize) -> String {
        self.database().members[node - 1].state.word()
    }

    fn findings(&self) -> Vec<Finding> {
        findings(&self.snapshot)
    }

    fn has(&self, rule: &str) -> bool {
        self.findings().iter().any(|f| f.rule == rule)
    }

    fn text(&self, rule: &str) -> String {
        self.findings().iter().find(|f| f.rule == rule).map(|f| f.text.clone()).unwrap_or_default()
    }

    /// Takes news in until it is as it should be.
    async fn until(&mut self, what: &str, seconds: u64, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
        let begun = Instant::now();
        while !(self.snapshot.galera.freshness.is_known() && holds(self)) {
            match tokio::time::timeout_at(deadline, self.news.recv()).await {
                Ok(Some(news)) => {
                    self.snapshot.observe(news);
                    self.snapshot.at = Timestamp::now();
                }
                _ => {
                    let database = self.database();
                    let states: Vec<_> = database
                        .members
                        .iter()
                        .map(|r| format!("{}: {} {:?}", r.label, r.state.word(), r.member.link.trouble()))
                        .collect();
                    let found: Vec<_> =
                        self.findings().iter().map(|f| format!("{}: {}", f.rule, f.text)).collect();
                    panic!(
                        "not seen within {seconds} s: {what}\n{}\n{}\n{}",
                        database.headline().text,
                        states.join("\n"),
                        found.join("\n")
                    );
                }
            }
        }
        eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
    }

    async fn until_states(&mut self, what: &str, seconds: u64, states: &[&str]) {
        self.until(what, seconds, |eye| {
            eye.database().members.iter().map(|r| r.state.word()).eq(states.iter().map(|s| (*s).to_owned()))
        })
        .await;
    }

    fn sheet(&self, fed: &[(MemberName, Saved)]) -> Sheet {
        recovery(&Evidence::of(&self.database(), fed))
    }
}

/// Keeps writing on a member, until dropped.
fn writer(lab: &Lab, node: u16) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let login = lab.login(node, "root");
    tasks.spawn(async move {
        let mut sql = Sql::new(login);
        loop {
            if sql.ask("INSERT INTO t.b (v) VALUES (REPEAT('x', 500))").await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    tasks
}

async fn form(lab: &mut Lab) {
    lab.seed(1);
    lab.start(1, &["--wsrep-new-cluster"]);
    lab.until_serving(1).await;
    for statement in GRANTS {
        lab.run(1, statement).await;
    }
    lab.run(1, "CREATE DATABASE t").await;
    lab.run(1, "CREATE TABLE t.b (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(600))").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_cluster_is_told_right_in_every_state() {
    let mut lab = Lab::new(3);
    form(&mut lab).await;
    let mut eye = Eye::on(&lab, "wheelhouse");
    eye.until_states("one of three", 20, &["synced", "down", "down"]).await;
    assert!(eye.has("galera-size") && !eye.has("rights-missing"), "{:?}", eye.findings());

    // Joiners with nothing take a full copy; SQL is closed meanwhile and the donor says so.
    lab.start(2, &[]);
    eye.until("a full copy is told on both sides", 60, |eye| {
        eye.state(2) == "joining, full copy" && eye.state(1).starts_with("donor (to")
    })
    .await;
    eye.until_states("the second is in", 60, &["synced", "synced", "down"]).await;
    lab.start(3, &[]);
    eye.until_states("healthy", 90, &["synced"; 3]).await;
    let database = eye.database();
    assert_eq!(database.headline().text, "galera 3/3");
    assert_eq!(database.headline().severity, None);
    assert_eq!(database.quorum.to_string(), "quorum 3 of 3 weights, one more loss is safe");
    assert_eq!(database.members[1].now().expect("it answers").peers.len(), 3);
    let loud: Vec<_> = eye.findings().into_iter().filter(|f| f.severity > Severity::Notice).collect();
    assert!(loud.is_empty(), "{loud:?}");

    // By hand out of flow control, refusing clients, read-only.
    lab.run(3, "SET GLOBAL wsrep_desync=ON").await;
    eye.until("desynced", 10, |eye| eye.state(3) == "desynced by hand").await;
    lab.run(3, "SET GLOBAL wsrep_desync=OFF").await;
    lab.run(2, "SET GLOBAL wsrep_reject_queries=ALL").await;
    eye.until("rejecting", 10, |eye| eye.state(2) == "rejects clients" && eye.state(3) == "synced").await;
    assert!(eye.text("member-rejects").contains("wsrep_reject_queries=ALL"));
    lab.run(2, "SET GLOBAL wsrep_reject_queries=NONE").await;

    // An idle session with LOCK TABLES on one member stops all writes: who, and where.
    let writing = writer(&lab, 1);
    let mut holder = lab.root(3);
    holder.ask("LOCK TABLES t.b WRITE").await.expect("a lock");
    let id = holder.ask("SELECT CONNECTION_ID()").await.expect("an id").rows[0][0].clone().expect("an id");
    eye.until("flow control, for whom, and the session that causes it", 30, |eye| {
        eye.text("flow-control").contains("for db3")
            && eye.text("lock-holder").contains(&format!("session {id} "))
                | eye.text("lock-holder").contains(&format!(", {id} "))
    })
    .await;
    drop(holder);
    eye.until("flow control is over", 30, |eye| !eye.has("flow-control") && !eye.has("lock-holder")).await;

    // A global read lock takes the member out of flow control by itself: its reads grow stale in silence.
    let mut backup = lab.root(3);
    backup.ask("FLUSH TABLES WITH READ LOCK").await.expect("a lock");
    eye.until("paused", 20, |eye| eye.state(3) == "paused, stale" && eye.has("stale-reads")).await;
    drop(backup);
    eye.until("in sync again", 20, |eye| eye.state(3) == "synced").await;

    // A schema change blocks every commit and no status shows it. Each row costs a hash over megabytes.
    lab.run(1, "CREATE TABLE t.c (id INT PRIMARY KEY, v TEXT) AS SELECT seq AS id, MD5(seq) AS v FROM t.seq_1_to_250").await;
    let mut thresholds = eye.snapshot.database.thresholds.clone();
    thresholds.commits_still = Duration::from_secs(1);
    eye.snapshot.database = std::sync::Arc::new(Expectations { thresholds, ..Expectations::default() });
    let mut change = JoinSet::new();
    let login = lab.login(1, "root");
    change.spawn(async move {
        let slow = "ALTER TABLE t.c ADD CHECK (LENGTH(SHA2(CONCAT(v, REPEAT('x', 8000000)), 512)) > 0), ALGORITHM=COPY";
        // The client gives up after its deadline; the server goes on.
        let _ = Sql::new(login).ask(slow).await;
    });
    eye.until("a schema change with its statement", 30, |eye| {
        eye.text("commits-blocked").contains("ALTER TABLE t.c ADD CHECK")
    })
    .await;
    assert_eq!(eye.database().headline().text, "galera 3/3", "no status shows it");
    eye.until("the schema change is over", 90, |eye| !eye.has("commits-blocked")).await;
    drop(change);

    // Frozen, and awake again: it claims to be in sync in a view that is gone.
    lab.signal(3, "-STOP");
    eye.until("silent, commits wait", 10, |eye| eye.state(3) == "silent, not yet excluded").await;
    assert!(eye.text("member-down").contains("at most 6 s"), "{}", eye.text("member-down"));
    eye.until("excluded", 20, |eye| eye.state(3) == "down" && eye.has("galera-size")).await;
    assert_eq!(eye.state(1), "synced");
    lab.signal(3, "-CONT");
    eye.until("woken and not believed", 20, |eye| eye.state(3) == "outdated view" && eye.has("galera-views"))
        .await;
    eye.until_states("it came to itself", 40, &["synced"; 3]).await;
    drop(writing);

    // A clean stop costs no quorum: the last one goes on.
    lab.stop(3);
    lab.stop(2);
    eye.until_states("two left gracefully", 20, &["synced", "down", "down"]).await;
    eye.until("all views agree", 20, |eye| eye.database().headline().text == "galera 1/3").await;
    lab.start(2, &[]);
    eye.until_states("the second is back", 60, &["synced", "synced", "down"]).await;
    lab.start(3, &[]);
    eye.until_states("all are back", 60, &["synced"; 3]).await;

    // One is killed: noticed after 6 s, the next loss would stop everything.
    lab.kill(3);
    eye.until("killed, not yet noticed", 10, |eye| eye.state(3) == "silent, not yet excluded").await;
    eye.until_states("killed, noticed", 20, &["synced", "synced", "down"]).await;
    // The state is known from the first survivor whose view has changed, the size only when all views have.
    let next = "the next loss stops everything";
    eye.until("the size is told", 20, |eye| eye.text("galera-size").contains(next)).await;

    // And that one: no quorum. The sheet asks about the silent ones first, then names one statement.
    lab.kill(2);
    eye.until_states("no quorum", 30, &["no quorum", "down", "down"]).await;
    eye.until("said aloud", 20, |eye| eye.database().headline().text == "galera NO QUORUM").await;
    let sheet = eye.sheet(&[]);
    assert!(sheet.case == Case::NoQuorum && !sheet.verdict.proven, "{sheet}");
    let fed: Vec<_> = [2, 3].map(|n| (lab.name(n), Saved::parse(&lab.evidence(n)).expect("evidence"))).into();
    let sheet = eye.sheet(&fed);
    assert_eq!((sheet.verdict.member.as_deref(), sheet.verdict.proven), (Some("db1"), true), "{sheet}");
    follow(&mut lab, &sheet).await;
    eye.until_states("recovered by the sheet", 60, &["synced"; 3]).await;

    // All killed at once, while they write.
    let writing = writer(&lab, 1);
    eye.until("writes", 10, |eye| {
        eye.database().members[1].now().is_some_and(|s| s.commits.is_some_and(|rate| rate > 10.0))
    })
    .await;
    for node in [2, 3, 1] {
        lab.kill(node);
    }
    drop(writing);
    eye.until_states("all down", 20, &["down"; 3]).await;
    let blank = eye.sheet(&[]);
    assert!(blank.case == Case::AllDown && blank.verdict.member.is_none(), "{blank}");
    let fed: Vec<_> =
        [1, 2, 3].map(|n| (lab.name(n), Saved::parse(&lab.evidence(n)).expect("evidence"))).into();
    let sheet = eye.sheet(&fed);
    assert!(sheet.verdict.proven, "{sheet}");
    follow(&mut lab, &sheet).await;
    eye.until_states("recovered from nothing by the sheet", 60, &["synced"; 3]).await;
    assert!(!eye.has("galera-reformed"));
    let mut counts = Vec::new();
    for node in 1..=3 {
        let mut sql = lab.root(node);
        sql.ask("SET SESSION wsrep_sync_wait=1").await.expect("a wait");
        counts.push(sql.ask("SELECT COUNT(*), SUM(id) FROM t.b").await.expect("rows").rows);
    }
    assert!(counts[0] == counts[1] && counts[1] == counts[2], "the members hold different data: {counts:?}");
    assert!(!format!("{:?} {:?}", eye.findings(), eye.snapshot).contains(PASSWORD));
}

/// Does what the sheet says, step by step, as a person would.
async fn follow(lab: &mut Lab, sheet: &Sheet) {
    for step in &sheet.steps {
        let node: u16 = match step.on.strip_prefix("db") {
            Some(number) => number.parse().expect("a number"),
            None => (1..=3).find(|n| lab.name(*n).as_str() == &*step.on).expect("a member"),
        };
        let command = step.by_hand.as_deref().unwrap_or(&step.command);
        eprintln!("  on {}: {command}", step.on);
        if let Some(flags) = command.strip_prefix("mariadbd") {
            lab.start(node, &flags.split_whitespace().collect::<Vec<_>>());
        } else if command.starts_with("SHOW GLOBAL STATUS") {
            let deadline = Instant::now() + Duration::from_secs(60);
            loop {
                let rows =
                    lab.root(node).ask(command).await.map(|a| format!("{:?}", a.rows)).unwrap_or_default();
                if rows.contains("\"Primary\"") && rows.contains("\"Synced\"") {
                    break;
                }
                assert!(Instant::now() < deadline, "{} is not Primary and Synced: {rows}", step.on);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        } else if command.starts_with("SET GLOBAL") {
            lab.run(node, command).await;
        } else if command.starts_with("sed ") {
            assert!(Command::new("sh").args(["-c", command]).status().expect("sh").success(), "{command}");
        } else {
            assert!(command.starts_with("pgrep"), "the test does not know how to follow: {command}");
            assert!(lab.running[usize::from(node)].is_none(), "it runs");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_not_to_get_in_is_one_clear_sentence() {
    let mut lab = Lab::new(1);
    let issuer =
        rcgen::CertifiedIssuer::self_signed(authority(), rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let server =
        rcgen::CertificateParams::new(vec!["db1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let file = |name: &str, text: String| {
        let path = lab.root.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    };
    let ca = file("ca.pem", issuer.pem());
    let other = rcgen::generate_simple_self_signed(vec!["db1".to_owned()]).unwrap();
    let other = file("other.pem", other.cert.pem());
    let (cert, key) = (file("cert.pem", server.pem()), file("key.pem", key.serialize_pem()));
    let flags = [
        format!("--ssl-ca={}", ca.display()),
        format!("--ssl-cert={}", cert.display()),
        format!("--ssl-key={}", key.display()),
    ];
    let child = Command::new(script())
        .arg("plain")
        .arg(lab.root.path())
        .arg(lab.port(1).to_string())
        .args(&flags)
        .stdin(Stdio::null())
        .spawn()
        .expect("bash");
    lab.running[1] = Some(child);
    lab.until_serving(1).await;
    for statement in GRANTS.iter().filter(|g| !g.contains("wsrep")) {
        lab.run(1, statement).await;
    }
    lab.run(1, "CREATE USER secure@'%' IDENTIFIED BY 'not-to-be-seen-17' REQUIRE SSL").await;
    let fails = async |login: Login| {
        let failure = Sql::new(login).ask("SELECT 1").await.expect_err("it must not get in");
        assert!(!failure.text.contains(PASSWORD) && !failure.text.contains('\n'), "{failure}");
        failure
    };

    let wrong =
        fails(Login { password: Some("wrong".to_owned().into()), ..lab.login(1, "wheelhouse") }).await;
    assert_eq!(wrong.kind, Kind::Denied);
    assert!(wrong.text.contains("wrong password for user wheelhouse"), "{wrong}");

    let mut sql = Sql::new(lab.login(1, "nobody"));
    let right = sql.ask("SELECT user FROM mysql.user").await.expect_err("no right");
    assert!(right.is_of_statement() && right.text.contains("lacks a right"), "{right}");
    assert_eq!(sql.ask("SELECT 'a', NULL").await.unwrap().rows, [[Some("a".to_owned()), None]]);
    assert_eq!(sql.connections(), 1, "a refused statement must not cost the connection");
    for nothing in ["", " ", ";", "SELECT 1;"] {
        assert!(sql.ask(nothing).await.is_err(), "`{nothing}` must never be sent");
    }

    // TLS: wanted by the user, by the server, believed by name and by authority only.
    let plain = fails(lab.login(1, "secure")).await;
    assert!(plain.text.contains("must use TLS"), "{plain}");
    let over = |ca: &Path, name: &str| Login {
        tls: Some(Tls { ca: ca.to_owned(), name: Some(name.into()) }),
        ..lab.login(1, "secure")
    };
    let cipher = Sql::new(over(&ca, "db1")).ask("SHOW STATUS LIKE 'Ssl_cipher'").await.expect("TLS");
    assert!(cipher.rows[0][1].as_deref().is_some_and(|c| !c.is_empty()));
    for (ca, name, word) in [
        (&other, "db1", "TLS fails"),
        (&ca, "db2", "TLS fails"),
        (&PathBuf::from("/nope.pem"), "db1", "/nope.pem"),
    ] {
        let failure = fails(over(ca, name)).await;
        assert!(failure.kind == Kind::Tls && failure.text.contains(word), "{failure:?}");
    }
    lab.run(1, "SET GLOBAL require_secure_transport=ON").await;
    let required = fails(lab.login(1, "wheelhouse")).await;
    assert!(required.text.contains("must use TLS"), "{required:?}");

    // A port that takes connections and says nothing: its own kind, within the deadlines.
    let quiet = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = |listener: &TcpListener| Login {
        port: listener.local_addr().unwrap().port(),
        ..lab.login(1, "wheelhouse")
    };
    let begun = Instant::now();
    let silent = fails(at(&quiet)).await;
    assert_eq!(silent.kind, Kind::Silent);
    assert!(silent.text.contains("takes connections and never answers"), "{silent}");
    assert!(begun.elapsed() < CONNECT_WITHIN + ANSWER_WITHIN, "{:?}", begun.elapsed());

    // Something else than MySQL: one that speaks first, one that hangs up.
    for greeting in [
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "220 mail ESMTP ready for everybody\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let login = at(&other);
        let serve = tokio::spawn(async move {
            let (mut stream, _) = other.accept().await.unwrap();
            stream.write_all(greeting.as_bytes()).await.unwrap();
            // What it says may look like the start of a long packet: it must stay open.
            std::future::pending::<()>().await;
            drop((stream, other));
        });
        let failure = fails(login).await;
        let told = ["does not speak the MySQL protocol", "it is no MySQL server"];
        assert!(told.iter().any(|words| failure.text.contains(words)), "{greeting}: {failure:?}");
        serve.abort();
    }
    let closed = at(&quiet);
    drop(quiet);
    let refused = fails(closed).await;
    assert!(refused.kind == Kind::Refused && refused.text.contains("no server runs there"), "{refused:?}");
    let nowhere = fails(Login { host: "db.invalid".into(), ..lab.login(1, "wheelhouse") }).await;
    assert!(nowhere.kind == Kind::Unreachable, "{nowhere:?}");
}

fn authority() -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::new(vec![]).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
}

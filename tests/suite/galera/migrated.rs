//! A migration whose Job changes the schema of real members: watched while it runs, and told right however it ends.
//!
//! The Job is the embedded cluster's; its statement is run by a real client at a real member, and its pod ends as that
//! client does, with the client's own words in its log.

use std::process::{Child, Command, Stdio};

use secrecy::SecretString;
use serde_json::{Value, json};
use wheelhouse::{
    cluster::Snapshot,
    demo::Kind,
    live::database::{Account, Configured, Password},
    plan::Migration,
    run::{Event, Handle, Run, RunState, runs},
};

use super::lab::{Lab, PASSWORD, WATCHER};
use crate::{
    migrate::{TENANT, before, intent, migration, plain, pods_of_jobs, start, until_it_runs},
    session::{Ground, Session},
};

/// Rows of the table: with these a change that hashes megabytes for each takes seconds.
const ROWS: u32 = 90;
/// Rows of the table whose change is cut off: on any machine it is seen before it is through.
const MANY: u32 = 1_200;

/// What a real change of the schema did.
struct Changed {
    code: i32,
    says: String,
}

struct Scene {
    lab: Lab,
    runtime: tokio::runtime::Runtime,
    ground: Ground,
    alice: Session,
}

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let lab = runtime.block_on(async {
            let mut lab = Lab::founded(2).await;
            lab.start(2, &[]);
            lab.until_serving(2).await;
            lab
        });
        for (table, rows) in [("orders", ROWS), ("events", MANY)] {
            let rows = format!(
                "CREATE TABLE t.{table} (id INT PRIMARY KEY, v TEXT) AS SELECT seq AS id, MD5(seq) AS v FROM t.seq_1_to_{rows}"
            );
            runtime.block_on(lab.run(1, &rows));
        }
        for statement in [
            "CREATE DATABASE acme".to_owned(),
            "CREATE TABLE acme.doctrine_migration_versions (version VARCHAR(191) PRIMARY KEY)".to_owned(),
            "INSERT INTO acme.doctrine_migration_versions VALUES ('Version20260101000000')".to_owned(),
            format!("GRANT SELECT ON acme.doctrine_migration_versions TO {WATCHER}@'%'"),
        ] {
            runtime.block_on(lab.run(1, &statement));
        }
        let ground = Ground::new();
        plain(&ground);
        let account = || {
            Ok(Account {
                user: WATCHER.into(),
                password: Password::Known(Some(SecretString::from(PASSWORD.to_owned()))),
                tls: None,
            })
        };
        let configured = Configured {
            members: [1, 2].map(|n| (lab.name(n), "127.0.0.1".to_owned(), lab.port(n))).to_vec(),
            members_by: account(),
            proxies: Vec::new(),
            proxies_by: account(),
            every: std::time::Duration::from_millis(100),
            expected: Default::default(),
        };
        let alice = ground.session_of_database("alice@bastion", configured);
        alice.until("both members", |s| s.galera.values().filter(|m| m.now().is_some()).count() == 2);
        Self { lab, runtime, ground, alice }
    }

    /// A real client runs the statement at a member.
    fn client(&self, node: u16, statement: &str) -> Child {
        let port = self.lab.port(node).to_string();
        Command::new("mariadb")
            .args(["--no-defaults", "-uroot", "-h127.0.0.1", "-P", &port, "-e", statement])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the client of MariaDB")
    }

    /// Begins a migration up to the moment its pod runs.
    fn begun(&self) -> (Handle, String) {
        let calm = |s: &Snapshot| wheelhouse::plan::plan(s, &intent(migration())).refusals().next().is_none();
        self.alice.until("a tenant that can be migrated", calm);
        let command = "php bin/console doctrine:migrations:migrate sleep 3000";
        let versions = "{tenant}.doctrine_migration_versions".to_owned().try_into().ok();
        assert!(versions.is_some());
        let mut handle =
            start(&self.alice, Migration { command: Some(command.into()), versions, ..migration() });
        let pod = until_it_runs(&self.ground, &self.alice, &mut handle);
        (handle, pod)
    }

    /// Whether the schema change of a client is seen at a member, with its progress, before it is through.
    fn watched(&self, client: &mut Child) -> bool {
        let mut seen = self.alice.seen.clone();
        let found = self.alice.block("the statement with its progress, or its end", async {
            loop {
                let now = seen.borrow_and_update().clone();
                if changes(&now).any(|c| c.0.contains("ALTER TABLE t.") && c.1.is_some()) {
                    return Some(now);
                }
                if client.try_wait().expect("a child").is_some() {
                    return None;
                }
                let _ = tokio::time::timeout(std::time::Duration::from_millis(20), seen.changed()).await;
            }
        });
        let Some(seen) = found else { return false };
        let share = changes(&seen).find_map(|c| c.1).expect("its progress");
        assert!((0.0..=1.0).contains(&share), "{share}");
        assert!(
            seen.galera.values().filter_map(|m| m.now()).any(|m| m.flow.share.is_some()),
            "flow control is seen"
        );
        true
    }

    /// The client has ended: so does the program in the pod.
    fn ends(&self, pod: &str, client: Child) -> Changed {
        let output = client.wait_with_output().expect("it ends");
        let says = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let code = i32::from(!output.status.success());
        let now = self.ground.cluster.with_world(|w| w.now().to_string());
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        self.ground.cluster.with_world(|w| {
            w.store.update(Kind::POD, TENANT, pod, "test", |p: &mut Value| {
                if !says.is_empty() {
                    p["metadata"]["annotations"]["demo.wheelhouse.dev/says"] = says.as_str().into();
                }
                let begun = p["status"]["containerStatuses"][0]["state"]["running"]["startedAt"].clone();
                p["status"]["phase"] = phase.into();
                p["status"]["containerStatuses"][0]["ready"] = false.into();
                p["status"]["containerStatuses"][0]["state"] = json!({ "terminated": {
                    "exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
                    "startedAt": begun, "finishedAt": now,
                } });
            });
        });
        Changed { code, says }
    }

    fn over(&self, handle: &mut Handle) -> Run {
        let run = self.ground.drive(&self.alice, handle);
        self.alice.until("free leases", |s| s.leases.values().all(|lease| lease.holder.is_none()));
        self.ground.step(30);
        run
    }

    fn value(&self, node: u16, question: &str) -> String {
        self.runtime.block_on(self.lab.value(node, question))
    }
}

/// The schema changes that members show: statement and progress.
fn changes(seen: &Snapshot) -> impl Iterator<Item = (String, Option<f64>)> {
    let all = seen.galera.values().filter_map(|m| m.now()?.threads.as_ref()?.schema_change.clone());
    all.map(|change| (change.statement.to_string(), change.progress))
}

/// A change that takes seconds: every row costs a hash over megabytes.
fn slow(table: &str, check: &str) -> String {
    format!(
        "ALTER TABLE t.{table} ADD CHECK (LENGTH(SHA2(CONCAT(v, REPEAT('x', 8000000)), 512)) {check}), ALGORITHM=COPY"
    )
}

#[test]
fn a_real_schema_change_is_watched_and_told_as_it_ended() {
    let mut scene = Scene::new();
    let was = before(&scene.ground);

    // It succeeds, while its progress and flow control are seen.
    let (mut handle, pod) = scene.begun();
    // Where it is through before anybody could look, it is made once more.
    let (client, made) = (1..)
        .find_map(|made| {
            let mut client = scene.client(1, &slow("orders", "> 0"));
            scene.watched(&mut client).then_some((client, made))
        })
        .expect("one of them");
    let changed = scene.ends(&pod, client);
    assert_eq!(changed.code, 0, "{}", changed.says);
    let run = scene.over(&mut handle);
    assert_eq!(run.state, RunState::Done, "{:?}", run.last_word());
    let read = run.entries.iter().find_map(|e| match &e.event {
        Event::Versions(read) => Some((read.table.as_str(), read.words())),
        _ => None,
    });
    let words = "1 version, the newest Version20260101000000".to_owned();
    assert_eq!(read, Some(("acme.doctrine_migration_versions", words)), "read before the job began");
    let checks = "SELECT COUNT(*) FROM information_schema.CHECK_CONSTRAINTS WHERE TABLE_NAME='orders'";
    let made = made.to_string();
    assert_eq!(scene.value(1, checks), made);
    // The other member makes the change after the one the client is at.
    scene.runtime.block_on(scene.lab.until_value(2, checks, &made));

    // It fails by an error of the server.
    let (mut handle, pod) = scene.begun();
    let client = scene.client(1, &slow("orders", "< 0"));
    let changed = scene.ends(&pod, client);
    assert_eq!(changed.code, 1);
    assert!(changed.says.contains("CONSTRAINT") || changed.says.contains("constraint"), "{}", changed.says);
    let run = scene.over(&mut handle);
    assert_eq!(run.state, RunState::Failed, "{:?}", run.last_word());
    assert!(run.log.lines.iter().any(|line| changed.says.contains(line.as_str())), "{:?}", run.log);
    assert_eq!(before(&scene.ground), was, "all is given back");
    assert_eq!(scene.value(1, checks), made);

    // Its statement is killed: the server lets it be cut off or carries it to its end, and the run says which.
    let (mut handle, pod) = scene.begun();
    let mut client = scene.client(1, &slow("events", ">= 0"));
    assert!(scene.watched(&mut client), "it is seen");
    let id = scene.value(
        1,
        "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'ALTER TABLE t.events%' LIMIT 1",
    );
    let killed = scene.client(1, &format!("KILL QUERY {id}"));
    killed.wait_with_output().expect("it ends");
    let changed = scene.ends(&pod, client);
    let run = scene.over(&mut handle);
    let wanted = if changed.code == 0 { RunState::Done } else { RunState::Failed };
    assert_eq!(run.state, wanted, "{:?}, {}", run.last_word(), changed.says);
    let of_events = "SELECT COUNT(*) FROM information_schema.CHECK_CONSTRAINTS WHERE TABLE_NAME='events'";
    let count = if changed.code == 0 { "1" } else { "0" };
    assert_eq!(scene.value(1, of_events), count, "what the run says is so");
    assert_eq!(before(&scene.ground), was);

    // The member dies in the middle: nobody knows, and nothing is given back before an operator has said what is so.
    let (mut handle, pod) = scene.begun();
    let mut client = scene.client(1, &slow("events", "<> 0"));
    assert!(scene.watched(&mut client), "it is seen");
    scene.lab.kill(1);
    let changed = scene.ends(&pod, client);
    assert_eq!(changed.code, 1);
    let run = scene.over(&mut handle);
    assert_eq!(run.state, RunState::Paused, "{:?}, {}", run.last_word(), changed.says);
    let why = run.last_word().unwrap_or_default();
    assert!(why.contains("is unknown") && why.contains("its connection to the database was cut"), "{why}");
    // What the table says by now, where the member that is left answers, beside what it said before.
    assert!(why.contains("(before: 1 version, the newest Version20260101000000)"), "{why}");
    assert_eq!(before(&scene.ground).replicas, 1, "it is held");
    let seen = scene.alice.until("the open question", |s| {
        let open = runs(s).into_iter().find(|r| r.run.state == RunState::Paused);
        open.is_some_and(|r| r.offers(s).succeeded.is_ok())
    });
    let open = runs(&seen).into_iter().find(|r| r.run.state == RunState::Paused).expect("it is open");
    assert_eq!(open.run.steps.len(), run.steps.len());
    assert!(open.offers(&seen).resume.is_err(), "{:?}", open.offers(&seen));
    let mut handle = scene.alice.give_up(open.run, "looked at: it has not gone through");
    let run = scene.ground.drive(&scene.alice, &mut handle);
    assert_eq!((run.state, before(&scene.ground)), (RunState::Failed, was), "{:?}", run.last_word());
    assert_eq!(pods_of_jobs(&scene.ground), 4, "each job ran once");
}

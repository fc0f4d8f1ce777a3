//! A real master, a replica and a sentinel.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use wheelhouse::wire::redis::{Login, Redis};

use super::eye::Eye;
use crate::program::PATIENCE;

const PASSWORD: &str = "not-to-be-seen-18";

/// Servers in a folder of their own; they end with the test.
struct Lab {
    folder: tempfile::TempDir,
    ports: [u16; 3],
    running: Vec<Child>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Lab {
    async fn start() -> Self {
        let there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        assert!(there.is_ok(), "redis-server is missing: apt-get install redis-server, or tests/run");
        let free: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let ports = [0, 1, 2].map(|n: usize| free[n].local_addr().expect("an address").port());
        drop(free);
        let mut lab = Self { folder: tempfile::tempdir().expect("a folder"), ports, running: vec![] };
        let [master, replica, sentinel] = ports;
        let common = "bind 127.0.0.1\nsave \"\"\nappendonly no\nlogfile server.log\n";
        lab.run("master", &format!("port {master}\n{common}"), &[]);
        lab.run("replica", &format!("port {replica}\n{common}replicaof 127.0.0.1 {master}\n"), &[]);
        for port in [master, replica] {
            lab.answers(port).await;
        }
        // One sentinel can never reach a quorum of two.
        let config = format!(
            "port {sentinel}\nbind 127.0.0.1\nlogfile sentinel.log\nsentinel monitor sessions 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds sessions 60000\n"
        );
        lab.run("sentinel", &config, &["--sentinel"]);
        lab.answers(sentinel).await;
        lab
    }

    fn run(&mut self, name: &str, config: &str, flags: &[&str]) {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("redis.conf"), config).expect("a file");
        let mut command = Command::new("redis-server");
        command.arg(folder.join("redis.conf")).args(flags).current_dir(&folder);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running.push(child.expect("redis-server starts"));
    }

    async fn answers(&self, port: u16) {
        let begun = Instant::now();
        while !matches!(default(port).ask(&["PING"]).await, Ok(Ok(_))) {
            assert!(begun.elapsed() < PATIENCE, "{} does not answer", log(self.folder.path()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ask(&self, port: u16, words: &[&str]) -> Result<serde_json::Value, String> {
        default(port).ask(words).await.expect("it answers")
    }

    async fn done(&self, port: u16, words: &[&str]) {
        let answer = self.ask(port, words).await;
        assert!(answer.is_ok(), "{words:?}: {answer:?}");
    }
}

fn log(folder: &Path) -> String {
    let read = |name: &str| fs::read_to_string(folder.join(name).join("server.log")).unwrap_or_default();
    read("master") + &read("replica")
}

/// The default user, who may do all.
fn default(port: u16) -> Redis {
    let host = "127.0.0.1".to_owned();
    Redis::new(Login { host, port, user: None, password: None, tls: None, may_go_without: false })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_its_replica_and_a_sentinel_are_followed_through_what_goes_wrong() {
    let lab = Lab::start().await;
    let [master, replica, sentinel] = lab.ports;
    let file = lab.folder.path().join("password");
    fs::write(&file, PASSWORD).expect("a file");
    let server = |name: &str, port: u16| {
        format!(
            "[[platform.redis]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nsentinel = [\"127.0.0.1:{sentinel}\"]\n\
             user = \"cockpit\"\npassword = {{ file = \"{}\" }}\n",
            file.display()
        )
    };
    let least = ["ACL", "SETUSER", "cockpit", "on", ">not-to-be-seen-18", "-@all", "+ping", "+info", "+role"];
    lab.done(master, &least).await;
    let mut eye = Eye::new(&(server("redis-1", master) + &server("redis-2", replica)));

    // ACLs are not replicated.
    let denied = eye.until_told("redis-2", "platform-redis-login").await;
    assert!(denied.contains("wrong password for user cockpit") && !denied.contains(PASSWORD), "{denied}");
    lab.done(replica, &least).await;
    assert_eq!(eye.until_well("redis-2").await, format!("follows 127.0.0.1:{master}"));
    eye.until("redis-1", "a master with its replica", |row| row.text() == "is the master of 1 replica").await;
    // The rights are the least: nothing else may be asked.
    let watcher = Login {
        host: "127.0.0.1".into(),
        port: master,
        user: Some("cockpit".into()),
        password: Some(PASSWORD.to_owned().into()),
        tls: None,
        may_go_without: false,
    };
    let refused = Redis::new(watcher).ask(&["GET", "x"]).await.expect("it answers").expect_err("no right");
    assert!(refused.starts_with("NOPERM"), "{refused}");
    let quorum = eye.until_told(&format!("127.0.0.1:{sentinel}"), "platform-redis-quorum").await;
    assert!(quorum.contains("no failover will happen (NOQUORUM"), "{quorum}");

    // A command less.
    lab.done(replica, &["ACL", "SETUSER", "cockpit", "-info"]).await;
    let less = eye.until_told("redis-2", "platform-redis-login").await;
    assert!(less.starts_with("does not let the user run INFO (NOPERM)"), "{less}");
    lab.done(replica, &["ACL", "SETUSER", "cockpit", "+info"]).await;
    eye.until_well("redis-2").await;

    // Sessions are evicted without any error; then writes are refused.
    lab.done(master, &["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]).await;
    let used =
        |text: &str| text.lines().find_map(|l| l.strip_prefix("used_memory:")?.trim().parse::<u64>().ok());
    let info = lab.ask(master, &["INFO", "memory"]).await.expect("a reply");
    let limit = used(info.as_str().expect("text")).expect("a number") + (3 << 20);
    lab.done(master, &["CONFIG", "SET", "maxmemory", &limit.to_string()]).await;
    let (session, mut clients) = ("x".repeat(2_000), default(master));
    for n in 0..4_000 {
        let written = clients.ask(&["SET", &format!("session-{n}"), &session, "EX", "3600"]).await;
        assert!(matches!(written, Ok(Ok(_))), "{n}: {written:?}");
    }
    let evicted = eye.until_told("redis-1", "platform-redis-evictions").await;
    assert!(evicted.contains("users are logged out without any error"), "{evicted}");
    lab.done(master, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    lab.done(master, &["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let full = eye.until_told("redis-1", "platform-redis-writes").await;
    assert!(full.starts_with("refuses writes (OOM)"), "{full}");
    let refused = lab.ask(master, &["SET", "one", "more"]).await.expect_err("it is full");
    assert!(refused.starts_with("OOM"), "{refused}");
    lab.done(master, &["CONFIG", "SET", "maxmemory", "0"]).await;

    // Somebody makes the replica a master: the sentinel's choice is the truth.
    lab.done(replica, &["REPLICAOF", "NO", "ONE"]).await;
    let second = eye.until_told("redis-2", "platform-redis-masters").await;
    assert!(
        second.contains("1 of 1 sentinel name redis-1") || second.contains("1 of 1 sentinel names redis-1"),
        "{second}"
    );
}

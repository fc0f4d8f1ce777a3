//! A real MariaDB primary and its replica.

use wheelhouse::cluster::platform::replica::failover;

use super::eye::Eye;
use crate::galera::lab::{Lab, PASSWORD, WATCHER};

fn flags(id: u8) -> Vec<String> {
    let all = [
        &format!("--server-id={id}"),
        "--log-bin=bin",
        "--gtid-strict-mode=ON",
        "--log-slave-updates=ON",
        "--slave-net-timeout=60",
        &format!("--read-only={}", if id == 1 { "OFF" } else { "ON" }),
    ];
    all.map(str::to_owned).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_and_its_replica_are_followed_through_what_goes_wrong() {
    let (mut primary, mut replica) = (Lab::new(1), Lab::new(1));
    primary.start_plain(&flags(1));
    replica.start_plain(&flags(2));
    primary.until_value(1, "SELECT 1", "1").await;
    replica.until_value(1, "SELECT 1", "1").await;
    primary.run(1, &format!("CREATE USER repl@'%' IDENTIFIED BY '{PASSWORD}'")).await;
    primary.run(1, "GRANT REPLICATION SLAVE ON *.* TO repl@'%'").await;
    primary.run(1, &format!("CREATE USER {WATCHER}@'%' IDENTIFIED BY '{PASSWORD}'")).await;
    let follow = format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='repl', MASTER_PASSWORD='{PASSWORD}', \
         MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
        primary.port(1)
    );
    replica.run(1, &follow).await;
    replica.run(1, "START SLAVE").await;

    let file = primary.root.path().join("password");
    std::fs::write(&file, PASSWORD).expect("a file");
    let server = |name: &str, port: u16| {
        format!(
            "[[platform.replicas]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nuser = \"{WATCHER}\"\n\
             password = {{ file = \"{}\" }}\n",
            file.display()
        )
    };
    let mut eye = Eye::new(&(server("db-1", primary.port(1)) + &server("db-2", replica.port(1))));

    // The right to ask is missing on both, and comes to the replica by replication.
    let missing = eye.until_told("db-2", "platform-replica-right").await;
    assert!(missing.contains("1227"), "{missing}");
    primary.run(1, &format!("GRANT SLAVE MONITOR ON *.* TO {WATCHER}@'%'")).await;
    assert_eq!(eye.until_well("db-2").await, "follows db-1");
    eye.until("db-1", "a primary", |row| row.text() == "is the primary of 1 replica").await;

    // It fetches no more: NULL, not 0.
    replica.run(1, "STOP SLAVE IO_THREAD").await;
    let stopped = eye.until_told("db-2", "platform-replica-stopped").await;
    assert!(stopped.starts_with("has stopped fetching from db-1"), "{stopped}");
    let row = eye.until("db-2", "its numbers", |row| !row.numbers.is_empty()).await;
    assert!(row.numbers.contains(&("behind", "NULL".to_owned())), "{:?}", row.numbers);
    replica.run(1, "START SLAVE IO_THREAD").await;
    eye.until_well("db-2").await;

    // The primary hangs: connections come up and nothing is said. The replica has not noticed, and says 0.
    primary.signal(1, "-STOP");
    let hung = eye.until_told("db-1", "platform-replica-down").await;
    assert!(hung.ends_with("it is the primary of 1 replica: nobody takes writes"), "{hung}");
    let lag = eye.until_told("db-2", "platform-replica-lag").await;
    assert!(lag.starts_with("says 0 s behind, and its primary db-1 does not answer"), "{lag}");
    let sheet = failover(eye.seen()).expect("servers are configured");
    assert_eq!(sheet.promote.as_deref(), Some("db-2"), "{sheet}");
    primary.signal(1, "-CONT");
    eye.until_well("db-2").await;

    // Somebody writes to the replica: told before the next write of the primary stops it.
    replica.run(1, "SET GLOBAL read_only = OFF").await;
    replica.run(1, "CREATE DATABASE strayed").await;
    let errant = eye.until_told("db-2", "platform-replica-errant").await;
    assert!(errant.contains("(0-2-"), "{errant}");
    assert_eq!(failover(eye.seen()).expect("servers are configured").promote, None);
    primary.run(1, "CREATE DATABASE meant").await;
    let stopped = eye.until_told("db-2", "platform-replica-stopped").await;
    assert!(stopped.contains("error 1950"), "{stopped}");
}

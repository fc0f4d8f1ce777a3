//! What blocks the members while every status looks healthy: locks of tables, the global one, schema changes.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use wheelhouse::{
    cluster::{Severity, database::Expectations},
    wire::sql::Sql,
};

use super::{eye::Eye, lab::Lab};

/// An idle session with LOCK TABLES on one member stops all writes: which it is can be guessed only, until the plug-in
/// is there that tells.
pub async fn by_a_table_lock(lab: &Lab, eye: &mut Eye) {
    let writing = lab.writer(1);
    lab.run(1, "CREATE TABLE t.innocent (id INT PRIMARY KEY)").await;
    // One that waits in a transaction for nothing, and holds nothing back.
    let mut innocent = lab.root(3);
    innocent.ask("BEGIN").await.expect("a transaction");
    lab.until_value(3, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME='innocent'", "1")
        .await;
    innocent.ask("SELECT * FROM t.innocent").await.expect("a read");
    let other = id(&mut innocent).await;
    for plugin in [false, true] {
        if plugin {
            lab.run(1, "INSTALL SONAME 'metadata_lock_info'").await;
            let there =
                "SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME='METADATA_LOCK_INFO'";
            lab.until_value(3, there, "1").await;
        }
        let mut holder = lab.root(3);
        let id = id(&mut holder).await;
        holder.ask("LOCK TABLES t.b WRITE").await.expect("a lock");
        let what = if plugin { "the session, as the plug-in tells" } else { "the session, as guessed" };
        eye.until(what, |eye| {
            let text = eye.text("lock-holder");
            let named = match plugin {
                true => text.contains(&format!("held by session {id} (root@127.0.0.1:")),
                false => {
                    text.contains("likely held by idle session ") && text.contains(&format!("{id} (root@"))
                }
            };
            named
                && text.contains("and stops all writes of the cluster")
                && eye.text("flow-control").contains("for db3")
        })
        .await;
        let text = eye.text("lock-holder");
        assert!(!plugin || !text.contains(&format!(" {other} (root@")), "it holds nothing back: {text}");
        let flow = eye.findings().into_iter().find(|f| f.rule == "flow-control").expect("it was there");
        // A desync would wait behind the lock: what ends it is the session that holds it.
        assert!(
            flow.text.starts_with("all writes paused ")
                && flow.text.contains("whose applier waits for a lock: "),
            "{flow:?}"
        );
        assert!(flow.remedy.as_deref().is_some_and(|remedy| remedy.contains("KILL ")), "{flow:?}");
        drop(holder);
        eye.until("flow control is over", |eye| !eye.has("flow-control") && !eye.has("lock-holder")).await;
    }
    drop(writing);
}

async fn id(session: &mut Sql) -> String {
    let answer = session.ask("SELECT CONNECTION_ID()").await.expect("an id");
    answer.rows[0][0].clone().expect("an id")
}

/// A global read lock takes the member out of flow control by itself: its reads grow stale in silence.
pub async fn by_a_global_lock(lab: &Lab, eye: &mut Eye) {
    let writing = lab.writer(1);
    let mut backup = lab.root(3);
    backup.ask("FLUSH TABLES WITH READ LOCK").await.expect("a lock");
    eye.until("paused", |eye| eye.state(3) == "paused, stale" && eye.has("stale-reads")).await;
    // Which of the things that pause it can be told once somebody waits for the lock.
    let waiting = lab.writer(3);
    eye.until("paused, and by what", |eye| {
        eye.text("stale-reads").starts_with("paused by FLUSH TABLES WITH READ LOCK")
    })
    .await;
    let text = eye.text("stale-reads");
    assert!(text.ends_with(" write-sets behind and drifting; reads are stale, writes hang"), "{text}");
    drop((backup, waiting, writing));
    eye.until_states("in sync again", &["synced"; 3]).await;
}

/// Changes the schema until dropped, slowly: every row costs a hash over megabytes, and every change adds one a row. A
/// change that is too quick to be seen is followed by another.
async fn slow_changes(lab: &Lab, node: u16, table: &str, before: &'static [&'static str]) -> JoinSet<()> {
    let rows = format!(
        "CREATE TABLE {table} (id INT PRIMARY KEY, v TEXT) AS SELECT seq AS id, MD5(seq) AS v FROM t.seq_1_to_40"
    );
    lab.run(1, &rows).await;
    let name = table.split('.').nth(1).expect("a table's name");
    let there = format!("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME='{name}'");
    lab.until_value(node, &there, "1").await;
    let slow = format!(
        "ALTER TABLE {table} ADD CHECK (LENGTH(SHA2(CONCAT(v, REPEAT('x', 8000000)), 512)) > 0), ALGORITHM=COPY"
    );
    let login = lab.login(node, "root");
    let mut change = JoinSet::new();
    change.spawn(async move {
        loop {
            let mut sql = Sql::new(login.clone());
            for statement in before {
                let _ = sql.ask(statement).await;
            }
            // The client gives up after its deadline; the server goes on with it.
            if sql.ask(&slow).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    });
    change
}

/// A schema change on one member only.
pub async fn by_a_schema_change_here(lab: &Lab, eye: &mut Eye) {
    let writing = lab.writer(1);
    let change = slow_changes(lab, 3, "t.here", &["SET SESSION wsrep_OSU_method='RSU'"]).await;
    eye.until("a schema change on one member", |eye| {
        eye.state(3).starts_with("schema change here") && eye.has("stale-reads")
    })
    .await;
    let text = eye.text("stale-reads");
    assert!(text.starts_with("schema change on this member only: "), "{text}");
    assert!(text.contains(" write-sets behind, its reads are stale: ALTER TABLE t.here ADD CHECK"), "{text}");
    assert!(eye.state(1) == "synced" && !eye.has("commits-blocked"), "{}", eye.all());
    drop((change, writing));
    eye.until_states("in sync again", &["synced"; 3]).await;
}

/// A schema change under TOI blocks every commit, and no status shows it.
pub async fn by_a_schema_change_everywhere(lab: &Lab, eye: &mut Eye) {
    let writing = lab.writer(1);
    let mut thresholds = eye.snapshot.database.thresholds.clone();
    thresholds.commits_still = Duration::from_secs(1);
    eye.snapshot.database = Arc::new(Expectations { thresholds, ..Expectations::default() });
    let change = slow_changes(lab, 1, "t.everywhere", &[]).await;
    eye.until("a schema change with its statement", |eye| {
        eye.findings().iter().any(|f| {
            f.rule == "commits-blocked"
                && f.severity == Severity::Critical
                && f.text.contains("wait for it, do not kill it: ALTER TABLE t.everywhere ADD CHECK")
        })
    })
    .await;
    let text = eye.text("commits-blocked");
    assert!(text.starts_with("a schema change blocks all commits"), "{text}");
    assert!(
        text.contains(" % done, ")
            && (text.contains(" sessions wait; ") || text.contains("1 session waits; ")),
        "{text}"
    );
    assert_eq!(eye.headline(), "galera 3/3", "no status shows it");
    drop(change);
    eye.until("the schema change is over", |eye| !eye.has("commits-blocked")).await;
    drop(writing);
}

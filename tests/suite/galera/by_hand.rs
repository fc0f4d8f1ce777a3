//! What a person does to a member by hand, and who may not look.

use wheelhouse::{
    cluster::Severity,
    wire::sql::{Login, Sql},
};

use super::{
    eye::Eye,
    lab::{Lab, NOBODY, PASSWORD},
};

/// Refusing clients, cutting them off, and out of the cluster on purpose.
pub async fn set(lab: &Lab, eye: &mut Eye) {
    lab.run(2, "SET GLOBAL wsrep_reject_queries=ALL").await;
    eye.until_states("rejecting", &["synced", "rejects clients", "synced"]).await;
    assert_eq!(
        eye.text("member-rejects"),
        "refuses clients by hand (wsrep_reject_queries=ALL), though its status looks healthy"
    );
    lab.run(2, "SET GLOBAL wsrep_reject_queries=ALL_KILL").await;
    eye.until("cutting off", |eye| eye.text("member-rejects").contains("cuts them off by hand")).await;
    assert_eq!(eye.state(2), "rejects clients");
    lab.run(2, "SET GLOBAL wsrep_reject_queries=NONE").await;

    let address = lab.value(3, "SELECT @@global.wsrep_cluster_address").await;
    lab.run(3, "SET GLOBAL wsrep_cluster_address=''").await;
    eye.until_states("left on purpose", &["synced", "synced", "left the cluster"]).await;
    assert!(
        eye.text("member-down").starts_with("left the cluster on purpose"),
        "{}",
        eye.text("member-down")
    );
    eye.until("the size is told", |eye| eye.headline() == "galera 2/3").await;
    // It rejoins after its answer is due.
    let _ = lab.root(3).ask(&format!("SET GLOBAL wsrep_cluster_address='{address}'")).await;
    eye.until_states("back by hand", &["synced"; 3]).await;
}

/// A user who logs in with an ed25519 signature.
pub async fn logs_in_with_ed25519(lab: &Lab) {
    const USER: &str = "signing";
    // The package has the plug-in; somebody has to load it.
    lab.run(1, "INSTALL SONAME 'auth_ed25519'").await;
    let create = format!("CREATE USER {USER}@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')");
    lab.run(1, &create).await;
    lab.until_value(2, &format!("SELECT COUNT(*) FROM mysql.user WHERE User='{USER}'"), "1").await;
    let mut sql = Sql::new(lab.login(1, USER));
    let answer = sql.ask("SELECT CURRENT_USER()").await.expect("it logs in");
    assert_eq!(answer.rows[0][0].as_deref(), Some("signing@%"));
    let wrong = Login { password: Some("not-that-one".to_owned().into()), ..lab.login(1, USER) };
    let refused = Sql::new(wrong).ask("SELECT 1").await.expect_err("another password");
    assert!(refused.text.contains("wrong password for user signing"), "{refused}");
    // Nobody's error log has a connection that broke off.
    drop(sql);
    wheelhouse::wire::sql::closed().await;
    let log = std::fs::read_to_string(lab.root.path().join("n1/error.log")).expect("a log");
    let aborted: Vec<_> =
        log.lines().filter(|l| l.contains("Aborted connection") && l.contains(USER)).collect();
    assert!(aborted.is_empty(), "{aborted:?}");
}

/// A provider option that differs between members.
pub async fn options_that_differ(lab: &Lab, eye: &mut Eye) {
    let options = lab.value(1, "SELECT @@global.wsrep_provider_options").await;
    let limit = options
        .split(';')
        .find_map(|o| o.trim().strip_prefix("gcs.fc_limit = "))
        .expect("a limit")
        .to_owned();
    lab.run(2, "SET GLOBAL wsrep_provider_options='gcs.fc_limit=77'").await;
    let text = format!("members differ in gcs.fc_limit: {limit} on db1, db3; 77 on db2");
    eye.until("a difference", |eye| eye.has("members-differ")).await;
    assert_eq!(eye.text("members-differ"), text);
    lab.run(2, &format!("SET GLOBAL wsrep_provider_options='gcs.fc_limit={limit}'")).await;
    eye.until("alike again", |eye| !eye.has("members-differ")).await;
    // The same, spelt otherwise.
    let spelt = ["cert.log_conflicts=off", "pc.ignore_sb=0", "gcs.fc_factor=1"];
    for option in spelt {
        lab.run(2, &format!("SET GLOBAL wsrep_provider_options='{option}'")).await;
    }
    eye.until("read again", |eye| {
        let status = eye.database();
        let said = status.members[1].now().and_then(|s| s.options.get("cert.log_conflicts").cloned());
        said.is_some_and(|value| &*value == "off")
    })
    .await;
    assert!(!eye.has("members-differ"), "{}", eye.all());
}

/// Without a right less is seen, and it is said; without a password nothing is.
pub async fn seen_without_rights(lab: &Lab) {
    let mut bare = Eye::on(lab, NOBODY);
    bare.until_states("seen without rights", &["synced"; 3]).await;
    let found = bare.findings();
    let found: Vec<_> = found.iter().filter(|f| f.rule == "rights-missing").collect();
    let text =
        "without the PROCESS right schema changes and lock holders cannot be seen: GRANT PROCESS ON *.*";
    assert_eq!(
        found.iter().map(|f| (&*f.text, f.severity)).collect::<Vec<_>>(),
        [(text, Severity::Notice); 3]
    );
    assert!(
        bare.database()
            .members
            .iter()
            .all(|r| r.now().is_some_and(|s| s.threads.is_none() && s.peers.is_empty()))
    );

    let mut stranger = Eye::on(lab, "stranger");
    stranger.until_states("nobody knows us", &["cannot be read"; 3]).await;
    let text = stranger.text("member-unreadable");
    assert!(text.contains("wrong password for user stranger, or no such user from here"), "{text}");
}

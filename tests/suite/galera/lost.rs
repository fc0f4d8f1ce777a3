//! Members that are lost and come back: frozen, left, killed, cut off, expelled.

use super::{eye::Eye, lab::Lab};

const NEXT_LOSS: &str = "the next loss stops everything";
const ALONE: &str = "no quorum: sees nobody else and refuses everything";

/// Frozen, and awake again: it claims to be in sync in a view that is gone. A writer must be at work.
pub async fn frozen(lab: &Lab, eye: &mut Eye) {
    lab.signal(3, "-STOP");
    eye.until("silent, commits wait", |eye| eye.state(3) == "silent, not yet excluded").await;
    let text = eye.text("member-down");
    assert!(text.contains("commits wait until they exclude it, at most 6 s"), "{text}");
    assert!(
        text.contains("takes connections and never answers") || text.contains("has not answered within"),
        "{text}"
    );
    eye.until("excluded", |eye| eye.state(3) == "down" && eye.has("galera-size")).await;
    assert_eq!(eye.state(1), "synced");
    lab.signal(3, "-CONT");
    eye.until("woken and not believed", |eye| eye.state(3) == "outdated view").await;
    let text = eye.text("galera-views");
    assert!(
        text.starts_with("claims to be in sync in view ")
            && text.contains("it was frozen and has not noticed"),
        "{text}"
    );
    eye.until_states("it came to itself", &["synced"; 3]).await;
}

/// A clean stop costs no quorum: the last one goes on. Who comes back fetches what it missed.
pub async fn left_gracefully(lab: &mut Lab, eye: &mut Eye) {
    lab.stop(3);
    lab.stop(2);
    eye.until_states("two left gracefully", &["synced", "down", "down"]).await;
    eye.until("all views agree", |eye| eye.headline() == "galera 1/3").await;
    eye.until("their ports are closed", |eye| eye.text("member-down").contains("no server runs there")).await;
    let text = eye.text("member-down");
    assert!(text.starts_with("does not answer: "), "{text}");
    assert!(text.ends_with("; its peers still keep what it misses"), "{text}");
    assert!(eye.text("galera-size").contains("1 of 3 members"), "{}", eye.text("galera-size"));

    lab.hold_transfers(true);
    lab.start(2, &["--wsrep_sst_method=held"]);
    eye.until_states("one fetches what it missed", &["donor (to db2)", "joining", "down"]).await;
    let meaning = eye.meaning(2);
    assert_eq!(
        meaning,
        "fetches what it missed from db1, or a full copy if it has lost its position; SQL is not open yet"
    );
    lab.hold_transfers(false);
    eye.until_states("the second is back", &["synced", "synced", "down"]).await;
    lab.start(3, &[]);
    eye.until_states("all are back", &["synced"; 3]).await;
}

/// One is killed: noticed after 6 s, the next loss would stop everything. And that one too: no quorum.
pub async fn killed_one_by_one(lab: &mut Lab, eye: &mut Eye) {
    lab.kill(3);
    eye.until("killed, not yet noticed", |eye| eye.state(3) == "silent, not yet excluded").await;
    eye.until_states("killed, noticed", &["synced", "synced", "down"]).await;
    // The state is known from the first survivor whose view has changed, the size only when all views have.
    eye.until("the size is told", |eye| eye.text("galera-size").contains(NEXT_LOSS)).await;
    eye.until("and in the headline", |eye| eye.headline() == "galera 2/3").await;
    lab.kill(2);
    eye.until_states("no quorum", &["no quorum", "down", "down"]).await;
    eye.until("said aloud", |eye| eye.headline() == "galera NO QUORUM").await;
    let text = eye.text("galera-no-quorum");
    assert_eq!(
        text,
        "no quorum: 1 of 3 members answer and none is in a primary component; everything is refused"
    );
    // For a moment it is told with the members of the view before.
    eye.until("it sees nobody", |eye| eye.meaning(1) == ALONE).await;
}

/// One is cut off from the others and heals by itself.
pub async fn cut_off(lab: &Lab, eye: &mut Eye) {
    lab.run(3, "SET GLOBAL wsrep_provider_options='gmcast.isolate=1'").await;
    eye.until_states("cut off", &["synced", "synced", "no quorum"]).await;
    eye.until("it sees nobody", |eye| eye.text("member-no-quorum") == ALONE).await;
    eye.until("the others go on", |eye| eye.headline() == "galera 2/3").await;
    lab.run(3, "SET GLOBAL wsrep_provider_options='gmcast.isolate=0'").await;
    eye.until_states("healed", &["synced"; 3]).await;
}

/// One that was cut off is made primary by hand: two clusters with one history, and the same number of the view.
pub async fn split_by_hand(lab: &Lab, eye: &mut Eye) {
    lab.run(3, "SET GLOBAL wsrep_provider_options='gmcast.isolate=1'").await;
    eye.until_states("cut off again", &["synced", "synced", "no quorum"]).await;
    lab.run(3, "SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'").await;
    eye.until_states("two clusters", &["synced", "synced", "split brain"]).await;
    let told = eye.text("galera-views");
    assert!(told.starts_with("a second primary component beside the first: both take writes"), "{told}");
    let chosen = |eye: &Eye| (eye.database().quorum.size, eye.headline());
    eye.until("the larger half is chosen", |eye| chosen(eye) == (2, "galera 2/3 SPLIT BRAIN".into())).await;
    let database = eye.database();
    assert_eq!(
        database.members[0].now().expect("it answers").conf_id,
        database.members[2].now().expect("it answers").conf_id
    );
    assert!(eye.sheet(&[]).verdict.reason.starts_with("there are two primary components"));
}

/// One whose data differ is voted out, and comes back with a full copy.
pub async fn expelled(lab: &mut Lab, eye: &mut Eye) {
    lab.run(1, "CREATE TABLE t.differ (id INT PRIMARY KEY, v INT)").await;
    lab.run(1, "INSERT INTO t.differ VALUES (1, 1)").await;
    lab.until_value(3, "SELECT COUNT(*) FROM t.differ", "1").await;
    let mut alone = lab.root(3);
    alone.ask("SET SESSION wsrep_on=OFF").await.expect("a session's own changes");
    alone.ask("DELETE FROM t.differ").await.expect("a row less");
    lab.run(1, "UPDATE t.differ SET v=2").await;
    eye.until_states("expelled", &["synced", "synced", "expelled, data differ"]).await;
    let text = eye.text("member-expelled");
    assert!(text.starts_with("expelled by a vote because its data differ; it needs a full copy"), "{text}");
    eye.until("the size is told", |eye| eye.headline() == "galera 2/3").await;
    lab.stop(3);
    lab.hold_transfers(true);
    lab.start(3, &["--wsrep_sst_method=held"]);
    eye.until("it fetches its state", |eye| eye.state(3).starts_with("joining")).await;
    assert!(eye.meaning(3).starts_with("receives a full copy from "), "{}", eye.meaning(3));
    lab.hold_transfers(false);
    eye.until_states("back with the others' data", &["synced"; 3]).await;
    assert_eq!(lab.value(3, "SELECT v FROM t.differ").await, "2");
}

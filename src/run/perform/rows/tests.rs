//! Which statements make of the rows what is wanted.

use super::*;

fn row(hostgroup: u32, address: &str, weight: u64) -> ServerRow {
    ServerRow {
        hostgroup,
        address: address.into(),
        gtid_port: 0,
        weight,
        compression: 0,
        max_connections: 100,
        max_replication_lag: 0,
        use_ssl: false,
        max_latency_ms: 0,
        comment: "it's; one".into(),
    }
}

fn healthy() -> (Runtime, Vec<Roles>) {
    let roles = Roles { writer: 10, backup: 20, reader: 30, offline: 9999, also_reader: 2, max_writers: 1 };
    let rows = [
        (10, "a:1", 100, true),
        (10, "b:1", 50, false),
        (10, "c:1", 10, false),
        (20, "b:1", 50, true),
        (20, "c:1", 10, true),
        (30, "b:1", 50, true),
        (30, "c:1", 10, true),
    ];
    (Runtime(rows.map(|(h, a, w, online)| (row(h, a, w), online)).to_vec()), vec![roles])
}

fn deleted(hostgroup: u32, host: &str) -> String {
    format!("DELETE FROM mysql_servers WHERE hostgroup_id = {hostgroup} AND hostname = '{host}' AND port = 1")
}

#[test]
fn who_reads_leaves_and_the_writer_stays_the_only_one() {
    let (runtime, roles) = healthy();
    let edit = Edit::of(&runtime, &roles, "c:1", &runtime.rows_of("c:1"), &[]).expect("an edit");
    let all = "DELETE FROM mysql_servers WHERE hostname = 'c' AND port = 1".to_owned();
    assert_eq!(edit.statements(), [deleted(10, "b"), all]);
}

#[test]
fn the_writers_rows_do_not_go_and_nothing_is_loaded_while_the_writers_are_unsorted() {
    let (mut runtime, roles) = healthy();
    let why = |runtime: &Runtime, address: &str| {
        Edit::of(runtime, &roles, address, &runtime.rows_of(address), &[]).expect_err("a refusal")
    };
    assert!(why(&runtime, "a:1").contains("move the writer first"), "{}", why(&runtime, "a:1"));
    // As after a plain LOAD: all write.
    runtime.0.iter_mut().for_each(|(_, online)| *online = true);
    assert!(why(&runtime, "c:1").starts_with("3 backends take writes"), "{}", why(&runtime, "c:1"));
    // As when the writer was shunned by errors.
    runtime.0.iter_mut().for_each(|(row, online)| *online = row.hostgroup != 10);
    assert!(why(&runtime, "c:1").contains("has no writer now"), "{}", why(&runtime, "c:1"));
}

#[test]
fn who_comes_back_waits_and_what_has_no_other_row_keeps_one() {
    let (mut runtime, roles) = healthy();
    let before = runtime.rows_of("b:1");
    runtime.0.retain(|(row, _)| &*row.address != "b:1" && (&*row.address != "c:1" || row.hostgroup == 10));
    let edit = Edit::of(&runtime, &roles, "b:1", &[], &before).expect("an edit").statements();
    assert!(
        edit[0].starts_with("UPDATE mysql_servers SET hostgroup_id = 20 WHERE hostgroup_id = 10"),
        "{edit:?}"
    );
    let into: Vec<_> = edit[2..].iter().map(|s| s.split("VALUES (").nth(1).expect("values")).collect();
    assert_eq!(into.len(), 2, "{edit:?}");
    assert!(
        into[0].starts_with("20, 'b', 1, 0, 'ONLINE', 50") && into[0].ends_with("'it''s; one')"),
        "{into:?}"
    );
    assert!(into[1].starts_with("30, 'b'"), "{into:?}");
}

#[test]
fn who_is_about_to_write_leaves_the_readers_while_others_read() {
    let (mut runtime, roles) = healthy();
    // The writer becomes the lightest: b is next.
    let (from, to) = ([row(10, "a:1", 100)], [row(10, "a:1", 1)]);
    let edit = Edit::of(&runtime, &roles, "a:1", &from, &to).expect("an edit").statements();
    assert_eq!(edit[2], deleted(30, "b"), "{edit:?}");
    // It comes back as the heaviest: without a row among the readers.
    let back = [row(20, "d:1", 200), row(30, "d:1", 200)];
    let edit = Edit::of(&runtime, &roles, "d:1", &[], &back).expect("an edit").statements();
    assert_eq!(edit.iter().filter(|s| s.contains("'d', 1, 0, 'ONLINE', 200")).count(), 1, "{edit:?}");
    // Nobody else reads: it stays.
    runtime.0.retain(|(row, _)| row.hostgroup != 30 || &*row.address == "b:1");
    let edit = Edit::of(&runtime, &roles, "a:1", &from, &to).expect("an edit").statements();
    assert!(!edit.contains(&deleted(30, "b")), "{edit:?}");
}

#[test]
fn a_move_by_the_monitor_is_no_drift_and_a_weight_is() {
    let (runtime, roles) = healthy();
    let (from, to) = ([row(10, "b:1", 50)], [row(10, "b:1", 70)]);
    assert_eq!(runtime.of("b:1", &from, &to, &roles), Now::AtFrom);
    assert_eq!(runtime.of("b:1", &to, &from, &roles), Now::AtTo);
    assert!(matches!(runtime.of("b:1", &to, &[], &roles), Now::Elsewhere(_)));
    let edit = Edit::of(&runtime, &roles, "b:1", &from, &to).expect("an edit").statements();
    assert_eq!(edit.iter().filter(|s| s.contains("'ONLINE', 70")).count(), 2, "{edit:?}");
}

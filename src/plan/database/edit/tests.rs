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

fn group(max_writers: u32) -> Hostgroups {
    Hostgroups {
        writer: 10,
        backup: 20,
        reader: 30,
        offline: 9999,
        active: true,
        max_writers,
        writer_is_also_reader: 2,
        max_transactions_behind: 100,
    }
}

fn healthy() -> Runtime {
    let rows = [
        (10, "a:1", 100, true),
        (10, "b:1", 50, false),
        (10, "c:1", 10, false),
        (20, "b:1", 50, true),
        (20, "c:1", 10, true),
        (30, "b:1", 50, true),
        (30, "c:1", 10, true),
    ];
    Runtime::new(rows.map(|(h, a, w, online)| (row(h, a, w), online)).to_vec(), vec![group(1)])
}

/// The rows among the writers that a LOAD would make write.
fn surplus() -> String {
    "DELETE FROM mysql_servers WHERE hostgroup_id = 10 AND (hostname, port) IN (SELECT hostname, port FROM \
     runtime_mysql_servers WHERE hostgroup_id = 10 AND status = 'SHUNNED') AND (hostname, port) IN (SELECT hostname, port \
     FROM mysql_servers WHERE hostgroup_id <> 10)"
        .to_owned()
}

fn deleted(hostgroup: u32, host: &str) -> String {
    format!("DELETE FROM mysql_servers WHERE hostgroup_id = {hostgroup} AND hostname = '{host}' AND port = 1")
}

#[test]
fn who_reads_leaves_and_the_writer_stays_the_only_one() {
    let runtime = healthy();
    let edit = runtime.edit("c:1", &runtime.rows_of("c:1"), &[]).expect("an edit");
    let all = "DELETE FROM mysql_servers WHERE hostname = 'c' AND port = 1".to_owned();
    assert_eq!(edit, [TAKE.to_owned(), surplus(), all]);
}

#[test]
fn the_writers_rows_do_not_go_and_nothing_is_loaded_while_the_writers_are_unsorted() {
    let mut runtime = healthy();
    let why = |runtime: &Runtime, address: &str| {
        runtime.edit(address, &runtime.rows_of(address), &[]).expect_err("a refusal")
    };
    assert!(why(&runtime, "a:1").contains("move the writer first"), "{}", why(&runtime, "a:1"));
    // As after a plain LOAD: all write.
    runtime.rows.iter_mut().for_each(|(_, online)| *online = true);
    assert!(why(&runtime, "c:1").starts_with("3 backends take writes"), "{}", why(&runtime, "c:1"));
    // As when the writer was shunned by errors.
    runtime.rows.iter_mut().for_each(|(row, online)| *online = row.hostgroup != 10);
    assert!(why(&runtime, "c:1").contains("has no writer now"), "{}", why(&runtime, "c:1"));
}

#[test]
fn who_comes_back_waits_and_what_has_no_other_row_keeps_one() {
    let mut runtime = healthy();
    let before = runtime.rows_of("b:1");
    runtime.rows.retain(|(row, _)| &*row.address != "b:1" && (&*row.address != "c:1" || row.hostgroup == 10));
    let edit = runtime.edit("b:1", &[], &before).expect("an edit");
    assert!(
        edit[1].starts_with("UPDATE mysql_servers SET hostgroup_id = 20 WHERE hostgroup_id = 10"),
        "{edit:?}"
    );
    let into: Vec<_> = edit[3..].iter().map(|s| s.split("VALUES (").nth(1).expect("values")).collect();
    assert_eq!(into.len(), 2, "{edit:?}");
    assert!(
        into[0].starts_with("20, 'b', 1, 0, 'ONLINE', 50") && into[0].ends_with("'it''s; one')"),
        "{into:?}"
    );
    assert!(into[1].starts_with("30, 'b'"), "{into:?}");
}

#[test]
fn who_is_about_to_write_leaves_the_readers_while_others_read() {
    let mut runtime = healthy();
    // The writer becomes the lightest: b is next.
    let (from, to) = ([row(10, "a:1", 100)], [row(10, "a:1", 1)]);
    let edit = runtime.edit("a:1", &from, &to).expect("an edit");
    assert_eq!(edit[2], deleted(30, "b"), "{edit:?}");
    // It comes back as the heaviest: without a row among the readers.
    let back = [row(20, "d:1", 200), row(30, "d:1", 200)];
    let edit = runtime.edit("d:1", &[], &back).expect("an edit");
    assert_eq!(edit.iter().filter(|s| s.contains("'d', 1, 0, 'ONLINE', 200")).count(), 1, "{edit:?}");
    // Nobody else reads: it stays.
    runtime.rows.retain(|(row, _)| row.hostgroup != 30 || &*row.address == "b:1");
    let edit = runtime.edit("a:1", &from, &to).expect("an edit");
    assert!(!edit.contains(&deleted(30, "b")), "{edit:?}");
}

#[test]
fn a_move_by_the_monitor_is_no_drift_and_a_weight_is() {
    let runtime = healthy();
    let (from, to) = ([row(10, "b:1", 50)], [row(10, "b:1", 70)]);
    assert_eq!(runtime.stands("b:1", &from, &to), Rows::AtFrom);
    assert_eq!(runtime.stands("b:1", &to, &from), Rows::AtTo);
    assert!(matches!(runtime.stands("b:1", &to, &[]), Rows::Elsewhere(_)));
    // Its rows stay where the monitor has them when the statement comes.
    let edit = runtime.edit("b:1", &from, &to).expect("an edit");
    let weight = "UPDATE mysql_servers SET weight = 70 WHERE hostname = 'b' AND port = 1".to_owned();
    assert_eq!(edit, [TAKE.to_owned(), surplus(), weight]);
}

#[test]
fn who_is_elected_beside_another_leaves_the_readers_too() {
    let mut runtime = healthy();
    runtime.groups = vec![group(2)];
    for (row, online) in &mut runtime.rows {
        *online |= row.hostgroup == 10 && &*row.address == "b:1";
    }
    runtime.rows.retain(|(row, online)| &*row.address != "b:1" || row.hostgroup == 10 && *online);
    runtime.rows.push((row(20, "d:1", 5), true));
    runtime.rows.push((row(30, "d:1", 5), true));
    let from = runtime.rows_of("c:1");
    let to = from.iter().filter(|r| r.hostgroup == 20).map(|r| ServerRow { weight: 200, ..r.clone() });
    let edit = runtime.edit("c:1", &from, &to.collect::<Vec<_>>()).expect("an edit");
    assert!(edit.contains(&deleted(30, "c")), "{edit:?}");
    assert!(!edit.contains(&deleted(30, "d")), "{edit:?}");
}

#[test]
fn what_runs_afterwards_is_sorted_as_the_monitor_sorts_it() {
    let runtime = healthy();
    let lighter = runtime.after("a:1", &[row(10, "a:1", 1)]);
    let online = |runtime: &Runtime, hostgroup: u32| {
        let rows = runtime.rows.iter().filter(|(row, online)| row.hostgroup == hostgroup && *online);
        rows.map(|(row, _)| row.address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(online(&lighter, 10), ["b:1"]);
    assert_eq!(online(&lighter, 20), ["c:1", "a:1"].map(String::from).into_iter().rev().collect::<Vec<_>>());
    assert_eq!(lighter.after("a:1", &[row(10, "a:1", 100)]).rows.len(), runtime.rows.len());
    assert_eq!(online(&runtime.after("c:1", &[]), 30), ["b:1"]);
}

//! What counts as evidence that a change of the database has held.

use super::*;
use crate::{
    cluster::{Proxy, ProxyRows, Table, Tenancy},
    plan::{Holds, Object},
    run::evidence::Moment,
};

fn table(columns: &str, rows: &[String]) -> Table {
    let cells = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    Table::new(cells(columns), rows.iter().map(|row| cells(row).into_iter().map(Some).collect()).collect())
}

/// The proxy, read at these seconds, with a newest check of its monitor; db3 is not among its servers, and its monitor
/// checks every two seconds.
fn read_at(readings: &[i64], checked: i64) -> Snapshot {
    let settings = ["mysql-monitor_galera_healthcheck_interval 2000".to_owned()];
    let rows = ProxyRows {
        servers: Some(table(
            "hostgroup_id hostname port status weight",
            &["10 db1 3306 ONLINE 100".to_owned()],
        )),
        hostgroups: Some(Table::default()),
        variables: Some(table("variable_name variable_value", &settings)),
        checks: table(
            "hostname port time_start_us",
            &[format!("db1 3306 {}", later(checked).as_microsecond())],
        ),
        ..ProxyRows::default()
    };
    let new = Proxy::new("proxy1".into());
    let proxy = readings.iter().fold(new, |proxy, at| proxy.answered(&rows, later(*at)));
    let mut seen = Snapshot::new(Tenancy::default());
    seen.observe(Observation::Proxy(Seen::All([(proxy.name.clone(), proxy)].into(), now())));
    seen
}

fn gone() -> Run {
    let change = Change::Holds(Holds {
        proxy: "proxy1".into(),
        address: "db3:3306".into(),
        rows: vec![],
        as_writer: None,
    });
    let steps = vec![Step::new(About::Database, change, 60)];
    let mut run = Run::new("r", "alice", Plan { steps, ..plan(2, 3) }.approve(None, None).unwrap());
    [TAKEN, STARTED].into_iter().for_each(|event| note(&mut run, event));
    run
}

#[test]
fn a_change_of_servers_holds_after_two_readings_and_two_checks_of_the_monitor() {
    // Written at second 10; the monitor had last checked at second 9.
    let mark = Mark::Endpoint(Moment { at: later(10), checked: Some(later(9)) });
    let marks = BTreeMap::from([(Object::Proxy("proxy1".into()), mark)]);
    let facts = Facts { marks, ..Facts::default() };
    let run = gone();
    let decided = |readings: &[i64], checked| decide(&run, &read_at(readings, checked), later(16), &facts);
    let waits = |readings: &[i64], checked, word: &str| match decided(readings, checked) {
        Decision::Wait { text, .. } => assert!(text.contains(word), "{readings:?} {checked}: {text}"),
        other => panic!("{readings:?} {checked}: {other:?}"),
    };
    waits(&[8, 9, 10], 13, "has not been read again yet");
    // The one reading later than the write may have begun before it.
    waits(&[9, 10, 14], 13, "has not been read again yet");
    waits(&[11, 12], 9, "has not made 2 checks since");
    waits(&[11, 12], 12, "has not made 2 checks since");
    assert!(matches!(decided(&[14, 15], 13), Decision::Done(0, _)), "{:?}", decided(&[14, 15], 13));
    // Without a write of ours there is nothing to wait for.
    assert!(matches!(decide(&run, &read_at(&[1], 1), later(2), &Facts::default()), Decision::Done(0, _)));
}

//! What counts as evidence that a change of the database has held.

use super::*;
use crate::{
    cluster::{Member, MemberRows, Proxy, ProxyRows, Table, Tenancy},
    plan::{Holds, Object, Servers},
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

/// The proxy with db2 among its servers, of this weight.
fn weighing(weight: u64) -> Snapshot {
    let columns = "hostgroup_id hostname port gtid_port status weight compression max_connections max_replication_lag \
                   use_ssl max_latency_ms comment";
    let rows = ProxyRows {
        servers: Some(table(columns, &[format!("10 db2 3306 0 ONLINE {weight} 0 100 0 0 0 db2")])),
        hostgroups: Some(table(
            "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup active max_writers",
            &["10 20 30 9999 1 1".to_owned()],
        )),
        ..ProxyRows::default()
    };
    let said =
        |all: &[&str]| table("Variable_name Value", &all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
    let status = [
        "wsrep_local_state 4",
        "wsrep_cluster_status Primary",
        "wsrep_cluster_size 1",
        "wsrep_cluster_weight 1",
    ];
    let variables =
        ["wsrep_on ON", "wsrep_provider galera", "read_only OFF", "wsrep_provider_options pc.weight=1"];
    let rows_of_it =
        MemberRows { status: said(&status), variables: said(&variables), ..MemberRows::default() };
    let member = Member::new("db2:3306".into()).answered(&rows_of_it, later(1));
    let proxy = Proxy::new("proxy1".into());
    let proxy = [1, 2, 3].iter().fold(proxy, |proxy, at| proxy.answered(&rows, later(*at)));
    let mut seen = Snapshot::new(Tenancy::default());
    seen.observe(Observation::Member(Seen::All([(member.name.clone(), member)].into(), now())));
    seen.observe(Observation::Proxy(Seen::All([(proxy.name.clone(), proxy)].into(), now())));
    seen
}

#[test]
fn what_was_put_back_is_written_again_once_the_run_is_taken_up_again() {
    let of = |seen: &Snapshot| seen.proxies.values().next().unwrap().now().unwrap().servers_of("db2:3306");
    let (from, to) = (of(&weighing(50)), of(&weighing(70)));
    let (proxy, address): (crate::cluster::ProxyName, Arc<str>) = ("proxy1".into(), "db2:3306".into());
    let write =
        Change::Servers(Servers { proxy: proxy.clone(), address: address.clone(), from, to: to.clone() });
    let wait = Change::Holds(Holds { proxy, address, rows: to, as_writer: None });
    let step = |change| Step::new(About::Database, change, 60);
    let steps = vec![step(write), step(wait)];
    let mut run = Run::new("r", "alice", Plan { steps, ..plan(2, 3) }.approve(None, None).unwrap());
    let begun = [TAKEN, STARTED, Event::Done { step: 0, text: String::new() }, Event::Started { step: 1 }];
    begun.into_iter().for_each(|event| note(&mut run, event));
    let decided = |run: &Run, at| decide(run, &weighing(50), later(at), &Facts::default());
    // Within its time it may still come, afterwards somebody is asked.
    assert!(matches!(decided(&run, 10), Decision::Wait { .. }), "{:?}", decided(&run, 10));
    match decided(&run, 1000) {
        Decision::Pause(1, why) => assert!(why.contains("resuming the run writes it again"), "{why}"),
        other => panic!("{other:?}"),
    }
    note(&mut run, Event::Paused { step: 1, why: String::new(), asked: false });
    note(&mut run, TAKEN);
    assert_eq!(decided(&run, 1001), Decision::Perform(1), "the wait begins again");
    note(&mut run, Event::Started { step: 1 });
    assert_eq!(decided(&run, 1001), Decision::Perform(0));
    // Once for each time it is taken up.
    note(&mut run, Event::Started { step: 0 });
    note(&mut run, Event::Done { step: 0, text: String::new() });
    assert!(matches!(decided(&run, 10), Decision::Wait { .. }), "{:?}", decided(&run, 10));
}

#[test]
fn a_reading_from_before_a_write_is_no_evidence_whatever_the_clocks_say() {
    let mark = Mark::Endpoint(Moment { at: later(10), checked: Some(later(9)) });
    let marks = BTreeMap::from([(Object::Proxy("proxy1".into()), mark)]);
    let facts = Facts { marks, ..Facts::default() };
    let run = gone();
    for skew_millis in [30_000, 0, -30_000] {
        let decided = |readings: &[i64]| {
            let mut seen = read_at(readings, 13);
            let api = crate::cluster::Api { skew_millis, ..Default::default() };
            seen.observe(Observation::Api(Box::new(api)));
            decide(&run, &seen, later(16), &facts)
        };
        let early = decided(&[8, 9]);
        assert!(matches!(early, Decision::Wait { .. }), "{skew_millis}: {early:?}");
        let later = decided(&[11, 13]);
        assert!(matches!(later, Decision::Done(0, _)), "{skew_millis}: {later:?}");
    }
}

//! No answer and no paste makes it panic.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use wheelhouse::cluster::{
    Layers, Member, MemberRows, Proxy, ProxyRows, Table, Trouble,
    database::{Database, Evidence, Saved, recovery},
    findings,
};

use super::{address, now, world};

fn any_table(names: &'static [&'static str]) -> impl Strategy<Value = Table> {
    let value = prop_oneof![
        Just(None),
        Just(Some(u64::MAX.to_string())),
        any::<i64>().prop_map(|n| Some(n.to_string())),
        "[ -~]{0,20}".prop_map(Some),
        Just(Some("Primary".to_owned())),
        Just(Some("ON".to_owned())),
        Just(Some("gcache.size = 9999999999999T; pc.weight = -1; =;;".to_owned())),
    ];
    let row =
        (proptest::sample::select(names), value).prop_map(|(name, value)| vec![Some(name.to_owned()), value]);
    proptest::collection::vec(row, 0..30)
        .prop_map(|rows| Table::new(vec!["Variable_name".into(), "Value".into()], rows))
}

const NAMES: &[&str] = &[
    "wsrep_local_state",
    "wsrep_cluster_status",
    "wsrep_cluster_size",
    "wsrep_cluster_conf_id",
    "wsrep_last_committed",
    "wsrep_local_cached_downto",
    "wsrep_flow_control_paused_ns",
    "wsrep_cluster_weight",
    "wsrep_on",
    "wsrep_provider",
    "wsrep_provider_options",
    "wsrep_incoming_addresses",
    "wsrep_cluster_state_uuid",
    "Uptime",
    "port",
    "hostname",
    "wsrep_received_bytes",
    "wsrep_local_recv_queue",
    "max_connections",
    "Threads_connected",
    "wsrep_desync",
];

fn any_cells() -> impl Strategy<Value = Table> {
    let columns = [
        "hostgroup",
        "hostgroup_id",
        "srv_host",
        "srv_port",
        "hostname",
        "port",
        "status",
        "time_start_us",
        "error",
        "weight",
        "ConnUsed",
        "Queries",
        "writer_hostgroup",
        "backup_writer_hostgroup",
        "reader_hostgroup",
        "offline_hostgroup",
        "max_writers",
        "sessions",
        "command",
        "longest_ms",
        "user",
        "state",
        "info",
        "time",
        "stage",
        "max_stage",
        "progress",
        "id",
        "errno",
        "count_star",
        "digest_text",
        "what",
    ];
    let cell = prop_oneof![
        Just(None),
        any::<i64>().prop_map(|n| Some(n.to_string())),
        "[ -~é]{0,12}".prop_map(Some),
        proptest::sample::select(&["ONLINE", "SHUNNED", "10", "20", "NaN", "inf", "1e308", "ALTER"][..])
            .prop_map(|t| Some(t.to_owned())),
    ];
    let row = proptest::collection::vec(cell, 0..columns.len() + 2);
    proptest::collection::vec(row, 0..8)
        .prop_map(move |rows| Table::new(columns.map(String::from).to_vec(), rows))
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        status in any_table(NAMES), again in any_table(NAMES), variables in any_table(NAMES),
        cells in any_cells(), more in any_cells(), gap in 0i64..100_000_000,
    ) {
        let at = now() + SignedDuration::from_millis(gap);
        let rows = |status: Table| MemberRows {
            status, variables: variables.clone(), peers: Some(cells.clone()), threads: Some(more.clone()),
            holders: Some(cells.clone()), took: Duration::ZERO,
        };
        let one = Member::new(address(1)).answered(&rows(status.clone()), now()).answered(&rows(again), at);
        let two = Member::new(address(2)).answered(&rows(status), at).failed(Trouble::Silent, "why", now());
        let proxy = |first: &Table, second: &Table| ProxyRows {
            servers: Some(first.clone()), hostgroups: Some(second.clone()), pool: second.clone(), checks: first.clone(),
            connects: Some(second.clone()), global: first.clone(), sessions: second.clone(), errors: Some(first.clone()),
            variables: Some(second.clone()), disk: Some(first.clone()), drift: Some(vec![("t".into(), Layers::RuntimeDisk, first.clone())]),
            checksums: Some(second.clone()), digests: Some(first.clone()), version: None, took: Duration::ZERO,
        };
        let ps = Proxy::new("ps1".into()).answered(&proxy(&cells, &more), now()).answered(&proxy(&more, &cells), at);
        let snapshot = world(vec![one, two], vec![ps], at);
        let seen = Database::of(&snapshot).unwrap();
        let _ = (findings(&snapshot), seen.headline(), seen.quorum.to_string());
        let _ = recovery(&Evidence::of(&seen, &[])).to_string();
    }

    #[test]
    fn no_paste_makes_it_panic(text in "(uuid: |seqno: |Recovered position: |safe_to_bootstrap: |616bac65-e57f-11f1-a4d7-53902d4ee3af|:|-1|[ -~é\n]){0,30}") {
        let _ = Saved::parse(&text).map(|saved| saved.position());
    }
}

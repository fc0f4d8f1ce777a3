//! What an operator on a bad line at night must not stumble over: what is cut, what is told twice, what has no name.

use std::sync::Arc;

use wheelhouse::cluster::{Member, Trouble, database::Expectations};

use super::{
    cockpit::now,
    database::{all_down, at, degraded, healthy, member, no_quorum, paused, seen, two_proxies},
};

/// The sentences at the top of the screen, each on one line.
fn wrong(text: &str) -> String {
    let table = text.lines().position(|l| l.contains("MEMBER") || l.contains("PROXYSQL")).unwrap_or(0);
    text.lines().take(table).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_worst_is_told_in_full_at_every_width() {
    for size in [(40, 24), (60, 20), (80, 24), (120, 36)] {
        let top = wrong(&at(no_quorum(), size).text());
        let told = "is in a primary component; everything is refused";
        let without_key =
            top.replace("R recovery sheet ", "").replace(" ≥1s", "").replace(" 1s", "").replace(" R ", " ");
        assert!(without_key.contains(told), "{size:?}: {top}");
        // The key that answers is there, at narrow ones without its word.
        assert_eq!(top.contains("R recovery sheet"), size.0 >= 72, "{top}");
    }
}

#[test]
fn at_40_columns_nothing_runs_into_what_stands_beside_it() {
    for world in [healthy(), degraded(), no_quorum()] {
        let text = at(world, (40, 20)).text();
        let head = text.lines().find(|l| l.contains("MEMBER")).expect("a heading");
        assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["MEMBER", "STATE", "ROLE", "AGE"], "{text}");
        let row =
            text.lines().skip(2).find(|l| l.contains("writer") && !l.contains("galera")).expect("a writer");
        let cells: Vec<_> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert!(row.contains("● writer ") || row.contains("✖ writer "), "{row}");
        assert!(cells.last().is_some_and(|age| age.ends_with('s')), "{cells:?}");
    }
}

#[test]
fn at_40_columns_a_backend_says_what_its_state_means() {
    let mut c = at(no_quorum(), (40, 20));
    c.keys("tab");
    let text = c.text();
    let head = text.lines().find(|l| l.contains("› ps1")).expect("the proxy");
    assert!(head.contains("6/2048") && !head.contains('…'), "{text}");
    let writer = text.lines().find(|l| l.contains("10 writer")).expect("the writer");
    assert!(writer.contains("✖ n1") && writer.trim_end().ends_with("fails"), "{text}");
    let offline = text.lines().find(|l| l.contains("9999 offline")).expect("one that is dead");
    assert!(offline.trim_end().ends_with("not used"), "{text}");
}

#[test]
fn what_is_the_same_of_several_is_told_once() {
    let top = wrong(&at(no_quorum(), (80, 24)).text());
    assert_eq!(top.matches("reads wait and fail").count(), 1, "{top}");
    assert!(top.contains("2 proxies no backend ONLINE"), "{top}");
    // The key stands once, too.
    assert_eq!(top.matches("recovery sheet").count(), 1, "{top}");
    let top = wrong(&at(all_down(), (160, 48)).text());
    assert!(top.contains("n1, n2, n3 does not answer"), "{top}");
}

#[test]
fn a_finding_is_read_whole_beside_what_answers_it() {
    let mut c = at(no_quorum(), (80, 24));
    c.keys("5 / q u o r u m enter g");
    let text = c.text();
    let foot = text.lines().skip(12).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    for words in ["in a primary component; everything is refused", "and the commands in order", "critical ·"]
    {
        assert!(foot.contains(words), "no {words}: {text}");
    }
}

#[test]
fn the_header_says_what_hurts_and_that_nobody_is_well() {
    let sends = [("wsrep_flow_control_requested", "true"), ("wsrep_local_recv_queue", "28")];
    let members = vec![paused(1, 1, &[], 510), paused(2, 1, &[], 510), paused(3, 1, &sends, 510)];
    let mut c = at(seen(members, two_proxies("healthy")), (80, 24));
    for (size, words) in [((80, 24), "✖ WRITES PAUSED"), ((150, 40), "✖ galera 3/3 writer n1 WRITES PAUSED")]
    {
        c.resize(size.0, size.1);
        let text = c.text();
        let header = text.lines().nth(1).unwrap_or_default();
        assert!(header.contains(words), "{header}");
        assert!(!header.contains("well") && !header.contains("✓"), "{header}");
    }
}

#[test]
fn a_member_that_never_answered_has_the_name_that_is_configured() {
    let why = "127.0.0.1:13330 refuses connections: no server runs there";
    let dead = || Member::new("127.0.0.1:13330".into()).failed(Trouble::Refused, why, now());
    let world = |names: &[(&str, &str)]| {
        let mut world = seen(vec![member(1, 1, &[]), member(2, 1, &[]), dead()], two_proxies("healthy"));
        let names = names.iter().map(|(of, name)| ((*of).to_owned(), (*name).to_owned())).collect();
        world.database = Arc::new(Expectations { names, ..(*world.database).clone() });
        world
    };
    let c = at(world(&[("127.0.0.1:13330", "n3")]), (80, 24));
    assert!(c.text().contains("▲ n3        no answer"), "{}", c.text());
    // Its address stands once beside it, not again in the reason; since when it is away nobody knows.
    let row = c.text().lines().find(|l| l.starts_with("› ▲ n3")).map(str::to_owned).unwrap_or_default();
    assert!(row.trim_end().ends_with("never"), "{row}");
    let top = wrong(&c.text()).replace(" ≥0s", "");
    assert!(top.contains("list it as a member: refuses connections: no server runs there"), "{top}");
    let c = at(world(&[]), (120, 36));
    assert!(c.text().contains("127.0.0.1:13330"), "{}", c.text());
    // What it says itself counts for more than what the configuration calls it.
    let text = at(world(&[("127.0.0.1:13310", "other")]), (80, 24)).text();
    assert!(text.contains("✓ n1 ") && !text.contains("other"), "{text}");
    let text = at(world(&[("10.9.9.9:3306", "n9")]), (160, 48)).text();
    assert!(text.contains("[galera.names] names 10.9.9.9:3306, which is no configured member"), "{text}");
}

#[test]
fn nothing_is_known_of_a_database_half_of_which_was_not_asked_yet() {
    let why = "127.0.0.1:13330 refuses connections: no server runs there";
    let members = vec![
        Member::new("127.0.0.1:13310".into()),
        Member::new("127.0.0.1:13320".into()),
        Member::new("127.0.0.1:13330".into()).failed(Trouble::Refused, why, now()),
    ];
    let text = at(seen(members, vec![]), (80, 24)).text();
    assert!(text.contains("galera ?") && !text.contains("DOES NOT ANSWER"), "{text}");
}

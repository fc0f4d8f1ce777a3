//! Everything the operator must be able to see of the database, by name: on which screen, in which words.

use wheelhouse::cluster::{Proxy, Snapshot, Trouble};

use super::{
    cockpit::{Cockpit, now},
    database::{all_down, at, degraded, drift, healthy, member, no_quorum, paused, proxy, seen, two_proxies},
};
use crate::database::proxy_rows;

/// All of what takes the whole screen, page after page.
fn pages(c: &mut Cockpit) -> String {
    let mut text = c.text();
    loop {
        let before = c.text();
        c.keys("ctrl-d");
        if c.text() == before {
            return text;
        }
        text += &c.text();
    }
}

fn line<'a>(text: &'a str, what: &str) -> &'a str {
    text.lines().find(|l| l.contains(what)).unwrap_or_else(|| panic!("no {what}: {text}"))
}

fn all(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "no {words:?}: {text}");
    }
}

#[test]
fn a_member_is_told_whole_at_80_columns() {
    let mut c = at(healthy(), (80, 24));
    c.keys("j enter");
    let text = pages(&mut c);
    all(
        &text,
        &[
            "✓ n2  synced   ○ next writer",
            "component    primary, size 3, view 3, weight 1 of 3",
            "committed    8 81",
            "queue        0 to apply, 0 to send",
            "flow control 0.3 % of the time, not asked for here",
            "certification failures 0/s (0), brute-force aborts 0/s (0)",
            "before a full copy (",
            "transactions kept)",
            "LAST 2M",
            "commits/s ",
            "connections  94 of 400",
            "USED/FREE ERRORS    PING",
            "10 writer   SHUNNED, normal         0/0      0  0.2 ms",
            "20 backup   ONLINE, standby",
            "30 reader   ONLINE                  5/2",
            "/s through the proxies",
            "version      10.11",
            "up           6d",
            "history      616bac65",
        ],
    );
    let course = line(&text, "commits/s ");
    assert!(course.contains('█') && course.contains("most"), "{course}");
}

#[test]
fn a_wide_screen_has_every_number_in_the_row() {
    let text = at(healthy(), (200, 50)).text();
    let head = line(&text, "MEMBER");
    all(
        head,
        &[
            "STATE",
            "ROLE",
            "WEIGHT",
            "QUEUE",
            "FLOW CTL",
            "COMMITTED",
            "COMMITS/S",
            "AWAY OK",
            "CONN",
            "USED/FREE",
            "Q/S",
            "CERT/BF /S",
            "PING",
            "ERR/S",
            "VERSION",
            "UP",
            "AGE",
        ],
    );
    all(line(&text, "● writer"), &["n1", "synced", "0.3 %", "10.11.", "6d", "/400", "0/12", "0/0", "0.2 ms"]);
    all(line(&text, "standby writer, reads"), &["n3"]);
    // Members, hostgroups and the selected one at once.
    all(&text, &["standby writer: normal", "takes the writes", "REPLICATION", "SERVER"]);
}

#[test]
fn columns_stand_still_whatever_is_in_them() {
    for size in [(60, 15), (80, 24), (120, 35), (160, 48), (200, 50)] {
        let heads = [healthy(), degraded(), no_quorum(), all_down()].map(|seen| {
            let mut c = at(seen, size);
            let members = line(&c.text(), "MEMBER").to_owned();
            c.keys("tab");
            (
                members,
                c.text()
                    .lines()
                    .find(|l| l.contains("USED/FREE") && l.contains("BACKEND"))
                    .map(str::to_owned),
            )
        });
        for (members, proxies) in &heads[1..3] {
            assert_eq!((members, proxies), (&heads[0].0, &heads[0].1), "{size:?}");
        }
        assert_eq!(heads[3].0, heads[0].0);
    }
}

#[test]
fn the_truth_is_the_two_sources_together() {
    let mut c = at(no_quorum(), (80, 24));
    // A member that lost its quorum is still the writer for the proxies; one that is dead is ONLINE, out of use.
    all(line(&c.text(), "writer, fails"), &["✖ n1", "no quorum", "✖ writer"]);
    all(line(&c.text(), "◌ offline"), &["✖ n2", "down", "refuses connections"]);
    c.keys("tab");
    all(line(&c.text(), " 10 writer"), &["✖ n1", "ONLINE, fails"]);
    all(line(&c.text(), " offline"), &["▲ n2", "ONLINE, not used"]);
    let wide = at(no_quorum(), (200, 50)).text();
    all(&wide, &["✖ writer, writes fail", "writes fail here", "not used, though ONLINE"]);
    // Reads sent to a dead member, and a successor that cannot succeed.
    let mut c = at(degraded(), (80, 24));
    c.keys("tab G");
    all(&c.text(), &["ONLINE, unfit", "ONLINE, fails"]);
}

#[test]
fn flow_control_says_who_sends_it_and_is_loud_everywhere() {
    let sends = [("wsrep_flow_control_requested", "true"), ("wsrep_local_recv_queue", "28")];
    let members = vec![paused(1, 1, &[], 510), paused(2, 1, &[], 510), paused(3, 1, &sends, 510)];
    let mut c = at(seen(members, two_proxies("healthy")), (80, 24));
    all(line(&c.text(), "standby"), &["n3", "51.0 % ◀"]);
    assert!(!line(&c.text(), "● writer").contains('◀'), "{}", c.text());
    all(&c.text(), &["✖ WRITES PAUSED"]);
    c.resize(150, 24);
    all(&c.text(), &["✖ galera 3/3 writer n1 WRITES PAUSED"]);
    c.resize(80, 24);
    c.keys("j j enter");
    all(&c.text(), &["51.0 % of the time, asked for by this member ◀"]);
}

#[test]
fn a_proxy_is_told_whole() {
    let mut c = at(drift(), (80, 24));
    c.keys("tab");
    all(line(&c.text(), "› ps1"), &["clients    6/2048", " q/s", "▲ 1 drift"]);
    c.keys("enter");
    all(
        &pages(&mut c),
        &[
            "clients      6 of 2048",
            "▲ pinned     2 sessions on n2 in hostgroup 10, no longer the writer",
            "sessions     5 on n1 in 10",
            "runtime ≠ disk, not saved, gone after a",
            "▲ differs    from ps2: mysql_query_rules",
            "MONITOR  last check",
            "DEAREST STATEMENTS    runs     mean  in all",
            "hostgroup 10 writer",
            "hostgroup 30 reader",
            "admin rights",
        ],
    );
    let mut c = at(healthy(), (80, 24));
    c.keys("tab enter");
    all(&c.text(), &["layers       memory = runtime = disk"]);
}

#[test]
fn one_half_of_the_database_is_enough_to_look_at() {
    let mut c = at(seen(vec![], two_proxies("healthy")), (80, 24));
    all(&c.text(), &["proxysql 2/2  ", "PROXYSQL", "SHUNNED, normal"]);
    c.resize(150, 24);
    all(&c.text(), &["proxysql 2/2 writer 127.0.0.1:24010"]);
    c.resize(80, 24);
    assert!(!c.text().contains("tab members"), "{}", c.text());
    c.keys("tab enter G");
    let c = at(seen((1..=3).map(|n| member(n, 1, &[])).collect(), vec![]), (80, 24));
    all(&c.text(), &["galera 3/3", "one more loss is safe", "REPLICATION"]);
    assert!(!c.text().contains("tab proxies"), "{}", c.text());
}

#[test]
fn what_a_proxy_does_not_tell_is_said_to_be_unknown() {
    let mut rows = proxy_rows("healthy");
    (rows.servers, rows.hostgroups, rows.drift, rows.variables) = (None, None, None, None);
    rows.checksums = None;
    let why = "127.0.0.1:6032 takes connections and never answers (waited 3 s)";
    let hung = Proxy::new("ps3".into()).failed(Trouble::Silent, why, now());
    let mut c =
        at(seen((1..=3).map(|n| member(n, 1, &[])).collect(), vec![proxy("ps1", &rows), hung]), (80, 24));
    all(&c.text(), &["▲ 1 of 2 proxies answer"]);
    c.keys("tab g");
    all(&c.text(), &["statistics only", "SHUNNED, unknown"]);
    assert!(!c.text().contains("SHUNNED, errors"), "{}", c.text());
    c.keys("enter");
    all(&pages(&mut c), &["layers       not known: admin rights are needed", "statistics rights only"]);
    c.keys("enter G");
    all(line(&c.text(), "› ps3"), &["▲ silent", "takes connections"]);
}

#[test]
fn the_sheet_can_be_read_and_pasted_at_any_width() {
    for size in [(60, 15), (80, 24), (200, 50)] {
        let mut c = at(no_quorum(), size);
        c.keys("R g");
        let text = pages(&mut c);
        all(&text, &["RECOVERY SHEET", "EVIDENCE", "MOST ADVANCED", "STEPS, in this order", "MORE EVIDENCE"]);
        // Nothing is cut: what does not fit goes on in the next line.
        let cut: Vec<_> = text.lines().filter(|l| l.contains('…') && l.contains("SHOW")).collect();
        assert!(cut.is_empty(), "{cut:?}");
        let pasted = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        all(&pasted, &["SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'", "systemctl start mariadb"]);
    }
}

#[test]
fn signs_and_words_tell_without_colour() {
    let quiet = |seen: Snapshot| {
        let mut c = Cockpit::seeing(seen, (80, 24), |setup| setup.depth = wheelhouse::ui::Depth::Mono);
        c.keys("4");
        c
    };
    let c = quiet(degraded());
    for cell in c.buffer().content() {
        assert_eq!((cell.fg, cell.bg), (ratatui::style::Color::Reset, ratatui::style::Color::Reset));
    }
    all(&c.text(), &["● writer", "○ next writer", "▲ n3", "▲ 412", "0.3 % ◀", "▲ quorum 2 of 3", "▲ galera"]);
}

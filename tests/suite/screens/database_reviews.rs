//! A plan of the database on the screen: what is shown before a yes, and while it runs.

use ratatui::{buffer::Buffer, layout::Rect};
use wheelhouse::{
    app::Msg,
    plan::{
        About, Change, Check, Cut, DatabaseAct, DatabasePart, Holds, Intent, Plan, Servers, Step, Verdict,
    },
    run::{Entry, Event, Run, describe},
    ui::{Cx, Depth, Detail, Overlay, Theme, Who, overlays, overlays::Review, paint::Pen},
};

use super::cockpit::{Cockpit, night, now};

macro_rules! look {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

const CALM: &str = "
node worker-1 memory=32Gi
tenant acme 1 on worker-1 used=300Mi
";

/// Taking a reader out of two proxies.
fn take_out() -> Plan {
    let rows = |hostgroup| wheelhouse::cluster::ServerRow {
        hostgroup,
        address: "db3:3306".into(),
        gtid_port: 0,
        weight: 100,
        compression: 0,
        max_connections: 200,
        max_replication_lag: 0,
        use_ssl: false,
        max_latency_ms: 0,
        comment: "".into(),
    };
    let step = |change| Step::new(About::Database, change, 30);
    let steps = ["proxy1:6032", "proxy2:6032"].into_iter().flat_map(|proxy| {
        let servers = Change::Servers(Servers {
            proxy: proxy.into(),
            address: "db3:3306".into(),
            from: vec![rows(10), rows(30)],
            to: Vec::new(),
        });
        let holds = Change::Holds(Holds {
            proxy: proxy.into(),
            address: "db3:3306".into(),
            rows: Vec::new(),
            as_writer: None,
        });
        [step(servers), step(holds)]
    });
    let steps = steps.collect();
    let act = DatabaseAct::TakeOut { member: "db3:3306".into() };
    let text = |line: &str| line.to_owned();
    Plan {
        on_failure: Default::default(),
        id: "5f31c0de".into(),
        intent: Intent::Database { act: act.clone() },
        seen: 1,
        at: now(),
        nodes: vec![],
        tenants: Vec::new(),
        database: Some(DatabasePart {
            act,
            subject: "db3".into(),
            now: vec![
                text("proxy1:6032  db1 writer, db2 next writer, db3 reader"),
                text("proxy2:6032  db1 writer, db2 next writer, db3 reader"),
            ],
            after: vec![
                text("proxy1:6032  db1 writer, db2 next writer"),
                text("proxy2:6032  db1 writer, db2 next writer"),
            ],
            cut: vec![Cut {
                proxy: Some("proxy1:6032".into()),
                clients: Some(3),
                who: Vec::new(),
                seconds: Some(0),
                text: text(
                    "3 clients of proxy1:6032 on db3 lose their connection with error 2013, and come back at once",
                ),
            }],
            checks: vec![
                Check::new("last-writer", Verdict::Ok, "db1 and db2 are left to write"),
                Check::new(
                    "drift",
                    Verdict::Warn,
                    "the disk of proxy1:6032 keeps db3: a restart brings it back",
                ),
                Check::new("cluster-sync", Verdict::Warn, "the proxies are a cluster: each is written here"),
            ],
            sql: vec![
                text("SAVE MYSQL SERVERS FROM RUNTIME"),
                text("DELETE FROM mysql_servers WHERE hostname='db3' AND port=3306"),
                text("LOAD MYSQL SERVERS TO RUNTIME"),
            ],
            undo: text("db3 is put back into both proxies with weight 100"),
            moves_writer: false,
            without: Vec::new(),
            names: [("db3:3306".into(), "db3".into())].into_iter().collect(),
        }),
        steps,
        checks: Vec::new(),
    }
}

fn drawn(plan: &Plan, (width, height): (u16, u16)) -> String {
    let seen = night(CALM);
    let who = Who { operator: "alice@bastion".into(), ..Who::default() };
    let theme = Theme::load("dark", &[], Depth::True).expect("a theme");
    let (detail, wake, used) = (Detail::default(), Default::default(), Default::default());
    let cx = Cx {
        stop: None,
        forwards: &[],
        history: &[],
        since: None,
        used: &used,
        replay: None,
        outlook: None,
        seen: &seen,
        tenants: &[],
        findings: &[],
        runs: &[],
        campaigns: &[],
        unreadable: &[],
        detail: &detail,
        who: &who,
        theme: &theme,
        now: now(),
        size: (width, height),
        wake: &wake,
    };
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    let mut pen = Pen { buf: &mut buf, area, theme: &theme };
    overlays::render(&Overlay::Review(Box::new(Review::new(plan.clone()))), &mut pen, &cx);
    let lines = buf.content().chunks(usize::from(width));
    let line = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    lines.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_database_plan_shows_both_sides_the_cut_and_the_statements() {
    look!("review_database_80x24", drawn(&take_out(), (80, 24)));
    let whole = drawn(&take_out(), (120, 50));
    assert!(drawn(&take_out(), (80, 24)).contains("cluster-sync the proxies"), "the rule is cut");
    for text in
        ["Take db3 out of the proxies", "3 clients of", "▲ warning", "same as", "LOAD MYSQL", "copy SQL"]
    {
        assert!(whole.contains(text), "{text} is missing in\n{whole}");
    }
    assert!(!whole.contains("kubectl"), "{whole}");
}

#[test]
fn every_size_shows_a_database_plan() {
    for width in [1, 10, 39, 40, 59, 60, 80, 112, 300] {
        for height in [1, 3, 8, 12, 24, 90] {
            drawn(&take_out(), (width, height));
        }
    }
}

#[test]
fn a_database_run_is_listed_and_shown_and_its_undo_says_why_it_is_refused() {
    let plan = take_out();
    let approved = plan.approve(None, None).expect("nothing refuses it");
    let mut run = Run::new("20261121-031201-9c1f", "bob@bastion", approved);
    run.local = true;
    for event in [Event::Taken, Event::Started { step: 0 }] {
        run.apply(Entry { at: now(), by: "bob@bastion".into(), token: 1, event }).unwrap();
    }
    let mut c = Cockpit::of(CALM, (80, 24));
    c.send(Msg::Local(vec![run], vec![]));
    c.keys("3");
    assert!(c.text().contains("take db3 out of"), "{}", c.text());
    c.keys("enter");
    look!("run_database_80x24", c.text());
    c.keys("u");
    assert!(c.text().contains("no database is configured"), "{}", c.text());
}

#[test]
fn a_finished_wait_ends_where_its_words_end() {
    let approved = take_out().approve(None, None).expect("nothing refuses it");
    let run = Run::new("20261121-031201-9c1f", "bob@bastion", approved);
    let told = |step, text: &str| describe(&run, &Event::Done { step, text: text.into() });
    assert_eq!(told(1, "").as_deref(), Some("✓ wait until db3 stays out of proxy1:6032"));
    assert_eq!(told(0, "gone").as_deref(), Some("✓ take db3 out of proxy1:6032: gone"));
}

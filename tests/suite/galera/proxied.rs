//! The acts on two real ProxySQLs in front of three real members: carried out, taken back, and typed. Only where
//! `WHEELHOUSE_PROXYSQL` names the program.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use secrecy::SecretString;
use wheelhouse::{
    cluster::{MemberName, Snapshot},
    live::database::{Account, Configured, Password, ProxyTarget},
    plan::{DatabaseAct, Plan},
    run::{JournalPlace, RunState, undo_intent},
    wire::sql::{Login, Sql},
};

use super::{
    acts::apart,
    lab::{ACTING, Lab, PASSWORD, PATIENCE},
};
use crate::session::{Ground, Session, act, planned, text};

/// Milliseconds between two checks of a monitor.
const CHECK: u64 = 1_000;
/// From one line to the next, as a person types.
const TYPING: Duration = Duration::from_millis(1_300);
const ADMIN: &str = "radmin";

/// Two proxies; they end with the test.
struct Proxies {
    running: Vec<Child>,
    ports: Vec<u16>,
}

impl Drop for Proxies {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Proxies {
    fn start(lab: &Lab, program: &str) -> Self {
        let (mut running, mut ports) = (Vec::new(), Vec::new());
        for at in 0..2 {
            let (admin, traffic) = (lab.port(5) + at, lab.port(5) + 4 + at);
            let folder = lab.root.path().join(format!("proxy{at}"));
            fs::create_dir_all(&folder).expect("a folder");
            let servers: Vec<_> = [(1, 100), (2, 50), (3, 10)]
                .map(|(n, weight)| {
                    format!(
                        "{{ address=\"127.0.0.1\" port={} hostgroup=10 weight={weight} max_connections=100 comment=\"db{n}\" }}",
                        lab.port(n)
                    )
                })
                .to_vec();
            let configuration = format!(
                "datadir=\"{0}\"\n\
                 admin_variables={{ admin_credentials=\"admin:admin;{ADMIN}:{PASSWORD}\" mysql_ifaces=\"127.0.0.1:{admin}\" }}\n\
                 mysql_variables={{ interfaces=\"127.0.0.1:{traffic}\" threads=2 monitor_username=\"{ACTING}\" \
                 monitor_password=\"{PASSWORD}\" monitor_galera_healthcheck_interval={CHECK} server_version=\"10.11.0\" }}\n\
                 mysql_users=( {{ username=\"{ACTING}\" password=\"{PASSWORD}\" default_hostgroup=10 }} )\n\
                 mysql_servers=( {1} )\n\
                 mysql_galera_hostgroups=( {{ writer_hostgroup=10 backup_writer_hostgroup=20 reader_hostgroup=30 \
                 offline_hostgroup=9999 active=1 max_writers=1 writer_is_also_reader=2 max_transactions_behind=100 }} )\n",
                folder.display(),
                servers.join(", ")
            );
            let file = folder.join("proxysql.cnf");
            fs::write(&file, configuration).expect("a file");
            let log = fs::File::create(folder.join("log")).expect("a file");
            let child = Command::new(program)
                .args(["-f", "--initial", "-c"])
                .arg(&file)
                .arg("-D")
                .arg(&folder)
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("the same file"))
                .stderr(log)
                .spawn()
                .expect("the program that WHEELHOUSE_PROXYSQL names");
            running.push(child);
            ports.push(admin);
        }
        Self { running, ports }
    }

    fn name(&self, at: usize) -> String {
        format!("127.0.0.1:{}", self.ports[at])
    }

    fn ask(&self, session: &Session, at: usize, statement: &str) -> Vec<String> {
        let login = Login {
            host: "127.0.0.1".into(),
            port: self.ports[at],
            user: ADMIN.into(),
            password: Some(SecretString::from(PASSWORD.to_owned())),
            tls: None,
        };
        let answer = session.block(statement, async { Sql::new(login).ask(statement).await });
        let answer = answer.unwrap_or_else(|e| panic!("{statement}: {e}"));
        answer.rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Every row that runs in both.
    fn rows(&self, session: &Session) -> Vec<String> {
        let all = "SELECT hostgroup_id, hostname, port, status, weight, max_connections, comment FROM \
                   runtime_mysql_servers ORDER BY 1, 2, 3";
        (0..self.ports.len()).flat_map(|at| self.ask(session, at, all)).collect()
    }

    /// Waits until both have these rows for two checks.
    fn until_rows(&self, session: &Session, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let began = Instant::now();
        loop {
            let rows = self.rows(session);
            if wanted(&rows) {
                sleep(Duration::from_millis(2 * CHECK));
                if self.rows(session) == rows {
                    return rows;
                }
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {rows:#?}");
            sleep(Duration::from_millis(100));
        }
    }

    /// A client of the first proxy, in a transaction: it keeps its connection.
    fn pinned(&self, session: &Session, lab: &Lab) -> Sql {
        let port = lab.port(5) + 4;
        let mut client = Sql::new(Login { port, ..lab.login(1, ACTING) });
        for statement in ["START TRANSACTION", "SELECT COUNT(*) FROM mysql.wsrep_cluster_members"] {
            let answer = session.block(statement, client.ask(statement));
            answer.unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
        client
    }

    /// Types what a plan prints.
    fn type_it(&self, session: &Session, plan: &Plan) {
        let mut places = Vec::new();
        for line in &plan.database.as_ref().expect("a database's plan").sql {
            match line.strip_prefix("-- at ") {
                Some(wait) if wait.contains(": repeat the SELECT until ") => {
                    sleep(Duration::from_millis(3 * CHECK))
                }
                Some(at) => places = at.split(", then at ").map(str::to_owned).collect(),
                None if line.starts_with("--") => {}
                None => {
                    for place in &places {
                        let at = (0..2).find(|at| self.name(*at) == *place).expect("a proxy");
                        // What stands on one line is sent at once.
                        for statement in line.split(';').map(str::trim).filter(|s| !s.is_empty()) {
                            self.ask(session, at, statement);
                        }
                    }
                    sleep(TYPING);
                }
            }
        }
    }
}

fn operator(ground: &Ground, lab: &Lab, proxies: &Proxies) -> Session {
    let account = |user: &str| {
        let password = Password::Known(Some(SecretString::from(PASSWORD.to_owned())));
        Ok(Account { user: user.into(), password, tls: None })
    };
    let places = (0..2).map(|at| {
        ProxyTarget::Direct(proxies.name(at).as_str().into(), "127.0.0.1".into(), proxies.ports[at])
    });
    let configured = Configured {
        members: (1..=3).map(|n| (lab.name(n), "127.0.0.1".to_owned(), lab.port(n))).collect(),
        members_by: account(ACTING),
        proxies: places.collect(),
        proxies_by: account(ADMIN),
        every: Duration::from_millis(300),
        expected: Default::default(),
    };
    ground.session_of_database("alice@bastion", configured)
}

/// As after every act: one writes in each proxy, all others wait and read, and nobody is on the way.
fn is_sorted(rows: &[String]) -> bool {
    let count = |start: &str, status: &str| {
        rows.iter().filter(|r| r.starts_with(start) && r.contains(status)).count()
    };
    count("10 ", " ONLINE ") == 2
        && count("20 ", " ONLINE ") == count("30 ", " ONLINE ")
        && count("", "OFFLINE_HARD") == 0
}

fn member(lab: &Lab, node: u16) -> MemberName {
    lab.name(node)
}

/// Sessions in a transaction stay on the writer that was, which is told; the next change of the servers cuts them, which
/// is predicted.
fn those_that_keep_their_connection(lab: &Lab, proxies: &Proxies, alice: &Session) {
    let mut clients: Vec<_> = (0..3).map(|_| proxies.pinned(alice, lab)).collect();
    let held = |n: u32, node: u16| {
        alice.until("the sessions", |s| {
            s.proxies.values().filter_map(|p| p.now()).any(|status| {
                let of = |p: &&wheelhouse::cluster::Pinned| {
                    p.hostgroup == 10 && *p.address == *lab.name(node).as_str() && p.sessions == n
                };
                status.pinned.iter().filter(of).count() == 1
            })
        })
    };
    held(3, 1);
    let told = |plan: &Plan| {
        let cut = &plan.database.as_ref().expect("a database's plan").cut;
        cut.iter().filter_map(|c| c.clients).sum::<u32>()
    };
    let mut carried_out = |what: DatabaseAct| {
        let made = act(alice, what);
        let cut = told(&made);
        let mut handle = alice.start(made, JournalPlace::Cluster);
        let run = alice.block("the end of the run", handle.ended());
        assert_eq!(run.state, RunState::Done, "{}", text(&run));
        let alive = clients.iter_mut().filter_map(|client| {
            let answer = alice.block("an answer", client.ask("SELECT CONNECTION_ID()"));
            answer.is_ok().then_some(())
        });
        (cut, alive.count(), text(&run).to_owned())
    };
    let (cut, alive, said) = carried_out(DatabaseAct::MoveWriter { member: member(lab, 2) });
    assert_eq!((cut, alive), (0, 3), "{said}");
    assert!(said.contains("3 sessions of") && said.contains("still write to db1 until they end"), "{said}");
    held(3, 1);
    let (cut, _, said) = carried_out(DatabaseAct::Weight { member: member(lab, 3), weight: 11 });
    assert_eq!(cut, 3, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_proxies_are_acted_on_exactly_and_as_typed() {
    let Ok(program) = std::env::var("WHEELHOUSE_PROXYSQL") else {
        eprintln!("WHEELHOUSE_PROXYSQL names no proxysql: the acts are tried on the embedded one alone");
        return;
    };
    let mut lab = Lab::founded(3).await;
    for node in [2, 3] {
        lab.start(node, &[]);
        lab.until_serving(node).await;
    }
    apart(|| {
        let proxies = Proxies::start(&lab, &program);
        let ground = Ground::new();
        let alice = operator(&ground, &lab, &proxies);
        alice.until("both proxies and what they do", |s: &Snapshot| {
            s.proxies.values().count() == 2
                && s.proxies
                    .values()
                    .all(|p| p.now().is_some_and(|n| n.backends.len() == 7 && n.monitored.is_some()))
        });
        let start = proxies.until_rows(&alice, "sorted at first", |rows| rows.len() == 14 && is_sorted(rows));
        let acts = [
            DatabaseAct::TakeOut { member: member(&lab, 3) },
            DatabaseAct::TakeOut { member: member(&lab, 1) },
            DatabaseAct::Weight { member: member(&lab, 3), weight: 60 },
            DatabaseAct::Weight { member: member(&lab, 3), weight: 160 },
            DatabaseAct::MoveWriter { member: member(&lab, 2) },
            DatabaseAct::AddServer { address: "127.0.0.1:9".into(), like: None },
            DatabaseAct::Desync { member: member(&lab, 3) },
        ];
        for what in acts {
            let name = what.to_string();
            let typed = !matches!(what, DatabaseAct::Desync { .. });
            let made = act(&alice, what.clone());
            let mut handle = alice.start(made.clone(), JournalPlace::Cluster);
            let run = alice.block("the end of the run", handle.ended());
            assert_eq!(run.state, RunState::Done, "{name}: {}", text(&run));
            let done = proxies.until_rows(&alice, &name, |rows| rows != start);
            let back = planned(&alice, &undo_intent(&run).expect("something was done"));
            let mut handle = alice.start(back, JournalPlace::Cluster);
            let undone = alice.block("the end of the undo", handle.ended());
            assert_eq!(undone.state, RunState::Done, "{name}: {}", text(&undone));
            proxies.until_rows(&alice, &format!("{name}, taken back"), |rows| rows == start);
            if !typed {
                continue;
            }
            // The same by hand, and back by hand.
            let by_hand = act(&alice, what);
            proxies.type_it(&alice, &by_hand);
            proxies.until_rows(&alice, &format!("{name}, typed"), |rows| rows == done);
            let back = planned(&alice, &undo_intent(&run).expect("something was done"));
            proxies.type_it(&alice, &back);
            proxies.until_rows(&alice, &format!("{name}, taken back by hand"), |rows| rows == start);
        }
        those_that_keep_their_connection(&lab, &proxies, &alice);
    });
}

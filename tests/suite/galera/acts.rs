//! Desync and resync carried out on real members: planned, approved, run, verified by reading again, taken back, and
//! refused where it must not be.

use std::{panic::resume_unwind, thread, time::Duration};

use secrecy::SecretString;
use tokio::{runtime::Handle, task::block_in_place};
use wheelhouse::{
    cluster::{Database, Snapshot},
    live::database::{Account, Configured, Password},
    plan::{DatabaseAct, Intent, Plan, Verdict, plan},
    run::{JournalPlace, Run, RunState, StepState, rehearse, runs, undo_intent},
};

use super::{
    eye::Eye,
    lab::{ACTING, Lab, PASSWORD, WATCHER},
};
use crate::session::{Ground, Session};

/// Runs what blocks beside the runtime of the test: sessions have runtimes of their own.
pub fn apart<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    block_in_place(|| thread::scope(|s| s.spawn(f).join().unwrap_or_else(|panic| resume_unwind(panic))))
}

/// An operator at a cockpit that follows the members; the journal is kept in an embedded cluster.
pub struct Operator {
    session: Session,
}

impl Operator {
    pub fn at(ground: &Ground, name: &str, lab: &Lab, user: &str) -> Self {
        let account = || {
            let password = Password::Known(Some(SecretString::from(PASSWORD.to_owned())));
            Ok(Account { user: user.into(), password, tls: None })
        };
        let members = (1..=lab.count).map(|n| (lab.name(n), "127.0.0.1".to_owned(), lab.port(n))).collect();
        let configured = Configured {
            members,
            members_by: account(),
            proxies: vec![],
            proxies_by: account(),
            every: Duration::from_millis(100),
            expected: Default::default(),
        };
        Self { session: ground.session_of_database(name, configured) }
    }

    /// Waits until the members are in these states.
    pub fn until_states(&self, what: &str, states: &[&str]) {
        self.until(what, |d| {
            d.members.iter().map(|r| r.state.word()).eq(states.iter().map(|s| (*s).to_owned()))
        });
    }

    pub fn until(&self, what: &str, holds: impl Fn(&Database) -> bool) {
        self.session.until(what, |s: &Snapshot| Database::of(s).is_some_and(|d| holds(&d)));
    }

    pub fn plan(&self, act: DatabaseAct) -> Plan {
        plan(&self.session.now(), &Intent::Database { act })
    }

    /// Approves and runs a plan, and waits until the session is through with it.
    pub fn run(&self, plan: Plan) -> Run {
        let mut handle = self.session.start(plan, JournalPlace::Cluster);
        self.session.block("the end of the run", handle.ended())
    }

    /// What refuses a plan when its rights are asked for.
    pub fn rehearsed(&self, plan: &Plan) -> Vec<String> {
        let found = self.session.block("a rehearsal", rehearse(&self.session.access, plan));
        let refused = found.checks.into_iter().filter(|c| c.verdict == Verdict::Refuse);
        refused.map(|c| c.text).collect()
    }
}

pub fn desync(lab: &Lab, node: u16) -> DatabaseAct {
    DatabaseAct::Desync { member: lab.name(node) }
}

pub fn resync(lab: &Lab, node: u16) -> DatabaseAct {
    DatabaseAct::Resync { member: lab.name(node) }
}

pub fn refusals(plan: &Plan) -> String {
    plan.refusals().map(|c| c.text.clone()).collect::<Vec<_>>().join("; ")
}

pub fn said(run: &Run) -> &str {
    run.last_word().unwrap_or_default()
}

/// What the member itself says of `wsrep_desync`.
pub fn is_desynced(lab: &Lab, runtime: &Handle, node: u16) -> bool {
    match runtime.block_on(lab.value(node, "SELECT @@global.wsrep_desync")).as_str() {
        "1" => true,
        "0" => false,
        other => panic!("wsrep_desync reads {other}"),
    }
}

/// Out of flow control and back, taken back as a run, cleared when stuck, and refused without the right.
pub async fn desync_and_resync(lab: &Lab, eye: &mut Eye) {
    let runtime = Handle::current();
    apart(|| {
        let ground = Ground::new();
        let alice = Operator::at(&ground, "alice@bastion", lab, ACTING);
        alice.until_states("three members", &["synced"; 3]);
        let plan = alice.plan(desync(lab, 3));
        assert_eq!(refusals(&plan), "");
        let part = plan.database.as_ref().expect("a database's plan");
        assert!(part.sql.iter().any(|s| s.contains("SET GLOBAL wsrep_desync")), "{:?}", part.sql);
        assert_eq!(part.undo, "resync db3");
        let told = |text: &str| part.checks.iter().any(|c| c.verdict == Verdict::Ok && c.text.contains(text));
        assert!(told("2 other members are synced") && told("no member gives or takes a state"), "{part:?}");
        assert_eq!(alice.rehearsed(&plan), [""; 0]);
        assert!(!is_desynced(lab, &runtime, 3), "a rehearsal writes nothing");

        let run = alice.run(plan);
        assert_eq!(run.state, RunState::Done, "{}", said(&run));
        assert!(run.steps.iter().all(|s| matches!(s, StepState::Done(_))), "{:?}", run.steps);
        assert!(
            run.steps.iter().any(|s| *s == StepState::Done("wsrep_desync is ON".into())),
            "{:?}",
            run.steps
        );
        assert!(is_desynced(lab, &runtime, 3));
        alice.until_states("desynced", &["synced", "synced", "desynced by hand"]);
        runtime.block_on(eye.until("desynced by a run", |eye| eye.state(3) == "desynced by hand"));
        assert!(
            eye.meaning(3).starts_with("taken out of flow control by hand (wsrep_desync): "),
            "{}",
            eye.meaning(3)
        );
        let again = alice.plan(desync(lab, 3));
        assert!(again.steps.is_empty() && refusals(&again).is_empty(), "{again:?}");

        let back = undo_intent(&run).expect("something was made");
        let back = plan_of(&alice, &back);
        assert_eq!(refusals(&back), "");
        let undone = alice.run(back);
        assert_eq!(undone.state, RunState::Done, "{}", said(&undone));
        assert!(!is_desynced(lab, &runtime, 3));
        alice.until_states("taken back", &["synced"; 3]);
        alice.session.until("both in the journal, the first undone", |s| {
            let all = runs(s);
            all.len() == 2 && all.iter().any(|r| r.run.id == run.id && r.run.state == RunState::Undone)
        });

        // Somebody has left a member desynced: it is cleared, as nobody fetches a state there.
        runtime.block_on(lab.run(2, "SET GLOBAL wsrep_desync=ON"));
        alice.until_states("stuck", &["synced", "desynced by hand", "synced"]);
        let plan = alice.plan(resync(lab, 2));
        let checks = &plan.database.as_ref().expect("a database's plan").checks;
        assert!(checks.iter().any(|c| c.text.starts_with("db2 is not donating: ")), "{checks:?}");
        let run = alice.run(plan);
        assert_eq!(run.state, RunState::Done, "{}", said(&run));
        assert!(!is_desynced(lab, &runtime, 2));
        alice.until_states("cleared", &["synced"; 3]);

        // With the rights to look only: said before it begins, and nothing is changed by one that began all the same.
        let bob = Operator::at(&ground, "bob@bastion", lab, WATCHER);
        bob.until_states("three members", &["synced"; 3]);
        let plan = bob.plan(desync(lab, 3));
        let refused = bob.rehearsed(&plan).join("; ");
        assert!(refused.contains("GRANT SUPER ON *.* TO wheelhouse"), "{refused}");
        let run = bob.run(plan);
        assert_eq!(run.state, RunState::Paused, "{}", said(&run));
        assert!(
            said(&run).contains("user wheelhouse lacks a right") && said(&run).contains("SUPER"),
            "{}",
            said(&run)
        );
        assert!(!is_desynced(lab, &runtime, 3));
    });
}

fn plan_of(operator: &Operator, intent: &Intent) -> Plan {
    plan(&operator.session.now(), intent)
}

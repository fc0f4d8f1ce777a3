//! Migrating a tenant on the screen: asked for, reviewed, running with the log of its job, failed, outcome unknown.

use wheelhouse::{
    app::Effect,
    plan::{Change, Intent, OnFailure},
    run::{Event, Log, Outcome, RunState},
};

use super::{cockpit::Cockpit, picture::check};

macro_rules! look {
    ($name:expr, $cockpit:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
            insta::assert_snapshot!($name, $cockpit.text());
        });
    };
}

/// A calm cluster with a tenant of three replicas and an autoscaler.
const CALM: &str = "\
node worker-1 used=9Gi
node worker-2 used=11Gi
node worker-3 used=7Gi
tenant acme 3 on worker-1 worker-2 worker-3 used=100Mi hpa=2-6
tenant globex 2 on worker-1 worker-3 used=200Mi
";

const LOG: [&str; 3] = [
    "[notice] Migrating up to DoctrineMigrations\\Version20260214093000",
    "[notice] ALTER TABLE orders ADD price_cents INT NOT NULL",
    "[notice] finished in 41s, used 26M memory, 1 migration executed, 2 sql queries",
];

fn reviewed(size: (u16, u16), typed: &str) -> Cockpit {
    let mut c = Cockpit::of(CALM, size);
    c.keys("enter M");
    for letter in typed.chars() {
        c.keys(if letter == ' ' { "space" } else { c_str(letter) });
    }
    c.keys("enter");
    c
}

fn c_str(letter: char) -> &'static str {
    let all = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ".", "-"];
    all.into_iter().find(|s| s.starts_with(letter)).unwrap_or_else(|| match letter {
        'h' => "h",
        'o' => "o",
        'l' => "l",
        'd' => "d",
        other => panic!("{other}"),
    })
}

/// A migration that runs, up to the wait for its Job.
fn running(size: (u16, u16), typed: &str) -> (Cockpit, usize) {
    let mut c = reviewed(size, typed);
    c.rehearse();
    c.start();
    let steps = &c.run().plan().steps;
    let waits = steps.iter().position(|s| matches!(s.change, Change::JobEnded(_))).expect("a wait");
    c.progress(waits);
    c.happen(Event::Started { step: waits });
    c.happen(Event::Log(Log { lines: LOG[..2].iter().map(|l| (*l).to_owned()).collect(), dropped: 0 }));
    (c, waits)
}

fn finish(c: &mut Cockpit) {
    c.happen(Event::Log(Log { lines: LOG.iter().map(|l| (*l).to_owned()).collect(), dropped: 0 }));
}

#[test]
fn a_migration_is_asked_for_with_image_and_command_and_reviewed() {
    let mut c = Cockpit::of(CALM, (80, 24));
    c.keys("enter M");
    look!("migrate_asked_80x24", c);
    c.keys("enter");
    let Intent::Migrate { migration } = c.plan().intent.clone() else { panic!("{}", c.plan()) };
    assert_eq!((migration.tenant.as_str(), migration.image), ("acme", None));
    for (name, size) in [("migrate_review_80x24", (80, 24)), ("migrate_review_200x50", (200, 50))] {
        let mut c = reviewed(size, "2.5.0");
        c.rehearse();
        let Intent::Migrate { migration } = c.plan().intent.clone() else { panic!("{}", c.plan()) };
        assert_eq!(migration.image.as_deref(), Some("2.5.0"));
        look!(name, c);
        if size.0 == 80 {
            check("migrate-review-dark", &c);
        }
    }
    let held = reviewed((80, 24), "2.5.0 --hold");
    assert_eq!(held.plan().on_failure, OnFailure::Hold);
    // The line can be asked for again, as it was typed.
    let mut held = held;
    held.keys("e");
    assert!(held.text().contains("2.5.0 --hold"), "{}", held.text());
}

#[test]
fn a_running_migration_shows_the_log_of_its_job() {
    for (name, size) in [("migrate_running_80x24", (80, 24)), ("migrate_running_200x50", (200, 50))] {
        let (c, _) = running(size, "2.5.0");
        let text = c.text();
        assert!(text.contains("log of the job") && text.contains("ALTER TABLE orders"), "{text}");
        look!(name, c);
        if size.0 == 80 {
            check("migrate-running-dark", &c);
        }
    }
}

#[test]
fn a_failed_migration_says_why_and_what_was_given_back() {
    for (name, size) in [("migrate_failed_80x24", (80, 24)), ("migrate_failed_200x50", (200, 50))] {
        let (mut c, _) = running(size, "2.5.0");
        finish(&mut c);
        let why = "job acme-migrate failed with exit code 1";
        c.happen(Event::Leaving { why: why.into() });
        let back: Vec<_> = c.run().borrowed().collect();
        for step in back {
            let of = c.run().plan().steps[step].takes_back.expect("it takes something back");
            c.happen(Event::TakenBack { step: of, text: String::new() });
        }
        c.happen(Event::Finished { outcome: Outcome::Failed, text: why.into() });
        assert_eq!(c.run().state, RunState::Failed);
        assert!(c.text().contains("exit code 1"), "{}", c.text());
        look!(name, c);
        if size.0 == 80 {
            check("migrate-failed-dark", &c);
        }
    }
}

#[test]
fn an_unknown_outcome_is_said_and_asked() {
    for (name, size) in [("migrate_unknown_80x24", (80, 24)), ("migrate_unknown_200x50", (200, 50))] {
        let (mut c, waits) = running(size, "2.5.0");
        let why = "the outcome of job acme-migrate is unknown: its pod is gone without an exit code, deleted or evicted";
        c.happen(Event::Paused { step: waits, why: why.into(), asked: false });
        assert!(c.text().contains("unknown"), "{}", c.text());
        look!(name, c);
        if size.0 == 80 {
            check("migrate-unknown-dark", &c);
        }
        // Whoever gives it up is told what that means before.
        c.keys("x e n o u g h enter");
        let text = c.text();
        assert!(text.contains("not transactional") || text.contains("schema"), "{text}");
        c.keys("esc S");
        assert!(
            c.text().contains("Has run 9c1f succeeded?") && c.text().contains("On your word"),
            "{}",
            c.text()
        );
        let effects = c.keys("y");
        assert!(effects.iter().any(|e| matches!(e, Effect::Succeed(_))), "{effects:?}");
    }
}

//! Migrating a tenant on the screen: asked for, reviewed, running with the log of its job, failed, outcome unknown.

use std::sync::Arc;

use jiff::SignedDuration;
use wheelhouse::{
    app::{Effect, Msg},
    plan::{Change, Confirmation, Intent, OnFailure, plan},
    run::{
        Event, Log, Outcome, Run, RunState,
        campaign::{self, Campaign, Doing, Wish},
    },
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
        c.keys(&if letter == ' ' { "space".to_owned() } else { letter.to_string() });
    }
    c.keys("enter");
    c
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
    let held = reviewed((80, 24), "2.5.0 --on-failure hold");
    assert_eq!(held.plan().on_failure, OnFailure::Hold);
    // The line can be asked for again, as it was typed.
    let mut held = held;
    held.keys("e");
    assert!(held.text().contains("2.5.0 --on-failure hold"), "{}", held.text());
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
        // The same is planned again, and no run that is over is gone on with.
        let bar = c.text().lines().last().unwrap_or_default().to_owned();
        assert!(bar.contains("R retry") && !bar.contains("resume") && !bar.contains("undo"), "{bar}");
        c.keys("R");
        let Intent::Migrate { migration } = &c.plan().intent else { panic!("{}", c.plan()) };
        assert_eq!(migration.image.as_deref(), Some("2.5.0"));
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
        c.keys("esc Y");
        assert!(
            c.text().contains("Has run 9c1f succeeded?") && c.text().contains("On your word"),
            "{}",
            c.text()
        );
        let effects = c.keys("y");
        assert!(effects.iter().any(|e| matches!(e, Effect::Succeed(_))), "{effects:?}");
    }
}

/// Six tenants, one of them parked.
const MANY: &str = "\
node worker-1 used=9Gi
node worker-2 used=11Gi
node worker-3 used=7Gi
tenant acme 3 on worker-1 worker-2 worker-3 used=100Mi
tenant globex 2 on worker-1 worker-3 used=100Mi
tenant hooli 2 on worker-1 worker-2 used=100Mi
tenant initech 0 on
tenant store 3 on worker-1 worker-2 worker-3 used=100Mi
tenant umbrella 2 on worker-2 worker-3 used=100Mi
";

/// Six tenants are marked, and an image is typed for all.
fn marked(size: (u16, u16), typed: &[&str]) -> Cockpit {
    let mut c = Cockpit::of(MANY, size);
    c.keys("N");
    for _ in 0..6 {
        c.keys("space");
    }
    c.keys("M");
    for word in typed {
        for letter in word.chars() {
            c.keys(&if letter == ' ' { "space".to_owned() } else { letter.to_string() });
        }
    }
    c.keys("enter");
    c
}

/// The campaign of five tenants: what has happened so far.
struct Tenants {
    c: Cockpit,
    campaign: Campaign,
    runs: Vec<Run>,
}

impl Tenants {
    fn begun(size: (u16, u16)) -> Self {
        let mut c = marked((80, 24), &["2.5.0 --parallel 2"]);
        c.rehearse_all();
        c.keys("y");
        let approved = c.wait(300).into_iter().find_map(|effect| match effect {
            Effect::Campaign(approved, _) => Some(*approved),
            _ => None,
        });
        c.resize(size.0, size.1);
        let campaign = Campaign::new("20261121-031201-4f2a", "alice@bastion", approved.expect("it is begun"));
        let mut this = Self { c, campaign, runs: Vec::new() };
        this.happen(campaign::Event::Taken);
        this
    }

    fn happen(&mut self, event: campaign::Event) {
        self.c.now += SignedDuration::from_secs(20);
        let entry = campaign::Entry { at: self.c.now, by: "alice@bastion".into(), token: 1, heard: 0, event };
        self.campaign.apply(entry).expect("a legal order");
        self.tell();
    }

    fn tell(&mut self) {
        self.campaign.under_way = self.runs.clone();
        self.c.send(Msg::Campaign(Box::new(self.campaign.clone())));
    }

    /// The run of an item is begun, and its job runs.
    fn begin(&mut self, item: usize) {
        let made = plan(&super::cockpit::night(MANY), &self.campaign.items[item]);
        let typed = match made.confirmation() {
            Confirmation::Type(text) => Some(text),
            Confirmation::Yes => None,
        };
        let id = format!("20261121-0313{item:02}-{item:04x}");
        let mut run =
            Run::new(id.clone(), "alice@bastion", made.approve(typed.as_deref(), None).expect("a plan"));
        run.campaign = Some(self.campaign.id.clone());
        let waits =
            run.plan().steps.iter().position(|s| matches!(s.change, Change::JobEnded(_))).expect("a job");
        let at = self.c.now;
        let mut ran = |event| {
            run.apply(wheelhouse::run::Entry { at, by: "alice@bastion".into(), token: 1, event })
                .expect("in order");
        };
        ran(Event::Taken);
        for step in 0..waits {
            ran(Event::Started { step });
            ran(Event::Done { step, text: "done".into() });
        }
        ran(Event::Started { step: waits });
        self.runs.push(run);
        self.happen(campaign::Event::Began { item, run: id });
    }

    fn end(&mut self, event: campaign::Event) {
        self.runs.remove(0);
        self.happen(event);
    }
}

fn half_way(size: (u16, u16)) -> Tenants {
    let mut it = Tenants::begun(size);
    it.begin(0);
    it.end(campaign::Event::Done { item: 0, pod: None, was: None, unpredicted: None });
    it.begin(1);
    it.begin(2);
    it.end(campaign::Event::Held {
        item: 1,
        why: "the outcome of job globex-migrate is unknown: its pod is gone".into(),
    });
    it
}

#[test]
fn marked_tenants_are_reviewed_together_with_who_is_left_out() {
    let mut asked = marked((80, 24), &[]);
    asked.keys("esc");
    let mut asked = Cockpit::of(MANY, (80, 24));
    asked.keys("N space space M");
    look!("migrate_many_asked_80x24", asked);
    for (name, size) in [("migrate_many_review_80x24", (80, 24)), ("migrate_many_review_200x50", (200, 50))] {
        let mut c = marked(size, &["2.5.0 --parallel 2"]);
        c.rehearse_all();
        let text = c.text();
        assert!(text.contains("Migrate 6 tenants with 2.5.0") && text.contains("Left out 1"), "{text}");
        assert!(text.contains("y agrees to 5 tenants: 1 first, then 2 at the same time"), "{text}");
        look!(name, c);
        if size.0 == 80 {
            check("migrate-many-review-dark", &c);
            c.keys("tab");
            assert!(c.text().contains("initech") && c.text().contains("is parked"), "{}", c.text());
        }
    }
    let wrong = marked((80, 24), &["2.5.0 --parallel 0"]);
    assert!(wrong.text().contains("--parallel wants a number from 1 to 32"), "{}", wrong.text());
}

#[test]
fn a_campaign_of_tenants_shows_counts_rate_and_what_each_is_at() {
    for (name, size) in [("migrate_many_80x24", (80, 24)), ("migrate_many_200x50", (200, 50))] {
        let it = half_way(size);
        let text = it.c.text();
        assert!(text.contains("2 waiting   1 running   1 done   0 failed   1 held   0 left out"), "{text}");
        assert!(text.contains("an hour") && text.contains("left"), "{text}");
        look!(name, it.c);
        if size.0 == 80 {
            check("migrate-many-dark", &it.c);
        }
    }
    // What it waits for between tenants stands there with the reason.
    let mut it = half_way((80, 24));
    it.campaign.doing = Some(Doing::Waits("the database: db2 is a donor: wait until it is in sync".into()));
    it.tell();
    assert!(it.c.text().contains("waits: the database: db2 is a donor"), "{}", it.c.text());
    // One that failed is tried again by a key, one that is held by its own run.
    it.end(campaign::Event::Failed { item: 2, why: "job hooli-migrate failed with exit code 1".into() });
    look!("migrate_many_failed_80x24", it.c);
    let wish = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Wish(_, wish) => Some(wish),
            _ => None,
        })
    };
    it.c.keys("g j");
    assert_eq!(wish(it.c.keys("R")), None);
    assert!(it.c.text().contains("holds it"), "{}", it.c.text());
    it.c.keys("j");
    assert_eq!(wish(it.c.keys("R")), Some(Wish::Retry { item: 2 }));
    it.c.keys("j");
    assert_eq!(wish(it.c.keys("s")), Some(Wish::Skip { item: 3 }));
    let why = "1 held: migrate globex (run 0001); decide about its run, then resume".to_owned();
    it.happen(campaign::Event::Paused { why, asked: false, beyond: None });
    look!("migrate_many_held_80x24", it.c);
}

#[test]
fn another_cockpit_reads_the_log_of_a_job_from_its_pod() {
    use wheelhouse::cluster::{LogLine, LogRange, LogSource};
    let (c, waits) = running((80, 24), "2.5.0");
    let run = c.run().clone();
    let Change::JobEnded(job) = &run.plan().steps[waits].change else { panic!("a wait for a job") };
    let mut seen = super::cockpit::night(CALM);
    let template = seen.pods.values().next().expect("a pod").clone();
    let mut pod = wheelhouse::cluster::Pod::clone(&template);
    pod.key = wheelhouse::cluster::Key::new(job.job.namespace.clone(), format!("{}-x", job.job.name));
    pod.owner = Some(wheelhouse::cluster::Owner {
        kind: "Job".into(),
        name: job.job.name.clone(),
        ..pod.owner.clone().expect("an owner")
    });
    seen.observe(wheelhouse::cluster::Observation::Pod(wheelhouse::cluster::Seen::Put(
        pod.key.clone(),
        pod.clone(),
    )));
    let mut other = Cockpit::with(CALM, (80, 24), |setup| setup.operator = "bob@desk".into());
    other.send(Msg::Observed(Arc::new(seen).into()));
    let mut theirs = run.clone();
    theirs.log = Log::default();
    other.send(Msg::Local(vec![theirs], Vec::new()));
    let effects = other.keys("3 enter");
    let source = LogSource { pod: pod.key.clone(), container: job.container.clone() };
    let asks = |effect: &Effect| matches!(effect, Effect::ReadLog(of, LogRange { follow: true, .. }) if *of == source);
    assert!(effects.iter().any(asks), "{effects:?}");
    let line = |text: &str| LogLine { at: Some(other.now), text: text.into() };
    let lines = vec![line("ALTER TABLE orders"), line("DB_PASSWORD=hunter2")];
    let range = LogRange { tail: Some(200), since: None, previous: false, follow: true };
    other.send(Msg::Log(source, range, Ok(lines)));
    let text = other.text();
    assert!(text.contains("ALTER TABLE orders") && text.contains("DB_PASSWORD=***"), "{text}");
}

#[test]
fn a_running_migration_is_aborted_by_a_key_that_says_what_it_would_leave() {
    let (mut c, waits) = running((80, 24), "2.5.0");
    let effects = c.keys("X");
    assert!(effects.is_empty(), "{effects:?}");
    let text = c.text();
    assert!(text.contains("Abort run 9c1f?") && text.contains("schema"), "{text}");
    let effects = c.keys("y");
    assert!(matches!(effects.as_slice(), [Effect::PauseRun(_)]), "{effects:?}");
    // Once it stands still it is closed, and what it borrowed is given back.
    let event = Event::Paused { step: waits, why: "paused by alice@bastion".into(), asked: true };
    let effects = c.happen(event);
    assert!(effects.iter().any(|e| matches!(e, Effect::GiveUp(_, why) if why == "aborted")), "{effects:?}");
    let (mut c, _) = running((80, 24), "2.5.0");
    c.keys("X esc");
    let effects = c.keys("p");
    assert!(matches!(effects.as_slice(), [Effect::PauseRun(_)]), "{effects:?}");
}

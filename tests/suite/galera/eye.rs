//! A cockpit that watches the members of a lab, and what it says of them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};
use wheelhouse::{
    cluster::{
        Finding, MemberName, Observation, Snapshot, Tenancy,
        database::{Database, Evidence, Saved, Sheet, recovery},
        findings,
    },
    live::database::{Endpoints, observe},
};

use super::lab::{Lab, PATIENCE};

/// A cockpit that watches the members.
pub struct Eye {
    pub snapshot: Snapshot,
    news: mpsc::Receiver<Observation>,
    _tasks: JoinSet<()>,
}

impl Eye {
    pub fn on(lab: &Lab, user: &str) -> Self {
        Self::also_at(lab, user, &[])
    }

    /// The same, with further addresses at which a member answers.
    pub fn also_at(lab: &Lab, user: &str, more: &[(&str, u16)]) -> Self {
        let (into, news) = mpsc::channel(100);
        let members = (1..=lab.count).map(|n| (lab.name(n), lab.login(n, user)));
        let more = more.iter().map(|(name, n)| (MemberName::from(*name), lab.login(*n, user)));
        let members = members.chain(more).collect();
        let every = Duration::from_millis(250);
        let tasks = observe(Endpoints { members, proxies: vec![], every }, into);
        Self { snapshot: Snapshot::new(Tenancy::default()), news, _tasks: tasks }
    }

    pub fn database(&self) -> std::sync::Arc<Database> {
        Database::of(&self.snapshot).expect("members are configured")
    }

    pub fn headline(&self) -> String {
        self.database().headline()
    }

    pub fn state(&self, node: usize) -> String {
        self.database().members[node - 1].state.word()
    }

    pub fn meaning(&self, node: usize) -> String {
        self.database().members[node - 1].state.meaning()
    }

    pub fn findings(&self) -> Vec<Finding> {
        findings(&self.snapshot)
    }

    pub fn has(&self, rule: &str) -> bool {
        self.findings().iter().any(|f| f.rule == rule)
    }

    /// The text of the first finding of a rule; empty when there is none.
    pub fn text(&self, rule: &str) -> String {
        self.findings().iter().find(|f| f.rule == rule).map(|f| f.text.clone()).unwrap_or_default()
    }

    /// Takes news in until it is as it should be.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let begun = Instant::now();
        while !(self.snapshot.galera.freshness.is_known() && holds(self)) {
            match tokio::time::timeout_at(deadline, self.news.recv()).await {
                Ok(Some(news)) => {
                    self.snapshot.observe(news);
                    self.snapshot.at = Timestamp::now();
                }
                _ => panic!("not seen within {} s: {what}\n{}", PATIENCE.as_secs(), self.all()),
            }
        }
        eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
    }

    /// All it says, for who looks why a test failed.
    pub fn all(&self) -> String {
        let database = self.database();
        let states = database.members.iter();
        let states = states.map(|r| {
            let threads = r.now().and_then(|s| s.threads.as_ref());
            format!("{}: {} {:?} {threads:?}", r.label, r.state.word(), r.member.link.trouble())
        });
        let found = self.findings();
        let found = found.iter().map(|f| format!("{}: {}", f.rule, f.text));
        let lines = std::iter::once(database.headline()).chain(states).chain(found);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Takes news in until the members are in these states.
    pub async fn until_states(&mut self, what: &str, states: &[&str]) {
        self.until(what, |eye| {
            eye.database().members.iter().map(|r| r.state.word()).eq(states.iter().map(|s| (*s).to_owned()))
        })
        .await;
    }

    pub fn sheet(&self, fed: &[(MemberName, Saved)]) -> Sheet {
        recovery(&Evidence::of(&self.database(), fed))
    }
}

//! A look at what a configuration names, without a cluster: what is reported is folded and judged as the cockpit does it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::mpsc::{self, Receiver},
    task::JoinSet,
    time::{sleep, timeout},
};
use wheelhouse::{
    cluster::{
        Observation, Snapshot,
        platform::{Platform, Row},
    },
    cockpit,
    config::Config,
    live::platform::follow_stores,
};

use crate::program::PATIENCE;

/// It follows as long as it lives.
pub struct Eye {
    seen: Snapshot,
    reports: Receiver<Observation>,
    _tasks: JoinSet<()>,
}

impl Eye {
    /// Follows what this configuration names, ten times a second.
    pub fn new(configuration: &str) -> Self {
        let config = Config::parse(configuration).expect("a configuration");
        let configured = cockpit::platform(&config).expect("something is configured");
        let mut stores = configured.stores;
        (stores.every, stores.storage_every) = (Duration::from_millis(100), Duration::from_millis(200));
        let mut seen = Snapshot::default();
        seen.around = Arc::new(configured.around);
        let (tell, reports) = mpsc::channel(64);
        let tasks = follow_stores(stores, None, tell);
        Self { seen, reports, _tasks: tasks }
    }

    /// Waits until this is so of a component.
    pub async fn until(&mut self, name: &str, what: &str, holds: impl Fn(&Row) -> bool) -> Row {
        let begun = std::time::Instant::now();
        loop {
            let platform = Platform::of(&self.seen);
            let row = platform.components.iter().find(|row| *row.key.name == *name);
            if let Some(row) = row.filter(|row| holds(row)) {
                return row.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "waited for {what}: {row:#?}");
            match timeout(Duration::from_secs(1), self.reports.recv()).await {
                Ok(Some(report)) => {
                    self.seen.observe(report);
                    self.seen.at = Timestamp::now();
                }
                Ok(None) => panic!("nobody follows any more"),
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Waits until a rule tells of a component, and gives what it says.
    pub async fn until_told(&mut self, name: &str, rule: &str) -> String {
        let row = self.until(name, rule, |row| row.said.iter().any(|said| said.rule == Some(rule))).await;
        row.said.into_iter().find(|said| said.rule == Some(rule)).map(|said| said.text).unwrap_or_default()
    }

    /// Waits until nothing is wrong with a component, and gives what is said of it.
    pub async fn until_well(&mut self, name: &str) -> String {
        let well = |row: &Row| row.freshness.is_live() && row.said.iter().all(|said| said.rule.is_none());
        self.until(name, "nothing wrong", well).await.text().to_owned()
    }

    pub fn seen(&self) -> &Snapshot {
        &self.seen
    }
}

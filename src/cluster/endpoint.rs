//! What is asked again and again, a member, a proxy or a component of the platform: how well it is known, what it last said,
//! and the last readings.

use std::sync::Arc;

use imbl::Vector;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Freshness;

/// Readings kept for the sparklines.
const HISTORY: usize = 180;

/// How the pods behind a Kubernetes service are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// At their own address where that answers, otherwise by port-forward.
    #[default]
    Auto,
    /// At their own address only.
    Direct,
    /// By port-forward only.
    PortForward,
}

/// One endpoint, and how well it is known: its name `N`, what it says of itself `S`, one reading `H`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint<N, S, H: Clone> {
    /// Its address as configured; `namespace/pod:port` for a proxy behind a service.
    pub name: N,
    /// Whether it answers; `Live` since the last answer.
    #[serde(with = "super::freshness::Plain")]
    pub link: Freshness,
    /// Why it does not answer, by kind.
    pub trouble: Option<Trouble>,
    /// Since when it has not answered.
    pub silent_since: Option<Timestamp>,
    /// What it last said.
    pub status: Option<Arc<S>>,
    /// The last readings, oldest first.
    pub history: Vector<H>,
}

/// Why an endpoint does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Nothing listens at the port.
    Refused,
    /// The port takes connections and says nothing (a frozen process), or a query got no answer in time.
    Silent,
    /// No connection came up in time, or there is no way to the host.
    Unreachable,
    /// Wrong user or password, or a right is missing.
    Denied,
    /// TLS is wanted and not spoken, or its certificate is not accepted.
    Tls,
    /// Something else than a MySQL server answers.
    NotMysql,
    /// The server has no connection left.
    Full,
    /// Anything else.
    Other,
    /// It was not asked: the login cannot be put together here, as where its file, variable or Secret is missing.
    NoLogin,
}

impl<N: Clone, S, H: Clone> Endpoint<N, S, H> {
    /// An endpoint nothing is known of yet.
    pub fn new(name: N) -> Self {
        Self {
            name,
            link: Freshness::Connecting,
            trouble: None,
            silent_since: None,
            status: None,
            history: Vector::new(),
        }
    }

    /// The same endpoint after it said this at `now`.
    pub(super) fn told(&self, status: S, reading: H, now: Timestamp) -> Self {
        let mut history = self.history.clone();
        history.push_back(reading);
        while history.len() > HISTORY {
            history.pop_front();
        }
        Self {
            link: Freshness::Live { since: now },
            status: Some(Arc::new(status)),
            history,
            ..Self::new(self.name.clone())
        }
    }

    /// The same endpoint after an attempt to ask it failed at `now`: what it said before stays, and grows old.
    pub fn failed(&self, trouble: Trouble, why: &str, now: Timestamp) -> Self {
        let link = match &self.link {
            Freshness::Live { since } => Freshness::Stale { since: *since, why: why.into() },
            other => other.lost(now, why),
        };
        Self {
            name: self.name.clone(),
            link,
            trouble: Some(trouble),
            silent_since: self.silent_since.or(Some(now)),
            status: self.status.clone(),
            history: self.history.clone(),
        }
    }

    /// Why it does not answer, without its own address in front, which stands beside it already.
    pub fn why(&self) -> Option<&str>
    where
        N: AsRef<str>,
    {
        let why = self.link.trouble()?;
        let rest = why.strip_prefix(self.name.as_ref()).map(|rest| rest.trim_start_matches([':', ' ']));
        Some(rest.filter(|rest| !rest.is_empty()).unwrap_or(why))
    }

    /// What it says now: nothing when it does not answer.
    pub fn now(&self) -> Option<&Arc<S>> {
        self.status.as_ref().filter(|_| self.link.is_live())
    }
}

//! The database is observed: every member and every ProxySQL in a task of its own, so that one that hangs never slows
//! the others. Each has a deadline for everything and is asked less often while it does not answer.
//!
//! Entered by the cockpit and the command line. It only reads.

pub(in crate::live) mod configured;
mod galera;
mod logins;
pub(in crate::live) mod lookup;
mod pods;
mod proxysql;
pub(in crate::live) mod source;
pub(in crate::live) mod watch;
mod way;

use std::time::Duration;

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    cluster::{Member, MemberName, Observation, Proxy, ProxyName, Seen},
    wire::sql::Login,
};

use watch::watch;
use way::Way;

pub use crate::cluster::Reach;
pub use configured::{Account, Configured, Password, ProxyTarget, follow};
pub use logins::logins;
pub(super) use lookup::fetch;

/// Whom to ask, and how often.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The members, by their configured address.
    pub members: Vec<(MemberName, Login)>,
    /// The proxies, by their configured address or pod.
    pub proxies: Vec<(ProxyName, Login)>,
    /// How long to wait between two rounds.
    pub every: Duration,
}

/// Observes all endpoints until the receiver is gone or the returned tasks are dropped. Of every endpoint something is
/// reported at once: that it is configured.
pub fn observe(endpoints: Endpoints, into: mpsc::Sender<Observation>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let Endpoints { members, proxies, every } = endpoints;
        let new = |(name, _): &(MemberName, Login)| (name.clone(), Member::new(name.clone()));
        let known = Seen::All(members.iter().map(new).collect(), Timestamp::now());
        let _ = into.send(Observation::Member(known)).await;
        let new = |(name, _): &(ProxyName, Login)| (name.clone(), Proxy::new(name.clone()));
        let known = Seen::All(proxies.iter().map(new).collect(), Timestamp::now());
        let _ = into.send(Observation::Proxy(known)).await;
        let mut tasks = JoinSet::new();
        for (name, login) in members {
            tasks.spawn(watch::<galera::Source>(
                Member::new(name),
                Way::new(login, None, None),
                every,
                into.clone(),
            ));
        }
        for (name, login) in proxies {
            tasks.spawn(watch::<proxysql::Source>(
                Proxy::new(name),
                Way::new(login, None, None),
                every,
                into.clone(),
            ));
        }
        while tasks.join_next().await.is_some() {}
    });
    tasks
}

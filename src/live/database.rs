//! The database is observed: every member and every ProxySQL in a task of its own, so that one that hangs never slows
//! the others. Each has a deadline for everything and is asked less often while it does not answer.
//!
//! Entered by the cockpit and the command line. It only reads.

mod configured;
mod logins;
mod pods;
mod way;

use std::time::Duration;

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::{galera, proxysql};
use crate::{
    cluster::{Member, MemberName, Observation, Proxy, ProxyName, Seen, Table, Trouble},
    wire::sql::{Answer, Failure, Kind, Login, Sql},
};

use way::{Next, Way};

pub use configured::{Account, Configured, Password, Place, follow};
pub use logins::logins;
pub use way::Reach;

/// While an endpoint is down it is asked at least this often, so that its return is soon seen.
const RETRY_WITHIN: Duration = Duration::from_secs(5);
/// A login that was refused is not tried more often: servers count failed logins, and block.
const RETRY_DENIED: Duration = Duration::from_secs(30);

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
            tasks.spawn(watch_member(name, Way::new(login, None, None), every, into.clone()));
        }
        for (name, login) in proxies {
            tasks.spawn(watch_proxy(name, Way::new(login, None, None), every, into.clone()));
        }
        while tasks.join_next().await.is_some() {}
    });
    tasks
}

/// Asks one member until nobody listens any more.
async fn watch_member(name: MemberName, mut way: Way, every: Duration, into: mpsc::Sender<Observation>) {
    let mut member = Member::new(name.clone());
    let mut pause = every;
    loop {
        let mut source = galera::Source::new(way.sql().await);
        // For as long as the way is good.
        loop {
            let failure = match source.read().await {
                Ok(rows) => {
                    member = member.answered(&rows, Timestamp::now());
                    None
                }
                Err(failure) => {
                    let failure = way.told(failure);
                    member = member.failed(trouble(&failure), &failure.text, Timestamp::now());
                    Some(failure)
                }
            };
            if into.send(Observation::Member(Seen::Put(name.clone(), member.clone()))).await.is_err() {
                return;
            }
            pause = pause_after(failure.as_ref().map(trouble), pause, every);
            let next = way.after(failure.as_ref()).await;
            if next != Next::Now {
                sleep(pause).await;
            }
            if next != Next::Same {
                break;
            }
        }
    }
}

/// Asks one proxy until nobody listens any more.
async fn watch_proxy(name: ProxyName, mut way: Way, every: Duration, into: mpsc::Sender<Observation>) {
    let mut proxy = Proxy::new(name.clone());
    let mut pause = every;
    loop {
        let mut source = proxysql::Source::new(way.sql().await);
        // For as long as the way is good.
        loop {
            let failure = match source.read().await {
                Ok(rows) => {
                    proxy = proxy.answered(&rows, Timestamp::now());
                    None
                }
                Err(failure) => {
                    let failure = way.told(failure);
                    proxy = proxy.failed(trouble(&failure), &failure.text, Timestamp::now());
                    Some(failure)
                }
            };
            if into.send(Observation::Proxy(Seen::Put(name.clone(), proxy.clone()))).await.is_err() {
                return;
            }
            pause = pause_after(failure.as_ref().map(trouble), pause, every);
            let next = way.after(failure.as_ref()).await;
            if next != Next::Now {
                sleep(pause).await;
            }
            if next != Next::Same {
                break;
            }
        }
    }
}

/// How long to wait before the next round: longer and longer while it does not answer.
fn pause_after(trouble: Option<Trouble>, pause: Duration, every: Duration) -> Duration {
    match trouble {
        None => every,
        Some(Trouble::Denied | Trouble::Tls | Trouble::NotMysql) => (pause * 2).min(RETRY_DENIED.max(every)),
        Some(_) => (pause * 2).min(RETRY_WITHIN.max(every)),
    }
}

fn trouble(failure: &Failure) -> Trouble {
    match failure.kind {
        Kind::Refused => Trouble::Refused,
        // A server that closes the connection at once is as good as none: it starts, stops, or was killed.
        Kind::Lost => Trouble::Refused,
        Kind::Silent => Trouble::Silent,
        Kind::Unreachable => Trouble::Unreachable,
        Kind::Denied => Trouble::Denied,
        Kind::Tls => Trouble::Tls,
        Kind::NotMysql => Trouble::NotMysql,
        Kind::Full => Trouble::Full,
        Kind::Statement(_) | Kind::Other => Trouble::Other,
    }
}

/// The answer as a table.
pub(super) fn table(answer: Answer) -> Table {
    Table::new(answer.columns, answer.rows)
}

/// The answer to a question that may be refused for lack of a right or a table: then there is none.
pub(super) async fn optional(sql: &mut Sql, statement: &str) -> Result<Option<Table>, Failure> {
    match sql.ask(statement).await {
        Ok(answer) => Ok(Some(table(answer))),
        Err(failure) if failure.is_of_statement() => Ok(None),
        Err(failure) => Err(failure),
    }
}

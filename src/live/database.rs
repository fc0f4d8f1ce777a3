//! The database is observed: every member and every ProxySQL in a task of its own, so that one that hangs never slows
//! the others. Each has a deadline for everything and is asked less often while it does not answer.
//!
//! Entered by the cockpit and the command line. It only reads.

mod configured;
mod logins;

use std::time::Duration;

use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use super::{galera, proxysql};
use crate::{
    cluster::{Member, MemberName, Observation, Proxy, ProxyName, Seen, Table, Trouble},
    wire::sql::{Answer, Failure, Kind, Login, Sql},
};

pub use configured::{Account, Configured, Password, Place, follow};
pub use logins::logins;

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
            tasks.spawn(watch_member(name, login, every, into.clone()));
        }
        for (name, login) in proxies {
            tasks.spawn(watch_proxy(name, login, every, into.clone()));
        }
        while tasks.join_next().await.is_some() {}
    });
    tasks
}

/// Asks one member until nobody listens any more.
async fn watch_member(name: MemberName, login: Login, every: Duration, into: mpsc::Sender<Observation>) {
    let mut source = galera::Source::new(Sql::new(login));
    let mut member = Member::new(name.clone());
    let mut pause = every;
    loop {
        let trouble = match source.read().await {
            Ok(rows) => {
                member = member.answered(&rows, Timestamp::now());
                None
            }
            Err(failure) => {
                let trouble = trouble(&failure);
                member = member.failed(trouble, &failure.text, Timestamp::now());
                Some(trouble)
            }
        };
        if into.send(Observation::Member(Seen::Put(name.clone(), member.clone()))).await.is_err() {
            return;
        }
        pause = pause_after(trouble, pause, every);
        sleep(pause).await;
    }
}

/// Asks one proxy until nobody listens any more.
async fn watch_proxy(name: ProxyName, login: Login, every: Duration, into: mpsc::Sender<Observation>) {
    let mut source = proxysql::Source::new(Sql::new(login));
    let mut proxy = Proxy::new(name.clone());
    let mut pause = every;
    loop {
        let trouble = match source.read().await {
            Ok(rows) => {
                proxy = proxy.answered(&rows, Timestamp::now());
                None
            }
            Err(failure) => {
                let trouble = trouble(&failure);
                proxy = proxy.failed(trouble, &hinted(&name, trouble, failure.text), Timestamp::now());
                Some(trouble)
            }
        };
        if into.send(Observation::Proxy(Seen::Put(name.clone(), proxy.clone()))).await.is_err() {
            return;
        }
        pause = pause_after(trouble, pause, every);
        sleep(pause).await;
    }
}

/// A pod's address is often not reached from outside the cluster: then what to do instead is said.
fn hinted(name: &ProxyName, trouble: Trouble, text: String) -> String {
    match (name.as_str().split_once('/'), trouble) {
        (Some((_, pod)), Trouble::Unreachable | Trouble::Silent) => format!(
            "{text}; pods are asked at their own address, tunnels are not opened: run `kubectl port-forward` to {pod} \
             and name 127.0.0.1:PORT in proxysql.addresses"
        ),
        _ => text,
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

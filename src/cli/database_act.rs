//! Acting on the database from the command line: what `galera take-out` and its like and `proxysql` share.

use std::sync::Arc;

use super::{Common, Failure, act, output, session, table};
use crate::{
    cluster::{Address, Database, MemberName, ProxyName, Snapshot},
    plan::{DatabaseAct, Intent, Number},
    run,
    ui::{Action, Asks},
};

/// What people call things, and what they are.
pub(super) struct Names(Arc<Snapshot>);

impl Names {
    /// The member of that name or address.
    pub(super) fn member(&self, name: &str) -> Result<MemberName, Failure> {
        let database = Database::of(&self.0).ok_or_else(session::no_database)?;
        if let Some(row) = database.member(name) {
            return Ok(row.name.clone());
        }
        let mut all: Vec<_> = database.members.iter().map(|row| row.label.to_string()).collect();
        all.sort();
        Err(unknown("member", name, &all))
    }

    /// Another weight of the member of that name: the number, or one counted from what it is now.
    pub(super) fn weight(&self, name: &str, number: Number) -> Result<DatabaseAct, Failure> {
        let member = self.member(name)?;
        let by = match number {
            Number::To(n) => return Ok(DatabaseAct::Weight { member, weight: n.unsigned_abs() }),
            Number::By(by) => by,
        };
        let database = Database::of(&self.0).ok_or_else(session::no_database)?;
        let row = database.member(name).ok_or_else(|| unknown("member", name, &[]))?;
        let asks = Asks::weight(&database, row).map_err(Failure::Failed)?;
        match asks.answer(&format!("{by:+}")).map_err(Failure::Failed)? {
            Action::Plan(Intent::Database { act }) => Ok(act),
            other => unreachable!("a weight is asked for, not {other:?}"),
        }
    }

    /// The server of that address, or that of the member of that name, as the proxies tell it.
    pub(super) fn server(&self, name: &str) -> Result<Arc<str>, Failure> {
        let member = Database::of(&self.0).and_then(|database| {
            let row = database.member(name)?;
            row.backends.first().map(|(_, backend)| backend.address.clone())
        });
        match member {
            Some(address) => Ok(address),
            None => Ok(name.parse::<Address>().map_err(Failure::Usage)?.to_string().into()),
        }
    }

    /// The same where none need be named.
    pub(super) fn maybe_member(&self, name: Option<&str>) -> Result<Option<MemberName>, Failure> {
        name.map(|name| self.member(name)).transpose()
    }

    /// The proxy of that name, or the only one whose name begins so.
    pub(super) fn proxy(&self, name: &str) -> Result<ProxyName, Failure> {
        let all: Vec<&ProxyName> = self.0.proxies.values().map(|proxy| &proxy.name).collect();
        let begin: Vec<_> = all.iter().filter(|proxy| proxy.as_str().starts_with(name)).collect();
        match (all.iter().find(|proxy| proxy.as_str() == name), begin.as_slice()) {
            (Some(proxy), _) => Ok((*proxy).clone()),
            (None, [only]) if !name.is_empty() => Ok((**only).clone()),
            _ => Err(unknown("proxy", name, &all.iter().map(ToString::to_string).collect::<Vec<_>>())),
        }
    }
}

fn unknown(what: &str, name: &str, all: &[String]) -> Failure {
    let all = if all.is_empty() { "there is none".into() } else { format!("there are {}", all.join(", ")) };
    Failure::Failed(format!("no {what} is called {}: {all}", table::plain(name)))
}

/// Looks at the database, names the act, and carries it out as far as consent goes.
pub(super) async fn carry_out(
    common: &Common,
    consent: act::Consent,
    act: impl FnOnce(&Names) -> Result<DatabaseAct, Failure>,
) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    if !session.has_database() {
        return Err(session::no_database());
    }
    let snapshot = session.observed_with_database().await?;
    let intent = Intent::Database { act: act(&Names(snapshot.clone()))? };
    let runs = session.runs(&snapshot);
    let intent = match run::instead(&snapshot, runs.iter().map(|seen| &seen.run), &intent) {
        Some((undone, intent)) => {
            output::tell(format_args!(
                "run {undone} took it out: undoing that puts its rows back as they were"
            ))?;
            intent
        }
        None => intent,
    };
    act::carry_out(&mut session, &intent, consent).await
}

//! What can be done with the selected one, as plans to be reviewed.

use super::{DatabaseView, ProxyRow, words};
use crate::{
    cluster::database::{Role as Part, State},
    plan::{DatabaseAct, Intent},
    ui::{
        action::{Action, Asks},
        command::Command,
        view::Cx,
    },
};

/// Whether a command changes the database.
pub(super) fn is(command: Command) -> bool {
    matches!(
        command,
        Command::TakeOut
            | Command::BringBack
            | Command::MoveWriter
            | Command::Desync
            | Command::Resync
            | Command::Weight
            | Command::AddServer
            | Command::RemoveServer
            | Command::Save
    )
}

impl DatabaseView {
    /// What the command asks for about the selected one.
    pub(super) fn ask(&self, command: Command, cx: &Cx<'_>) -> Option<Action> {
        let database = self.database.as_ref()?;
        let asks = |asks: Result<Asks, String>| Some(asks.map_or_else(Action::Say, Action::Ask));
        match command {
            Command::Weight => asks(Asks::weight(database, self.target()?)),
            Command::AddServer => asks(Asks::server(cx.seen, database)),
            _ => self.act(command).map(|act| Action::Plan(Intent::Database { act })),
        }
    }

    /// The address of the selected backend.
    fn server(&self) -> Option<&std::sync::Arc<str>> {
        match self.backends.selected().filter(|_| self.proxies)? {
            ProxyRow::Backend(_, _, address) => Some(address),
            ProxyRow::Proxy(_) => None,
        }
    }

    /// What the command does with the selected one.
    fn act(&self, command: Command) -> Option<DatabaseAct> {
        match command {
            Command::Save => {
                let selected = self.backends.selected().filter(|_| self.proxies);
                return Some(DatabaseAct::Save { proxy: selected.map(|row| row.proxy().clone()) });
            }
            Command::RemoveServer => {
                return Some(DatabaseAct::RemoveServer { address: self.server()?.clone() });
            }
            _ => {}
        }
        let member = self.target()?.name.clone();
        match command {
            Command::TakeOut => Some(DatabaseAct::TakeOut { member }),
            Command::BringBack => Some(DatabaseAct::BringBack { member, like: None }),
            Command::MoveWriter => Some(DatabaseAct::MoveWriter { member }),
            Command::Desync => Some(DatabaseAct::Desync { member }),
            Command::Resync => Some(DatabaseAct::Resync { member }),
            _ => None,
        }
    }

    /// Why the command cannot do anything with the selected one.
    pub(super) fn refuses_act(&self, command: Command, cx: &Cx<'_>) -> Option<String> {
        if !is(command) {
            return None;
        }
        if command == Command::Save {
            let drifts = cx.findings.iter().any(|f| f.rule == "proxy-drift");
            return (!drifts).then(|| "every proxy runs what is on its disk".into());
        }
        let database = self.database.as_ref()?;
        match command {
            Command::AddServer => return Asks::server(cx.seen, database).err(),
            Command::RemoveServer if !self.proxies => {
                return Some("select a server of a proxy first (tab); t takes a member out".into());
            }
            Command::RemoveServer => {
                return self.server().is_none().then(|| "select a server of the proxy".into());
            }
            _ => {}
        }
        let Some(row) = self.target() else { return Some("no member is selected".into()) };
        let label = &row.label;
        let proxies =
            matches!(command, Command::TakeOut | Command::BringBack | Command::MoveWriter | Command::Weight);
        if proxies && cx.seen.proxies.values().all(|p| p.now().is_none()) {
            return Some("no ProxySQL answers".into());
        }
        let desynced = row.now().is_some_and(|s| s.desync);
        match command {
            Command::Weight => Asks::weight(database, row).err(),
            Command::TakeOut if row.role == Part::Absent => Some(format!("{label} is in no proxy")),
            Command::BringBack if !matches!(row.role, Part::Absent | Part::Draining | Part::Offline) => {
                Some(format!("{label} is in the proxies already: {}", words::role_sign(row, false).1))
            }
            Command::MoveWriter if row.role == Part::Writer => Some(format!("{label} is the writer already")),
            Command::MoveWriter if !row.state.takes_writes() || row.state == State::Unknown => {
                Some(format!("{label} takes no writes: {}", row.state.word()))
            }
            Command::Desync | Command::Resync if row.now().is_none() => {
                Some(format!("{label} does not answer"))
            }
            Command::Desync if desynced => Some(format!("{label} is desynced already: Y resyncs it")),
            Command::Resync if !desynced => Some(format!("{label} is not desynced")),
            _ => None,
        }
    }
}

//! What can be done with the selected one, as plans to be reviewed.

use super::{DatabaseView, words};
use crate::{
    cluster::database::{Role as Part, State},
    plan::DatabaseAct,
    ui::{command::Command, view::Cx},
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
            | Command::Save
    )
}

impl DatabaseView {
    /// What the command does with the selected one.
    pub(super) fn act(&self, command: Command) -> Option<DatabaseAct> {
        if command == Command::Save {
            let selected = self.backends.selected().filter(|_| self.proxies);
            return Some(DatabaseAct::Save { proxy: selected.map(|row| row.proxy().clone()) });
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
        let Some(row) = self.target() else { return Some("no member is selected".into()) };
        let label = &row.label;
        let proxies = matches!(command, Command::TakeOut | Command::BringBack | Command::MoveWriter);
        if proxies && cx.seen.proxies.values().all(|p| p.now().is_none()) {
            return Some("no ProxySQL answers".into());
        }
        let desynced = row.now().is_some_and(|s| s.desync);
        match command {
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

//! What is checked before a member leaves flow control, and before it comes back.

use super::super::routing::{BackendRole, Routing};
use crate::{
    cluster::{
        LocalState,
        database::{Row, State},
    },
    plan::{
        Check,
        Verdict::{self, Ok, Refuse, Warn},
    },
};

/// Whether `wsrep_desync` may be set so on a member.
pub(in crate::plan::database) fn desync(routing: &Routing<'_>, row: &Row, to: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut push = |verdict: Verdict, text: String| checks.push(Check::new("desync", verdict, text));
    let label = &row.label;
    let Some(status) = row.now() else {
        push(Refuse, format!("{label} does not answer"));
        return checks;
    };
    if !status.galera || !row.is_primary() {
        push(
            Refuse,
            format!(
                "{label} is {}: wsrep_desync is set on members of the primary component only",
                row.state.word()
            ),
        );
    }
    if let Some(threads) = status.threads.as_ref().filter(|t| t.applier_blocked.is_some()) {
        push(
            Refuse,
            format!(
                "an applier of {label} has waited {} s for a lock ({}): SET GLOBAL wsrep_desync would wait behind it, and each one sent counts for good; {}",
                threads.applier_blocked.unwrap_or(0),
                threads.holder(),
                threads.release(label)
            ),
        );
    } else if status.threads.is_none() && status.flow.requested {
        push(
            Refuse,
            format!(
                "{label} asks for flow control, and without the PROCESS right it is not seen whether its applier waits for a lock, behind which SET GLOBAL wsrep_desync would wait too: GRANT PROCESS, or SHOW PROCESSLIST there"
            ),
        );
    }
    if to {
        let writers = routing.proxied.iter().filter(|f| {
            f.backends.iter().any(|s| s.role == BackendRole::Writer && s.member.as_ref() == Some(&row.name))
        });
        let names: Vec<_> = writers.map(|f| f.name.as_str()).collect();
        if !names.is_empty() {
            push(Refuse, format!("{label} takes the writes of {}: move the writer first", names.join(", ")));
        }
        let others = routing
            .db
            .members
            .iter()
            .filter(|r| r.name != row.name && matches!(r.state, State::Synced))
            .count();
        match others {
            0 => push(Refuse, format!("{label} is the last synced member")),
            1 => push(Ok, "1 other member is synced".into()),
            n => push(Ok, format!("{n} other members are synced")),
        }
        if !matches!(row.state, State::Synced) {
            push(Refuse, format!("{label} is {}, not synced", row.state.word()));
        }
    } else {
        let peers_donating = matches!(row.state, State::Donor { .. });
        if let State::StuckDesync { count, .. } = row.state {
            push(
                Refuse,
                format!(
                    "{label} was desynced {count} times: wsrep_desync=OFF takes back one, and only a restart the others. Take it out of the proxies, restart it, bring it back"
                ),
            );
        } else if peers_donating || status.desync_count > 1 {
            push(
                Refuse,
                format!(
                    "{label} is {} for {} reasons: it is desynced by more than a hand, wait until the transfer is over",
                    row.state.word(),
                    status.desync_count
                ),
            );
        } else if status.desync && status.local_state == LocalState::Donor {
            let text = format!(
                "{label} is not donating: {} write-sets wait, flow control may pause the cluster until it has applied them",
                status.receive_queue
            );
            push(if status.receive_queue > 100 { Warn } else { Ok }, text);
        }
    }
    checks
}

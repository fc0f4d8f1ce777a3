//! SET of a member: variables of the session, of the server and of its provider.

use super::select::split_columns;
use super::{Client, Rights, denied, syntax};
use crate::database::answer::{Answer, unquote};
use crate::database::galera::Galera;
use crate::database::member::{Process, Provider, Reject};

pub(super) fn set(galera: &mut Galera, client: &mut Client, list: &str) -> Answer {
    for assignment in split_columns(list) {
        let Some((target, value)) = assignment.split_once('=') else { return syntax(assignment) };
        let target = target.trim().trim_end_matches(':').to_lowercase();
        let value = unquote(value);
        let global = ["global ", "@@global."].iter().find_map(|p| target.strip_prefix(p));
        let Some(name) = global else {
            let name = ["session ", "local ", "@@session.", "@@local.", "@@"]
                .iter()
                .find_map(|p| target.strip_prefix(p))
                .unwrap_or(&target)
                .trim();
            if let Some(refusal) = set_session(client, galera, name, value) {
                return refusal;
            }
            continue;
        };
        let name = name.trim();
        // Since 10.11 SUPER no longer includes READ_ONLY ADMIN.
        if name == "read_only" && client.rights != Rights::All {
            return denied("READ_ONLY ADMIN");
        }
        if !client.rights.is_super() {
            return denied("SUPER");
        }
        if let Err(refusal) = set_global(galera, client, name, value) {
            return refusal;
        }
    }
    Answer::ok(0)
}

fn set_session(client: &mut Client, galera: &Galera, name: &str, value: &str) -> Option<Answer> {
    match name {
        "wsrep_dirty_reads" => client.dirty_reads = switch(value)?,
        "wsrep_on" if !client.rights.is_super() => return Some(denied("SUPER")),
        "wsrep_desync"
        | "wsrep_reject_queries"
        | "wsrep_provider_options"
        | "wsrep_cluster_address"
        | "read_only" => {
            let text = format!("Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL");
            return Some(Answer::error(1229, "HY000", text));
        }
        _ if name.starts_with('@') => {}
        "autocommit"
        | "character_set_results"
        | "tx_isolation"
        | "max_statement_time"
        | "lock_wait_timeout" => {}
        _ => {
            let known = galera.members[client.member].variables(&galera.members);
            if !known.iter().any(|(n, _)| n == name) {
                return Some(Answer::error(1193, "HY000", format!("Unknown system variable '{name}'")));
            }
        }
    }
    None
}

fn switch(value: &str) -> Option<bool> {
    match value.to_uppercase().as_str() {
        "ON" | "1" | "TRUE" => Some(true),
        "OFF" | "0" | "FALSE" => Some(false),
        _ => None,
    }
}

fn set_global(galera: &mut Galera, client: &Client, name: &str, value: &str) -> Result<(), Answer> {
    let (at, now) = (client.member, galera.now);
    let wrong =
        || Answer::error(1231, "42000", format!("Variable '{name}' can't be set to the value of '{value}'"));
    match name {
        "wsrep_desync" => {
            let on = switch(value).ok_or_else(wrong)?;
            let m = &mut galera.members[at];
            if !m.view.primary || m.provider != Provider::Connected {
                let verb = if on { "desync" } else { "resync" };
                let text = format!("Operation {verb} failed for SET GLOBAL wsrep_desync={value}");
                return Err(Answer::error(1396, "HY000", text));
            }
            if m.applier_blocked() {
                m.pending_desync.push((now, on));
                return Err(Answer::Silence);
            }
            m.desync = on;
        }
        "wsrep_reject_queries" => {
            let reject = match value.to_uppercase().as_str() {
                "NONE" | "0" => Reject::None,
                "ALL" | "1" => Reject::All,
                "ALL_KILL" | "2" => Reject::AllKill,
                _ => return Err(wrong()),
            };
            let m = &mut galera.members[at];
            m.reject = reject;
            if reject == Reject::AllKill {
                m.sessions.retain(|id, _| *id == client.id);
            }
        }
        "wsrep_sst_donor_rejects_queries" => {
            galera.members[at].donor_rejects = switch(value).ok_or_else(wrong)?
        }
        "read_only" => galera.members[at].read_only = switch(value).ok_or_else(wrong)?,
        "wsrep_cluster_address" if value.is_empty() => galera.leave(at),
        "wsrep_cluster_address" => {
            if galera.members[at].provider == Provider::Connected
                && galera.members[at].process == Process::Running
            {
                galera.leave(at);
            }
            galera.start(at);
        }
        "wsrep_provider_options" => {
            for option in value.split(';').map(str::trim).filter(|o| !o.is_empty()) {
                let (key, value) = option.split_once('=').ok_or_else(wrong)?;
                set_option(galera, at, key.trim(), value.trim()).ok_or_else(wrong)?;
            }
        }
        _ => {
            let known = galera.members[at].variables(&galera.members);
            if !known.iter().any(|(n, _)| n == name) {
                return Err(Answer::error(1193, "HY000", format!("Unknown system variable '{name}'")));
            }
            if ["wsrep_on", "hostname", "port", "version", "datadir", "wsrep_provider", "socket"]
                .contains(&name)
            {
                return Err(Answer::error(
                    1238,
                    "HY000",
                    format!("Variable '{name}' is a read only variable"),
                ));
            }
            galera.members[at].set.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

fn set_option(galera: &mut Galera, at: usize, key: &str, value: &str) -> Option<()> {
    match key {
        "pc.weight" => galera.members[at].weight = value.parse().ok().filter(|w| *w <= 255)?,
        "pc.bootstrap" if switch(value).unwrap_or(value.eq_ignore_ascii_case("yes")) => {
            galera.declare_primary(at)
        }
        "gmcast.isolate" if value == "0" => galera.heal(),
        "gmcast.isolate" => galera.isolate(at),
        "gcache.size" => return None,
        _ => {
            let known = galera.members[at].variables(&galera.members);
            let options = &known.iter().find(|(n, _)| n == "wsrep_provider_options")?.1;
            options.split("; ").find(|o| o.starts_with(&format!("{key} =")))?;
            galera.members[at].set.insert(key.to_owned(), value.to_owned());
        }
    }
    Some(())
}

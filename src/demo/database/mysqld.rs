//! What a simulated member answers to SQL: privileges first, then availability, then the statement. Pure.
//! Codes and texts are those of MariaDB 10.11. What is not simulated is refused with the server's own error.

use super::answer::{Answer, bare, split_first, unquote, words};
use super::galera::Galera;
use super::member::{Hold, Reject};
use select::select;
use set::set;
use show::show;

mod select;
mod set;
mod show;
mod threads;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Log in, and nothing more (`USAGE`).
    Usage,
    /// `PROCESS`, and SELECT on the two wsrep tables of `mysql`: the least a cockpit needs to see everything.
    Monitor,
    /// The same, and `SUPER`: to desync a member.
    Acting,
    /// Everything.
    All,
}

impl Rights {
    fn is_super(self) -> bool {
        matches!(self, Self::Acting | Self::All)
    }
}

/// One client of one member.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub member: usize,
    pub id: u64,
    pub user: String,
    pub rights: Rights,
    pub database: Option<String>,
    pub dirty_reads: bool,
}

/// Runs one statement of a client.
pub(super) fn answer(galera: &mut Galera, client: &mut Client, sql: &str) -> Answer {
    if let Some(session) = galera.members[client.member].sessions.get_mut(&client.id) {
        session.since = galera.now;
    }
    let (first, rest) = split_first(sql);
    let statement = bare(first);
    if statement.is_empty() {
        return Answer::error(1065, "42000", "Query was empty");
    }
    if !bare(rest).is_empty() {
        return syntax(rest);
    }
    let words = words(statement);
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    match (word(0), word(1)) {
        ("SELECT", _) => select(galera, client, statement),
        ("SHOW", _) => show(galera, client, statement, &words),
        ("SET", "NAMES" | "CHARACTER" | "TRANSACTION") => Answer::ok(0),
        ("SET", _) => set(galera, client, &statement[3..]),
        ("USE", _) => {
            client.database = Some(unquote(&statement[3..]).to_owned());
            Answer::ok(0)
        }
        ("FLUSH", _) => flush(galera, client, &words),
        ("UNLOCK", "TABLES") => {
            if let Some(session) = galera.members[client.member].sessions.get_mut(&client.id) {
                session.hold = None;
            }
            Answer::ok(0)
        }
        ("LOCK", "TABLE" | "TABLES") => match (client.rights, blocked(galera, client)) {
            (Rights::All, None) => {
                hold(galera, client, Hold::TableLock(statement.get(10..).unwrap_or("").trim().to_owned()))
            }
            (_, Some(refusal)) => refusal,
            _ => Answer::error(1044, "42000", "Access denied for user to database"),
        },
        ("KILL", _) => kill(galera, client, words.last().map_or("", String::as_str)),
        ("SHUTDOWN", _) if client.rights == Rights::All => {
            galera.stop(client.member);
            Answer::ok(0)
        }
        ("SHUTDOWN", _) => denied("SHUTDOWN"),
        ("COMMIT" | "ROLLBACK", _) => Answer::ok(0),
        ("BEGIN", _) | ("START", "TRANSACTION") => blocked(galera, client).unwrap_or(Answer::ok(0)),
        (
            "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "ALTER" | "CREATE" | "DROP" | "TRUNCATE" | "GRANT"
            | "EXPLAIN",
            _,
        ) => write(galera, client, &words),
        _ => syntax(statement),
    }
}

fn denied(privilege: &str) -> Answer {
    let text =
        format!("Access denied; you need (at least one of) the {privilege} privilege(s) for this operation");
    Answer::error(1227, "42000", text)
}

fn syntax(near: &str) -> Answer {
    let near: String = near.trim_start().chars().take(80).collect();
    Answer::error(
        1064,
        "42000",
        format!(
            "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version \
             for the right syntax to use near '{near}' at line 1"
        ),
    )
}

/// The refusal of a member that serves no tables now.
fn blocked(galera: &Galera, client: &Client) -> Option<Answer> {
    let m = &galera.members[client.member];
    let serves = m.reject == Reject::None && (m.ready() || client.dirty_reads);
    (!serves).then(|| Answer::error(1047, "08S01", "WSREP has not yet prepared node for application use"))
}

fn write(galera: &Galera, client: &Client, words: &[String]) -> Answer {
    if let Some(refusal) = blocked(galera, client) {
        return refusal;
    }
    let verb = words[0].as_str();
    if client.rights != Rights::All {
        let text = format!("{verb} command denied to user '{}'@'127.0.0.1' for table `x`.`y`", client.user);
        return Answer::error(1142, "42000", text);
    }
    if galera.members[client.member].read_only && verb != "EXPLAIN" {
        let text =
            "The MariaDB server is running with the --read-only option so it cannot execute this statement";
        return Answer::error(1290, "HY000", text);
    }
    if client.database.is_none() && !words.iter().any(|w| w.contains('.')) {
        return Answer::error(1046, "3D000", "No database selected");
    }
    let table = words.iter().find(|w| w.contains('.')).cloned().unwrap_or_default().to_lowercase();
    Answer::error(1146, "42S02", format!("Table '{table}' doesn't exist"))
}

fn hold(galera: &mut Galera, client: &Client, hold: Hold) -> Answer {
    if let Some(session) = galera.members[client.member].sessions.get_mut(&client.id) {
        session.hold = Some(hold);
    }
    Answer::ok(0)
}

fn flush(galera: &mut Galera, client: &Client, words: &[String]) -> Answer {
    if client.rights != Rights::All {
        return denied("RELOAD");
    }
    let local = ["LOCAL", "NO_WRITE_TO_BINLOG"].contains(&words.get(1).map_or("", String::as_str));
    match words.last().map(String::as_str) {
        Some("STATUS") if local => galera.flush_local_status(client.member),
        Some("STATUS") => {
            if let Some(refusal) = blocked(galera, client) {
                return refusal;
            }
            galera.flush_status(client.member);
        }
        Some("LOCK") => return hold(galera, client, Hold::ReadLock),
        _ => {}
    }
    Answer::ok(0)
}

fn kill(galera: &mut Galera, client: &Client, id: &str) -> Answer {
    let Ok(number) = id.parse::<u64>() else { return syntax(id) };
    let sessions = &galera.members[client.member].sessions;
    match sessions.get(&number) {
        None => Answer::error(1094, "HY000", format!("Unknown thread id: {number}")),
        Some(s) if client.rights != Rights::All && s.user != client.user => {
            Answer::error(1095, "HY000", format!("You are not owner of thread {number}"))
        }
        Some(_) => {
            galera.end_session(client.member, number);
            Answer::ok(0)
        }
    }
}

//! SELECT of a member: system variables and functions, and the tables that are simulated, read by SQLite.

use rusqlite::Connection;

use super::threads::threads;
use super::{Client, Rights, blocked, denied, syntax};
use crate::database::answer::Answer;
use crate::database::dialect::{self, Outcome, quoted};
use crate::database::galera::Galera;
use crate::database::member::{Member, State};

/// A pattern's backslash escapes by itself in MariaDB; SQLite wants to be told.
pub(super) fn escaped(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut parts = sql.split('\'').enumerate().peekable();
    while let Some((i, part)) = parts.next() {
        text.push_str(part);
        // Parts with an odd number stand between quotes.
        let pattern = i % 2 == 1 && part.contains('\\') && {
            let before = text[..text.len() - part.len()].trim_end_matches('\'').trim_end();
            before.get(before.len().saturating_sub(4)..).is_some_and(|word| word.eq_ignore_ascii_case("like"))
        };
        if parts.peek().is_some() {
            text.push('\'');
        }
        if pattern && parts.peek().is_some() {
            text.push_str(" ESCAPE '\\'");
        }
    }
    text
}

/// `LEFT(column, n)`, which SQLite calls otherwise.
fn without_left(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.to_ascii_uppercase().find("LEFT(") {
        let Some(comma) = rest[at..].find(',') else { break };
        text.push_str(&rest[..at]);
        text.push_str("SUBSTR(");
        text.push_str(&rest[at + 5..at + comma]);
        text.push_str(", 1");
        rest = &rest[at + comma..];
    }
    text + rest
}

pub(super) fn fill(db: &Connection, table: &str, columns: &[&str], rows: Vec<Vec<Option<String>>>) {
    // Numbers must compare as numbers, text without regard to case as MariaDB does.
    let numbers =
        ["ID", "TIME", "TIME_MS", "STAGE", "MAX_STAGE", "PROGRESS", "INDEX", "CLUSTER_SIZE", "view_id"];
    let typed = |c: &&str| match numbers.contains(c) {
        true => format!("\"{c}\" NUMERIC"),
        false => format!("\"{c}\" TEXT COLLATE NOCASE"),
    };
    let columns: Vec<_> = columns.iter().map(typed).collect();
    let create = format!("CREATE TABLE {table} ({})", columns.join(", "));
    db.execute_batch(&create).expect("the columns were written for this table");
    dialect::refill(db, table, rows);
}

pub(super) fn select(galera: &Galera, client: &mut Client, statement: &str) -> Answer {
    let m = &galera.members[client.member];
    let variables = m.variables(&galera.members);
    let text = match substitute(statement, &variables, client, galera) {
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let db = dialect::open(&["information_schema", "mysql"]);
    for table in tables(&text) {
        if let Some(refusal) = expose(galera, client, &db, &table) {
            return refusal;
        }
    }
    match dialect::run(&db, &escaped(&without_left(&text)), true) {
        Ok(Outcome::Rows(table)) => Answer::Rows(table),
        Ok(Outcome::Changed(_)) => syntax(statement),
        Err(text) => translated(&text, statement),
    }
}

/// Makes one table readable, or says why not.
fn expose(galera: &Galera, client: &Client, db: &Connection, table: &str) -> Option<Answer> {
    let m = &galera.members[client.member];
    let some = |s: &str| Some(s.to_owned());
    let name = |m: &Member| Some(m.gcomm.clone());
    let list: Vec<&Member> = m.view.members.iter().map(|i| &galera.members[*i]).collect();
    let here = m.view.members.iter().position(|i| *i == client.member).unwrap_or(0);
    let (columns, rows): (&[&str], Vec<Vec<Option<String>>>) = match table {
        "information_schema.processlist" => (
            &[
                "ID",
                "USER",
                "HOST",
                "DB",
                "COMMAND",
                "TIME",
                "STATE",
                "INFO",
                "TIME_MS",
                "STAGE",
                "MAX_STAGE",
                "PROGRESS",
            ],
            threads(galera, client)
                .into_iter()
                .map(|t| {
                    let stage = u8::from(t.progress.is_some());
                    vec![
                        Some(t.id.to_string()),
                        Some(t.user),
                        Some(t.host),
                        t.database,
                        some(t.command),
                        Some(t.seconds.to_string()),
                        t.state,
                        t.info,
                        Some(format!("{}.125", t.seconds * 1000)),
                        Some(stage.to_string()),
                        Some((stage * 2).to_string()),
                        Some(format!("{:.3}", t.progress.unwrap_or(0.0))),
                    ]
                })
                .collect(),
        ),
        "information_schema.global_status" | "information_schema.session_status" => (
            &["VARIABLE_NAME", "VARIABLE_VALUE"],
            m.status(client.member, &galera.members, galera.now)
                .into_iter()
                .map(|(a, b)| vec![Some(a.to_uppercase()), Some(b)])
                .collect(),
        ),
        "information_schema.global_variables" | "information_schema.session_variables" => (
            &["VARIABLE_NAME", "VARIABLE_VALUE"],
            m.variables(&galera.members)
                .into_iter()
                .map(|(a, b)| vec![Some(a.to_uppercase()), Some(b)])
                .collect(),
        ),
        "information_schema.innodb_trx" => {
            if client.rights == Rights::Usage {
                return Some(denied("PROCESS"));
            }
            (&["trx_id", "trx_state", "trx_started", "trx_mysql_thread_id", "trx_query"], Vec::new())
        }
        // Without SUPER the plug-in shows nothing, and says nothing about it.
        "information_schema.wsrep_membership" => (
            &["INDEX", "UUID", "NAME", "ADDRESS"],
            list.iter()
                .enumerate()
                .filter(|_| client.rights.is_super())
                .map(|(i, m)| vec![Some(i.to_string()), name(m), some(&m.name), Some(m.address.to_string())])
                .collect(),
        ),
        "information_schema.wsrep_status" => (
            &[
                "NODE_INDEX",
                "NODE_STATUS",
                "CLUSTER_STATUS",
                "CLUSTER_SIZE",
                "CLUSTER_STATE_UUID",
                "CLUSTER_STATE_SEQNO",
                "CLUSTER_CONF_ID",
                "GAP",
                "PROTOCOL_VERSION",
            ],
            (client.rights.is_super())
                .then(|| {
                    vec![
                        Some(here.to_string()),
                        some(if m.local_state() == State::Synced { "synced" } else { "donor" }),
                        some(if m.view.primary { "primary" } else { "non-primary" }),
                        Some(m.view.members.len().to_string()),
                        some(&m.history),
                        Some(m.committed.to_string()),
                        Some(m.view.conf_id.to_string()),
                        some("NO"),
                        some("4"),
                    ]
                })
                .into_iter()
                .collect(),
        ),
        "mysql.wsrep_cluster" | "mysql.wsrep_cluster_members" if client.rights == Rights::Usage => {
            let table = table.trim_start_matches("mysql.");
            return Some(Answer::error(
                1142,
                "42000",
                format!(
                    "SELECT command denied to user '{}'@'127.0.0.1' for table `mysql`.`{table}`",
                    client.user
                ),
            ));
        }
        "mysql.wsrep_cluster" => (
            &["cluster_uuid", "view_id", "view_seqno", "protocol_version", "capabilities"],
            vec![vec![
                some(&m.history),
                Some(m.last_primary.conf_id.to_string()),
                Some(m.committed.to_string()),
                some("4"),
                some("184703"),
            ]],
        ),
        // It keeps the last primary view: a survivor without quorum still names those it misses.
        "mysql.wsrep_cluster_members" => (
            &["node_uuid", "cluster_uuid", "node_name", "node_incoming_address"],
            m.last_primary
                .members
                .iter()
                .map(|i| &galera.members[*i])
                .map(|p| vec![name(p), some(&m.history), some(&p.name), Some(p.address.to_string())])
                .collect(),
        ),
        other => return Some(refused(galera, client, other)),
    };
    fill(db, table, columns, rows);
    None
}

/// The refusal of a table that is not simulated.
fn refused(galera: &Galera, client: &Client, table: &str) -> Answer {
    if let Some(refusal) = blocked(galera, client) {
        return refusal;
    }
    let Some((schema, table)) = table.split_once('.') else {
        let Some(database) = &client.database else {
            return Answer::error(1046, "3D000", "No database selected");
        };
        return Answer::error(1146, "42S02", format!("Table '{database}.{table}' doesn't exist"));
    };
    if schema == "information_schema" {
        return Answer::error(
            1109,
            "42S02",
            format!("Unknown table '{}' in information_schema", table.to_uppercase()),
        );
    }
    match client.rights {
        Rights::All => Answer::error(1146, "42S02", format!("Table '{schema}.{table}' doesn't exist")),
        _ => Answer::error(
            1142,
            "42000",
            format!(
                "SELECT command denied to user '{}'@'127.0.0.1' for table `{schema}`.`{table}`",
                client.user
            ),
        ),
    }
}

/// SQLite's complaint as MariaDB would put it.
pub(super) fn translated(text: &str, statement: &str) -> Answer {
    if let Some(column) = text.strip_prefix("no such column: ") {
        return Answer::error(1054, "42S22", format!("Unknown column '{column}' in 'field list'"));
    }
    if let Some(function) = text.strip_prefix("no such function: ") {
        return Answer::error(1305, "42000", format!("FUNCTION {function} does not exist"));
    }
    syntax(statement)
}

/// The tables named after FROM and JOIN, lower case and without back-quotes, each once.
fn tables(statement: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let clean = statement.replace(['(', ')', ','], " ");
    let mut words = clean.split_whitespace();
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case("FROM") || word.eq_ignore_ascii_case("JOIN") {
            let Some(name) = words.next() else { break };
            let name = name.replace('`', "").to_lowercase();
            if !name.eq_ignore_ascii_case("select") && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// Puts the values of system variables and session functions into a statement; a column that had one keeps its text
/// as its name.
fn substitute(
    statement: &str,
    variables: &[(String, String)],
    client: &Client,
    galera: &Galera,
) -> Result<String, Answer> {
    let statement = &statement.replace(['\n', '\r', '\t'], " ");
    let upper = statement.to_ascii_uppercase();
    let end = [" FROM ", " LIMIT ", " WHERE "]
        .iter()
        .filter_map(|w| upper.find(w))
        .min()
        .unwrap_or(statement.len());
    let functions = [
        ("VERSION()", quoted(&galera.members[client.member].version)),
        ("UNIX_TIMESTAMP()", "CAST(strftime('%s', 'now') AS INTEGER)".to_owned()),
        ("CONNECTION_ID()", client.id.to_string()),
        ("DATABASE()", client.database.as_deref().map_or("NULL".to_owned(), quoted)),
        ("CURRENT_USER()", quoted(&format!("{}@127.0.0.1", client.user))),
        ("USER()", quoted(&format!("{}@127.0.0.1", client.user))),
    ];
    let value = |item: &str| -> Result<String, Answer> {
        let mut out = String::new();
        let mut rest = item;
        while let Some(at) = rest.find("@@") {
            out.push_str(&rest[..at]);
            let after = &rest[at + 2..];
            let length =
                after.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(after.len());
            let full = after[..length].to_lowercase();
            let name =
                full.strip_prefix("global.").or_else(|| full.strip_prefix("session.")).unwrap_or(&full);
            let Some((_, value)) = variables.iter().find(|(n, _)| n == name) else {
                return Err(Answer::error(1193, "HY000", format!("Unknown system variable '{name}'")));
            };
            // Switches read as 1 and 0 through @@, as ON and OFF through SHOW; words that only look so do not.
            let word = ["wsrep_reject_queries"].contains(&name);
            match value.as_str() {
                "ON" if !word => out.push('1'),
                "OFF" if !word => out.push('0'),
                number if number.parse::<i64>().is_ok() => out.push_str(number),
                text => out.push_str(&quoted(text)),
            }
            rest = &after[length..];
        }
        out.push_str(rest);
        for (name, value) in &functions {
            if let Some(at) = out.to_ascii_uppercase().find(name) {
                out.replace_range(at..at + name.len(), value);
            }
        }
        Ok(out)
    };
    let mut columns = Vec::new();
    for item in split_columns(&statement[6..end]) {
        let new = value(item)?;
        let named = item.to_ascii_uppercase().contains(" AS ");
        let item = item.trim();
        columns.push(if new.trim() == item || named {
            new
        } else {
            format!("{new} AS \"{}\"", item.replace('"', ""))
        });
    }
    Ok(format!("SELECT {}{}", columns.join(", "), value(&statement[end..])?))
}

pub(super) fn split_columns(list: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut start, mut parts) = (0, None, 0, Vec::new());
    for (i, c) in list.char_indices() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"' | '`', None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) => depth -= 1,
            (',', None) if depth == 0 => {
                parts.push(&list[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
}

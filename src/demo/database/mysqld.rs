//! What a simulated member answers to SQL: privileges first, then availability, then the statement. Pure.
//! Codes and texts are those of MariaDB 10.11. What is not simulated is refused with the server's own error.

use rusqlite::Connection;

use super::{
    answer::{Answer, Kind, Table, bare, like, split_first, unquote, words},
    dialect::{self, Outcome, quoted},
    galera::Galera,
    member::{Hold, Member, Process, Provider, Reject, State},
};

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

fn show(galera: &Galera, client: &Client, statement: &str, words: &[String]) -> Answer {
    let m = &galera.members[client.member];
    let mut rest: &[String] = &words[1..];
    while let [first, more @ ..] = rest
        && ["GLOBAL", "SESSION", "LOCAL", "FULL"].contains(&first.as_str())
    {
        rest = more;
    }
    match rest.first().map(String::as_str) {
        Some("STATUS") => {
            pairs("GLOBAL_STATUS", statement, m.status(client.member, &galera.members, galera.now))
        }
        Some("VARIABLES") => pairs("GLOBAL_VARIABLES", statement, m.variables(&galera.members)),
        Some("PROCESSLIST") => {
            let mut table =
                Table::text(&["Id", "User", "Host", "db", "Command", "Time", "State", "Info", "Progress"]);
            for t in threads(galera, client) {
                table.rows.push(vec![
                    Some(t.id.to_string()),
                    Some(t.user),
                    Some(t.host),
                    t.database,
                    Some(t.command.to_owned()),
                    Some(t.seconds.to_string()),
                    t.state,
                    t.info,
                    Some(format!("{:.3}", t.progress.unwrap_or(0.0))),
                ]);
            }
            table.columns[0].kind = Kind::Integer;
            table.columns[5].kind = Kind::Integer;
            Answer::Rows(table)
        }
        Some("DATABASES" | "SCHEMAS") => {
            let mut table = Table::text(&["Database"]);
            table.push(["information_schema".to_owned()]);
            if client.rights != Rights::Usage {
                table.push(["mysql".to_owned()]);
            }
            Answer::Rows(table)
        }
        Some("WARNINGS") => Answer::Rows(Table::text(&["Level", "Code", "Message"])),
        Some("WSREP_STATUS") => {
            select(galera, &mut client.clone(), "SELECT * FROM information_schema.WSREP_STATUS")
        }
        Some("WSREP_MEMBERSHIP") => {
            select(galera, &mut client.clone(), "SELECT * FROM information_schema.WSREP_MEMBERSHIP")
        }
        Some("GRANTS") => {
            let mut table = Table::text(&[&format!("Grants for {}@127.0.0.1", client.user)]);
            let to = format!("TO `{}`@`127.0.0.1`", client.user);
            match client.rights {
                Rights::Usage => table.push([format!("GRANT USAGE ON *.* {to}")]),
                Rights::All => table.push([format!("GRANT ALL PRIVILEGES ON *.* {to} WITH GRANT OPTION")]),
                Rights::Monitor | Rights::Acting => {
                    let more = if client.rights == Rights::Acting { ", SUPER" } else { "" };
                    table.push([format!("GRANT PROCESS{more} ON *.* {to}")]);
                    table.push([format!("GRANT SELECT ON `mysql`.`wsrep_cluster` {to}")]);
                    table.push([format!("GRANT SELECT ON `mysql`.`wsrep_cluster_members` {to}")]);
                }
            }
            Answer::Rows(table)
        }
        _ => syntax(statement.get(5..).unwrap_or("")),
    }
}

/// SHOW of names and values, with LIKE or WHERE or neither.
fn pairs(name: &str, statement: &str, rows: Vec<(String, String)>) -> Answer {
    let upper = statement.to_ascii_uppercase();
    let mut table = Table::text(&["Variable_name", "Value"]);
    if let Some(at) = upper.find(" WHERE ") {
        let db = dialect::open(&[]);
        fill(
            &db,
            name,
            &["Variable_name", "Value"],
            rows.into_iter().map(|(a, b)| vec![Some(a), Some(b)]).collect(),
        );
        let sql = format!("SELECT Variable_name, Value FROM {name}{}", &statement[at..]);
        return match dialect::run(&db, &escaped(&sql), false) {
            Ok(Outcome::Rows(table)) => Answer::Rows(table),
            Ok(Outcome::Changed(_)) => syntax(&statement[at..]),
            Err(text) => translated(&text, &statement[at..]),
        };
    }
    let pattern = upper.find(" LIKE ").map_or("%", |at| unquote(&statement[at + 6..]));
    for (name, value) in rows {
        if like(pattern, &name) {
            table.push([name, value]);
        }
    }
    Answer::Rows(table)
}

/// A pattern's backslash escapes by itself in MariaDB; SQLite wants to be told.
fn escaped(sql: &str) -> String {
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

/// A thread of the processlist.
struct Thread {
    id: u64,
    user: String,
    host: String,
    database: Option<String>,
    command: &'static str,
    seconds: u64,
    state: Option<String>,
    info: Option<String>,
    progress: Option<f64>,
}

/// The threads this client may see: all with PROCESS, otherwise its own.
fn threads(galera: &Galera, client: &Client) -> Vec<Thread> {
    let m = &galera.members[client.member];
    let here = client.member;
    let system = |id: u64, state: &str| Thread {
        id,
        user: "system user".to_owned(),
        host: String::new(),
        database: None,
        command: "Sleep",
        seconds: galera.now.saturating_sub(m.started) / 1000,
        state: Some(state.to_owned()),
        info: None,
        progress: None,
    };
    let held = m.sessions.values().any(|s| s.hold.is_some());
    let mut threads = vec![
        system(1, "wsrep aborter idle"),
        system(2, if held { "Waiting for table metadata lock" } else { "wsrep applier idle" }),
    ];
    let application = |id: u64, at: u64| Thread {
        id,
        user: "app".to_owned(),
        host: format!("10.4.7.{}:{}", 10 + id % 7, 40_000 + id),
        database: Some("tenant_acme".to_owned()),
        command: "Query",
        seconds: galera.now.saturating_sub(at) / 1000,
        state: None,
        info: None,
        progress: None,
    };
    if let Some(toi) = galera.toi.as_ref().filter(|toi| m.view.members.contains(&toi.origin)) {
        let done = Some(toi.change.progress(galera.now));
        let info = Some(toi.change.statement.clone());
        let state = Some("copy to tmp table".to_owned());
        let base = if toi.origin == here { application(11, toi.change.started) } else { system(3, "") };
        let seconds = galera.now.saturating_sub(toi.change.started) / 1000;
        threads.push(Thread { command: "Query", seconds, state, info, progress: done, ..base });
    }
    if let Some(rsu) = &m.rsu {
        threads.push(Thread {
            state: Some("copy to tmp table".to_owned()),
            info: Some(rsu.statement.clone()),
            progress: Some(rsu.progress(galera.now)),
            ..application(12, rsu.started)
        });
    }
    if galera.stalled(here) || m.paused {
        for id in 13..17 {
            threads.push(Thread {
                state: Some("Waiting for certification".to_owned()),
                info: Some("UPDATE invoices SET total=118.40 WHERE id=90210".to_owned()),
                ..application(id, galera.now.saturating_sub(700))
            });
        }
    }
    for (id, s) in &m.sessions {
        let own = *id == client.id;
        threads.push(Thread {
            id: *id,
            user: s.user.clone(),
            host: s.host.clone(),
            database: s.database.clone(),
            command: if own { "Query" } else { "Sleep" },
            seconds: galera.now.saturating_sub(s.since) / 1000,
            state: Some(if own { "starting" } else { "" }.to_owned()),
            info: own.then(|| "SHOW PROCESSLIST".to_owned()),
            progress: None,
        });
    }
    threads.retain(|t| client.rights != Rights::Usage || t.user == client.user);
    threads
}

fn fill(db: &Connection, table: &str, columns: &[&str], rows: Vec<Vec<Option<String>>>) {
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

fn select(galera: &Galera, client: &mut Client, statement: &str) -> Answer {
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
fn translated(text: &str, statement: &str) -> Answer {
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

fn split_columns(list: &str) -> Vec<&str> {
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

fn set(galera: &mut Galera, client: &mut Client, list: &str) -> Answer {
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
    let at = client.member;
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

//! The statements of ProxySQL's admin port: its own commands, and SQLite for the rest. Pure.
//! Answers were recorded on ProxySQL 2.7.1 (`tests/captures/proxysql/client_compat.tsv`), oddities included: nearly
//! every error is 1045, a second statement is dropped in silence, a lone `;` kills the process.

use super::{
    answer::{Answer, Column, Kind, Table, bare, like, split_first, unquote, words},
    dialect::{self, Outcome, quoted},
    modules::{MODULES, Module},
    noise::checksum,
    proxysql::ProxySql,
    stats,
};

/// The version the admin port admits to.
const VERSION: &str = "2.7.1-16-g2726c27";

/// Who is logged in to the admin port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// The statistics and the monitor's logs.
    Stats,
}

fn refuse(text: impl AsRef<str>) -> Answer {
    Answer::error(1045, "28000", format!("ProxySQL Admin Error: {}", text.as_ref()))
}

fn near(word: &str) -> Answer {
    refuse(format!("near \"{word}\": syntax error"))
}

fn one(name: &str, value: impl Into<String>) -> Answer {
    let mut table = Table::text(&[name]);
    table.push([value.into()]);
    Answer::Rows(table)
}

/// Runs one statement of an admin client.
pub(super) fn answer(p: &mut ProxySql, role: Role, user: &str, sql: &str) -> Answer {
    let (first, rest) = split_first(sql);
    let statement = bare(first);
    if statement.is_empty() {
        if first.len() < sql.len() && bare(rest).is_empty() {
            // 2.7.1 dies of SIGSEGV on a lone semicolon.
            p.crash();
            return Answer::Hangup;
        }
        return refuse("not an error");
    }
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let admin = role == Role::Admin;
    match words[..] {
        ["SELECT", "CONFIG", "INTO", ..] => {
            let path = statement.split_whitespace().last().unwrap_or("");
            return refuse(format!("Cannot open file '{}'", unquote(path)));
        }
        ["SELECT", "CONFIG", "FILE"] => return one("Data", config(p)),
        ["SELECT", ..] => {
            if let Some(answer) = session_value(p, user, statement) {
                return answer;
            }
        }
        ["SET", ..] => return set(p, role, statement),
        ["BEGIN" | "COMMIT" | "ROLLBACK", ..] | ["START", "TRANSACTION", ..] | ["USE", ..] => {
            return Answer::ok(0);
        }
        ["SHOW", ref rest @ ..] => {
            if let Some(answer) = show(p, role, statement, rest) {
                return answer;
            }
        }
        ["ATTACH" | "DETACH" | "VACUUM", ..] => return refuse("Command not allowed"),
        ["PRAGMA", ..] if !admin || !words.concat().contains("TABLE_INFO") => {
            return refuse("Command not allowed");
        }
        ["LOAD" | "SAVE", ..] if admin => return load_or_save(p, &words),
        ["CHECKSUM", ..] if admin => return checksum_of(p, &words),
        ["PROXYSQL", ref rest @ ..] if admin => {
            return match rest {
                ["PAUSE"] | ["RESUME"] => {
                    p.paused = rest == ["PAUSE"];
                    Answer::ok(0)
                }
                ["SHUTDOWN" | "RESTART" | "KILL", ..] => {
                    p.crash();
                    Answer::Hangup
                }
                ["FLUSH", ..] => Answer::ok(0),
                _ => near("PROXYSQL"),
            };
        }
        ["KILL", "CONNECTION", id] if admin => {
            let known = stats::processlist(p).iter().any(|row| row[1].as_deref() == Some(id));
            if !known {
                return refuse(format!("Unknown thread id: {id}"));
            }
            p.killed += 1;
            return Answer::ok(0);
        }
        ["LOAD" | "SAVE" | "CHECKSUM" | "PROXYSQL" | "KILL", ..] => return near(words[0]),
        _ => {}
    }
    query(p, role, statement)
}

/// The rest is SQLite's.
fn query(p: &mut ProxySql, role: Role, statement: &str) -> Answer {
    // SQLite would read the machine's clock; the world has its own.
    let now = format!("datetime({},'unixepoch')", p.clock() / 1_000_000);
    let statement = &statement.replace("'now'", &now);
    match role {
        Role::Admin => stats::refresh_admin(p, statement),
        Role::Stats => stats::refresh_stats(p, statement),
    }
    let read_only = role == Role::Stats || p.variable("admin-read_only") == "true";
    let connection = if role == Role::Admin { &p.admin } else { &p.stats };
    let fence = |on: bool| {
        let pragma = if on { "PRAGMA query_only=ON" } else { "PRAGMA query_only=OFF" };
        connection.execute_batch(pragma).expect("a pragma of every SQLite");
    };
    fence(read_only);
    let outcome = dialect::run(connection, statement, false);
    fence(false);
    match outcome {
        Ok(Outcome::Rows(table)) => Answer::Rows(table),
        Ok(Outcome::Changed(affected)) => Answer::ok(affected),
        Err(text) => refuse(text),
    }
}

/// SELECT of one session value, which ProxySQL answers before SQLite sees it.
fn session_value(p: &ProxySql, user: &str, statement: &str) -> Option<Answer> {
    let item = statement[6..].trim();
    let lower = item.to_ascii_lowercase();
    Some(match lower.as_str() {
        "@@version" => one("@@version", VERSION),
        "@@version_comment limit 1" => one("'(ProxySQL Admin Module)'", "(ProxySQL Admin Module)"),
        "version()" => one("version()", VERSION),
        "connection_id()" => one(item, "0"),
        "database()" => one(item, "admin"),
        "user()" | "current_user()" => one(&lower, format!("{user}@127.0.0.1")),
        "$$" => {
            let text = "ProxySQL Admin Error: Unknown column '$$' in 'field list'";
            Answer::error(1054, "42S22", text)
        }
        "global_checksum()" => {
            let sum = p.checksums.values().fold(0u64, |sum, (.., part)| sum.rotate_left(7) ^ part) >> 1;
            let columns = vec![Column { name: "CHECKSUM".to_owned(), kind: Kind::Integer }];
            Answer::Rows(Table { columns, rows: vec![vec![Some(sum.to_string())]] })
        }
        _ => {
            let name = lower.strip_prefix("@@")?;
            if let Some(at) = name.find([',', '.']) {
                return Some(near(&name[at..=at]));
            }
            let value = p.variable(&format!("mysql-{name}"));
            let mut table = Table::text(&[item]);
            if !value.is_empty() {
                table.push([value]);
            }
            Answer::Rows(table)
        }
    })
}

fn set(p: &mut ProxySql, role: Role, statement: &str) -> Answer {
    let rest = statement[3..].trim();
    let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
    let (name, value) = (name.trim(), unquote(value));
    let lower = name.to_ascii_lowercase();
    if lower == "autocommit" || lower == "names" || lower.starts_with("names ") {
        return Answer::ok(0);
    }
    if role == Role::Stats && (lower.starts_with("mysql-") || lower.starts_with("admin-")) {
        return refuse("attempt to write a readonly database");
    }
    let sql = format!(
        "UPDATE main.global_variables SET variable_value={} WHERE variable_name={}",
        quoted(value),
        quoted(name)
    );
    let changed =
        if role == Role::Admin { dialect::run(&p.admin, &sql, false) } else { Ok(Outcome::Changed(0)) };
    match changed {
        Ok(Outcome::Changed(1)) => Answer::ok(0),
        // A typo looks like success to whoever does not read the text of the OK.
        _ => Answer::Ok { affected: 0, info: format!("ERROR: Unknown global variable: '{name}'.") },
    }
}

fn show(p: &mut ProxySql, role: Role, statement: &str, rest: &[&str]) -> Option<Answer> {
    let upper = statement.to_ascii_uppercase();
    let last = statement.split_whitespace().last().unwrap_or("");
    Some(match *rest {
        ["DATABASES" | "SCHEMAS"] => {
            let mut table = Table::text(&["seq", "name", "file"]);
            let disk = ("disk", "/var/lib/proxysql/proxysql.db");
            let history = ("stats_history", "/var/lib/proxysql/proxysql_stats.db");
            let list: &[(u8, (&str, &str))] = match role {
                Role::Admin => {
                    &[(0, ("main", "")), (2, disk), (3, ("stats", "")), (4, ("monitor", "")), (5, history)]
                }
                Role::Stats => &[(0, ("main", "")), (2, ("monitor", "")), (3, history)],
            };
            for (seq, (name, file)) in list {
                table.push([seq.to_string(), (*name).to_owned(), (*file).to_owned()]);
            }
            Answer::Rows(table)
        }
        ["TABLES"] => tables(p, role, "main"),
        ["TABLES", "FROM" | "IN", _] => tables(p, role, unquote(last)),
        ["CREATE", "TABLE", _] => {
            let (schema, table) = last.split_once('.').unwrap_or(("main", last));
            let connection = if role == Role::Admin { &p.admin } else { &p.stats };
            let sql = format!(
                "SELECT name AS 'table', sql AS 'Create Table' FROM {}.sqlite_master WHERE type='table' AND name={}",
                schema.replace(|c: char| !c.is_alphanumeric() && c != '_', ""),
                quoted(unquote(table))
            );
            rows(dialect::run(connection, &sql, false))
        }
        ["FIELDS", "FROM", _] => {
            let connection = if role == Role::Admin { &p.admin } else { &p.stats };
            let sql = format!(
                "SELECT name AS Field, 'varchar(255)' AS Type, CASE \"notnull\" WHEN 1 THEN 'NO' ELSE 'YES' END AS 'Null', \
                 CASE WHEN pk>0 THEN 'PRI' ELSE '' END AS 'Key', '' AS 'Default', '' AS Extra FROM pragma_table_info({})",
                quoted(unquote(last.rsplit('.').next().unwrap_or(last)))
            );
            rows(dialect::run(connection, &sql, false))
        }
        ["PROCESSLIST"] => {
            let sql =
                "SELECT SessionID, user, db, hostgroup, command, time_ms, info FROM stats_mysql_processlist";
            query(p, role, sql)
        }
        ["FULL", "PROCESSLIST"] => query(p, role, "SELECT * FROM stats_mysql_processlist"),
        ["MYSQL", "STATUS"] => {
            let mut pairs = stats::global_pairs(p);
            pairs.sort();
            named(pairs, "%")
        }
        ["GLOBAL", "VARIABLES", "LIKE", _] => {
            let read_only = if p.variable("admin-read_only") == "true" { "ON" } else { "OFF" };
            let known = [("version", VERSION), ("read_only", read_only)];
            named(known.map(|(a, b)| (a.to_owned(), b.to_owned())), unquote(last))
        }
        ["VARIABLES", ..] | ["MYSQL" | "ADMIN" | "ALL", "VARIABLES", ..] => {
            let prefix = match rest[0] {
                "MYSQL" => "mysql-%",
                "ADMIN" => "admin-%",
                _ => "%",
            };
            let pattern = upper.find(" LIKE ").map_or("%", |at| unquote(&statement[at + 6..]));
            let found: Vec<(String, String)> = if role == Role::Stats {
                vec![("mysql-max_allowed_packet".to_owned(), "4194304".to_owned())]
            } else {
                let sql = "SELECT variable_name, variable_value FROM main.global_variables ORDER BY 1";
                match dialect::run(&p.admin, sql, false) {
                    Ok(Outcome::Rows(t)) => t
                        .rows
                        .into_iter()
                        .map(|r| (r[0].clone().unwrap_or_default(), r[1].clone().unwrap_or_default()))
                        .collect(),
                    _ => Vec::new(),
                }
            };
            named(found.into_iter().filter(|(name, _)| like(prefix, name)), pattern)
        }
        _ => return None,
    })
}

fn rows(outcome: Result<Outcome, String>) -> Answer {
    match outcome {
        Ok(Outcome::Rows(table)) => Answer::Rows(table),
        Ok(Outcome::Changed(n)) => Answer::ok(n),
        Err(text) => refuse(text),
    }
}

fn named(pairs: impl IntoIterator<Item = (String, String)>, pattern: &str) -> Answer {
    let mut table = Table::text(&["Variable_name", "Value"]);
    for (name, value) in pairs {
        if like(pattern, &name) {
            table.push([name, value]);
        }
    }
    Answer::Rows(table)
}

fn tables(p: &ProxySql, role: Role, schema: &str) -> Answer {
    let connection = if role == Role::Admin { &p.admin } else { &p.stats };
    let schema = schema.replace(|c: char| !c.is_alphanumeric() && c != '_', "");
    let sql = format!("SELECT name AS tables FROM {schema}.sqlite_master WHERE type='table' ORDER BY name");
    rows(dialect::run(connection, &sql, false))
}

/// `LOAD x FROM a`, `LOAD x TO b`, and SAVE, which goes the other way. The answer is 0 rows whatever happened.
fn load_or_save(p: &mut ProxySql, words: &[&str]) -> Answer {
    let verb = words[0];
    let [_, name @ .., direction, layer] = words else { return near(verb) };
    let name = name.join(" ");
    let Some(module) = MODULES.iter().find(|m| m.name == name) else { return near(verb) };
    let layer = match *layer {
        "MEM" | "MEMORY" => "main",
        "RUN" | "RUNTIME" => "live",
        "DISK" => "disk",
        _ => return near(verb),
    };
    match (verb, *direction, layer) {
        ("LOAD", "TO", "live") | ("LOAD", "FROM", "main") => p.load(module),
        ("LOAD", "FROM", "disk") | ("LOAD", "TO", "main") => copy(p, "disk", "main", module),
        ("SAVE", "TO", "disk") | ("SAVE", "FROM", "main") => {
            copy(p, "main", "disk", module);
            if module.name == "MYSQL VARIABLES" {
                let count = "SELECT COUNT(*) FROM main.global_variables WHERE variable_name LIKE 'mysql-%'";
                return Answer::ok(p.number(count) as u64);
            }
        }
        ("SAVE", "FROM", "live") | ("SAVE", "TO", "main") if module.name == "MYSQL SERVERS" => {
            p.save_servers()
        }
        ("SAVE", "FROM", "live") | ("SAVE", "TO", "main") => copy(p, "live", "main", module),
        _ => return near(verb),
    }
    Answer::ok(0)
}

fn copy(p: &ProxySql, from: &str, to: &str, module: &Module) {
    let prefix = match module.name {
        "MYSQL VARIABLES" => "mysql-%",
        "ADMIN VARIABLES" => "admin-%",
        _ => {
            for table in module.tables {
                p.copy(from, to, table);
            }
            return;
        }
    };
    let sql = format!(
        "DELETE FROM {to}.global_variables WHERE variable_name LIKE '{prefix}';
         INSERT INTO {to}.global_variables SELECT * FROM {from}.global_variables WHERE variable_name LIKE '{prefix}';"
    );
    p.admin.execute_batch(&sql).expect("the layers have the same columns");
}

/// `CHECKSUM DISK|MEMORY x`. There is no form for the runtime.
fn checksum_of(p: &ProxySql, words: &[&str]) -> Answer {
    let [_, layer @ ("DISK" | "MEMORY"), name @ ..] = words else { return near("CHECKSUM") };
    let name = name.join(" ");
    let schema = if *layer == "DISK" { "disk" } else { "main" };
    let sum = match MODULES.iter().find(|m| m.name == name) {
        Some(module) if module.name == "MYSQL SERVERS" => {
            let alone = Module { name: module.name, tables: &["mysql_servers"], checksum: None };
            p.content(schema, &alone)
        }
        Some(module) => p.content(schema, module),
        None if name == "MYSQL GALERA HOSTGROUPS" && schema == "main" => {
            let alone = Module { name: "", tables: &["mysql_galera_hostgroups"], checksum: None };
            p.content(schema, &alone)
        }
        None => return near("CHECKSUM"),
    };
    let mut table = Table::text(&["table", "checksum"]);
    table.push([name, format!("0x{sum:X}")]);
    Answer::Rows(table)
}

/// What SELECT CONFIG FILE gives to anybody: every password in clear. A cockpit must never ask for it.
fn config(p: &ProxySql) -> String {
    let secret = |name: &str| p.variable(name);
    format!(
        "admin_variables=\n{{\n\tadmin_credentials=\"{}\"\n\tstats_credentials=\"{}\"\n}}\nmysql_variables=\n{{\n\t\
         monitor_password=\"{}\"\n}}\n# {:x}\n",
        secret("admin-admin_credentials"),
        secret("admin-stats_credentials"),
        secret("mysql-monitor_password"),
        checksum(&secret("admin-version"))
    )
}

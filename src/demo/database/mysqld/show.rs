//! SHOW of a member.

use super::select::{escaped, fill, select, translated};
use super::threads::threads;
use super::{Client, Rights, syntax};
use crate::database::answer::{Answer, Kind, Table, like, unquote};
use crate::database::dialect::{self, Outcome};
use crate::database::galera::Galera;

pub(super) fn show(galera: &Galera, client: &Client, statement: &str, words: &[String]) -> Answer {
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

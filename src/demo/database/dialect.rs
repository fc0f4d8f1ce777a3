//! Reading SQL with SQLite: the real ProxySQL admin is SQLite, and for a member it stands in for the small part of
//! SELECT that a cockpit needs. Pure: databases live in memory only.

use rusqlite::{Connection, Error, types::ValueRef};

use super::answer::{Column, Kind, Table};

/// What running one statement gave.
pub(super) enum Outcome {
    /// A result set.
    Rows(Table),
    /// Rows changed.
    Changed(u64),
}

/// An empty database in memory, with these schemas attached.
pub(super) fn open(schemas: &[&str]) -> Connection {
    let connection = Connection::open_in_memory().expect("SQLite in memory needs nothing from outside");
    for schema in schemas {
        let attach = format!("ATTACH DATABASE ':memory:' AS {schema}");
        connection.execute_batch(&attach).expect("attaching memory needs nothing from outside");
    }
    connection
}

/// Runs one statement. `kinds` says whether numbers are announced as numbers (MariaDB) or as text (ProxySQL).
/// The error is SQLite's message.
pub(super) fn run(connection: &Connection, sql: &str, kinds: bool) -> Result<Outcome, String> {
    let mut statement = connection.prepare(sql).map_err(message)?;
    if statement.column_count() == 0 {
        let changed = statement.execute([]).map_err(message)?;
        let counts = !statement.readonly();
        return Ok(Outcome::Changed(if counts { changed as u64 } else { 0 }));
    }
    let mut columns: Vec<Column> =
        statement.column_names().map(|name| Column { name: name.to_owned(), kind: Kind::Text }).collect();
    let mut found = Vec::new();
    let mut rows = statement.query([]).map_err(message)?;
    while let Some(row) = rows.next().map_err(message)? {
        let mut values = Vec::with_capacity(columns.len());
        for (i, column) in columns.iter_mut().enumerate() {
            let value = row.get_ref(i).map_err(message)?;
            if kinds && found.is_empty() {
                column.kind = match value {
                    ValueRef::Integer(_) => Kind::Integer,
                    ValueRef::Real(_) => Kind::Decimal,
                    _ => Kind::Text,
                };
            }
            values.push(text(value));
        }
        found.push(values);
    }
    Ok(Outcome::Rows(Table { columns, rows: found }))
}

/// Writes a string literal.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Empties a table and fills it with rows of literals.
pub(super) fn refill(
    connection: &Connection,
    table: &str,
    rows: impl IntoIterator<Item = Vec<Option<String>>>,
) {
    let mut batch = format!("DELETE FROM {table};\n");
    for row in rows {
        let values: Vec<_> = row.iter().map(|v| v.as_deref().map_or("NULL".to_owned(), quoted)).collect();
        batch.push_str(&format!("INSERT INTO {table} VALUES ({});\n", values.join(",")));
    }
    connection.execute_batch(&batch).expect("the rows were made for this table");
}

fn text(value: ValueRef) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(n) => Some(n.to_string()),
        ValueRef::Real(x) => Some(x.to_string()),
        ValueRef::Text(t) | ValueRef::Blob(t) => Some(String::from_utf8_lossy(t).into_owned()),
    }
}

fn message(error: Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(text)) => text,
        Error::SqlInputError { msg, .. } => msg,
        other => other.to_string(),
    }
}

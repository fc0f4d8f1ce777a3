//! What a program writes that runs to its end: a migration of a database, or anything else.

use jiff::Timestamp;
use serde_json::Value;

use crate::value::{list, text};
use crate::world::LogLine;

/// The annotation of a pod with what its program writes last.
pub(super) const SAYS: &str = "demo.wheelhouse.dev/says";

/// The lines of a container of this specification that ran from then until then. `run` is its state, and `says` what it
/// writes last instead, where it is not empty.
pub(super) fn lines(
    container: &Value,
    run: &Value,
    from: Timestamp,
    until: Timestamp,
    says: &str,
) -> Vec<LogLine> {
    let words: Vec<&str> = list(&container["command"]).chain(list(&container["args"])).map(text).collect();
    let migrates = words.iter().any(|word| word.contains("doctrine:migrations"));
    let code = run["exitCode"].as_i64();
    let (first, last): (String, Vec<String>) = if migrates {
        let version = "DoctrineMigrations\\Version20260214093000";
        let took = until.duration_since(from).as_millis();
        let last = match code {
            Some(0) => vec![
                format!(
                    "[notice] finished in {took}ms, used 26M memory, 2 migrations executed, 5 sql queries"
                ),
                format!(" [OK] Successfully migrated to version: {version}"),
            ],
            // told to stop: it said nothing
            Some(143 | 137) | None => vec![],
            Some(_) => vec![format!(
                "[error] Migration {version} failed during Execution. Error: \"An exception occurred while executing a \
                 query: SQLSTATE[42S21]: Column already exists: 1060 Duplicate column name 'price_cents'\""
            )],
        };
        (format!("[notice] Migrating up to {version}"), last)
    } else {
        let last = code.filter(|code| *code != 0).map(|code| format!("exit {code}"));
        (format!("+ {}", words.join(" ")), last.into_iter().collect())
    };
    let last = if says.is_empty() { last } else { says.lines().map(str::to_owned).collect() };
    let opening = LogLine { at: from, text: first };
    let closing = last.into_iter().map(|text| LogLine { at: until, text });
    std::iter::once(opening).chain(closing).collect()
}

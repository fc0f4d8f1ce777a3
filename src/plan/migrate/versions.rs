//! The table in which a tenant's migrations are written down: what its name is, and what was read of it.

use serde::{Deserialize, Serialize};

use crate::cluster::TenantName;

/// The name of that table in every tenant's schema, as it is configured: `app_{tenant}.doctrine_migration_versions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MigrationsTable {
    schema: String,
    table: String,
}

impl TryFrom<String> for MigrationsTable {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (schema, table) = text.split_once('.').ok_or_else(|| {
            format!("`{text}` names no table: such as `{{tenant}}.doctrine_migration_versions`")
        })?;
        let fits = |part: &str| {
            let plain = part.replace("{tenant}", "");
            !part.is_empty() && plain.chars().all(|c| c.is_ascii_alphanumeric() || "_$-".contains(c))
        };
        match fits(schema) && fits(table) {
            true => Ok(Self { schema: schema.to_owned(), table: table.to_owned() }),
            false => Err(format!(
                "`{text}` is no name of a table: a schema, a dot and a table, in letters, digits, _, $ and -"
            )),
        }
    }
}

impl From<MigrationsTable> for String {
    fn from(table: MigrationsTable) -> Self {
        format!("{}.{}", table.schema, table.table)
    }
}

impl MigrationsTable {
    /// Of one tenant: how it is called, and the statement that reads it. Nothing where a name would not be one.
    pub fn of(&self, tenant: &TenantName) -> Option<(String, String)> {
        let named =
            |part: &str| Some(part.replace("{tenant}", tenant.as_str())).filter(|name| !name.contains('`'));
        let (schema, table) = (named(&self.schema)?, named(&self.table)?);
        let statement = format!("SELECT COUNT(*), MAX(version) FROM `{schema}`.`{table}`");
        Some((format!("{schema}.{table}"), statement))
    }
}

/// What was read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The table.
    pub table: String,
    /// Migrations written down in it.
    pub count: u64,
    /// The last of them, in the order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
}

impl Versions {
    /// In a few words: `12 versions, the newest Version20260214093000`.
    pub fn words(&self) -> String {
        let count = crate::cluster::words::count(self.count, "version");
        match &self.newest {
            Some(newest) => format!("{count}, the newest {newest}"),
            None => count,
        }
    }
}

/// What the table says of a migration whose outcome is not known: what was read before its Job began, and now.
pub fn compared(before: Option<&Versions>, now: &Result<Versions, String>) -> String {
    let before_words = before.map_or_else(|| "not read".to_owned(), Versions::words);
    match now {
        Err(why) => format!("its migrations table cannot be read: {why} (before: {before_words})"),
        Ok(now) => {
            let table = &now.table;
            let what = match before {
                Some(before) if before == now => "no migration was written down since".to_owned(),
                Some(before) if now.count > before.count => {
                    format!(
                        "{} written down since",
                        crate::cluster::words::count(now.count - before.count, "migration")
                    )
                }
                Some(_) => "it has changed since".to_owned(),
                None => "what it had before is not known".to_owned(),
            };
            format!("{table} has {} (before: {before_words}): {what}", now.words())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_for_each_tenant_and_nothing_else_is_taken() {
        let of = |text: &str| MigrationsTable::try_from(text.to_owned());
        let table = of("app_{tenant}.doctrine_migration_versions").expect("a table");
        let (name, statement) = table.of(&"acme-2".into()).expect("a name");
        assert_eq!(name, "app_acme-2.doctrine_migration_versions");
        assert_eq!(
            statement,
            "SELECT COUNT(*), MAX(version) FROM `app_acme-2`.`doctrine_migration_versions`"
        );
        assert_eq!(table.of(&"a`b".into()), None);
        for bad in ["", "versions", "a.b.c", "a.", ".b", "a`.b", "a b.c", "{x}.b"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_compared_in_words() {
        let read = |count: u64, newest: &str| Versions {
            table: "acme.v".into(),
            count,
            newest: Some(newest.to_owned()).filter(|n| !n.is_empty()),
        };
        let says = compared(Some(&read(12, "V12")), &Ok(read(13, "V13")));
        assert_eq!(
            says,
            "acme.v has 13 versions, the newest V13 (before: 12 versions, the newest V12): 1 migration written down since"
        );
        assert!(
            compared(Some(&read(1, "V1")), &Ok(read(1, "V1")))
                .ends_with("no migration was written down since")
        );
        assert!(compared(None, &Ok(read(0, ""))).contains("has 0 versions (before: not read)"));
        assert!(
            compared(None, &Err("denied".into())).starts_with("its migrations table cannot be read: denied")
        );
    }
}

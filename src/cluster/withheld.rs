//! What is not kept of a snapshot in a recording: log texts, values of environment variables, and values in statements.
//! Secrets are in no snapshot at all. Pure.

use std::sync::Arc;

use serde_json::Value;

use super::{Journal, Key, Member, MemberName, Slice, Snapshot};

/// In place of a value.
const WITHHELD: &str = "(not recorded)";

impl Snapshot {
    /// The same without what is never recorded; a journal that was recorded in `before` is taken from there.
    pub(super) fn without_secrets(mut self, before: &Self) -> Self {
        let journals: Vec<(Key, Arc<Journal>)> = self
            .journals
            .items
            .iter()
            .filter_map(|(key, journal)| {
                let same = |old: &&Arc<Journal>| old.resource_version == journal.resource_version;
                let known = before.journals.items.get(key).filter(same).cloned();
                Some((key.clone(), known.or_else(|| journal_without(journal).map(Arc::new))?))
            })
            .collect();
        put(&mut self.journals, journals);
        let members: Vec<(MemberName, Arc<Member>)> = self
            .galera
            .items
            .iter()
            .filter_map(|(name, member)| Some((name.clone(), Arc::new(member_without(member)?))))
            .collect();
        put(&mut self.galera, members);
        self
    }
}

fn put<K: Ord + Clone, V>(slice: &mut Slice<K, V>, others: Vec<(K, Arc<V>)>) {
    for (key, other) in others {
        slice.items.insert(key, other);
    }
}

/// The journal without the lines of Jobs' logs and the values of environment variables; `None`: it has neither.
fn journal_without(journal: &Journal) -> Option<Journal> {
    let is_log = |line: &str| {
        let event = serde_json::from_str::<Value>(line).ok();
        event.is_some_and(|event| event["event"] == "log")
    };
    let has_log = journal.events.contains(r#""log""#);
    let plan = serde_json::from_str::<Value>(&journal.plan).ok().and_then(|mut plan| {
        let found = withhold(&mut plan);
        // It is not the text any more that was approved, so that no sum of it holds.
        if found && let Some(head) = plan.as_object_mut() {
            head.remove("sum");
        }
        found.then(|| plan.to_string())
    });
    if !has_log && plan.is_none() {
        return None;
    }
    let events: String = journal.events.split_inclusive('\n').filter(|line| !is_log(line)).collect();
    let plan = plan.map_or_else(|| journal.plan.clone(), Into::into);
    Some(Journal { events: events.into(), plan, ..journal.clone() })
}

/// Takes out the values of what has a name and a value, as environment variables have. Whether there were any.
fn withhold(value: &mut Value) -> bool {
    match value {
        Value::Object(fields) => {
            let named = fields.get("name").is_some_and(Value::is_string);
            let mut found = false;
            for (name, value) in fields {
                if named && name == "value" && value.as_str().is_some_and(|value| value != WITHHELD) {
                    *value = WITHHELD.into();
                    found = true;
                } else {
                    found |= withhold(value);
                }
            }
            found
        }
        Value::Array(values) => values.iter_mut().fold(false, |found, value| withhold(value) | found),
        _ => false,
    }
}

/// The member without the values in the schema change that runs there; `None`: there are none.
fn member_without(member: &Member) -> Option<Member> {
    let status = member.status.as_ref()?;
    let change = status.threads.as_ref()?.schema_change.as_ref()?;
    let statement = without_values(&change.statement);
    if statement == *change.statement {
        return None;
    }
    let mut status = (**status).clone();
    let change = status.threads.as_mut().and_then(|threads| threads.schema_change.as_mut());
    change.into_iter().for_each(|change| change.statement = statement.as_str().into());
    Some(Member { status: Some(Arc::new(status)), ..member.clone() })
}

/// A statement with `?` for every text and number in it, as ProxySQL's digests have it.
fn without_values(statement: &str) -> String {
    let mut told = String::with_capacity(statement.len());
    let mut rest = statement.chars().peekable();
    let mut word = false;
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' => {
                while let Some(inner) = rest.next() {
                    if inner == '\\' {
                        rest.next();
                    } else if inner == c && rest.next_if_eq(&c).is_none() {
                        break;
                    }
                }
                told.push('?');
                word = false;
            }
            _ if c.is_ascii_digit() && !word => {
                while rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
                told.push('?');
            }
            _ => {
                word = c.is_alphanumeric() || matches!(c, '_' | '$' | '`');
                told.push(c);
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Written;

    #[test]
    fn values_in_statements_are_not_kept() {
        for (statement, kept) in [
            (
                "ALTER TABLE invoice ADD note VARCHAR(40) DEFAULT 'it''s \\' me'",
                "ALTER TABLE invoice ADD note VARCHAR(?) DEFAULT ?",
            ),
            ("ALTER TABLE t2 MODIFY a1 INT DEFAULT 0x1F", "ALTER TABLE t2 MODIFY a1 INT DEFAULT ?"),
            ("OPTIMIZE TABLE `2025`", "OPTIMIZE TABLE `2025`"),
            ("CREATE USER x IDENTIFIED BY \"secret", "CREATE USER x IDENTIFIED BY ?"),
        ] {
            assert_eq!(without_values(statement), kept);
        }
    }

    #[test]
    fn logs_and_values_of_the_environment_are_not_kept_of_a_journal() {
        let journal = Journal {
            key: Key::new("wheelhouse", "run-1"),
            resource_version: "1".into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            state: None,
            of: Written::Run,
            plan: r#"{"sum":"1","approved":{"env":[{"name":"PASSWORD","value":"hunter2"},{"name":"A","valueFrom":{}}]}}"#.into(),
            events: "{\"event\":\"taken\"}\n{\"event\":\"log\",\"lines\":[\"token=abc\"]}\n".into(),
            asked: "".into(),
        };
        let kept = journal_without(&journal).expect("it has both");
        assert_eq!(&*kept.events, "{\"event\":\"taken\"}\n");
        assert!(!kept.plan.contains("hunter2") && !kept.plan.contains("sum"), "{}", kept.plan);
        assert_eq!(journal_without(&kept), None, "nothing is left to withhold");
    }
}

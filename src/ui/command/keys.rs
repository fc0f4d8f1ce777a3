//! Which keys the commands have: those of the table, or others that the configuration gives them.
//!
//! [`bind`] is pure and says what is wrong with a configuration; [`install`] makes the result the table of the process,
//! once, before the first screen.

use std::sync::OnceLock;

use super::{COMMANDS, Command, Entry, On};
use crate::cluster::{did_you_mean, near};

static BOUND: OnceLock<Vec<Entry>> = OnceLock::new();

/// All commands with their keys.
pub fn table() -> &'static [Entry] {
    BOUND.get().map_or(COMMANDS, Vec::as_slice)
}

/// Makes this the table, until the process ends. A second one is ignored.
pub fn install(table: Vec<Entry>) {
    let _ = BOUND.set(table);
}

/// What is wrong with the keys that the configuration gives a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadKey {
    /// The command, as the configuration names it.
    pub command: String,
    /// One sentence.
    pub why: String,
}

/// The table with other keys for some commands: each named with its keys. Texts live as long as the process.
///
/// # Errors
/// Everything that is wrong: a command there is not, a key there is not, a key that means two things in one place.
pub fn bind<'a>(changes: impl Iterator<Item = (&'a str, Vec<&'a str>)>) -> Result<Vec<Entry>, Vec<BadKey>> {
    let mut table = COMMANDS.to_vec();
    let mut wrong = Vec::new();
    let mut changed = Vec::new();
    for (name, keys) in changes {
        let mut say = |why: String| wrong.push(BadKey { command: name.to_owned(), why });
        let Some(at) = table.iter().position(|e| e.name == name || e.aliases.contains(&name)) else {
            let near = near(name, table.iter().map(|e| e.name));
            let near: Vec<_> = near.first().map(|near| format!("`{near}`")).into_iter().collect();
            let hint = match near.as_slice() {
                [] => "; `wheelhouse help keys` names them all".to_owned(),
                near => did_you_mean(near),
            };
            say(format!("there is no command `{name}`{hint}"));
            continue;
        };
        if let Some(key) = keys.iter().find(|key| !is_key(key)) {
            say(format!(
                "`{key}` is no key; keys are written like s, S, ctrl-r, space, enter, tab, pageup or F5"
            ));
            continue;
        }
        if let Some((key, sent)) = keys.iter().find_map(|key| Some((key, sent_as(key)?))) {
            say(format!("`{key}` is no key of its own: terminals send {sent} for it"));
            continue;
        }
        match table[at].command {
            Command::Escape => {
                say("`escape` keeps its key: esc leaves whatever lies over a screen".into());
                continue;
            }
            Command::Yes if keys.contains(&"enter") => {
                say("`yes` cannot be enter: enter opens reviews, and a second press would run the plan"
                    .into());
                continue;
            }
            _ => {}
        }
        table[at].keys = leak(&keys);
        changed.push(at);
    }
    give_way(&mut table, &changed);
    for at in changed {
        if let Some(why) = clash(&table, at) {
            wrong.push(BadKey { command: table[at].name.to_owned(), why });
        }
    }
    if wrong.is_empty() { Ok(table) } else { Err(wrong) }
}

/// The first lines have many keys, and any will do: those that the configuration gives to another command are its own.
fn give_way(table: &mut [Entry], changed: &[usize]) {
    let Some(at) = table.iter().position(|row| matches!(row.command, Command::AnswerLine(_))) else { return };
    if changed.contains(&at) {
        return;
    }
    let taken: Vec<&str> = changed.iter().flat_map(|row| table[*row].keys.iter().copied()).collect();
    let left: Vec<&str> = table[at].keys.iter().copied().filter(|key| !taken.contains(key)).collect();
    if left.len() < table[at].keys.len() {
        table[at].keys = leak(&left);
    }
}

/// What else a key of this row means in one place.
fn clash(table: &[Entry], at: usize) -> Option<String> {
    let row = &table[at];
    for (i, other) in table.iter().enumerate().filter(|(i, _)| *i != at) {
        let Some(key) = row.keys.iter().find(|key| other.keys.contains(key)) else { continue };
        let both = On::ALL.into_iter().find(|on| row.applies(*on) && other.applies(*on));
        if let Some(on) = both {
            let place = on.title().to_lowercase();
            let place = if on == On::Any { place } else { format!("on the screen `{place}`") };
            return Some(format!(
                "`{key}` is the key of `{}` too, {place}; give `{}` another key",
                other.name, table[i].name
            ));
        }
        // What asks for a review is not what says yes to it.
        let one_asks =
            |a: &Entry, b: &Entry| a.command == Command::Yes && b.acts && !b.on.contains(&On::Review);
        if one_asks(row, other) || one_asks(other, row) {
            return Some(format!(
                "`{key}` is the key of `{}` too: one key must not ask for a plan and run it; choose another",
                other.name
            ));
        }
    }
    None
}

/// What a terminal sends for a key that it has no code for.
fn sent_as(key: &str) -> Option<&'static str> {
    match key {
        "ctrl-m" | "ctrl-j" => Some("Enter"),
        "ctrl-i" => Some("Tab"),
        "ctrl-[" => Some("Esc"),
        "ctrl-h" => Some("Backspace"),
        _ => None,
    }
}

fn leak(keys: &[&str]) -> &'static [&'static str] {
    let keys: Vec<&'static str> =
        keys.iter().map(|key| &*Box::leak((*key).to_owned().into_boxed_str())).collect();
    Box::leak(keys.into_boxed_slice())
}

/// A key as [`super::key_name`] spells it.
fn is_key(key: &str) -> bool {
    const NAMED: [&str; 15] = [
        "space",
        "enter",
        "tab",
        "shift-tab",
        "backspace",
        "delete",
        "up",
        "down",
        "left",
        "right",
        "home",
        "end",
        "pageup",
        "pagedown",
        "esc",
    ];
    let one =
        |key: &str| key.chars().count() == 1 && key.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let function =
        key.strip_prefix('F').and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| (1..=12).contains(&n));
    let control = key.strip_prefix("ctrl-").is_some_and(|rest| one(rest) && rest == rest.to_lowercase());
    one(key) || NAMED.contains(&key) || function || control
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(changes: &[(&str, &[&str])]) -> Vec<String> {
        let changes = changes.iter().map(|(name, keys)| (*name, keys.to_vec()));
        bind(changes).err().unwrap_or_default().into_iter().map(|bad| bad.why).collect()
    }

    fn bound(changes: &[(&str, &[&str])]) -> Vec<Entry> {
        bind(changes.iter().map(|(name, keys)| (*name, keys.to_vec()))).expect("these keys are free")
    }

    #[test]
    fn a_command_has_the_keys_that_are_given_it() {
        let table = bound(&[("scale", &["ctrl-e", "F5"]), ("undo", &[]), ("runs", &["7"])]);
        let key = |name: &str| table.iter().find(|e| e.name == name).expect("a row").keys;
        assert_eq!((key("scale"), key("undo"), key("runs")), (&["ctrl-e", "F5"][..], &[][..], &["7"][..]));
        assert_eq!(key("open"), ["enter"]);
        assert_eq!(
            key("answer-line"),
            ["F2", "F3", "F4", "F6", "F7", "F8", "F9"],
            "any of them will do there"
        );
        // What is freed may be taken.
        let table = bound(&[("rebalance", &["s"]), ("scale", &["b"]), ("skip", &["ctrl-k"])]);
        assert_eq!(table.iter().find(|e| e.name == "rebalance").expect("a row").keys, ["s"]);
    }

    #[test]
    fn what_cannot_be_is_said_with_what_may_be_meant() {
        for (name, keys, why) in [
            ("scael", &["x"][..], "there is no command `scael`; did you mean `scale`?"),
            ("frobnicate", &["x"], "there is no command `frobnicate`; `wheelhouse help keys` names them all"),
            (
                "scale",
                &["hyper-x"],
                "`hyper-x` is no key; keys are written like s, S, ctrl-r, space, enter, tab, pageup or F5",
            ),
            (
                "scale",
                &[""],
                "`` is no key; keys are written like s, S, ctrl-r, space, enter, tab, pageup or F5",
            ),
            (
                "scale",
                &["b"],
                "`b` is the key of `rebalance` too, on the screen `tenants`; give `rebalance` another key",
            ),
            ("help", &["q"], "`q` is the key of `back` too, everywhere; give `back` another key"),
            ("yes", &["ctrl-m"], "`ctrl-m` is no key of its own: terminals send Enter for it"),
            ("scale", &["ctrl-i"], "`ctrl-i` is no key of its own: terminals send Tab for it"),
            ("scale", &["ctrl-["], "`ctrl-[` is no key of its own: terminals send Esc for it"),
            ("escape", &["x"], "`escape` keeps its key: esc leaves whatever lies over a screen"),
            (
                "yes",
                &["enter"],
                "`yes` cannot be enter: enter opens reviews, and a second press would run the plan",
            ),
            (
                "yes",
                &["s"],
                "`s` is the key of `scale` too: one key must not ask for a plan and run it; choose another",
            ),
        ] {
            assert_eq!(wrong(&[(name, keys)]), [why], "{name} {keys:?}");
        }
        assert_eq!(wrong(&[("scale", &["5"]), ("nodez", &["8"])]).len(), 2, "all of them are told");
    }
}

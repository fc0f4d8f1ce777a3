//! What the topics take from tables in the code.

use std::fmt::Write;

use super::answers::ANSWERS;
use crate::{
    cluster::RULES,
    config::{self, settings},
    run::rights::{RbacRole, Within},
    ui::{
        SIGNS,
        command::{self, Entry, On, key_sign},
    },
};

/// The text with every `{{name}}` replaced by what it stands for.
pub(super) fn filled(text: &str) -> String {
    type Made = fn() -> String;
    let parts: [(&str, Made); 6] = [
        ("{{keys}}", keys),
        ("{{signs}}", signs),
        ("{{findings}}", findings),
        ("{{settings}}", settings_of_all_sections),
        ("{{contexts}}", || settings::CONTEXTS_EXAMPLE.trim_end().to_owned()),
        ("{{roles}}", roles),
    ];
    let used = parts.into_iter().filter(|(name, _)| text.contains(name));
    used.fold(text.to_owned(), |text, (name, made)| text.replace(name, made().trim_end()))
}

/// A cell of a table: what would end it is written otherwise.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn keys() -> String {
    let mut out = String::new();
    for place in On::ALL {
        let of: Vec<_> = command::table().iter().filter(|e| e.on.contains(&place)).collect();
        if of.is_empty() {
            continue;
        }
        let _ = writeln!(out, "## {}\n\n| Key | Command | What it does |\n|---|---|---|", place.title());
        for e in of {
            let keys: Vec<_> = e.keys.iter().map(|key| format!("`{}`", cell(key_sign(key)))).collect();
            let _ = writeln!(out, "| {} | `{}` | {} |", keys.join(" "), cell(&name(e)), cell(e.doc));
        }
        out.push('\n');
    }
    out
}

/// `:scale TENANT NUMBER`.
fn name(e: &Entry) -> String {
    format!(":{} {}", e.name, e.takes.word()).trim_end().to_owned()
}

fn signs() -> String {
    let rows = SIGNS.iter().map(|(sign, doc)| format!("| `{}` | {} |\n", cell(sign), cell(doc)));
    format!("| Sign | |\n|---|---|\n{}", rows.collect::<String>())
}

fn findings() -> String {
    let mut out = String::from("| Finding | It means |\n|---|---|\n");
    for rule in RULES.iter() {
        let _ = write!(out, "| `{}` | {}", rule.name, cell(rule.doc));
        if let Some((_, thresholds, answer)) = ANSWERS.iter().find(|(name, ..)| *name == rule.name) {
            let thresholds: Vec<_> = thresholds.iter().map(|key| format!("`{key}`")).collect();
            let when = if thresholds.is_empty() {
                String::new()
            } else {
                format!(" When: {}.", thresholds.join(", "))
            };
            let _ = write!(out, "{when} Answer: {}", cell(answer));
        }
        out.push_str(" |\n");
    }
    out
}

fn settings_of_all_sections() -> String {
    let mut out = String::new();
    for section in settings::SECTIONS {
        let title = if section.name.is_empty() {
            "Before the first section".to_owned()
        } else {
            format!("[{}]", section.name)
        };
        let _ = writeln!(out, "## {title}\n");
        if !section.about.is_empty() {
            let _ = writeln!(out, "{}\n", section.about);
        }
        out.push_str("| Setting | What it says |\n|---|---|\n");
        for setting in section.settings {
            let kind = if setting.example.is_some() { "Such as" } else { "Default" };
            let written = config::written(section, setting);
            let _ = writeln!(
                out,
                "| `{}` | {} {kind}: `{}` |",
                setting.name,
                cell(setting.about),
                cell(&written)
            );
        }
        out.push('\n');
    }
    out
}

fn roles() -> String {
    let mut out = String::new();
    for role in RbacRole::ALL {
        let below: Vec<_> =
            role.with_those_below().iter().filter(|r| **r != role).map(|r| r.name()).collect();
        let beside =
            if below.is_empty() { String::new() } else { format!(" Beside {}.", below.join(" and ")) };
        let warning = role.warning().map_or(String::new(), |text| format!(" {text}"));
        let _ = writeln!(out, "## {}\n\nIt {}.{beside}{warning}\n", role.name(), role.about());
        out.push_str("| For | Verbs | On |\n|---|---|---|\n");
        for rule in role.rules() {
            let group = if rule.group.is_empty() { String::new() } else { format!(" ({})", rule.group) };
            let place = match rule.within {
                Within::Cluster | Within::Namespaces => "",
                Within::Journal => ", in the namespace of the journal",
            };
            let _ = writeln!(
                out,
                "| {} | {} | {}{group}{place} |",
                rule.what,
                rule.verbs.join(", "),
                rule.resources.join(", ")
            );
        }
        out.push('\n');
    }
    out
}

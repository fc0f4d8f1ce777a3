//! A plan in words: what the command line prints and the golden tests keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use unicode_width::UnicodeWidthStr;

use super::{About, Change, Check, DatabasePart, Intent, Part, PartRef, Plan, Verdict};
use crate::cluster::NodeName;

/// Columns a plan is written in.
const WIDTH: usize = 100;

/// One line of a described plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Its text, at most 100 columns wide where names allow.
    pub text: String,
}

/// What a line of a described plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// What is planned, and the plan's id.
    Title,
    /// A tenant's name and numbers, in a plan of several.
    Tenant,
    /// Pods by node, now or afterwards.
    Placement,
    /// A check, or the rest of one.
    Check(Verdict),
    /// A step.
    Step,
    /// The `kubectl` line.
    Kubectl,
    /// Clients that are cut.
    Cut,
    /// A statement that does the same.
    Sql,
    /// What undoing it would do.
    Undo,
    /// Nothing.
    Blank,
}

impl Verdict {
    /// The glyph of a check: with the word that follows it, readable without colour.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warn => "▲",
            Self::Refuse => "✖",
        }
    }
}

/// The plan in words, line by line. Of a plan that refuses itself, the steps are left out: nobody should copy them.
pub fn describe(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    let title = plan.title();
    let gap = WIDTH.saturating_sub(title.width() + 5 + plan.id.width()).max(2);
    push(&mut lines, LineKind::Title, format!("{title}{}plan {}", " ".repeat(gap), plan.id));
    let names = plan.all_checks().map(|c| c.rule.width()).max().unwrap_or(0);
    plan.checks.iter().for_each(|c| check(&mut lines, c, names));
    for part in &plan.tenants {
        if plan.tenants.len() > 1 {
            push(&mut lines, LineKind::Blank, String::new());
            push(&mut lines, LineKind::Tenant, format!(" {} {} → {}", part.tenant, part.from, part.to));
        }
        placement(&mut lines, part);
        part.checks.iter().for_each(|c| check(&mut lines, c, names));
    }
    for part in &plan.nodes {
        part.checks.iter().for_each(|c| check(&mut lines, c, names));
    }
    if let Some(part) = &plan.database {
        for (word, rows) in [("now", &part.now), ("after", &part.after)] {
            if word == "now" || (*rows != part.now && !plan.steps.is_empty()) {
                for (i, text) in rows.iter().enumerate() {
                    let head = format!("  {:<7}", if i == 0 { word } else { "" });
                    wrap(&head, text, |text| push(&mut lines, LineKind::Placement, text));
                }
            }
        }
        part.cut.iter().for_each(|cut| {
            let head = if cut.stays() { "  stay   " } else { "  cut    " };
            wrap(head, &cut.text, |text| push(&mut lines, LineKind::Cut, text));
        });
        part.checks.iter().for_each(|c| check(&mut lines, c, names));
    }
    if plan.steps.is_empty() || plan.refusals().next().is_some() {
        return lines;
    }
    push(&mut lines, LineKind::Blank, String::new());
    for (step, number) in plan.steps.iter().zip(1..) {
        let what = plan.step_words(step);
        let text = match step.change.is_write() {
            true => format!("  {number:>2}  {what}"),
            false => format!("  {number:>2}  {what}, at most {}", span(step.within)),
        };
        push(&mut lines, LineKind::Step, text);
    }
    for part in plan.parts() {
        let kind = if part.about() == About::Database { LineKind::Sql } else { LineKind::Kubectl };
        part.by_hand().into_iter().for_each(|line| push(&mut lines, kind, format!("  {line}")));
    }
    let several = plan.parts().count() > 1;
    let undo = plan.parts().filter(|part| !part.undo().is_empty()).map(|part| match several {
        false => part.undo().to_owned(),
        true => format!("{} {}", part.about(), part.undo()),
    });
    let undo: Vec<_> = undo.collect();
    if !undo.is_empty() {
        wrap("  undo: ", &undo.join(", "), |text| push(&mut lines, LineKind::Undo, text));
    }
    lines
}

impl Plan {
    /// What is planned, in a few words: `scale globex 3 → 5`, `undo 9c1f: scale globex 5 → 3`.
    pub fn summary(&self) -> String {
        const SHOWN: usize = 3;
        let words: Vec<_> = self.tenants.iter().map(|part| PartRef::Tenant(part).words()).collect();
        let tenants = match words.len().saturating_sub(SHOWN) {
            0 => words.join(", "),
            more => format!("{} and {more} more", words[..SHOWN].join(", ")),
        };
        match &self.intent {
            Intent::Scale { targets } if words.is_empty() => match targets.as_slice() {
                [one] => format!("scale {} to {}", one.tenant, one.to),
                several => format!("scale {} tenants", several.len()),
            },
            Intent::Scale { .. } => format!("scale {tenants}"),
            Intent::Move { moved } if moved.tenant.is_none() => {
                format!("evict {} from {}", moved.pod, moved.from)
            }
            Intent::Move { moved } => {
                let to = moved.to.as_ref().map_or("no node", NodeName::as_str);
                format!("move {} {} → {to}", moved.pod.name, moved.from)
            }
            Intent::Cordon { node, cordoned: true } => format!("cordon {node}"),
            Intent::Cordon { node, cordoned: false } => format!("uncordon {node}"),
            Intent::Restart { tenant } => format!("restart {tenant}"),
            Intent::DeletePod { pod } => format!("delete pod {}", pod.name),
            Intent::Migrate { migration } => match &migration.image {
                Some(image) => format!("migrate {} with {image}", migration.tenant),
                None => format!("migrate {}", migration.tenant),
            },
            Intent::Rollback { rollback } => {
                format!("rollback {} to revision {}", rollback.tenant, rollback.to.number)
            }
            Intent::Release { release } => format!("release {} to {}", release.image, release.tenant),
            Intent::Resize { limits } if words.is_empty() => format!("resize {}", limits.tenant),
            Intent::Resize { .. } => format!("resize {tenants}"),
            Intent::Database { act } => match &self.database {
                Some(part) => part.words(),
                None => act.to_string(),
            },
            Intent::Undo { run, changes } => {
                let run = run.rsplit('-').next().unwrap_or(run);
                let mut what: Vec<_> = self.database.iter().map(DatabasePart::words_of_undo).collect();
                if !words.is_empty() {
                    let scales = self.tenants.iter().all(|part| part.what.is_none());
                    let resizes = changes.iter().any(|(_, change)| matches!(change, Change::Resize(_)));
                    let verb = match (scales, resizes) {
                        (true, _) => "scale",
                        (false, true) => "resize",
                        (false, false) => "move",
                    };
                    what.insert(0, format!("{verb} {tenants}"));
                }
                what.extend(self.nodes.iter().map(|part| PartRef::Node(part).words()));
                match what.is_empty() {
                    true => format!("undo run {run}"),
                    false => format!("undo {run}: {}", what.join(", ")),
                }
            }
        }
    }

    /// The same as a title: `Scale globex 3 → 5`.
    pub fn title(&self) -> String {
        let text = self.summary();
        let mut letters = text.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => text,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in describe(self) {
            writeln!(f, "{}", line.text)?;
        }
        Ok(())
    }
}

fn push(lines: &mut Vec<Line>, kind: LineKind, text: String) {
    lines.push(Line { kind, text: text.trim_end().to_owned() });
}

/// Pods a node, now and afterwards, in columns that stand under each other; more nodes than fit go on below.
fn placement(lines: &mut Vec<Line>, part: &Part) {
    let nodes: Vec<&NodeName> =
        part.now.keys().chain(part.predicted.keys()).collect::<BTreeSet<_>>().into_iter().collect();
    if part.now == part.predicted && part.from == part.to || nodes.is_empty() {
        return;
    }
    let cell = |pods: &BTreeMap<NodeName, u32>, node: &NodeName| match pods.get(node) {
        None | Some(0) => "·".to_owned(),
        Some(1) => "1".to_owned(),
        Some(n) => format!("{n}!"),
    };
    let width = |n: &NodeName| {
        n.as_str().width() + 1 + cell(&part.now, n).width().max(cell(&part.predicted, n).width())
    };
    let mut rest = nodes.as_slice();
    while !rest.is_empty() {
        let mut used = 9;
        let fit = rest.iter().take_while(|n| {
            used += width(n) + 3;
            used <= WIDTH + 3
        });
        let (row, below) = rest.split_at(fit.count().max(1));
        let none_stays = part.unpredicted.is_some() && part.predicted.is_empty();
        for (word, pods) in [("now", &part.now), ("stay", &part.predicted), ("after", &part.predicted)] {
            if word != "now" && ((word == "after") == part.unpredicted.is_some() || none_stays) {
                continue;
            }
            let cells = row.iter().map(|n| {
                let text = format!("{n} {}", cell(pods, n));
                format!("{text}{}", " ".repeat(width(n).saturating_sub(text.width())))
            });
            let text = format!("  {word:<7}{}", cells.collect::<Vec<_>>().join("   "));
            push(lines, LineKind::Placement, text);
        }
        rest = below;
    }
    if let Some(text) = part.arrivals() {
        push(lines, LineKind::Placement, format!("  after  {text}"));
    }
    if let Some(text) = part.as_well() {
        wrap("         ", &text, |text| push(lines, LineKind::Placement, text));
    }
}

fn check(lines: &mut Vec<Line>, check: &Check, names: usize) {
    let head = format!("  {} {:<names$}  ", check.verdict.glyph(), check.rule);
    wrap(&head, &check.text, |text| push(lines, LineKind::Check(check.verdict), text));
}

/// Breaks a text between words, the further lines indented as far as the first; names are never broken.
fn wrap(head: &str, text: &str, mut line: impl FnMut(String)) {
    let indent = head.width();
    let mut current = head.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && current.width() + 1 + word.width() > WIDTH {
            line(std::mem::replace(&mut current, " ".repeat(indent)));
            empty = true;
        }
        if !empty {
            current.push(' ');
        }
        current.push_str(word);
        empty = false;
    }
    line(current);
}

/// `90s`, `4m`.
fn span(seconds: u32) -> String {
    if seconds.is_multiple_of(60) { format!("{}m", seconds / 60) } else { format!("{seconds}s") }
}

//! The status in sentences, for screen readers and for ears: every state is a word, and there are neither tables nor signs.

use super::StatusJson;
use crate::{
    cluster::{
        Finding, Health, NodeState, Severity, Snapshot,
        database::subject,
        refuses,
        words::{count, span},
        worst_of_tenants,
    },
    ui,
};

/// The whole status, a sentence a line.
pub(super) fn text(status: &StatusJson<'_>, snapshot: &Snapshot, again: &str) -> String {
    let mut lines = vec![cluster(status), tenants(status), nodes(status)];
    let database = status.database.as_ref().map(|headline| headline.replace('/', " of "));
    lines.push(format!("Database: {}.", database.as_deref().unwrap_or("not configured")));
    if let Some(why) = snapshot.room_unknown() {
        lines.push(format!("Room on the nodes, and the harm of losing one, are not known: {why}."));
    }
    lines.extend(status.campaigns.iter().map(|it| format!("Unfinished campaign. {}.", it.summary(again))));
    for run in &status.runs {
        let by = format!("of {} is {}: {}", run.operator, run.state, run.summary);
        lines.push(format!("Unfinished run {} {by}.", run.id));
    }
    match status.findings {
        [] => lines.push("Nothing is wrong.".into()),
        all => lines.extend(all.iter().map(|finding| told(finding, snapshot))),
    }
    lines.extend(each_tenant(status, snapshot));
    lines.extend(each_node(snapshot));
    lines.iter().map(|line| spoken(line) + "\n").collect()
}

fn cluster(status: &StatusJson<'_>) -> String {
    let it = &status.cluster;
    let user = it.user.map_or(String::new(), |user| format!(", as {user}"));
    let within = it.namespace.map_or(String::new(), |n| format!(" Only namespace {n} is looked at."));
    format!("Cluster {} at {}{user}.{within}", it.context, it.server)
}

fn tenants(status: &StatusJson<'_>) -> String {
    let all = &status.tenants;
    let mut parts: Vec<String> = all.words().into_iter().map(|(_, text)| text).collect();
    parts.push(format!("{} ok", all.ok));
    if all.parked > 0 {
        parts.push(format!("{} parked", all.parked));
    }
    format!("{}: {}.", count(all.total, "tenant"), parts.join(", "))
}

fn nodes(status: &StatusJson<'_>) -> String {
    let of = &status.nodes;
    match (of.total, of.ready, of.cordoned) {
        (Some(total), Some(ready), Some(cordoned)) => {
            let cordoned = if cordoned > 0 { format!(", {cordoned} cordoned") } else { String::new() };
            format!("{}: {ready} ready{cordoned}.", count(total, "node"))
        }
        _ => "The nodes are not known.".into(),
    }
}

/// `Critical: tenant acme: no pod of 3 is ready. Since 4 minutes.`
fn told(finding: &Finding, snapshot: &Snapshot) -> String {
    let severity = match finding.severity {
        Severity::Critical => "Critical",
        Severity::Warning => "Warning",
        Severity::Notice => "Notice",
    };
    let about = subject(snapshot, &finding.subject);
    let since = finding.since.map_or(String::new(), |since| {
        let seconds = snapshot.at.duration_since(since).as_secs();
        format!(" Since {}.", length(seconds))
    });
    let answer = finding.remedy.as_deref().map_or(String::new(), |remedy| format!(" To do: {remedy}."));
    format!("{severity}: {about}: {}.{since}{answer}", finding.text)
}

/// A length of time in words: `4 minutes`.
fn length(seconds: i64) -> String {
    let text = span(seconds);
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        _ => "day",
    };
    count(number.parse::<i64>().unwrap_or_default(), unit)
}

fn each_tenant(status: &StatusJson<'_>, snapshot: &Snapshot) -> Vec<String> {
    let worst = worst_of_tenants(status.findings);
    let refused = refuses(snapshot, status.findings);
    let mut all: Vec<_> = snapshot
        .tenants
        .values()
        .map(|tenant| (Health::of(snapshot, tenant, worst.get(&tenant.name).copied(), refused), tenant))
        .collect();
    all.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.name.cmp(&other.name)));
    let line = |(health, tenant): (Health, &std::sync::Arc<crate::cluster::Tenant>)| {
        let places: Vec<_> =
            tenant.placement().into_iter().map(|(node, pods)| format!("{pods} on {node}")).collect();
        let places = if places.is_empty() { "on no node".to_owned() } else { places.join(", ") };
        let wanted = status.lent.wanted(tenant);
        let ready = format!("{} of {} ready", tenant.ready(), count(wanted, "pod"));
        format!("Tenant {} is {health}: {ready}, {places}.", tenant.name)
    };
    all.into_iter().map(line).collect()
}

fn each_node(snapshot: &Snapshot) -> Vec<String> {
    let line = |node: &std::sync::Arc<crate::cluster::Node>| {
        let state = match node.state() {
            NodeState::Pressure => "ready and under pressure",
            other => other.word(),
        };
        let pods =
            snapshot.load_of(&node.name).map_or("pods not known".to_owned(), |load| count(load.pods, "pod"));
        format!("Node {} is {state}: {pods}.", node.name)
    };
    snapshot.nodes.values().map(line).collect()
}

/// The line without signs that are read out as their names, or not at all.
fn spoken(line: &str) -> String {
    let words = [
        ("…", " and so on"),
        (" → ", " to "),
        ("→", " to "),
        (" · ", ", "),
        ("×", " times"),
        ("≥", "at least "),
        ("≤", "at most "),
        ("▲ ", ""),
        ("✖ ", ""),
        ("• ", ""),
        ("✓ ", ""),
        ("`", ""),
        ("?.", "?"),
        ("..", "."),
    ];
    words.iter().fold(ui::plain(line).into_owned(), |line, (sign, word)| line.replace(sign, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_become_words() {
        assert_eq!(spoken("acme 3 → 1 · ▲ `rebalance`"), "acme 3 to 1, rebalance");
        assert_eq!([length(1), length(240), length(7_200)], ["1 second", "4 minutes", "2 hours"]);
    }
}

//! `wheelhouse check`: a monitoring plug-in. One line, and the exit code says the rest: 0 ok, 1 warning, 2 critical, 3
//! unknown. After the bar stand the values as such plug-ins give them: `label=value[unit];warning;critical;least;most`.

use super::{Common, Failure, output, session, table};
use crate::cluster::{
    Database, Finding, Severity, Snapshot, Subject, Tenant,
    database::{Row, State, subject},
    findings, refuses, words,
};
use crate::run::{self, RunSeen, campaign};

/// So many of the worst rules stand in the line, and so many findings of each.
const NAMED: usize = 3;

pub(super) async fn run(common: &Common) -> Result<(), Failure> {
    let looked = match session::open(common).await {
        Ok(mut session) => {
            let looked = session.observed_with_database().await;
            looked.map(|snapshot| (session.unreadable_journals(&snapshot), snapshot))
        }
        Err(failure) => Err(failure),
    };
    let (code, line) = match looked {
        Ok((unreadable, snapshot)) => line(&snapshot, &unreadable),
        Err(failure) => (3, format!("UNKNOWN - {}", failure.to_string().replace('|', "/"))),
    };
    let printed = table::print(&one_line(&line));
    // What watches goes by the code, whoever reads the line: one that could not be told is unknown, never a warning.
    match (code, printed) {
        (0, Ok(())) => Ok(()),
        (0, Err(Failure::Unheard)) => Err(Failure::Unheard),
        (0, Err(why)) => {
            let _ = output::tell(why);
            Err(Failure::Checked(3))
        }
        (code, _) => Err(Failure::Checked(code)),
    }
}

/// Says that the arguments are wrong, as a plug-in does, and leaves.
pub(super) fn wrong_usage(why: &str) -> ! {
    let first = why.lines().find(|line| !line.trim().is_empty()).unwrap_or("wrong arguments");
    let _ = table::print(&one_line(&format!("UNKNOWN - {}", first.trim_start_matches("error: "))));
    std::process::exit(3);
}

fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("WHEELHOUSE {}\n", table::plain(&text))
}

fn line(snapshot: &Snapshot, unreadable: &[String]) -> (u8, String) {
    let all = run::runs(snapshot);
    let lent = run::Lent::of(&all);
    let mut found = run::told(findings(snapshot).into(), snapshot, &all, unreadable, Vec::new()).to_vec();
    // Who drives the run knows; one that nobody drives has a line of its own.
    found.retain(|finding| !lent.tells(finding, snapshot));
    let database = Database::of(snapshot);
    // Nothing can be said of members that cannot be read.
    let blind = |row: &Row| matches!(row.state, State::Unreadable | State::Unknown);
    let blind = database.as_ref().is_some_and(|d| !d.members.is_empty() && d.members.iter().all(blind));
    let unknown = unknown(snapshot, database.as_deref());
    // What an operator has begun and nobody is at is a warning: it stays half done.
    let campaigns = campaign::campaigns(snapshot);
    let open = |id: &String| campaigns.iter().any(|c| c.campaign.id == *id && !c.campaign.state.is_over());
    let unfinished: Vec<_> = campaigns.iter().filter(|known| known.wants_an_operator()).collect();
    // What a campaign goes on with is told by it, but where the outcome of its run is open.
    let alone = |known: &RunSeen| known.run.campaign.as_ref().is_none_or(|id| !open(id));
    let waiting: Vec<_> = all.iter().filter(|known| known.wants_an_operator()).collect();
    let (undecided, waiting): (Vec<_>, Vec<_>) =
        waiting.into_iter().partition(|k| k.open(snapshot).is_some());
    let waiting: Vec<_> = waiting.into_iter().filter(|known| alone(known)).collect();
    let (code, word) = match found.iter().map(|f| f.severity).max() {
        Some(Severity::Critical) => (2, "CRITICAL"),
        _ if blind || unknown.is_some() => (3, "UNKNOWN"),
        Some(Severity::Warning) => (1, "WARNING"),
        _ if !undecided.is_empty() || !waiting.is_empty() || !unfinished.is_empty() => (1, "WARNING"),
        Some(Severity::Notice) | None => (0, "OK"),
    };
    let tenants = snapshot.tenants.len();
    // What a run holds at less for a while is asked for all the same.
    let wanted = |t: &Tenant| lent.wanted(t);
    // Where the database refuses everybody, no tenant serves its users, however many of its pods are ready.
    let refused = refuses(snapshot, &found);
    let whole = snapshot.tenants.values().filter(|t| !refused && t.ready() >= wanted(t)).count();
    let (nodes, ready) = (snapshot.nodes.len(), snapshot.nodes.values().filter(|n| n.is_ready()).count());
    let nodes_known = snapshot.nodes.freshness.is_known();
    let not_known = |n: usize| if n > 0 { format!(" ({n} not known)") } else { String::new() };
    let of_nodes = match nodes_known {
        true => format!("{ready}/{nodes} nodes ready{}", not_known(snapshot.nodes.unknown().count())),
        false => "nodes not known".into(),
    };
    let unread = snapshot.tenants.values().filter(|t| t.unread > 0 && t.ready() < wanted(t)).count();
    let unread = not_known(unread);
    let served = if refused { "served (the database refuses writes)" } else { "ready" };
    let mut text = format!("{word} - {whole}/{tenants} tenants {served}{unread}, {of_nodes}");
    if let Some(namespace) = &snapshot.namespace {
        text += &format!(" (namespace {namespace} only)");
    }
    if let Some(why) = unknown {
        text += &format!("; {why}");
    }
    let of = |severity| found.iter().filter(|f| f.severity == severity).count();
    let left = undecided.len() + waiting.len() + unfinished.len();
    let (critical, warning) = (of(Severity::Critical), of(Severity::Warning) + left);
    let nodes = if nodes_known { format!("{ready};;;0;{nodes}") } else { "U".into() };
    let mut data = format!(
        "tenants_whole={whole};;;0;{tenants} nodes_ready={nodes} critical={critical};;;0 warning={warning};;;0"
    );
    if let Some(database) = &database {
        text += &format!(", {}", database.headline());
        if !database.members.is_empty() {
            data += &members(snapshot, database);
        }
        if database.answering.1 > 0 {
            data += &format!(" proxies_answering={};;;0;{}", database.answering.0, database.answering.1);
        }
    }
    // What is not known has been said.
    let said =
        |f: &Finding| !nodes_known && matches!(&f.subject, Subject::Source(name) if &**name == "nodes");
    let found: Vec<_> = found.into_iter().filter(|f| !said(f)).collect();
    for known in &undecided {
        let (run, shown, id) = (&known.run, known.shown(), &known.run.id);
        let meanwhile = known.meanwhile(snapshot);
        let why = meanwhile.clone().or_else(|| known.open(snapshot)).unwrap_or_default();
        // Where an operator has to say how a job ended, going on without a word would be refused.
        let next = match meanwhile.is_some() || run.undecided().is_empty() {
            true => format!("`wheelhouse runs resume {id}` goes on with it"),
            false => format!("`wheelhouse runs resume {id} --as succeeded` or `--as failed` decides"),
        };
        text += &format!("; run {} {shown}: {}: {why} ({next})", run.short(), run::summary(run));
    }
    for known in &unfinished {
        let (it, shown, counts) = (&known.campaign, known.shown(), known.campaign.counts());
        let (name, goal, id) = (it.short(), &it.goal, &it.id);
        text += &format!(
            "; campaign {name} {shown}: {goal}, {} of {} done (`wheelhouse campaigns resume {id}` goes on with it)",
            counts.done, counts.all
        );
    }
    for known in &waiting {
        let (run, shown) = (&known.run, known.shown());
        text += &format!("; run {} {shown}: {}", run.short(), run::summary(run));
    }
    // What an operator has begun comes before what is only found.
    let (journals, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|f| f.rule == run::JOURNAL_UNREADABLE);
    for sentence in loud(snapshot, &journals) {
        text += &format!("; {sentence}");
    }
    let loud = loud(snapshot, &found);
    for sentence in loud.iter().take(NAMED) {
        text += &format!("; {sentence}");
    }
    if loud.len() > NAMED {
        text += &format!("; {}", words::count(loud.len() - NAMED, "other kind") + " of finding");
    }
    // What follows the bar is for programs.
    (code, format!("{} | {data}", text.replace('|', "/")))
}

/// Why nothing wrong is no good news: what it would be seen in is not seen.
fn unknown(snapshot: &Snapshot, database: Option<&Database>) -> Option<String> {
    let nodes = snapshot.nodes.freshness.trouble().filter(|_| snapshot.namespace.is_none());
    match nodes {
        Some(why) => Some(format!("nodes cannot be read: {why}")),
        // What could not be read is a finding, and may be all there is.
        None if snapshot.tenants.is_empty() && !snapshot.unreadable().is_empty() => {
            Some("no tenant could be read".into())
        }
        None if !snapshot.tenants.is_empty()
            && snapshot.tenants.values().all(|t| t.unread > 0 && t.ready() == 0) =>
        {
            Some("no pod of any tenant could be read".into())
        }
        None if snapshot.tenants.is_empty() && database.is_none() => {
            Some("no workload is a tenant: see [tenants] in the configuration".into())
        }
        None => None,
    }
}

/// Names, and what is said of all of them.
type Said = Vec<(Vec<String>, String)>;

/// What is wrong, worst first: what follows from another finding is told by that one. The findings of one rule stand
/// together, those with the same words once.
fn loud(snapshot: &Snapshot, found: &[Finding]) -> Vec<String> {
    let told = |f: &&Finding| f.severity > Severity::Notice && f.because.is_none();
    let mut rules: Vec<((&str, Severity), Said)> = Vec::new();
    for finding in found.iter().filter(told) {
        let about = subject(snapshot, &finding.subject).into_owned();
        let rule = (finding.rule, finding.severity);
        let said = match rules.iter_mut().find(|(other, _)| *other == rule) {
            Some((_, said)) => said,
            None => {
                rules.push((rule, Vec::new()));
                &mut rules.last_mut().expect("just pushed").1
            }
        };
        // What a source says is as old as it: that is what is wrong with it.
        let since = finding.since.filter(|_| finding.rule == "source-lost");
        let since = since.map_or(String::new(), |since| format!(" ({})", words::age(snapshot.at, since)));
        let text = format!("{}{since}", finding.text);
        match said.iter_mut().find(|(_, other)| *other == text) {
            Some((names, _)) => names.push(about),
            None => said.push((vec![about], text)),
        }
    }
    let sentence = |mut said: Said| {
        // Findings come in the order of addresses, and are told by names.
        for (names, _) in &mut said {
            names.sort_by(|a, b| words::natural(a, b));
        }
        let more = said.len().saturating_sub(NAMED);
        let shown: Vec<_> =
            said.iter().take(NAMED).map(|(names, text)| format!("{}: {text}", names.join(", "))).collect();
        let more = if more > 0 { format!(", and {more} more like these") } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    rules.into_iter().map(|(_, said)| sentence(said)).collect()
}

/// The values of the members; one that no member tells is `U`, as plug-ins spell it.
fn members(snapshot: &Snapshot, database: &Database) -> String {
    let limits = &snapshot.database.thresholds;
    let now = || database.members.iter().filter_map(|row| row.now());
    // With one digit: 0.07 is 7, not 7.000000000000001.
    let percent = |share: f64| (share * 1000.0).round() / 10.0;
    let known = |value: Option<String>| value.unwrap_or_else(|| "U".into());
    let share = now().filter_map(|s| s.flow.share).reduce(f64::max);
    let queue = now().map(|s| s.receive_queue).max();
    format!(
        " members_in_view={};;;0;{} flow_control={};{};{};0;100 receive_queue={};{};;0",
        database.quorum.present(),
        database.quorum.expected,
        known(share.map(|share| format!("{:.1}%", share * 100.0))),
        percent(limits.flow_control),
        percent(limits.flow_control_critical),
        known(queue.map(|queue| queue.to_string())),
        limits.queue,
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cluster::sketch;

    #[test]
    fn findings_of_one_rule_stand_together_and_no_two_numbers_become_one() {
        let now: Timestamp = "2026-11-29T09:00:00Z".parse().expect("a time");
        let text = "node w1\nnode w2\ntenant acme 2 on w1 w1\ntenant globex 4 on w1 w1 w1 w1\n\
                    tenant hooli 2 on w1 w1\ntenant wonka 2 on w1 w2";
        let seen = sketch(text, now).expect("a sketch");
        let told = loud(&seen, &findings(&seen));
        let doubled = told.iter().find(|sentence| sentence.contains("both pods on w1"));
        let doubled = doubled.unwrap_or_else(|| panic!("{told:?}"));
        assert!(
            doubled.contains("acme, hooli: both pods on w1"),
            "those with the same words once: {doubled}"
        );
        assert!(doubled.contains("globex: all 4 pods on w1"), "{doubled}");
        assert!(!doubled.contains("2-4"), "{doubled}");
    }
    #[test]
    fn a_journal_that_cannot_be_read_is_a_warning_and_is_named() {
        use crate::cluster::{Journal, Key, Observation, Seen, Written};
        let now: Timestamp = "2026-11-29T09:00:00Z".parse().expect("a time");
        let mut seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", now).expect("a sketch");
        let (code, before) = line(&seen, &[]);
        let key = Key::new("wheelhouse", "run-20261129-090000-abcd");
        let journal = Journal {
            key: key.clone(),
            state: None,
            resource_version: "1".into(),
            created: now,
            of: Written::Run,
            plan: "{".into(),
            events: "".into(),
            asked: "".into(),
        };
        seen.observe(Observation::Journal(Seen::All(vec![(key, journal)], now)));
        let (then, told) = line(&seen, &run::unreadable_journals(&seen));
        assert!(
            told.contains("journal wheelhouse/run-20261129-090000-abcd: its plan cannot be read"),
            "{told}"
        );
        assert_eq!((code, then), (0, 1), "{before}\n{told}");
    }

    #[test]
    fn objects_that_cannot_be_read_are_never_good_news() {
        use crate::cluster::{Key, Observation, Seen};
        let now: Timestamp = "2026-11-29T09:00:00Z".parse().expect("a time");
        let whole = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", now).expect("a sketch");
        assert_eq!(line(&whole, &[]).0, 0);
        let odd = |seen: &mut Snapshot| {
            let why = "container php-fpm: memory: plenty is no quantity".into();
            seen.observe(Observation::Deployment(Seen::Unreadable(Key::new("globex", "globex"), why)));
        };
        let mut seen = whole.clone();
        odd(&mut seen);
        let (code, told) = line(&seen, &[]);
        assert_eq!(code, 1, "{told}");
        assert!(told.starts_with("WARNING") && told.contains("globex/globex: container php-fpm"), "{told}");

        let mut seen = sketch("node w1\nnode w2", now).expect("a sketch");
        odd(&mut seen);
        let (code, told) = line(&seen, &[]);
        assert_eq!(code, 3, "{told}");
        assert!(told.starts_with("UNKNOWN") && told.contains("no tenant could be read"), "{told}");

        let mut seen = whole;
        let pods = seen.pods.items.keys().cloned().map(|key| (key, "no status".into())).collect();
        let gone: Vec<Key> = seen.pods.items.keys().cloned().collect();
        gone.into_iter().for_each(|key| {
            seen.observe(Observation::Pod(Seen::Gone(key)));
        });
        seen.observe(Observation::Pod(Seen::AllBut(Vec::new(), pods, now)));
        let (code, told) = line(&seen, &[]);
        assert_eq!(code, 3, "{told}");
        assert!(told.contains("no pod of any tenant could be read"), "{told}");
    }

    /// A run of that id as its journal, with what happened in it.
    fn journal(id: &str, approved: &crate::plan::Approved, events: &str) -> crate::cluster::Journal {
        use crate::cluster::{Journal, Key, Written};
        let head = serde_json::json!({"format": 3, "id": id, "operator": "alice@bastion", "user": null,
            "approved": approved});
        Journal {
            key: Key::new("wheelhouse", format!("run-{id}")),
            state: None,
            resource_version: "1".into(),
            created: "2026-11-29T09:00:00Z".parse().expect("a time"),
            of: Written::Run,
            plan: head.to_string().into(),
            events: events.into(),
            asked: "".into(),
        }
    }

    #[test]
    fn an_open_migration_comes_before_all_else_and_its_tenant_is_not_whole() {
        use crate::{
            cluster::{Observation, Seen},
            plan::{Change, Intent, Migrations, Target, plan},
        };
        let now: Timestamp = "2026-11-29T09:00:00Z".parse().expect("a time");
        let text = |acme: &str| {
            format!(
                "node w1\nnode w2\nnode w3\ntenant acme {acme}\ntenant globex 2 on w1 w2\ntenant hooli 2 on w1 w1"
            )
        };
        let mut before = sketch(&text("3 on w1 w2 w3"), now).expect("a sketch");
        before.observe(Observation::Job(Seen::All(vec![], now)));
        let intent = Intent::Migrate { migration: Migrations::default().of("acme".into()) };
        let migrate = plan(&before, &intent).approve(Some("acme"), None).expect("it can be done");
        let (first, second) = ("20261129-084500-aaaa", "20261129-085000-bbbb");
        let migrate = migrate.of_run(first);
        let steps = &migrate.plan().steps;
        let starts = steps.iter().position(|s| matches!(s.change, Change::StartJob(_))).expect("a job");
        let entry = |event: String| {
            format!(r#"{{"at":"2026-11-29T08:45:00Z","by":"alice@bastion","token":1,{event}}}"#) + "\n"
        };
        let mut events = entry(r#""event":"taken""#.into());
        for step in 0..=starts {
            events += &entry(format!(r#""event":"started","step":{step}"#));
            events += &entry(format!(r#""event":"done","step":{step},"text":"as planned""#));
        }
        let scale = Intent::Scale { targets: vec![Target { tenant: "globex".into(), to: 3 }] };
        let scale = plan(&before, &scale).approve(None, None).expect("it can be done");
        let mut seen = sketch(&text("1 on w1"), now).expect("a sketch");
        let newer = journal(second, &scale, &entry(r#""event":"taken""#.into()));
        for journal in [newer, journal(first, &migrate, &events)] {
            seen.observe(Observation::Journal(Seen::Put(journal.key.clone(), journal)));
        }
        let (code, told) = line(&seen, &["journal wheelhouse/run-x: its plan cannot be read".into()]);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("2/3 tenants ready"), "acme has 1 of 3: {told}");
        let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("no {text}: {told}"));
        let order = [
            at("run aaaa interrupted: "),
            at("how this came out is not known: "),
            at("wheelhouse runs resume 20261129-084500-aaaa"),
            at("run bbbb interrupted"),
            at("journal wheelhouse/run-x: its plan cannot be read"),
        ];
        assert!(!told.contains("acme: 1 replica asked for"), "the run's line tells it: {told}");
        assert!(order.is_sorted(), "{order:?}: {told}");
        let known = run::runs(&seen);
        let stops = crate::ui::stops::waiting(&[], &known, &seen);
        assert_eq!(stops[0], crate::ui::stops::Stop::Run(first.into()), "{stops:?}");
    }
}

//! The rehearsal of a plan: every right and every write is asked about while nothing moves.
//!
//! Called before the operator says yes, so that a missing right or an admission webhook shows at once and not half-way.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, stream};

use super::{
    Access, Rehearsal, Run, journal,
    perform::{Clock, Failure, Right, Running, Writer, act},
};
use crate::{
    plan::{Change, Check, IMAGE, Object, Plan, SetImage, Verdict},
    wire::registry::{Answer, Found, Registries},
};

/// Questions asked at the same time.
const AT_ONCE: usize = 8;
/// The run that a rehearsal is of.
const REHEARSAL: &str = "rehearsal";

/// Asks the API server whether a plan could be run: the rights by access reviews, the writes and the journal as dry
/// runs. What cannot be asked refuses: a plan is not run blind.
pub async fn rehearse(access: &Access, plan: &Plan) -> Rehearsal {
    let mut found = Rehearsal { plan: plan.id.clone(), ..Rehearsal::default() };
    if access.read_only {
        found.checks.push(Check::new("access", Verdict::Refuse, Failure::ReadOnly.text()));
        return found;
    }
    let writer = match access.wire.writer().await {
        Ok(client) => Writer::new(client, false, &access.journal_namespace, Clock::ahead(0))
            .with_database(access.database.clone()),
        Err(why) => {
            found.checks.push(Check::new("access", Verdict::Refuse, why));
            return found;
        }
    };
    let cluster = async {
        let (mut rights, dry) = tokio::join!(rights(&writer, plan), dry_run(&writer, plan));
        rights.extend(dry);
        rights
    };
    let (rights, database, (journal, missing), image) = tokio::join!(
        cluster,
        database(&writer, plan),
        journal_place(&writer, access, plan),
        image(access, &writer, plan)
    );
    found.checks.extend(rights);
    found.checks.extend(image);
    found.checks.extend(database);
    found.checks.push(journal);
    found.journal_missing = missing;
    found
}

/// Whether the image that a plan brings exists, by the word of its registry: where the cluster does not tell, and where that
/// registry is configured. There it is also told whether the tag that runs leads to something else by now.
async fn image(access: &Access, writer: &Writer, plan: &Plan) -> Vec<Check> {
    let Some(check) = plan.all_checks().find(|check| check.rule == IMAGE) else { return Vec::new() };
    let Some(set) = plan.steps.iter().find_map(|step| match &step.change {
        Change::SetImage(set) if !step.way_out => Some(set),
        _ => None,
    }) else {
        return Vec::new();
    };
    let registries = &access.registries;
    let unknown = check.verdict == Verdict::Warn;
    if !unknown && !registries.knows(&set.to) {
        return Vec::new();
    }
    let namespace = &*set.workload.key.namespace;
    let answer = registries.ask(&set.to, Some(&*set.from), namespace).await;
    let known = registries.knows(&set.from);
    // A read that fails says nothing of the policy, and nothing of what runs.
    let running = match !unknown || known {
        true => writer.running(namespace, &set.container, &set.from).await.unwrap_or_default(),
        false => Running::default(),
    };
    let has_it = match (unknown, running.pulls_always) {
        (true, _) => HasIt::None,
        (false, true) => HasIt::AndAsksAgain,
        (false, false) => HasIt::Some,
    };
    let mut checks = vec![told(&set.to, answer, has_it)];
    if known && checks[0].verdict == Verdict::Ok {
        checks.extend(moved(registries, &running, set).await);
    }
    checks
}

/// Whether nodes have an image already, and make do with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HasIt {
    /// None is known to.
    None,
    /// A node has it.
    Some,
    /// A node has it, and the pods want it to be asked for again at each start: `imagePullPolicy: Always`.
    AndAsksAgain,
}

/// What a registry says of an image.
fn told(image: &str, answer: Answer, has_it: HasIt) -> Check {
    let (verdict, text) = match answer {
        Answer::Has(Found { host, digest }) => {
            let digest = digest.map_or(String::new(), |digest| format!(" ({digest})"));
            (Verdict::Ok, format!("{image} exists: {host} has it{digest}"))
        }
        Answer::HasNot(host) => {
            (Verdict::Refuse, format!("{host} has no {image}: push it first, or type another tag"))
        }
        Answer::Lost(host, other) => {
            let text = format!(
                "{host} has no {image}, and not even {other}, which runs: its storage may not be there, and no node can \
                 pull from it; look after the registry first"
            );
            (Verdict::Refuse, text)
        }
        Answer::Damaged { host, part, all: true } => {
            let text = format!(
                "{host} has {image} without a part of it ({part}): no node can pull it; push it again"
            );
            (Verdict::Refuse, text)
        }
        Answer::Damaged { host, part, all: false } => {
            let text = format!(
                "{host} has {image} without a part of it for one platform ({part}): nodes of that platform cannot pull it"
            );
            (Verdict::Warn, text)
        }
        Answer::Barred(why) => (Verdict::Refuse, format!("no node can pull {image}: {why}")),
        Answer::Unknown(why) => {
            let exists = if has_it == HasIt::None { "exists" } else { "can still be pulled" };
            (Verdict::Warn, format!("whether {image} {exists} is not known: {why}"))
        }
    };
    // A node has it: that is enough for the pods that come there, and for no others.
    let (verdict, but) = match (verdict, has_it) {
        (Verdict::Refuse, HasIt::Some) => (Verdict::Warn, "; only nodes that have it already can run it"),
        (Verdict::Refuse, HasIt::AndAsksAgain) => {
            (verdict, "; its pods always pull, also on nodes that have it already")
        }
        _ => (verdict, ""),
    };
    Check::new(IMAGE, verdict, text + but)
}

/// Whether the tag that runs leads to something else by now: a pod that comes to a node without it then runs that.
async fn moved(registries: &Registries, running: &Running, set: &SetImage) -> Option<Check> {
    let (namespace, from) = (&*set.workload.key.namespace, &*set.from);
    for runs in &running.digests {
        if let Ok(Some(now)) = registries.moved(from, runs, namespace).await {
            let text = format!(
                "the tag of {from} was moved: its pods run {runs}, and it leads to {now} now; a pod that starts on a node \
                 without it runs that"
            );
            return Some(Check::new(IMAGE, Verdict::Warn, text));
        }
    }
    None
}

/// The writes of a plan to the Kubernetes API, or to the database.
fn writes(plan: &Plan, of_database: bool) -> impl Iterator<Item = &Change> {
    let writes = plan.steps.iter().map(|s| &s.change).filter(|change| change.is_write());
    writes.filter(move |change| change.object().is_of_database() == of_database)
}

/// The rights on what is changed, and on Events about it.
async fn rights(writer: &Writer, plan: &Plan) -> Vec<Check> {
    let needed: BTreeSet<_> = writes(plan, false).flat_map(|change| act(change).rights()).collect();
    if needed.is_empty() {
        return Vec::new();
    }
    let wished: BTreeSet<_> =
        writes(plan, false).filter_map(|change| Some(act(change).tells()?.involved.right())).collect();
    let mut may: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for change in writes(plan, false) {
        let namespaces = act(change).rights().into_iter().map(|r| r.namespace);
        may.entry(act(change).may()).or_default().extend(namespaces);
    }
    let (needed, wished) = tokio::join!(ask(writer, needed), ask(writer, wished));
    let mut checks = Vec::new();
    match needed.denied() {
        None => {
            let all = may.into_iter().map(|(what, namespaces)| {
                let n = namespaces.iter().filter(|n| !n.is_empty()).count();
                match n {
                    0 => what.to_owned(),
                    1 => format!("{what} in 1 namespace"),
                    n => format!("{what} in {n} namespaces"),
                }
            });
            let all: Vec<_> = all.collect();
            checks.push(Check::new("access", Verdict::Ok, format!("you may {}", all.join(", "))));
        }
        Some(text) => checks.push(Check::new("access", Verdict::Refuse, text)),
    }
    if let Some(text) = wished.denied() {
        let text = format!("{text}: no Event will tell of the change");
        checks.push(Check::new("access", Verdict::Warn, text));
    }
    checks
}

/// Asks of each object about its first change: a later one starts from what an earlier one will have made of it.
async fn rehearsed(
    writer: &Writer,
    plan: &Plan,
    of_database: bool,
) -> Vec<(Object, Result<Option<String>, Failure>)> {
    let mut first: BTreeMap<Object, &Change> = BTreeMap::new();
    for change in writes(plan, of_database) {
        first.entry(change.object()).or_insert(change);
    }
    let asked = first.into_iter().map(|(object, change)| {
        act(change).rehearse(writer, REHEARSAL).map(|answer| (object, answer)).boxed()
    });
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffered(AT_ONCE).collect().await
}

/// Why a write of a plan is not let in now, by rights, admission or a quota; `None`: all are, or something else stands
/// against them, which the run itself meets.
///
/// # Errors
/// The API server did not answer.
pub(super) async fn barred(writer: &Writer, plan: &Plan) -> Result<Option<String>, Failure> {
    for (object, answer) in rehearsed(writer, plan, false).await {
        match answer {
            Err(Failure::Refused { code: 403 | 422, text }) => return Ok(Some(format!("{object}: {text}"))),
            Err(failure @ (Failure::Unreached(_) | Failure::Busy { .. } | Failure::Interrupted(_))) => {
                return Err(failure);
            }
            Err(Failure::ReadOnly) => return Ok(Some(Failure::ReadOnly.text())),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

/// The rights at the endpoints of the database. There is no dry run of a statement: nothing is sent that writes.
async fn database(writer: &Writer, plan: &Plan) -> Vec<Check> {
    let answers = rehearsed(writer, plan, true).await;
    let count = answers.len();
    let refused: Vec<_> = answers.into_iter().filter_map(|(_, answer)| answer.err()).collect();
    if !refused.is_empty() {
        let refuse = |failure: Failure| Check::new("access", Verdict::Refuse, failure.text());
        return refused.into_iter().map(refuse).collect();
    }
    let text = match count {
        0 => return Vec::new(),
        1 => "you may write at 1 endpoint of the database".to_owned(),
        n => format!("you may write at {n} endpoints of the database"),
    };
    vec![Check::new("access", Verdict::Ok, text)]
}

/// Every write to the Kubernetes API, as a dry run.
async fn dry_run(writer: &Writer, plan: &Plan) -> Vec<Check> {
    let answers = rehearsed(writer, plan, false).await;
    let count = answers.len();
    let mut checks = Vec::new();
    for (object, answer) in answers {
        match answer {
            Ok(None) => {}
            Ok(Some(note)) => checks.push(Check::new("dry-run", Verdict::Warn, format!("{object}: {note}"))),
            Err(failure) => {
                let text = format!("{object}: {}", failure.text());
                checks.push(Check::new("dry-run", Verdict::Refuse, text));
            }
        }
    }
    if checks.is_empty() && count > 0 {
        let text = if count == 1 { "the write passes".into() } else { format!("all {count} writes pass") };
        checks.push(Check::new("dry-run", Verdict::Ok, text));
    }
    checks
}

/// Whether the journal can be kept in the cluster; if not, what is missing.
async fn journal_place(writer: &Writer, access: &Access, plan: &Plan) -> (Check, Vec<String>) {
    let namespace = &access.journal_namespace;
    let right = |verb, group, resource: &str| Right {
        verb,
        group,
        resource: resource.into(),
        namespace: namespace.clone(),
    };
    let mut needed: BTreeSet<_> = ["get", "create", "update"]
        .into_iter()
        .flat_map(|verb| [right(verb, "coordination.k8s.io", "leases"), right(verb, "", "configmaps")])
        .collect();
    let exists = writer.has_namespace().await;
    let absent = exists == Ok(Some(false));
    if absent {
        let namespace = String::new();
        needed.insert(Right { verb: "create", group: "", resource: "namespaces".into(), namespace });
    }
    let mut missing = match ask(writer, needed).await {
        Asked { denied, failed: None } => denied.iter().map(Right::to_string).collect(),
        Asked { failed: Some(why), .. } => vec![why],
    };
    if missing.is_empty()
        && let Err(why) = try_journal(writer, access, plan).await
    {
        missing.push(why);
    }
    let check = if !missing.is_empty() {
        let text = format!(
            "the run cannot be written down in namespace {namespace} (missing: {}): a journal on this machine is \
             possible, which colleagues can neither see nor finish",
            missing.join(", ")
        );
        Check::new("journal", Verdict::Warn, text)
    } else if absent {
        Check::new(
            "journal",
            Verdict::Ok,
            format!("the journal is kept in namespace {namespace}, which is created"),
        )
    } else {
        Check::new("journal", Verdict::Ok, format!("the journal is kept in namespace {namespace}"))
    };
    (check, missing)
}

async fn try_journal(writer: &Writer, access: &Access, plan: &Plan) -> Result<(), String> {
    // A plan that refuses itself is not run, and needs no journal.
    let confirmed = match plan.confirmation() {
        crate::plan::Confirmation::Yes => None,
        crate::plan::Confirmation::Type(text) => Some(text),
    };
    let Ok(approved) = plan.clone().approve(confirmed.as_deref(), None) else { return Ok(()) };
    let run = Run::new(REHEARSAL, access.who.operator.clone(), approved);
    let blank = journal::blank(&run, &access.journal_namespace)?;
    writer.try_journal(&blank).await.map_err(|failure| failure.text())
}

/// What came of asking for rights.
struct Asked {
    denied: Vec<Right>,
    failed: Option<String>,
}

impl Asked {
    fn denied(&self) -> Option<String> {
        if let Some(why) = &self.failed {
            return Some(format!("your rights cannot be asked for: {why}"));
        }
        if self.denied.is_empty() {
            return None;
        }
        let rights: Vec<_> = self.denied.iter().map(Right::to_string).collect();
        Some(format!("you may not {}", rights.join(", ")))
    }
}

async fn ask(writer: &Writer, rights: BTreeSet<Right>) -> Asked {
    let questions = rights.into_iter().map(async |right| (writer.may(&right).await, right));
    let answers: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    let mut asked = Asked { denied: Vec::new(), failed: None };
    for (answer, right) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => asked.denied.push(right),
            Err(failure) => asked.failed = asked.failed.or(Some(failure.text())),
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_lacks_refuses_unless_a_node_has_it() {
        let host = || "registry.example".to_owned();
        let digest = Some("sha256:0123".to_owned());
        let has = Answer::Has(Found { host: host(), digest });
        let part = || "sha256:99".to_owned();
        let why = "the pull secret acme/registry names none".to_owned();
        for (answer, alone, with_a_node, words) in [
            (has, Verdict::Ok, Verdict::Ok, "app:2 exists: registry.example has it (sha256:0123)"),
            (
                Answer::HasNot(host()),
                Verdict::Refuse,
                Verdict::Warn,
                "registry.example has no app:2: push it first",
            ),
            (
                Answer::Lost(host(), "app:1".into()),
                Verdict::Refuse,
                Verdict::Warn,
                "not even app:1, which runs",
            ),
            (
                Answer::Damaged { host: host(), part: part(), all: true },
                Verdict::Refuse,
                Verdict::Warn,
                "no node can pull it",
            ),
            (
                Answer::Damaged { host: host(), part: part(), all: false },
                Verdict::Warn,
                Verdict::Warn,
                "for one platform",
            ),
            (
                Answer::Barred(why),
                Verdict::Refuse,
                Verdict::Warn,
                "no node can pull app:2: the pull secret acme/registry",
            ),
            (
                Answer::Unknown("its registry x is silent".into()),
                Verdict::Warn,
                Verdict::Warn,
                "is not known: its registry x",
            ),
        ] {
            let check = told("app:2", answer.clone(), HasIt::None);
            assert_eq!(check.verdict, alone, "{answer:?}");
            assert!(check.text.contains(words), "{}", check.text);
            let check = told("app:2", answer.clone(), HasIt::Some);
            assert_eq!(check.verdict, with_a_node, "{answer:?}");
            let hidden = alone == Verdict::Refuse;
            assert_eq!(
                check.text.ends_with("only nodes that have it already can run it"),
                hidden,
                "{}",
                check.text
            );
            // Where pods always pull, what a node has does not help.
            let check = told("app:2", answer.clone(), HasIt::AndAsksAgain);
            assert_eq!(check.verdict, alone, "{answer:?}");
            assert_eq!(check.text.contains("its pods always pull"), hidden, "{}", check.text);
        }
    }
}

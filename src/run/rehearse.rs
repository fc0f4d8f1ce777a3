//! The rehearsal of a plan: every right and every write is asked about while nothing moves.
//!
//! Called before the operator says yes, so that a missing right or an admission webhook shows at once and not half-way.

use std::{collections::BTreeMap, collections::BTreeSet};

use futures::{FutureExt, StreamExt, stream};

use super::{
    Hands, Rehearsal, Run,
    decide::endpoint,
    journal,
    perform::{Clock, Failure, Right, Writer},
};
use crate::{
    plan::{Change, Check, Plan, Verdict},
    wire::Endpoint,
};

/// Questions asked at the same time.
const AT_ONCE: usize = 8;

/// Asks the API server whether a plan could be run: the rights by access reviews, the writes and the journal as dry
/// runs. What cannot be asked refuses: a plan is not run blind.
pub async fn rehearse(hands: &Hands, plan: &Plan) -> Rehearsal {
    let mut found = Rehearsal { plan: plan.id.clone(), ..Rehearsal::default() };
    if hands.read_only {
        found.checks.push(Check::new("access", Verdict::Refuse, Failure::ReadOnly.text()));
        return found;
    }
    let writer = match hands.wire.writer().await {
        Ok(client) => Writer::new(client, false, &hands.journal_namespace, Clock::ahead(0))
            .with_database(hands.database.clone()),
        Err(why) => {
            found.checks.push(Check::new("access", Verdict::Refuse, why));
            return found;
        }
    };
    let of_database = plan.database.is_some();
    let tenants = async {
        if of_database {
            return database(&writer, plan).await;
        }
        let (mut access, dry) = tokio::join!(access(&writer, plan), dry_run(&writer, plan));
        access.extend(dry);
        access
    };
    let (rights, (journal, missing)) = tokio::join!(tenants, journal_place(&writer, hands, plan));
    found.checks.extend(rights);
    found.checks.push(journal);
    found.journal_missing = missing;
    found
}

/// The rights on the tenants' workloads, and on Events about them.
async fn access(writer: &Writer, plan: &Plan) -> Vec<Check> {
    let writes = || plan.steps.iter().filter(|s| s.change.is_write()).filter_map(|s| s.change.workload());
    let scale = |verb| {
        writes().map(move |w| Right {
            verb,
            group: "apps",
            resource: format!("{}/scale", w.kind.resource()),
            namespace: w.key.namespace.to_string(),
        })
    };
    let needed: BTreeSet<_> = scale("get").chain(scale("update")).collect();
    let wished: BTreeSet<_> = writes()
        .map(|w| Right {
            verb: "create",
            group: "",
            resource: "events".into(),
            namespace: w.key.namespace.to_string(),
        })
        .collect();
    let namespaces = wished.len();
    let (needed, wished) = tokio::join!(ask(writer, needed), ask(writer, wished));
    let mut checks = Vec::new();
    match needed.denied() {
        None => {
            let places = if namespaces == 1 { "namespace" } else { "namespaces" };
            checks.push(Check::new("access", Verdict::Ok, format!("you may scale in {namespaces} {places}")));
        }
        Some(text) => checks.push(Check::new("access", Verdict::Refuse, text)),
    }
    if let Some(text) = wished.denied() {
        let text = format!("{text}: no Event will tell of the change");
        checks.push(Check::new("access", Verdict::Warn, text));
    }
    checks
}

/// The rights at the endpoints of the database. There is no dry run of a statement: nothing is sent that writes.
async fn database(writer: &Writer, plan: &Plan) -> Vec<Check> {
    let writes = plan.steps.iter().filter(|s| s.change.is_write());
    let endpoints: BTreeSet<_> = writes.filter_map(|s| endpoint(&s.change)).collect();
    if endpoints.is_empty() {
        return Vec::new();
    }
    let count = endpoints.len();
    let ask = |endpoint| {
        let asked = async move {
            match endpoint {
                Endpoint::Proxy(name) => writer.may_edit(&name).await,
                Endpoint::Member(name) => writer.may_desync(&name).await,
            }
        };
        asked.boxed()
    };
    let asked: Vec<_> = endpoints.into_iter().map(ask).collect();
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    if refused.is_empty() {
        let places = if count == 1 { "endpoint" } else { "endpoints" };
        return vec![Check::new(
            "access",
            Verdict::Ok,
            format!("you may write at {count} {places} of the database"),
        )];
    }
    refused.into_iter().map(|failure| Check::new("access", Verdict::Refuse, failure.text())).collect()
}

/// Every write of the plan, as a dry run.
async fn dry_run(writer: &Writer, plan: &Plan) -> Vec<Check> {
    // A later change of the same workload starts from what an earlier one will have made of it.
    let mut first = BTreeMap::new();
    for step in &plan.steps {
        if let Change::Replicas { workload, uid, from, to } = &step.change {
            first.entry(workload).or_insert((uid, *from, *to));
        }
    }
    let writes = first.len();
    let tries = first.into_iter().map(|(workload, (uid, from, to))| {
        let dry = async move {
            match writer.try_scale(workload, uid, from, to).await {
                Ok(()) => None,
                Err(failure) => Some(format!("{workload}: {}", failure.text())),
            }
        };
        dry.boxed()
    });
    let tries: Vec<_> = tries.collect();
    let refused: Vec<_> =
        stream::iter(tries).buffered(AT_ONCE).filter_map(std::future::ready).collect().await;
    if refused.is_empty() {
        let text = if writes == 1 { "the write passes".into() } else { format!("all {writes} writes pass") };
        return vec![Check::new("dry-run", Verdict::Ok, text)];
    }
    refused.into_iter().map(|text| Check::new("dry-run", Verdict::Refuse, text)).collect()
}

/// Whether the journal can be kept in the cluster; if not, what is missing.
async fn journal_place(writer: &Writer, hands: &Hands, plan: &Plan) -> (Check, Vec<String>) {
    let namespace = &hands.journal_namespace;
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
        && let Err(why) = try_journal(writer, hands, plan).await
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
        Check::new("journal", Verdict::Ok, format!("kept in namespace {namespace}, which will be created"))
    } else {
        Check::new("journal", Verdict::Ok, format!("kept in namespace {namespace}"))
    };
    (check, missing)
}

async fn try_journal(writer: &Writer, hands: &Hands, plan: &Plan) -> Result<(), String> {
    // A plan that refuses itself is not run, and needs no journal.
    let confirmed = match plan.confirmation() {
        crate::plan::Confirmation::Yes => None,
        crate::plan::Confirmation::Type(text) => Some(text),
    };
    let Ok(approved) = plan.clone().approve(confirmed.as_deref(), None) else { return Ok(()) };
    let run = Run::new("rehearsal", hands.who.operator.clone(), approved);
    let blank = journal::blank(&run, &hands.journal_namespace)?;
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

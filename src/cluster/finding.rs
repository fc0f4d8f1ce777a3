//! What is wrong, in words, worst first: one table of rules.
//!
//! The rules read a snapshot and know no clock: a finding carries since when it holds, and the screens tell its age.
//! A rule may only speak of sources that have been seen.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Margin, MemberName, Node, NodeName, Pod, ProxyName, Snapshot, Tenant, TenantName,
    database::{self, Database},
    platform::ComponentKey,
};

mod nodes;
mod outside;
mod platform;
mod pods;
mod rules;
mod tenants;
mod unplaced;

pub use pods::other_limits;

/// How grave it is. Worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Nobody sees errors yet: the next failure does harm.
    Warning,
    /// Users see errors now.
    Critical,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Subject {
    /// A tenant.
    Tenant(TenantName),
    /// A node.
    Node(NodeName),
    /// A member of the Galera cluster.
    Member(MemberName),
    /// A ProxySQL.
    Proxy(ProxyName),
    /// A component of the platform around.
    Component(ComponentKey),
    /// A source of observations, such as `pods`; `galera` and `proxysql` for all of them together.
    Source(String),
}

impl Subject {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Tenant(name) => name.as_str(),
            Self::Node(name) => name.as_str(),
            Self::Member(name) => name.as_str(),
            Self::Proxy(name) => name.as_str(),
            Self::Component(key) => &key.name,
            Self::Source(name) => name,
        }
    }

    /// It is about the database: a member, a proxy, or all of them together.
    pub fn is_database(&self) -> bool {
        match self {
            Self::Member(_) | Self::Proxy(_) => true,
            Self::Source(name) => name == "galera" || name == "proxysql",
            Self::Tenant(_) | Self::Node(_) | Self::Component(_) => false,
        }
    }
}

/// The command that answers a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Change the number of replicas.
    Scale,
    /// Look at the tenant, its events and logs.
    Open,
    /// Look at the node.
    Node,
    /// Look at the database.
    Database,
    /// Print the recovery sheet.
    Recovery,
    /// Take a member out of ProxySQL.
    TakeOut,
    /// Bring a member back into ProxySQL.
    BringBack,
    /// Let every ProxySQL write to a member.
    MoveWriter,
    /// Take a member out of flow control.
    Desync,
    /// Bring a member back into flow control.
    Resync,
    /// Save a proxy's configuration to its disk.
    Save,
    /// Move pods back onto the node.
    Rebalance,
    /// Uncordon the node, and move pods back onto it.
    Undrain,
    /// Delete the pod.
    DeletePod,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule that found it, such as `tenant-down`: stable, for scripts.
    pub rule: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// Whom it is about.
    pub subject: Subject,
    /// What is wrong, without its age.
    pub text: String,
    /// Since when, where it is known.
    pub since: Option<Timestamp>,
    /// It was so when this was first looked at, then: since when is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_since: Option<Timestamp>,
    /// It follows from what is wrong with this: it stands below that finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Subject>,
    /// What answers it.
    pub answer: Option<Answer>,
    /// What answers it, in words: a command of ours in backquotes, or what to do by hand. `None`: the answer says it.
    pub remedy: Option<String>,
}

impl Answer {
    /// The command that does it to a member or a proxy of that name; `None`: there is something to look at first.
    pub fn command(self, name: &str) -> Option<String> {
        let act = match self {
            Self::Recovery => return Some("galera recovery".into()),
            Self::TakeOut => "galera take-out",
            Self::BringBack => "galera bring-back",
            Self::MoveWriter => "galera move-writer",
            Self::Desync => "galera desync",
            Self::Resync => "galera resync",
            Self::Save => "proxysql save",
            // The whole cluster: what has moved away may have pushed others aside.
            Self::Rebalance => return Some("rebalance".into()),
            Self::Undrain => "undrain",
            Self::DeletePod => "delete-pod",
            Self::Scale | Self::Open | Self::Node | Self::Database => return None,
        };
        Some(format!("{act} {name}"))
    }
}

/// A rule: its name, what it means, and its check.
pub struct Rule {
    /// Stable name.
    pub name: &'static str,
    /// What it says and why it matters.
    pub doc: &'static str,
    pub(super) check: Check,
}

pub(super) enum Check {
    /// Reads the tenant, the nodes and the settings, but no measurement: it is not asked again for a new one.
    Tenant(fn(&Snapshot, &Tenant) -> Option<Found>),
    /// Reads the measurements as well, but not the time.
    Margin(fn(&Snapshot, &Tenant, &Margin) -> Option<Found>),
    Node(fn(&Snapshot, &Node) -> Option<Found>),
    Cluster(fn(&Snapshot) -> Vec<(Subject, Found)>),
    Database(fn(&Snapshot, &Database) -> Vec<(Subject, Found)>),
    /// Found by another room, which hands its findings to [`merged`].
    Elsewhere,
}

pub(super) struct Found {
    pub(super) severity: Severity,
    pub(super) text: String,
    since: Option<Timestamp>,
    seen_since: Option<Timestamp>,
    because: Option<Subject>,
    answer: Option<Answer>,
    remedy: Option<String>,
}

pub(super) fn found(severity: Severity, text: impl Into<String>) -> Found {
    Found {
        severity,
        text: text.into(),
        since: None,
        seen_since: None,
        because: None,
        answer: None,
        remedy: None,
    }
}

impl Found {
    pub(super) fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// It has been so since then where its begin was seen. What was so from the `first` look on may be older: it says
    /// that it was seen from then on.
    pub(super) fn dated(self, first: Option<Timestamp>, since: Option<Timestamp>) -> Self {
        match since.zip(first).is_none_or(|(since, first)| since <= first) {
            true => Self { seen_since: since, ..self },
            false => self.since(since),
        }
    }

    /// What it follows from, if that is known.
    pub(super) fn because(mut self, cause: Option<Subject>) -> Self {
        self.because = cause;
        self
    }

    pub(super) fn answer(mut self, answer: Answer) -> Self {
        self.answer = Some(answer);
        self
    }

    /// What is to be done by hand; or, beside an act of ours, with it.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// An act of ours answers it, on the member or proxy of that name; and what else is to be said of it.
    pub(super) fn act(self, answer: Answer, name: &str, more: &str) -> Self {
        let command = answer.command(name).map(|command| format!("`{command}`")).unwrap_or_default();
        let remedy = [command.as_str(), more].join(if more.starts_with([':', ',', ';']) { "" } else { " " });
        self.answer(answer).remedy(remedy.trim())
    }
}

/// All health rules: those of the cluster, those of the platform around, then those of the database.
pub static RULES: LazyLock<Vec<&'static Rule>> =
    LazyLock::new(|| rules::OF_THE_CLUSTER.iter().chain(platform::RULES).chain(database::RULES).collect());

/// The pod that was made for a move of this tenant, and that a finding says is left over.
pub fn left_over(snapshot: &Snapshot, tenant: &TenantName) -> Option<Arc<Pod>> {
    let mut all = nodes::forsaken_pods(snapshot);
    all.find(|(_, of, _)| of.is_some_and(|of| of.name == *tenant)).map(|(pod, ..)| pod.clone())
}

/// All findings of a snapshot, the worst first; of equal weight in the order of the rules, then by name. What follows from
/// another finding stands right below it, and makes it as grave as itself.
pub fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    judge(snapshot, None).0
}

/// Findings with those that other rooms made, in the one order of [`findings`].
pub fn merged(mut findings: Vec<Finding>, more: Vec<Finding>) -> Vec<Finding> {
    let place = |f: &Finding| RULES.iter().position(|r| r.name == f.rule).unwrap_or(usize::MAX);
    findings.extend(more);
    let mut ranked: Vec<_> = findings.into_iter().map(|f| (place(&f), f)).collect();
    sort(&mut ranked);
    ranked.into_iter().map(|(_, f)| f).collect()
}

/// The rules whose findings others follow from.
const CAUSES: [&str; 2] = ["node-not-ready", EMPTY];
/// The rule about a node that others carry the pods of.
const EMPTY: &str = "node-empty";
/// What follows from such a node.
const CROWDED: [&str; 2] = ["one-node", "doubled"];

/// Tenants that are crowded because a node carries nothing: one cause, one finding, and theirs below it.
fn follow(snapshot: &Snapshot, all: &mut [Ranked]) {
    let cause = all.iter().find_map(|(_, f)| match &f.subject {
        Subject::Node(node) if f.rule == EMPTY => Some(node.clone()),
        _ => None,
    });
    let Some(cause) = cause else { return };
    for (_, finding) in all.iter_mut().filter(|(_, f)| CROWDED.contains(&f.rule) && f.because.is_none()) {
        let Subject::Tenant(name) = &finding.subject else { continue };
        let here = |tenant: &Arc<Tenant>| tenant.active().any(|pod| pod.node.as_ref() == Some(&cause));
        if snapshot.tenants.get(name).is_some_and(|tenant| !here(tenant)) {
            finding.because = Some(Subject::Node(cause.clone()));
        }
    }
}

/// The order of [`findings`].
fn sort(all: &mut [Ranked]) {
    let mut causes: BTreeMap<Subject, (Severity, usize)> = BTreeMap::new();
    for (order, finding) in all.iter().filter(|(_, f)| CAUSES.contains(&f.rule)) {
        causes.insert(finding.subject.clone(), (finding.severity, *order));
    }
    if causes.is_empty() {
        return all.sort_by(|(a, x), (b, y)| {
            y.severity.cmp(&x.severity).then(a.cmp(b)).then_with(|| x.subject.cmp(&y.subject))
        });
    }
    for (_, finding) in all.iter() {
        if let Some((severity, _)) = finding.because.as_ref().and_then(|cause| causes.get_mut(cause)) {
            *severity = finding.severity.max(*severity);
        }
    }
    all.sort_by_cached_key(|(order, finding)| {
        let below = finding.because.as_ref().and_then(|cause| Some((cause, *causes.get(cause)?)));
        let itself = || causes.get(&finding.subject).filter(|_| CAUSES.contains(&finding.rule));
        let (subject, (severity, head), below) = match below {
            Some((cause, head)) => (cause, head, true),
            None => (&finding.subject, *itself().unwrap_or(&(finding.severity, *order)), false),
        };
        let own = (Reverse(finding.severity), *order, finding.subject.clone());
        (Reverse(severity), head, subject.clone(), below, own)
    });
}

/// A snapshot, and what is to be said of it.
#[derive(Clone)]
pub struct Judgement {
    /// What was judged.
    pub seen: Arc<Snapshot>,
    /// What is wrong, worst first: the same as [`findings`].
    pub findings: Arc<[Finding]>,
    /// All tenants, in the order of their names.
    pub tenants: Arc<[Arc<Judged>]>,
}

impl From<Arc<Snapshot>> for Judgement {
    fn from(seen: Arc<Snapshot>) -> Self {
        Judge::default().judge(seen)
    }
}

impl fmt::Debug for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judgement").field("findings", &self.findings).finish_non_exhaustive()
    }
}

/// Judges snapshot after snapshot: what has not changed is not judged again.
///
/// Works beside the event loop, so that no key waits for it, and keeps each snapshot until all others have let go of it:
/// to free ten thousand old measurements takes as long as several frames.
#[derive(Default)]
pub struct Judge {
    /// The last one, and those before it whose snapshot somebody still reads.
    kept: Vec<Judgement>,
}

/// A tenant, how near it is to its limits, and what is wrong with it.
pub struct Judged {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// How near it is to its limits.
    pub margin: Margin,
    /// What is wrong whatever is measured ...
    standing: Vec<Ranked>,
    /// ... and what the measurements say.
    measured: Vec<Ranked>,
}

/// What of a tenant that has not changed is as it was in the last snapshot.
#[derive(Clone, Copy, Default)]
struct Same {
    standing: bool,
    measured: bool,
}

impl Same {
    fn of(last: &Snapshot, now: &Snapshot) -> Self {
        let ready = last.is_ready() == now.is_ready();
        // What happened within the last hour does so no more at some time.
        let minute = |s: &Snapshot| s.at.as_second().div_euclid(60);
        let settings = last.sizing == now.sizing && last.tenancy == now.tenancy;
        let nodes = last.nodes.items.ptr_eq(&now.nodes.items)
            && last.nodes.freshness.is_known() == now.nodes.freshness.is_known()
            && last.quotas.items.ptr_eq(&now.quotas.items)
            && last.replica_sets.items.ptr_eq(&now.replica_sets.items);
        Self {
            standing: ready && settings && nodes && minute(last) == minute(now),
            measured: ready && Margin::rests_on_the_same(last, now),
        }
    }
}

/// A finding and the place of its rule.
type Ranked = (usize, Finding);

impl Judge {
    /// Judges the next snapshot.
    pub fn judge(&mut self, seen: Arc<Snapshot>) -> Judgement {
        let (findings, tenants) = judge(&seen, self.kept.last());
        let judgement = Judgement { seen, findings: findings.into(), tenants: tenants.into() };
        self.kept.retain(|old| Arc::strong_count(&old.seen) > 1);
        self.kept.push(judgement.clone());
        judgement
    }
}

fn judge(snapshot: &Snapshot, last: Option<&Judgement>) -> (Vec<Finding>, Vec<Arc<Judged>>) {
    let mut all: Vec<Ranked> = Vec::new();
    let database = Database::of(snapshot);
    for (order, rule) in RULES.iter().enumerate() {
        match rule.check {
            Check::Tenant(_) | Check::Margin(_) | Check::Elsewhere => {}
            Check::Node(check) => {
                let found = |n: &Arc<Node>| {
                    let found = check(snapshot, n)?;
                    Some(ranked(order, Subject::Node(n.name.clone()), found))
                };
                all.extend(snapshot.nodes.values().filter_map(found));
            }
            Check::Cluster(check) => {
                all.extend(check(snapshot).into_iter().map(|(subject, f)| ranked(order, subject, f)));
            }
            Check::Database(check) => {
                let said = database.iter().flat_map(|d| check(snapshot, d));
                all.extend(said.map(|(subject, f)| ranked(order, subject, f)));
            }
        }
    }
    let tenants = judge_tenants(snapshot, last);
    all.extend(tenants.iter().flat_map(|t| t.standing.iter().chain(&t.measured)).cloned());
    follow(snapshot, &mut all);
    sort(&mut all);
    (all.into_iter().map(|(_, f)| f).collect(), tenants)
}

fn judge_tenants(snapshot: &Snapshot, last: Option<&Judgement>) -> Vec<Arc<Judged>> {
    let same = last.map(|last| Same::of(&last.seen, snapshot)).unwrap_or_default();
    let mut before = last.iter().flat_map(|last| &*last.tenants).peekable();
    let judged = |(name, tenant): (&TenantName, &Arc<Tenant>)| {
        while before.next_if(|old| old.tenant.name < *name).is_some() {}
        match before.next_if(|old| Arc::ptr_eq(&old.tenant, tenant)) {
            Some(kept) if same.standing && same.measured => kept.clone(),
            last => Arc::new(Judged::of(snapshot, tenant, last.map(|last| (&**last, same)))),
        }
    };
    snapshot.tenants.iter().map(judged).collect()
}

impl Judged {
    /// Judges a tenant; what was said of it last, and what of that still holds, is not worked out again.
    fn of(snapshot: &Snapshot, tenant: &Arc<Tenant>, last: Option<(&Self, Same)>) -> Self {
        let still = |holds: fn(Same) -> bool| last.filter(|(_, same)| holds(*same)).map(|(last, _)| last);
        let standing = match still(|same| same.standing) {
            Some(last) => last.standing.clone(),
            None => standing(snapshot, tenant),
        };
        let (margin, measured) = match still(|same| same.measured) {
            Some(last) => (last.margin.clone(), last.measured.clone()),
            None => {
                let margin = Margin::of(snapshot, tenant);
                let measured = measured(snapshot, tenant, &margin);
                (margin, measured)
            }
        };
        Self { tenant: tenant.clone(), margin, standing, measured }
    }
}

fn standing(snapshot: &Snapshot, tenant: &Tenant) -> Vec<Ranked> {
    judged(snapshot, tenant, |check| match check {
        Check::Tenant(check) => check(snapshot, tenant),
        _ => None,
    })
}

fn measured(snapshot: &Snapshot, tenant: &Tenant, margin: &Margin) -> Vec<Ranked> {
    judged(snapshot, tenant, |check| match check {
        Check::Margin(check) => check(snapshot, tenant, margin),
        _ => None,
    })
}

fn judged(snapshot: &Snapshot, tenant: &Tenant, ask: impl Fn(&Check) -> Option<Found>) -> Vec<Ranked> {
    if !snapshot.is_ready() {
        return Vec::new();
    }
    let found = RULES.iter().enumerate().filter_map(|(order, rule)| {
        let found = ask(&rule.check)?;
        Some(ranked(order, Subject::Tenant(tenant.name.clone()), found))
    });
    found.collect()
}

fn ranked(order: usize, subject: Subject, found: Found) -> Ranked {
    let Found { severity, text, since, seen_since, because, answer, remedy } = found;
    let rule = RULES[order].name;
    (order, Finding { rule, severity, subject, text, since, seen_since, because, answer, remedy })
}

#[cfg(test)]
mod tests;

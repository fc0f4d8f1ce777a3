//! Several moves that were agreed to at once, carried out one after another: each planned on what is seen then, within
//! what was agreed to, and a run of its own with its own journal and lease. The first that does not end as done stops
//! them.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use super::{
    Failure, Format,
    act::{self, Consent},
    proposal::{self, MoveJson, ProposalJson},
    session::Session,
    table,
};
use crate::{
    cluster::Snapshot,
    cockpit,
    plan::{self, Check, Confirmation, Intent, Move, MoveReason, Plan, Verdict, rebalance::Proposal},
    run::{self, JournalPlace, Run, campaign::Envelope},
};

/// What is to be done.
pub(super) struct Work {
    /// What is done before the moves.
    pub(super) first: Option<Intent>,
    pub(super) proposal: Proposal,
    /// What the proposal was made on.
    pub(super) foreseen: Arc<Snapshot>,
}

impl Work {
    fn items(&self) -> Vec<Intent> {
        let moves = self.proposal.moves.iter().map(|moved| Intent::Move { moved: moved.clone() });
        self.first.iter().cloned().chain(moves).collect()
    }
}

/// How far it came.
#[derive(Default)]
pub(super) struct End {
    /// Shown and rehearsed only.
    pub(super) dry_run: bool,
    runs: Vec<Run>,
    moved: usize,
    /// Why it stopped before all was done.
    pub(super) stopped: Option<String>,
    /// What was found by the rehearsal.
    rehearsal: Vec<Check>,
    /// Something could not be printed.
    unheard: bool,
}

#[derive(Serialize)]
struct WorkJson<'a> {
    #[serde(flatten)]
    proposal: ProposalJson<'a>,
    rehearsal: &'a [Check],
    #[serde(flatten)]
    end: Option<EndJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drained: Option<&'a Drained>,
}

#[derive(Serialize)]
struct EndJson<'a> {
    moved: usize,
    /// Moves that were not made.
    left: Vec<MoveJson<'a>>,
    stopped: Option<&'a str>,
    runs: Vec<RunOfJson<'a>>,
}

#[derive(Serialize)]
struct RunOfJson<'a> {
    id: &'a str,
    state: run::RunState,
    summary: String,
}

/// What became of a node that was to be emptied.
#[derive(Serialize)]
pub(super) struct Drained {
    pub(super) node: crate::cluster::NodeName,
    /// No pod is left but those of DaemonSets and of the node itself.
    pub(super) empty: bool,
    /// The pods that are left, as `namespace/name`.
    pub(super) pods: Vec<String>,
    /// What is so, and what to do.
    pub(super) text: String,
}

/// Shows what is proposed, rehearses it, asks once, and carries it out as far as consent goes.
pub(super) async fn carry_out(session: &mut Session, work: &Work, consent: &Consent) -> Result<End, Failure> {
    let items = work.items();
    if items.is_empty() {
        if consent.output == Format::Table {
            table::print(&format!("nothing is to be moved\n{}", proposal::text(&work.proposal)))?;
        }
        return Ok(End { dry_run: consent.dry_run, ..End::default() });
    }
    let plans: Vec<_> = items.iter().map(|item| plan::plan(&work.foreseen, item)).collect();
    let (rehearsal, place) = rehearsed(session, work, &plans, consent).await;
    if consent.output == Format::Table {
        table::print(&shown(work, &rehearsal))?;
    }
    let stops: Vec<_> = rehearsal.iter().filter(|c| c.verdict == Verdict::Refuse).map(|c| &*c.text).collect();
    if !stops.is_empty() {
        return Err(Failure::Failed(table::plain(&format!("refused: {}", stops.join("; ")))));
    }
    let place = place?;
    if consent.dry_run {
        return Ok(End { dry_run: true, rehearsal, ..End::default() });
    }
    let wanted = confirmation(&plans);
    act::confirm(&wanted, consent)?;
    let envelope = Envelope { grave: wanted != Confirmation::Yes, ..Envelope::of(&items) };
    let end = End { rehearsal, ..End::default() };
    Ok(one_after_another(session, &items, &envelope, place, consent, end).await)
}

/// What stands above the question.
fn shown(work: &Work, rehearsal: &[Check]) -> String {
    let mut text = String::new();
    if let Some(Intent::Cordon { node, cordoned }) = &work.first {
        let word = if *cordoned { "cordoned" } else { "uncordoned" };
        text += &format!("{node} is {word} first\n\n");
    }
    text += &proposal::text(&work.proposal);
    text.push('\n');
    for check in rehearsal.iter().filter(|c| c.verdict != Verdict::Ok) {
        text += &format!("{} {}\n", check.verdict.glyph(), check.text);
    }
    if rehearsal.iter().all(|c| c.verdict != Verdict::Refuse) {
        text += &format!("{} rehearsed: the rights are there and the writes pass\n", Verdict::Ok.glyph());
    }
    text.lines().map(|line| table::plain(line) + "\n").collect()
}

/// The rehearsal of what can be planned now: one plan a kind and namespace, since rights differ by no more.
async fn rehearsed(
    session: &Session,
    work: &Work,
    plans: &[Plan],
    consent: &Consent,
) -> (Vec<Check>, Result<JournalPlace, Failure>) {
    let hands = session.hands(&work.foreseen);
    let (mut found, mut place, mut seen) = (Vec::<Check>::new(), None, BTreeSet::new());
    for plan in plans {
        let kind = match &plan.intent {
            Intent::Move { moved } => (Some(moved.means), moved.pod.namespace.clone()),
            _ => (None, "".into()),
        };
        if plan.refusals().next().is_some() || plan.steps.is_empty() || !seen.insert(kind) {
            continue;
        }
        let rehearsal = run::rehearse(&hands, plan).await;
        place.get_or_insert_with(|| act::place(consent, &rehearsal));
        for check in rehearsal.checks {
            if !found.iter().any(|c| c.text == check.text) {
                found.push(check);
            }
        }
    }
    (found, place.unwrap_or(Ok(JournalPlace::Cluster)))
}

/// What has to be typed for all of them together.
fn confirmation(plans: &[Plan]) -> Confirmation {
    let typed: BTreeSet<_> = plans
        .iter()
        .filter_map(|plan| match plan.confirmation() {
            Confirmation::Type(text) => Some(text),
            Confirmation::Yes => None,
        })
        .collect();
    match typed.len() {
        0 => Confirmation::Yes,
        1 => Confirmation::Type(typed.into_iter().next().unwrap_or_default()),
        n => Confirmation::Type(format!("{n} tenants")),
    }
}

async fn one_after_another(
    session: &Session,
    items: &[Intent],
    envelope: &Envelope,
    place: JournalPlace,
    consent: &Consent,
    mut end: End,
) -> End {
    for item in items {
        let plan = match planned(session, item).await.and_then(|plan| match envelope.exceeded(&plan) {
            Some(why) => Err(why),
            None => Ok(plan),
        }) {
            Ok(plan) => plan,
            Err(why) => {
                end.stopped = Some(why);
                break;
            }
        };
        if plan.steps.is_empty() {
            continue;
        }
        let typed = match plan.confirmation() {
            Confirmation::Type(text) => Some(text),
            Confirmation::Yes => None,
        };
        let approved = match plan.approve(typed.as_deref(), consent.reason.clone()) {
            Ok(approved) => approved,
            Err(why) => {
                end.stopped = Some(why.to_string());
                break;
            }
        };
        let hands = session.hands(&session.seen.borrow().clone());
        let handle = run::start(hands, approved, place, session.seen.clone());
        let (run, heard) = act::ended(handle, consent.output).await;
        end.unheard |= heard.is_err();
        let stopped = act::not_done(&run, &session.again);
        end.runs.push(run);
        if stopped.is_some() {
            end.stopped = stopped;
            break;
        }
        end.moved += usize::from(matches!(item, Intent::Move { .. }));
    }
    end
}

/// The plan of an item on what is seen now; what passes by itself, such as a lease that was just given back, is waited
/// for within the time limit.
async fn planned(session: &Session, item: &Intent) -> Result<Plan, String> {
    let mut seen = session.seen.clone();
    let mut made = None;
    let settled = seen.wait_for(|s| {
        let plan = plan::plan(s, item);
        let lasting = plan.refusals().any(|c| ["pod", "tenant", "node"].contains(&&*c.rule));
        let done = lasting || pointless(s, item).is_some() || plan.refusals().next().is_none();
        made = Some(plan);
        done
    });
    tokio::select! {
        _ = tokio::time::timeout(session.timeout, settled) => {}
        () = cockpit::asked_to_stop() => return Err("you stopped it".into()),
    }
    if let Some(why) = pointless(&session.seen.borrow(), item) {
        return Err(why);
    }
    let plan = made.ok_or("nothing is seen of the cluster")?;
    let why: Vec<_> = plan.refusals().map(|c| c.text.as_str()).collect();
    if why.is_empty() { Ok(plan) } else { Err(what(item) + &why.join("; ")) }
}

fn what(item: &Intent) -> String {
    match item {
        Intent::Move { moved } => {
            format!(
                "{} {} → {}: ",
                moved.pod.name,
                moved.from,
                moved.to.as_ref().map_or("no node", |n| n.as_str())
            )
        }
        _ => String::new(),
    }
}

/// Why a move would bring its goal no nearer any more.
fn pointless(seen: &Snapshot, item: &Intent) -> Option<String> {
    let Intent::Move { moved } = item else { return None };
    if !matches!(moved.reason, MoveReason::OneNode { .. } | MoveReason::Doubled { .. }) {
        return None;
    }
    let (tenant, to) = (seen.tenants.get(moved.tenant.as_ref()?)?, moved.to.as_ref()?);
    let placement = tenant.placement();
    let pods = |node| placement.get(node).copied().unwrap_or(0);
    let (there, here) = (pods(&moved.from), pods(to));
    (there < here + 2).then(|| {
        let (name, from) = (&tenant.name, &moved.from);
        format!(
            "{}{name} has {there} on {from} and {here} on {to} now: the move would not spread it",
            what(item)
        )
    })
}

/// Says how it ended; fails where it stopped, or where a drained node is not empty.
pub(super) fn tell(work: &Work, end: &End, drained: Option<&Drained>, output: Format) -> Result<(), Failure> {
    let moves = &work.proposal.moves;
    let left = &moves[end.moved.min(moves.len())..];
    let rest = drained.filter(|_| !end.dry_run);
    if output == Format::Json {
        let summed = || EndJson {
            moved: end.moved,
            left: left.iter().map(MoveJson::of).collect(),
            stopped: end.stopped.as_deref(),
            runs: end
                .runs
                .iter()
                .map(|run| RunOfJson { id: &run.id, state: run.state, summary: run::summary(run) })
                .collect(),
        };
        table::json(&WorkJson {
            proposal: ProposalJson::of(&work.proposal),
            rehearsal: &end.rehearsal,
            end: (!end.dry_run).then(summed),
            drained: rest,
        })?;
    } else if !end.dry_run {
        let mut text = String::new();
        if !moves.is_empty() {
            text += &format!("{} of {} moved\n", end.moved, moves.len());
        }
        if end.stopped.is_some() && !left.is_empty() {
            text += &format!("not moved:\n{}", proposal::moves(left).trim_start_matches('\n'));
        }
        if let Some(rest) = rest {
            text += &format!("{}\n", table::plain(&rest.text));
        }
        table::print(&text)?;
    }
    if let Some(why) = &end.stopped {
        return Err(Failure::Failed(table::plain(&format!("stopped: {why}"))));
    }
    if rest.is_some_and(|rest| !rest.empty) {
        return Err(Failure::Told);
    }
    if end.unheard { Err(Failure::Unheard) } else { Ok(()) }
}

/// Whether a run can carry out the move: of a tenant's pod, to a node that takes it.
pub(super) fn is_runnable(moved: &Move) -> bool {
    moved.tenant.is_some() && moved.to.is_some()
}

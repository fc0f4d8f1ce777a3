//! What a run's Job writes, and what the database does meanwhile.

use super::super::heading;
use crate::{
    cluster::{Database, LogSource, Snapshot, headroom},
    plan::Change,
    run::{Log, Run, RunSeen, RunState, StepState},
    ui::{
        format,
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// Lines of the log that are shown at most.
const LINES: usize = 8;

/// A run has a Job.
pub(super) fn has_one(run: &Run) -> bool {
    run.plan().steps.iter().any(|step| matches!(step.change, Change::JobEnded(_)))
}

/// How many lines it takes, with the gap below it.
pub(super) fn height(known: &RunSeen, cx: &Cx<'_>, screen: u16) -> usize {
    if !has_one(&known.run) {
        return 0;
    }
    let log = lines(known, cx, screen).len();
    let told = usize::from(database(known, cx).is_some()) + usize::from(serving(known, cx).is_some());
    usize::from(log > 0) + log + told
}

/// The log of the Job of a run that somebody else drives, while it is under way: its driver writes it down once the Job
/// has ended, and until then it is read from the pod itself.
pub(super) fn source(known: &RunSeen, seen: &Snapshot) -> Option<LogSource> {
    let run = &known.run;
    if known.ours || run.state.is_over() {
        return None;
    }
    let waits = run.plan().steps.iter().zip(&run.steps).find_map(|(step, state)| match &step.change {
        Change::JobEnded(waits) if matches!(state, StepState::Started | StepState::Paused(_)) => Some(waits),
        _ => None,
    })?;
    let pod = seen.pods_of_job(&waits.job).max_by_key(|pod| pod.created)?;
    Some(LogSource { pod: pod.key.clone(), container: waits.container.clone() })
}

/// The newest lines: as the run has them, or as the pod has written them by now.
fn lines(known: &RunSeen, cx: &Cx<'_>, screen: u16) -> Vec<String> {
    let room = match known.run.state {
        // It came through: its pods are worth more than its last words.
        RunState::Done => usize::from(screen / 12).clamp(1, LINES),
        _ => usize::from(screen / 6).clamp(2, LINES),
    };
    let read = source(known, cx.seen).filter(|source| cx.detail.log.wanted.sources == [source.clone()]);
    let read = read.map(|_| Log::of(cx.detail.log.lines.iter().map(|line| &*line.text)));
    let log = read.as_ref().filter(|read| read.len() > known.run.log.len()).unwrap_or(&known.run.log);
    log.since(log.len().saturating_sub(room)).to_vec()
}

/// Draws it; returns the next free line.
pub(super) fn draw(pen: &mut Pen<'_>, cx: &Cx<'_>, known: &RunSeen, mut y: u16) -> u16 {
    let width = pen.width();
    if !has_one(&known.run) {
        return y;
    }
    if let Some((text, role)) = database(known, cx) {
        pen.line(3, y, width.saturating_sub(4), &[piece("database  ", Role::Muted), piece(text, role)]);
        y += 1;
    }
    if let Some((text, role)) = serving(known, cx) {
        pen.line(3, y, width.saturating_sub(4), &[piece("serving   ", Role::Muted), piece(text, role)]);
        y += 1;
    }
    let log = lines(known, cx, pen.height());
    if !log.is_empty() {
        heading(pen, 3, y, "log of the job");
        y += 1;
        for line in log {
            pen.put(5, y, width.saturating_sub(6), &format::plain(&line), Role::Text);
            y += 1;
        }
    }
    y
}

/// The pods that serve meanwhile, and how many more requests they take.
fn serving(known: &RunSeen, cx: &Cx<'_>) -> Option<(String, Role)> {
    if known.run.state.is_over() {
        return None;
    }
    let tenant = cx.seen.tenants.get(known.run.tenants().next()?)?;
    let headroom = headroom(cx.seen, tenant);
    let ready: Vec<_> = headroom.pods.iter().filter(|pod| pod.ready).collect();
    let left = ready.iter().map(|pod| pod.more).sum::<Option<u32>>();
    let (left, role) = match left {
        _ if ready.is_empty() => return Some(("no pod is ready".into(), Role::Danger)),
        Some(0) => ("no request left".to_owned(), Role::Warn),
        Some(n) => (format!("{} left", format::count(n as usize, "request")), Role::Text),
        None => ("requests left not known".into(), Role::Muted),
    };
    let who = match ready.as_slice() {
        [one] => one.pod.name.to_string(),
        several => format::count(several.len(), "pod"),
    };
    Some((format!("{who}, {left}"), role))
}

/// What the database does, while the run is under way: flow control, the longest queue, and the statement with its
/// progress.
fn database(known: &RunSeen, cx: &Cx<'_>) -> Option<(String, Role)> {
    if known.run.state.is_over() {
        return None;
    }
    let database = Database::of(cx.seen)?;
    let now = || database.members.iter().filter_map(|row| Some((row, row.now()?)));
    let shares = now().filter_map(|(row, status)| Some((row, status.flow.share?)));
    let worst = shares.max_by(|a, b| a.1.total_cmp(&b.1));
    let limit = cx.seen.database.thresholds.flow_control;
    let mut role = Role::Text;
    let flow = match worst {
        Some((row, share)) if share > limit => {
            role = Role::Warn;
            format!("flow control {:.0} % on {}", share * 100.0, row.label)
        }
        Some((_, share)) => format!("flow control {:.0} %", share * 100.0),
        None => "flow control not known".into(),
    };
    let queue = now().max_by_key(|(_, status)| status.receive_queue);
    let queue = queue.map_or(String::new(), |(row, status)| match status.receive_queue {
        0 => ", no queue".into(),
        n => format!(", queue {n} on {}", row.label),
    });
    let change = now().find_map(|(row, status)| {
        let change = status.threads.as_ref()?.schema_change.as_ref()?;
        let done = change.progress.map_or(String::new(), |p| format!(" {:.0} %", p * 100.0));
        Some(format!("; {} for {} s{done}: {}", row.label, change.seconds, change.statement))
    });
    Some((format!("{flow}{queue}{}", change.unwrap_or_default()), role))
}

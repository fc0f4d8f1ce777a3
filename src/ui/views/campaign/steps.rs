//! The steps of a run in a line: short words, since where from and where to stand above them.

use crate::{
    cluster::image_tag,
    plan::{Change, LOWEST_COST, Step},
    run::{Run, StepState},
    ui::{
        paint::{Pen, Piece, piece, wide},
        theme::Role,
    },
};

/// A step in a few words.
fn word(step: &Step) -> String {
    match &step.change {
        Change::CreatePod(pod) => format!("new pod on {}", pod.node),
        Change::PodReady(_) => "ready".into(),
        Change::DeletionCost(cost) if cost.to == LOWEST_COST => "old chosen".into(),
        Change::DeletionCost(_) => "cost put back".into(),
        Change::Adopt(_) => "adopted".into(),
        Change::Replaced(_) => "old gone".into(),
        Change::Discard(_) => "new deleted".into(),
        Change::Evict(_) => "evicted".into(),
        Change::Gone(_) => "gone".into(),
        Change::Settle(settle) if step.confirms.is_some() => format!("{} ready", settle.replicas),
        Change::Settle(settle) if step.serves.is_some() => format!("{} left", settle.replicas),
        Change::Settle(_) => "new pod ready".into(),
        Change::Bounds(bounds) => format!("autoscaler {}-{}", bounds.to.0, bounds.to.1),
        Change::Replicas(replicas) => format!("{} → {}", replicas.from, replicas.to),
        Change::CreateJob(_) => "job".into(),
        Change::StartJob(_) => "started".into(),
        Change::JobEnded(_) => "migrated".into(),
        Change::StopJob(_) => "job deleted".into(),
        Change::SetImage(set) => format!("image {}", image_tag(&set.to)),
        Change::Cordon(cordon) if cordon.to => "cordoned".into(),
        Change::Cordon(_) => "uncordoned".into(),
        Change::RestartRollout(_) => "restarted".into(),
        Change::RolledOut(_) => "rolled out".into(),
        other => other.to_string(),
    }
}

/// Draws them; what takes an earlier step back shows once it has begun.
pub(super) fn line(pen: &mut Pen<'_>, y: u16, run: &Run) {
    let width = pen.width().saturating_sub(4);
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (i, (step, state)) in run.plan().steps.iter().zip(&run.steps).enumerate() {
        if step.takes_back.is_some() && matches!(state, StepState::Waiting | StepState::Skipped(_)) {
            continue;
        }
        let (glyph, role, tone) = match state {
            // A pause takes back what is borrowed.
            StepState::Waiting if run.is_taken_back(i) => ("↶", Role::Warn, Role::Muted),
            StepState::Waiting => ("·", Role::Muted, Role::Muted),
            StepState::Started => ("▸", Role::Busy, Role::Text),
            StepState::Done(_) => ("✓", Role::Ok, Role::Muted),
            StepState::Skipped(_) => ("–", Role::Muted, Role::Muted),
            StepState::Paused(_) => ("‖", Role::Warn, Role::Warn),
        };
        pieces.push(piece(format!("{glyph} "), role));
        pieces.push(piece(format!("{}  ", word(step)), tone));
    }
    // No gap after the last.
    if let Some((text, _)) = pieces.last_mut() {
        *text = text.trim_end().to_owned().into();
    }
    let taken = wide(&pieces);
    // Where they do not all fit, those that are through go first.
    let from = match taken > width {
        true => pieces.iter().position(|(text, _)| text.starts_with(['▸', '‖'])).unwrap_or(0),
        false => 0,
    };
    pen.line(3, y, width, &pieces[from..]);
}

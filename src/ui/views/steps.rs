//! The steps of a run, each with what became of it and how long it took.

use crate::{
    run::{Event, RunSeen, StepState},
    ui::{format, paint::Pen, theme::Role, view::Cx},
};

/// Draws them, leaving so many lines free below them. Returns the line after them.
pub(super) fn draw(pen: &mut Pen<'_>, cx: &Cx<'_>, known: &RunSeen, mut y: u16, below: usize) -> u16 {
    let run = &known.run;
    let width = pen.width();
    let at = |step: usize, begun: bool| {
        run.entries.iter().rev().find_map(|e| match &e.event {
            Event::Started { step: s } if begun && *s == step => Some(e.at),
            Event::Done { step: s, .. } | Event::Skipped { step: s, .. } if !begun && *s == step => {
                Some(e.at)
            }
            _ => None,
        })
    };
    // Long runs show the steps around the one under way, which may take a second line.
    let open = |state: &&StepState| matches!(state, StepState::Started | StepState::Paused(_));
    let second = run.steps.iter().filter(open).count();
    let room = usize::from(pen.height().saturating_sub(y)).saturating_sub(below + second);
    let room = room.max(if run.state.is_over() { 1 } else { 3 });
    let (done, all) = run.progress();
    let start = done.saturating_sub(room / 2).min(all.saturating_sub(room));
    // A second line for what became of a step is the first thing to go.
    let tight = all * 2 > room;
    for (i, (step, state)) in run.plan().steps.iter().zip(&run.steps).enumerate().skip(start).take(room) {
        let what = run.plan().words(&step.change);
        let (glyph, role, text) = told(cx, known, i);
        pen.put(3, y, 1, glyph, role);
        let end = pen.put(
            5,
            y,
            width.saturating_sub(16),
            &what,
            if *state == StepState::Waiting { Role::Muted } else { Role::Text },
        );
        let took = match (at(i, true), at(i, false)) {
            (Some(a), Some(b)) => format::span(b.as_second() - a.as_second()),
            (Some(a), None) if *state == StepState::Started => cx.age(a),
            _ => String::new(),
        };
        pen.put_right(width.saturating_sub(1), y, 5, &took, Role::Muted);
        let room = width.saturating_sub(end + 10);
        if format::width(&text) <= room {
            pen.put(end + 3, y, room, &text, role);
        } else if !text.is_empty() && (!tight || !matches!(state, StepState::Done(_))) {
            y += 1;
            pen.put(7, y, width.saturating_sub(14), &text, role);
        }
        y += 1;
    }
    y
}

/// The sign of a step, and what became of it beside that.
fn told(cx: &Cx<'_>, known: &RunSeen, i: usize) -> (&'static str, Role, String) {
    let run = &known.run;
    let (Some(step), Some(state)) = (run.plan().steps.get(i), run.steps.get(i)) else {
        return ("", Role::Muted, String::new());
    };
    let what = run.plan().words(&step.change);
    match state {
        StepState::Waiting | StepState::Started if run.failed_step() == Some(i) => {
            ("✖", Role::Danger, String::new())
        }
        StepState::Waiting if step.takes_back.is_some_and(|of| run.is_taken_back(of)) => {
            ("✓", Role::Ok, "given back".into())
        }
        StepState::Waiting if run.is_taken_back(i) => ("–", Role::Muted, "taken back".into()),
        StepState::Waiting => ("·", Role::Muted, String::new()),
        StepState::Started if known.is_interrupted() => {
            ("?", Role::Warn, known.meanwhile(cx.seen).unwrap_or_else(|| "in doubt".into()))
        }
        StepState::Started => {
            let limit = format!("at most {}", format::span(step.within.into()));
            // What says no more than the step itself says nothing.
            let doing = run.doing.clone().filter(|doing| *doing != what);
            ("▸", Role::Busy, doing.unwrap_or(limit))
        }
        StepState::Done(text) => ("✓", Role::Ok, text.clone()),
        StepState::Skipped(text) => ("–", Role::Muted, format!("not needed: {text}")),
        StepState::Paused(text) => {
            // The step stands before it already.
            let why = text.strip_prefix(&*what).map_or(&**text, |why| why.trim_start_matches([':', ' ']));
            ("‖", Role::Warn, why.to_owned())
        }
    }
}

/// Draws them with all their words in few columns, as far as there is room above `end`. Returns the line after them.
pub(super) fn draw_narrow(pen: &mut Pen<'_>, cx: &Cx<'_>, known: &RunSeen, mut y: u16, end: u16) -> u16 {
    let run = &known.run;
    let room = pen.width().saturating_sub(6);
    for (i, step) in run.plan().steps.iter().enumerate() {
        // What takes an earlier step back shows once it has begun.
        if step.takes_back.is_some() && matches!(run.steps[i], StepState::Waiting | StepState::Skipped(_)) {
            continue;
        }
        let (glyph, role, text) = told(cx, known, i);
        let tone = if run.steps[i] == StepState::Waiting { Role::Muted } else { Role::Text };
        let mut lines: Vec<_> = format::wrap(&run.plan().words(&step.change), room)
            .into_iter()
            .map(|line| (line, tone))
            .collect();
        if !text.is_empty() && !matches!(run.steps[i], StepState::Done(_)) {
            lines.extend(format::wrap(&format::plain(&text), room).into_iter().map(|line| (line, role)));
        }
        if y + lines.len() as u16 > end {
            break;
        }
        pen.put(3, y, 1, glyph, role);
        for (line, tone) in lines {
            pen.put(5, y, room, &line, tone);
            y += 1;
        }
    }
    y
}

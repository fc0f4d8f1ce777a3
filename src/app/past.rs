//! What happened before, and the recording that is looked at instead of a cluster. Pure.

use std::sync::Arc;

use jiff::Timestamp;

use super::{App, Effect};
use crate::{
    cluster::Severity,
    history::{Happened, Kind, moment_of, of_runs},
    ui::{Action, Command, Place, Seek, replay},
};

/// So much of what happened is kept for the screen; of a recording all of it.
const MOST: usize = 20_000;

/// Takes in what happened.
pub(super) fn happened(app: &mut App, more: Vec<Happened>, now: Timestamp) {
    without_journals(app);
    let live = app.world.replay.is_none();
    let history = &mut app.world.history;
    history.extend(more);
    history.sort_by_key(|event| event.time);
    history.dedup();
    if live && history.len() > MOST {
        history.drain(..history.len() - MOST);
    }
    gather(app);
    app.refresh(now);
}

/// Puts what happened together with what the journals tell. Those of a recording are in it already.
pub(super) fn gather(app: &mut App) {
    without_journals(app);
    let world = &mut app.world;
    if world.replay.is_none() {
        world.history.extend(of_runs(&world.runs, &world.campaigns));
        world.history.sort_by_key(|event| event.time);
    }
}

/// Leaves what was seen: only journals tell of runs and campaigns.
fn without_journals(app: &mut App) {
    if app.world.replay.is_none() {
        app.world.history.retain(|event| !matches!(event.kind, Kind::Run | Kind::Campaign));
    }
}

/// Why a recording cannot answer it; `None`: it can, since it only shows.
pub(super) fn bars(action: &Action) -> Option<&'static str> {
    use Action::{Copy, Export, Go, GoSaying, GoTo, SaveLog, Say};
    match action {
        Go(Place::Log(..)) => replay::bars(Command::Logs),
        Go(Place::Object(..)) => replay::bars(Command::Describe),
        Go(_) | GoTo(..) | GoSaying(..) | Copy(_) | SaveLog { .. } | Export(..) | Say(_) => None,
        _ => Some(replay::RECORDED),
    }
}

/// Goes to another moment of the recording.
pub(super) fn seek(app: &mut App, seek: Seek, now: Timestamp, effects: &mut Vec<Effect>) {
    match app.world.replay {
        Some(_) => effects.push(Effect::Seek(seek, app.wanted.question.clone())),
        None => app.say(Severity::Notice, "this is no recording: `wheelhouse replay` opens one", now),
    }
}

/// Goes to a moment that was typed.
///
/// # Errors
/// It is none, or lies outside the recording: one sentence.
pub(super) fn at(app: &mut App, text: &str, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), String> {
    let Some(replay) = &app.world.replay else {
        seek(app, Seek::Moments(0), now, effects);
        return Ok(());
    };
    // A time of day is the last one of that name within the recording; a span is counted from where one is.
    let relative = text.trim_start().starts_with(['-', '+']);
    let near = if relative { app.world.seen.at } else { replay.until };
    effects.push(Effect::Seek(Seek::To(moment_of(text, near)?), app.wanted.question.clone()));
    Ok(())
}

/// Marks the present moment, or shows what it and the marked one differ in.
pub(super) fn compare(app: &mut App, now: Timestamp) {
    let seen = app.world.seen.clone();
    let Some(replay) = &mut app.world.replay else {
        return app.say(Severity::Notice, "this is no recording: `wheelhouse replay` opens one", now);
    };
    let told = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
    match &replay.marked {
        Some(marked) if marked.at == seen.at => {
            replay.marked = None;
            app.say(Severity::Notice, "no moment is marked any more", now);
        }
        Some(_) => {
            app.views.go(&Place::Compare);
            app.refresh(now);
        }
        None => {
            let text = format!("{} is marked: = at another moment shows what both differ in", told(seen.at));
            replay.marked = Some(Arc::clone(&seen));
            app.say(Severity::Notice, text, now);
        }
    }
}

/// To the timeline, on the lane of what one comes from.
pub(super) fn timeline(app: &mut App, now: Timestamp) {
    let front = app.views.front();
    // A row of a list has a lane only where something has happened to it.
    let happened = || {
        let name = front.subject()?;
        let events = &app.world.history;
        let of_tenant =
            events.iter().any(|event| event.tenant.as_ref().is_some_and(|of| of.as_str() == name));
        let of_node = || events.iter().any(|event| event.node.as_ref().is_some_and(|of| of.as_str() == name));
        match of_tenant {
            true => Some(Place::Tenant(name.as_str().into())),
            false => of_node().then(|| Place::Node(name.as_str().into())),
        }
    };
    let lane = match front.place() {
        Place::Tenant(name) | Place::Headroom(name) | Place::Log(name, _) => Some(Place::Tenant(name)),
        Place::Node(name) => Some(Place::Node(name)),
        Place::WhatIf(nodes, _) => nodes.into_iter().next().map(Place::Node),
        Place::Tenants | Place::Nodes | Place::Ranking | Place::Findings => happened(),
        Place::Runs | Place::Run(_) | Place::Campaign(_) => Some(Place::Runs),
        Place::Database | Place::Member(_) | Place::Proxy(_) | Place::Recovery => Some(Place::Database),
        Place::Platform | Place::Component(_) => Some(Place::Platform),
        _ => None,
    };
    app.views.go(&Place::Timeline);
    app.refresh(now);
    if let Some(lane) = lane {
        let cx = app.world.cx(now);
        app.views.front_mut().select(&lane, &cx);
    }
}

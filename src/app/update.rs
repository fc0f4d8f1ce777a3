//! Folding what happens into the state. Pure: it reads no clock and does nothing outside.

use jiff::Timestamp;

use super::{
    App, Effect, Msg, NotOpened, answered, approval, campaigns, foresee, input, known, past, schemes, stays,
    unlock,
};
use crate::{
    cluster::{Judgement, Severity},
    plan::Intent,
    run::{Run, RunState},
    ui::{Asks, Command, Overlay, Place, Wants, command, overlays::Prompt},
};

/// Folds one message. What has to be done outside comes back.
pub fn update(app: &mut App, msg: Msg, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Input(event) => input::happened(app, event, now, &mut effects),
        Msg::Observed(judgement) => {
            observed(app, judgement, now);
            approval::replan(app, &mut effects);
        }
        Msg::Sought(judgement, outlook) => {
            app.world.outlook = outlook.map(|outlook| *outlook);
            observed(app, judgement, now);
        }
        Msg::Local(found, campaigns) => {
            app.local = found;
            app.local_campaigns = campaigns;
            known::gather(app);
            app.refresh(now);
        }
        Msg::Ran(run) => {
            aborted(app, &run, &mut effects);
            ran(app, *run, now);
        }
        Msg::Campaign(campaign) => campaigns::reported(app, *campaign, now),
        Msg::Rehearsed(rehearsal) => approval::rehearsed(app, rehearsal),
        Msg::RehearsedAll(rehearsal, left) => {
            schemes::rehearsed(app, &rehearsal, left, now, &mut effects);
        }
        Msg::Scheme(wanted, terms, found) => schemes::came(app, (&wanted, &terms), *found, &mut effects),
        Msg::Planned(intent, plan) => approval::planned(app, &intent, *plan, now, &mut effects),
        Msg::Targets(pod, found) => schemes::chosen(app, &pod, found),
        Msg::TenantEvents(tenant, events) => {
            if let Some((name, slot)) = &mut app.world.detail.events
                && *name == tenant
            {
                *slot = Some(events);
            }
        }
        Msg::Log(source, range, lines) => app.world.detail.log.take(&source, range, lines),
        Msg::Object(key, object) => {
            if let Some((wanted, slot)) = &mut app.world.detail.object
                && *wanted == key
            {
                *slot = Some(object);
                app.refresh(now);
            }
        }
        Msg::Happened(happened) => past::happened(app, happened, now),
        Msg::KeptSince(at) => {
            app.world.since = Some(app.world.since.map_or(at, |since| since.min(at)));
            app.refresh(now);
        }
        Msg::Used(used) => {
            app.world.used = used;
            app.refresh(now);
        }
        Msg::Audit(audit) => {
            app.world.detail.audit = Some(audit);
            app.refresh(now);
        }
        Msg::Foreseen(outlook) => foresee::foreseen(app, *outlook, now),
        Msg::Revisions(_, Ok(rollback)) => {
            app.notice = None;
            approval::review(app, Intent::Rollback { rollback: *rollback }, &mut effects);
        }
        Msg::Revisions(_, Err(why)) => app.say(Severity::Warning, why, now),
        Msg::Bound(ready) => unlock::bound(app, ready, now, &mut effects),
        Msg::Forwards(open, said) => {
            app.world.forwards = open;
            app.refresh(now);
            match said {
                Some(Ok(text)) => {
                    if asks_for_ports(app).is_some() {
                        app.overlay = None;
                    }
                    app.say(Severity::Notice, text, now);
                }
                // What was typed stays, beside what would be free.
                Some(Err(NotOpened { why, free })) => match asks_for_ports(app) {
                    Some(prompt) => prompt.not_opened(why, free),
                    None => app.say(Severity::Warning, why, now),
                },
                None => {}
            }
        }
        Msg::ShellOpened(opened) => shell_opened(app, opened, now, &mut effects),
        Msg::Returned(severity, text) => {
            app.away = false;
            if severity > Severity::Notice && matches!(app.overlay, Some(Overlay::Opening(_))) {
                app.overlay = None;
            }
            app.returned = Some(now);
            effects.push(Effect::TakeBack);
            app.say(severity, text, now);
        }
        Msg::Cost(cost) => {
            if let Some(Overlay::Help(help)) = &mut app.overlay {
                help.cost = cost;
            }
        }
        Msg::Notice(severity, text) => app.say(severity, text, now),
        Msg::Tick => {}
        Msg::Leave => app.leaving = true,
        // Whoever has the terminal meanwhile is stopped by the same signal.
        Msg::Suspend | Msg::Continued if app.away => {}
        Msg::Suspend => effects.push(Effect::Suspend),
        Msg::Continued => effects.push(Effect::Retake),
    }
    unlock::expire(app, now, &mut effects);
    if let Some(Overlay::Planning(planning)) = &mut app.overlay {
        planning.since.get_or_insert(now);
    }
    approval::settle(app, now, &mut effects);
    schemes::settle(app, now, &mut effects);
    let old = |at: Timestamp, severity| now.duration_since(at) >= stays(severity);
    if app.notice.as_ref().is_some_and(|(severity, _, at)| old(*at, *severity)) {
        app.notice = None;
    }
    app.trail.note(&app.views);
    fetch(app, now, &mut effects);
    foresee::ask(app, now, &mut effects);
    schemes::ask(app, now, &mut effects);
    effects
}

/// The question for the ports of a port-forward, where that is open.
fn asks_for_ports(app: &mut App) -> Option<&mut Prompt> {
    match &mut app.overlay {
        Some(Overlay::Prompt(prompt)) if matches!(prompt.asks, Asks::Forward { .. }) => Some(prompt),
        _ => None,
    }
}

/// A shell is there: the terminal is its, unless nobody waits for it any more.
fn shell_opened(app: &mut App, opened: Result<(), String>, now: Timestamp, effects: &mut Vec<Effect>) {
    let waited = matches!(app.overlay, Some(Overlay::Opening(_)));
    if waited {
        app.overlay = None;
    }
    match opened {
        Ok(()) if waited => {
            app.away = true;
            effects.push(Effect::HandOver);
        }
        Ok(()) => effects.push(Effect::DropShell),
        Err(why) if waited => app.say(Severity::Warning, why, now),
        Err(_) => {}
    }
}

/// Takes a snapshot in.
pub(super) fn observed(app: &mut App, judgement: Judgement, now: Timestamp) {
    let seen = judgement.seen.clone();
    let journals = !app.world.seen.journals.items.ptr_eq(&seen.journals.items)
        || !app.world.seen.leases.items.ptr_eq(&seen.leases.items)
        || app.world.seen.leases.freshness != seen.leases.freshness;
    app.world.seen = seen;
    app.world.judgement = judgement;
    if journals {
        known::gather(app);
    } else {
        let now = app.world.seen.at;
        app.world.runs.iter_mut().for_each(|known| known.age(now));
        app.world.campaigns.iter_mut().for_each(|known| known.age(now));
    }
    if app.world.seen.is_ready() {
        app.world.since.get_or_insert(app.world.seen.at);
    }
    foresee::judge(app);
    app.refresh(now);
}

/// A run that is aborted stands still by now: it is closed.
fn aborted(app: &mut App, run: &Run, effects: &mut Vec<Effect>) {
    let stands = run.state.is_over() || run.state == RunState::Paused;
    if stands && app.aborting.remove(&run.id) && !run.state.is_over() {
        effects.push(Effect::GiveUp(Box::new(run.clone()), answered::ABORTED.into()));
    }
}

fn ran(app: &mut App, run: Run, now: Timestamp) {
    let new = !app.driven.contains_key(&run.id);
    let was = app.driven.get(&run.id).map(|r| r.state);
    let (id, state, short) = (run.id.clone(), run.state, run.short().to_owned());
    let said = run.last_word().unwrap_or_default().to_owned();
    let paused = run.paused_by().map_or_else(|| format!("paused: {said}"), |who| format!("paused by {who}"));
    // It ended badly by itself; who gives one up says so.
    let failed = run.leaving.as_ref().is_some_and(|why| !why.starts_with("given up by "));
    let stays = run.made().iter().any(|(_, change)| change.never().is_some());
    app.driven.insert(id.clone(), run);
    known::gather(app);
    if new && app.starting {
        app.starting = false;
        app.notice = None;
        app.views.go(&Place::Run(id));
    }
    if was.is_some_and(|was| was != state) {
        match state {
            RunState::Done if stays => app.say(Severity::Notice, format!("run {short} is done"), now),
            RunState::Done => {
                let undo = command::sign(Command::Undo);
                app.say(Severity::Notice, format!("run {short} is done: {undo} takes it back"), now);
            }
            RunState::Failed if failed => {
                app.say(Severity::Critical, format!("run {short} has failed: {said}"), now);
            }
            RunState::Failed => app.say(Severity::Critical, format!("run {short} was given up: {said}"), now),
            RunState::Paused => app.say(Severity::Warning, format!("run {short} is {paused}"), now),
            _ => {}
        }
    }
    app.refresh(now);
}

/// Asks for what the place in front wants, and stops what no place wants.
fn fetch(app: &mut App, now: Timestamp, effects: &mut Vec<Effect>) {
    let wants: Wants = app.views.front().wants(&app.world.cx(now));
    if wants.events != app.wanted.events {
        app.world.detail.events = wants.events.as_ref().map(|(tenant, _)| (tenant.clone(), None));
        effects.push(match &wants.events {
            Some((tenant, namespace)) => Effect::WatchTenant(tenant.clone(), namespace.clone()),
            None => Effect::StopWatching,
        });
    }
    if wants.log != app.wanted.log {
        let range = wants.log.range;
        let turn = app.world.detail.log.turn(wants.log.clone());
        effects.extend(turn.stop.into_iter().map(Effect::StopLog));
        effects.extend(turn.start.into_iter().map(|source| Effect::ReadLog(source, range)));
    }
    if wants.object != app.wanted.object {
        app.world.detail.object = wants.object.clone().map(|key| (key, None));
        effects.push(wants.object.clone().map_or(Effect::StopObject, Effect::WatchObject));
    }
    if wants.audit && !app.wanted.audit {
        effects.push(Effect::ReadAudit);
    }
    app.wanted = wants;
}

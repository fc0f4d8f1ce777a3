//! From a plan to a yes: opening a review, planning again while it is open, rehearsing, and what counts as a yes.

use crossterm::event::{Event, KeyCode, KeyEvent};
use jiff::{SignedDuration, Timestamp};
use tui_input::{Input, backend::crossterm::EventHandler};

use super::{App, Effect};
use crate::{
    cluster::{Database, Severity},
    plan::{DatabaseAct, Intent, OnFailure, Plan, Verdict},
    run::{JournalPlace, Rehearsal},
    ui::{
        Asks, Command, Overlay,
        command::{self, On},
        format,
        overlays::{Planning, Prompt, Rehearsing, Review, Typing},
    },
};

/// A yes counts once no key has followed it for so long: what is pasted as keys comes closer together.
pub(super) const SETTLED: SignedDuration = SignedDuration::from_millis(150);

/// The longest reason, in characters: it is told in Events, which take a thousand bytes.
pub(super) const REASON: usize = 200;

/// Has what is asked for planned, and opens its review once that is done.
pub(super) fn review(app: &mut App, intent: Intent, effects: &mut Vec<Effect>) {
    effects.push(Effect::Plan(intent.clone(), crate::run::instead::among(&app.world.runs, &intent)));
    let planning = Planning { intent, reason: Input::default(), since: None };
    app.overlay = Some(Overlay::Planning(Box::new(planning)));
}

fn rehearse(read_only: bool, review: &mut Review, effects: &mut Vec<Effect>) {
    review.rehearsing = Rehearsing::No;
    if review.refusal(read_only).is_none() {
        review.rehearsing = Rehearsing::Waiting;
        effects.push(Effect::Rehearse(review.plan.clone()));
    }
}

/// Has the open review planned again on the present snapshot, one at a time.
pub(super) fn replan(app: &mut App, effects: &mut Vec<Effect>) {
    let Some(Overlay::Review(review)) = &mut app.overlay else { return };
    review.stale = review.busy;
    if !review.busy {
        review.busy = true;
        effects.push(Effect::Plan(review.plan.intent.clone(), Vec::new()));
    }
}

/// Takes a plan in: the one that was asked for opens its review. Where it is another one than the open review shows,
/// the one looked at is gone: the review says so, and wants a fresh yes.
pub(super) fn planned(app: &mut App, asked: &Intent, plan: Plan, now: Timestamp, effects: &mut Vec<Effect>) {
    let read_only = app.world.who.read_only;
    match app.overlay.take() {
        Some(Overlay::Planning(planning)) if planning.intent == *asked => {
            let mut review = Review::new(plan);
            review.reason = planning.reason;
            rehearse(read_only, &mut review, effects);
            app.overlay = Some(Overlay::Review(Box::new(review)));
        }
        Some(Overlay::Review(mut review)) if review.plan.intent == *asked => {
            review.busy = false;
            if review.came(plan) {
                review.changed = true;
                review.turn_back();
                review.yes = None;
                review.note = None;
                review.typed = Input::default();
                // A reason is of the operator, not of the plan.
                if review.typing != Some(Typing::Reason) {
                    review.typing = None;
                }
                review.rehearsing = Rehearsing::No;
            }
            // What has refused it may have gone.
            if review.rehearsing == Rehearsing::No {
                rehearse(read_only, &mut review, effects);
            }
            let stale = review.stale;
            app.overlay = Some(Overlay::Review(review));
            // There is no newer plan: where the cluster changes faster than plans are made, this is the moment of a yes.
            settle(app, now, effects);
            if stale {
                replan(app, effects);
            }
        }
        other => app.overlay = other,
    }
}

/// Takes the answer of a rehearsal in; one for another plan than the open one is dropped.
pub(super) fn rehearsed(app: &mut App, rehearsal: Rehearsal) {
    let Some(Overlay::Review(review)) = &mut app.overlay else { return };
    if rehearsal.plan != review.plan.id || review.rehearsing == Rehearsing::No {
        return;
    }
    let calm =
        rehearsal.checks.iter().all(|c| c.verdict == Verdict::Ok) && rehearsal.journal_missing.is_empty();
    if !calm {
        review.turn_back();
        if review.yes.take().is_some() {
            review.note = Some(format!(
                "the rehearsal found something: read it, then press {} again",
                command::sign(Command::Yes)
            ));
        }
    }
    review.rehearsing = Rehearsing::Came(rehearsal);
}

/// Starts the plan that was said yes to, once the yes has settled, the rehearsal has passed, and the plan is of the newest
/// snapshot that one was asked for of.
pub(super) fn settle(app: &mut App, now: Timestamp, effects: &mut Vec<Effect>) {
    let ready = matches!(&app.overlay, Some(Overlay::Review(review))
        if review.yes.is_some_and(|at| now.duration_since(at) >= SETTLED)
            && !review.busy
            && matches!(review.rehearsing, Rehearsing::Came(_)));
    if !ready {
        return;
    }
    let Some(Overlay::Review(mut review)) = app.overlay.take() else { return };
    if let Some(why) = review.refusal(app.world.who.read_only) {
        review.yes = None;
        review.note = Some(why);
        app.overlay = Some(Overlay::Review(review));
        return;
    }
    let reason = crate::ui::plain(review.reason.value()).into_owned();
    match review.plan.clone().approve(Some(review.typed.value()), Some(reason)) {
        Ok(approved) => {
            effects.push(Effect::Start(approved, review.place));
            app.starting = true;
            app.say(Severity::Notice, "starting …", now);
        }
        Err(why) => {
            review.yes = None;
            review.note = Some(why.to_string());
            app.overlay = Some(Overlay::Review(review));
        }
    }
}

/// A key while a review is open. Returns whether the review is closed by it.
pub(super) fn pressed(
    app: &mut App,
    review: &mut Review,
    key: KeyEvent,
    name: &str,
    burst: bool,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) -> bool {
    review.note = None;
    let unread = review.look(app.world.size, &app.world.cx(now));
    if review.yes.is_some_and(|at| now.duration_since(at) < SETTLED) {
        review.yes = None;
        review.note =
            Some(format!("keys came too fast to be meant: press {} by itself", command::sign(Command::Yes)));
        return false;
    }
    let was = review.typing;
    match (was, name) {
        (None, _) => {}
        (Some(Typing::Name), "esc") => return true,
        // Enter ends the typing, and never more.
        (Some(Typing::Name), "enter" | "tab") => match review.untyped() {
            None => review.typing = None,
            Some(name) => review.note = Some(format!("that is not {name}")),
        },
        (Some(_), "up") => review.go(Command::Up),
        (Some(_), "down") => review.go(Command::Down),
        (Some(_), "pageup") => review.go(Command::PageUp),
        (Some(_), "pagedown") => review.go(Command::PageDown),
        (Some(Typing::Name), _) => {
            review.typed.handle_event(&Event::Key(key));
        }
        (Some(Typing::Reason), "esc") => {
            review.reason = Input::default();
            review.typing = None;
        }
        (Some(Typing::Reason), "enter" | "tab") => review.typing = None,
        (Some(Typing::Reason), _) => {
            let full = review.reason.value().chars().count() >= REASON;
            if !full || !matches!(key.code, KeyCode::Char(_)) {
                review.reason.handle_event(&Event::Key(key));
            }
        }
    }
    if was.is_some() {
        return false;
    }
    let Some(entry) = command::by_key(name, On::Review) else { return false };
    match entry.command {
        Command::Escape | Command::Back if review.yes.take().is_some() => {
            review.note = Some("the yes is taken back: nothing was started".into());
        }
        Command::Escape | Command::Back => return true,
        Command::Yes if unread > 0 && review.refusal(app.world.who.read_only).is_none() => {
            review.scroll = review.shown.saturating_sub(1);
            let lines = format::count(unread, "line");
            let were = if unread == 1 { "was" } else { "were" };
            let yes = command::sign(Command::Yes);
            review.note = Some(format!("not run: {lines} {were} below; read, then press {yes}"));
        }
        Command::Yes => yes(app, review, burst, now),
        Command::Edit => {
            if let Some(mut prompt) = again(app, &review.plan.intent) {
                prompt.reason = review.reason.clone();
                app.overlay = Some(Overlay::Prompt(prompt));
                return true;
            }
        }
        Command::Reason => match review.refusal(app.world.who.read_only) {
            Some(why) => review.note = Some(why),
            None => {
                // Who says yes has read the plan with its reason.
                review.yes = None;
                review.typing = Some(Typing::Reason);
            }
        },
        Command::JournalHere => {
            if review.rehearsing == Rehearsing::Waiting {
                // Whether the cluster can keep it is not known yet.
            } else if review.journal_missing().is_empty() {
                review.note = Some("the cluster keeps the journal: nothing is missing for it".into());
            } else {
                review.place = JournalPlace::Local;
            }
        }
        Command::Copy => {
            let lines: Vec<_> = review.plan.parts().flat_map(|part| part.by_hand()).collect();
            effects.push(Effect::Copy(lines.join("\n")));
        }
        command => review.go(command),
    }
    false
}

/// Asks again for what led to a plan, with what was answered filled in.
fn again(app: &App, intent: &Intent) -> Option<Prompt> {
    let (asks, answer) = match intent {
        Intent::Scale { targets } => {
            let of = |t: &crate::plan::Target| Some((t.tenant.clone(), app.replicas(&t.tenant)?));
            let tenants: Vec<_> = targets.iter().filter_map(of).collect();
            let asked = targets.first().map(|t| t.to.to_string());
            let same = targets.iter().all(|t| Some(t.to.to_string()) == asked);
            (Asks::Replicas(tenants), asked.filter(|_| same))
        }
        Intent::Resize { limits } => {
            let asks = Asks::limits(&app.world.seen, &limits.tenant).ok()?;
            let memory = limits.memory.map(crate::cluster::Memory::notation);
            let cpu = limits.cpu.map(|cpu| format!("--cpu {}", cpu.notation()));
            let container = limits.container.as_ref().map(|name| format!("--container {name}"));
            let all: Vec<_> = memory.into_iter().chain(cpu).chain(container).collect();
            (asks, Some(all.join(" ")))
        }
        Intent::Migrate { migration } => {
            let asks = Asks::migration(
                &app.world.seen,
                &app.setup.migrations,
                std::slice::from_ref(&migration.tenant),
            )
            .ok()?;
            let image = migration.image.clone().unwrap_or_else(|| asks.filled());
            let paused = if migration.gitops_paused { " --gitops-paused" } else { "" };
            let hold = if migration.on_failure == OnFailure::Hold { " --on-failure hold" } else { "" };
            let keep = match migration.keep {
                1 => String::new(),
                n => format!(" --keep {n}"),
            };
            let command = migration.command.as_ref().map_or(String::new(), |c| format!(" {c}"));
            (asks, Some(format!("{image}{keep}{paused}{hold}{command}")))
        }
        Intent::Database { act: DatabaseAct::Weight { member, weight } } => {
            let database = Database::of(&app.world.seen)?;
            let asks = Asks::weight(&database, database.member(member.as_str())?).ok()?;
            (asks, Some(weight.to_string()))
        }
        Intent::Database { act: DatabaseAct::AddServer { address, like: None } } => {
            let asks = Asks::server(&app.world.seen, &*Database::of(&app.world.seen)?).ok()?;
            (asks, Some(address.to_string()))
        }
        _ => return None,
    };
    let mut prompt = Prompt::new(asks);
    if let Some(answer) = answer {
        prompt.input = Input::new(answer);
    }
    Some(prompt)
}

fn yes(app: &App, review: &mut Review, burst: bool, now: Timestamp) {
    if let Some(why) = review.refusal(app.world.who.read_only) {
        review.note = Some(why);
    } else if burst {
        review.note =
            Some(format!("keys came too fast to be meant: press {} by itself", command::sign(Command::Yes)));
    } else if review.untyped().is_some() {
        review.typing = Some(Typing::Name);
    } else if review.changed {
        review.changed = false;
    } else if !review.journal_missing().is_empty() && review.place == JournalPlace::Cluster {
        review.note = Some(format!(
            "no journal in the cluster is possible: {} keeps it on this machine only",
            command::first_key(Command::JournalHere)
        ));
    } else {
        review.yes.get_or_insert(now);
    }
}

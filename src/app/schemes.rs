//! Many moves at once, from a key to a yes: asked for, worked out beside the event loop, shown, rehearsed, begun.
//!
//! While the review is open it is worked out again when what it rests on has changed, at most once a second.

use crossterm::event::{Event, KeyCode, KeyEvent};
use jiff::{SignedDuration, Timestamp};
use tui_input::{Input, backend::crossterm::EventHandler};

use super::{
    App, Effect,
    approval::{REASON, SETTLED},
};
use crate::{
    cluster::{Key, Severity, Snapshot, TenantName},
    plan::{Check, Verdict, rebalance::Targets, whatif::Forecast},
    run::{JournalPlace, Rehearsal, campaign::Refusals},
    ui::{
        Command, Overlay, Term, Terms, Wanted,
        command::{self, On},
        overlays::{Choice, Rehearsing, SchemeFound, SchemeReview, Typing},
    },
};

/// While the cluster changes all the time, it is worked out again this often.
const PACE: SignedDuration = SignedDuration::from_secs(1);

/// Opens the review of what many pods would do for an aim.
pub(super) fn review(app: &mut App, wanted: Wanted, now: Timestamp, effects: &mut Vec<Effect>) {
    app.overlay = Some(Overlay::Scheme(Box::new(SchemeReview::new(wanted))));
    ask(app, now, effects);
}

/// Asks which nodes take a pod.
pub(super) fn choose(app: &mut App, tenant: TenantName, pod: Key, effects: &mut Vec<Effect>) {
    effects.push(Effect::Targets(tenant.clone(), pod.clone()));
    app.overlay = Some(Overlay::Choice(Box::new(Choice::new(tenant, pod))));
}

/// Takes in which nodes take a pod.
pub(super) fn chosen(app: &mut App, pod: &Key, found: Result<Targets, Check>) {
    if let Some(Overlay::Choice(choice)) = &mut app.overlay
        && choice.pod == *pod
    {
        choice.came(found);
    }
}

/// Has the open review worked out, when it was not yet, or no longer holds.
pub(super) fn ask(app: &mut App, now: Timestamp, effects: &mut Vec<Effect>) {
    app.due_scheme = None;
    let seen = &app.world.seen;
    let Some(Overlay::Scheme(review)) = &mut app.overlay else { return };
    // Without a scheme there is nothing to compare with: each new snapshot may make one possible.
    let holds = match review.found.as_deref() {
        _ if review.stale => false,
        Some(Ok(draft)) => holds(&draft.scheme.foreseen, seen),
        Some(Err(_)) => review.revision == Some(seen.revision),
        None => false,
    };
    if review.busy || holds {
        return;
    }
    let next = review.asked.filter(|_| !review.stale).and_then(|at| at.checked_add(PACE).ok());
    if let Some(at) = next.filter(|at| *at > now) {
        app.due_scheme = Some(at);
        return;
    }
    review.busy = true;
    review.asked = Some(now);
    review.revision = Some(seen.revision);
    effects.push(Effect::Scheme(review.wanted.clone(), review.terms.clone()));
}

/// Whether the same would be worked out on both.
fn holds(last: &Snapshot, seen: &Snapshot) -> bool {
    let same = |one: &Snapshot| (one.revision, one.at);
    same(last) == same(seen) || (last.leases.items.ptr_eq(&seen.leases.items) && Forecast::holds(last, seen))
}

/// Takes in what was worked out.
pub(super) fn came(
    app: &mut App,
    (wanted, terms): (&Wanted, &Terms),
    found: SchemeFound,
    effects: &mut Vec<Effect>,
) {
    let read_only = app.world.who.read_only;
    let Some(Overlay::Scheme(review)) = &mut app.overlay else { return };
    if review.wanted != *wanted {
        return;
    }
    review.busy = false;
    if review.terms != *terms {
        // Other terms were chosen meanwhile.
        review.busy = true;
        effects.push(Effect::Scheme(review.wanted.clone(), review.terms.clone()));
        return;
    }
    let differs = review.came(found);
    if (differs || review.rehearsing == Rehearsing::No) && review.refusal(read_only).is_none() {
        review.rehearsing = Rehearsing::Waiting;
        let plans = review.draft().map(|draft| draft.samples.plans.clone()).unwrap_or_default();
        effects.push(Effect::RehearseAll(review.rehearsal_id(), plans));
    }
}

/// Takes the answer of a rehearsal in; one to an earlier question is dropped.
pub(super) fn rehearsed(
    app: &mut App,
    rehearsal: &Rehearsal,
    left: Refusals,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let Some(Overlay::Scheme(review)) = &mut app.overlay else { return };
    if rehearsal.plan != review.rehearsal_id() || review.rehearsing != Rehearsing::Waiting {
        return;
    }
    if !left.is_empty() {
        // What is left is another plan, and is rehearsed again.
        if review.yes.is_some() {
            review.changed = true;
        }
        review.choose(|terms| terms.left.extend(left));
        return ask(app, now, effects);
    }
    let calm =
        rehearsal.checks.iter().all(|c| c.verdict == Verdict::Ok) && rehearsal.journal_missing.is_empty();
    if !calm && review.yes.take().is_some() {
        review.note = Some(format!(
            "the rehearsal found something: read it, then press {} again",
            command::sign(Command::Yes)
        ));
    }
    review.rehearsing = Rehearsing::Came(rehearsal.clone());
}

/// Begins what was said yes to, once the yes has settled and the rehearsal has passed.
pub(super) fn settle(app: &mut App, now: Timestamp, effects: &mut Vec<Effect>) {
    let read_only = app.world.who.read_only;
    let Some(Overlay::Scheme(review)) = &mut app.overlay else { return };
    let settled = review.yes.is_some_and(|at| now.duration_since(at) >= SETTLED);
    if !settled || !matches!(review.rehearsing, Rehearsing::Came(_)) {
        return;
    }
    if let Some(why) = review.refusal(read_only) {
        review.yes = None;
        review.note = Some(why);
        return;
    }
    let Some(draft) = review.draft() else { return };
    let reason = crate::ui::plain(review.reason.value()).into_owned();
    match draft.proposed.clone().approve(Some(review.typed.value()), Some(reason)) {
        Ok(approved) => {
            let approved = Box::new(approved);
            effects.push(match &review.wanted {
                Wanted::Rest(campaign) => Effect::GoOn(campaign.clone(), Some(approved)),
                Wanted::Aim(_) | Wanted::Tenants(_) | Wanted::Back(_) => {
                    Effect::Campaign(approved, review.place)
                }
            });
            app.overlay = None;
            app.starting = true;
            app.say(Severity::Notice, "starting …", now);
        }
        Err(why) => {
            review.yes = None;
            review.note = Some(why.to_string());
        }
    }
}

/// A key while the review is open. Returns whether it is closed by it.
pub(super) fn pressed(
    app: &App,
    review: &mut SchemeReview,
    key: KeyEvent,
    name: &str,
    burst: bool,
    now: Timestamp,
) -> bool {
    review.note = None;
    review.look(app.world.size);
    if review.yes.is_some_and(|at| now.duration_since(at) < SETTLED) {
        review.yes = None;
        review.note =
            Some(format!("keys came too fast to be meant: press {} by itself", command::sign(Command::Yes)));
        return false;
    }
    if let Some(typing) = review.typing {
        return typed(review, typing, key, name);
    }
    if review.choosing.is_some() && chosen_by(review, name) {
        return false;
    }
    let Some(entry) = command::by_key(name, On::Review) else { return false };
    let refusal = review.refusal(app.world.who.read_only);
    match entry.command {
        Command::Escape | Command::Back if review.yes.take().is_some() => {
            review.note = Some("the yes is taken back: nothing was started".into());
        }
        Command::Escape | Command::Back => return true,
        Command::Yes => match refusal {
            Some(why) => review.note = Some(why),
            None if burst => {
                review.note = Some(format!(
                    "keys came too fast to be meant: press {} by itself",
                    command::sign(Command::Yes)
                ));
            }
            None if !review.is_whole(app.world.size) => {
                let yes = command::first_key(Command::Yes);
                review.note = Some(format!(
                    "not run: there is no room for all that {yes} agrees to; make the terminal larger"
                ));
            }
            None if review.untyped().is_some() => review.typing = Some(Typing::Name),
            None if review.changed => review.changed = false,
            None if !review.journal_missing().is_empty() && review.place == JournalPlace::Cluster => {
                let why = format!(
                    "no journal in the cluster is possible: {} keeps it on this machine only",
                    command::first_key(Command::JournalHere)
                );
                review.note = Some(why);
            }
            None => review.yes = Some(now),
        },
        Command::Reason => match refusal {
            Some(why) => review.note = Some(why),
            None => {
                review.yes = None;
                review.typing = Some(Typing::Reason);
            }
        },
        Command::JournalHere if !review.journal_missing().is_empty() => review.place = JournalPlace::Local,
        Command::Edit => match Term::all(&review.wanted).first() {
            Some(first) => review.choosing = Some(*first),
            None => review.note = Some("it goes on as it was agreed to: nothing can be chosen".into()),
        },
        command => review.go(command),
    }
    false
}

/// A key while the terms are chosen. False: it means what it means elsewhere.
fn chosen_by(review: &mut SchemeReview, name: &str) -> bool {
    let all = Term::all(&review.wanted);
    let Some(term) = review.choosing else { return false };
    let at = all.iter().position(|t| *t == term).unwrap_or(0);
    match name {
        "left" | "h" | "shift-tab" => review.choosing = Some(all[(at + all.len() - 1) % all.len()]),
        "right" | "l" | "tab" => review.choosing = Some(all[(at + 1) % all.len()]),
        "+" | "=" | "up" | "space" => review.choose(|terms| terms.step(term, 1)),
        "-" | "_" | "down" => review.choose(|terms| terms.step(term, -1)),
        "enter" | "esc" | "e" | "q" => review.choosing = None,
        digit if digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit() => {
            let digit = u32::from(digit.as_bytes()[0] - b'0');
            // Digits that follow each other are one number, as far as it makes sense.
            let before = term.value(&review.terms).parse().ok().filter(|_| review.typed_number);
            let number = before.map_or(digit, |n: u32| n.saturating_mul(10).saturating_add(digit));
            review.choose(|terms| terms.set(term, number));
            review.typed_number = true;
            return true;
        }
        // Nothing is begun or left by a key that was meant for them.
        _ => {}
    }
    review.typed_number = false;
    true
}

/// A key while a name or a reason is typed. Returns whether the review is closed by it.
fn typed(review: &mut SchemeReview, typing: Typing, key: KeyEvent, name: &str) -> bool {
    match (typing, name) {
        (Typing::Name, "esc") => return true,
        // Enter ends the typing, and never more.
        (Typing::Name, "enter") => match review.untyped() {
            None => review.typing = None,
            Some(name) => review.note = Some(format!("that is not {name}")),
        },
        // What has to be read before a name is typed can be read.
        (Typing::Name, "tab") => review.go(Command::Next),
        (Typing::Name, "shift-tab") => review.go(Command::Previous),
        (_, "up") => review.go(Command::Up),
        (_, "down") => review.go(Command::Down),
        (_, "pageup") => review.go(Command::PageUp),
        (_, "pagedown") => review.go(Command::PageDown),
        (Typing::Name, _) => {
            review.typed.handle_event(&Event::Key(key));
        }
        (Typing::Reason, "esc") => {
            review.reason = Input::default();
            review.typing = None;
        }
        (Typing::Reason, "enter" | "tab") => review.typing = None,
        (Typing::Reason, _) => {
            let full = review.reason.value().chars().count() >= REASON;
            if !full || !matches!(key.code, KeyCode::Char(_)) {
                review.reason.handle_event(&Event::Key(key));
            }
        }
    }
    false
}

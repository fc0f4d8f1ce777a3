//! Going to other clusters and namespaces, and writing for a while to one that is read-only. Pure.

use jiff::{SignedDuration, Timestamp};

use super::{App, Destination, Effect};
use crate::{
    cluster::{Severity, did_you_mean, near},
    ui::{Overlay, overlays::Ask, replay::RECORDED},
};

/// How long an unlock lasts where nothing else is said. What is done meanwhile does not prolong it: who forgets to lock
/// again has it locked in any case.
const LASTS: SignedDuration = SignedDuration::from_mins(15);
/// The longest there is.
const LONGEST: SignedDuration = SignedDuration::from_hours(8);

/// Asks whether read-only is to be lifted.
///
/// # Errors
/// One sentence: it cannot be, or the span is none.
pub(super) fn ask(app: &mut App, span: Option<&str>) -> Result<(), String> {
    if app.world.replay.is_some() {
        return Err(RECORDED.into());
    }
    if app.setup.fixed {
        return Err("read-only for this session (--read-only): start without it to change anything".into());
    }
    if !app.setup.read_only {
        return Err("nothing is locked: this cluster is not read-only".into());
    }
    let lasts = match span {
        None => LASTS,
        Some(text) => {
            let span =
                humantime::parse_duration(text).ok().and_then(|span| SignedDuration::try_from(span).ok());
            span.filter(|span| *span >= SignedDuration::from_secs(10) && *span <= LONGEST)
                .ok_or_else(|| format!("`{text}` is no span from 10s to 8h, such as 30m"))?
        }
    };
    let context = &app.world.seen.api.context;
    let name =
        app.setup.label.as_ref().map_or(context.to_string(), |(label, _)| format!("{label} ({context})"));
    let text = format!(
        "{name} can be changed from here for {}, then it is read-only again; :lock ends it earlier. Runs that are under way \
         then go on.",
        humantime::format_duration(lasts.unsigned_abs())
    );
    app.overlay = Some(Overlay::Ask(Ask::Unlock { seconds: lasts.as_secs(), text }));
    Ok(())
}

/// Lifts read-only.
pub(super) fn unlock(app: &mut App, seconds: i64, now: Timestamp, effects: &mut Vec<Effect>) {
    let Ok(until) = now.checked_add(SignedDuration::from_secs(seconds)) else { return };
    app.world.who.read_only = false;
    app.world.who.unlocked = Some(until);
    effects.push(Effect::Unlock(seconds));
}

/// Is read-only from now on, also where it was not before.
pub(super) fn lock(app: &mut App, why: &str, now: Timestamp, effects: &mut Vec<Effect>) {
    app.world.who.unlocked = None;
    app.world.who.read_only = true;
    app.setup.read_only = true;
    effects.push(Effect::Unlock(0));
    app.say(Severity::Notice, why, now);
}

/// Locks again what was unlocked for long enough.
pub(super) fn expire(app: &mut App, now: Timestamp, effects: &mut Vec<Effect>) {
    if app.world.who.unlocked.is_some_and(|until| now >= until) {
        lock(app, "read-only again: the unlock has expired", now, effects);
    }
}

/// Goes to another context of the kubeconfig.
///
/// # Errors
/// One sentence: there is none of that name, or something of here is under way.
pub(super) fn context(app: &mut App, name: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
    let known = &app.setup.contexts;
    if !known.iter().any(|known| known == name) {
        let near = near(name, known.iter().map(String::as_str));
        return Err(match (near.as_slice(), known.as_slice()) {
            (_, []) => format!("there is no context {name}: no kubeconfig is read"),
            ([], _) => format!("there is no context {name}; there are {}", known.join(", ")),
            (near, _) => format!("there is no context {name}{}", did_you_mean(near)),
        });
    }
    if *name == *app.world.seen.api.context {
        return Err(format!("{name} is looked at already"));
    }
    bind(app, Destination::Context(name.to_owned()), format!("going to {name} …"), effects)
}

/// Looks at one namespace only, or at all.
///
/// # Errors
/// One sentence: there is none of that name, or something of here is under way.
pub(super) fn namespace(app: &mut App, name: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
    let wanted = (name != "all").then(|| name.to_owned());
    let namespaces = &app.world.seen.namespaces;
    if wanted.is_some() && namespaces.freshness.is_known() && namespaces.get(name).is_none() {
        let near = near(name, namespaces.items.keys().map(|name| &**name));
        return Err(format!("there is no namespace {name}{}", did_you_mean(&near)));
    }
    if wanted.as_deref() == app.world.seen.namespace.as_deref() {
        return Err(format!("{name} {} looked at already", if wanted.is_some() { "is" } else { "are" }));
    }
    let words =
        wanted.as_ref().map_or("going to all namespaces …".into(), |name| format!("going to {name} …"));
    bind(app, Destination::Namespace(wanted), words, effects)
}

fn bind(app: &mut App, to: Destination, words: String, effects: &mut Vec<Effect>) -> Result<(), String> {
    if let Some(run) = app.under_way() {
        return Err(format!("{run} is under way from here: pause it or wait for its end, then go"));
    }
    app.overlay = Some(Overlay::Opening(words));
    effects.push(Effect::Bind(to));
    Ok(())
}

/// The other cluster can be gone to, or cannot.
pub(super) fn bound(app: &mut App, ready: Result<bool, String>, now: Timestamp, effects: &mut Vec<Effect>) {
    let waited = matches!(app.overlay, Some(Overlay::Opening(_)));
    if waited && ready != Ok(true) {
        app.overlay = None;
    }
    match ready {
        Ok(true) if waited => {
            app.away = true;
            effects.push(Effect::LoginThere);
        }
        Ok(false) if waited => {
            app.bound = true;
            app.leaving = true;
        }
        Ok(_) => effects.push(Effect::Unbind),
        Err(why) if waited => app.say(Severity::Warning, why, now),
        Err(_) => {}
    }
}

//! Folding what happens into the state. Pure: it reads no clock and does nothing outside.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use tui_input::{Input, backend::crossterm::EventHandler};

use super::{
    App, Effect, Msg, NotOpened, answered, approval, campaigns, execute, foresee, known, mouse, past,
    schemes, stays, typed, unlock,
};
use crate::{
    cluster::{Judgement, Severity},
    plan::Intent,
    run::{Run, RunState},
    ui::{
        Action, Asks, Command, Overlay, Place, Wants,
        command::{self, On},
        overlays::{Ask, CommandLine, Prompt, Typing},
    },
};

/// Keys closer together than this were not pressed one by one by a person.
const BURST: SignedDuration = SignedDuration::from_millis(30);

/// Keys count again after a shell has ended once none has come for so long: who types into a lost connection types on.
const SETTLES: SignedDuration = SignedDuration::from_millis(500);

/// Folds one message. What has to be done outside comes back.
pub fn update(app: &mut App, msg: Msg, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Input(event) => input(app, event, now, &mut effects),
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

/// Whether a key was typed for what had the terminal before: no pause has been made since.
fn is_left_over(app: &mut App, now: Timestamp) -> bool {
    let left = app.returned.is_some_and(|at| now.duration_since(at) < SETTLES);
    app.returned = left.then_some(now);
    left
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

fn input(app: &mut App, event: Event, now: Timestamp, effects: &mut Vec<Effect>) {
    match event {
        Event::Resize(width, height) => {
            app.world.size = (width, height);
            app.refresh(now);
        }
        // A terminal sends Alt with a key as Esc and the key. On a slow line Esc and the next key come like that as well,
        // and nothing here is bound to Alt but what deletes a word of typed text.
        Event::Key(mut key)
            if key.modifiers.contains(KeyModifiers::ALT) && key.code != KeyCode::Backspace =>
        {
            key.modifiers.remove(KeyModifiers::ALT);
            input(app, Event::Key(KeyCode::Esc.into()), now, effects);
            input(app, Event::Key(key), now, effects);
        }
        Event::Key(_) | Event::Paste(_) if is_left_over(app, now) => {
            app.say(Severity::Notice, "that key came right after the shell: not taken", now);
        }
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            let burst = app.last_key.is_some_and(|at| now.duration_since(at) < BURST);
            app.last_key = Some(now);
            let name = command::key_name(&key);
            // These three mean the same wherever one is.
            let everywhere = [Command::Interrupt, Command::Redraw, Command::Suspend];
            let means = |command: &Command| command::of(*command).keys.contains(&name.as_str());
            match everywhere.into_iter().find(means) {
                Some(Command::Interrupt) => execute::leave(app, true),
                Some(Command::Redraw) => effects.push(Effect::Redraw),
                Some(_) => effects.push(Effect::Suspend),
                None => pressed(app, key, &name, burst, now, effects),
            }
        }
        Event::Paste(text) => pasted(app, &text, now),
        Event::Mouse(event) => mouse::happened(app, event, now, effects),
        _ => {}
    }
}

fn pressed(app: &mut App, key: KeyEvent, name: &str, burst: bool, now: Timestamp, effects: &mut Vec<Effect>) {
    match app.overlay.take() {
        None => {
            let on = app.views.front().place().on();
            // What moves in a recording comes first.
            let of_replay = app.world.replay.as_ref().and_then(|_| command::by_key(name, On::Replay));
            let of_replay = of_replay.filter(|entry| entry.on.contains(&On::Replay));
            match of_replay.or_else(|| command::by_key(name, on)) {
                Some(entry) => {
                    app.notice = None;
                    let command = match entry.command {
                        Command::AnswerLine(_) => {
                            let nth = entry.keys.iter().position(|key| *key == name).unwrap_or(0);
                            Command::AnswerLine(u8::try_from(nth).unwrap_or(u8::MAX))
                        }
                        command => command,
                    };
                    execute::command(app, command, now, effects);
                }
                // What is typed after it must not become commands.
                None if command::of(Command::Filter).keys.contains(&name) => {
                    app.overlay = Some(Overlay::Unheard(Input::default()))
                }
                None if name.is_empty() => {}
                None => {
                    let (key, help) = (command::key_sign(name), command::sign(Command::Help));
                    let text = match command::habits::of_key(name) {
                        Some(words) => format!("{key}: {words}"),
                        None => format!("{key} does nothing here: {help} lists the keys"),
                    };
                    app.say(Severity::Notice, text, now);
                }
            }
        }
        Some(Overlay::Review(mut review)) => {
            if !approval::pressed(app, &mut review, key, name, burst, now, effects) && app.overlay.is_none() {
                app.overlay = Some(Overlay::Review(review));
            }
        }
        Some(Overlay::Planning(planning)) => match name {
            "esc" | "q" => {}
            _ => app.overlay = Some(Overlay::Planning(planning)),
        },
        Some(Overlay::Scheme(mut review)) => {
            if !schemes::pressed(app, &mut review, key, name, burst, now) {
                let stale = review.stale;
                app.overlay = Some(Overlay::Scheme(review));
                if stale {
                    schemes::ask(app, now, effects);
                }
            }
        }
        Some(Overlay::Choice(mut choice)) => {
            match command::by_key(name, On::Review).map(|e| e.command) {
                Some(Command::Escape | Command::Back) => return,
                _ if name == "enter" => match choice.chosen() {
                    Some(Ok(intent)) => return approval::review(app, intent, effects),
                    Some(Err(why)) => app.say(Severity::Warning, why, now),
                    None => {}
                },
                Some(command) => choice.go(command),
                None => {}
            }
            app.overlay = Some(Overlay::Choice(choice));
        }
        Some(Overlay::Container(mut choice)) => {
            match command::by_key(name, On::Review).map(|e| e.command) {
                Some(Command::Escape | Command::Back) => return,
                _ if name == "enter" => {
                    if let Some((pod, container)) = choice.chosen() {
                        return execute::shell(app, pod, container, effects);
                    }
                }
                Some(command) => choice.go(command),
                None => {}
            }
            app.overlay = Some(Overlay::Container(choice));
        }
        Some(Overlay::Opening(what)) => match name {
            "esc" | "q" => effects.extend([Effect::DropShell, Effect::Unbind]),
            _ => app.overlay = Some(Overlay::Opening(what)),
        },
        Some(Overlay::Prompt(mut prompt)) => {
            match name {
                "esc" => return,
                "enter" => match prompt.answer() {
                    // It stays until the port is open: that may be taken.
                    Ok(Action::Forward(pod, ports)) => {
                        prompt.note = Some(format!("opening {ports} …"));
                        effects.push(Effect::Forward(pod, ports));
                    }
                    Ok(action) => {
                        execute::action(app, action, now, effects);
                        if let Some(Overlay::Planning(planning)) = &mut app.overlay {
                            planning.reason = prompt.reason;
                        }
                        return;
                    }
                    Err(why) => prompt.note = Some(why),
                },
                _ => prompt.key(key, name),
            }
            app.overlay = Some(Overlay::Prompt(prompt));
        }
        Some(Overlay::Command(line)) => command_line(app, line, key, name, now, effects),
        Some(Overlay::Filter(mut input)) => {
            match name {
                "enter" => {
                    let mistake = app.views.front_mut().lens().filter.and_then(|filter| filter.mistake());
                    if let Some(mistake) = mistake {
                        app.say(Severity::Warning, mistake, now);
                    }
                    return;
                }
                "esc" => input = Input::default(),
                _ => {
                    input.handle_event(&Event::Key(key));
                }
            }
            app.filter(input.value(), now);
            if name != "esc" {
                app.overlay = Some(Overlay::Filter(input));
            }
        }
        Some(Overlay::Unheard(mut input)) => {
            if !matches!(name, "enter" | "esc") {
                input.handle_event(&Event::Key(key));
                app.overlay = Some(Overlay::Unheard(input));
            }
        }
        Some(Overlay::Help(mut help)) => {
            let page = usize::from(app.world.size.1.saturating_sub(6)) / 2;
            let most = help.lines_on(app.world.size.0);
            match (help.typing, name) {
                (true, "enter") => help.typing = false,
                (true, "esc") => {
                    help.typing = false;
                    help.input = Input::default();
                }
                (true, _) => {
                    help.input.handle_event(&Event::Key(key));
                    help.scroll = 0;
                }
                (false, _) if command::of(Command::Filter).keys.contains(&name) => help.typing = true,
                (false, _) => match command::by_key(name, On::Tenants).map(|e| e.command) {
                    Some(Command::Up) => help.scroll = help.scroll.saturating_sub(1),
                    Some(Command::Down) => help.scroll = (help.scroll + 1).min(most),
                    Some(Command::PageUp) => help.scroll = help.scroll.saturating_sub(page),
                    Some(Command::PageDown) => help.scroll = (help.scroll + page).min(most),
                    Some(Command::Top) => help.scroll = 0,
                    Some(Command::Bottom) => help.scroll = most,
                    Some(Command::Escape | Command::Back | Command::Help) => return,
                    _ => {}
                },
            }
            let visible = usize::from(app.world.size.1.saturating_sub(4));
            help.scroll = help.scroll.min(help.lines_on(app.world.size.0).saturating_sub(visible));
            app.overlay = Some(Overlay::Help(help));
        }
        Some(Overlay::Menu(mut menu)) => {
            let n = menu.items.len().max(1);
            let chosen = menu.items.iter().position(|(e, _)| e.keys.contains(&name));
            let run = if name == "enter" { Some(menu.at) } else { chosen };
            match command::by_key(name, On::Tenants).map(|e| e.command) {
                Some(Command::Up) => menu.at = (menu.at + n - 1) % n,
                Some(Command::Down) => menu.at = (menu.at + 1) % n,
                Some(Command::Escape | Command::Back | Command::Menu) => return,
                _ => {}
            }
            if let Some((entry, why)) = run.and_then(|i| menu.items.get(i)) {
                match why {
                    Some(why) => app.say(Severity::Warning, why.clone(), now),
                    None => {
                        let command = entry.command;
                        return execute::command(app, command, now, effects);
                    }
                }
            }
            app.overlay = Some(Overlay::Menu(menu));
        }
        Some(Overlay::Ask(ask)) => match name {
            _ if !burst && command::of(Command::Yes).keys.contains(&name) => {
                answered::answered(app, ask, now, effects);
            }
            "q" if !burst && matches!(ask, Ask::Leave { run: None, .. }) => {
                answered::answered(app, ask, now, effects);
            }
            "esc" | "n" => {}
            _ => app.overlay = Some(Overlay::Ask(ask)),
        },
    }
}

fn pasted(app: &mut App, text: &str, now: Timestamp) {
    let line: String = crate::ui::format::plain(text).trim().chars().take(200).collect();
    let put = |input: &mut Input| *input = Input::new(format!("{}{line}", input.value()));
    match &mut app.overlay {
        Some(Overlay::Review(review)) if review.typing == Some(Typing::Reason) => put(&mut review.reason),
        Some(Overlay::Review(review)) => {
            review.yes = None;
            review.note = Some("pasted text never confirms a plan".into());
        }
        Some(Overlay::Scheme(review)) if review.typing == Some(Typing::Reason) => put(&mut review.reason),
        Some(Overlay::Scheme(review)) => {
            review.yes = None;
            review.note = Some("pasted text never confirms a plan".into());
        }
        Some(Overlay::Prompt(prompt)) => prompt.paste(&line),
        Some(Overlay::Command(command)) => {
            put(&mut command.input);
            command.offers.clear();
        }
        Some(Overlay::Filter(input)) => {
            put(input);
            let text = input.value().to_owned();
            app.filter(&text, now);
        }
        Some(Overlay::Help(help)) if help.typing => put(&mut help.input),
        _ => app.say(Severity::Notice, "pasted text does nothing here", now),
    }
}

fn command_line(
    app: &mut App,
    mut line: CommandLine,
    key: KeyEvent,
    name: &str,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    match name {
        "esc" => return execute::preview(app, ""),
        "backspace" if line.input.value().is_empty() => return,
        "enter" => {
            execute::preview(app, "");
            let text = line.input.value().trim().to_owned();
            if !text.is_empty() {
                if app.history.last() != Some(&text) {
                    app.history.push(text.clone());
                }
                typed::line(app, &text, now, effects);
            }
            return;
        }
        "tab" => line.complete(true),
        "shift-tab" => line.complete(false),
        "up" | "down" => {
            if line.recall(&app.history, name == "up") {
                line.offer(&app.world.cx(now), &crate::ui::Theme::names(&app.setup.themes));
            }
        }
        _ => {
            line.input.handle_event(&Event::Key(key));
            line.offer(&app.world.cx(now), &crate::ui::Theme::names(&app.setup.themes));
        }
    }
    execute::preview(app, line.input.value());
    app.overlay = Some(Overlay::Command(line));
}

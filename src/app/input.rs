//! What comes from the terminal: keys, pasted text and the mouse, each to what is in front.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use tui_input::{Input, backend::crossterm::EventHandler};

use super::{App, Effect, answered, approval, execute, mouse, schemes, typed};
use crate::{
    cluster::Severity,
    ui::{
        Action, Command, Overlay,
        command::{self, On},
        overlays::{Ask, CommandLine, Typing},
    },
};

/// Keys closer together than this were not pressed one by one by a person.
const BURST: SignedDuration = SignedDuration::from_millis(30);

/// Keys count again after a shell has ended once none has come for so long: who types into a lost connection types on.
const SETTLES: SignedDuration = SignedDuration::from_millis(500);

/// Folds what the terminal sent.
pub(super) fn happened(app: &mut App, event: Event, now: Timestamp, effects: &mut Vec<Effect>) {
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
            happened(app, Event::Key(KeyCode::Esc.into()), now, effects);
            happened(app, Event::Key(key), now, effects);
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

/// Whether a key was typed for what had the terminal before: no pause has been made since.
fn is_left_over(app: &mut App, now: Timestamp) -> bool {
    let left = app.returned.is_some_and(|at| now.duration_since(at) < SETTLES);
    app.returned = left.then_some(now);
    left
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

//! What the commands do: those of keys, of the menu and of the command line.

use std::sync::Arc;

use jiff::Timestamp;
use tui_input::Input;

use super::{App, Effect, approval, campaigns, past, schemes, trouble::trouble, unlock};
use crate::{
    cluster::{Key, Severity, Subject, TenantName, database},
    plan::{Intent, Target},
    ui::{
        Action, Asks, Command, Overlay, Place, Seek, Theme, Wanted, command,
        overlays::{Ask, CommandLine, ContainerChoice, Help, Menu, Prompt},
        replay,
        view::{self, VIEWS},
    },
};

/// Does what a command says, at the present place.
pub(super) fn command(app: &mut App, command: Command, now: Timestamp, effects: &mut Vec<Effect>) {
    if let Some(why) = app.world.replay.as_ref().and_then(|_| replay::bars(command)) {
        return app.say(Severity::Warning, why, now);
    }
    match command {
        Command::Tenants | Command::Nodes | Command::Runs | Command::Database | Command::Findings => {
            if let Some((place, ..)) = VIEWS.iter().find(|(_, c, _)| *c == command) {
                let there = app.views.front().place() == *place;
                go(app, place, now);
                if !there {
                    let cx = app.world.cx(now);
                    app.views.front_mut().select(place, &cx);
                }
            }
        }
        Command::Ranking => go(app, &Place::Ranking, now),
        Command::Platform => go(app, &Place::Platform, now),
        Command::Forwards => go(app, &Place::Forwards, now),
        Command::Actions => go(app, &Place::Actions, now),
        Command::Timeline => past::timeline(app, now),
        Command::MomentBefore => past::seek(app, Seek::Moments(-1), now, effects),
        Command::MomentAfter => past::seek(app, Seek::Moments(1), now, effects),
        Command::MinuteBack => past::seek(app, Seek::Seconds(-60), now, effects),
        Command::MinuteOn => past::seek(app, Seek::Seconds(60), now, effects),
        Command::MinutesBack => past::seek(app, Seek::Seconds(-600), now, effects),
        Command::MinutesOn => past::seek(app, Seek::Seconds(600), now, effects),
        Command::Compare => past::compare(app, now),
        Command::Earlier | Command::Later => {
            let back = command == Command::Earlier;
            if app.trail.go(&mut app.views, back) {
                app.refresh(now);
            } else {
                let what = if back { "no place before this one" } else { "no place after this one" };
                app.say(Severity::Notice, what, now);
            }
        }
        Command::CopyName | Command::CopyLine => copy(app, now, effects),
        // A text gives the whole screen back before its place is left.
        Command::Escape | Command::Back if app.views.front().is_full() => {
            self::command(app, Command::FullScreen, now, effects);
        }
        Command::Back if !app.views.stack.is_empty() => back(app, now),
        Command::Back if app.views.root > 0 => go(app, &Place::Tenants, now),
        Command::Back => leave(app, false),
        // Before a place is left, what hides its rows is taken away.
        Command::Escape if app.views.front_mut().lens().filter.is_some_and(|filter| !filter.is_empty()) => {
            app.filter("", now);
        }
        Command::Escape if app.views.front_mut().unmark() => app.refresh(now),
        Command::Escape if app.views.front_mut().lens().reset() => {
            app.refresh(now);
        }
        Command::Escape if !app.views.stack.is_empty() => back(app, now),
        Command::Quit => {
            if app.under_way().is_some() {
                leave(app, false)
            } else {
                app.leaving = true
            }
        }
        Command::Interrupt => leave(app, true),
        Command::Help => {
            let on = app.views.front().place().on();
            app.overlay = Some(Overlay::Help(Help::new(on)));
            effects.push(Effect::Cost);
        }
        Command::CommandLine => {
            let orders = app.views.front_mut().lens().orders;
            let mut line = CommandLine::new("", orders);
            line.offer(&app.world.cx(now), &Theme::names(&app.setup.themes));
            app.overlay = Some(Overlay::Command(line));
        }
        Command::Filter => {
            if let Some(filter) = app.views.front_mut().lens().filter {
                app.overlay = Some(Overlay::Filter(Input::new(filter.text().to_owned())));
            } else {
                app.overlay = Some(Overlay::Unheard(Input::default()));
            }
        }
        Command::At if app.world.replay.is_none() => past::seek(app, Seek::Moments(0), now, effects),
        Command::Context | Command::Namespace | Command::At => {
            let mut line = CommandLine::new(&format!("{} ", command::of(command).name), &[]);
            line.offer(&app.world.cx(now), &Theme::names(&app.setup.themes));
            app.overlay = Some(Overlay::Command(line));
        }
        Command::Unlock => {
            if let Err(why) = unlock::ask(app, None) {
                app.say(Severity::Warning, why, now);
            }
        }
        Command::Lock => unlock::lock(app, "read-only: :unlock lifts it", now, effects),
        Command::Login => {
            app.away = true;
            effects.push(Effect::Login);
        }
        Command::Menu => menu(app, now),
        Command::Trouble => trouble(app, now),
        Command::Theme => {
            let names = Theme::names(&app.setup.themes);
            let at = names.iter().position(|n| n == app.world.theme.name()).unwrap_or(0);
            theme(app, &names[(at + 1) % names.len()], now, effects);
        }
        Command::Hint => match app.setup.onlooker {
            Some(_) => effects.push(Effect::Hint),
            None => app.say(Severity::Notice, "this is no drill: `wheelhouse drill` lists them", now),
        },
        Command::Redraw => effects.push(Effect::Redraw),
        Command::Suspend => effects.push(Effect::Suspend),
        Command::SortNext | Command::SortPrevious if !app.views.front_mut().lens().orders.is_empty() => {
            let lens = app.views.front_mut().lens();
            let by = if command == Command::SortNext { 1 } else { lens.orders.len() - 1 };
            lens.put(|order| order + by);
            from_the_top(app, now);
        }
        Command::SortBy => {
            let orders = app.views.front_mut().lens().orders;
            let text = match orders {
                [] => "the rows here have one order".to_owned(),
                _ => format!("type :sort and one of {}", orders.join(" ")),
            };
            app.say(Severity::Notice, text, now);
        }
        Command::Tenant => {
            let takes = command::of(command);
            app.say(Severity::Notice, format!("type :{} {}", takes.name, takes.takes.word()), now);
        }
        _ => {
            let cx = app.world.cx(now);
            let asked = match view::why_not(app.views.front(), command, &cx) {
                Some(why) => Some(Action::Say(why)),
                None if command == Command::Answer => app.views.front().answer(&cx).map(|(_, does)| does),
                None => app.views.front_mut().on(command, &cx),
            };
            if let Some(asked) = asked {
                action(app, asked, now, effects);
            }
            if app.world.full != app.views.front().is_full() {
                app.refresh(now);
            }
        }
    }
}

/// Turns what a view asks for into state or effects.
pub(super) fn action(app: &mut App, action: Action, now: Timestamp, effects: &mut Vec<Effect>) {
    if let Some(why) = app.world.replay.as_ref().and_then(|_| past::bars(&action)) {
        return app.say(Severity::Warning, why, now);
    }
    match action {
        Action::Go(place) => go(app, &place, now),
        Action::GoTo(place, what) => {
            go(app, &place, now);
            let cx = app.world.cx(now);
            app.views.front_mut().select(&what, &cx);
        }
        Action::AskForward(meant) => match ContainerChoice::of(&app.world.cx(now), &meant) {
            Ok(choice) => {
                if let Some((pod, _)) = choice.chosen() {
                    let asks = Asks::forward(&app.world.seen, pod, &app.world.forwards);
                    app.overlay = Some(Overlay::Prompt(Prompt::new(asks)));
                }
            }
            Err(why) => app.decline(&why, now),
        },
        Action::Forward(pod, ports) => effects.push(Effect::Forward(pod, ports)),
        Action::CloseForward(id) => effects.push(Effect::CloseForward(id)),
        Action::GoSaying(place, text) => {
            go(app, &place, now);
            app.say(Severity::Notice, text, now);
        }
        Action::Export(from, until) => effects.push(Effect::Export(from, until)),
        Action::Say(text) => app.say(Severity::Warning, text, now),
        Action::Shell(_) if app.world.who.read_only => {
            app.say(Severity::Warning, "read-only: no shell is opened", now);
        }
        Action::Shell(meant) => match ContainerChoice::of(&app.world.cx(now), &meant) {
            Ok(choice) => match choice.only() {
                Some((pod, container)) => shell(app, pod, container, effects),
                None => app.overlay = Some(Overlay::Container(choice)),
            },
            Err(why) => app.decline(&why, now),
        },
        Action::Copy(text) => effects.push(Effect::Copy(text)),
        Action::SaveLog { file, name, text } => effects.push(Effect::SaveLog { file, name, text }),
        Action::AskReplicas(names) => {
            let of = |name: TenantName| {
                let n = app.replicas(&name)?;
                Some((name, n))
            };
            let tenants: Vec<_> = names.into_iter().filter_map(of).collect();
            if !tenants.is_empty() {
                app.overlay = Some(Overlay::Prompt(Prompt::new(Asks::Replicas(tenants))));
            }
        }
        Action::AskLimits(name) => match Asks::limits(&app.world.seen, &name) {
            Ok(asks) => app.overlay = Some(Overlay::Prompt(Prompt::new(asks))),
            Err(why) => app.say(Severity::Warning, why, now),
        },
        Action::AskMigration(names) => {
            match Asks::migration(&app.world.seen, &app.setup.migrations, &names) {
                Ok(asks) => app.overlay = Some(Overlay::Prompt(Prompt::new(asks))),
                Err(why) => app.say(Severity::Warning, why, now),
            }
        }
        Action::Ask(Asks::GiveUp { .. }) if app.world.who.read_only => {
            app.say(Severity::Warning, "read-only: nothing can be given up", now);
        }
        Action::Ask(asks) => app.overlay = Some(Overlay::Prompt(Prompt::new(asks))),
        Action::Propose(names, by) => {
            let of = |tenant: TenantName| {
                let to = i64::from(app.replicas(&tenant)?) + by;
                Some(Target { tenant, to })
            };
            let targets: Vec<_> = names.into_iter().filter_map(of).collect();
            if !targets.is_empty() {
                approval::review(app, Intent::Scale { targets }, effects);
            }
        }
        Action::Rollback(tenant) => {
            app.say(Severity::Notice, format!("reading the revisions of {tenant} …"), now);
            effects.push(Effect::Revisions(tenant));
        }
        Action::Plan(intent) => approval::review(app, intent, effects),
        Action::Tenants(wanted) => schemes::review(app, Wanted::Tenants(wanted), now, effects),
        Action::Aim(aim) => schemes::review(app, Wanted::Aim(aim), now, effects),
        Action::Wish(id, wish) => campaigns::wish(app, &id, wish, now, effects),
        Action::GoOn(id) => campaigns::go_on(app, &id, now, effects),
        Action::UndoCampaign(id) => campaigns::undo(app, &id, now, effects),
        Action::Targets(tenant, pod) => schemes::choose(app, tenant, pod, effects),
        Action::Undo(id) => undo(app, &id, now, effects),
        Action::Resume(id) => {
            if app.world.who.read_only {
                app.say(Severity::Warning, "read-only: nothing can be resumed", now);
            } else if let Some(known) = app.world.runs.iter().find(|k| k.run.id == id) {
                let (done, all) = known.run.progress();
                let text = format!(
                    "{}. {done} of {all} steps are done; each further step is checked against the cluster before it is made.",
                    crate::run::summary(&known.run)
                );
                app.overlay = Some(Overlay::Ask(Ask::Resume { run: id, text }));
            }
        }
        Action::Succeeded(id) => {
            if app.world.who.read_only {
                app.say(Severity::Warning, "read-only: nothing can be resumed", now);
            } else if let Some(known) = app.world.runs.iter().find(|k| k.run.id == id) {
                let text = format!(
                    "{}. {}. On your word it is taken as succeeded, and the run goes on.",
                    crate::run::summary(&known.run),
                    known.run.last_word().unwrap_or("Its outcome is not known")
                );
                app.overlay = Some(Overlay::Ask(Ask::Succeeded { run: id, text }));
            }
        }
        Action::GiveUp(id, why) => {
            if let Some(known) = app.world.runs.iter().find(|k| k.run.id == id) {
                let text = crate::ui::views::runs::give_up_question(&known.run);
                app.overlay = Some(Overlay::Ask(Ask::GiveUp { what: "run", run: id, text, why }));
            } else if let Some(known) = app.world.campaigns.iter().find(|k| k.campaign.id == id) {
                let text = crate::ui::views::campaign::give_up_question(&known.campaign);
                app.overlay = Some(Overlay::Ask(Ask::GiveUp { what: "campaign", run: id, text, why }));
            }
        }
        Action::Abort(id) => {
            if app.world.who.read_only {
                app.say(Severity::Warning, "read-only: nothing can be aborted", now);
            } else if let Some(known) = app.world.runs.iter().find(|k| k.run.id == id) {
                let text = crate::ui::views::runs::give_up_question(&known.run);
                app.overlay = Some(Overlay::Ask(Ask::Abort { run: id, text }));
            }
        }
        Action::Pause(id) => {
            effects.push(Effect::PauseRun(id));
            app.say(Severity::Notice, "it pauses after its present step", now);
        }
    }
}

/// Opens a shell: the screen stays until it is there.
pub(super) fn shell(app: &mut App, pod: Key, container: Arc<str>, effects: &mut Vec<Effect>) {
    let context = &app.world.seen.api.context;
    app.overlay =
        Some(Overlay::Opening(format!("opening a shell in {container} of {} in {context} …", pod.name)));
    effects.push(Effect::OpenShell(pod, container));
}

/// Copies what is selected, or the line.
fn copy(app: &mut App, now: Timestamp, effects: &mut Vec<Effect>) {
    let copied = app.views.front().copied(&app.world.cx(now));
    match copied.filter(|text| !text.is_empty()) {
        Some(text) => effects.push(Effect::Copy(text)),
        None => app.say(Severity::Notice, "there is nothing to copy here", now),
    }
}

/// Asks whether to leave; `ctrl-c` leaves at once when nothing is under way.
pub(super) fn leave(app: &mut App, interrupt: bool) {
    let run = app.under_way();
    if interrupt && run.is_none() {
        app.leaving = true;
    } else {
        let passing = app.setup.passing;
        app.overlay = Some(Overlay::Ask(Ask::Leave { run, passing }));
    }
}

pub(super) fn go(app: &mut App, place: &Place, now: Timestamp) {
    app.views.go(place);
    app.refresh(now);
}

fn back(app: &mut App, now: Timestamp) {
    app.views.stack.pop();
    app.refresh(now);
}

fn undo(app: &mut App, id: &str, now: Timestamp, effects: &mut Vec<Effect>) {
    let intent = app.world.runs.iter().find(|k| k.run.id == id).map(|k| crate::run::undo_intent(&k.run));
    match intent {
        Some(Some(intent)) => approval::review(app, intent, effects),
        Some(None) => app.say(Severity::Warning, "that run has changed nothing", now),
        None => app.say(Severity::Warning, format!("run {id} is not known here"), now),
    }
}

fn menu(app: &mut App, now: Timestamp) {
    let cx = app.world.cx(now);
    let view = app.views.front();
    let on = view.place().on();
    let items: Vec<_> = command::table()
        .iter()
        .filter(|e| e.on.contains(&on) && !e.keys.is_empty())
        .filter(|e| !matches!(e.command, Command::Sort(_) | Command::SortNext | Command::SortPrevious))
        .map(|e| {
            let why = match app.world.replay.as_ref().and_then(|_| replay::bars(e.command)) {
                Some(why) => Some(why.to_owned()),
                None if e.acts && app.world.who.read_only => {
                    Some("read-only: nothing can be changed".to_owned())
                }
                None => view::why_not(view, e.command, &cx),
            };
            (e, why)
        })
        .collect();
    let subject = view.subject().unwrap_or_else(|| on.title().to_lowercase());
    // Members by their own names.
    let member = Subject::Member(subject.as_str().into());
    let subject = database::subject(&app.world.seen, &member).into_owned();
    app.overlay = Some(Overlay::Menu(Menu { subject, items, at: 0 }));
}

/// Chooses a theme, for the next time as well.
pub(super) fn theme(app: &mut App, name: &str, now: Timestamp, effects: &mut Vec<Effect>) {
    match Theme::load(name, &app.setup.themes, app.setup.depth) {
        Ok(theme) => {
            app.world.theme = theme.ascii(app.setup.ascii);
            name.clone_into(&mut app.setup.theme);
            effects.push(Effect::KeepTheme {
                configured: app.setup.configured.clone(),
                chosen: name.to_owned(),
            });
        }
        Err(why) => app.say(Severity::Warning, why, now),
    }
}

/// Shows the theme that a line being typed names, else the chosen one.
pub(super) fn preview(app: &mut App, line: &str) {
    let named = line.trim_start().strip_prefix("theme ").map(str::trim);
    let wanted = named.filter(|name| Theme::names(&app.setup.themes).iter().any(|known| known == name));
    let wanted = wanted.unwrap_or(&app.setup.theme);
    if wanted != app.world.theme.name()
        && let Ok(theme) = Theme::load(wanted, &app.setup.themes, app.setup.depth)
    {
        app.world.theme = theme.ascii(app.setup.ascii);
    }
}

/// The rows have another order: what comes first in it is what was asked for.
fn from_the_top(app: &mut App, now: Timestamp) {
    app.views.front_mut().let_go();
    app.refresh(now);
}

/// Puts the rows of the place in front into the order of that name.
///
/// # Errors
/// It has no such order: one sentence.
pub(super) fn sort(app: &mut App, name: &str, now: Timestamp) -> Result<(), String> {
    let orders = app.views.front_mut().lens().orders;
    if orders.is_empty() {
        return Err("the rows here have one order".into());
    }
    let starts = || orders.iter().position(|order| order.starts_with(name));
    let found = orders.iter().position(|order| *order == name).or_else(starts);
    let at =
        found.ok_or_else(|| format!("there is no order `{name}` here; there are {}", orders.join(" ")))?;
    app.views.front_mut().lens().put(|_| at);
    from_the_top(app, now);
    Ok(())
}

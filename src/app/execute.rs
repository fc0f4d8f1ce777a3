//! What the commands do: those of keys, of the menu and of the command line.

use std::sync::Arc;

use jiff::Timestamp;
use tui_input::Input;

use super::{App, Effect, World, approval, campaigns, past, schemes, unlock};
use crate::{
    cluster::{Address, Database, Key, NodeName, Pod, Ports, Severity, Subject, TenantName, database, near},
    plan::{DatabaseAct, Intent, Target, rebalance::Aim, unknown_node, unknown_tenant, whatif::Loss},
    run::RunState,
    ui::{
        Action, Asks, Command, Containers, Overlay, Place, Seek, Theme, Wanted,
        command::{self, On, Takes},
        overlays::{Ask, CommandLine, ContainerChoice, Help, Menu, Prompt},
        stops::{self, Stop},
        view::{self, VIEWS},
    },
};

/// Does what a command says, at the present place.
pub(super) fn command(app: &mut App, command: Command, now: Timestamp, effects: &mut Vec<Effect>) {
    if app.world.replay.is_some() && command::of(command).acts {
        return app.say(Severity::Warning, past::RECORDED, now);
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
        Command::Forwards => go(app, &Place::Forwards, now),
        Command::Actions => go(app, &Place::Actions, now),
        Command::Timeline => go(app, &Place::Timeline, now),
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
        Command::Escape if app.views.front_mut().filter().is_some_and(|filter| !filter.is_empty()) => {
            app.filter("", now);
        }
        Command::Escape if app.views.front_mut().unmark() => app.refresh(now),
        Command::Escape if app.views.front_mut().order().is_some_and(|order| std::mem::take(order) > 0) => {
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
            let orders = app.views.front().orders();
            let mut line = CommandLine { orders, ..CommandLine::default() };
            line.offer(&app.world.cx(now), &Theme::names(&app.setup.themes));
            app.overlay = Some(Overlay::Command(line));
        }
        Command::Filter => {
            if let Some(filter) = app.views.front_mut().filter() {
                app.overlay = Some(Overlay::Filter(Input::new(filter.text().to_owned())));
            } else {
                app.overlay = Some(Overlay::Unheard(Input::default()));
            }
        }
        Command::At if app.world.replay.is_none() => past::seek(app, Seek::Moments(0), now, effects),
        Command::Context | Command::Namespace | Command::At => {
            let mut line = CommandLine {
                input: Input::new(format!("{} ", command::of(command).name)),
                ..CommandLine::default()
            };
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
        Command::Redraw => effects.push(Effect::Redraw),
        Command::Suspend => effects.push(Effect::Suspend),
        Command::SortNext | Command::SortPrevious if !app.views.front().orders().is_empty() => {
            let orders = app.views.front().orders().len();
            let by = if command == Command::SortNext { 1 } else { orders - 1 };
            if let Some(order) = app.views.front_mut().order() {
                *order = (*order + by) % orders;
            }
            app.refresh(now);
        }
        Command::SortBy => {
            let orders = app.views.front().orders();
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
    if app.world.replay.is_some() && !past::allows(&action) {
        return app.say(Severity::Warning, past::RECORDED, now);
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
            Err(why) => app.say(Severity::Warning, why, now),
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
            Err(why) => app.say(Severity::Warning, why, now),
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

/// Why a run was closed that was aborted by a key.
pub(super) const ABORTED: &str = "aborted";

/// The answer to a question was yes.
pub(super) fn answered(app: &mut App, ask: Ask, now: Timestamp, effects: &mut Vec<Effect>) {
    match ask {
        Ask::Unlock { seconds, .. } => unlock::unlock(app, seconds, now, effects),
        Ask::Leave { .. } => app.leaving = true,
        Ask::Resume { run, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run).map(|k| k.run.clone());
            if let Some(run) = found {
                app.views.go(&Place::Run(run.id.clone()));
                effects.push(Effect::Resume(Box::new(run)));
            }
        }
        Ask::GoOn { campaign, .. } => campaigns::answered(app, &campaign, None, effects),
        Ask::GiveUp { what: "campaign", run, why, .. } => {
            campaigns::answered(app, &run, Some(why), effects);
        }
        Ask::Succeeded { run, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run).map(|k| k.run.clone());
            if let Some(run) = found {
                app.views.go(&Place::Run(run.id.clone()));
                effects.push(Effect::Succeed(Box::new(run)));
            }
        }
        Ask::Abort { run, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run);
            match found.map(|known| (known.ours, known.run.state == RunState::Paused, known.run.clone())) {
                Some((true, false, run)) => {
                    app.aborting.insert(run.id.clone());
                    effects.push(Effect::PauseRun(run.id));
                }
                Some((_, _, run)) => effects.push(Effect::GiveUp(Box::new(run), ABORTED.into())),
                None => {}
            }
        }
        Ask::GiveUp { run, why, .. } => {
            let found = app.world.runs.iter().find(|k| k.run.id == run).map(|k| k.run.clone());
            if let Some(run) = found {
                app.views.go(&Place::Run(run.id.clone()));
                effects.push(Effect::GiveUp(Box::new(run), why));
            }
        }
    }
}

/// Asks whether to leave; `ctrl-c` leaves at once when nothing is under way.
pub(super) fn leave(app: &mut App, interrupt: bool) {
    let run = app.under_way();
    if interrupt && run.is_none() {
        app.leaving = true;
    } else {
        app.overlay = Some(Overlay::Ask(Ask::Leave { run }));
    }
}

fn go(app: &mut App, place: &Place, now: Timestamp) {
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
            let why = if e.acts && app.world.who.read_only {
                Some(past::read_only(app).to_owned())
            } else {
                view::why_not(view, e.command, &cx)
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

/// What is said of a stop: the run and how it stands, or the first finding about it.
fn told(world: &World, stop: &Stop) -> String {
    match stop {
        Stop::Run(id) => {
            world.runs.iter().find(|known| known.run.id == *id).map_or_else(String::new, |known| {
                format!("run {} {}: {}", known.run.short(), known.shown(), crate::run::summary(&known.run))
            })
        }
        Stop::Campaign(id) => {
            world.campaigns.iter().find(|known| known.campaign.id == *id).map_or_else(String::new, |known| {
                format!("campaign {} {}: {}", known.campaign.short(), known.shown(), known.campaign.goal)
            })
        }
        Stop::About(subject) => {
            let text = world.findings.iter().find(|f| f.subject == *subject).map_or("", |f| &f.text);
            format!("{}: {text}", database::subject(&world.seen, subject))
        }
    }
}

/// To the next thing that is wrong: a run that waits for an operator, then each finding's row, wherever that is. Several
/// findings about one thing are one stop.
fn trouble(app: &mut App, now: Timestamp) {
    let front = app.views.front();
    let here = front.subject().filter(|_| app.views.stack.is_empty());
    let world = &app.world;
    let waiting = stops::waiting(&world.campaigns, &world.runs);
    let Some(next) = stops::next(waiting, &world.findings, world.stop.as_ref(), here.as_deref()) else {
        return app.say(Severity::Notice, "nothing is wrong", now);
    };
    let text = told(world, &next);
    app.world.stop = Some(next.clone());
    let (root, place) = match next {
        Stop::Run(id) => (Place::Runs, Place::Run(id)),
        Stop::Campaign(id) => (Place::Runs, Place::Campaign(id)),
        Stop::About(Subject::Tenant(name)) => (Place::Tenants, Place::Tenant(name)),
        Stop::About(Subject::Node(name)) => (Place::Nodes, Place::Node(name)),
        Stop::About(Subject::Member(name)) => (Place::Database, Place::Member(name)),
        Stop::About(Subject::Proxy(name)) => (Place::Database, Place::Proxy(name)),
        Stop::About(Subject::Source(name)) if name == "galera" || name == "proxysql" => {
            (Place::Database, Place::Database)
        }
        Stop::About(Subject::Source(_)) => (Place::Findings, Place::Findings),
    };
    go(app, &root, now);
    let cx = app.world.cx(now);
    app.views.front_mut().select(&place, &cx);
    app.say(Severity::Notice, text, now);
}

/// Chooses a theme, for the next time as well.
fn theme(app: &mut App, name: &str, now: Timestamp, effects: &mut Vec<Effect>) {
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

/// Puts the rows of the place in front into the order of that name.
///
/// # Errors
/// It has no such order: one sentence.
pub(super) fn sort(app: &mut App, name: &str, now: Timestamp) -> Result<(), String> {
    let orders = app.views.front().orders();
    if orders.is_empty() {
        return Err("the rows here have one order".into());
    }
    let starts = || orders.iter().position(|order| order.starts_with(name));
    let found = orders.iter().position(|order| *order == name).or_else(starts);
    let at =
        found.ok_or_else(|| format!("there is no order `{name}` here; there are {}", orders.join(" ")))?;
    if let Some(order) = app.views.front_mut().order() {
        *order = at;
    }
    app.refresh(now);
    Ok(())
}

/// Does what a line of the command line says.
pub(super) fn line(app: &mut App, text: &str, now: Timestamp, effects: &mut Vec<Effect>) {
    if let Err(why) = try_line(app, text, now, effects) {
        app.say(Severity::Warning, why, now);
    }
}

fn try_line(app: &mut App, text: &str, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), String> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default();
    let args: Vec<&str> = words.collect();
    let entry = command::by_name(name).ok_or_else(|| {
        if let Some(words) = command::habits::of_name(name) {
            return format!("`{name}`: {words}");
        }
        let names = command::table().iter().flat_map(|e| e.aliases.iter().chain([&e.name])).copied();
        let begins = command::table().iter().map(|e| e.name).find(|n| n.starts_with(name));
        match begins.or_else(|| near(name, names).first().copied()) {
            Some(near) => format!("there is no command `{name}`; is it `{near}`?"),
            None => format!("there is no command `{name}`; {} shows them all", command::sign(Command::Help)),
        }
    })?;
    if app.world.replay.is_some() && entry.acts {
        return Err(past::RECORDED.into());
    }
    match (entry.takes, args.as_slice()) {
        (Takes::TenantNumber, [tenant, number]) => {
            let (tenant, now) = tenant_of(app, tenant)?;
            let targets = crate::ui::overlays::asks::targets(number, &[(tenant, now)])?;
            approval::review(app, Intent::Scale { targets }, effects);
        }
        (Takes::TenantNumber, [tenant]) => {
            let tenant = tenant_of(app, tenant)?;
            app.overlay = Some(Overlay::Prompt(Prompt::new(Asks::Replicas(vec![tenant]))));
        }
        (Takes::Tenant, [tenant]) if entry.command == Command::Migrate => {
            let (tenant, _) = tenant_of(app, tenant)?;
            action(app, Action::AskMigration(vec![tenant]), now, effects);
        }
        (Takes::Tenant, [tenant]) if entry.command == Command::Rollback => {
            let (tenant, _) = tenant_of(app, tenant)?;
            action(app, Action::Rollback(tenant), now, effects);
        }
        (Takes::Tenant, [tenant]) if entry.command == Command::Restart => {
            let (tenant, _) = tenant_of(app, tenant)?;
            approval::review(app, Intent::Restart { tenant }, effects);
        }
        (Takes::Tenant, [tenant]) => {
            let (tenant, _) = tenant_of(app, tenant)?;
            let place = match entry.command {
                Command::Headroom => Place::Headroom(tenant),
                Command::Logs => Place::Log(tenant, None),
                _ => Place::Tenant(tenant),
            };
            go(app, &place, now);
        }
        (Takes::Ports, [what, ports]) => {
            let ports: Ports = ports.parse()?;
            let choice = ContainerChoice::of(&app.world.cx(now), &meant(app, what, None)?)?;
            if let Some((pod, _)) = choice.chosen() {
                effects.push(Effect::Forward(pod, ports));
            }
        }
        (Takes::Pod, [what, rest @ ..]) if rest.len() < 2 => {
            let container = rest.first().map(|name| Arc::from(*name));
            let meant = meant(app, what, container)?;
            action(app, Action::Shell(meant), now, effects);
        }
        (Takes::Node, [node]) => {
            let found = app
                .world
                .seen
                .nodes
                .get(&NodeName::from(*node))
                .ok_or_else(|| unknown_node(&app.world.seen, node))?;
            let node = found.name.clone();
            match entry.command {
                Command::Cordon | Command::Uncordon => {
                    let cordoned = entry.command == Command::Cordon;
                    approval::review(app, Intent::Cordon { node, cordoned }, effects);
                    return Ok(());
                }
                Command::Drain => {
                    schemes::review(app, Wanted::Aim(Aim::Drain { node }), now, effects);
                    return Ok(());
                }
                Command::Undrain => {
                    schemes::review(app, Wanted::Aim(Aim::Undrain { node }), now, effects);
                    return Ok(());
                }
                _ => {}
            }
            let place = match entry.command {
                Command::WhatIf => Place::WhatIf(vec![found.name.clone()], Loss::Crash),
                _ => Place::Node(found.name.clone()),
            };
            go(app, &place, now);
        }
        (Takes::Run, [run]) => {
            let known = app.world.runs.iter().find(|k| k.run.id == *run || k.run.short() == *run);
            let id = known.map(|k| k.run.id.clone()).ok_or_else(|| format!("there is no run `{run}`"))?;
            if let Some(why) = crate::ui::views::runs::refuses(entry.command, known, &app.world.seen) {
                return Err(why);
            }
            let asked = crate::ui::views::runs::ask(entry.command, known, &app.world.seen);
            action(app, asked.unwrap_or(Action::Undo(id)), now, effects);
        }
        (Takes::MemberNumber, [member, rest @ ..]) if rest.len() < 2 => {
            let database = Database::of(&app.world.seen).ok_or("no database is configured")?;
            let all = || database.members.iter().map(|row| &*row.label).collect::<Vec<_>>().join(", ");
            let row = database.member(member);
            let row = row.ok_or_else(|| format!("there is no member `{member}`; there are {}", all()))?;
            let asks = Asks::weight(&database, row)?;
            let asked = rest.first().map_or(Ok(Action::Ask(asks.clone())), |number| asks.answer(number))?;
            action(app, asked, now, effects);
        }
        (Takes::Server, [address]) => {
            let address = address.parse::<Address>()?.to_string().into();
            let act = match entry.command {
                Command::RemoveServer => DatabaseAct::RemoveServer { address },
                _ => DatabaseAct::AddServer { address, like: None },
            };
            approval::review(app, Intent::Database { act }, effects);
        }
        (_, []) if entry.command == Command::Rebalance && !entry.applies(app.views.front().place().on()) => {
            let aim = Aim::Rebalance { nodes: Vec::new(), tenants: Vec::new() };
            schemes::review(app, Wanted::Aim(aim), now, effects);
        }
        (_, []) if entry.command == Command::Recovery => {
            if app.world.seen.galera.is_empty() {
                return Err("no members are configured: name them under [galera] members".into());
            }
            go(app, &Place::Recovery, now);
        }
        (Takes::Context, [name]) => unlock::context(app, name, effects)?,
        (Takes::Namespace, [name]) => unlock::namespace(app, name, effects)?,
        (Takes::Span, [span]) if entry.command == Command::Unlock => unlock::ask(app, Some(span))?,
        (Takes::Time, words @ [_, ..]) => past::at(app, &words.join(" "), now, effects)?,
        (Takes::Theme, [name]) => theme(app, name, now, effects),
        (Takes::Column, [column]) => {
            sort(app, column, now)?;
        }
        (Takes::Text, text) => {
            if app.views.front_mut().filter().is_none() {
                return Err("there is no filter here".into());
            }
            app.filter(&text.join(" "), now);
        }
        (Takes::Span | Takes::File, words @ [_, ..]) if entry.applies(app.views.front().place().on()) => {
            let asked = app.views.front_mut().typed(entry.command, &words.join(" "), &app.world.cx(now))?;
            if let Some(asked) = asked {
                action(app, asked, now, effects);
            }
        }
        (takes, []) => {
            let here = app.views.front().place().on();
            if !entry.applies(here) {
                let places: Vec<_> = entry.on.iter().map(|on: &On| on.title().to_lowercase()).collect();
                return Err(format!("`{name}` is for {}{}", places.join(", "), hint(takes)));
            }
            command(app, entry.command, now, effects);
        }
        (Takes::Nothing, _) => return Err(format!("`{name}` takes nothing")),
        (takes, _) => return Err(format!("`{name}` takes {}", takes.word())),
    }
    Ok(())
}

/// The pod of that name, or the pods of that tenant.
fn meant(app: &App, what: &str, container: Option<Arc<str>>) -> Result<Containers, String> {
    let (namespace, name) = what.split_once('/').map_or((None, what), |(space, name)| (Some(space), name));
    let is = |pod: &&Arc<Pod>| {
        *pod.key.name == *name && namespace.is_none_or(|namespace| *pod.key.namespace == *namespace)
    };
    let pod = app.world.seen.pods.values().find(is);
    if let (None, Some(namespace)) = (pod, namespace) {
        return Err(format!("there is no pod {name} in namespace {namespace}"));
    }
    Ok(match pod {
        Some(pod) => Containers { pod: Some(pod.key.clone()), container, ..Containers::default() },
        None => Containers { tenant: Some(tenant_of(app, what)?.0), container, ..Containers::default() },
    })
}

fn hint(takes: Takes) -> String {
    if takes == Takes::Nothing { String::new() } else { format!(", or takes {}", takes.word()) }
}

/// The tenant of that name, or of the only name that begins so, and its replicas.
fn tenant_of(app: &App, name: &str) -> Result<(TenantName, u32), String> {
    let tenants = &app.world.seen.tenants;
    if let Some((name, tenant)) = tenants.get_key_value(&TenantName::from(name)) {
        return Ok((name.clone(), tenant.desired()));
    }
    let mut begin = tenants.iter().filter(|(n, _)| n.as_str().starts_with(name));
    match (begin.next(), begin.next()) {
        (Some((name, tenant)), None) => Ok((name.clone(), tenant.desired())),
        (Some((a, _)), Some((b, _))) => Err(format!("`{name}` may be {a}, {b} or more: type more of it")),
        _ => Err(unknown_tenant(&app.world.seen, name)),
    }
}

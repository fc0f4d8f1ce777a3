//! What a line of the command line asks for.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    App, Effect, approval,
    execute::{action, command as perform, go, sort, theme},
    past, schemes, unlock,
};
use crate::{
    cluster::{Address, Database, Named, NodeName, Ports, TenantName, named, near},
    plan::{DatabaseAct, Intent, rebalance::Aim, unknown_node, unknown_tenant, whatif::Loss},
    ui::{
        Action, Asks, Command, Containers, Overlay, Place, Wanted,
        command::{self, On, Takes},
        overlays::{ContainerChoice, Prompt},
        replay,
    },
};

/// Does what a line of the command line says.
pub(super) fn line(app: &mut App, text: &str, now: Timestamp, effects: &mut Vec<Effect>) {
    if let Err(why) = try_line(app, text, now, effects) {
        app.decline(&why, now);
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
        let names = command::table().iter().map(|e| e.name);
        let begins = command::table().iter().map(|e| e.name).find(|n| n.starts_with(name));
        // A word that begins otherwise was hardly meant.
        let like = |known: &&str| known.chars().next() == name.chars().next();
        match begins.or_else(|| near(name, names).into_iter().find(like)) {
            Some(near) => format!("there is no command `{name}`; is it `{near}`?"),
            None => format!("there is no command `{name}`; {} shows them all", command::sign(Command::Help)),
        }
    })?;
    if let Some(why) = app.world.replay.as_ref().and_then(|_| replay::bars(entry.command)) {
        return Err(why.into());
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
        (Takes::Tenant, [tenant]) if entry.command == Command::Resize => {
            let (tenant, _) = tenant_of(app, tenant)?;
            action(app, Action::AskLimits(tenant), now, effects);
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
        (_, []) if entry.command == Command::Timeline => past::timeline(app, now),
        (_, []) if entry.command == Command::Recovery => {
            let seen = &app.world.seen;
            if seen.galera.is_empty() && seen.around.replicas.is_empty() {
                let text = "neither members of Galera nor servers with replicas are configured: name them under [galera] members or [[platform.replicas]]";
                return Err(text.into());
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
            if app.views.front_mut().lens().filter.is_none() {
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
            perform(app, entry.command, now, effects);
        }
        (Takes::Nothing, _) => return Err(format!("`{name}` takes nothing")),
        (takes, _) => return Err(format!("`{name}` takes {}", takes.word())),
    }
    Ok(())
}

/// The pod of that name, or the pods of that tenant, which may be begun only.
fn meant(app: &App, what: &str, container: Option<Arc<str>>) -> Result<Containers, String> {
    let of = |tenant: &TenantName| Containers { tenant: Some(tenant.clone()), ..Containers::default() };
    let found = match named(&app.world.seen, what) {
        Ok(Named::Pod(pod)) => Containers { pod: Some(pod.key.clone()), ..Containers::default() },
        Ok(Named::Tenant(tenant)) => of(&tenant.name),
        Err(_) if !what.contains('/') => of(&tenant_of(app, what)?.0),
        Err(why) => return Err(why),
    };
    Ok(Containers { container, ..found })
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

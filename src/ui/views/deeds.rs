//! What a command asks of tenants, wherever they are chosen: in the list, on a node, by being in front.

use crate::{
    cluster::TenantName,
    plan::{Intent, many::Deed},
    ui::{
        ToTenants,
        action::Action,
        command::Command,
        view::{Cx, Place},
    },
};

/// Whether a command is about tenants, and needs one.
pub(super) fn is_of_tenants(command: Command) -> bool {
    use Command::{Headroom, Less, Logs, Migrate, More, Resize, Restart, Rollback, Scale};
    matches!(command, Headroom | Less | Logs | Migrate | More | Resize | Restart | Rollback | Scale)
}

/// What a command asks of these tenants; one that can only be about one is about the first. `None`: nothing.
pub(super) fn of_tenants(command: Command, tenants: Vec<TenantName>) -> Option<Action> {
    let first = tenants.first()?.clone();
    Some(match command {
        Command::Headroom => Action::Go(Place::Headroom(first)),
        Command::Logs => Action::Go(Place::Log(first, None)),
        Command::Rollback => Action::Rollback(first),
        Command::Resize => Action::AskLimits(first),
        Command::Scale => Action::AskReplicas(tenants),
        Command::Migrate => Action::AskMigration(tenants),
        Command::More => Action::Propose(tenants, 1),
        Command::Less => Action::Propose(tenants, -1),
        Command::Restart if tenants.len() == 1 => Action::Plan(Intent::Restart { tenant: first }),
        Command::Restart => Action::Tenants(Box::new(ToTenants {
            deed: Deed::Restart,
            tenants,
            parallel: 1,
            canary: 1,
            max_failures: 1,
        })),
        _ => return None,
    })
}

/// Why a command cannot do anything to a tenant that is not there.
pub(super) fn refused(command: Command, tenant: Option<&TenantName>, cx: &Cx<'_>) -> Option<String> {
    match tenant {
        _ if !is_of_tenants(command) => None,
        None => Some("no tenant is selected".into()),
        Some(name) if !cx.seen.tenants.contains_key(name) => Some(format!("there is no tenant {name}")),
        Some(_) => None,
    }
}

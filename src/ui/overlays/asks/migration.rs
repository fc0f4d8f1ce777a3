//! How a migration is typed: an image, options, a command.

use std::sync::Arc;

use crate::{
    cluster::TenantName,
    plan::{
        Migration, OnFailure, Release, STEADY,
        many::{BESIDE_OTHERS, Deed},
    },
    ui::{ToTenants, action::Action},
};

/// A migration in a few words, as it is typed.
pub(super) fn migrates(now: &str, migration: &Migration) -> String {
    let image = match (&migration.image, now) {
        (Some(image), "") => format!("to {image}"),
        (Some(image), now) => format!("{now} → {image}"),
        (None, "") => "with each one's image".into(),
        (None, now) => format!("with {now}"),
    };
    let hold = if migration.on_failure == OnFailure::Hold { ", held if it fails" } else { "" };
    match &migration.command {
        Some(command) => format!("{image}{hold}, by `{command}`"),
        None => format!("{image}{hold}"),
    }
}

/// Reads an image, flags, and a command behind them.
pub(super) fn migrated(
    text: &str,
    tenants: &[TenantName],
    migration: &Migration,
    now: &Arc<str>,
) -> Result<Action, String> {
    let text = text.trim();
    let (image, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let kept = image == "-";
    if image.is_empty() || image.starts_with('-') && !kept {
        return Err(match &**now {
            "" => "type the tag of an image first, or - to keep each one's".into(),
            now => format!("type the tag of an image first, or - to keep {now}"),
        });
    }
    let image = (image != &**now && !kept).then(|| image.to_owned());
    let mut migration = Migration { image: image.clone(), ..migration.clone() };
    let (mut parallel, mut canary, mut max_failures, mut only_image) = (1, 1, 1, false);
    loop {
        rest = rest.trim();
        let typed = rest.split_whitespace().next().unwrap_or_default();
        let after = rest.strip_prefix(typed).unwrap_or_default();
        let (word, given) = typed.split_once('=').map_or((typed, None), |(word, value)| (word, Some(value)));
        let mut value = || {
            let next = after.split_whitespace().next().unwrap_or_default();
            let text = given.unwrap_or(next);
            rest = if given.is_some() {
                after
            } else {
                after.trim_start().strip_prefix(next).unwrap_or_default()
            };
            text
        };
        let mut number = |least: u32, most: u32| {
            let number = value().parse::<u32>().ok().filter(|n| (least..=most).contains(n));
            number.ok_or_else(|| match most {
                u32::MAX => format!("{word} wants a number from {least} on"),
                _ => format!("{word} wants a number from {least} to {most}"),
            })
        };
        match word {
            "--parallel" if tenants.len() > 1 => parallel = number(1, 32)?,
            "--canary" if tenants.len() > 1 => canary = number(0, 32)?,
            "--max-failures" if tenants.len() > 1 => max_failures = number(1, 32)?,
            "--keep" => migration.keep = number(1, u32::MAX)?,
            "--on-failure" => {
                migration.on_failure = match value() {
                    "hold" => OnFailure::Hold,
                    "restore" => OnFailure::Restore,
                    other => return Err(format!("--on-failure is hold or restore, not `{other}`")),
                }
            }
            "--gitops-paused" if given.is_none() => (migration.gitops_paused, rest) = (true, after),
            "--no-migration" if given.is_none() => (only_image, rest) = (true, after),
            // A command never begins so: taken for one, a slip of the finger would run.
            _ if typed.starts_with('-') => {
                let several =
                    if tenants.len() > 1 { ", --parallel N, --canary N, --max-failures N" } else { "" };
                return Err(format!(
                    "there is no option `{typed}` here; there are --keep N, --gitops-paused, --on-failure hold, \
                     --no-migration{several}"
                ));
            }
            _ => break,
        }
    }
    let deed = match (only_image, image) {
        (true, _) if !rest.is_empty() => {
            return Err(format!("--no-migration runs no command: `{rest}` is not taken"));
        }
        (true, None) => return Err("--no-migration rolls out another image: type its tag first".into()),
        (true, Some(image)) => Deed::Release(Release {
            tenant: migration.tenant.clone(),
            image,
            container: None,
            gitops_paused: migration.gitops_paused,
            steady: STEADY,
        }),
        (false, _) => {
            migration.command = Some(rest).filter(|c| !c.is_empty()).map(str::to_owned);
            migration.waits = if parallel > 1 { BESIDE_OTHERS } else { 0 };
            Deed::Migrate(migration)
        }
    };
    Ok(match tenants {
        [one] => Action::Plan(deed.to(one)),
        _ => {
            let tenants = tenants.to_vec();
            Action::Tenants(Box::new(ToTenants { deed, tenants, parallel, canary, max_failures }))
        }
    })
}

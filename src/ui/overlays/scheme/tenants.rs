//! What the review shows where the same is done to many tenants: who it is done to, who is left out and why, and what a
//! yes agrees to.

use crate::{
    plan::{
        Check, Guard, Intent, Verdict,
        many::{Many, Shared},
    },
    run::campaign::Pace,
    ui::{
        Command, command, format,
        paint::{Pen, piece},
        theme::Role,
        view::Cx,
    },
};

/// What is to be thought of before, each sentence once.
pub(super) fn checks(many: &Many) -> Vec<Check> {
    let told = |shared: &Shared| {
        let of = match shared.tenants {
            1 => String::new(),
            n => format!("{n} tenants, the first: "),
        };
        let text = format!("{of}{}", shared.text);
        Check { grave: shared.grave, ..Check::new(&shared.rule, Verdict::Warn, text) }
    };
    let waits = many
        .waits
        .iter()
        .map(|why| Check::new("database", Verdict::Warn, format!("it waits before the first one: {why}")));
    waits.chain(many.warnings.iter().map(told)).collect()
}

/// What will be done, in a sentence.
pub(super) fn sentence(many: &Many) -> String {
    let left = match many.left.len() {
        0 => String::new(),
        n => format!("; {} left out, with the reason below", format::count(n, "tenant")),
    };
    if many.items.is_empty() {
        return format!("nothing can be done{left}");
    }
    let how = match many.items.first() {
        Some(Intent::Migrate { migration }) => {
            let image = if migration.image.is_some() { ", then the new image" } else { "" };
            let command = match &migration.command {
                Some(command) => format!(", by `{command}`"),
                None => String::new(),
            };
            let replicas = format::count(migration.keep as usize, "replica");
            format!("each at {replicas} meanwhile{image}{command}")
        }
        Some(Intent::Restart { .. }) => "each rollout is watched to its end".into(),
        _ => "each rollout watched, and the old image set back if it fails".into(),
    };
    format!("{}: {how}{left}", many.goal)
}

/// What a yes agrees to.
pub(super) fn envelope(many: &Many, pace: &Pace) -> String {
    let all = many.items.len();
    let first = match ((pace.canary as usize).min(all), pace.stop_after > 1) {
        (0, _) => String::new(),
        (n, false) => format!("{n} first, "),
        (n, true) => format!("{n} first, whose failure stops it, "),
    };
    let then = match pace.parallel {
        1 => "then one after another".to_owned(),
        n => format!("then {n} at the same time"),
    };
    let stops = match pace.stop_after {
        0 | 1 => "the first failure stops it".to_owned(),
        n => format!("{n} failures stop it"),
    };
    let waits = match pace.brakes.first() {
        None => "",
        Some(Guard::DatabaseCalm) => "; it waits while the database is in trouble",
        Some(_) => "; it waits while the database is busy",
    };
    let (yes, tenants) = (command::first_key(Command::Yes), format::count(all, "tenant"));
    format!("{yes} agrees to {tenants}: {first}{then}; {stops}{waits}")
}

/// Who it is done to, line by line.
pub(super) fn rows(pen: &mut Pen<'_>, cx: &Cx<'_>, many: &Many, y: u16, shown: std::ops::Range<usize>) {
    let width = pen.width();
    let (tenant, image) = if width < 100 { (18, 10) } else { (30, 16) };
    for (y, i) in (y..).zip(shown) {
        let row = &many.rows[i];
        pen.put_right(5, y, 5, &(i + 1).to_string(), Role::Muted);
        pen.put(7, y, tenant, &cx.tenant_name(&row.tenant, tenant), Role::Text);
        let x = 8 + tenant;
        pen.put_right(x + 3, y, 3, &row.replicas.to_string(), Role::Text);
        pen.put(x + 5, y, image, &row.image, Role::Muted);
        let x = x + image + 6;
        let (sign, text) = match (&row.waits, &row.warning) {
            (Some(why), _) => ("▲ ", format!("waits: {why}")),
            (None, Some(why)) => ("▲ ", why.clone()),
            (None, None) => continue,
        };
        pen.line(x, y, width.saturating_sub(x), &[piece(sign, Role::Warn), piece(text, Role::Muted)]);
    }
}

/// Who is left out, line by line.
pub(super) fn left(pen: &mut Pen<'_>, cx: &Cx<'_>, many: &Many, y: u16, shown: std::ops::Range<usize>) {
    let width = pen.width();
    let tenant = if width < 100 { 18 } else { 30 };
    for (y, i) in (y..).zip(shown) {
        let left = &many.left[i];
        pen.put(2, y, tenant, &cx.tenant_name(&left.tenant, tenant), Role::Text);
        let x = tenant + 3;
        pen.put(x, y, width.saturating_sub(x), &left.why, Role::Muted);
    }
}

//! Whether the database can take a schema change now: judged when a migration is planned, and right before it begins.

use crate::{
    cluster::{Database, Snapshot, database::State},
    plan::{Check, Verdict},
};

/// What stands against a schema change, in one sentence; otherwise what was looked at. `None`: no database is
/// configured, and nothing is known.
fn judged(seen: &Snapshot) -> Option<Result<String, String>> {
    let database = Database::of(seen)?;
    if database.members.is_empty() {
        return Some(Err("no Galera member is configured: what the database does is not seen".into()));
    }
    Some(stops(seen, &database).map_or_else(|| Ok(looked(&database)), Err))
}

fn stops(seen: &Snapshot, database: &Database) -> Option<String> {
    if database.view.is_none() {
        return Some(format!("the database is not primary: {}", database.headline()));
    }
    for row in &database.members {
        let label = &row.label;
        let why = match &row.state {
            State::Joining { .. } | State::Receiving { .. } | State::CatchingUp { .. } => "is joining",
            State::Donor { .. } => "is a donor",
            State::Paused { .. } => "applies nothing",
            State::LocalSchemaChange { .. } => "runs a schema change of its own",
            _ => continue,
        };
        return Some(format!("{label} {why}: wait until it is in sync"));
    }
    if !seen.proxies.is_empty() && database.writer().is_none() {
        return Some("the proxies name no one member that takes writes".into());
    }
    let now = || database.members.iter().filter_map(|row| Some((row, row.now()?)));
    let change =
        now().find_map(|(row, status)| Some((row, status.threads.as_ref()?.schema_change.as_ref()?)));
    if let Some((row, change)) = change {
        let statement: String = change.statement.chars().take(60).collect();
        return Some(format!("a schema change runs on {} for {} s: {statement}", row.label, change.seconds));
    }
    let most = seen.database.thresholds.queue;
    let queues = now().map(|(row, status)| (row, status.receive_queue.max(status.send_queue)));
    if let Some((row, queue)) = queues.max_by_key(|(_, queue)| *queue).filter(|(_, queue)| *queue > most) {
        return Some(format!("{queue} write-sets wait on {}, at most {most} are good", row.label));
    }
    let limit = seen.database.thresholds.flow_control;
    let paused = now().filter_map(|(row, status)| Some((row, status.flow.share?)));
    let worst = paused.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, share)| *share > limit);
    if let Some((row, share)) = worst {
        let percent = |share: f64| (share * 100.0).round();
        return Some(format!(
            "flow control pauses {} for {} % of the time, at most {} % are good",
            row.label,
            percent(share),
            percent(limit)
        ));
    }
    let rsu = now().find(|(_, status)| status.osu_method.eq_ignore_ascii_case("RSU"));
    rsu.map(|(row, _)| {
        format!("wsrep_OSU_method of {} is RSU: a schema change would stay on that member alone", row.label)
    })
}

fn looked(database: &Database) -> String {
    let present = database.members.iter().filter(|row| row.state.is_member()).count();
    let writer = database.writer().map_or(String::new(), |row| format!(", {} takes writes", row.label));
    let methods = database.members.iter().filter_map(|row| row.now()).map(|status| status.osu_method.clone());
    let method = match methods.into_iter().find(|method| !method.is_empty()) {
        Some(method) => format!("wsrep_OSU_method {method}"),
        None => "wsrep_OSU_method is not told".into(),
    };
    format!(
        "{present} of {} members in sync{writer}, no schema change runs, {method}",
        database.members.len()
    )
}

pub(super) fn check(seen: &Snapshot) -> Check {
    match judged(seen) {
        Some(Ok(text)) => Check::new("database", Verdict::Ok, text),
        Some(Err(text)) => Check::new("database", Verdict::Refuse, text),
        None => {
            let text = "no database is configured: whether it can take a schema change now is not known";
            Check::new("database", Verdict::Warn, text)
        }
    }
}

/// The same as a guard: what has come up since.
pub(in crate::plan) fn guards(seen: &Snapshot) -> Option<String> {
    judged(seen).and_then(Result::err)
}

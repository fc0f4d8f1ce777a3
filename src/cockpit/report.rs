//! The report of an incident, from a recording.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    app::Msg,
    cluster::{Severity, Snapshot},
    history::{Report, of_runs},
    record::Recording,
    run::{self, AuditLine, campaign},
};

/// The report of what a recording says between two moments; without them of all of it. Where it does not reach so far, the
/// report says so. `now` is what is seen since: it stands for the end where the recording does not reach.
///
/// # Errors
/// One sentence: nothing between the moments is in the recording, they are in the wrong order, or that part of it is damaged.
pub fn incident(
    recording: &mut Recording,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    audit: &[AuditLine],
    now: Option<&Snapshot>,
) -> Result<Report, String> {
    let (first, last) = recording.ends();
    let early = from.filter(|from| from.as_second() < first.as_second());
    let late = until.filter(|until| until.as_second() > last.as_second());
    let from_place = recording.find(if early.is_some() { first } else { from.unwrap_or(first) })?;
    let before = recording.at(from_place)?;
    let after = match now.filter(|now| late.is_some() || until.is_none() && now.at > last) {
        Some(now) => now.clone(),
        None => {
            let place = recording.find(if late.is_some() { last } else { until.unwrap_or(last) })?;
            recording.at(place)?
        }
    };
    if after.at < before.at {
        let told = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
        return Err(format!("the end, {}, is before the beginning, {}", told(after.at), told(before.at)));
    }
    let (runs, campaigns) = (run::runs(&after), campaign::campaigns(&after));
    let mut events = recording.events().to_vec();
    events.extend(of_runs(&runs, &campaigns));
    events.sort_by_key(|event| event.time);
    let actions = run::actions(&runs, &campaigns, audit, &after);
    let mut gaps = recording.gaps().to_vec();
    let at = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC");
    gaps.extend(early.map(|_| format!("what was before {}, when nothing was recorded", at(first))));
    gaps.extend(
        late.filter(|_| now.is_none())
            .map(|_| format!("what was after {}, when nothing was recorded", at(last))),
    );
    Ok(Report::of(&before, &after, &events, &actions, gaps))
}

/// Saves a report in the state folder, in Markdown and as JSON; what is said of it.
pub(super) fn saved(report: Result<Report, String>, state_dir: &Path) -> Msg {
    let write = |report: &Report| -> Result<PathBuf, String> {
        let folder = state_dir.join("reports");
        let at =
            |path: &Path, why: io::Error| format!("the report cannot be saved: {}: {why}", path.display());
        fs::create_dir_all(&folder).map_err(|why| at(&folder, why))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(|why| at(&folder, why))?;
        // One of other hours with the same end is another report.
        let (from, until) = (report.from.strftime("%Y%m%d-%H%M%S"), report.until.strftime("%H%M%S"));
        let name = format!("incident-{from}-{until}");
        let path = folder.join(format!("{name}.md"));
        put(&path, &report.markdown()).map_err(|why| at(&path, why))?;
        let json = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(report).map_err(|why| why.to_string())? + "\n";
        put(&json, &text).map_err(|why| format!("{}; {} is saved", at(&json, why), path.display()))?;
        Ok(path)
    };
    match report {
        Err(why) => Msg::Notice(Severity::Warning, why),
        Ok(report) => match write(&report) {
            Ok(path) => Msg::Notice(Severity::Notice, format!("saved in {} and .json", path.display())),
            Err(why) => Msg::Notice(Severity::Warning, why),
        },
    }
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

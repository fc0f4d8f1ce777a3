//! What the database lets us see and do: its endpoints, the grants there, and the clocks of the members.

use jiff::Timestamp;

use super::{Found, Rating, skewed};
use crate::{
    cli::session::Session,
    cluster::{Snapshot, findings},
    cockpit,
    live::database::logins,
    run::rights,
    wire::{DatabaseEndpoint, Logins},
};

/// The rules whose findings are about seeing the database, not about the database.
const OF_SEEING: [&str; 5] =
    ["member-unreadable", "proxy-lost", "rights-missing", "configuration", "monitor-failing"];

/// Everything that is known of it.
pub(super) async fn checks(session: &Session, seen: &Snapshot) -> Vec<Found> {
    let Some(configured) = cockpit::database(&session.config) else {
        let text = "none is configured: nothing is known of members and proxies";
        return vec![
            Found::new("database", Rating::Notice, text)
                .mend(format!("{} help database", crate::cli::name())),
        ];
    };
    let mut found = Vec::new();
    let (mut members, mut proxies) = (Vec::new(), Vec::new());
    for member in seen.galera.values() {
        match member.link.trouble() {
            None => members.push(member.name.to_string()),
            Some(why) => found.push(Found::new("database", Rating::Fails, why)),
        }
    }
    for proxy in seen.proxies.values() {
        match proxy.link.trouble() {
            None => proxies.push(proxy.name.to_string()),
            Some(why) => found.push(Found::new("database", Rating::Fails, why)),
        }
    }
    for finding in findings(seen).into_iter().filter(|finding| OF_SEEING.contains(&finding.rule)) {
        let known = found.iter().any(|it| it.text == finding.text || finding.text.contains(&it.text));
        if !known {
            let it = Found::new("database", Rating::Warning, finding.text);
            found.push(match finding.remedy {
                Some(remedy) => it.mend(remedy),
                None => it,
            });
        }
    }
    let logins = logins(&configured, Some(session.wire.clone()));
    found.extend(acts(session, logins.clone(), &members, &proxies).await);
    for member in &members {
        found.extend(clock(&logins, member).await);
    }
    found
}

/// Whether the logins may act.
async fn acts(session: &Session, logins: Logins, members: &[String], proxies: &[String]) -> Vec<Found> {
    let answers = match rights::of_database(&session.wire, logins, members, proxies).await {
        Ok(answers) => answers,
        Err(why) => return vec![Found::new("database", Rating::Warning, why)],
    };
    let told = |(endpoint, may): (DatabaseEndpoint, Result<(), String>)| {
        let (what, without) = match endpoint {
            DatabaseEndpoint::Member(_) => ("seen and desynced", "all but desync works"),
            DatabaseEndpoint::Proxy(_) => ("seen and changed", "it cannot be changed"),
        };
        match may {
            Ok(()) => Found::ok("database", format!("{endpoint} can be {what}")),
            Err(why) => {
                let (text, mend) = match why.split_once(": GRANT ") {
                    Some((text, grant)) => {
                        (text.to_owned(), Some(format!("GRANT {}", grant.trim_end_matches(" there"))))
                    }
                    None => (why, None),
                };
                let it = Found::new("database", Rating::Notice, format!("{text}: {without}"));
                Found { mend, ..it }
            }
        }
    };
    answers.into_iter().map(told).collect()
}

/// The clock of a member beside ours; nothing where it does not tell the time.
async fn clock(logins: &Logins, member: &str) -> Option<Found> {
    let mut sql = logins.of(DatabaseEndpoint::Member(member.to_owned())).await.ok()?;
    let answer = sql.ask("SELECT UNIX_TIMESTAMP()").await.ok()?;
    let theirs: i64 = answer.rows.first()?.first()?.as_deref()?.split('.').next()?.parse().ok()?;
    // It tells whole seconds: the middle of the one it is in.
    Some(skewed(&format!("member {member}"), theirs * 1_000 + 500 - Timestamp::now().as_millisecond(), true))
}

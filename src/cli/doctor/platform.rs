//! Who looks at the platform around: one cockpit for all, or each by itself, and what keeps this one from it.

use super::{Found, Rating};
use crate::{
    cli::session::Session,
    cluster::{
        Snapshot,
        platform::{Looker, Platform},
    },
    cockpit,
};

/// Whether a cockpit of this user shares what it sees.
pub(super) async fn shared(session: &Session, seen: &Snapshot) -> Vec<Found> {
    if !session.has_platform() || !session.config.platform.share {
        return Vec::new();
    }
    let platform = Platform::of(seen);
    let mut found = Vec::new();
    if let (Looker::Other { .. }, Some(told)) = (&platform.looker, &platform.probing) {
        found.push(Found::ok("platform", told.clone()));
    }
    found.push(match cockpit::candidate(&session.config, &session.wire).barred().await {
        Ok(None) => match seen.unfit_to_tell().filter(|_| !matches!(platform.looker, Looker::Other { .. })) {
            None => Found::ok("platform", "a cockpit of yours may look at it for all that look at the same"),
            Some(why) => {
                let text = format!("a cockpit of yours looks at it for itself alone: {why}");
                Found::new("platform", Rating::Notice, text)
            }
        },
        Ok(Some(why)) => {
            let text = format!("a cockpit of yours never looks at it for all: {why}");
            let it = Found::new("platform", Rating::Notice, text);
            match why.contains("right") {
                true => {
                    it.mend(format!("{} rbac operator --user NAME | kubectl apply -f -", crate::cli::name()))
                }
                false => it,
            }
        }
        Err(why) => Found::new("platform", Rating::Warning, format!("who looks at it is not known: {why}")),
    });
    found
}

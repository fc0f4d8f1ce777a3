//! Campaigns whose items are whole tenants, each for itself: proposed, rehearsed, and how fast they go.

use super::{Pace, Proposed};
use crate::{
    cluster::Snapshot,
    plan::{Check, Guard, Intent, Plan, Verdict, many::Many},
    run::{self, Access, Rehearsal},
};

impl Proposed {
    /// The same done to many tenants, as it was worked out.
    pub fn of_tenants(many: &Many, pace: Pace) -> Self {
        // A restart changes nothing in the database: that nothing of it is critical is enough.
        let pace = match many.items.first() {
            Some(Intent::Restart { .. }) => Pace { brakes: vec![Guard::DatabaseCalm], ..pace },
            _ => pace,
        };
        Self {
            goal: many.goal.clone(),
            aim: None,
            items: many.items.clone(),
            pace,
            undoes: None,
            confirmation: many.confirmation.clone(),
        }
    }
}

impl Pace {
    /// How fast tenants go: between them a database that is busy is waited for, where its members are seen.
    pub fn of_tenants(seen: &Snapshot, parallel: u32, canary: u32, stop_after: u32) -> Self {
        let brakes = match seen.galera.is_empty() {
            true => Vec::new(),
            false => vec![Guard::DatabaseMigrates { waits: 0 }],
        };
        Self { parallel, canary, stop_after, brakes }
    }
}

/// Rehearses plans that stand for many tenants. A tenant whose writes would not pass is left out when its turn comes: it
/// is a warning, unless none would pass.
pub async fn rehearse_tenants(access: &Access, plans: &[Plan]) -> Rehearsal {
    let (mut all, mut refused, mut passed) = (Rehearsal::default(), Vec::new(), 0);
    let access = access.remembering();
    for plan in plans {
        let one = run::rehearse(&access, plan).await;
        for right in one.journal_missing {
            if !all.journal_missing.contains(&right) {
                all.journal_missing.push(right);
            }
        }
        let refuses = one.checks.iter().any(|c| c.verdict == Verdict::Refuse);
        passed += usize::from(!refuses);
        let name = plan.tenants.first().map_or_else(String::new, |part| part.tenant.to_string());
        for check in one.checks {
            match check.verdict {
                Verdict::Refuse => refused.push((name.clone(), check)),
                _ if all.checks.iter().all(|c| c.text != check.text) => all.checks.push(check),
                _ => {}
            }
        }
    }
    for (name, check) in refused {
        let text = match passed {
            0 => check.text,
            _ => format!("{name} is left out: {}", check.text),
        };
        let verdict = if passed == 0 { Verdict::Refuse } else { Verdict::Warn };
        if all.checks.iter().all(|c| c.text != text) {
            all.checks.push(Check { verdict, text, ..check });
        }
    }
    all
}

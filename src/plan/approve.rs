//! The gate between a plan and a run: the only way to get an [`Approved`] plan.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Check, Part, Plan, Verdict};

/// What the operator must do to say yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "text", rename_all = "lowercase")]
pub enum Confirmation {
    /// A plain yes.
    Yes,
    /// Type this text: the tenant's name, or `N tenants` when several are at stake; of the database the member's.
    Type(String),
}

/// A plan somebody has said yes to. Only this can be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approved {
    plan: Plan,
    reason: Option<String>,
}

/// Why a plan was not approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unapproved {
    /// It refuses itself; the sentences say why.
    Refused(Vec<String>),
    /// There is nothing to do.
    Nothing,
    /// This text had to be typed, and was not.
    NotTyped(String),
}

impl fmt::Display for Unapproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused: {}", why.join("; ")),
            Self::Nothing => f.write_str("there is nothing to do"),
            Self::NotTyped(text) => write!(f, "type `{text}` to confirm"),
        }
    }
}

impl std::error::Error for Unapproved {}

/// Why a grave check of that rule wants a text typed, in a few words.
pub fn why_grave(rule: &str) -> &'static str {
    match rule {
        "floor" => "under the floor",
        "zero" => "no pod is left",
        "ready" => "no pod is ready meanwhile",
        "claims" => "data is deleted",
        "load" => "too little room for its requests",
        _ => "see its warnings",
    }
}

impl Plan {
    /// What the operator must do to approve it: going to zero, under the floor, deleting claims with their data, to
    /// another writer of the database, or without a proxy that does not answer, wants the name typed.
    pub fn confirmation(&self) -> Confirmation {
        if let Some(part) =
            self.database.as_ref().filter(|part| part.moves_writer || !part.without.is_empty())
        {
            return Confirmation::Type(part.subject.clone());
        }
        let floor = |rule: &str| rule == "floor" || rule == "zero" || rule == "claims";
        let grave: Vec<_> = self
            .tenants
            .iter()
            .filter(|t| {
                let lower = t.to < t.from;
                t.checks.iter().any(|c| c.grave || lower && floor(&c.rule) && c.verdict >= Verdict::Warn)
            })
            .collect();
        match grave.as_slice() {
            [] => Confirmation::Yes,
            [one] => Confirmation::Type(one.tenant.to_string()),
            several => Confirmation::Type(format!("{} tenants", several.len())),
        }
    }

    /// Why a text has to be typed for it, in a few words.
    pub fn why_typed(&self) -> Option<&'static str> {
        match &self.database {
            Some(part) if part.moves_writer => return Some("another member takes the writes"),
            Some(part) if !part.without.is_empty() => return Some("a proxy does not answer"),
            _ => {}
        }
        let asks = |part: &Part, check: &Check| {
            let lower = part.to < part.from && ["floor", "zero", "claims"].contains(&check.rule.as_str());
            check.grave || lower && check.verdict >= Verdict::Warn
        };
        let mut all = self.tenants.iter().flat_map(|part| part.checks.iter().filter(move |c| asks(part, c)));
        all.next().map(|check| why_grave(&check.rule))
    }

    /// Approves the plan: it must not refuse itself, must do something, and `typed` must be what
    /// [`Plan::confirmation`] asks for.
    ///
    /// # Errors
    /// The plan is refused, or what had to be typed was not: which of the two.
    pub fn approve(self, typed: Option<&str>, reason: Option<String>) -> Result<Approved, Unapproved> {
        let refusals: Vec<_> = self.refusals().map(|c| c.text.clone()).collect();
        if !refusals.is_empty() {
            return Err(Unapproved::Refused(refusals));
        }
        if self.steps.is_empty() {
            return Err(Unapproved::Nothing);
        }
        if let Confirmation::Type(text) = self.confirmation()
            && typed.map(str::trim) != Some(text.as_str())
        {
            return Err(Unapproved::NotTyped(text));
        }
        let reason = reason.map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
        Ok(Approved { plan: self, reason })
    }
}

impl Approved {
    /// The same for a run of that id: what is named by its run gets its name.
    pub fn of_run(mut self, run: &str) -> Self {
        for step in &mut self.plan.steps {
            if let Some(change) = step.change.of_run(run) {
                step.change = change;
            }
        }
        self
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Why it is done, in the operator's words.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

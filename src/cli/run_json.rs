//! A run as JSON: the form that `wheelhouse help json` tells of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cluster::{Snapshot, TenantName},
    plan::{DatabasePart, Intent},
    run::{self, Disruption, Entry, Holder, Run, RunSeen, Shown, StepState},
};

/// A run as JSON.
#[derive(Serialize)]
pub(super) struct RunJson {
    pub(super) id: String,
    /// As it is called everywhere: a run nobody is at is `interrupted`.
    pub(super) state: Shown,
    pub(super) operator: String,
    user: Option<String>,
    /// When it began.
    pub(super) started: Option<Timestamp>,
    /// When anything last happened.
    updated: Option<Timestamp>,
    intent: Intent,
    /// What it does to the database; absent where it does nothing to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<DatabasePart>,
    /// What it is about, in a line.
    pub(super) summary: String,
    reason: Option<String>,
    /// The campaign it is an item of; `null`: none.
    pub(super) campaign: Option<String>,
    steps: Vec<StepJson>,
    /// What happened to the pods of its tenants while it held them.
    harm: Vec<HarmJson>,
    entries: Vec<Entry>,
    /// `cluster`, or `local`: on this machine only.
    journal: &'static str,
    /// Who is at it.
    pub(super) holder: Option<HolderJson>,
    /// Why it is not known who is at it; `null`: it is known.
    holder_unknown: Option<String>,
    /// It waits for an operator, and what it borrowed is not given back or an outcome is not known: why.
    pub(super) open: Option<String>,
    /// Why it stands still, or how it ended.
    last_word: Option<String>,
}

#[derive(Serialize)]
struct StepJson {
    /// The tenant's name, or `database`.
    about: String,
    /// `null`: it is about the database.
    tenant: Option<String>,
    change: String,
    #[serde(flatten)]
    state: StepState,
}

#[derive(Serialize)]
struct HarmJson {
    tenant: String,
    /// Seconds without a ready pod, of the times that are over.
    seconds_without_ready: u32,
    /// No pod is ready since then; `null`: one is.
    without_ready_since: Option<Timestamp>,
    /// Containers that ended by themselves, by reason.
    ended: BTreeMap<String, u32>,
    /// In words.
    text: String,
}

impl HarmJson {
    fn of((tenant, harm): (&TenantName, &Disruption)) -> Self {
        Self {
            tenant: tenant.to_string(),
            seconds_without_ready: harm.down,
            without_ready_since: harm.down_since,
            ended: harm.ended.clone(),
            text: harm.words(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct HolderJson {
    pub(super) who: String,
    since: Option<Timestamp>,
    renewed: Option<Timestamp>,
    /// Its lease has not run out.
    pub(super) alive: bool,
}

impl HolderJson {
    pub(super) fn of(holder: &Holder) -> Self {
        Self { who: holder.who.clone(), since: holder.since, renewed: holder.renewed, alive: holder.alive }
    }
}

impl RunJson {
    /// A run that this session has just driven.
    pub(super) fn of_run(run: &Run, now: &Snapshot) -> Self {
        Self::of(&RunSeen { ours: true, ..RunSeen::of(run.clone()) }, now)
    }

    /// A run on what is seen now.
    pub(super) fn of(seen: &RunSeen, now: &Snapshot) -> Self {
        let run = &seen.run;
        let holder = seen.holder.as_ref().map(HolderJson::of);
        let steps = run.plan().steps.iter().zip(&run.steps);
        Self {
            id: run.id.clone(),
            state: seen.shown(),
            operator: run.operator.clone(),
            user: run.user.clone(),
            started: run.began(),
            updated: run.last_at(),
            intent: run.plan().intent.clone(),
            database: run.plan().database.clone(),
            summary: run::summary(run),
            reason: run.approved.reason().map(str::to_owned),
            campaign: run.campaign.clone(),
            steps: steps
                .map(|(step, state)| StepJson {
                    about: step.about.to_string(),
                    tenant: step.about.tenant().map(ToString::to_string),
                    change: step.change.to_string(),
                    state: state.clone(),
                })
                .collect(),
            harm: run.harms().map(HarmJson::of).collect(),
            entries: run.entries.clone(),
            journal: if run.local { "local" } else { "cluster" },
            holder,
            holder_unknown: seen.unknown.clone(),
            open: seen.open(now),
            last_word: run.last_word().map(str::to_owned),
        }
    }
}

//! What a view asks for. A view never acts: `app::update` turns an action into state or into an effect.

use super::{overlays::asks::Asks, place::Place};
use crate::{cluster::TenantName, plan::Intent};

/// What a view asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Show another place; going back leads here again.
    Go(Place),
    /// Ask for the number of replicas of these tenants.
    AskReplicas(Vec<TenantName>),
    /// Review a change of the replicas of these tenants by so many.
    Propose(Vec<TenantName>, i64),
    /// Review the plan of this, whatever it is about.
    Plan(Intent),
    /// Ask for a line, and do what it becomes.
    Ask(Asks),
    /// Review the undoing of this run.
    Undo(String),
    /// Finish this run.
    Resume(String),
    /// Close this run for good, for this reason.
    GiveUp(String, String),
    /// Let this run stand after its present step.
    Pause(String),
    /// Put text on the operator's clipboard.
    Copy(String),
    /// Say something, in one sentence.
    Say(String),
}

//! What a view asks for. A view never acts: `app::update` turns an action into state or into an effect.

use std::sync::Arc;

use jiff::Timestamp;

use super::{ToTenants, place::Place};
use crate::{
    cluster::{Key, MemberName, Memory, NodeName, Ports, ProxyName, TenantName, database::Role},
    plan::{Intent, Migration, rebalance::Aim},
    run::campaign::Wish,
};

/// What a view asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Show another place; going back leads here again.
    Go(Place),
    /// Show another place, with this selected there.
    GoTo(Place, Place),
    /// Show another place, and say why that one, in one sentence.
    GoSaying(Place, String),
    /// Ask for the number of replicas of these tenants.
    AskReplicas(Vec<TenantName>),
    /// Ask how these tenants are migrated.
    AskMigration(Vec<TenantName>),
    /// Ask for the limits of this tenant's pods.
    AskLimits(TenantName),
    /// Review a change of the replicas of these tenants by so many.
    Propose(Vec<TenantName>, i64),
    /// Read the revisions of this tenant, and review going back to the one before.
    Rollback(TenantName),
    /// Review the plan of this, whatever it is about.
    Plan(Intent),
    /// Review what many pods would do for this.
    Aim(Aim),
    /// Review the same for many tenants.
    Tenants(Box<ToTenants>),
    /// Choose where this pod of a tenant goes.
    Targets(TenantName, Key),
    /// Ask this of a campaign, whoever drives it.
    Wish(String, Wish),
    /// Go on with this campaign.
    GoOn(String),
    /// Review the taking back of this campaign.
    UndoCampaign(String),
    /// Ask for a line, and do what it becomes.
    Ask(Asks),
    /// Review the undoing of this run.
    Undo(String),
    /// Finish this run.
    Resume(String),
    /// Take what this run waits for as succeeded.
    Succeeded(String),
    /// Close this run or campaign for good, for this reason.
    GiveUp(String, String),
    /// Pause this run, and close it: what it borrowed is given back.
    Abort(String),
    /// Let this run stand after its present step.
    Pause(String),
    /// Open a shell in one of these containers.
    Shell(Containers),
    /// Ask which ports of this machine and of one of these pods belong together.
    AskForward(Containers),
    /// Open a port-forward to this pod.
    Forward(Key, Ports),
    /// Close this one.
    CloseForward(u64),
    /// Put text on the operator's clipboard.
    Copy(String),
    /// Save the lines of a log in this file, or in a new one of that name.
    SaveLog {
        /// The file that was named.
        file: Option<String>,
        /// Whose log it is.
        name: String,
        /// The lines.
        text: String,
    },
    /// Save the report of what lies between these moments.
    Export(Timestamp, Timestamp),
    /// Say something, in one sentence.
    Say(String),
}

/// Containers that are meant by where one is: as much of it as is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Containers {
    /// Of this tenant.
    pub tenant: Option<TenantName>,
    /// Of this pod.
    pub pod: Option<Key>,
    /// Of pods on this node.
    pub node: Option<NodeName>,
    /// Of this name.
    pub container: Option<Arc<str>>,
}

/// What a line is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// How many replicas? With how many each tenant has now.
    Replicas(Vec<(TenantName, u32)>),
    /// Which image, and which command, migrates a tenant, or several?
    Migrate {
        /// Which tenants.
        tenants: Vec<TenantName>,
        /// How it is migrated where nothing else is typed.
        migration: Box<Migration>,
        /// The tag of the present image.
        now: Arc<str>,
        /// The command where none is typed.
        command: Arc<str>,
    },
    /// Which limits for the pods of a tenant?
    Limits {
        /// Whose.
        tenant: TenantName,
        /// The container that gets them where none is typed.
        container: Arc<str>,
        /// Its memory limit now, where it is the same in all pods.
        now: Option<Memory>,
        /// The most memory that one of them uses.
        used: Option<Memory>,
        /// The most that one was seen to use, where that is more.
        peak: Option<Memory>,
    },
    /// Which weight of a member in the proxies?
    Weight {
        /// Which member.
        member: MemberName,
        /// What people call it.
        label: Arc<str>,
        /// Its weight in each proxy now.
        now: Vec<(ProxyName, u64)>,
        /// The others: what people call each, its weight, and what the proxies do with it.
        others: Vec<(Arc<str>, u64, Role)>,
    },
    /// Which server is added to the proxies?
    Server {
        /// Those that suggest themselves, and why.
        offers: Vec<(Arc<str>, String)>,
        /// Those that are in every proxy already.
        known: Vec<Arc<str>>,
    },
    /// Which port of this machine leads to which port of this pod?
    Forward {
        /// Which pod.
        pod: Key,
        /// Pairs that suggest themselves, and why.
        offers: Vec<(Arc<str>, String)>,
    },
    /// Why is a run or campaign given up?
    GiveUp {
        /// Which of both.
        what: &'static str,
        /// Its id.
        run: String,
        /// What it is, in words.
        text: String,
    },
}

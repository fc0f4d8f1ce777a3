//! Planning acts on the database: a member taken out of the proxies or brought back, a weight, the writer, the servers
//! saved, a member desynced.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{About, Change, Check, Intent, Plan, Verdict};
use crate::cluster::{MemberName, ProxyName, Snapshot};

pub(super) mod standing;

/// What an operator wants of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum DatabaseAct {
    /// Out of every proxy's servers.
    TakeOut {
        /// Which member.
        member: MemberName,
    },
    /// Into every proxy's servers that lacks it, with rows like another's.
    BringBack {
        /// Which member.
        member: MemberName,
        /// Like this one; `None`: like a member that serves.
        #[serde(default)]
        like: Option<MemberName>,
    },
    /// Another weight in every proxy: the heaviest writes.
    Weight {
        /// Which member.
        member: MemberName,
        /// The weight.
        weight: u64,
    },
    /// The member every proxy shall write to.
    MoveWriter {
        /// Which member.
        member: MemberName,
    },
    /// A server the proxies do not know yet.
    AddServer {
        /// `host:port`.
        address: Arc<str>,
        /// With rows like this member's; `None`: like a member that serves.
        #[serde(default)]
        like: Option<MemberName>,
    },
    /// A server out of every proxy, member or not.
    RemoveServer {
        /// `host:port`, as the proxies know it.
        address: Arc<str>,
    },
    /// What runs is written to disk.
    Save {
        /// In this proxy; `None`: in every one that differs.
        #[serde(default)]
        proxy: Option<ProxyName>,
    },
    /// Out of flow control (`wsrep_desync=ON`).
    Desync {
        /// Which member.
        member: MemberName,
    },
    /// Back into flow control.
    Resync {
        /// Which member.
        member: MemberName,
    },
}

/// What a plan does to the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabasePart {
    /// What is done; of an undo, what it amounts to.
    pub act: DatabaseAct,
    /// What people call what it is about.
    pub subject: String,
    /// The proxies now, a line each: `proxy1 db1 writer, db2 next writer, db3 reader`.
    pub now: Vec<String>,
    /// The same afterwards, as predicted.
    pub after: Vec<String>,
    /// Which clients are cut.
    pub cut: Vec<Cut>,
    /// What was checked, and how it came out.
    pub checks: Vec<Check>,
    /// The statements an operator would type.
    pub sql: Vec<String>,
    /// What undoing it would do, in words.
    pub undo: String,
}

/// Clients that notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// Through which proxy; `None`: all that are connected to the member.
    pub proxy: Option<ProxyName>,
    /// How many, where it is known.
    pub clients: Option<u32>,
    /// Who, what they see, and for how long.
    pub text: String,
}

impl DatabaseAct {
    /// What it is about, as it was named.
    pub fn subject(&self) -> &str {
        match self {
            Self::TakeOut { member }
            | Self::BringBack { member, .. }
            | Self::Weight { member, .. }
            | Self::MoveWriter { member }
            | Self::Desync { member }
            | Self::Resync { member } => member.as_str(),
            Self::AddServer { address, .. } | Self::RemoveServer { address } => address,
            Self::Save { proxy: Some(proxy) } => proxy.as_str(),
            Self::Save { proxy: None } => "every proxy",
        }
    }

    /// In a few words, its subject by the name people use.
    pub(super) fn title(&self, subject: Option<&str>) -> String {
        let text = self.words(subject.unwrap_or(self.subject()));
        let mut letters = text.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => text,
        }
    }

    fn words(&self, subject: &str) -> String {
        match self {
            Self::TakeOut { .. } => format!("take {subject} out of the proxies"),
            Self::BringBack { .. } => format!("bring {subject} back into the proxies"),
            Self::Weight { weight, .. } => format!("weight of {subject} → {weight}"),
            Self::MoveWriter { .. } => format!("move the writer to {subject}"),
            Self::AddServer { .. } => format!("add {subject} to the proxies"),
            Self::RemoveServer { .. } => format!("remove {subject} from the proxies"),
            Self::Save { .. } => format!("save the servers of {subject}"),
            Self::Desync { .. } => format!("desync {subject}"),
            Self::Resync { .. } => format!("resync {subject}"),
        }
    }
}

impl DatabasePart {
    /// What is done, in a few words, its subject by the name people use.
    pub fn words(&self) -> String {
        self.act.words(&self.subject)
    }
}

impl fmt::Display for DatabaseAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.words(self.subject()))
    }
}

pub(super) fn plan(seen: &Snapshot, intent: &Intent, act: &DatabaseAct) -> Plan {
    refused(seen, intent, act.clone())
}

pub(super) fn undo(seen: &Snapshot, intent: &Intent, _run: &str, _changes: &[(About, Change)]) -> Plan {
    refused(seen, intent, DatabaseAct::Save { proxy: None })
}

fn refused(seen: &Snapshot, intent: &Intent, act: DatabaseAct) -> Plan {
    let check = Check::new("database", Verdict::Refuse, "acts on the database are not planned yet");
    let mut plan = Plan {
        id: String::new(),
        intent: intent.clone(),
        seen: seen.revision,
        at: seen.at,
        tenants: Vec::new(),
        database: Some(DatabasePart {
            subject: act.subject().to_owned(),
            act,
            now: Vec::new(),
            after: Vec::new(),
            cut: Vec::new(),
            checks: vec![check],
            sql: Vec::new(),
            undo: String::new(),
        }),
        steps: Vec::new(),
        checks: Vec::new(),
    };
    plan.id = plan.hash();
    plan
}

/// Whether the database is as a plan said it would be. The sentence says what came out.
pub fn verify(_part: &DatabasePart, _after: &Snapshot) -> (bool, String) {
    (false, "not compared yet".into())
}

//! `wsrep_desync` of a member.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing};
use crate::{
    cluster::{MemberName, Snapshot},
    plan::{
        Names, Step,
        database::{hindrance, standing},
    },
};

/// `wsrep_desync` of a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desync {
    /// Which member.
    pub member: MemberName,
    /// Before.
    pub from: bool,
    /// Afterwards.
    pub to: bool,
}

impl Kind for Desync {
    fn object(&self) -> Object {
        Object::Member(self.member.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        Some(Change::Desync(Self { member: self.member.clone(), from: self.to, to: self.from }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        standing::member_silent(&self.member, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        standing::of_member(self, &self.member, seen, |member| match member.now() {
            Some(status) if status.desync == self.to => Standing::AtTo,
            _ => Standing::AtFrom(format!("wsrep_desync is {}", if self.to { "OFF" } else { "ON" })),
        })
    }

    fn hindrance(&self, _: &[Step], seen: &Snapshot) -> Option<String> {
        hindrance::desync(self, seen)
    }

    fn words(&self, names: &Names) -> String {
        let word = if self.to { "desync" } else { "resync" };
        format!("{word} {}", names.full(self.member.as_str()))
    }
}

//! Wait until a member shows that it is out of flow control, or in sync again.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing};
use crate::{
    cluster::{MemberName, Snapshot},
    plan::{Names, database::standing},
};

/// Wait until the member shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desynced {
    /// Which member.
    pub member: MemberName,
    /// Out of flow control, or in sync again.
    pub desynced: bool,
}

impl Kind for Desynced {
    fn object(&self) -> Object {
        Object::Member(self.member.clone())
    }

    fn is_write(&self) -> bool {
        false
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        standing::member_silent(&self.member, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        standing::of_member(self, &self.member, seen, |member| standing::desync(member, self.desynced))
    }

    fn words(&self, names: &Names) -> String {
        let state = if self.desynced { "desynced" } else { "synced" };
        format!("wait until {} is {state}", names.of(self.member.as_str()))
    }
}

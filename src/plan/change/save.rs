//! A proxy's servers as they run are written to its disk.

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing};
use crate::{
    cluster::{ProxyName, Snapshot},
    plan::{Names, database::standing},
};

/// A proxy's servers as they run are written to its disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Save {
    /// Which proxy.
    pub proxy: ProxyName,
    /// What differs, in words.
    pub from: String,
}

impl Kind for Save {
    fn object(&self) -> Object {
        Object::Proxy(self.proxy.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn never(&self) -> Option<String> {
        Some(format!("what was on the disk of {} before is not kept", self.proxy))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        standing::proxy_unread(&self.proxy, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        standing::of_proxy(self, &self.proxy, seen, |status| match standing::unsaved(status) {
            None => Standing::AtFrom("what is on its disk is not known yet".into()),
            Some(what) if what.is_empty() => Standing::AtTo,
            Some(what) => Standing::AtFrom(format!("{} differ from its disk", what.join(", "))),
        })
    }

    fn words(&self, _: &Names) -> String {
        format!("save the servers of {} to its disk", self.proxy)
    }
}

//! Wait until the monitor of a proxy has left a backend's rows as they are.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing};
use crate::{
    cluster::{ProxyName, ServerRow, Snapshot},
    plan::{Names, database::standing},
};

/// Wait until the monitor has left a backend's rows as they are for two of its intervals: what it does not want it
/// puts back within one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// Which proxy.
    pub proxy: ProxyName,
    /// `host:port`, as the proxy knows it.
    pub address: Arc<str>,
    /// The rows that must hold.
    pub rows: Vec<ServerRow>,
    /// It must be the one that takes the writes, or must be in service beside it. `None`: either.
    pub as_writer: Option<bool>,
}

impl Kind for Holds {
    fn object(&self) -> Object {
        Object::Proxy(self.proxy.clone())
    }

    fn is_write(&self) -> bool {
        false
    }

    fn invert(&self) -> Option<Change> {
        None
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        standing::proxy_unread(&self.proxy, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        let Self { proxy, address, rows, as_writer } = self;
        standing::of_proxy(self, proxy, seen, |status| {
            standing::holds(seen, proxy, status, address, rows, *as_writer)
        })
    }

    fn words(&self, names: &Names) -> String {
        let Self { proxy, address, rows, as_writer } = self;
        let name = names.of(address);
        match as_writer {
            _ if rows.is_empty() => format!("wait until {name} stays out of {proxy}"),
            Some(true) => format!("wait until {proxy} writes to {name}"),
            Some(false) => format!("wait until {proxy} keeps {name} in service and writes elsewhere"),
            None => format!("wait until {name} stays in {proxy}"),
        }
    }
}

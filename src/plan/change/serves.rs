//! Wait until the monitor of a proxy has taken a backend into service or out of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing};
use crate::{
    cluster::{ProxyName, Snapshot},
    plan::{Names, database::standing},
};

/// Wait until the monitor of a proxy has taken a backend into service or out of it: nobody writes that there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serves {
    /// Which proxy.
    pub proxy: ProxyName,
    /// `host:port`, as the proxy knows it.
    pub address: Arc<str>,
    /// In service, or out of it.
    pub serves: bool,
}

impl Kind for Serves {
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
        standing::proxy_silent(&self.proxy, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        standing::of_proxy(self, &self.proxy, seen, |status| {
            match (standing::in_service(seen, &self.proxy, status, &self.address), self.serves) {
                (now, wanted) if now == wanted => Standing::AtTo,
                (true, _) => Standing::AtFrom("it is in service still".into()),
                (false, _) => Standing::AtFrom("it is not in service yet".into()),
            }
        })
    }

    fn words(&self, names: &Names) -> String {
        let name = names.of(&self.address);
        match self.serves {
            true => format!("wait until {} serves from {name}", self.proxy),
            false => format!("wait until {} has taken {name} out of service", self.proxy),
        }
    }
}

//! The rows of one backend in a proxy's servers.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Change, Kind, Object, Standing};
use crate::{
    cluster::{ProxyName, ServerRow, Snapshot},
    plan::{
        Names, Step,
        database::{hindrance, standing},
    },
};

/// The rows of one backend in a proxy's servers, without the hostgroups the monitor moves it between. Memory is taken
/// from the runtime, the surplus writers' rows are deleted, the rows edited and loaded: no client is cut by that order.
/// With the same rows at both ends only memory is taken from the runtime: what a run that was cut off has left there
/// goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Servers {
    /// Which proxy.
    pub proxy: ProxyName,
    /// `host:port`, as the proxy knows it.
    pub address: Arc<str>,
    /// The rows before; none: it is not among the servers.
    pub from: Vec<ServerRow>,
    /// The rows afterwards.
    pub to: Vec<ServerRow>,
}

impl Kind for Servers {
    fn object(&self) -> Object {
        Object::Proxy(self.proxy.clone())
    }

    fn is_write(&self) -> bool {
        true
    }

    fn invert(&self) -> Option<Change> {
        let Self { proxy, address, from, to } = self.clone();
        Some(Change::Servers(Self { proxy, address, from: to, to: from }))
    }

    fn unseen(&self, seen: &Snapshot) -> Option<String> {
        standing::proxy_unread(&self.proxy, seen)
    }

    fn stands(&self, seen: &Snapshot) -> Standing {
        standing::of_proxy(self, &self.proxy, seen, |status| {
            standing::servers(status, &self.address, &self.from, &self.to)
        })
    }

    /// Whether it is to write once its rows have held is what the wait for that says.
    fn hindrance(&self, rest: &[Step], seen: &Snapshot) -> Option<String> {
        let same = |step: &Step| match &step.change {
            Change::Holds(wait) => {
                ((&wait.proxy, &wait.address) == (&self.proxy, &self.address)).then_some(wait.as_writer)
            }
            _ => None,
        };
        hindrance::servers(self, rest.iter().find_map(same).flatten(), seen)
    }

    fn words(&self, names: &Names) -> String {
        let Self { proxy, address, from, to } = self;
        if from == to {
            return format!("take the memory of {proxy} from its runtime");
        }
        let name = names.full(address);
        match (from.is_empty(), to.is_empty()) {
            (_, true) => format!("take {name} out of {proxy}"),
            (true, false) => format!("put {name} into {proxy} with weight {}", weights(to)),
            (false, false) => format!("weight of {name} in {proxy} {} → {}", weights(from), weights(to)),
        }
    }
}

/// The weights of a backend's rows: one number, unless its hostgroups differ.
fn weights(rows: &[ServerRow]) -> String {
    let all: BTreeSet<_> = rows.iter().map(|r| r.weight).collect();
    all.iter().map(u64::to_string).collect::<Vec<_>>().join("/")
}

//! A sentinel: which master it names, how many others it can reach, and whether a failover could be decided.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cluster::words::one_line;

/// What a sentinel said in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SentinelFacts {
    /// The masters it watches.
    pub masters: Vec<Watched>,
    /// Commands the user may not run.
    pub denied: Vec<Arc<str>>,
}

/// A master as a sentinel sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// What it calls it.
    pub name: Arc<str>,
    /// `host:port` of the server that is the master for it.
    pub address: Arc<str>,
    /// `runid` of that server.
    pub run_id: Arc<str>,
    /// It takes it for down: itself (`s_down`), or with enough others (`o_down`).
    pub down: bool,
    /// How many sentinels must agree that it is down.
    pub quorum: Option<u32>,
    /// Other sentinels it knows.
    pub others: Option<u32>,
    /// So long a server must be silent to be taken for down, milliseconds.
    pub down_after: Option<u64>,
    /// Its replicas, `host:port`, and whether it takes them for up.
    pub replicas: Vec<(Arc<str>, bool)>,
    /// `CKQUORUM`: why no failover can be decided; `None`: it can be, or it was not asked.
    pub no_quorum: Option<Arc<str>>,
}

/// The objects of a list that is a list of them, or of flat lists of names and values as RESP2 has them.
fn objects(reply: &Value) -> Vec<Map<String, Value>> {
    let object = |one: &Value| match one {
        Value::Object(map) => Some(map.clone()),
        Value::Array(flat) => {
            let pairs = flat.as_chunks::<2>().0.iter();
            Some(pairs.filter_map(|[name, value]| Some((name.as_str()?.to_owned(), value.clone()))).collect())
        }
        _ => None,
    };
    reply.as_array().into_iter().flatten().filter_map(object).collect()
}

impl Watched {
    /// What `SENTINEL MASTERS` replied.
    pub fn read(reply: &Value) -> Vec<Self> {
        let master = |fields: Map<String, Value>| {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).map(one_line);
            let count = |name: &str| text(name)?.parse().ok();
            let flags = text("flags").unwrap_or_default();
            Some(Self {
                name: text("name")?.into(),
                address: format!("{}:{}", text("ip")?, text("port")?).into(),
                run_id: text("runid").unwrap_or_default().into(),
                down: flags.split(',').any(|flag| flag == "s_down" || flag == "o_down"),
                quorum: count("quorum"),
                others: count("num-other-sentinels"),
                down_after: text("down-after-milliseconds").and_then(|n| n.parse().ok()),
                replicas: vec![],
                no_quorum: None,
            })
        };
        objects(reply).into_iter().filter_map(master).collect()
    }

    /// The same with what `GET-MASTER-ADDR-BY-NAME` replied: during a failover it is the new master's address before the
    /// list of masters has it.
    #[must_use]
    pub fn at(self, reply: &Value) -> Self {
        let part = |at: usize| reply.as_array()?.get(at)?.as_str();
        match (part(0), part(1)) {
            (Some(host), Some(port)) => {
                let address: Arc<str> = one_line(&format!("{host}:{port}")).into();
                // The identity was the one of the address before.
                let run_id = if address == self.address { self.run_id } else { "".into() };
                Self { address, run_id, ..self }
            }
            _ => self,
        }
    }

    /// The same with what `SENTINEL REPLICAS` replied.
    #[must_use]
    pub fn with_replicas(self, reply: &Value) -> Self {
        let replica = |fields: Map<String, Value>| {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).map(one_line);
            let flags = text("flags").unwrap_or_default();
            let up = !flags.split(',').any(|flag| matches!(flag, "s_down" | "o_down" | "disconnected"));
            Some((Arc::from(format!("{}:{}", text("ip")?, text("port")?)), up))
        };
        Self { replicas: objects(reply).into_iter().filter_map(replica).collect(), ..self }
    }

    /// The same with what `SENTINEL CKQUORUM` replied, as a status or an error.
    #[must_use]
    pub fn with_quorum(self, reply: &str) -> Self {
        let no_quorum = (!reply.starts_with("OK")).then(|| one_line(reply).into());
        Self { no_quorum, ..self }
    }
}

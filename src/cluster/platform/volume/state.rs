//! What `gluster get-state` writes, and the space of the node's own bricks as file systems tell it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Options;
use crate::cluster::words::one_line;

/// The options that matter, of all that a volume may have.
const OPTIONS: [&str; 3] = ["cluster.quorum-type", "cluster.quorum-count", "storage.reserve"];
/// What the script on the storage node writes before the space of the bricks.
const SPACE: &str = "[wheelhouse space]";

/// What one storage node says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StorageFacts {
    /// The other nodes of its pool.
    pub peers: Vec<Peer>,
    /// The volumes of the pool; of their bricks it knows its own.
    pub volumes: Vec<VolumeState>,
}

/// Another node of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// What it is called.
    pub host: Arc<str>,
    /// It is connected; one that hangs stays so.
    pub connected: bool,
    /// `Peer in Cluster`, when all is right.
    pub state: Arc<str>,
}

/// A volume as one node knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeState {
    /// Its name.
    pub name: Arc<str>,
    /// `Replicate`, `Distribute`, `Disperse`, ..
    pub kind: Arc<str>,
    /// `Started`, `Stopped`, `Created`.
    pub status: Arc<str>,
    /// All its bricks, in their order.
    pub bricks: Vec<Brick>,
    /// How many bricks hold the same files, arbiters counted in.
    pub replica: u32,
    /// How many bricks hold parts of the same files; 0: not that kind.
    pub disperse: u32,
    /// How many of those may be lost.
    pub redundancy: u32,
    /// The servers have lost their quorum: glusterd stops its own bricks.
    pub server_quorum_lost: bool,
    /// The daemon that heals runs on this node.
    pub heals: Option<bool>,
    /// Options that matter.
    pub options: Options,
}

/// A brick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Brick {
    /// `host:path`.
    pub name: Arc<str>,
    /// It holds names alone, no contents.
    pub arbiter: bool,
    /// What its own node says of it.
    pub own: Option<OwnBrick>,
}

/// A brick, by its own node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnBrick {
    /// Its process runs and has told its port. One that hangs does so as well.
    pub started: bool,
    /// Free and total bytes that clients can use; `None`: only known with what is reserved.
    pub space: Option<(u64, u64)>,
}

impl StorageFacts {
    /// What a node wrote: `get-state`, and after a line of its own the space of its bricks.
    ///
    /// # Errors
    /// It is not what `get-state` writes: one sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        let (state, space) = text.split_once(SPACE).unwrap_or((text, ""));
        if !state.contains("[Global]") || !state.contains("[Volumes]") {
            let said = one_line(state);
            let said = if said.is_empty() { "nothing".to_owned() } else { said };
            return Err(format!("gluster get-state wrote no state but: {said}"));
        }
        let fields: BTreeMap<&str, &str> = state
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let text = |name: &str| Arc::<str>::from(one_line(fields.get(name).copied().unwrap_or_default()));
        let peers = numbered(|n| {
            let host = format!("Peer{n}.primary_hostname");
            fields.contains_key(host.as_str()).then(|| Peer {
                host: text(&host),
                connected: *text(&format!("Peer{n}.connected")) == *"Connected",
                state: text(&format!("Peer{n}.state")),
            })
        });
        let space = spaces(space);
        let volumes = numbered(|n| {
            let own = format!("Volume{n}.");
            fields.contains_key(format!("{own}name").as_str()).then(|| volume(&fields, &own, &space))
        });
        Ok(Self { peers, volumes })
    }
}

/// What there is under 1, 2, 3, ..
fn numbered<T>(of: impl Fn(u32) -> Option<T>) -> Vec<T> {
    (1..).map_while(of).collect()
}

/// Free and total bytes by the path of the brick: `FREE TOTAL PATH` a line.
fn spaces(text: &str) -> BTreeMap<&str, (u64, u64)> {
    let line = |line: &'_ str| -> Option<(usize, u64, u64)> {
        let mut words = line.splitn(3, ' ');
        let (free, total) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((line.len() - words.next()?.len(), free, total))
    };
    text.lines().filter_map(|l| line(l).map(|(at, free, total)| (l[at..].trim(), (free, total)))).collect()
}

fn volume(fields: &BTreeMap<&str, &str>, own: &str, space: &BTreeMap<&str, (u64, u64)>) -> VolumeState {
    let value = |name: &str| fields.get(format!("{own}{name}").as_str()).copied();
    let text = |name: &str| Arc::<str>::from(one_line(value(name).unwrap_or_default()));
    let count = |name: &str| value(name).and_then(|n| n.parse().ok()).unwrap_or(0);
    let bricks = numbered(|n| {
        let of = |name: &str| value(&format!("Brick{n}.{name}"));
        let path = of("path")?;
        // Only its own bricks have a status.
        let status = of("status").map(|status| OwnBrick {
            started: status == "Started" && of("port_registered") != Some("0"),
            space: path.split_once(':').and_then(|(_, path)| space.get(path)).copied(),
        });
        Some(Brick { name: one_line(path).into(), arbiter: of("is_arbiter") == Some("1"), own: status })
    });
    let options = OPTIONS.iter().filter_map(|name| {
        let value = value(&format!("options.{name}"))?;
        Some((Arc::from(*name), Arc::from(one_line(value))))
    });
    VolumeState {
        name: text("name"),
        kind: text("type"),
        status: text("status"),
        bricks,
        replica: count("replica_count"),
        disperse: count("disperse_count"),
        redundancy: count("redundancy_count"),
        server_quorum_lost: value("quorum_status") == Some("does_not_meet"),
        heals: value("shd_svc.online_status").map(|status| status == "Online"),
        options: options.collect(),
    }
}

/// A name that a volume may have: letters, digits, `_`, `-`, `.`. Nothing else is sent to a storage node.
pub fn is_volume_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && !name.starts_with('-') && name.chars().all(fits)
}

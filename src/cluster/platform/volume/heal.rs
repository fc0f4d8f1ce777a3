//! What is left to heal: `heal-count`, which writes text whatever it is asked, and `heal info summary`, which alone tells
//! split-brain.
//!
//! A brick that is not connected has no number: that is not 0. With one brick of a pair down no split-brain is seen.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::words::one_line;

/// What one brick is said to hold back for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pending {
    /// So many entries.
    Entries(u64),
    /// The brick is not connected: not known.
    NotConnected,
    /// The brick did not answer in time: not known.
    NoAnswer,
}

/// Entries to heal, by brick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealCount {
    /// Each brick that was listed.
    pub bricks: Vec<(Arc<str>, Pending)>,
}

/// What the summary says of one brick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrickSummary {
    /// `host:path`.
    pub name: Arc<str>,
    /// It is connected.
    pub connected: bool,
    /// Entries in split-brain; `None`: not known.
    pub split_brain: Option<u64>,
    /// Entries in all; `None`: not known.
    pub entries: Option<u64>,
}

/// `heal info summary`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealSummary {
    /// Each brick.
    pub bricks: Vec<BrickSummary>,
}

impl HealCount {
    /// What the command wrote.
    ///
    /// # Errors
    /// It is no count: one sentence. That another transaction is under way is one of these.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut bricks: Vec<(Arc<str>, Pending)> = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("Brick ") {
                bricks.push((one_line(name).into(), Pending::NoAnswer));
                continue;
            }
            let Some((_, pending)) = bricks.last_mut() else { continue };
            if let Some(number) = line.strip_prefix("Number of entries:") {
                *pending = number.trim().parse().map_or(Pending::NoAnswer, Pending::Entries);
            } else if line.starts_with("Status:") && line.contains("not connected") {
                *pending = Pending::NotConnected;
            }
        }
        if bricks.is_empty() {
            let said = one_line(text);
            return Err(match said.is_empty() {
                true => "gluster wrote nothing".to_owned(),
                false if said.contains("Another transaction") => {
                    "another transaction is under way in the pool".to_owned()
                }
                false => said,
            });
        }
        Ok(Self { bricks })
    }

    /// What is said of a brick.
    pub fn of(&self, brick: &str) -> Option<Pending> {
        self.bricks.iter().find(|(name, _)| **name == *brick).map(|(_, pending)| *pending)
    }

    /// Entries to heal, of the bricks that tell it, and how many bricks do not. What several bricks of one set hold back
    /// for the same brick is counted once: the most of a set.
    pub fn total(&self, per_set: usize) -> (u64, usize) {
        let known = |pending: &Pending| match pending {
            Pending::Entries(n) => Some(*n),
            Pending::NotConnected | Pending::NoAnswer => None,
        };
        let sets = self.bricks.chunks(per_set.max(1));
        let total = sets.map(|set| set.iter().filter_map(|(_, p)| known(p)).max().unwrap_or(0));
        let unknown = self.bricks.iter().filter(|(_, p)| known(p).is_none()).count();
        (total.fold(0, u64::saturating_add), unknown)
    }
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "healInfo")]
    info: Option<Info>,
    #[serde(rename = "opRet")]
    ret: Option<String>,
    #[serde(rename = "opErrstr")]
    error: Option<String>,
}

#[derive(Deserialize)]
struct Info {
    bricks: Option<Bricks>,
}

#[derive(Deserialize)]
struct Bricks {
    #[serde(rename = "brick", default)]
    all: Vec<BrickOutput>,
}

#[derive(Deserialize)]
struct BrickOutput {
    name: Option<String>,
    status: Option<String>,
    #[serde(rename = "totalNumberOfEntries")]
    entries: Option<String>,
    #[serde(rename = "numberOfEntriesInSplitBrain")]
    split_brain: Option<String>,
}

impl HealSummary {
    /// What the command wrote with `--xml`.
    ///
    /// # Errors
    /// It is no summary: one sentence. Nothing at all is one of these, and is no health.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err(
                "gluster wrote nothing, though it ended well: a file name that XML cannot hold does that"
                    .into(),
            );
        }
        let output: Output = quick_xml::de::from_str(text).map_err(|_| {
            let said = one_line(text);
            format!("gluster wrote no XML but: {said}")
        })?;
        if output.ret.as_deref().is_some_and(|ret| ret.trim() != "0") {
            return Err(one_line(output.error.as_deref().unwrap_or("gluster failed")));
        }
        let Some(bricks) = output.info.and_then(|info| info.bricks) else {
            return Err("gluster wrote no summary".into());
        };
        // A dash stands for a number that is not known.
        let number = |text: Option<String>| text?.trim().parse().ok();
        let brick = |brick: BrickOutput| BrickSummary {
            name: one_line(&brick.name.unwrap_or_default()).into(),
            connected: brick.status.is_some_and(|status| status.trim() == "Connected"),
            split_brain: number(brick.split_brain),
            entries: number(brick.entries),
        };
        Ok(Self { bricks: bricks.all.into_iter().map(brick).collect() })
    }

    /// Entries in split-brain; `None`: not known, as a brick is away.
    pub fn split_brain(&self) -> Option<u64> {
        let all = || self.bricks.iter();
        let most = all().filter_map(|brick| brick.split_brain).max().unwrap_or(0);
        // Some that are seen are there, whatever is not seen.
        let whole = !self.bricks.is_empty() && all().all(|b| b.connected && b.split_brain.is_some());
        (whole || most > 0).then_some(most)
    }
}

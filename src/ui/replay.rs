//! The recording that is looked at instead of a cluster.

use std::sync::Arc;

use jiff::Timestamp;

use super::command::{self, Command};
use crate::cluster::Snapshot;

/// A recording on the screen, and the moment of it.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What is replayed, such as the file's name.
    pub name: String,
    /// Its first moment.
    pub from: Timestamp,
    /// Its last one.
    pub until: Timestamp,
    /// The moment that others are compared with.
    pub marked: Option<Arc<Snapshot>>,
}

/// Where in a recording one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// So many recorded moments on, or back.
    Moments(i64),
    /// So many seconds on, or back.
    Seconds(i64),
    /// To this moment.
    To(Timestamp),
}

/// Why nothing is changed while a recording is shown.
pub const RECORDED: &str = "this is a recording: nothing can be changed";

/// Why a command cannot do anything while a recording is shown, in one sentence; `None`: it can.
pub fn bars(command: Command) -> Option<&'static str> {
    use Command::{CloseForward, Context, Describe, Exec, Forward, Forwards, Logs, Namespace, Yaml};
    match command {
        Logs => Some("this is a recording: logs are not in it"),
        Describe | Yaml => Some("this is a recording: whole objects are not in it"),
        Exec => Some("this is a recording: no shell can be opened in its pods"),
        Forward | Forwards | CloseForward => {
            Some("this is a recording: no port can be forwarded to its pods")
        }
        Context | Namespace => Some("this is a recording: leave it to look at a cluster"),
        other => command::of(other).acts.then_some(RECORDED),
    }
}

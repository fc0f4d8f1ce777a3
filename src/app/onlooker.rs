//! Somebody who looks over the operator's shoulder: a drill, which tells afterwards what was to be seen when.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::Msg;
use crate::cluster::Snapshot;

/// Is told what the cockpit observes and what the operator looks at. Nothing here may wait: the cockpit does not go on
/// meanwhile.
pub trait Onlooker: fmt::Debug + Send + Sync {
    /// The cockpit is open, and can be told something.
    fn opened(&self, tell: mpsc::Sender<Msg>);
    /// This was observed.
    fn observed(&self, seen: &Arc<Snapshot>);
    /// This is on the screen, line by line.
    fn drew(&self, screen: &str, now: Timestamp);
    /// The operator asks for a hint.
    fn asked(&self);
    /// The operator put this text on the clipboard.
    fn copied(&self, text: &str);
}

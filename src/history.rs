//! What has changed, and when: the events between snapshots, the timeline they make, and the report of an incident. Pure.
//!
//! [`changes()`] compares two snapshots that followed one another; recordings keep what it finds. [`lanes()`] puts events on
//! one axis for the screen, [`Report`] tells them to people and programs. Runs and campaigns are told by their journals
//! ([`of_runs()`]), which date their entries themselves.

mod changes;
mod downtime;
mod event;
mod lanes;
mod report;
mod runs;
mod state;
mod time;

pub use changes::changes;
pub use downtime::{Downtime, downtime};
pub use event::{Happened, Kind, Turn};
pub use lanes::{By, Lane, LaneOf, Span, lanes};
pub use report::{Report, span};
pub use runs::of_runs;
pub use state::{Difference, State, differences};
pub use time::moment_of;

//! Recordings: the snapshots of a cluster in a file, small, and read again at any moment of it.
//!
//! A file is a head and blocks. A block is a whole snapshot, or what changed in about a minute ([`crate::cluster::Delta`],
//! in the serde format of `postcard`, compressed with zstd); beside it stand the moments it holds and what happened in
//! them, so that a timeline is read without the snapshots. Each block has the sum of its bytes: a recording that was cut
//! off is read up to the cut. [`Recorder`] writes, [`Recording`] reads, [`Keeper`] keeps the last hours in a folder.
//!
//! What is never in a recording: Secrets, log texts, values of environment variables and of statements.

mod block;
mod keeper;
mod reader;
mod writer;

pub use block::Head;
pub use keeper::{Keeper, folder, kept, open_kept};
pub use reader::{Recording, is_recording, open_regular};
pub use writer::Recorder;

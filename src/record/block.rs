//! The bytes of a recording: its head, and the head of each block. Nothing here reads or writes a file.
//!
//! ```text
//! file    "wheelhouse rec\n"  format u16  length u32  sum u32   head, JSON
//! block   "blok"  kind u8  moments u16  first i64  last i64  index u32  state u32  sum of both u32   sum of this u32
//!         index, zstd: the moments and what happened in them
//!         state, zstd: one difference after another
//! ```
//!
//! Numbers are little-endian, moments are milliseconds since 1970.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::Happened;

/// The format that is written, and the newest that is read. What snapshots hold is part of it: fields are put in their order.
/// `tests/recordings` has a file of each format that is read.
pub(super) const FORMAT: u16 = 3;
/// The oldest that is read: those before were written by no release.
pub(super) const OLDEST: u16 = 2;
/// How a recording begins.
pub(super) const MAGIC: &[u8; 15] = b"wheelhouse rec\n";
/// What follows it before the head: format, length, sum.
pub(super) const PREFIX: usize = MAGIC.len() + 2 + 4 + 4;
/// How a block begins.
const BLOCK: &[u8; 4] = b"blok";
/// The length of the head of a block.
pub(super) const BLOCK_HEAD: usize = 4 + 1 + 2 + 8 + 8 + 4 + 4 + 4 + 4;

/// What a recording says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the program that wrote it.
    pub program: String,
    /// The kubeconfig context.
    pub context: String,
    /// The API server's address.
    pub server: String,
    /// Who recorded it: `alice@bastion`.
    pub operator: String,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A whole snapshot.
    Whole,
    /// What changed since the block before.
    Change,
}

/// The head of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHead {
    pub(super) of: Of,
    pub(super) moments: u16,
    /// Milliseconds since 1970.
    pub(super) first: i64,
    pub(super) last: i64,
    /// Lengths in bytes.
    pub(super) index: u32,
    pub(super) state: u32,
    pub(super) sum: u32,
}

/// What a block says beside its snapshots.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    /// Milliseconds since 1970.
    pub(super) moments: Vec<i64>,
    pub(super) events: Vec<Happened>,
}

impl BlockHead {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(BLOCK_HEAD);
        all.extend(BLOCK);
        all.push(match self.of {
            Of::Whole => 0,
            Of::Change => 1,
        });
        all.extend(self.moments.to_le_bytes());
        all.extend(self.first.to_le_bytes());
        all.extend(self.last.to_le_bytes());
        all.extend(self.index.to_le_bytes());
        all.extend(self.state.to_le_bytes());
        all.extend(self.sum.to_le_bytes());
        all.extend(crc32fast::hash(&all).to_le_bytes());
        all
    }

    /// `None`: these bytes are no head of a block.
    pub(super) fn read(bytes: &[u8; BLOCK_HEAD]) -> Option<Self> {
        let (told, sum) = bytes.split_at(BLOCK_HEAD - 4);
        if !told.starts_with(BLOCK) || sum != crc32fast::hash(told).to_le_bytes() {
            return None;
        }
        let mut rest = &told[BLOCK.len()..];
        let of = match take::<1>(&mut rest)? {
            [0] => Of::Whole,
            [1] => Of::Change,
            _ => return None,
        };
        Some(Self {
            of,
            moments: u16::from_le_bytes(take(&mut rest)?),
            first: i64::from_le_bytes(take(&mut rest)?),
            last: i64::from_le_bytes(take(&mut rest)?),
            index: u32::from_le_bytes(take(&mut rest)?),
            state: u32::from_le_bytes(take(&mut rest)?),
            sum: u32::from_le_bytes(take(&mut rest)?),
        })
    }

    /// The bytes that follow it.
    pub(super) fn length(&self) -> u64 {
        u64::from(self.index) + u64::from(self.state)
    }
}

/// The next bytes.
pub(super) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*first)
}

/// A moment as it is written.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// And back.
pub(super) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How a moment is told.
pub(super) fn told(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_block_is_read_as_it_was_written_and_a_damaged_one_is_none() {
        let head = BlockHead { of: Of::Change, moments: 6, first: 5, last: -7, index: 1, state: 2, sum: 3 };
        let bytes: [u8; BLOCK_HEAD] = head.bytes().try_into().expect("its length");
        assert_eq!(BlockHead::read(&bytes), Some(head));
        for at in 0..BLOCK_HEAD {
            let mut other = bytes;
            other[at] ^= 0x10;
            assert_eq!(BlockHead::read(&other), None, "byte {at}");
        }
    }
}

//! Replies in protobuf: lists, cut into their objects, and refusals.

use std::ops::Range;

use kube::core::Status;
use serde::Deserialize;

use super::{
    Raw, Reader, field, find,
    schema::{self, LIST_META},
    text, varint,
};
use crate::live::piece::{LONGEST, PageMeta, Piece};

/// What each reply begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Cuts a list into its parts, from chunks that end anywhere.
#[derive(Default)]
pub(in crate::live) struct MessageCutter {
    buffer: Vec<u8>,
    /// What comes before has been taken.
    start: usize,
    place: Within,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    /// Before all.
    #[default]
    Start,
    /// In the envelope, before the list.
    Envelope,
    /// In the list; so many bytes of it have not been taken.
    List(u64),
    /// Behind it.
    End,
}

impl MessageCutter {
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The whole list has been cut.
    pub fn is_whole(&self) -> bool {
        self.place == Within::End
    }

    /// The next part; `None`: more has to come. The error says what is wrong with the bytes.
    pub fn next(&mut self) -> Result<Option<Piece<'_>>, String> {
        if self.buffer.len() - self.start > LONGEST {
            return Err("one of its values has no end".into());
        }
        loop {
            match self.place {
                Within::Start => {
                    let bytes = &self.buffer[self.start..];
                    let length = bytes.len().min(MAGIC.len());
                    if bytes[..length] != MAGIC[..length] {
                        return Err("it does not begin as protobuf of Kubernetes does".into());
                    }
                    if length < MAGIC.len() {
                        return Ok(None);
                    }
                    self.start += length;
                    self.place = Within::Envelope;
                }
                Within::Envelope => {
                    // The list is longer than what has come: only its length is read.
                    let mut bytes = &self.buffer[self.start..];
                    let length = match varint(&mut bytes).map_err(|e| e.to_string())? {
                        Some(RAW) => varint(&mut bytes).map_err(|e| e.to_string())?,
                        Some(_) => {
                            let Some((_, value)) = self.field()? else { return Ok(None) };
                            self.start = value.end;
                            continue;
                        }
                        None => None,
                    };
                    let Some(length) = length else { return Ok(None) };
                    self.start = self.buffer.len() - bytes.len();
                    self.place = Within::List(length);
                }
                Within::List(0) => self.place = Within::End,
                Within::List(left) => {
                    let Some((number, value)) = self.field()? else { return Ok(None) };
                    let taken = (value.end - self.start) as u64;
                    let left = left.checked_sub(taken).ok_or("an object reaches beyond its end")?;
                    (self.start, self.place) = (value.end, Within::List(left));
                    match number {
                        1 => {
                            let meta = PageMeta::deserialize(Reader::new(&self.buffer[value], &LIST_META));
                            return meta
                                .map(|meta| Some(Piece::Meta(meta)))
                                .map_err(|e| format!("metadata: {e}"));
                        }
                        2 => return Ok(Some(Piece::Item(&self.buffer[value]))),
                        _ => {}
                    }
                }
                Within::End => return Ok(None),
            }
        }
    }

    /// The field that comes next, once it is whole: its number, and where its bytes are, up to the end of it.
    fn field(&self) -> Result<Option<(u64, Range<usize>)>, String> {
        let mut rest = &self.buffer[self.start..];
        let Some((number, raw)) = field(&mut rest).map_err(|e| e.to_string())? else { return Ok(None) };
        let end = self.buffer.len() - rest.len();
        let length = if let Raw::Bytes(bytes) = raw { bytes.len() } else { 0 };
        Ok(Some((number, end - length..end)))
    }
}

/// Field 2 of the envelope, which is bytes.
const RAW: u64 = 2 << 3 | 2;

/// A refusal.
pub(in crate::live) fn status(reply: &[u8]) -> Option<Status> {
    let raw = text(find(reply.strip_prefix(MAGIC)?, 2).ok()?).ok()?;
    Status::deserialize(Reader::new(raw, &schema::STATUS)).ok()
}

//! What a list consists of, in whatever encoding it comes.

use serde::Deserialize;

/// A value longer than this is not an object: etcd takes 1.5 MB.
pub(super) const LONGEST: usize = 32 << 20;

/// What a list says of itself.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PageMeta {
    pub resource_version: Option<String>,
    pub r#continue: Option<String>,
    /// Objects on the pages after this one.
    pub remaining_item_count: Option<u64>,
}

/// A part of a list's reply.
pub(super) enum Piece<'a> {
    /// Its `metadata`. A real server sends it before the objects.
    Meta(PageMeta),
    /// One of its `items`.
    Item(&'a [u8]),
}

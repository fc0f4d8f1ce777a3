//! Whole lists as they come: the pages of a kind that is followed, and the kinds that can only be polled (measurements).
//!
//! Lists are asked for compressed, which the server does for them and never for a watch: one tenth of the bytes. Those of the
//! kinds that are many are asked for in [`protobuf`](super::protobuf): a real server has ten thousand pods written out in a
//! quarter of the time that their JSON takes. Nothing of a reply is kept longer than it takes to read one object of it.

use std::{
    borrow::Cow,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use memchr::memchr2;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    convert::{First, Interner, Kind, Object, Unreadable},
    piece::{LONGEST, PageMeta, Piece},
    protobuf::MessageCutter,
    read::{self, Chunks, Fault},
    subject::Subject,
};
use crate::{cluster::Seen, wire};

/// What is not installed, or not allowed, does not come within seconds.
const ABSENT_RETRY: Duration = Duration::from_secs(30);
const CUT_RETRY: Duration = Duration::from_secs(1);
/// So much of a reply is looked at together, where it is there already.
const TOGETHER: usize = 128 << 10;

/// Cuts the JSON of a list into its parts, from chunks that end anywhere.
#[derive(Default)]
pub(super) struct JsonCutter {
    buffer: Vec<u8>,
    /// What comes before has been taken.
    start: usize,
    /// How far the value at `start` has been looked through, and where that is.
    at: usize,
    inside: Inside,
    depth: u32,
    place: Within,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Nothing,
    Nested,
    Text,
    /// Behind a backslash in a text.
    Escape,
    Scalar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Start,
    Key,
    Colon(Member),
    Value(Member),
    Items,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Meta,
    Items,
    Other,
}

impl JsonCutter {
    fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The whole list has been cut.
    fn is_whole(&self) -> bool {
        self.place == Within::End
    }

    /// The next part; `None`: more has to come. The error says what is wrong with the text.
    fn next(&mut self) -> Result<Option<Piece<'_>>, String> {
        if self.buffer.len() - self.start > LONGEST {
            return Err("one of its values has no end".into());
        }
        loop {
            let Some(byte) = self.peek() else { return Ok(None) };
            match (self.place, byte) {
                (Within::Start, b'{') => self.take(Within::Key),
                (Within::Key, b'}') => self.take(Within::End),
                (Within::Key, b',') => self.take(Within::Key),
                (Within::Key, b'"') => {
                    let Some(key) = self.value() else { return Ok(None) };
                    self.place = Within::Colon(match &self.buffer[key] {
                        b"\"metadata\"" => Member::Meta,
                        b"\"items\"" => Member::Items,
                        _ => Member::Other,
                    });
                }
                (Within::Colon(field), b':') => self.take(Within::Value(field)),
                (Within::Value(Member::Items), b'[') => self.take(Within::Items),
                (Within::Value(field), _) => {
                    let Some(value) = self.value() else { return Ok(None) };
                    self.place = Within::Key;
                    if field == Member::Meta {
                        let meta = serde_json::from_slice::<Option<PageMeta>>(&self.buffer[value]);
                        let meta = meta.map_err(|e| format!("metadata: {e}"))?.unwrap_or_default();
                        return Ok(Some(Piece::Meta(meta)));
                    }
                }
                (Within::Items, b']') => self.take(Within::Key),
                (Within::Items, b',') => self.take(Within::Items),
                (Within::Items, _) => {
                    let Some(value) = self.value() else { return Ok(None) };
                    return Ok(Some(Piece::Item(&self.buffer[value])));
                }
                (Within::End, _) => return Ok(None),
                (_, other) => return Err(format!("`{}` is not expected there", char::from(other))),
            }
        }
    }

    /// Has an object read that begins here, if one does.
    fn first<K, V>(&mut self, read: impl FnOnce(&[u8]) -> First<K, V>) -> Quick<K, V> {
        if self.place != Within::Items || self.inside != Inside::Nothing {
            return Quick::No;
        }
        while let Some(b',') = self.peek() {
            self.take(Within::Items);
        }
        let bytes = &self.buffer[self.start..];
        if bytes.first() != Some(&b'{') || bytes.len() > LONGEST {
            return Quick::No;
        }
        match read(bytes) {
            First::Object(object, length) => {
                self.start += length;
                self.at = self.start;
                Quick::Object(object)
            }
            First::Short => Quick::Short,
            First::Odd => Quick::No,
        }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let blank = self.buffer[self.start..].iter().position(|b| !b.is_ascii_whitespace());
        self.start = blank.map_or(self.buffer.len(), |n| self.start + n);
        self.at = self.at.max(self.start);
        self.buffer.get(self.start).copied()
    }

    fn take(&mut self, place: Within) {
        self.start += 1;
        self.at = self.start;
        self.place = place;
    }

    /// The value that begins at `start`, once it is whole.
    fn value(&mut self) -> Option<Range<usize>> {
        let bytes = &self.buffer;
        let end = loop {
            let byte = *bytes.get(self.at)?;
            match self.inside {
                Inside::Text => match memchr2(b'"', b'\\', &bytes[self.at..]) {
                    None => self.at = bytes.len(),
                    Some(n) => {
                        self.at += n + 1;
                        if bytes[self.at - 1] == b'\\' {
                            self.inside = Inside::Escape;
                        } else if self.depth == 0 {
                            break self.at;
                        } else {
                            self.inside = Inside::Nested;
                        }
                    }
                },
                Inside::Scalar if matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace() => {
                    break self.at;
                }
                Inside::Escape => (self.inside, self.at) = (Inside::Text, self.at + 1),
                Inside::Nothing | Inside::Nested => {
                    self.at += 1;
                    match byte {
                        b'"' => self.inside = Inside::Text,
                        b'{' | b'[' => (self.inside, self.depth) = (Inside::Nested, self.depth + 1),
                        b'}' | b']' if self.depth == 1 => break self.at,
                        b'}' | b']' if self.depth > 1 => self.depth -= 1,
                        _ if self.inside == Inside::Nothing => self.inside = Inside::Scalar,
                        _ => {}
                    }
                }
                Inside::Scalar => self.at += 1,
            }
        };
        let value = self.start..end;
        (self.start, self.at, self.inside, self.depth) = (end, end, Inside::Nothing, 0);
        Some(value)
    }
}

/// What is found where an object may begin.
enum Quick<K, V> {
    Object(Result<Object<K, V>, Unreadable>),
    /// More has to come.
    Short,
    /// Something else.
    No,
}

/// Cuts a list of either encoding.
pub(super) enum ListCutter {
    Json(JsonCutter),
    Protobuf(MessageCutter),
}

impl ListCutter {
    pub fn of(protobuf: bool) -> Self {
        match protobuf {
            true => Self::Protobuf(MessageCutter::default()),
            false => Self::Json(JsonCutter::default()),
        }
    }

    pub fn push(&mut self, chunk: &[u8]) {
        match self {
            Self::Json(cutter) => cutter.push(chunk),
            Self::Protobuf(cutter) => cutter.push(chunk),
        }
    }

    pub fn is_whole(&self) -> bool {
        match self {
            Self::Json(cutter) => cutter.is_whole(),
            Self::Protobuf(cutter) => cutter.is_whole(),
        }
    }
}

/// A list's reply, part by part, as it comes.
pub(super) struct Parts {
    chunks: Chunks,
    cutter: ListCutter,
    /// How it ended behind the last chunk.
    end: Option<Result<(), Fault>>,
    plural: &'static str,
}

impl Parts {
    /// Asks for a list. Its head must come within the deadline for reads.
    ///
    /// # Errors
    /// The list cannot be read, and why.
    pub async fn open<K: Kind>(wire: &wire::Wire, path: &str) -> Result<Self, Fault> {
        let (chunks, is_protobuf) = read::list(wire, path, K::READ_MESSAGE.is_some()).await?;
        Ok(Self { chunks, cutter: ListCutter::of(is_protobuf), end: None, plural: K::RESOURCE.plural })
    }

    /// Waits for more; false: that was all.
    ///
    /// # Errors
    /// The list breaks off, and why.
    pub async fn more(&mut self) -> Result<bool, Fault> {
        if self.cutter.is_whole() {
            return Ok(false);
        }
        let next = match self.end.take() {
            Some(end) => end.map(|()| None),
            None => self.chunks.next().await,
        };
        match next? {
            Some(chunk) => self.cutter.push(&chunk),
            None => {
                return Err(Fault::transport(format!("the list of {} broke off on its way", self.plural)));
            }
        }
        // What is there already is looked at together: an object of which the end is missing is read twice.
        let mut more = 0;
        while more < TOGETHER {
            match self.chunks.next().now_or_never() {
                Some(Ok(Some(chunk))) => {
                    more += chunk.len();
                    self.cutter.push(&chunk);
                }
                Some(end) => {
                    self.end = Some(end.map(drop));
                    break;
                }
                None => break,
            }
        }
        Ok(true)
    }
}

/// What has been read of a list.
pub(super) struct Read<K: Kind> {
    pub all: Vec<(K::Key, K::Value)>,
    pub odd: Vec<Unreadable>,
}

impl<K: Kind> Default for Read<K> {
    fn default() -> Self {
        Self { all: Vec::new(), odd: Vec::new() }
    }
}

impl<K: Kind> FromIterator<Self> for Read<K> {
    fn from_iter<I: IntoIterator<Item = Self>>(pages: I) -> Self {
        let mut all = Self::default();
        for page in pages {
            all.all.extend(page.all);
            all.odd.extend(page.odd);
        }
        all
    }
}

impl<K: Kind> Read<K> {
    /// Takes one object in.
    fn take(&mut self, item: &[u8], interner: &mut Interner) {
        // Quicker than the lossy reading where nothing is lost.
        let text = match std::str::from_utf8(item) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(item),
        };
        self.add(K::read(&text, interner));
    }

    /// Takes in all that has come.
    pub fn take_all(
        &mut self,
        cutter: &mut ListCutter,
        interner: &mut Interner,
        head: impl Fn(PageMeta),
    ) -> Result<(), String> {
        match cutter {
            ListCutter::Json(cutter) => self.take_json(cutter, interner, head),
            ListCutter::Protobuf(cutter) => {
                let read = K::READ_MESSAGE.ok_or("it came in protobuf, which was not asked for")?;
                while let Some(part) = cutter.next()? {
                    match part {
                        Piece::Item(item) => self.add(read(item, interner)),
                        Piece::Meta(meta) => head(meta),
                    }
                }
                Ok(())
            }
        }
    }

    fn take_json(
        &mut self,
        cutter: &mut JsonCutter,
        interner: &mut Interner,
        head: impl Fn(PageMeta),
    ) -> Result<(), String> {
        loop {
            match cutter.first(|bytes| K::read_first(bytes, interner)) {
                Quick::Object(object) => self.add(object),
                Quick::Short => return Ok(()),
                Quick::No => match cutter.next()? {
                    Some(Piece::Item(item)) => self.take(item, interner),
                    Some(Piece::Meta(meta)) => head(meta),
                    None => return Ok(()),
                },
            }
        }
    }

    /// How many objects these are.
    fn len(&self) -> u64 {
        (self.all.len() + self.odd.len()) as u64
    }

    fn add(&mut self, object: Result<Object<K::Key, K::Value>, Unreadable>) {
        match object {
            Ok(object) => self.all.push((object.key, object.value)),
            Err(unreadable) => self.odd.push(unreadable),
        }
    }

    /// All of it, complete at this moment.
    pub fn seen(self, at: jiff::Timestamp) -> Seen<K::Key, K::Value> {
        let odd = self.odd.into_iter().map(|u| (K::key(&u.namespace, &u.name), u.why.into()));
        Seen::AllBut(self.all, odd.collect(), at)
    }
}

/// All of a list, on one page.
pub(super) async fn whole<K: Kind>(
    wire: &wire::Wire,
    path: &str,
    interner: &mut Interner,
) -> Result<Read<K>, Fault> {
    page(wire, path, interner, &AtomicU64::new(0), drop).await
}

/// One page of a list. What it says of the list is told as soon as it has come, and its objects are counted.
pub(super) async fn page<K: Kind>(
    wire: &wire::Wire,
    path: &str,
    interner: &mut Interner,
    count: &AtomicU64,
    head: impl Fn(PageMeta),
) -> Result<Read<K>, Fault> {
    let mut read = Read::default();
    let mut parts = Parts::open::<K>(wire, path).await?;
    loop {
        let before = read.len();
        read.take_all(&mut parts.cutter, interner, &head).map_err(|why| {
            Fault::transport(format!("the list of {} is not understood: {why}", parts.plural))
        })?;
        count.fetch_add(read.len() - before, Ordering::Relaxed);
        if !parts.more().await? {
            return Ok(read);
        }
    }
}

/// Polls a kind that cannot be watched (measurements), until nobody listens any more. Not before the first lists have
/// been read, or are known not to come: measurements are of no use without them, and on a slow line they are in the way.
pub(super) async fn poll<K: Kind, T: Send + 'static>(
    subject: Subject,
    every: Duration,
    mut lists: watch::Receiver<()>,
    tell: mpsc::Sender<T>,
    wrap: fn(Seen<K::Key, K::Value>) -> T,
) {
    let mut interner = subject.interner.clone();
    let path = K::RESOURCE.path(subject.namespace.as_deref());
    let mut lost: Option<Arc<str>> = None;
    while lists.changed().await.is_ok() {}
    loop {
        let outcome =
            tokio::time::timeout(wire::READ_WITHIN, whole::<K>(&subject.wire, &path, &mut interner)).await;
        let now = subject.clock.now();
        let (seen, delay) = match outcome.unwrap_or_else(|_| Err(Fault::silent())) {
            Ok(read) => {
                subject.clock.heard();
                lost = None;
                (Some(read.seen(now)), every)
            }
            Err(fault) => {
                let verdict = subject.verdict(&fault).await;
                let group = K::RESOURCE.group;
                let why: Arc<str> = match (verdict, fault.code) {
                    (Some(why), _) => why,
                    (None, 404) => format!("{group} is not installed").into(),
                    (None, 503) => format!("{group} is not installed or does not answer").into(),
                    (None, 403) => {
                        let scope = match subject.namespace.as_ref().filter(|_| K::RESOURCE.namespaced) {
                            Some(namespace) => format!("in namespace {namespace}"),
                            None => "at cluster scope".to_owned(),
                        };
                        format!("needs list on {} {scope}", K::RESOURCE.rule()).into()
                    }
                    (None, _) => fault.why.into(),
                };
                let (news, first) = (lost.as_ref() != Some(&why), lost.is_none());
                lost = Some(why.clone());
                (
                    news.then_some(Seen::Lost(
                        if fault.code == 0 { subject.clock.answered() } else { now },
                        why,
                    )),
                    match fault.code {
                        // A connection that was cut says nothing about the next one.
                        0 if first => every.min(CUT_RETRY),
                        0 => every,
                        _ => every.max(ABSENT_RETRY),
                    },
                )
            }
        };
        if let Some(seen) = seen
            && tell.send(wrap(seen)).await.is_err()
        {
            return;
        }
        let mut link = subject.link.clone();
        let mut due = std::pin::pin!(sleep(delay));
        loop {
            let down = link.borrow_and_update().down().cloned();
            let away = down.is_some();
            if let Some(why) = down
                && lost.as_ref() != Some(&why)
            {
                lost = Some(why.clone());
                if tell.send(wrap(Seen::Lost(subject.clock.answered(), why))).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = &mut due, if !away => break,
                changed = link.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if away && link.borrow().down().is_none() {
                        break;
                    }
                }
                () = tell.closed() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::convert::Pods;

    /// The parts of a text that comes in chunks of this size.
    fn cut(text: &str, size: usize) -> Result<(Option<String>, Vec<String>, bool), String> {
        let mut cutter = JsonCutter::default();
        let (mut version, mut items) = (None, Vec::new());
        for chunk in text.as_bytes().chunks(size) {
            cutter.push(chunk);
            while let Some(piece) = cutter.next()? {
                match piece {
                    Piece::Meta(meta) => version = meta.resource_version,
                    Piece::Item(item) => items.push(String::from_utf8_lossy(item).into_owned()),
                }
            }
        }
        Ok((version, items, cutter.is_whole()))
    }

    #[test]
    fn a_list_is_cut_wherever_its_chunks_end() {
        let items = [r#"{"a":"}]\\\"{","b":[1,{"c":null}]}"#, "null", "-5", r#""x,]""#, "[]", "{}"];
        let text = format!(
            " {{ \"kind\" : \"List\",\"n\":[{{}}],\"metadata\":{{\"resourceVersion\":\"7\"}}, \"items\" : [ {} ] ,\"more\":1}} \n",
            items.join(" , ")
        );
        for size in 1..text.len() {
            let (version, found, whole) = cut(&text, size).expect("it is a list");
            assert_eq!((version.as_deref(), whole), (Some("7"), true), "in chunks of {size}");
            assert_eq!(found, items, "in chunks of {size}");
        }
        for size in [1, 7, 1000] {
            let late = r#"{"items":[{"a":1}],"metadata":{"resourceVersion":"8"}}"#;
            let found = cut(late, size);
            assert_eq!(found, Ok((Some("8".into()), vec![r#"{"a":1}"#.into()], true)));
            let none = cut(r#"{"metadata":null,"items":null}"#, size);
            assert_eq!(none, Ok((None, vec![], true)));
        }
    }

    #[test]
    fn what_is_no_list_or_no_whole_one_is_not_taken_for_one() {
        for text in ["<html>", "[1]", "{]", r#"{"items" 5}"#, r#"{5:1}"#] {
            assert!(cut(text, 3).is_err(), "{text}");
        }
        for text in ["", "{", r#"{"items":[{"a":1},{"b""#, r#"{"items":[1]"#] {
            let (_, _, whole) = cut(text, 2).expect("as far as it goes");
            assert!(!whole, "{text}");
        }
    }

    #[test]
    fn objects_are_read_wherever_their_chunks_end_and_one_that_is_odd_costs_no_other() {
        let pod = |name: &str, more: &str| {
            format!(
                r#"{{"metadata":{{"namespace":"shop","name":"{name}","creationTimestamp":"2026-01-01T00:00:00Z"}}{more}}}"#
            )
        };
        let odd = [
            pod("b", r#","spec":{"priority":"high"}"#),
            pod("c", r#","spec":{"containers":[{"name":"x","resources":{"limits":{"cpu":"much"}}}]}"#),
            pod("d", r#","spec":{"nodeName" "w1"}"#),
        ];
        let items = [pod("a", ""), odd.join(","), pod("e", r#","status":{"phase":"Running"}"#)].join(" , ");
        let text = format!(r#"{{"metadata":{{"resourceVersion":"7"}},"items":[{items}]}}"#);
        let mut bytes = text.into_bytes();
        // Not all that is sent is text.
        let at = bytes.windows(7).position(|w| w == b"Running").expect("it is there");
        bytes[at + 6] = 0xff;
        for size in 1..bytes.len() {
            let (mut cutter, mut interner) = (JsonCutter::default(), Interner::default());
            let (mut read, version) = (Read::<Pods>::default(), std::cell::RefCell::default());
            for chunk in bytes.chunks(size) {
                cutter.push(chunk);
                let head = |meta: PageMeta| *version.borrow_mut() = meta.resource_version;
                read.take_json(&mut cutter, &mut interner, head).expect("it is a list");
            }
            let names: Vec<_> = read.all.iter().map(|(key, _)| &*key.name).collect();
            let odd: Vec<_> = read.odd.iter().map(|o| (&*o.name, o.why.as_str())).collect();
            assert_eq!(
                (names, version.take().as_deref()),
                (vec!["a", "e"], Some("7")),
                "in chunks of {size}"
            );
            assert!(
                matches!(&odd[..], [("b", b), ("c", c), (_, d)]
                    if b.contains("string") && c.contains("much") && d.contains("expected `:`")),
                "in chunks of {size}: {odd:?}"
            );
            assert!(cutter.is_whole());
        }
    }
}

//! Reading a recording: any moment of it as the snapshot that was seen then.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::block::{
    BLOCK_HEAD, BlockHead, FORMAT, Head, Index, MAGIC, OLDEST, Of, PREFIX, moment, take, told,
};
use crate::{
    cluster::{Delta, Restoring, Snapshot, TenantName, Use},
    history::Happened,
};

/// What a block may unpack to at most: more is no recording.
const MOST: u64 = 1 << 30;
/// What a snapshot remembers of measurements is looked at this often at least.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(40);

/// A block, and where it is.
struct Block {
    /// Which of the files.
    file: usize,
    /// Where its state begins.
    at: u64,
    head: BlockHead,
    /// Its first moment, among all.
    first: usize,
}

/// A recording, or several of one cluster that follow one another.
pub struct Recording {
    head: Head,
    files: Vec<(PathBuf, File)>,
    blocks: Vec<Block>,
    moments: Vec<Timestamp>,
    events: Arc<[Happened]>,
    gaps: Vec<String>,
    /// The moment that was looked at last, with what it takes to go on from there.
    now: Option<(usize, Restoring)>,
}

/// Opens a file to be read from where it lies: a pipe would be waited for, and a device read without end.
///
/// # Errors
/// One sentence: it cannot be read, or is no regular file.
pub fn open_regular(path: &Path) -> Result<File, String> {
    let name = path.display();
    let cannot = |error| format!("{name} cannot be read: {error}");
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(format!("{name} is no regular file: it is read from where it lies, give that file"));
    }
    File::open(path).map_err(cannot)
}

/// Whether a file begins as a recording does. Where it cannot be read it is none.
pub fn is_recording(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    let read = |mut file: File| file.read_exact(&mut begin).is_ok();
    open_regular(path).is_ok_and(read) && begin == *MAGIC
}

impl Recording {
    /// Opens recordings of one cluster, the earlier ones first.
    ///
    /// # Errors
    /// One sentence: there is no such file, it is no recording, it was written by a newer version, or nothing is in it.
    pub fn open(paths: &[PathBuf]) -> Result<Self, String> {
        let mut all = Self {
            head: Head::default(),
            files: Vec::new(),
            blocks: Vec::new(),
            moments: Vec::new(),
            events: Arc::default(),
            gaps: Vec::new(),
            now: None,
        };
        let mut events = Vec::new();
        for path in paths {
            all.read(path, &mut events)?;
        }
        if all.moments.is_empty() {
            let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            let nothing = match names.is_empty() {
                true => "no recording is named".to_owned(),
                false => format!("nothing is recorded in {}", names.join(", ")),
            };
            return Err(all.gaps.into_iter().next().unwrap_or(nothing));
        }
        events.sort_by_key(|event: &Happened| event.time);
        all.events = events.into();
        Ok(all)
    }

    /// What it says of itself; of several, the last.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Every recorded moment, in order. There is at least one.
    pub fn moments(&self) -> &[Timestamp] {
        &self.moments
    }

    /// Its first moment, and its last.
    pub fn ends(&self) -> (Timestamp, Timestamp) {
        let ends = self.moments.first().zip(self.moments.last());
        ends.map_or_else(Default::default, |(first, last)| (*first, *last))
    }

    /// What happened in it, in the order of time.
    pub fn events(&self) -> &Arc<[Happened]> {
        &self.events
    }

    /// What is missing in it, one sentence each: where it was cut off or is damaged.
    pub fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// The place of the last moment that is not after this one.
    ///
    /// # Errors
    /// One sentence: it lies before the first moment, or after the last.
    pub fn find(&self, at: Timestamp) -> Result<usize, String> {
        let (first, last) = self.ends();
        let outside = |what| {
            Err(format!(
                "{} is {what} the recording: it goes from {} to {}",
                told(at),
                told(first),
                told(last)
            ))
        };
        // To the second: nobody types less.
        if at.as_second() < first.as_second() {
            return outside("before");
        }
        if at.as_second() > last.as_second() {
            return outside("after");
        }
        let within = self.moments.partition_point(|moment| moment.as_second() <= at.as_second());
        Ok(within.saturating_sub(1))
    }

    /// What one serving container of each tenant used, in the order of time: the least and the most of each hour, as the
    /// snapshots remember it.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn uses(&mut self) -> Result<BTreeMap<TenantName, Vec<Use>>, String> {
        // What is remembered goes back two days, and ends with the process that remembers.
        let mut places: Vec<usize> = Vec::new();
        for pair in self.blocks.windows(2) {
            let place = pair[1].first.saturating_sub(1);
            let before = places.last().map_or(self.moments[0], |last| self.moments[*last]);
            if pair[0].file != pair[1].file || self.moments[place].duration_since(before) >= REMEMBERED {
                places.push(place);
            }
        }
        places.push(self.moments.len() - 1);
        let mut all: BTreeMap<TenantName, Vec<Use>> = BTreeMap::new();
        for place in places {
            let seen = self.at(place)?;
            for name in seen.tenants.keys() {
                let kept = all.entry(name.clone()).or_default();
                let last = kept.last().map(|one| one.at);
                kept.extend(seen.history.uses(name).filter(|one| last.is_none_or(|last| one.at > last)));
            }
        }
        Ok(all)
    }

    /// What was seen at a moment, by its place among [`Self::moments`]; one after the last is the last.
    ///
    /// # Errors
    /// One sentence: that part of the file is damaged.
    pub fn at(&mut self, place: usize) -> Result<Snapshot, String> {
        let place = place.min(self.moments.len().saturating_sub(1));
        let block = self.blocks.partition_point(|block| block.first <= place).saturating_sub(1);
        let whole = self.blocks[..=block].iter().rposition(|block| block.head.of == Of::Whole);
        let whole = whole
            .ok_or_else(|| format!("no whole snapshot is recorded before {}", told(self.moments[place])))?;
        let begins = self.blocks[whole].first;
        let (mut done, mut restoring) = match self.now.take() {
            Some((at, restoring)) if at >= begins && at <= place => (at + 1, restoring),
            _ => (begins, Restoring::default()),
        };
        let from =
            self.blocks.partition_point(|block| block.first <= done.min(place)).saturating_sub(1).max(whole);
        for block in from..=block {
            if done > place {
                break;
            }
            let first = self.blocks[block].first;
            for delta in self.deltas(block)?.into_iter().skip(done - first).take(place + 1 - done) {
                restoring.apply(delta)?;
                done += 1;
            }
        }
        let seen = restoring.snapshot();
        self.now = Some((place, restoring));
        Ok(seen)
    }

    /// Takes in one file.
    fn read(&mut self, path: &Path, events: &mut Vec<Happened>) -> Result<(), String> {
        let name = path.display();
        let file = open_regular(path)?;
        let length = file.metadata().map_or(0, |found| found.len());
        let none = || format!("{name} is no recording of wheelhouse: `wheelhouse record FILE` makes one");
        let cut = |last: Option<&Timestamp>, damaged: bool| {
            let what = if damaged { "is damaged" } else { "was cut off" };
            match last {
                Some(last) => format!("the recording {name} {what} after {}", told(*last)),
                None => format!("the recording {name} {what} before its first moment"),
            }
        };
        let mut magic = [0; MAGIC.len()];
        file.read_exact_at(&mut magic, 0).ok().filter(|()| magic == *MAGIC).ok_or_else(none)?;
        let mut rest = [0; PREFIX - MAGIC.len()];
        file.read_exact_at(&mut rest, MAGIC.len() as u64).map_err(|_| cut(None, false))?;
        let mut rest = rest.as_slice();
        let damaged = || cut(None, true);
        let format = u16::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        if format > FORMAT {
            return Err(format!(
                "{name} was recorded by a newer wheelhouse (format {format}, this one reads up to {FORMAT}): use that version"
            ));
        }
        if format < OLDEST {
            return Err(format!(
                "{name} was recorded by a wheelhouse before its first release (format {format}, this one reads from {OLDEST} on): record again"
            ));
        }
        let head_length = u32::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        let sum = u32::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        if head_length > 1 << 20 {
            return Err(damaged());
        }
        let mut head = vec![0; head_length as usize];
        file.read_exact_at(&mut head, PREFIX as u64).map_err(|_| cut(None, false))?;
        if crc32fast::hash(&head) != sum {
            return Err(damaged());
        }
        self.head = serde_json::from_slice(&head).map_err(|_| damaged())?;
        let mut at = PREFIX as u64 + u64::from(head_length);
        let (number, begun) = (self.files.len(), self.moments.len());
        while at < length {
            let mut bytes = [0; BLOCK_HEAD];
            if file.read_exact_at(&mut bytes, at).is_err() {
                self.gaps.push(cut(self.moments[begun..].last(), false));
                break;
            }
            let Some(head) = BlockHead::read(&bytes) else {
                self.gaps.push(cut(self.moments[begun..].last(), true));
                break;
            };
            let begins = at + BLOCK_HEAD as u64;
            if begins + head.length() > length {
                self.gaps.push(cut(self.moments[begun..].last(), false));
                break;
            }
            let mut payload = vec![0; head.length() as usize];
            let sound =
                file.read_exact_at(&mut payload, begins).is_ok() && crc32fast::hash(&payload) == head.sum;
            let index: Option<Index> = sound.then(|| unpacked(&payload[..head.index as usize])).flatten();
            let whole =
                |index: &Index| index.moments.len() == usize::from(head.moments) && index.moments.is_sorted();
            let Some(index) = index.filter(whole) else {
                self.gaps.push(cut(self.moments[begun..].last(), true));
                break;
            };
            // Several cockpits may have kept the same time: a moment is there once.
            let later = index
                .moments
                .first()
                .is_some_and(|first| self.moments[begun..].last().is_none_or(|last| moment(*first) > *last));
            if later {
                self.blocks.push(Block {
                    file: number,
                    at: begins + u64::from(head.index),
                    head,
                    first: self.moments.len(),
                });
                self.moments.extend(index.moments.into_iter().map(moment));
                events.extend(index.events);
            }
            at = begins + head.length();
        }
        self.files.push((path.to_owned(), file));
        Ok(())
    }

    /// The differences of a block.
    fn deltas(&self, block: usize) -> Result<Vec<Delta>, String> {
        let Block { file, at, head, .. } = &self.blocks[block];
        let (path, file) = &self.files[*file];
        let damaged = || {
            let (first, last) = (told(moment(head.first)), told(moment(head.last)));
            format!("the recording {} is damaged between {first} and {last}", path.display())
        };
        let mut bytes = vec![0; head.state as usize];
        file.read_exact_at(&mut bytes, *at).map_err(|_| damaged())?;
        let text = unzipped(&bytes).map_err(|_| damaged())?;
        let mut rest = text.as_slice();
        let mut all = Vec::with_capacity(head.moments.into());
        for _ in 0..head.moments {
            let (delta, more) = postcard::take_from_bytes(rest).map_err(|_| damaged())?;
            rest = more;
            all.push(delta);
        }
        Ok(all)
    }
}

fn unzipped(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    zstd::Decoder::new(bytes)?.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}

fn unpacked<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(&unzipped(bytes).ok()?).ok()
}

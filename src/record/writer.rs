//! Writing a recording.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use zstd::zstd_safe::CParameter;

use super::block::{BlockHead, FORMAT, Head, Index, MAGIC, Of, millis};
use crate::{
    cluster::{Delta, Snapshot},
    history::{Happened, changes},
};

/// Measurements are recorded this often: they are most of what changes.
const MEASURED_EVERY: SignedDuration = SignedDuration::from_secs(120);
/// A block holds what changed in this time.
const BLOCK: SignedDuration = SignedDuration::from_secs(120);
/// A whole snapshot is written this often: what must be read for any moment is bounded by it.
const WHOLE_EVERY: SignedDuration = SignedDuration::from_mins(16);
/// How hard zstd tries.
const LEVEL: i32 = 9;
/// The logarithms of how far back it looks, and of its tables: by itself it takes some 20 MB at that level.
const LOOKS_BACK: [CParameter; 3] =
    [CParameter::WindowLog(20), CParameter::ChainLog(17), CParameter::HashLog(18)];

/// A recording that is being written.
pub struct Recorder {
    file: File,
    path: PathBuf,
    /// So much of the file is whole blocks.
    length: u64,
    /// What was recorded last.
    last: Snapshot,
    /// When measurements were, and a whole snapshot.
    measured: Timestamp,
    whole: Timestamp,
    pending: Vec<Delta>,
    happened: Vec<Happened>,
    first: Option<Timestamp>,
    moments: u64,
}

impl Recorder {
    /// Begins a recording in a new file.
    ///
    /// # Errors
    /// One sentence: the file is there already, or cannot be written.
    pub fn create(path: &Path, head: &Head) -> Result<Self, String> {
        let begin = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            let head = serde_json::to_vec(head)?;
            let mut bytes = MAGIC.to_vec();
            bytes.extend(FORMAT.to_le_bytes());
            bytes.extend(u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend(crc32fast::hash(&head).to_le_bytes());
            bytes.extend(head);
            if let Err(error) = file.write_all(&bytes) {
                // A file without its beginning helps nobody.
                let _ = std::fs::remove_file(path);
                return Err(error);
            }
            Ok((file, bytes.len() as u64))
        };
        let (file, length) = begin().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{} is there already: name a new file for the recording", path.display())
            }
            _ => format!("the recording {} cannot be written: {error}", path.display()),
        })?;
        Ok(Self {
            file,
            path: path.to_owned(),
            length,
            last: Snapshot::default(),
            measured: Timestamp::MIN,
            whole: Timestamp::MIN,
            pending: Vec::new(),
            happened: Vec::new(),
            first: None,
            moments: 0,
        })
    }

    /// Records a snapshot, unless it is the one recorded last or nothing is in it yet.
    ///
    /// # Errors
    /// One sentence: the file cannot be written any more, such as on a full disk. What was written before can be read.
    pub fn take(&mut self, seen: &Snapshot) -> Result<(), String> {
        let begun = self.moments > 0;
        if !begun && !seen.is_ready()
            || begun && (seen.revision == self.last.revision || seen.at <= self.last.at)
        {
            return Ok(());
        }
        let since = |at: Timestamp| seen.at.duration_since(at);
        let whole = !begun || since(self.whole) >= WHOLE_EVERY;
        let measured = whole || since(self.measured) >= MEASURED_EVERY;
        let now = seen.recorded(&self.last, measured);
        if begun {
            self.happened.extend(changes(&self.last, &now));
        }
        if measured {
            self.measured = now.at;
        }
        if whole {
            self.flush(Of::Change)?;
            self.whole = now.at;
            self.pending.push(Delta::between(&Snapshot::default(), &now));
        } else {
            self.pending.push(Delta::between(&self.last, &now));
        }
        self.last = now;
        self.moments += 1;
        if whole {
            return self.flush(Of::Whole);
        }
        let first = *self.first.get_or_insert(self.last.at);
        if self.last.at.duration_since(first) >= BLOCK || self.pending.len() >= usize::from(u16::MAX) {
            self.flush(Of::Change)?;
        }
        Ok(())
    }

    /// Writes what is not written yet, and closes the file.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn close(mut self) -> Result<(), String> {
        self.flush(Of::Change)?;
        self.file.sync_all().map_err(|error| self.stopped(&error))
    }

    /// How many bytes and how many moments it holds so far.
    pub fn size(&self) -> (u64, u64) {
        (self.length, self.moments)
    }

    fn flush(&mut self, of: Of) -> Result<(), String> {
        self.first = None;
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        // What happened up to a whole snapshot is told with it.
        let events = std::mem::take(&mut self.happened);
        let (index, state) =
            encode(&pending, events).map_err(|error| self.stopped(&io::Error::other(error)))?;
        let mut sum = crc32fast::Hasher::new();
        sum.update(&index);
        sum.update(&state);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).ok();
        let ends = pending.first().zip(pending.last());
        let Some(((first, last), (index_length, state_length))) =
            ends.zip(length(&index).zip(length(&state)))
        else {
            return Err(self.stopped(&io::Error::other("a block is larger than 4 GiB")));
        };
        let head = BlockHead {
            of,
            moments: u16::try_from(pending.len()).unwrap_or(u16::MAX),
            first: millis(first.at()),
            last: millis(last.at()),
            index: index_length,
            state: state_length,
            sum: sum.finalize(),
        };
        let write = |file: &mut File| {
            let mut file = BufWriter::new(file);
            file.write_all(&head.bytes())?;
            file.write_all(&index)?;
            file.write_all(&state)?;
            file.flush()
        };
        if let Err(error) = write(&mut self.file) {
            // Half a block helps nobody.
            let _ = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::End(0)).map(drop));
            return Err(self.stopped(&error));
        }
        self.length += head.bytes().len() as u64 + head.length();
        Ok(())
    }

    fn stopped(&self, error: &io::Error) -> String {
        format!(
            "the recording {} stops here: {error}; what was recorded before can be replayed",
            self.path.display()
        )
    }
}

/// The two parts of a block.
fn encode(pending: &[Delta], events: Vec<Happened>) -> Result<(Vec<u8>, Vec<u8>), String> {
    let moments = pending.iter().map(|delta| millis(delta.at())).collect();
    let index = packed(|out| postcard::to_io(&Index { moments, events }, out).map(drop))?;
    let state =
        packed(|out| pending.iter().try_for_each(|delta| postcard::to_io(delta, &mut *out).map(drop)))?;
    Ok((index, state))
}

/// What is written, compressed.
fn packed(
    write: impl FnOnce(&mut BufWriter<&mut zstd::Encoder<'_, Vec<u8>>>) -> Result<(), postcard::Error>,
) -> Result<Vec<u8>, String> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).map_err(|error| error.to_string())?;
    for limit in LOOKS_BACK {
        encoder.set_parameter(limit).map_err(|error| error.to_string())?;
    }
    let mut out = BufWriter::with_capacity(1 << 16, &mut encoder);
    write(&mut out).map_err(|error| format!("it cannot be put into bytes: {error}"))?;
    out.flush().map_err(|error| error.to_string())?;
    drop(out);
    encoder.finish().map_err(|error| error.to_string())
}

//! Files on this machine: the audit log, and the journals of runs that are kept nowhere else.
//!
//! Called by `drive`. Everything is readable by its owner only. Each write appends whole lines; a journal's are on the
//! disk before the call returns.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{AuditLine, Run, journal};
use crate::cluster::of_cluster;

/// The runs of one cluster whose journals are kept on this machine, newest first; the sentence where one cannot be read.
/// `context` and `server` are those of the connection they were made with.
pub fn local_journals(state_dir: &Path, context: &str, server: &str) -> Vec<Result<Run, String>> {
    let read = |(path, text): (PathBuf, Result<String, String>)| text.and_then(|text| read(&path, &text));
    texts(state_dir, RUNS, context, server).into_iter().map(read).collect()
}

/// The folder of runs, and that of campaigns.
pub(super) const RUNS: &str = "runs";
pub(super) const CAMPAIGNS: &str = "campaigns";

/// The journals of that kind of one cluster, newest first: their paths and texts.
pub(super) fn texts(
    state_dir: &Path,
    kind: &str,
    context: &str,
    server: &str,
) -> Vec<(PathBuf, Result<String, String>)> {
    let Ok(entries) = fs::read_dir(folder(state_dir, kind, context, server)) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    paths.sort();
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(|e| format!("journal {}: {e}", path.display()));
        (path, text)
    };
    paths.into_iter().rev().map(text).collect()
}

/// Where a journal of that kind is.
pub(super) fn path(state_dir: &Path, kind: &str, context: &str, server: &str, id: &str) -> PathBuf {
    folder(state_dir, kind, context, server).join(format!("{id}.jsonl"))
}

/// A journal on this machine, open for appending, by one process at a time.
pub(super) struct LocalJournal {
    file: File,
    path: PathBuf,
}

impl LocalJournal {
    /// A new journal; its first line is the plan.
    pub(super) fn begin(state_dir: &Path, context: &str, server: &str, run: &Run) -> Result<Self, String> {
        Self::create(path(state_dir, RUNS, context, server, &run.id), &journal::head(run)?)
    }

    /// A new journal at this place; its first line is what was approved.
    pub(super) fn create(path: PathBuf, head: &str) -> Result<Self, String> {
        let begin = || {
            let folder = path.parent().unwrap_or(Path::new("."));
            make(folder)?;
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
            lock(&file)?;
            let mut book = Self { file, path: path.clone() };
            book.append(&format!("{head}\n"))?;
            File::open(folder)?.sync_all()?;
            Ok(book)
        };
        begin().map_err(|e: io::Error| format!("the journal {} cannot be written: {e}", path.display()))
    }

    /// The journal of a run that was begun before, and what it says.
    pub(super) fn reopen(
        state_dir: &Path,
        context: &str,
        server: &str,
        id: &str,
    ) -> Result<(Self, Run), String> {
        let (book, path, text) = Self::open(path(state_dir, RUNS, context, server, id))?;
        Ok((book, read(&path, &text)?))
    }

    /// The journal at this place, which was begun before, and its text.
    pub(super) fn open(path: PathBuf) -> Result<(Self, PathBuf, String), String> {
        let open = || {
            let file = OpenOptions::new().read(true).append(true).open(&path)?;
            lock(&file)?;
            // What was being written when the power went is not part of it; the next line must not be glued to it.
            let text = fs::read(&path)?;
            let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            if whole < text.len() {
                file.set_len(whole as u64)?;
            }
            Ok(file)
        };
        let file = open()
            .map_err(|e: io::Error| format!("the journal {} cannot be written: {e}", path.display()))?;
        let text = fs::read_to_string(&path).map_err(|e| format!("journal {}: {e}", path.display()))?;
        Ok((Self { file, path: path.clone() }, path, text))
    }

    /// Adds one line, on the disk when this returns.
    pub(super) fn append(&mut self, line: &str) -> io::Result<()> {
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// One line of the audit log.
#[derive(Serialize)]
pub(super) struct Audited<'a, E> {
    /// When, in the API server's time.
    pub(super) time: Timestamp,
    /// `alice@bastion`.
    pub(super) operator: &'a str,
    /// The Kubernetes user, where known.
    pub(super) user: Option<&'a str>,
    /// The kubeconfig context.
    pub(super) context: &'a str,
    /// The API server's address: two clusters may have contexts of one name.
    pub(super) server: &'a str,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<&'a str>,
    /// The campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) campaign: Option<&'a str>,
    /// What happened, as in the journal.
    #[serde(flatten)]
    pub(super) event: &'a E,
    /// The `kubectl` line that would do the same, for a step that writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kubectl: Option<&'a str>,
    /// The change of the database, for a step that writes to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) database: Option<&'a str>,
    /// Why, in the operator's words.
    pub(super) reason: Option<&'a str>,
}

/// Where what was done is written down, for whoever asks later.
pub(super) fn audit_file(state_dir: &Path) -> PathBuf {
    state_dir.join("audit.jsonl")
}

/// Adds a line to `audit.jsonl`, in one write.
pub(super) fn audit<E: Serialize>(state_dir: &Path, line: &Audited<'_, E>) -> io::Result<()> {
    make(state_dir)?;
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    let path = audit_file(state_dir);
    if path.exists() {
        ordinary(&path)?;
    }
    let open = || OpenOptions::new().append(true).open(&path);
    let mut file = match open() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            match OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => open()?,
                other => other?,
            }
        }
        other => other?,
    };
    file.write_all(text.as_bytes())
}

/// Refuses what would be waited for: a pipe that nobody reads or writes.
fn ordinary(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    match kind.is_fifo() || kind.is_socket() {
        true => Err(io::Error::other("it is a pipe or a socket and no file")),
        false => Ok(()),
    }
}

/// So much of the audit file is read, from its end.
const READ_BACK: u64 = 16 << 20;

/// What the audit file says of one cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// Its lines, the oldest first.
    pub lines: Vec<AuditLine>,
    /// How many lines could not be read.
    pub unread: usize,
    /// Older lines than these were not read.
    pub cut: bool,
}

/// Reads what the audit file of this machine says of a cluster: the newest 16 MiB of it. None is there yet: nothing.
///
/// # Errors
/// One sentence: it is there and cannot be read.
pub fn audited(state_dir: &Path, context: &str, server: &str) -> Result<Audit, String> {
    let path = audit_file(state_dir);
    let mut audit = Audit::default();
    let mut read = || -> io::Result<()> {
        ordinary(&path)?;
        let mut file = File::open(&path)?;
        let skip = file.metadata()?.len().saturating_sub(READ_BACK);
        file.seek(SeekFrom::Start(skip))?;
        let mut lines = BufReader::new(file.take(READ_BACK)).split(b'\n');
        audit.cut = skip > 0;
        if skip > 0 {
            // It was begun before.
            lines.next().transpose()?;
        }
        for line in lines {
            match serde_json::from_slice::<AuditLine>(&line?) {
                Ok(line) if line.is_of(context, server) => audit.lines.push(line),
                Ok(_) => {}
                Err(_) => audit.unread += 1,
            }
        }
        Ok(())
    };
    match read() {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(format!("the audit file {} cannot be read: {e}", path.display()))
        }
        _ => Ok(audit),
    }
}

fn read(path: &Path, text: &str) -> Result<Run, String> {
    let split = text.split_once('\n').ok_or_else(|| "its plan was never written in full".to_owned());
    let read = split.and_then(|(plan, events)| journal::read(plan, events));
    let mut run = read.map_err(|e| format!("journal {}: {e}", path.display()))?;
    run.local = true;
    Ok(run)
}

/// Where the journals of one cluster are.
fn folder(state_dir: &Path, kind: &str, context: &str, server: &str) -> PathBuf {
    state_dir.join(kind).join(of_cluster(context, server))
}

fn make(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|e| match e {
        fs::TryLockError::WouldBlock => io::Error::other("another process on this machine is at this run"),
        fs::TryLockError::Error(e) => e,
    })
}

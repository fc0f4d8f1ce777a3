//! The last hours of a cluster, in a folder: one recording an hour, the oldest are removed.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};

use super::{Head, Recorder, Recording};
use crate::cluster::{Snapshot, of_cluster};

/// A file holds this much.
const FILE: SignedDuration = SignedDuration::from_hours(1);
/// How the files end.
const ENDING: &str = "rec";

/// Keeps the last hours.
pub struct Keeper {
    folder: PathBuf,
    head: Head,
    /// How far back is kept, and how many bytes at most.
    back: SignedDuration,
    most: u64,
    recorder: Option<(Recorder, Timestamp)>,
    /// Held while this process keeps them: another one on this machine does not.
    _lock: File,
}

/// The folder of one cluster.
pub fn folder(state_dir: &Path, context: &str, server: &str) -> PathBuf {
    state_dir.join("kept").join(of_cluster(context, server))
}

/// The recordings in a folder, the oldest first.
pub fn kept(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
        .collect();
    all.sort();
    all
}

/// Opens what is kept of a cluster.
///
/// # Errors
/// One sentence: nothing is kept of it, or as [`Recording::open`].
pub fn open_kept(state_dir: &Path, context: &str, server: &str) -> Result<Recording, String> {
    let files = kept(&folder(state_dir, context, server));
    if files.is_empty() {
        return Err(format!(
            "nothing is kept of {context} yet: the cockpit keeps it while it is open ([recording] keep), and `wheelhouse record FILE` records without it"
        ));
    }
    Recording::open(&files)
}

impl Keeper {
    /// Keeps what is seen in this folder from now on; `None`: another process on this machine does already.
    ///
    /// # Errors
    /// One sentence: the folder cannot be written.
    pub fn new(folder: &Path, head: Head, back: SignedDuration, most: u64) -> Result<Option<Self>, String> {
        let make = || {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
            File::create(folder.join("lock"))
        };
        if let Some(all) = folder.parent() {
            forget_others(all, folder, back);
        }
        let lock = make().map_err(|error| format!("{} cannot be written: {error}", folder.display()))?;
        Ok(lock.try_lock().is_ok().then(|| Self {
            folder: folder.to_owned(),
            head,
            back,
            most,
            recorder: None,
            _lock: lock,
        }))
    }

    /// Keeps a snapshot.
    ///
    /// # Errors
    /// As [`Recorder::take`]: nothing more is kept then.
    pub fn take(&mut self, seen: &Snapshot) -> Result<(), String> {
        let old = |(_, begun): &(Recorder, Timestamp)| seen.at.duration_since(*begun) >= FILE;
        if let Some((recorder, _)) = self.recorder.take_if(|recorder| old(recorder)) {
            recorder.close()?;
        }
        if self.recorder.is_none() && seen.is_ready() {
            self.prune(seen.at);
            let name = seen.at.strftime("%Y%m%d-%H%M%S");
            let path = self.folder.join(format!("{name}.{ENDING}"));
            // One of this very second is in the way only if it was begun and left at once.
            let _ = fs::remove_file(&path);
            self.recorder = Some((Recorder::create(&path, &self.head)?, seen.at));
        }
        match &mut self.recorder {
            Some((recorder, _)) => recorder.take(seen),
            None => Ok(()),
        }
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// As [`Recorder::close`].
    pub fn close(mut self) -> Result<(), String> {
        self.recorder.take().map_or(Ok(()), |(recorder, _)| recorder.close())
    }

    /// Removes what is too old, and the oldest of what is too much. That one cannot be removed hinders nobody.
    fn prune(&self, now: Timestamp) {
        let mut left = 0;
        for path in kept(&self.folder).into_iter().rev() {
            let found = fs::metadata(&path).ok();
            let old = found.as_ref().is_some_and(|found| is_older(found, self.back));
            let begun = path.file_stem().and_then(|name| name.to_str()).and_then(begun);
            let old = old || begun.is_some_and(|at| now.duration_since(at) > self.back + FILE);
            left += found.map_or(0, |found| found.len());
            if old || left > self.most {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// It was written last longer ago than that.
fn is_older(found: &fs::Metadata, back: SignedDuration) -> bool {
    let age = found.modified().ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| SignedDuration::try_from(age).is_ok_and(|age| age > back))
}

/// Removes what was kept of clusters that nobody has looked at for so long.
fn forget_others(all: &Path, but: &Path, back: SignedDuration) {
    let Ok(entries) = fs::read_dir(all) else { return };
    for folder in
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path != but && path.is_dir())
    {
        let old = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| is_older(&found, back));
        let free = File::open(folder.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        let files = kept(&folder);
        if free && files.iter().all(old) && old(&folder.join("lock")) {
            files.iter().for_each(|file| _ = fs::remove_file(file));
            let _ = fs::remove_file(folder.join("lock"));
            // What else somebody has put there stays.
            let _ = fs::remove_dir(&folder);
        }
    }
}

/// When a file was begun, by its name.
fn begun(name: &str) -> Option<Timestamp> {
    jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", name)
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::sketch;

    #[test]
    fn the_last_hours_are_kept_by_one_process_and_the_oldest_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kept");
        let new = || Keeper::new(&path, Head::default(), SignedDuration::from_hours(3), 1 << 30);
        let mut keeper = new().expect("a folder").expect("nobody else");
        assert!(new().expect("a folder").is_none(), "it is kept already");
        let start = Timestamp::from_second(1_800_000_000).expect("a time");
        for minute in 0..=600 {
            let at = start + SignedDuration::from_mins(minute);
            let mut seen = sketch("node w1\ntenant acme 1 on w1", at).expect("a cluster");
            seen.revision = 1 + minute as u64;
            keeper.take(&seen).expect("it is kept");
        }
        let files = kept(&path);
        assert!((4..=6).contains(&files.len()), "{files:?}");
        let first = begun(files[0].file_stem().expect("a name").to_str().expect("text")).expect("a time");
        let back = (start + SignedDuration::from_mins(600)).duration_since(first);
        assert!(back <= SignedDuration::from_hours(5), "{first}");
        keeper.close().expect("it is closed");
        assert!(new().expect("a folder").is_some(), "who left keeps nothing");
        let all = Recording::open(&files).expect("they are read");
        assert_eq!(all.ends().1, start + SignedDuration::from_mins(600));
        assert_eq!(all.gaps(), Vec::<String>::new());
    }
}

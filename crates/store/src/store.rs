//! A store: folders that are kept and found by key, within a size bound.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::file::{TEMPORARY, remove_leftovers, sync_folder, writing};
use crate::folder::{Folder, SUMS};
use crate::{Damage, StoreError};

/// The file that every entry has and that eviction removes last. It holds measurements and is small.
pub const RECORD: &str = "record.json";

/// Temporary folders in a shared store are removed only when they are older than this.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// Entries by key, on disk, within a bound.
///
/// An entry is a folder of files with a list of their digests. It appears complete, by a rename. Several processes may
/// share a store: two processes that compute the same entry write the same bytes.
///
/// **Eviction.** When all files together are larger than the bound, the least recently used entries lose everything but
/// their [`RECORD`], until a tenth of the bound is free. If that is not enough, whole entries are removed in the same
/// order.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    bound: u64,
    used: Mutex<u64>,
}

/// The number of temporary folders that this process made. Several stores of a process may share a folder.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// How often an entry is moved to its place while others move the same one there.
const ATTEMPTS: usize = 100;

/// An entry of a store.
#[derive(Debug, Clone)]
pub struct Entry {
    folder: Folder,
}

/// The size of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Entries.
    pub entries: usize,
    /// Bytes of all their files.
    pub bytes: u64,
}

impl Store {
    /// Opens the store in this folder, and creates the folder if needed. `bound` is in bytes. `alone` states that no
    /// other process is using the store, so all temporary folders in it can be removed.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be made or read.
    pub fn open(root: impl Into<PathBuf>, bound: u64, alone: bool) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(StoreError::write(&root))?;
        let age = if alone { Duration::ZERO } else { LEFTOVER_AGE };
        remove_leftovers(&root, age).map_err(StoreError::read(&root))?;
        let store = Store { root, bound, used: Mutex::new(0) };
        store.set_used(store.usage()?.bytes);
        Ok(store)
    }

    /// The entry with this key, if there is one. Finding an entry marks it as used.
    ///
    /// # Errors
    /// [`StoreError::Read`] when the operating system cannot read a file.
    pub fn find(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let folder = Folder::at(self.root.join(key));
        let sums = folder.path().join(SUMS);
        match File::options().append(true).open(&sums) {
            Ok(file) => {
                // Without the time of use, only the order of eviction suffers.
                let _ = file.set_modified(SystemTime::now());
                Ok(Some(Entry { folder }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // A shared store may be read-only for this process.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Some(Entry { folder })),
            Err(error) => Err(StoreError::read(&sums)(error)),
        }
    }

    /// Stores an entry: its [`RECORD`] and further files. An older entry with the same key stays if it has the same files, whole: the
    /// same key means the same content. Otherwise it is replaced.
    ///
    /// # Errors
    /// [`StoreError::Write`]. The entry is then not in the store.
    pub fn put(&self, key: &str, files: &[(&str, &[u8])]) -> Result<(), StoreError> {
        let _writing = writing();
        let unfinished = self.temporary();
        let place = self.root.join(key);
        let names: BTreeSet<_> = files.iter().map(|(name, _)| *name).collect();
        let written = Self::write_whole(&unfinished, files).and_then(|()| self.move_to(&unfinished, &place, &names));
        if written.is_err() {
            // Remove the incomplete files, so that they do not fill the disk.
            let _ = fs::remove_dir_all(&unfinished);
        }
        // Users know the final path of the entry, not the temporary one.
        written.map_err(|error| error.within(&unfinished, &place))?;
        let bytes = files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
        if self.add_used(bytes) > self.bound {
            self.evict(key)?;
        }
        Ok(())
    }

    fn write_whole(unfinished: &Path, files: &[(&str, &[u8])]) -> Result<(), StoreError> {
        fs::create_dir(unfinished).map_err(StoreError::write(unfinished))?;
        let mut sums = crate::sums::Sums::default();
        for (name, bytes) in files {
            write_through(&unfinished.join(name), bytes)?;
            sums.0.insert((*name).to_owned(), crate::sums::digest(bytes));
        }
        write_through(&unfinished.join(SUMS), sums.to_text().as_bytes())?;
        sync_folder(unfinished).map_err(StoreError::write(unfinished))
    }

    /// A new name for a folder that does not count as an entry.
    fn temporary(&self) -> PathBuf {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        self.root.join(format!("{TEMPORARY}{}-{number}", std::process::id()))
    }

    fn move_to(&self, unfinished: &Path, place: &Path, names: &BTreeSet<&str>) -> Result<(), StoreError> {
        for attempt in 1.. {
            match fs::rename(unfinished, place) {
                Ok(()) => break,
                // Others stored the same entry meanwhile, and may be reading it.
                Err(_) if Folder::at(place).holds(names) => {
                    let _ = fs::remove_dir_all(unfinished);
                    return Ok(());
                }
                Err(_) if place.exists() && attempt < ATTEMPTS => {
                    self.remove(place).map_err(StoreError::write(place))?
                }
                // It was removed after the rename had found it there.
                Err(_) if unfinished.exists() && attempt < ATTEMPTS => {}
                Err(error) => return Err(StoreError::write(place)(error)),
            }
        }
        sync_folder(&self.root).map_err(StoreError::write(&self.root))
    }

    /// Removes an entry. It is moved aside first, so that nobody sees a part of it.
    fn remove(&self, place: &Path) -> io::Result<()> {
        let aside = self.temporary();
        match fs::rename(place, &aside) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            // What cannot be removed now goes with other leftovers.
            Ok(()) => {
                let _ = fs::remove_dir_all(&aside);
                Ok(())
            }
        }
    }

    /// Removes an entry that was found damaged.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn discard(&self, key: &str) -> Result<(), StoreError> {
        let _writing = writing();
        let place = self.root.join(key);
        self.remove(&place).map_err(StoreError::write(&place))
    }

    /// How much the store holds.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let entries = self.entries()?;
        Ok(Usage { entries: entries.len(), bytes: entries.iter().map(|entry| entry.bytes).sum() })
    }

    /// Frees space. The entry `newest` keeps all its files.
    fn evict(&self, newest: &str) -> Result<(), StoreError> {
        let goal = self.bound - self.bound / 10;
        let mut entries = self.entries()?;
        entries.sort_by_key(|entry| entry.used);
        let mut bytes = entries.iter().map(|entry| entry.bytes).sum::<u64>();
        entries.retain(|entry| !entry.path.ends_with(newest));
        for records_stay in [true, false] {
            for entry in &mut entries {
                if bytes <= goal {
                    break;
                }
                let left = if records_stay { trim(entry) } else { self.remove(&entry.path).map(|()| 0) };
                let left = match left {
                    // Another process freed space here, or removed a damaged entry.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                    left => left.map_err(StoreError::write(&entry.path))?,
                };
                bytes -= entry.bytes - left;
                entry.bytes = left;
            }
        }
        self.set_used(self.usage()?.bytes);
        Ok(())
    }

    fn entries(&self) -> Result<Vec<EvictionCandidate>, StoreError> {
        let mut entries = vec![];
        for entry in fs::read_dir(&self.root).map_err(StoreError::read(&self.root))? {
            let path = entry.map_err(StoreError::read(&self.root))?.path();
            // Another process may be removing it at the same time.
            let Ok(used) = fs::metadata(path.join(SUMS)).and_then(|data| data.modified()) else { continue };
            let files = fs::read_dir(&path).into_iter().flatten().flatten();
            let bytes = files.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum();
            entries.push(EvictionCandidate { path, used, bytes });
        }
        Ok(entries)
    }

    fn set_used(&self, bytes: u64) {
        *self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = bytes;
    }

    fn add_used(&self, bytes: u64) -> u64 {
        let mut used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *used += bytes;
        *used
    }
}

impl Entry {
    /// The content of one of its files.
    ///
    /// # Errors
    /// As [`Folder::read`]. A file that was evicted is missing.
    pub fn read(&self, name: &str) -> Result<Result<Vec<u8>, Damage>, StoreError> {
        self.folder.read(name)
    }

    /// Checks every file of the entry. Evicted files do not count as damage.
    ///
    /// # Errors
    /// [`StoreError::Read`] when the operating system cannot read a file.
    pub fn damage(&self) -> Result<Option<Damage>, StoreError> {
        let changed = self.folder.damages()?.into_iter().find(|damage| damage.path.exists());
        if changed.is_some() {
            return Ok(changed);
        }
        // Otherwise, a changed name in the list would look like an evicted file.
        self.folder.unlisted()
    }
}

/// An entry that may be evicted.
struct EvictionCandidate {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

/// Removes everything but the record. Returns how many bytes are left.
fn trim(entry: &EvictionCandidate) -> io::Result<u64> {
    let mut left = 0;
    for file in fs::read_dir(&entry.path)? {
        let file = file?;
        let name = file.file_name();
        if name == RECORD || name == SUMS { left += file.metadata()?.len() } else { fs::remove_file(file.path())? }
    }
    Ok(left)
}

/// Writes a new file and flushes it to disk.
fn write_through(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = File::create_new(path)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    };
    write().map_err(StoreError::write(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(bound: u64) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), bound, true).unwrap();
        (dir, store)
    }

    /// Sets the time of use. Some file systems record it too coarsely to tell two puts apart.
    fn used_at(dir: &tempfile::TempDir, key: &str, seconds: u64) {
        let file = File::options().append(true).open(dir.path().join(key).join(SUMS)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn what_was_put_is_found_by_its_key() {
        let (_dir, store) = store(u64::MAX);
        assert!(store.find("a").unwrap().is_none());
        store.put("a", &[(RECORD, b"{}"), ("model", b"weights")]).unwrap();
        let entry = store.find("a").unwrap().unwrap();
        assert_eq!(entry.read("model").unwrap().unwrap(), b"weights");
        store.put("a", &[(RECORD, b"[]")]).unwrap();
        assert_eq!(store.find("a").unwrap().unwrap().read(RECORD).unwrap().unwrap(), b"[]");
        store.discard("a").unwrap();
        assert!(store.find("a").unwrap().is_none());
    }

    #[test]
    fn the_longest_unused_entries_lose_their_files_first_and_their_records_last() {
        // Each entry: 1000 bytes of model, 2 of record, and a list of 64 + 2 + 11 + 1 and 64 + 2 + 5 + 1 = 150 bytes.
        let (dir, store) = store(3000);
        let model = [7; 1000];
        for (time, key) in ["a", "b"].into_iter().enumerate() {
            store.put(key, &[(RECORD, b"{}"), ("model", &model)]).unwrap();
            used_at(&dir, key, time as u64);
        }
        store.find("a").unwrap(); // Now "b" is the one that was not used for longest.
        store.put("c", &[(RECORD, b"{}"), ("model", &model)]).unwrap();
        let read = |key: &str, name: &str| store.find(key).unwrap().unwrap().read(name).unwrap().is_ok();
        assert!(read("a", "model") && !read("b", "model") && read("c", "model"));
        assert!(read("b", RECORD), "a record outlives its files");
        assert_eq!(store.usage().unwrap(), Usage { entries: 3, bytes: 1152 + 152 + 1152 });
        assert_eq!(store.find("b").unwrap().unwrap().damage().unwrap(), None, "what was evicted is not damaged");
        fs::write(dir.path().join("a").join("model"), "changed").unwrap();
        assert!(store.find("a").unwrap().unwrap().damage().unwrap().is_some());
        fs::write(dir.path().join("a").join("model"), model).unwrap();
        let sums = dir.path().join("a").join(SUMS);
        fs::write(&sums, fs::read_to_string(&sums).unwrap().replace("model", "nodel")).unwrap();
        assert!(store.find("a").unwrap().unwrap().damage().unwrap().is_some());
    }

    #[test]
    fn records_alone_are_bounded_too() {
        let (dir, store) = store(200);
        for (time, key) in ["a", "b"].into_iter().enumerate() {
            store.put(key, &[(RECORD, &[b' '; 150])]).unwrap();
            used_at(&dir, key, time as u64);
        }
        assert!(store.find("a").unwrap().is_none() && store.find("b").unwrap().is_some());
    }

    #[test]
    fn stores_that_share_a_folder_may_write_the_same_entries_at_once() {
        let (dir, _store) = store(u64::MAX);
        let write = |_| {
            let store = Store::open(dir.path(), u64::MAX, false).unwrap();
            for round in 0..200 {
                let key = format!("{}", round % 5);
                store.put(&key, &[(RECORD, b"{}"), ("model", &[7; 100])]).unwrap();
                // Another store may have the entry in hand; what is there is whole.
                if let Some(entry) = store.find(&key).unwrap()
                    && let Ok(model) = entry.read("model").unwrap()
                {
                    assert_eq!(model, [7; 100]);
                }
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || write(number))).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.count(), 5, "nothing temporary is left");
    }

    #[test]
    fn leftovers_of_a_killed_process_go() {
        let (dir, store) = store(u64::MAX);
        store.put("a", &[(RECORD, b"{}")]).unwrap();
        fs::create_dir(dir.path().join(".tmp-1-1")).unwrap();
        let store = Store::open(dir.path(), u64::MAX, true).unwrap();
        assert!(!dir.path().join(".tmp-1-1").exists());
        assert_eq!(store.usage().unwrap().entries, 1);
    }
}

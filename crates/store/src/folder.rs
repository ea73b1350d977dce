//! A folder whose files are listed with their digests.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::file::{remove_leftovers, replace, writing};
use crate::sums::{Sums, digest};
use crate::{Damage, StoreError};

/// The name of the list of digests.
pub const SUMS: &str = "SHA256SUMS";

const UNLISTED: &str = "is not listed in SHA256SUMS";

/// A folder with a list of digests, `SHA256SUMS`. Files that are not in the list are ignored.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at this path. It does not have to exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Folder { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder if it does not exist, and removes the temporary files of killed processes. The caller must be
    /// the only process that writes there.
    ///
    /// # Errors
    /// [`StoreError`], which names the folder.
    pub fn prepare(&self) -> Result<(), StoreError> {
        fs::create_dir_all(&self.path).map_err(StoreError::write(&self.path))?;
        remove_leftovers(&self.path, std::time::Duration::ZERO).map_err(StoreError::read(&self.path))
    }

    /// Whether the list names this file.
    ///
    /// # Errors
    /// [`StoreError::Read`] when the list cannot be read.
    pub fn lists(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.sums()?.is_ok_and(|sums| sums.0.contains_key(name)))
    }

    /// The bytes of a file, as they were written.
    ///
    /// # Errors
    /// [`StoreError::Read`] when the operating system cannot read it. The inner error is [`Damage`]: the file is
    /// missing, does not match its digest in the list, or the list itself is damaged.
    pub fn read(&self, name: &str) -> Result<Result<Vec<u8>, Damage>, StoreError> {
        let sums = match self.sums()? {
            Ok(sums) => sums,
            Err(damage) => return Ok(Err(damage)),
        };
        match sums.0.get(name) {
            Some(expected) => self.read_listed(name, expected),
            None => Ok(Err(Damage { path: self.path.join(name), reason: UNLISTED.to_owned() })),
        }
    }

    /// The bytes of a file that the list names with this digest.
    fn read_listed(&self, name: &str, expected: &str) -> Result<Result<Vec<u8>, Damage>, StoreError> {
        let path = self.path.join(name);
        let damage = |path, reason: &str| Ok(Err(Damage { path, reason: reason.to_owned() }));
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return damage(path, "is missing"),
            other => other.map_err(StoreError::read(&path))?,
        };
        if digest(&bytes) == expected {
            Ok(Ok(bytes))
        } else {
            damage(path, "was changed after it was written: its digest differs from the one in SHA256SUMS")
        }
    }

    /// Writes some files, each atomically, then the list. A process that is killed in between leaves files that do not
    /// match the list; the next read reports them as damage.
    ///
    /// # Errors
    /// [`StoreError::Write`], which names the file.
    pub fn write(&self, files: &[(&str, &[u8])]) -> Result<(), StoreError> {
        let _writing = writing();
        let mut sums = self.sums()?.unwrap_or_default();
        for (name, bytes) in files {
            let path = self.path.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(StoreError::write(parent))?;
            }
            replace(&path, bytes).map_err(StoreError::write(&path))?;
            sums.0.insert((*name).to_owned(), digest(bytes));
        }
        let path = self.path.join(SUMS);
        replace(&path, sums.to_text().as_bytes()).map_err(StoreError::write(&path))
    }

    /// All damaged files in the list.
    ///
    /// # Errors
    /// [`StoreError::Read`] when the operating system cannot read a file.
    pub fn damages(&self) -> Result<Vec<Damage>, StoreError> {
        let sums = match self.sums()? {
            Ok(sums) => sums,
            Err(damage) => return Ok(vec![damage]),
        };
        let mut damages = vec![];
        for (name, expected) in &sums.0 {
            damages.extend(self.read_listed(name, expected)?.err());
        }
        Ok(damages)
    }

    /// Whether the list names just these files, and all of them are whole.
    pub(crate) fn holds(&self, names: &BTreeSet<&str>) -> bool {
        let listed = self.sums().is_ok_and(|sums| {
            sums.is_ok_and(|sums| sums.0.keys().map(String::as_str).collect::<BTreeSet<_>>() == *names)
        });
        listed && self.damages().is_ok_and(|damages| damages.is_empty())
    }

    /// The first file in the folder that is not in the list.
    ///
    /// # Errors
    /// [`StoreError::Read`] when the operating system cannot read a file.
    pub fn unlisted(&self) -> Result<Option<Damage>, StoreError> {
        let sums = match self.sums()? {
            Ok(sums) => sums,
            Err(damage) => return Ok(Some(damage)),
        };
        for file in fs::read_dir(&self.path).map_err(StoreError::read(&self.path))? {
            let file = file.map_err(StoreError::read(&self.path))?;
            let name = file.file_name();
            let listed = name.to_str().is_some_and(|name| sums.0.contains_key(name));
            if !listed && name != SUMS {
                return Ok(Some(Damage { path: file.path(), reason: UNLISTED.to_owned() }));
            }
        }
        Ok(None)
    }

    /// Removes the files that the list names, and the list.
    ///
    /// # Errors
    /// [`StoreError::Write`], which names the file.
    pub fn clear(&self) -> Result<(), StoreError> {
        let sums = self.sums()?.unwrap_or_default();
        for name in sums.0.keys().map(String::as_str).chain([SUMS]) {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::write(&path)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The list. A missing list counts as an empty one.
    fn sums(&self) -> Result<Result<Sums, Damage>, StoreError> {
        let path = self.path.join(SUMS);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Sums::default())),
            other => other.map_err(StoreError::read(&path))?,
        };
        let sums = std::str::from_utf8(&bytes).ok().and_then(Sums::parse);
        Ok(sums.ok_or_else(|| Damage { path, reason: "is not a valid list of digests".to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path());
        folder.write(&[("a.txt", b"one"), ("b/c.txt", b"two")]).unwrap();
        (dir, folder)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_dir, folder) = folder();
        assert_eq!(folder.read("a.txt").unwrap().unwrap(), b"one");
        folder.write(&[("a.txt", b"three")]).unwrap();
        assert_eq!(folder.read("a.txt").unwrap().unwrap(), b"three");
        assert_eq!(folder.read("b/c.txt").unwrap().unwrap(), b"two");
        assert_eq!(folder.damages().unwrap(), []);
    }

    #[test]
    fn every_change_of_every_byte_is_damage() {
        let (dir, folder) = folder();
        for name in ["a.txt", SUMS] {
            let path = dir.path().join(name);
            let whole = fs::read(&path).unwrap();
            for place in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[place] ^= 1;
                fs::write(&path, &flipped).unwrap();
                // A changed digest or name in the list belongs to one of the two files.
                assert!(!folder.damages().unwrap().is_empty(), "{name}, byte {place} flipped");
                fs::write(&path, &whole[..place]).unwrap();
                let found = folder.read("a.txt").unwrap().and(folder.read("b/c.txt").unwrap());
                assert!(found.is_err(), "{name} cut off at {place}");
            }
            fs::write(&path, &whole).unwrap();
        }
        assert_eq!(folder.damages().unwrap(), []);
    }

    #[test]
    fn a_missing_file_is_named() {
        let (dir, folder) = folder();
        fs::remove_file(dir.path().join("a.txt")).unwrap();
        let damage = folder.read("a.txt").unwrap().unwrap_err().to_string();
        assert!(damage.contains("a.txt") && damage.contains("missing"), "{damage}");
    }

    #[test]
    fn clearing_removes_what_is_listed_only() {
        let (dir, folder) = folder();
        fs::write(dir.path().join("mine.txt"), "").unwrap();
        folder.clear().unwrap();
        assert!(dir.path().join("mine.txt").exists() && !dir.path().join("a.txt").exists());
        assert!(!folder.lists("a.txt").unwrap());
    }
}

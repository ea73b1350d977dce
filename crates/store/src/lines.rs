//! A journal: appended lines, each with a digest of its text.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::sums::digest;
use crate::{Damage, StoreError};

/// The number of hexadecimal digits of the digest before each line.
const DIGITS: usize = 16;

/// A file to which whole lines are appended.
///
/// A killed process or a full disk may leave a line cut off. [`read_lines`] detects cut and changed lines by their
/// digest and skips them.
#[derive(Debug)]
pub struct Lines {
    file: File,
}

impl Lines {
    /// Starts an empty file.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path);
        Ok(Lines { file: file.map_err(StoreError::write(path))? })
    }

    /// Appends a line, which must not contain a line break. The line is not flushed to disk, because no result depends
    /// on a journal.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn append(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(format!("{} {text}\n", &digest(text.as_bytes())[..DIGITS]).as_bytes())
    }
}

/// The intact lines of a journal, and a [`Damage`] for each other line. A last line without a line break is left out of
/// both: it is still being written, or its process was killed.
///
/// # Errors
/// [`StoreError::Read`], also when the file is missing.
pub fn read_lines(path: &Path) -> Result<(Vec<String>, Vec<Damage>), StoreError> {
    let bytes = std::fs::read(path).map_err(StoreError::read(path))?;
    let text = String::from_utf8_lossy(&bytes);
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let (mut lines, mut damages) = (vec![], vec![]);
    for (number, line) in complete.lines().enumerate() {
        match line.split_once(' ') {
            Some((check, text)) if check == &digest(text.as_bytes())[..DIGITS] => lines.push(text.to_owned()),
            _ => damages.push(Damage {
                path: path.to_owned(),
                reason: format!("line {} was changed after it was written", number + 1),
            }),
        }
    }
    Ok((lines, damages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_lines_are_skipped_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut lines = Lines::create(&path).unwrap();
        for text in ["one", "two", "three"] {
            lines.append(text).unwrap();
        }
        assert_eq!(read_lines(&path).unwrap(), (vec!["one".into(), "two".into(), "three".into()], vec![]));

        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, whole.replace("two", "tvo")).unwrap();
        let (read, damages) = read_lines(&path).unwrap();
        assert_eq!(read, ["one", "three"]);
        assert!(damages[0].to_string().contains("line 2"), "{}", damages[0]);

        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert_eq!(read_lines(&path).unwrap(), (vec!["one".into(), "two".into()], vec![]));
    }
}

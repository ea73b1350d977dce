//! Reading whole files of a data set, up to a size limit.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use alluvium_store::text;

use crate::StreamError;

/// Opens a file of a data set for reading. Anything but a regular file is refused before it is opened, because opening
/// a named pipe may block forever.
///
/// # Errors
/// [`StreamError::File`] when it cannot be opened, or is a folder, a pipe or a device.
pub fn open_file(path: &Path) -> Result<File, StreamError> {
    regular(path).map_err(|error| not_read(path, &error))
}

/// The error of a file that cannot be read. A relative path says where it begins.
fn not_read(path: &Path, error: &io::Error) -> StreamError {
    let file = StreamError::file(path, error.to_string());
    match std::env::current_dir() {
        Ok(folder) if error.kind() == io::ErrorKind::NotFound && path.is_relative() => {
            file.with_hint(&format!("; relative paths begin where the program runs: {}", folder.display()))
        }
        _ => file,
    }
}

/// As [`open_file`], for callers with their own error type.
pub(crate) fn regular(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("is not a regular file")) }
}

/// The bytes of a file that has at most `most` of them.
///
/// # Errors
/// [`StreamError::File`] when it cannot be read, is not a regular file or is larger.
pub fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, StreamError> {
    let mut bytes = vec![];
    let read = regular(path).and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(|error| not_read(path, &error))?;
    if bytes.len() as u64 > most {
        Err(StreamError::file(path, format!("is larger than {most} bytes, the most that is accepted here")))
    } else {
        Ok(bytes)
    }
}

/// The text of a file that has at most `most` bytes. A byte order mark is removed, and line ends become those of Unix
/// (see [`alluvium_store::text`]).
///
/// # Errors
/// [`StreamError::File`] when it cannot be read, is larger or is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String, StreamError> {
    text::from_bytes(&read_file(path, most)?).map_err(|problem| StreamError::file(path, problem.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("five");
        fs::write(&path, "five!").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "five!");
        let error = read_file(&path, 4).unwrap_err().to_string();
        assert!(error.contains("five: is larger than 4 bytes"), "{error}");
        fs::write(&path, "\u{feff}a\r\nb").unwrap();
        assert_eq!(read_text(&path, 7).unwrap(), "a\nb");
        fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path, 5).unwrap_err().to_string().contains("not text in UTF-8"));
        assert!(read_file(&folder.path().join("none"), 5).unwrap_err().to_string().contains("none: "));
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
            let error = read_file(path, 5).unwrap_err().to_string();
            assert!(error.contains("is not a regular file"), "{error}");
            assert!(open_file(path).is_err());
        }
    }
}

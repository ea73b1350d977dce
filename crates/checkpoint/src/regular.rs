//! Opening what is a file: a pipe would be waited for without end, and a device may give bytes without end.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a file to read it; links are followed, and what is at their end must be a file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Before it is opened, for opening is what waits; and after, for it may have been exchanged meanwhile.
    check(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(data: &fs::Metadata) -> io::Result<()> {
    if data.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file but a folder, a pipe or a device"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains("no file"));
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(open(&folder.path().join("file")).is_ok());
    }
}

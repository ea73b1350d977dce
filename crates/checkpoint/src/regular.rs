//! Opens regular files only. Opening a pipe could wait forever, and a device may never end.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a file for reading. Links are followed, and must lead to a regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Checked before opening, because opening a pipe waits, and after it, because the file may have been replaced
    // meanwhile.
    check(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(data: &fs::Metadata) -> io::Result<()> {
    if data.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file, but a folder, a pipe or a device"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains("not a file"));
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(open(&folder.path().join("file")).is_ok());
    }
}

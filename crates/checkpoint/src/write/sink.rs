//! Where the bytes of a model go: into a file, or into memory.

use std::io::{self, Write};
use std::path::Path;

use alluvium_store::temporary_beside;
use tempfile::NamedTempFile;

/// Takes the bytes of one file.
#[derive(Debug)]
pub(crate) enum Sink {
    /// A file under a temporary name.
    File(NamedTempFile),
    Memory(Vec<u8>),
}

impl Sink {
    /// A file under a temporary name beside this path.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        temporary_beside(path).map(Sink::File)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Memory(all) => all.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Memory(_) => Ok(()),
        }
    }
}

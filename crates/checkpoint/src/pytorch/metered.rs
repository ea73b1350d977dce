//! A reader with a limit. It bounds the memory for a directory, which grows with the bytes that are read.

use std::io::{self, Read, Seek, SeekFrom};

/// Fails when more bytes are read than the limit.
#[derive(Debug)]
pub(crate) struct MeteredReader<R> {
    reader: R,
    left: u64,
}

impl<R> MeteredReader<R> {
    pub(crate) fn new(reader: R, limit: u64) -> Self {
        MeteredReader { reader, left: limit }
    }

    pub(crate) fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: Read> Read for MeteredReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("its directory is longer than that of any model"));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.reader.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for MeteredReader<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn it_stops_when_it_has_read_enough() {
        let mut reader = MeteredReader::new(Cursor::new([1; 10]), 4);
        let mut bytes = vec![];
        assert!(reader.read_to_end(&mut bytes).is_err());
        assert_eq!(bytes, [1; 4]);
    }
}

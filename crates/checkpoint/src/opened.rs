//! What every kind of model file comes down to: a list of tensors, and somebody who fetches the bytes of one.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::{CheckpointError, StateDict, TensorInfo};

/// One file, opened and checked, with no values read.
pub(crate) struct OpenFile {
    pub tensors: Vec<TensorInfo>,
    pub metadata: BTreeMap<String, String>,
    /// Which of its dicts the tensors are of, where it is by `torch.save`.
    pub state_dict: Option<StateDict>,
    pub bytes: Box<dyn Bytes>,
}

/// Fetches bytes of tensors.
pub(crate) trait Bytes: Send {
    /// The little-endian bytes of some values of the tensor at that place of [`OpenFile::tensors`]. They are counted
    /// row-major, and lie within the tensor.
    fn fetch(&mut self, index: usize, values: Range<usize>) -> Result<Vec<u8>, CheckpointError>;
}

/// The length of what is read; leaves the reader at its beginning.
pub(crate) fn length(reader: &mut impl Seek) -> io::Result<u64> {
    let length = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    Ok(length)
}

/// So many bytes, where the length was checked against that of the file.
pub(crate) fn exactly(reader: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

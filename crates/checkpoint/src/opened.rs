//! The common form of all kinds of model files: a list of tensors, and a reader of their bytes.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::{CheckpointError, StateDict, TensorInfo};

/// One file that was opened and checked. No values were read.
pub(crate) struct OpenFile {
    pub tensors: Vec<TensorInfo>,
    pub metadata: BTreeMap<String, String>,
    /// The chosen state dict, for a file by `torch.save`.
    pub state_dict: Option<StateDict>,
    pub bytes: Box<dyn Bytes>,
}

/// Reads the bytes of tensors.
pub(crate) trait Bytes: Send {
    /// The little-endian bytes of some values of the tensor with this index in [`OpenFile::tensors`]. `values` are
    /// row-major indices within the tensor.
    fn fetch(&mut self, index: usize, values: Range<usize>) -> Result<Vec<u8>, CheckpointError>;
}

/// The length of the data. Leaves the reader at its beginning.
pub(crate) fn length(reader: &mut impl Seek) -> io::Result<u64> {
    let length = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    Ok(length)
}

/// Reads `length` bytes. Callers have compared the length with that of the file.
pub(crate) fn exactly(reader: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

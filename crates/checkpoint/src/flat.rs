//! A safetensors file: a header, then the bytes of all tensors in sequence.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use crate::error::Place;
use crate::header::{self, Header, LONGEST_HEADER};
use crate::opened::{Bytes, OpenFile, exactly, length};
use crate::{CheckpointError, TensorInfo};

/// The number of bytes before the header. They hold its length.
pub(crate) const PREFIX: u64 = 8;

struct FlatFile<R> {
    place: Place,
    reader: R,
    /// Each tensor, and the offset of its bytes in the file.
    tensors: Vec<(TensorInfo, u64)>,
}

/// Reads the header of a safetensors file.
pub(crate) fn open<R: Read + Seek + Send + 'static>(place: &Place, mut reader: R) -> Result<OpenFile, CheckpointError> {
    let file = length(&mut reader).map_err(|cause| place.read(cause))?;
    let Some(behind) = file.checked_sub(PREFIX) else {
        return Err(place.broken(format!("has {file} bytes; a safetensors file has at least {PREFIX}")));
    };
    let mut prefix = [0; PREFIX as usize];
    reader.read_exact(&mut prefix).map_err(|cause| place.read(cause))?;
    let header = u64::from_le_bytes(prefix);
    if header > behind {
        return Err(place.broken(format!("its header claims {header} bytes, but the file has only {behind} for it")));
    }
    if header > LONGEST_HEADER {
        return Err(place.broken(format!("its header claims {header} bytes; accepted: at most {LONGEST_HEADER}")));
    }
    let json = exactly(&mut reader, header).map_err(|cause| place.read(cause))?;
    let Header { tensors, metadata } = header::parse(place, &json, behind - header)?;
    let data = PREFIX + header;
    let starts = tensors.iter().map(|(info, bytes)| (info.clone(), data + bytes.start)).collect();
    let bytes = Box::new(FlatFile { place: place.clone(), reader, tensors: starts });
    let tensors = tensors.into_iter().map(|(info, _)| info).collect();
    Ok(OpenFile { tensors, metadata, state_dict: None, bytes })
}

impl<R: Read + Seek + Send> Bytes for FlatFile<R> {
    fn fetch(&mut self, index: usize, values: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let (info, start) = &self.tensors[index];
        let width = info.dtype.bytes() as u64;
        let read = self.reader.seek(SeekFrom::Start(start + values.start as u64 * width));
        let read = read.and_then(|_| exactly(&mut self.reader, values.len() as u64 * width));
        read.map_err(|cause| self.place.tensor(&info.name, format!("cannot be read ({cause})")))
    }
}

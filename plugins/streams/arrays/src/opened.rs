//! Finds an array in a file: `.npy`, `.npz`, safetensors, or a folder of `.npy` files. Reads only what describes it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use alluvium_stream::{StreamError, open_file};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use zip::{CompressionMethod, ZipArchive};

use crate::array::{Array, ElementKind, ElementType};
use crate::npy::{Header, MAGIC, TYPES};

/// The most bytes of the text that describes a file's arrays.
const MOST_HEADER: u64 = 100 << 20;
/// The most bytes of a compressed array, which is kept in memory.
const MOST_HELD: u64 = 4 << 30;
/// The most names that a message lists.
const NAMES_SHOWN: usize = 12;

const ZIP: &[u8] = b"PK";
const ACCEPTED: &str = "a file .npz or .safetensors, or a folder of .npy files";

/// The file that an array of this name is in: that of the name if `path` is a folder.
pub fn file_of(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(format!("{name}.npy")) } else { path.to_owned() }
}

/// An array, or the error that the file does not hold it.
enum Search {
    Found(Array),
    Missing(StreamError),
}

/// Opens the array of this name.
///
/// # Errors
/// When there is no such array, or the file is not of a known kind, is damaged, or has values of a type that cannot be read.
pub fn open(path: &Path, name: &str) -> Result<Array, StreamError> {
    match search(path, name)? {
        Search::Found(array) => Ok(array),
        Search::Missing(error) => Err(error),
    }
}

/// Opens the array of this name if the file holds one.
///
/// # Errors
/// As [`open`], but not when there is no such array.
pub fn open_if_there(path: &Path, name: &str) -> Result<Option<Array>, StreamError> {
    Ok(match search(path, name)? {
        Search::Found(array) => Some(array),
        Search::Missing(_) => None,
    })
}

fn search(path: &Path, name: &str) -> Result<Search, StreamError> {
    let in_folder = path.is_dir();
    let path = file_of(path, name);
    if in_folder && !path.exists() {
        return Ok(Search::Missing(StreamError::file(&path, "does not exist; it is the array of that name")));
    }
    let mut file = open_file(&path)?;
    let failed = |cause: io::Error| StreamError::file(&path, cause.to_string());
    let length = file.metadata().map_err(failed)?.len();
    let mut start = vec![];
    (&mut file).take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if start == MAGIC {
        if !in_folder {
            return Err(StreamError::file(&path, format!("is a single array; accepted: {ACCEPTED}")));
        }
        return single(path, name, file, length).map(Search::Found);
    }
    if in_folder {
        return Err(StreamError::file(&path, "is not a .npy file"));
    }
    if start.starts_with(ZIP) { of_archive(path, name, file, length) } else { of_safetensors(path, name, file, length) }
}

/// A `.npy` file.
fn single(path: PathBuf, name: &str, file: File, length: u64) -> Result<Array, StreamError> {
    let mut reader = Counting { reader: BufReader::new(file), count: 0 };
    let described = Header::read(&mut reader).map_err(|cause| StreamError::file(&path, cause))?;
    let (start, bytes) = (reader.count, bytes_of(&described).map_err(|cause| StreamError::file(&path, cause))?);
    if start + bytes != length {
        let found = length.saturating_sub(start);
        let cause = format!("is damaged: its header states {bytes} bytes of values, and {found} follow");
        return Err(StreamError::file(&path, cause));
    }
    Ok(Array::in_file(path, name, described.element, described.sizes, start, length))
}

/// A `.npz` file: a zip archive of `.npy` files. An array that is not compressed stays where it lies.
fn of_archive(path: PathBuf, name: &str, file: File, length: u64) -> Result<Search, StreamError> {
    let damaged = |cause: String| StreamError::file(&path, format!("is damaged: {cause}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    let own = |index: usize, archive: &mut ZipArchive<BufReader<File>>| {
        let entry = archive.by_index_raw(index).ok()?;
        let entry = entry.name().ok()?.into_owned();
        Some(entry.strip_suffix(".npy").unwrap_or(&entry).to_owned())
    };
    let names: Vec<_> = (0..archive.len()).map(|index| own(index, &mut archive).unwrap_or_default()).collect();
    let Some(index) = names.iter().position(|own| own == name) else {
        return Ok(Search::Missing(missing(&path, name, names)));
    };
    let wrong = |cause: String| StreamError::file(&path, format!("the array \"{name}\" {cause}"));
    let entry = archive.by_index(index).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let in_place = (entry.compression() == CompressionMethod::Stored).then(|| entry.data_start()).flatten();
    let size = entry.size();
    let mut reader = Counting { reader: entry, count: 0 };
    let described = Header::read(&mut reader).map_err(&wrong)?;
    let (header, bytes) = (reader.count, bytes_of(&described).map_err(&wrong)?);
    if header + bytes != size {
        let found = size.saturating_sub(header);
        return Err(wrong(format!("is damaged: its header states {bytes} bytes of values, and {found} follow")));
    }
    // Reading to the end checks the archive's checksum of the array.
    let read = |error: io::Error| wrong(format!("is damaged: {error}"));
    if let Some(start) = in_place {
        io::copy(&mut reader.reader, &mut io::sink()).map_err(read)?;
        let array = Array::in_file(path, name, described.element, described.sizes, start + header, length);
        return Ok(Search::Found(array));
    }
    if bytes > MOST_HELD {
        let problem =
            format!("is compressed and has {bytes} bytes; accepted: {MOST_HELD} at most, or an array that is not");
        return Err(wrong(format!("{problem} compressed (numpy.savez)")));
    }
    let mut values = vec![];
    reader.reader.read_to_end(&mut values).map_err(read)?;
    Ok(Search::Found(Array::held(path, name, described.element, described.sizes, values)))
}

/// A safetensors file.
fn of_safetensors(path: PathBuf, name: &str, mut file: File, length: u64) -> Result<Search, StreamError> {
    let unknown = |cause: String| StreamError::file(&path, format!("{cause}; accepted: {ACCEPTED}"));
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| unknown("is not a file of arrays".to_owned()))?;
    let size = u64::from_le_bytes(size);
    if size > MOST_HEADER || size + 8 > length {
        return Err(unknown("is not a file of arrays, or is cut short".to_owned()));
    }
    let mut header = vec![0; size as usize];
    file.read_exact(&mut header).map_err(|error| StreamError::file(&path, error.to_string()))?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| unknown(format!("is not a safetensors file ({error})")))?;
    let all = 8 + size + metadata.data_len() as u64;
    if all != length {
        let cause = format!("is damaged: its header states a file of {all} bytes, and it has {length}");
        return Err(StreamError::file(&path, cause));
    }
    let Some(info) = metadata.info(name) else {
        return Ok(Search::Missing(missing(&path, name, metadata.offset_keys())));
    };
    let wrong = |cause: String| StreamError::file(&path, format!("the array \"{name}\" {cause}"));
    let element = match info.dtype {
        Dtype::F16 => (ElementKind::Float, 2),
        Dtype::BF16 => (ElementKind::BrainFloat, 2),
        Dtype::F32 => (ElementKind::Float, 4),
        Dtype::F64 => (ElementKind::Float, 8),
        Dtype::I8 => (ElementKind::Signed, 1),
        Dtype::I16 => (ElementKind::Signed, 2),
        Dtype::I32 => (ElementKind::Signed, 4),
        Dtype::I64 => (ElementKind::Signed, 8),
        Dtype::U8 => (ElementKind::Unsigned, 1),
        Dtype::U16 => (ElementKind::Unsigned, 2),
        Dtype::U32 => (ElementKind::Unsigned, 4),
        Dtype::U64 => (ElementKind::Unsigned, 8),
        Dtype::BOOL => (ElementKind::Bool, 1),
        other => return Err(wrong(format!("has values of type {other:?}; accepted: {TYPES}"))),
    };
    let element = ElementType::new(element.0, element.1, false).ok_or_else(|| wrong(format!("accepted: {TYPES}")))?;
    let sizes = dimensions(info.shape.clone()).map_err(wrong)?;
    let start = 8 + size + info.data_offsets.0 as u64;
    Ok(Search::Found(Array::in_file(path, name, element, sizes, start, length)))
}

fn missing(path: &Path, name: &str, mut names: Vec<String>) -> StreamError {
    names.sort();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let mut shown = names[..names.len() - more].join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {more} more"));
    }
    StreamError::file(path, format!("does not hold the array \"{name}\"; accepted: one of {shown}"))
}

/// The sizes of an array of at least one dimension.
fn dimensions(sizes: Vec<usize>) -> Result<Vec<usize>, String> {
    if sizes.is_empty() { Err("is a single number; accepted: one row for each sample".to_owned()) } else { Ok(sizes) }
}

/// The number of bytes of an array's values.
fn bytes_of(header: &Header) -> Result<u64, String> {
    let product = header.sizes.iter().try_fold(header.element.size, |product, size| product.checked_mul(*size));
    product.map(|bytes| bytes as u64).ok_or_else(|| format!("states the impossible shape {:?}", header.sizes))
}

/// Counts the bytes that are read.
struct Counting<R> {
    reader: R,
    count: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.count += read as u64;
        Ok(read)
    }
}

//! The zip archive around a pickle: where the pickle is, and the entries with the values.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::error::Place;
use crate::opened::{Bytes, Opened, exactly, length};
use crate::pytorch::globals::Global;
use crate::pytorch::machine::{self, Pickle, Stopped};
use crate::pytorch::metered::Metered;
use crate::pytorch::object::{Object, Storage, TensorObject};
use crate::pytorch::state_dict::{self, NoWeights};
use crate::pytorch::view::View;
use crate::shown::shown;
use crate::{CheckpointError, Dtype, TensorInfo};

/// The longest pickle that is read.
const LONGEST_PICKLE: u64 = 100_000_000;
/// The longest directory that is read; a hundred thousand entries take a third of it.
const LONGEST_DIRECTORY: u64 = 50_000_000;
/// `torch.save` does not compress. What was compressed later may become a thousand times as long when it is read.
const LONGEST_COMPRESSED: u64 = 200_000_000;
/// How often the same values may belong to tensors: tied weights are shared by two or three.
const MOST_SHARED: u64 = 64;

/// Reads what the pickle of an archive says.
pub(crate) fn open<R: Read + Seek + Send + 'static>(place: &Place, reader: R) -> Result<Opened, CheckpointError> {
    let mut archive = Archive::new(place, reader)?;
    archive.check_byte_order()?;
    let pickle = archive.pickle()?;
    let found = state_dict::tensors(&pickle).map_err(|NoWeights { name, reason }| match name {
        Some(name) => place.tensor(&name, reason),
        None => place.broken(format!("its pickle {reason}")),
    })?;
    let mut tensors = vec![];
    for (name, object) in found {
        let (entry, view) = archive.view(&pickle, &name, &object)?;
        let (dtype, shape) = (archive.entries[entry].dtype, view.shape().to_vec());
        tensors.push(TensorInfo { name: name.clone(), dtype, shape });
        archive.views.push((name, entry, view));
    }
    archive.check_shared(&tensors)?;
    Ok(Opened { tensors, metadata: BTreeMap::new(), bytes: Box::new(archive) })
}

struct Archive<R> {
    place: Place,
    zip: ZipArchive<BufReader<R>>,
    /// The length of the file.
    length: u64,
    /// The folder of the archive that everything is in.
    root: String,
    /// The entries that hold values, and their places by key.
    entries: Vec<Entry>,
    keys: HashMap<String, usize>,
    /// Each tensor's name, entry, and part of it.
    views: Vec<(String, usize, View)>,
    /// The entries whose check sum was compared.
    intact: HashSet<usize>,
    /// The last tensor that was asked for in pieces and can be read as a whole only, and its bytes.
    held: Option<(usize, Vec<u8>)>,
}

/// An entry with values.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Its place in the archive.
    index: usize,
    compressed: bool,
    dtype: Dtype,
    bytes: u64,
}

impl<R: Read + Seek> Archive<R> {
    fn new(place: &Place, mut reader: R) -> Result<Self, CheckpointError> {
        let length = length(&mut reader).map_err(|cause| place.read(cause))?;
        let broken = |error| place.broken(format!("is no zip archive that can be read ({error})"));
        // Once within bounds, to see that the directory is; then without.
        let metered = ZipArchive::new(BufReader::new(Metered::new(reader, LONGEST_DIRECTORY))).map_err(broken)?;
        let reader = metered.into_inner().into_inner().into_inner();
        let mut zip = ZipArchive::new(BufReader::new(reader)).map_err(broken)?;
        if zip.has_duplicate_names() {
            return Err(place.broken("its archive has two entries of the same name"));
        }
        let root = root(place, &mut zip)?;
        let (entries, keys, views, intact) = (vec![], HashMap::new(), vec![], HashSet::new());
        Ok(Archive { place: place.clone(), zip, length, root, entries, keys, views, intact, held: None })
    }

    /// Where there is no such entry, the file was written before there were any for another byte order.
    fn check_byte_order(&mut self) -> Result<(), CheckpointError> {
        let Some(index) = self.zip.index_for_name(&format!("{}/byteorder", self.root)) else { return Ok(()) };
        match &self.small_entry(index, "byteorder", 16)?[..] {
            b"little" => Ok(()),
            other => {
                let order = shown(&String::from_utf8_lossy(other));
                Err(self.place.broken(format!("its byte order is {order}; accepted: `little`")))
            }
        }
    }

    fn pickle(&mut self) -> Result<Pickle, CheckpointError> {
        let name = format!("{}/data.pkl", self.root);
        let index =
            self.zip.index_for_name(&name).ok_or_else(|| self.place.broken(format!("has no {}", shown(&name))))?;
        let bytes = self.small_entry(index, "data.pkl", LONGEST_PICKLE)?;
        machine::run(&bytes).map_err(|stopped| match stopped {
            Stopped::Broken(reason) => self.place.broken(format!("its pickle {reason}")),
            Stopped::Code(wanted) => self.place.code(wanted),
        })
    }

    /// All bytes of an entry, not more than the limit, whatever it claims.
    fn small_entry(&mut self, index: usize, name: &str, limit: u64) -> Result<Vec<u8>, CheckpointError> {
        let too_long =
            |place: &Place| place.broken(format!("its `{name}` is longer than {limit} bytes, the most accepted"));
        let entry = self.zip.by_index(index).map_err(|error| unreadable(&self.place, name, error))?;
        if entry.size() > limit {
            return Err(too_long(&self.place));
        }
        let mut bytes = vec![];
        entry.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&self.place, name, error.into()))?;
        if bytes.len() as u64 > limit {
            return Err(too_long(&self.place));
        }
        Ok(bytes)
    }

    /// The entry and the part of it that a tensor of the pickle is.
    fn view(&mut self, pickle: &Pickle, name: &str, tensor: &TensorObject) -> Result<(usize, View), CheckpointError> {
        let (sizes, strides) = (integers(pickle, tensor.sizes), integers(pickle, tensor.strides));
        let (Some(sizes), Some(strides)) = (sizes, strides) else {
            return Err(self.place.tensor(name, "has sizes or strides that are no ints"));
        };
        let entry = self.entry(pickle, name, tensor.storage)?;
        let dtype = self.entries[entry].dtype;
        let view = View::new(dtype, tensor.storage.length, tensor.offset, &sizes, &strides)
            .map_err(|reason| self.place.tensor(name, reason))?;
        Ok((entry, view))
    }

    /// The entry of a storage. What the storage claims is compared with the entry, and the entry with the file.
    fn entry(&mut self, pickle: &Pickle, name: &str, storage: Storage) -> Result<usize, CheckpointError> {
        let place = &self.place;
        let (Object::Global(Global::Storage { class, dtype }), Object::Text(key)) =
            (pickle.get(storage.class), pickle.get(storage.key))
        else {
            return Err(place.tensor(name, "has no storage"));
        };
        let dtype = dtype.ok_or_else(|| {
            let reason = format!("has values of type {}; accepted: {}", shown(class), Dtype::accepted());
            place.tensor(name, reason)
        })?;
        let needed = u64::try_from(storage.length).ok().and_then(|count| count.checked_mul(dtype.bytes() as u64));
        let needed = needed.ok_or_else(|| {
            place.tensor(name, format!("has a storage of {} values, which cannot be", storage.length))
        })?;
        if let Some(known) = self.keys.get(key) {
            let entry = self.entries[*known];
            if (entry.dtype, entry.bytes) != (dtype, needed) {
                let reason = format!("shares its storage {} with a tensor of another type or length", shown(key));
                return Err(place.tensor(name, reason));
            }
            return Ok(*known);
        }
        let index = self.zip.index_for_name(&format!("{}/data/{key}", self.root)).ok_or_else(|| {
            place.tensor(name, format!("has its values in the entry {} of `data`, which is not there", shown(key)))
        })?;
        let found = self.zip.by_index_data(index).map_err(|error| unreadable(place, key, error))?;
        if found.size() != needed {
            let reason = format!(
                "has a storage of {} {dtype}, {needed} bytes; the entry {} has {}",
                storage.length,
                shown(key),
                found.size()
            );
            return Err(place.tensor(name, reason));
        }
        let compressed = found.compression() != CompressionMethod::Stored;
        let most = if compressed { LONGEST_COMPRESSED } else { self.length };
        if found.compressed_size() > self.length || needed > most {
            let kind = if compressed { "compressed" } else { "stored" };
            let reason = format!(
                "has a storage of {needed} bytes, {kind} in {}; accepted: at most {most}",
                found.compressed_size()
            );
            return Err(place.tensor(name, reason));
        }
        self.keys.insert(key.clone(), self.entries.len());
        self.entries.push(Entry { index, compressed, dtype, bytes: needed });
        Ok(self.entries.len() - 1)
    }

    /// A small file must not stand for hours of reading.
    fn check_shared(&self, tensors: &[TensorInfo]) -> Result<(), CheckpointError> {
        let stored = self.entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes));
        let claimed = tensors.iter().fold(0_u64, |sum, info| sum.saturating_add(info.bytes()));
        match claimed > stored.saturating_mul(MOST_SHARED) {
            false => Ok(()),
            true => Err(self.place.broken(format!(
                "its tensors claim {claimed} bytes and share {stored}; accepted: each value in {MOST_SHARED} tensors"
            ))),
        }
    }

    /// All bytes of a tensor.
    fn whole(&mut self, index: usize) -> Result<Vec<u8>, CheckpointError> {
        let (_, entry, view) = self.views[index].clone();
        let width = self.entries[entry].dtype.bytes() as u64;
        let bytes = self.bytes(index, view.start * width, view.length * width)?;
        Ok(view.gather(bytes))
    }

    /// Some bytes of a tensor that is read as a whole: its values do not lie in their order, or they are compressed. Reading
    /// it anew for each piece could take a small file hours, so the last such tensor is held.
    fn piece_of_held(&mut self, index: usize, bytes: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let held = match self.held.take() {
            Some((held, all)) if held == index => all,
            _ => self.whole(index)?,
        };
        let piece = held[bytes].to_vec();
        self.held = Some((index, held));
        Ok(piece)
    }

    /// Bytes of the entry that a tensor is in.
    fn bytes(&mut self, index: usize, start: u64, length: u64) -> Result<Vec<u8>, CheckpointError> {
        let entry = self.entries[self.views[index].1];
        let bytes = self.part(entry, start, length);
        bytes.map_err(|error| self.place.tensor(&self.views[index].0, format!("cannot be read ({error})")))
    }

    /// A part of an entry, whose check sum was compared.
    fn part(&mut self, entry: Entry, start: u64, length: u64) -> Result<Vec<u8>, ZipError> {
        let whole = (start, length) == (0, entry.bytes);
        if whole || entry.compressed {
            let mut reader = self.zip.by_index(entry.index)?;
            io::copy(&mut reader.by_ref().take(start), &mut io::sink())?;
            let bytes = exactly(&mut reader, length)?;
            // The check sum is compared where the entry ends; it must end where it says.
            let left = entry.bytes - start - length;
            if io::copy(&mut reader.take(left + 1), &mut io::sink())? != left {
                return Err(io::Error::other("its entry is not as long as it says").into());
            }
            return Ok(bytes);
        }
        if !self.intact.contains(&entry.index) {
            io::copy(&mut self.zip.by_index(entry.index)?, &mut io::sink())?;
            self.intact.insert(entry.index);
        }
        let mut reader = self.zip.by_index_seek(entry.index)?;
        reader.seek(SeekFrom::Start(start))?;
        Ok(exactly(&mut reader, length)?)
    }
}

impl<R: Read + Seek + Send> Bytes for Archive<R> {
    fn fetch(&mut self, index: usize, values: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let (_, entry, view) = &self.views[index];
        let entry = self.entries[*entry];
        if values == (0..view.elements()) {
            return self.whole(index);
        }
        let width = entry.dtype.bytes();
        if entry.compressed || !view.is_row_major() {
            return self.piece_of_held(index, values.start * width..values.end * width);
        }
        let start = view.start + values.start as u64;
        self.bytes(index, start * width as u64, (values.len() * width) as u64)
    }
}

/// The folder that `data.pkl` is in.
fn root<R: Read + Seek>(place: &Place, zip: &mut ZipArchive<R>) -> Result<String, CheckpointError> {
    let roots: Vec<String> = zip
        .file_names()
        .filter_map(|name| name.ok()?.strip_suffix("/data.pkl").map(str::to_owned))
        .filter(|root| !root.contains('/'))
        .collect();
    match &roots[..] {
        [root] => Ok(root.clone()),
        [] => Err(place.broken("is a zip archive without a `data.pkl` in a folder, so not by `torch.save`")),
        _ => Err(place.broken("is a zip archive with several `data.pkl`; accepted: one")),
    }
}

fn unreadable(place: &Place, entry: &str, error: ZipError) -> CheckpointError {
    place.broken(format!("its entry {} cannot be read ({error})", shown(entry)))
}

/// A tuple's items, if they are all numbers.
fn integers(pickle: &Pickle, tuple: u32) -> Option<Vec<i64>> {
    let Object::Tuple(items) = pickle.get(tuple) else { return None };
    let integer = |id: &u32| match pickle.get(*id) {
        Object::Int(value) => Some(*value),
        _ => None,
    };
    items.iter().map(integer).collect()
}

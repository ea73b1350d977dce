//! The zip archive around a pickle: finds the pickle and the entries with the values.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::CheckpointError;
use crate::error::Place;
use crate::opened::{OpenFile, exactly, length};
use crate::pytorch::directory;
use crate::pytorch::machine::{self, LONGEST_PICKLE, Pickle};
use crate::pytorch::metered::MeteredReader;
use crate::pytorch::state_dict::StateDictKey;
use crate::pytorch::weights::{self, Storages};
use crate::shown::shown;

/// The most bytes of a directory. A hundred thousand entries take a third of it.
const LONGEST_DIRECTORY: u64 = 50_000_000;
/// The most bytes of a compressed entry. `torch.save` does not compress, and a compressed entry may grow a thousandfold
/// when it is read.
const LONGEST_COMPRESSED: u64 = 200_000_000;

/// Reads the pickle of an archive.
pub(crate) fn open<R: Read + Seek + Send + 'static>(
    place: &Place,
    reader: R,
    wanted: Option<&StateDictKey>,
) -> Result<OpenFile, CheckpointError> {
    let mut archive = Archive::new(place, reader)?;
    archive.check_byte_order()?;
    let pickle = archive.pickle()?;
    weights::open(place, &pickle, weights::chosen(place, &pickle, wanted)?, archive)
}

struct Archive<R> {
    place: Place,
    zip: ZipArchive<BufReader<R>>,
    /// The length of the file.
    length: u64,
    /// The folder of the archive that contains all entries.
    root: String,
    /// The entries that hold values.
    entries: Vec<ArchiveEntry>,
    /// How many bytes of the file these entries take.
    taken: u64,
}

/// An entry with values.
#[derive(Debug)]
struct ArchiveEntry {
    /// Its index in the archive.
    index: usize,
    compressed: bool,
    bytes: u64,
    /// Whether its checksum was verified.
    intact: bool,
}

impl<R: Read + Seek> Archive<R> {
    fn new(place: &Place, mut reader: R) -> Result<Self, CheckpointError> {
        let length = length(&mut reader).map_err(|cause| place.read(cause))?;
        let broken = |error| place.broken(format!("is not a readable zip archive ({error})"));
        if let Some(reason) = directory::too_large(&mut reader, length).map_err(|cause| place.read(cause))? {
            return Err(place.broken(reason));
        }
        // First with a limit, to check the size of the directory, then without.
        let metered = ZipArchive::new(BufReader::new(MeteredReader::new(reader, LONGEST_DIRECTORY))).map_err(broken)?;
        let reader = metered.into_inner().into_inner().into_inner();
        let mut zip = ZipArchive::new(BufReader::new(reader)).map_err(broken)?;
        if zip.has_duplicate_names() {
            return Err(place.broken("its archive has two entries of the same name"));
        }
        let root = root(place, &mut zip)?;
        Ok(Archive { place: place.clone(), zip, length, root, entries: vec![], taken: 0 })
    }

    /// A file without this entry was written before PyTorch supported another byte order.
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
        let index = self
            .zip
            .index_for_name(&name)
            .ok_or_else(|| self.place.broken(format!("lacks the entry {}", shown(&name))))?;
        let bytes = self.small_entry(index, "data.pkl", LONGEST_PICKLE)?;
        machine::run(&bytes).map_err(|error| error.into_checkpoint_error(&self.place))
    }

    /// All bytes of an entry. Reads no more than the limit, whatever length the entry claims.
    fn small_entry(&mut self, index: usize, name: &str, limit: u64) -> Result<Vec<u8>, CheckpointError> {
        let too_long =
            |place: &Place| place.broken(format!("its `{name}` is longer than {limit} bytes; accepted: at most that"));
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

    /// A part of an entry. The checksum of the entry is verified first.
    fn part(&mut self, entry: usize, start: u64, length: u64) -> Result<Vec<u8>, ZipError> {
        let entry = &mut self.entries[entry];
        let whole = (start, length) == (0, entry.bytes);
        if whole || entry.compressed {
            let mut reader = self.zip.by_index(entry.index)?;
            io::copy(&mut reader.by_ref().take(start), &mut io::sink())?;
            let bytes = exactly(&mut reader, length)?;
            // The checksum is verified at the end of the entry, so the entry must end where it claims.
            let left = entry.bytes - start - length;
            if io::copy(&mut reader.take(left + 1), &mut io::sink())? != left {
                return Err(io::Error::other("its entry does not have the length that it claims").into());
            }
            return Ok(bytes);
        }
        if !entry.intact {
            io::copy(&mut self.zip.by_index(entry.index)?, &mut io::sink())?;
            entry.intact = true;
        }
        let mut reader = self.zip.by_index_seek(entry.index)?;
        reader.seek(SeekFrom::Start(start))?;
        Ok(exactly(&mut reader, length)?)
    }
}

impl<R: Read + Seek + Send> Storages for Archive<R> {
    /// Compares the claimed length of the storage with its entry, and that of the entry with the file.
    fn find(&mut self, key: &str, bytes: u64) -> Result<usize, String> {
        let index = self
            .zip
            .index_for_name(&format!("{}/data/{key}", self.root))
            .ok_or_else(|| format!("has its values in the entry {} of `data`, which is missing", shown(key)))?;
        let found = self.zip.by_index_data(index).map_err(|error| {
            format!("has its values in the entry {} of `data`, which cannot be read ({error})", shown(key))
        })?;
        if found.size() != bytes {
            return Err(format!("has a storage of {bytes} bytes, but the entry {} has {}", shown(key), found.size()));
        }
        let compressed = found.compression() != CompressionMethod::Stored;
        let most = if compressed { LONGEST_COMPRESSED } else { self.length };
        if found.compressed_size() > self.length || bytes > most {
            let kind = if compressed { "compressed" } else { "stored" };
            let taken = found.compressed_size();
            return Err(format!("has a storage of {bytes} bytes, {kind} in {taken}; accepted: at most {most}"));
        }
        self.taken = self.taken.saturating_add(found.compressed_size());
        if self.taken > self.length {
            return Err(format!(
                "has its values in the entry {}, which shares its bytes with other entries",
                shown(key)
            ));
        }
        self.entries.push(ArchiveEntry { index, compressed, bytes, intact: false });
        Ok(self.entries.len() - 1)
    }

    fn is_solid(&self, storage: usize) -> bool {
        self.entries[storage].compressed
    }

    fn read(&mut self, storage: usize, start: u64, length: u64) -> Result<Vec<u8>, String> {
        self.part(storage, start, length).map_err(|error| format!("cannot be read ({error})"))
    }
}

/// The folder that contains `data.pkl`.
fn root<R: Read + Seek>(place: &Place, zip: &mut ZipArchive<R>) -> Result<String, CheckpointError> {
    let roots: Vec<String> = zip
        .file_names()
        .filter_map(|name| name.ok()?.strip_suffix("/data.pkl").map(str::to_owned))
        .filter(|root| !root.contains('/'))
        .collect();
    match &roots[..] {
        [root] => Ok(root.clone()),
        [] => Err(place
            .broken("is a zip archive without a `data.pkl` in a folder; accepted: an archive that `torch.save` wrote")),
        _ => Err(place.broken("is a zip archive with several `data.pkl`; accepted: one")),
    }
}

fn unreadable(place: &Place, entry: &str, error: ZipError) -> CheckpointError {
    place.broken(format!("its entry {} cannot be read ({error})", shown(entry)))
}

//! The format of `torch.save` before version 1.6, which it still writes on request. A file has five pickles: a magic
//! number, a version, a description of the machine, the object, and the keys of its storages. The storages follow in
//! the order of the keys, each as the number of its values (8 bytes) and the values.
//!
//! The pickles run on the same machine as those of an archive. Values are always little-endian, whatever the third
//! pickle says: PyTorch converts them on big-endian machines, and ignores that pickle, too.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use crate::CheckpointError;
use crate::error::Place;
use crate::opened::{OpenFile, exactly, length};
use crate::pytorch::globals::{self, Global};
use crate::pytorch::machine::{self, LONGEST_PICKLE, Pickle, RunError};
use crate::pytorch::object::{Object, TensorObject};
use crate::pytorch::opcode::{Code, Opcode};
use crate::pytorch::state_dict::StateDictKey;
use crate::pytorch::weights::{self, Storages};
use crate::shown::shown;

/// The number in the first pickle, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The only version that exists.
const VERSION: i64 = 1001;
/// How many bytes are first read for a pickle. If that is too little, [`MORE`] times as many are read.
const FIRST_LOOK: u64 = 65_536;
const MORE: u64 = 8;

/// Reads the pickles, and locates the storages.
pub(crate) fn open<R: Read + Seek + Send + 'static>(
    place: &Place,
    mut reader: R,
    wanted: Option<&StateDictKey>,
) -> Result<OpenFile, CheckpointError> {
    let length = length(&mut reader).map_err(|cause| place.read(cause))?;
    let mut file = Pickles { place: place.clone(), reader: BufReader::new(reader), length, at: 0 };
    file.check_magic()?;
    let version = file.next()?;
    if !matches!(version.get(version.root), Object::Int(VERSION)) {
        return Err(place.broken(format!("has another version of PyTorch's older format; accepted: {VERSION}")));
    }
    let machine = file.next()?;
    // The description of the machine consists of numbers and texts. It must not contain code.
    if let Some(wanted) = machine.objects().iter().zip(0..).find_map(|(object, id)| match object {
        Object::Global(_) | Object::Code { .. } => machine.code(id),
        _ => None,
    }) {
        return Err(place.code(wanted));
    }
    let (pickle, keys) = (file.next()?, file.next()?);
    let chosen = weights::chosen(place, &pickle, wanted)?;
    let storages = file.storages(&pickle, &keys, &chosen.tensors)?;
    weights::open(place, &pickle, chosen, storages)
}

/// A file whose pickles are read one after another.
struct Pickles<R> {
    place: Place,
    reader: BufReader<R>,
    /// The length of the file.
    length: u64,
    /// The offset of the bytes that were not read yet.
    at: u64,
}

impl<R: Read + Seek> Pickles<R> {
    fn check_magic(&mut self) -> Result<(), CheckpointError> {
        let start = self.look(self.length.min(64))?;
        let mut code = Code::new(&start);
        let mut first = [(); 3].into_iter().map_while(|()| code.next().ok());
        let number = first.find(|opcode| !matches!(opcode, Opcode::Proto(_) | Opcode::Frame));
        match number {
            Some(Opcode::Large(bytes)) if *bytes == MAGIC => self.next().map(|_| ()),
            _ => {
                let reason = "is a bare pickle, which `torch.save` did not write; nothing was executed. Accepted: a \
                              safetensors file, the index of several, or a file by `torch.save`";
                Err(self.place.broken(reason))
            }
        }
    }

    /// The next pickle. Its length is known only after it was run.
    fn next(&mut self) -> Result<Pickle, CheckpointError> {
        let most = (self.length - self.at).min(LONGEST_PICKLE);
        let mut size = most.min(FIRST_LOOK);
        loop {
            match machine::run(&self.look(size)?) {
                Err(RunError::Cut(_)) if size < most => size = (size * MORE).min(most),
                Err(RunError::Cut(_)) if most == LONGEST_PICKLE => {
                    return Err(self.place.broken(format!("has a pickle of more than {LONGEST_PICKLE} bytes")));
                }
                Err(error) => return Err(error.into_checkpoint_error(&self.place)),
                Ok(pickle) => {
                    self.at += pickle.length as u64;
                    return Ok(pickle);
                }
            }
        }
    }

    /// The next bytes. Does not advance.
    fn look(&mut self, length: u64) -> Result<Vec<u8>, CheckpointError> {
        let read = self.reader.seek(SeekFrom::Start(self.at)).and_then(|_| exactly(&mut self.reader, length));
        read.map_err(|cause| self.place.read(cause))
    }

    /// Locates all storages after the pickles. Each key must occur once, and each storage must match its description in
    /// the pickle.
    fn storages(
        mut self,
        pickle: &Pickle,
        keys: &Pickle,
        named: &[(String, TensorObject)],
    ) -> Result<StorageTable<R>, CheckpointError> {
        let place = self.place.clone();
        let claims = Claims::new(&place, pickle, named)?;
        let Object::List(list) = keys.get(keys.root) else {
            let kind = keys.get(keys.root).kind();
            return Err(self.place.broken(format!("has {kind} for the keys of its storages; accepted: a list")));
        };
        let (mut extents, mut by_key) = (vec![], HashMap::new());
        for id in list {
            let Object::Text(key) = keys.get(*id) else {
                let kind = keys.get(*id).kind();
                return Err(self.place.broken(format!("has {kind} for the key of a storage; accepted: a str")));
            };
            if by_key.insert(key.clone(), extents.len()).is_some() {
                return Err(claims.wrong(key, "is listed twice"));
            }
            let bytes = self.skip_storage(&claims, key)?;
            extents.push((self.at - bytes, bytes));
        }
        if self.at != self.length {
            let more = self.length - self.at;
            return Err(self
                .place
                .broken(format!("has {more} bytes after its last storage; accepted: one model a file")));
        }
        Ok(StorageTable { reader: self.reader, extents, by_key })
    }

    /// Skips the next storage. Returns its number of bytes.
    fn skip_storage(&mut self, claims: &Claims<'_>, key: &str) -> Result<u64, CheckpointError> {
        let Some(claim) = claims.by_key.get(key) else {
            return Err(claims.wrong(key, "is listed, but the pickle does not describe it"));
        };
        let left = (self.length - self.at).checked_sub(8);
        let left = left.ok_or_else(|| claims.wrong(key, "is missing, because the file is cut off"))?;
        let count = self.look(8)?.first_chunk().map(|eight| i64::from_le_bytes(*eight));
        if count != Some(claim.length) {
            let count = count.unwrap_or_default();
            return Err(claims.wrong(key, &format!("has {count} values, but the pickle states {}", claim.length)));
        }
        let bytes = u64::try_from(claim.length).ok().and_then(|count| count.checked_mul(claim.width));
        let bytes = bytes.filter(|bytes| *bytes <= left);
        let bytes = bytes.ok_or_else(|| {
            claims.wrong(
                key,
                &format!(
                    "has {} values of {} bytes, but the file has only {left} bytes for it",
                    claim.length, claim.width
                ),
            )
        })?;
        self.at += 8 + bytes;
        Ok(bytes)
    }
}

/// The descriptions of the storages in a pickle.
struct Claims<'a> {
    place: &'a Place,
    by_key: HashMap<&'a str, Claim<'a>>,
}

struct Claim<'a> {
    length: i64,
    width: u64,
    /// A tensor that uses the storage. `None` if the storage belongs to an optimiser.
    tensor: Option<&'a str>,
}

impl<'a> Claims<'a> {
    fn new(place: &'a Place, pickle: &'a Pickle, named: &'a [(String, TensorObject)]) -> Result<Self, CheckpointError> {
        let text = |id| match pickle.get(id) {
            Object::Text(text) => text.as_str(),
            _ => "",
        };
        let mut tensors = HashMap::new();
        for (name, object) in named {
            tensors.entry(text(object.storage.key)).or_insert(name.as_str());
        }
        let mut claims = Claims { place, by_key: HashMap::new() };
        for object in pickle.objects() {
            let Object::Storage(storage) = object else { continue };
            let Object::Global(Global::Storage { class, .. }) = pickle.get(storage.class) else { continue };
            let (key, length) = (text(storage.key), storage.length);
            let tensor = tensors.get(key).copied();
            let width = globals::storage_width(class).ok_or_else(|| {
                let reason = format!("has values of type {}, which is not known here", shown(class));
                Claims::wrong_of(place, key, tensor, &reason)
            })?;
            let known = claims.by_key.entry(key).or_insert(Claim { length, width, tensor });
            if (known.length, known.width) != (length, width) {
                return Err(claims.wrong(key, "is described with two types or lengths"));
            }
        }
        Ok(claims)
    }

    fn wrong(&self, key: &str, reason: &str) -> CheckpointError {
        Self::wrong_of(self.place, key, self.by_key.get(key).and_then(|claim| claim.tensor), reason)
    }

    /// An error about a storage, which names one of its tensors if there is one.
    fn wrong_of(place: &Place, key: &str, tensor: Option<&str>, reason: &str) -> CheckpointError {
        match tensor {
            Some(tensor) => place.tensor(tensor, format!("is in the storage {}, which {reason}", shown(key))),
            None => place.broken(format!("its storage {} {reason}", shown(key))),
        }
    }
}

/// The storages after the pickles.
struct StorageTable<R> {
    reader: BufReader<R>,
    /// The offset and the number of bytes of each storage in the file.
    extents: Vec<(u64, u64)>,
    by_key: HashMap<String, usize>,
}

impl<R: Read + Seek + Send> Storages for StorageTable<R> {
    fn find(&mut self, key: &str, bytes: u64) -> Result<usize, String> {
        let number = self.by_key.get(key).copied();
        let number = number.ok_or_else(|| format!("is in the storage {}, which is missing", shown(key)))?;
        if self.extents[number].1 == bytes {
            Ok(number)
        } else {
            Err(format!("has a storage of {bytes} bytes, but {} has {}", shown(key), self.extents[number].1))
        }
    }

    fn is_solid(&self, _storage: usize) -> bool {
        false
    }

    fn read(&mut self, storage: usize, start: u64, length: u64) -> Result<Vec<u8>, String> {
        let read = self.reader.seek(SeekFrom::Start(self.extents[storage].0 + start));
        read.and_then(|_| exactly(&mut self.reader, length)).map_err(|error| format!("cannot be read ({error})"))
    }
}

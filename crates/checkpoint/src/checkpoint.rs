//! An open model file. Its tensors are read one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::decode::{check_bytes, decode};
use crate::digest::ModelDigest;
use crate::error::{MEMORY, Place};
use crate::header::LONGEST_HEADER;
use crate::index::ShardIndex;
use crate::opened::{Bytes, OpenFile, exactly, length};
use crate::recognise::{Kind, kind};
use crate::shown::{listed, shown};
use crate::{
    CheckpointError, StateDict, StateDictKey, Tensor, TensorInfo, Values, flat, folder, parts, pytorch, regular, shards,
};

/// How many values are read at a time when all values of a tensor are processed.
const PIECE: usize = 1 << 20;

/// A model file, or several files that make up one model. Opening it reads and checks the descriptions of its tensors.
/// The values are read one tensor at a time.
pub struct Checkpoint {
    place: Place,
    parts: Vec<OpenPart>,
    /// For each name: the index of the file, and the index in the list of its tensors.
    tensors: BTreeMap<String, (usize, usize)>,
    metadata: BTreeMap<String, String>,
    state_dict: Option<StateDict>,
}

/// One file of the model.
struct OpenPart {
    place: Place,
    infos: Vec<TensorInfo>,
    bytes: Mutex<Box<dyn Bytes>>,
}

impl Checkpoint {
    /// Opens a safetensors file, an index of several, a file by `torch.save`, or a folder with exactly one of these.
    /// The kind is recognised by content, not by name. `path` itself may be a link. Files in a folder and files that an
    /// index names may be links within their folder, or links of a Hugging Face cache.
    ///
    /// # Errors
    /// When it cannot be read, is none of these kinds of files, or contradicts itself. The message names the tensor if
    /// one is wrong.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Self::open_state_dict(path, None)
    }

    /// Like [`open`](Checkpoint::open), with the state dict to read from a file by `torch.save`. `None`: the first of
    /// `state_dict`, `model_state_dict`, `model` and other usual names, or the only dict of tensors.
    /// [`state_dict`](Checkpoint::state_dict) says which one was chosen.
    ///
    /// # Errors
    /// Those of [`open`](Checkpoint::open), and when that state dict does not exist. The message lists the existing ones.
    pub fn open_state_dict(path: impl AsRef<Path>, wanted: Option<&StateDictKey>) -> Result<Self, CheckpointError> {
        let mut place = Place::new(path.as_ref());
        if place.path().is_dir() {
            place = Place::new(folder::choose(&place)?);
        }
        let mut reader = BufReader::new(regular::open(place.path()).map_err(|cause| place.read(cause))?);
        match kind(&mut reader).map_err(|cause| place.read(cause))? {
            Kind::Index => {
                let index = read_index(&place, &mut reader)?;
                let shards = shards::open(&place, &index)?;
                Checkpoint::of(place, shards, wanted)
            }
            kind => {
                parts::check_name(&place)?;
                Self::open_one(place, reader, kind, wanted)
            }
        }
    }

    /// Opens a safetensors file or a file by `torch.save` from a reader. Messages call it `(memory)`.
    ///
    /// # Errors
    /// Those of [`open`](Checkpoint::open).
    pub fn from_reader(reader: impl Read + Seek + Send + 'static) -> Result<Self, CheckpointError> {
        Self::from_named_reader(MEMORY, reader)
    }

    /// Like [`from_reader`](Checkpoint::from_reader), with the name that messages use.
    ///
    /// # Errors
    /// Those of [`open`](Checkpoint::open).
    pub fn from_named_reader(
        name: impl AsRef<Path>,
        mut reader: impl Read + Seek + Send + 'static,
    ) -> Result<Self, CheckpointError> {
        let place = Place::new(name.as_ref());
        let kind = kind(&mut reader).map_err(|cause| place.read(cause))?;
        Self::open_one(place, reader, kind, None)
    }

    fn open_one(
        place: Place,
        reader: impl Read + Seek + Send + 'static,
        kind: Kind,
        wanted: Option<&StateDictKey>,
    ) -> Result<Self, CheckpointError> {
        let opened = match kind {
            Kind::Safetensors => flat::open(&place, reader)?,
            Kind::Archive => pytorch::open(&place, reader, wanted)?,
            Kind::Index => return Err(place.broken("is an index, which names other files; open it by its path")),
            Kind::Pickle => pytorch::open_legacy(&place, reader, wanted)?,
            Kind::Tar | Kind::Empty | Kind::Unknown => return Err(kind.refused(&place)),
        };
        let path = place.path().to_owned();
        Checkpoint::of(place, vec![(path, opened)], wanted)
    }

    pub(crate) fn of(
        place: Place,
        files: Vec<(PathBuf, OpenFile)>,
        wanted: Option<&StateDictKey>,
    ) -> Result<Self, CheckpointError> {
        let (mut parts, mut tensors, mut metadata) = (vec![], BTreeMap::new(), BTreeMap::new());
        let mut state_dict = None;
        for (path, opened) in files {
            state_dict = state_dict.or(opened.state_dict);
            for (key, value) in opened.metadata {
                metadata.entry(key).or_insert(value);
            }
            for (index, info) in opened.tensors.iter().enumerate() {
                tensors.insert(info.name.clone(), (parts.len(), index));
            }
            parts.push(OpenPart { place: Place::new(path), infos: opened.tensors, bytes: Mutex::new(opened.bytes) });
        }
        if let (None, Some(StateDictKey::Exactly(key))) = (&state_dict, wanted) {
            let problem = "is safetensors, which holds one model and no state dicts; leave out --state-dict";
            return Err(place.broken(format!("has no state dict {}: it {problem}", shown(key))));
        }
        if tensors.is_empty() {
            Err(place.broken("holds no tensors; accepted: a model with at least one"))
        } else {
            Ok(Checkpoint { place, parts, tensors, metadata, state_dict })
        }
    }

    /// The state dict that was chosen from a file by `torch.save`, and the others in it. `None` for safetensors.
    pub fn state_dict(&self) -> Option<&StateDict> {
        self.state_dict.as_ref()
    }

    /// The path that was opened: a file, a folder or an index.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.values().map(|(part, index)| &self.parts[*part].infos[*index])
    }

    /// The tensor with this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|(part, index)| &self.parts[*part].infos[*index])
    }

    /// Reads one tensor.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] when no tensor has this name, or its bytes cannot be read.
    pub fn read(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let (_, info) = self.find(name)?;
        let values = self.read_range(name, 0..info.elements())?;
        Ok(Tensor { dtype: info.dtype, shape: info.shape.clone(), values })
    }

    /// Reads some values of one tensor by their row-major indices. Only these values are held in memory.
    ///
    /// Exception: a compressed tensor of a file by `torch.save`, or one that views its storage in another order, is
    /// held whole until another such tensor is read.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] when no tensor has this name, it has no such values, or they cannot be
    /// read.
    pub fn read_range(&self, name: &str, values: Range<usize>) -> Result<Values, CheckpointError> {
        let (part, info) = self.find(name)?;
        let first = values.start;
        let bytes = self.bytes_of(name, values)?;
        decode(info.dtype, &bytes, first).map_err(|reason| part.place.tensor(name, reason))
    }

    /// Like [`read_range`](Checkpoint::read_range), and checks that all values are finite.
    ///
    /// # Errors
    /// Those of [`read_range`](Checkpoint::read_range), and [`CheckpointError::NotFinite`] with the index of the first
    /// NaN or infinity in the whole tensor.
    pub fn read_finite_range(&self, name: &str, values: Range<usize>) -> Result<Values, CheckpointError> {
        let first = values.start;
        let read = self.read_range(name, values)?;
        read.check_finite(&self.find(name)?.0.place, name, first)?;
        Ok(read)
    }

    /// Reads one tensor, and checks that all its values are finite.
    ///
    /// # Errors
    /// Those of [`read`](Checkpoint::read), and [`CheckpointError::NotFinite`] with the index of the first NaN or
    /// infinity.
    pub fn read_finite(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let tensor = self.read(name)?;
        tensor.values.check_finite(&self.find(name)?.0.place, name, 0)?;
        Ok(tensor)
    }

    /// Reads the bytes of some values of one tensor, little-endian and row-major. Use it to copy values in their own
    /// type ([`Writer::write_bytes`](crate::Writer::write_bytes)).
    ///
    /// # Errors
    /// Those of [`read_range`](Checkpoint::read_range). If `finite` is true, also [`CheckpointError::NotFinite`] for
    /// the first NaN or infinity.
    pub fn read_bytes(&self, name: &str, values: Range<usize>, finite: bool) -> Result<Vec<u8>, CheckpointError> {
        let (part, info) = self.find(name)?;
        let first = values.start;
        let bytes = self.bytes_of(name, values)?;
        let wrong = check_bytes(info.dtype, &bytes, first).map_err(|reason| part.place.tensor(name, reason))?;
        match wrong.filter(|_| finite) {
            None => Ok(bytes),
            Some((index, value)) => Err(part.place.not_finite(name, index, value)),
        }
    }

    /// The metadata: `__metadata__` of a safetensors file. If several files have a key, the first one counts. Empty for
    /// a file by `torch.save`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The SHA-256 digest of names, types, shapes and bytes, in the order of the names, as 64 hexadecimal digits. The
    /// same tensors have the same digest in another order, in several files, or in another kind of file. Tensors are
    /// read in pieces.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] when a tensor cannot be read.
    pub fn digest(&self) -> Result<String, CheckpointError> {
        let mut digest = ModelDigest::new();
        for info in self.tensors() {
            digest.tensor(info);
            let elements = info.elements();
            for start in (0..elements).step_by(PIECE) {
                digest.values(&self.bytes_of(&info.name, start..elements.min(start + PIECE))?);
            }
        }
        Ok(digest.finish())
    }

    /// How many bytes all tensors take.
    pub fn bytes(&self) -> u64 {
        self.tensors().fold(0, |sum, info| sum.saturating_add(info.bytes()))
    }

    /// How many floats all tensors hold. This includes running statistics of normalisations, but not counters and other
    /// integers.
    pub fn parameters(&self) -> u64 {
        let floats = self.tensors().filter(|info| info.dtype.is_float());
        floats.fold(0, |sum, info| sum.saturating_add(info.elements() as u64))
    }

    /// The files that hold the tensors, and the index if there is one.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = self.parts.iter().map(|part| part.place.path().to_owned()).collect();
        files.push(self.place.path().to_owned());
        files.sort();
        files.dedup();
        files
    }

    fn find(&self, name: &str) -> Result<(&OpenPart, &TensorInfo), CheckpointError> {
        let Some((part, index)) = self.tensors.get(name) else {
            let all = listed(self.tensors.keys().map(String::as_str));
            return Err(self.place.tensor(name, format!("is missing; the tensors of the model: {all}")));
        };
        Ok((&self.parts[*part], &self.parts[*part].infos[*index]))
    }

    fn bytes_of(&self, name: &str, values: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let (part, info) = self.find(name)?;
        if values.start > values.end || values.end > info.elements() {
            let reason = format!("has {} values, but those of {values:?} were requested", info.elements());
            return Err(part.place.tensor(name, reason));
        }
        let index = self.tensors[name].1;
        part.bytes.lock().unwrap_or_else(PoisonError::into_inner).fetch(index, values)
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.path();
        f.debug_struct("Checkpoint")
            .field("place", &place)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

fn read_index(place: &Place, reader: &mut (impl Read + Seek)) -> Result<ShardIndex, CheckpointError> {
    let length = length(reader).map_err(|cause| place.read(cause))?;
    if length > LONGEST_HEADER {
        return Err(place.broken(format!("has {length} bytes; accepted for an index: at most {LONGEST_HEADER}")));
    }
    ShardIndex::parse(place, &exactly(reader, length).map_err(|cause| place.read(cause))?)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn threads_may_share_a_checkpoint() {
        fn shared<T: Send + Sync>() {}
        shared::<Checkpoint>();
    }

    #[test]
    fn an_index_needs_its_folder() {
        let error = Checkpoint::from_reader(Cursor::new(b"{ \"weight_map\": {} }")).unwrap_err().to_string();
        assert_eq!(error, "(memory): is an index, which names other files; open it by its path");
    }
}

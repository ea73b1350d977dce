//! A model file that is open: what is in it, and its tensors, one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::decode::{check_bytes, decode};
use crate::digest::ModelDigest;
use crate::error::Place;
use crate::header::LONGEST_HEADER;
use crate::index::ShardIndex;
use crate::opened::{Bytes, OpenFile, exactly, length};
use crate::recognise::{Kind, kind};
use crate::shown::{listed, shown};
use crate::{
    CheckpointError, StateDict, StateDictKey, Tensor, TensorInfo, Values, flat, folder, parts, pytorch, regular, shards,
};

/// How many values are read at a time where all are gone through.
const PIECE: usize = 1 << 20;

/// A model file, or several that make up one model. Opening it reads and checks what it says of its tensors; their values
/// are read one tensor at a time.
pub struct Checkpoint {
    place: Place,
    parts: Vec<Part>,
    /// By name: the part, and the place in its list.
    tensors: BTreeMap<String, (usize, usize)>,
    metadata: BTreeMap<String, String>,
    state_dict: Option<StateDict>,
}

/// One file of the model.
struct Part {
    place: Place,
    infos: Vec<TensorInfo>,
    bytes: Mutex<Box<dyn Bytes>>,
}

impl Checkpoint {
    /// Opens a safetensors file, an index of several, a file by `torch.save`, or a folder with exactly one of these.
    /// Which it is, is seen from its content; the name does not matter. `path` itself may be a link. Files that are found in a
    /// folder, or that an index names, may be links within their folder and those of a Hugging Face cache.
    ///
    /// # Errors
    /// When it cannot be read, is none of these, or does not hold what it claims; the message names the tensor where
    /// there is one to name.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Self::open_state_dict(path, None)
    }

    /// As [`open`](Checkpoint::open), with the state dict that is taken of a file by `torch.save`. Without one, it is the
    /// first of `state_dict`, `model_state_dict`, `model` and other usual names, or the only dict of tensors;
    /// [`state_dict`](Checkpoint::state_dict) says which it was.
    ///
    /// # Errors
    /// As for [`open`](Checkpoint::open), and when there is no such state dict; the message lists those there are.
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

    /// Opens a safetensors file or a file by `torch.save` that is not in the file system; messages call it `(memory)`.
    ///
    /// # Errors
    /// As for [`open`](Checkpoint::open).
    pub fn from_reader(mut reader: impl Read + Seek + Send + 'static) -> Result<Self, CheckpointError> {
        let place = Place::new("(memory)");
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
            Kind::Index => return Err(place.broken("is an index; open it by its path, for it names other files")),
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
            parts.push(Part { place: Place::new(path), infos: opened.tensors, bytes: Mutex::new(opened.bytes) });
        }
        if let (None, Some(StateDictKey::Exactly(key))) = (&state_dict, wanted) {
            let problem = "is safetensors, which holds one model and no state dicts by name; accepted: no --state-dict";
            return Err(place.broken(format!("has no state dict {}: it {problem}", shown(key))));
        }
        if tensors.is_empty() {
            Err(place.broken("holds no tensors; accepted: a model with at least one"))
        } else {
            Ok(Checkpoint { place, parts, tensors, metadata, state_dict })
        }
    }

    /// Which of the dicts of a file by `torch.save` the tensors are of, and which others there are; `None` for safetensors.
    pub fn state_dict(&self) -> Option<&StateDict> {
        self.state_dict.as_ref()
    }

    /// The file, or the folder or index that names several, which was opened.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.values().map(|(part, index)| &self.parts[*part].infos[*index])
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|(part, index)| &self.parts[*part].infos[*index])
    }

    /// Reads one tensor.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] when there is none of that name, or its bytes cannot be read.
    pub fn read(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let (_, info) = self.find(name)?;
        let values = self.read_range(name, 0..info.elements())?;
        Ok(Tensor { dtype: info.dtype, shape: info.shape.clone(), values })
    }

    /// Reads some values of one tensor, counted row-major, and holds no more of it than these.
    ///
    /// But a tensor of a file by `torch.save` that is compressed, or is a view of its storage in another order, is held as
    /// a whole until another such tensor is asked for.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] when there is no tensor of that name, it has no such values, or they cannot be read.
    pub fn read_range(&self, name: &str, values: Range<usize>) -> Result<Values, CheckpointError> {
        let (part, info) = self.find(name)?;
        let first = values.start;
        let bytes = self.bytes_of(name, values)?;
        decode(info.dtype, &bytes, first).map_err(|reason| part.place.tensor(name, reason))
    }

    /// As [`read_range`](Checkpoint::read_range), of values that must all be finite.
    ///
    /// # Errors
    /// As for [`read_range`](Checkpoint::read_range), and [`CheckpointError::NotFinite`] with the index, in the whole tensor,
    /// of the first NaN or infinity.
    pub fn read_finite_range(&self, name: &str, values: Range<usize>) -> Result<Values, CheckpointError> {
        let first = values.start;
        let read = self.read_range(name, values)?;
        read.check_finite(&self.find(name)?.0.place, name, first)?;
        Ok(read)
    }

    /// Reads one tensor whose values must all be finite.
    ///
    /// # Errors
    /// As for [`read`](Checkpoint::read), and [`CheckpointError::NotFinite`] with the index of the first NaN or infinity.
    pub fn read_finite(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let tensor = self.read(name)?;
        tensor.values.check_finite(&self.find(name)?.0.place, name, 0)?;
        Ok(tensor)
    }

    /// The bytes of some values of one tensor as they lie in the file, little-endian and row-major: for values that are
    /// written again in the type that they have, such as a copy ([`Writer::write_bytes`](crate::Writer::write_bytes)).
    ///
    /// # Errors
    /// As for [`read_range`](Checkpoint::read_range), and [`CheckpointError::NotFinite`] for the first NaN or infinity,
    /// unless `finite` is false.
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

    /// What the file says of itself: `__metadata__` of a safetensors file, of several the first that has a key; nothing
    /// for a file by `torch.save`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The SHA-256 digest of names, types, shapes and bytes in the order of names, as 64 hexadecimal digits. It is the
    /// same for the same tensors in another order, in several files, or in a file of another kind. Tensors are read in pieces.
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

    /// How many floats all tensors hold, running statistics of normalisations included, counters and other integers not.
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

    fn find(&self, name: &str) -> Result<(&Part, &TensorInfo), CheckpointError> {
        let Some((part, index)) = self.tensors.get(name) else {
            let all = listed(self.tensors.keys().map(String::as_str));
            return Err(self.place.tensor(name, format!("is not there; there are: {all}")));
        };
        Ok((&self.parts[*part], &self.parts[*part].infos[*index]))
    }

    fn bytes_of(&self, name: &str, values: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let (part, info) = self.find(name)?;
        if values.start > values.end || values.end > info.elements() {
            let reason = format!("has {} values, and those of {values:?} were asked for", info.elements());
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
        assert_eq!(error, "(memory): is an index; open it by its path, for it names other files");
    }
}

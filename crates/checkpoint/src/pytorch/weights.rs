//! The tensors of a pickle as views of storages, for all kinds of files by `torch.save`.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::error::Place;
use crate::header::MOST_DIMENSIONS;
use crate::opened::{Bytes, OpenFile};
use crate::pytorch::globals::{Global, UNTYPED};
use crate::pytorch::machine::Pickle;
use crate::pytorch::object::{Object, Storage, TensorObject};
use crate::pytorch::state_dict::{self, NoWeights, Selection, StateDictKey};
use crate::pytorch::view::{View, turn_signs};
use crate::shown::shown;
use crate::{CheckpointError, Dtype, TensorInfo};

/// How often the bytes of all storages may have to be read to read every tensor once. Tied weights share storages, two
/// or three of them, and a column of a matrix needs all rows.
const MOST_READ: u64 = 16;

/// Access to the storages of a file. An error completes the sentence "the tensor …".
pub(crate) trait Storages: Send {
    /// The number of the storage with this key. Checks that it has the claimed number of bytes.
    fn find(&mut self, key: &str, bytes: u64) -> Result<usize, String>;

    /// Whether reading any part of it requires reading all of it.
    fn is_solid(&self, storage: usize) -> bool;

    /// Some of its bytes.
    fn read(&mut self, storage: usize, start: u64, length: u64) -> Result<Vec<u8>, String>;
}

/// The weights of a pickle, or those of the requested state dict.
pub(crate) fn chosen(
    place: &Place,
    pickle: &Pickle,
    wanted: Option<&StateDictKey>,
) -> Result<Selection, CheckpointError> {
    state_dict::choose(pickle, wanted).map_err(|no_weights| match no_weights {
        NoWeights::Tensor(name, reason) => place.tensor(&name, reason),
        NoWeights::File(reason) => place.broken(reason),
        NoWeights::Code(wanted) => place.code(wanted),
    })
}

/// Checks each of these tensors against the storages.
pub(crate) fn open<S: Storages + 'static>(
    place: &Place,
    pickle: &Pickle,
    chosen: Selection,
    storages: S,
) -> Result<OpenFile, CheckpointError> {
    let mut weights = Weights { place: place.clone(), storages, known: HashMap::new(), views: vec![], held: None };
    let mut tensors = vec![];
    for (name, object) in chosen.tensors {
        let (storage, view) = weights.view(pickle, &object).map_err(|reason| place.tensor(&name, reason))?;
        tensors.push(TensorInfo { name: name.clone(), dtype: view.dtype, shape: view.shape().to_vec() });
        weights.views.push((name, storage, view));
    }
    weights.check_cost()?;
    let state_dict = Some(chosen.state_dict);
    Ok(OpenFile { tensors, metadata: BTreeMap::new(), state_dict, bytes: Box::new(weights) })
}

struct Weights<S> {
    place: Place,
    storages: S,
    /// The storages that tensors are views of, by key.
    known: HashMap<String, KnownStorage>,
    /// Each tensor's name, storage and view of it.
    views: Vec<(String, KnownStorage, View)>,
    /// The last tensor that was read in pieces but can be read only as a whole: its index and bytes.
    held: Option<(usize, Vec<u8>)>,
}

/// A storage that some tensor is a view of.
#[derive(Debug, Clone, Copy)]
struct KnownStorage {
    number: usize,
    dtype: Dtype,
    bytes: u64,
}

impl<S: Storages> Weights<S> {
    /// The storage of a tensor of the pickle, and the view of it.
    fn view(&mut self, pickle: &Pickle, tensor: &TensorObject) -> Result<(KnownStorage, View), String> {
        let (sizes, strides) = (integers(pickle, tensor.sizes)?, integers(pickle, tensor.strides)?);
        let storage = self.storage(pickle, tensor.storage, tensor.dtype)?;
        let length = match tensor.dtype {
            // Its length is in bytes.
            Some(dtype) => tensor.storage.length / dtype.bytes() as i64,
            None => tensor.storage.length,
        };
        let view = View::new(storage.dtype, length, tensor.offset, &sizes, &strides)?;
        if tensor.negative { Ok((storage, view.negative()?)) } else { Ok((storage, view)) }
    }

    /// Compares the claims of a storage with the file. `of_tensor` is the type that the tensor states, if it does.
    fn storage(&mut self, pickle: &Pickle, storage: Storage, of_tensor: Option<Dtype>) -> Result<KnownStorage, String> {
        let (Object::Global(Global::Storage { class, dtype }), Object::Text(key)) =
            (pickle.get(storage.class), pickle.get(storage.key))
        else {
            return Err("has no storage".to_owned());
        };
        let dtype = match (dtype, of_tensor) {
            (Some(dtype), None) => *dtype,
            (None, Some(dtype)) if class == UNTYPED => dtype,
            (None, None) => {
                return Err(format!("has values of type {}; accepted: {}", shown(class), Dtype::accepted()));
            }
            (_, Some(dtype)) => {
                return Err(format!(
                    "claims to be {dtype} in a storage of type {}; accepted: `{UNTYPED}`",
                    shown(class)
                ));
            }
        };
        if storage.is_view {
            return Err(
                "has a storage that is a part of another one, which only PyTorch before 0.4 wrote; load the file in \
                 PyTorch and save it again"
                    .to_owned(),
            );
        }
        let width = if of_tensor.is_some() { 1 } else { dtype.bytes() as u64 };
        let bytes = u64::try_from(storage.length).ok().and_then(|count| count.checked_mul(width));
        let bytes = bytes.ok_or_else(|| format!("has a storage of {} values, which is impossible", storage.length))?;
        if let Some(known) = self.known.get(key) {
            return if (known.dtype, known.bytes) == (dtype, bytes) {
                Ok(*known)
            } else {
                Err(format!("shares its storage {} with a tensor of another type or length", shown(key)))
            };
        }
        let known = KnownStorage { number: self.storages.find(key, bytes)?, dtype, bytes };
        self.known.insert(key.clone(), known);
        Ok(known)
    }

    /// Refuses a small file that would take hours to read.
    fn check_cost(&self) -> Result<(), CheckpointError> {
        let stored = self.known.values().fold(0_u64, |sum, storage| sum.saturating_add(storage.bytes));
        let (most, mut sum) = (stored.saturating_mul(MOST_READ), 0_u64);
        for (name, storage, view) in &self.views {
            let cost = self.cost(*storage, view);
            sum = sum.saturating_add(cost);
            if sum > most {
                let reason = format!(
                    "takes {cost} bytes of reading, and with the tensors before it {sum}, out of shared storages of {stored} \
                     bytes; accepted: at most {MOST_READ} times these. Save each tensor after `.clone()`, in a file that is \
                     not compressed"
                );
                return Err(self.place.tensor(name, reason));
            }
        }
        Ok(())
    }

    /// How many bytes must be read to read a tensor once.
    fn cost(&self, storage: KnownStorage, view: &View) -> u64 {
        match view.length {
            0 => 0,
            _ if self.storages.is_solid(storage.number) => storage.bytes,
            length => length * view.dtype.bytes() as u64,
        }
    }

    /// All bytes of a tensor.
    fn whole(&mut self, index: usize) -> Result<Vec<u8>, CheckpointError> {
        let (_, storage, view) = self.views[index].clone();
        let width = view.dtype.bytes() as u64;
        let bytes = self.bytes(index, storage, view.start * width, view.length * width)?;
        Ok(view.gather(bytes))
    }

    /// Some bytes of a tensor that can be read only as a whole, because its values are in another order or compressed.
    /// The last such tensor is held, because reading it again for each piece could take hours.
    fn piece_of_held(&mut self, index: usize, bytes: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let held = match self.held.take() {
            Some((held, all)) if held == index => all,
            _ => self.whole(index)?,
        };
        let piece = held[bytes].to_vec();
        self.held = Some((index, held));
        Ok(piece)
    }

    fn bytes(
        &mut self,
        index: usize,
        storage: KnownStorage,
        start: u64,
        length: u64,
    ) -> Result<Vec<u8>, CheckpointError> {
        let bytes = self.storages.read(storage.number, start, length);
        bytes.map_err(|reason| self.place.tensor(&self.views[index].0, reason))
    }
}

impl<S: Storages> Bytes for Weights<S> {
    fn fetch(&mut self, index: usize, values: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let (_, storage, view) = &self.views[index];
        let (storage, width) = (*storage, view.dtype.bytes());
        if values.is_empty() {
            return Ok(vec![]);
        }
        if values == (0..view.elements()) {
            return self.whole(index);
        }
        if self.storages.is_solid(storage.number) || !view.is_row_major() {
            return self.piece_of_held(index, values.start * width..values.end * width);
        }
        let start = view.start + values.start as u64;
        let negative = view.is_negative;
        let mut bytes = self.bytes(index, storage, start * width as u64, (values.len() * width) as u64)?;
        if negative {
            turn_signs(storage.dtype, &mut bytes);
        }
        Ok(bytes)
    }
}

/// The items of a tuple, if they are all numbers and not too many.
fn integers(pickle: &Pickle, tuple: u32) -> Result<Vec<i64>, String> {
    let Object::Tuple(items) = pickle.get(tuple) else {
        return Err("has sizes or strides that are not a tuple".to_owned());
    };
    if items.len() > MOST_DIMENSIONS {
        return Err(format!("has {} dimensions; accepted: at most {MOST_DIMENSIONS}", items.len()));
    }
    let integer = |id: &u32| match pickle.get(*id) {
        Object::Int(value) => Some(*value),
        _ => None,
    };
    items.iter().map(integer).collect::<Option<_>>().ok_or_else(|| "has sizes or strides that are not ints".to_owned())
}

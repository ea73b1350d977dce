//! A table of names applied to one model: our name and the original name of each tensor.

use std::collections::BTreeMap;

use crate::names::NamesError;
use crate::{Checkpoint, Tensor, TensorInfo};

/// Maps a model's tensors to ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    by_ours: BTreeMap<String, TensorSource>,
    by_foreign: BTreeMap<String, String>,
    ignored: Vec<String>,
}

/// The source of one of our tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorSource {
    pub foreign: String,
    pub transposed: bool,
}

impl Mapping {
    /// The model's name for one of our tensors.
    pub fn foreign(&self, ours: &str) -> Option<&str> {
        self.by_ours.get(ours).map(|mapped| mapped.foreign.as_str())
    }

    /// Our name for one of the model's tensors.
    pub fn ours(&self, foreign: &str) -> Option<&str> {
        self.by_foreign.get(foreign).map(String::as_str)
    }

    /// Pairs of our name and the model's, sorted by our name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_ours.iter().map(|(ours, mapped)| (ours.as_str(), mapped.foreign.as_str()))
    }

    /// Whether one of our tensors is transposed in the model. `false` for a tensor that the model does not have.
    pub fn is_transposed(&self, ours: &str) -> bool {
        self.by_ours.get(ours).is_some_and(|mapped| mapped.transposed)
    }

    /// The model's tensors that were left out.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The description of one of our tensors, with our name and our shape.
    ///
    /// # Errors
    /// [`NamesError::Missing`] when the tensor does not exist, [`NamesError::NoMatrix`] when it cannot be transposed.
    pub fn info(&self, checkpoint: &Checkpoint, ours: &str) -> Result<TensorInfo, NamesError> {
        let mapped = self.mapped(ours)?;
        let found = checkpoint.tensor(&mapped.foreign).ok_or_else(|| missing(ours))?;
        let shape = match (mapped.transposed, &found.shape[..]) {
            (false, shape) => shape.to_vec(),
            (true, [rows, columns]) => vec![*columns, *rows],
            (true, shape) => return Err(NamesError::NoMatrix { name: ours.to_owned(), shape: shape.to_vec() }),
        };
        Ok(TensorInfo { name: ours.to_owned(), dtype: found.dtype, shape })
    }

    /// Reads one of our tensors from the model that the table was applied to, and transposes it if the table says so.
    /// Its values must be finite.
    ///
    /// # Errors
    /// [`NamesError::Missing`] when the tensor does not exist, [`NamesError::NoMatrix`] when it cannot be transposed, and
    /// those of [`Checkpoint::read_finite`].
    pub fn read(&self, checkpoint: &Checkpoint, ours: &str) -> Result<Tensor, NamesError> {
        self.turned(ours, checkpoint.read_finite(&self.mapped(ours)?.foreign)?)
    }

    /// Transposes one of our tensors if the table says so. This works in both directions.
    ///
    /// # Errors
    /// [`NamesError::Missing`] when no tensor has this name, [`NamesError::NoMatrix`] when it cannot be
    /// transposed.
    pub fn turned(&self, ours: &str, tensor: Tensor) -> Result<Tensor, NamesError> {
        if !self.mapped(ours)?.transposed {
            return Ok(tensor);
        }
        tensor.transposed().ok_or_else(|| NamesError::NoMatrix { name: ours.to_owned(), shape: tensor.shape })
    }

    pub(crate) fn insert(&mut self, ours: String, mapped: TensorSource) -> Result<(), NamesError> {
        if let Some(first) = self.by_ours.get(&ours) {
            return Err(NamesError::Collision { first: first.foreign.clone(), second: mapped.foreign, ours });
        }
        self.by_foreign.insert(mapped.foreign.clone(), ours.clone());
        self.by_ours.insert(ours, mapped);
        Ok(())
    }

    pub(crate) fn ignore(&mut self, foreign: &str) {
        self.ignored.push(foreign.to_owned());
    }

    fn mapped(&self, ours: &str) -> Result<&TensorSource, NamesError> {
        self.by_ours.get(ours).ok_or_else(|| missing(ours))
    }
}

fn missing(ours: &str) -> NamesError {
    NamesError::Missing { name: ours.to_owned() }
}

//! Computed tensors: updates from their factors, and base tensors with updates added. Each piece is computed when it is
//! read, and no update is held whole.

use std::ops::Range;
use std::sync::Arc;

use crate::decode::decode;
use crate::encode::encode;
use crate::error::Place;
use crate::opened::Bytes;
use crate::{Checkpoint, CheckpointError, Dtype, TensorInfo, Values};

/// `scale · up · down`.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    /// The name of the weight that it changes, without `.weight`.
    pub target: String,
    pub down: TensorInfo,
    pub up: TensorInfo,
    pub rank: usize,
    pub scale: f64,
    /// Whether the update is transposed.
    pub turned: bool,
}

impl Update {
    /// `[out, in]` or `[out, in, height, width]`. If transposed, `[in, out]`.
    pub(crate) fn shape(&self) -> Vec<usize> {
        let mut shape = [&self.up.shape[..1], &self.down.shape[1..]].concat();
        if self.turned {
            shape.reverse();
        }
        shape
    }

    /// The type of the factors. If they differ, a type that can hold both.
    pub(crate) fn dtype(&self) -> Dtype {
        match (self.down.dtype, self.up.dtype) {
            (one, other) if one == other => one,
            (Dtype::F64, _) | (_, Dtype::F64) => Dtype::F64,
            _ => Dtype::F32,
        }
    }
}

/// Where the values of a tensor come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The values of a tensor of a file.
    Plain { from: Arc<Checkpoint>, info: TensorInfo },
    /// The values of an update, or of a base tensor with an update added. `info` describes the result.
    Update { update: Box<Update>, info: TensorInfo, base: Option<(Arc<Checkpoint>, TensorInfo)> },
}

impl Source {
    pub(crate) fn info(&self) -> &TensorInfo {
        match self {
            Source::Plain { info, .. } | Source::Update { info, .. } => info,
        }
    }
}

pub(crate) struct ComputedTensors {
    place: Place,
    adapter: Arc<Checkpoint>,
    sources: Vec<Source>,
    /// The factors of the last update that was read: its index, `down` and `up`.
    held: Option<(usize, Vec<f64>, Vec<f64>)>,
}

impl ComputedTensors {
    pub(crate) fn new(place: Place, adapter: Arc<Checkpoint>, sources: Vec<Source>) -> Self {
        ComputedTensors { place, adapter, sources, held: None }
    }
}

impl Bytes for ComputedTensors {
    fn fetch(&mut self, index: usize, values: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        let (update, info, base) = match &self.sources[index] {
            Source::Plain { from, info } => return from.read_bytes(&info.name, values, false),
            Source::Update { update, info, base } => (update, info, base),
        };
        let (down, up) = match self.held.take() {
            Some((held, down, up)) if held == index => (down, up),
            _ => (numbers(&self.adapter, &update.down)?, numbers(&self.adapter, &update.up)?),
        };
        let mut made = product(update, &down, &up, values.clone());
        self.held = Some((index, down, up));
        made.iter_mut().for_each(|value| *value *= update.scale);
        if let Some((base, own)) = base {
            let bytes = base.read_bytes(&own.name, values.clone(), true)?;
            made.iter_mut().zip(doubles(own.dtype, &bytes)).for_each(|(value, base)| *value += base);
        }
        match info.dtype {
            Dtype::F64 => Ok(made.iter().flat_map(|value| value.to_le_bytes()).collect()),
            dtype => {
                let count = made.len();
                let floats = Values::Floats(made.into_iter().map(|value| value as f32).collect());
                encode(dtype, &floats, 0..count, values.start).map_err(|reason| {
                    self.place.tensor(&update.down.name, format!("belongs to an update that {reason}"))
                })
            }
        }
    }
}

/// Some values of the product, row-major in the update's shape.
fn product(update: &Update, down: &[f64], up: &[f64], values: Range<usize>) -> Vec<f64> {
    let rank = update.rank;
    // `down` is [rank, inner] and `up` is [outer, rank].
    let inner = down.len().checked_div(rank).unwrap_or_default();
    let outer = update.up.shape[0];
    let mut made = vec![0.0; values.len()];
    if rank == 0 || made.is_empty() {
        return made;
    }
    if update.turned {
        for (value, index) in made.iter_mut().zip(values) {
            let (column, row) = (index / outer, index % outer);
            *value = (0..rank).map(|k| up[row * rank + k] * down[k * inner + column]).sum();
        }
        return made;
    }
    let mut at = values.start;
    while at < values.end {
        let (row, column) = (at / inner, at % inner);
        let count = (inner - column).min(values.end - at);
        let part = &mut made[at - values.start..][..count];
        for k in 0..rank {
            let factor = up[row * rank + k];
            let line = &down[k * inner + column..][..count];
            part.iter_mut().zip(line).for_each(|(value, own)| *value += factor * own);
        }
        at += count;
    }
    made
}

fn numbers(adapter: &Checkpoint, info: &TensorInfo) -> Result<Vec<f64>, CheckpointError> {
    Ok(doubles(info.dtype, &adapter.read_bytes(&info.name, 0..info.elements(), true)?))
}

/// Floats of any type as 64-bit floats, which represent all of them exactly.
fn doubles(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    match (dtype, decode(dtype, bytes, 0)) {
        (Dtype::F64, _) => bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight)).collect(),
        (_, Ok(Values::Floats(values))) => values.into_iter().map(f64::from).collect(),
        // Only floats are read.
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(turned: bool) -> Update {
        let info = |name: &str, shape: &[usize]| TensorInfo {
            name: name.to_owned(),
            dtype: Dtype::F32,
            shape: shape.to_vec(),
        };
        Update { target: "w".to_owned(), down: info("a", &[1, 3]), up: info("b", &[2, 1]), rank: 1, scale: 1.0, turned }
    }

    #[test]
    fn a_piece_is_that_of_the_whole_product() {
        // (1, 10)ᵀ · (2, 3, 4) = 2 3 4 / 20 30 40.
        let (down, up) = ([2.0, 3.0, 4.0], [1.0, 10.0]);
        assert_eq!(product(&update(false), &down, &up, 0..6), [2.0, 3.0, 4.0, 20.0, 30.0, 40.0]);
        assert_eq!(product(&update(false), &down, &up, 2..5), [4.0, 20.0, 30.0]);
        assert_eq!(product(&update(true), &down, &up, 0..6), [2.0, 20.0, 3.0, 30.0, 4.0, 40.0]);
        assert_eq!(product(&update(true), &down, &up, 1..3), [20.0, 3.0]);
    }
}

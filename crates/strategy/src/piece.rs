//! A piece of a model: some values of one of its tensors, in models that hold nothing else.

use std::ops::Range;
use std::sync::Arc;

use alluvium_model::{
    BackboneConfig, BoxedBackbone, Expert, HeadSpec, InputShape, Manifest, ModelError, ModelState, Numbers, Seed,
    Values,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::{Context, Piecewise, StrategyError, Survey};

/// Some values of one tensor.
///
/// A model of a piece is a [`ModelState`] with the heads of the whole model, none or one tensor, and a backbone that cannot
/// run. The tensor has its full name; where the piece is not all of it, it has one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The tensor's full name in a model's weights: `backbone.NAME`, `heads.NAME.weight`.
    pub tensor: String,
    /// The whole tensor's shape.
    pub shape: Vec<usize>,
    /// Which of its values, counted row-major.
    pub values: Range<usize>,
}

impl Piece {
    /// The model of this piece, for a model with these heads. `values`: the piece's, if the model has that tensor.
    ///
    /// # Panics
    /// When there are more or fewer values than the piece has: that is a defect of the caller.
    pub fn model(&self, heads: Vec<HeadSpec>, values: Option<Numbers>) -> ModelState {
        let whole = self.values == (0..self.shape.iter().product());
        let shape = if whole { self.shape.clone() } else { vec![self.values.len()] };
        let tensor = values.map(|values| (self.tensor.clone(), Values::of(shape, values)));
        let input = [1, 1, 1].into();
        ModelState { backbone: Arc::new(NoBackbone {}), input, heads, weights: tensor.into_iter().collect() }
    }

    /// The expert of this piece, for one with this head, of a device with so many training samples.
    ///
    /// # Panics
    /// As for [`model`](Self::model).
    pub fn expert(&self, head: HeadSpec, samples: usize, values: Option<Numbers>) -> Expert {
        let empty = self.model(vec![head.clone()], None);
        let digest = empty.digest();
        let (task_name, parent) = (head.name.clone(), digest.clone());
        let statistics = Default::default();
        let manifest = Manifest { task: 0, task_name, samples, steps: 0, parent, digest, statistics };
        let mut expert = Expert::new(empty, manifest).expect("the manifest was made from the model");
        expert.model = self.model(vec![head], values);
        expert
    }

    /// This piece of a whole model.
    fn of(&self, model: &ModelState) -> ModelState {
        let values = model.weights.get(&self.tensor).map(|tensor| tensor.numbers.part(self.values.clone()));
        self.model(model.heads.clone(), values)
    }
}

/// The same piece of all models that are consolidated.
#[derive(Debug, Clone)]
pub struct Cut {
    /// The piece.
    pub piece: Piece,
    /// That of the central model which the first expert meets.
    pub previous: ModelState,
    /// Those of the experts, in the order in which they are consolidated.
    pub experts: Vec<Expert>,
    /// How many of the experts each round has: a strategy is given the experts of a round at once, see
    /// [`Strategy::consolidate_round`](crate::Strategy::consolidate_round).
    pub rounds: Vec<usize>,
}

impl Cut {
    /// A piece of whole models.
    ///
    /// # Panics
    /// When the piece is not within its tensor.
    pub fn of(piece: Piece, previous: &ModelState, experts: &[Expert], rounds: &[usize]) -> Self {
        let cut = |expert: &Expert| {
            let mut cut = expert.clone();
            cut.model = piece.of(&expert.model);
            cut
        };
        let experts = experts.iter().map(cut).collect();
        Cut { previous: piece.of(previous), experts, rounds: rounds.to_vec(), piece }
    }

    /// The central model that the surveyed expert meets, of this piece; `None` where that is the first one's. `seed` is the
    /// cell's.
    ///
    /// # Errors
    /// As for [`Strategy::consolidate_round`](crate::Strategy::consolidate_round).
    pub fn met(
        &self,
        survey: Survey,
        strategy: &dyn Piecewise,
        compute: &Device,
        seed: Seed,
    ) -> Result<Option<ModelState>, StrategyError> {
        match survey {
            Survey::Start | Survey::Expert(0) => Ok(None),
            Survey::Expert(place) => Ok(Some(self.first(place, strategy, compute, seed)?)),
        }
    }

    /// Consolidates all experts, with a fresh strategy for this piece. Gives the piece's values in the new central model, if
    /// that has the tensor. `seed` is the cell's.
    ///
    /// # Errors
    /// As for [`Strategy::consolidate_round`](crate::Strategy::consolidate_round).
    pub fn consolidate(
        &self,
        strategy: &dyn Piecewise,
        compute: &Device,
        seed: Seed,
    ) -> Result<Option<Values>, StrategyError> {
        let central = self.first(self.experts.len(), strategy, compute, seed)?;
        Ok(central.weights.get(&self.piece.tensor).cloned())
    }

    /// Consolidates so many experts.
    fn first(
        &self,
        count: usize,
        strategy: &dyn Piecewise,
        compute: &Device,
        seed: Seed,
    ) -> Result<ModelState, StrategyError> {
        let mut strategy = strategy.build(&self.piece)?;
        let mut experts = self.experts.iter().take(count);
        let mut central = None;
        let mut before = 0;
        for size in &self.rounds {
            let round: Vec<_> = experts.by_ref().take(*size).collect();
            if round.is_empty() {
                break;
            }
            let previous = central.as_ref().unwrap_or(&self.previous);
            let next = strategy.consolidate_round(previous, &round, &mut Context::new(compute, seed, before))?;
            before += round.len();
            central = Some(next);
        }
        Ok(central.unwrap_or_else(|| self.previous.clone()))
    }
}

/// The backbone of a piece.
#[derive(Debug, Serialize, Deserialize)]
struct NoBackbone {}

#[typetag::serde(name = "piece-of-a-model")]
impl BackboneConfig for NoBackbone {
    fn build(&self, _input: InputShape, _compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let reason = "it is a piece of a model, which cannot run".to_owned();
        Err(ModelError::Backbone { kind: "piece-of-a-model".to_owned(), reason })
    }
}

//! What the teachers say: targets for the student's logits, and the teachers' latents.

use alluvium_model::{Expert, HeadSpec, Model, ModelError, ModelState};
use burn::tensor::{Device, Int, Tensor};

use super::logits::centred;
use super::mixing::Mixing;

/// Both teachers, frozen, and where their units lie among the student's.
#[derive(Debug)]
pub struct Teachers<'a> {
    /// The teachers as plain data: some surrogate data are made from them.
    pub(super) states: (&'a ModelState, &'a Expert),
    previous: Model,
    expert: Model,
    /// What each target is made of.
    mixing: Mixing,
    /// Whether each sample's mean over a teacher's units is subtracted from the teacher's logits.
    centred: bool,
    /// The places of the distilled layers among the backbone's.
    layers: Vec<usize>,
}

/// What both teachers say of some inputs.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The targets of the student's logits, `[inputs, units]`.
    pub logits: Tensor<2>,
    /// The previous model's output of each layer of [`Teachers::with_layers`], `[inputs, size]`.
    pub previous: Vec<Tensor<2>>,
    /// The expert's output of each layer of [`Teachers::with_layers`], `[inputs, size]`.
    pub expert: Vec<Tensor<2>>,
}

/// How many inputs go through the teachers at a time.
const CHUNK: usize = 500;

impl<'a> Teachers<'a> {
    /// Both teachers on a device without autodiff, for this student.
    ///
    /// The target of a unit is what the teacher that knows its class says of it, less the sample's mean over all units of
    /// that teacher ([`centred`]). A class that both know has the mean of both, by `weights`: the previous model's, then
    /// the expert's; `(1.0, 1.0)` for equal ones. A teacher of weight 0 says nothing.
    ///
    /// # Errors
    /// When a teacher cannot be run.
    pub fn new(
        previous: &'a ModelState,
        expert: &'a Expert,
        student: &Model,
        weights: (f64, f64),
        compute: &Device,
    ) -> Result<Self, ModelError> {
        let student: Vec<HeadSpec> = student.heads().iter().map(|head| head.spec.clone()).collect();
        Ok(Teachers {
            states: (previous, expert),
            previous: Model::load(previous, compute)?,
            expert: Model::load(&expert.model, compute)?,
            mixing: Mixing::new(&previous.heads, &expert.model.heads, &student, weights, compute),
            centred: true,
            layers: vec![],
        })
    }

    /// With the teachers' logits as they are, no mean subtracted.
    pub fn with_raw_logits(mut self) -> Self {
        self.centred = false;
        self
    }

    /// With the outputs of these layers of both teachers, by their places among the backbone's layers.
    pub fn with_layers(mut self, layers: Vec<usize>) -> Self {
        self.layers = layers;
        self
    }

    /// What both teachers say of inputs without autodiff, `[inputs, channels, height, width]`.
    pub fn targets(&self, inputs: Tensor<4>) -> Targets {
        let chunks: Vec<_> = inputs.split(CHUNK, 0).into_iter().map(|chunk| self.chunk(chunk)).collect();
        let joined = |of: &dyn Fn(&Targets) -> Tensor<2>| Tensor::cat(chunks.iter().map(of).collect(), 0);
        let layers = 0..self.layers.len();
        Targets {
            logits: joined(&|chunk| chunk.logits.clone()),
            previous: layers.clone().map(|layer| joined(&|chunk| chunk.previous[layer].clone())).collect(),
            expert: layers.map(|layer| joined(&|chunk| chunk.expert[layer].clone())).collect(),
        }
    }

    fn chunk(&self, inputs: Tensor<4>) -> Targets {
        let previous = self.previous.layers(inputs.clone());
        let expert = self.expert.layers(inputs);
        let logits = |model: &Model, layers: &[Tensor<2>]| {
            let logits = model.logits(layers[layers.len() - 1].clone());
            if self.centred { centred(logits) } else { logits }
        };
        let targets = self.mixing.targets(logits(&self.previous, &previous), logits(&self.expert, &expert));
        let chosen = |layers: &[Tensor<2>]| self.layers.iter().map(|index| layers[*index].clone()).collect();
        Targets { logits: targets, previous: chosen(&previous), expert: chosen(&expert) }
    }
}

impl Targets {
    /// The targets of some of the inputs.
    pub(super) fn select(&self, indices: &Tensor<1, Int>) -> Targets {
        let select = |tensor: &Tensor<2>| tensor.clone().select(0, indices.clone());
        Targets {
            logits: select(&self.logits),
            previous: self.previous.iter().map(select).collect(),
            expert: self.expert.iter().map(select).collect(),
        }
    }

    /// The same targets as constants of an autodiff graph.
    pub(super) fn autodiff(self) -> Targets {
        Targets {
            logits: Tensor::from_inner(self.logits),
            previous: self.previous.into_iter().map(Tensor::from_inner).collect(),
            expert: self.expert.into_iter().map(Tensor::from_inner).collect(),
        }
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use alluvium_model::Values;

    use super::*;
    use crate::conformance::{central, expert};

    /// The model with heads that say the same of every input: their weights are 0, their biases these.
    fn saying(mut model: ModelState, biases: &[[f32; 2]]) -> ModelState {
        for (head, biases) in model.heads.clone().into_iter().zip(biases) {
            let of = |name: &str, values: Vec<f32>, shape| (name.to_owned(), Values::new(shape, values));
            let weights = [of("weight", vec![0.0; 8], vec![4, 2]), of("bias", biases.to_vec(), vec![2])];
            model.set_head(head, weights.into_iter().collect());
        }
        model
    }

    fn said(teachers: &Teachers<'_>) -> Vec<f32> {
        let inputs = Tensor::zeros([1, 1, 2, 3], &Device::flex());
        teachers.targets(inputs).logits.into_data().try_into_vec::<f32>().unwrap()
    }

    #[test]
    fn targets_are_each_teachers_logits_less_their_mean_over_its_units() {
        let previous = saying(central(&["a", "b"], 1), &[[1.0, 3.0], [2.0, 6.0]]);
        let mut expert = expert("c", 2);
        expert.model = saying(expert.model, &[[4.0, 0.0]]);
        let compute = Device::flex();
        let student = Model::load(&central(&["a", "b", "c"], 3), &compute).unwrap();
        let teachers = || Teachers::new(&previous, &expert, &student, (1.0, 1.0), &compute).unwrap();
        // The old units' mean is (1 + 3 + 2 + 6)/4 = 3, the new ones' (4 + 0)/2 = 2.
        assert_eq!(said(&teachers()), [-2.0, 0.0, -1.0, 3.0, 2.0, -2.0]);
        assert_eq!(said(&teachers().with_raw_logits()), [1.0, 3.0, 2.0, 6.0, 4.0, 0.0]);
    }
}

//! The teachers' outputs: targets for the student's logits, and the teachers' latents.

use alluvium_model::{Expert, HeadSpec, Inputs, Model, ModelError, ModelState};
use burn::tensor::{Device, Int, Tensor};

use super::logits::centred;
use super::mixing::Mixing;

/// Both teachers, frozen, and how their logits become targets of the student's.
#[derive(Debug)]
pub struct Teachers<'a> {
    /// The teachers as plain data. Some surrogate data are made from them.
    pub(super) states: (&'a ModelState, &'a Expert),
    previous: Model,
    expert: Model,
    /// The sources of each target.
    mixing: Mixing,
    /// Whether the mean of each sample's logits is subtracted from a teacher's logits.
    centred: bool,
    /// The indices of the distilled layers among the backbone's layers.
    layers: Vec<usize>,
}

/// The outputs of both teachers for some inputs.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The targets of the student's logits, `[inputs, logits]`.
    pub logits: Tensor<2>,
    /// The previous model's output of each layer of [`Teachers::with_layers`], `[inputs, size]`.
    pub previous: Vec<Tensor<2>>,
    /// The expert's output of each layer of [`Teachers::with_layers`], `[inputs, size]`.
    pub expert: Vec<Tensor<2>>,
}

/// The number of inputs that go through the teachers at a time.
const CHUNK: usize = 500;

impl<'a> Teachers<'a> {
    /// Both teachers on a device without autodiff, for this student.
    ///
    /// The target of a logit is the logit of the teacher that knows its class, minus the sample's mean over all logits of
    /// that teacher ([`centred`]). If both teachers know the class, the target is their mean by `weights`: that of the
    /// previous model, then that of the expert; `(1.0, 1.0)` for equal weights. A teacher of weight 0 is ignored.
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

    /// Uses the teachers' logits as they are, without subtracting the mean.
    pub fn with_raw_logits(mut self) -> Self {
        self.centred = false;
        self
    }

    /// Adds the outputs of these layers of both teachers, by their indices among the backbone's layers.
    pub fn with_layers(mut self, layers: Vec<usize>) -> Self {
        self.layers = layers;
        self
    }

    /// The outputs of both teachers for inputs without autodiff.
    pub fn targets(&self, inputs: Inputs) -> Targets {
        let chunks: Vec<_> = inputs.split(CHUNK).into_iter().map(|chunk| self.chunk(chunk)).collect();
        let joined = |of: &dyn Fn(&Targets) -> Tensor<2>| Tensor::cat(chunks.iter().map(of).collect(), 0);
        let layers = 0..self.layers.len();
        Targets {
            logits: joined(&|chunk| chunk.logits.clone()),
            previous: layers.clone().map(|layer| joined(&|chunk| chunk.previous[layer].clone())).collect(),
            expert: layers.map(|layer| joined(&|chunk| chunk.expert[layer].clone())).collect(),
        }
    }

    fn chunk(&self, inputs: Inputs) -> Targets {
        let previous = self.previous.layers(inputs.clone());
        let expert = self.expert.layers(inputs.clone());
        let logits = |model: &Model, layers: &[Tensor<2>]| {
            let logits = model.scores(inputs.clone(), layers[layers.len() - 1].clone());
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

    /// The model with heads that give the same logits for every input: their weights are 0, their biases are given.
    fn saying(mut model: ModelState, biases: &[[f32; 2]]) -> ModelState {
        for (head, biases) in model.heads.clone().into_iter().zip(biases) {
            let of = |name: &str, values: Vec<f32>, shape| (name.to_owned(), Values::new(shape, values));
            let weights = [of("weight", vec![0.0; 8], vec![4, 2]), of("bias", biases.to_vec(), vec![2])];
            model.set_head(head, weights.into_iter().collect());
        }
        model
    }

    fn said(teachers: &Teachers<'_>) -> Vec<f32> {
        let inputs = Tensor::<4>::zeros([1, 1, 2, 3], &Device::flex());
        teachers.targets(inputs.into()).logits.into_data().try_into_vec::<f32>().unwrap()
    }

    #[test]
    fn targets_are_each_teachers_logits_less_their_mean() {
        let previous = saying(central(&["a", "b"], 1), &[[1.0, 3.0], [2.0, 6.0]]);
        let mut expert = expert("c", 2);
        expert.model = saying(expert.model, &[[4.0, 0.0]]);
        let compute = Device::flex();
        let student = Model::load(&central(&["a", "b", "c"], 3), &compute).unwrap();
        let teachers = || Teachers::new(&previous, &expert, &student, (1.0, 1.0), &compute).unwrap();
        // The mean of the old logits is (1 + 3 + 2 + 6)/4 = 3, that of the new ones (4 + 0)/2 = 2.
        assert_eq!(said(&teachers()), [-2.0, 0.0, -1.0, 3.0, 2.0, -2.0]);
        assert_eq!(said(&teachers().with_raw_logits()), [1.0, 3.0, 2.0, 6.0, 4.0, 0.0]);
    }
}

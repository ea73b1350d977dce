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
    /// `None` if it has no heads: it has learned nothing yet, so it does not teach.
    previous: Option<Model>,
    expert: Model,
    /// The sources of each target.
    mixing: Mixing,
    /// Whether the mean of each sample's logits is subtracted from a teacher's logits.
    centred: bool,
    /// The indices of the distilled layers among those of the previous model's backbone, and of the expert's.
    layers: [Vec<usize>; 2],
}

/// The outputs of both teachers for some inputs.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The targets of the student's logits, `[inputs, logits]`.
    pub logits: Tensor<2>,
    /// The previous model's output of each layer of [`Teachers::with_layers`], `[inputs, size]`. Empty if it has no heads.
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
    /// previous model, then that of the expert; `(1.0, 1.0)` for equal weights. A teacher of weight 0 is ignored. The backbones of the
    /// teachers may differ. A previous model without heads has learned nothing, so the expert teaches alone.
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
            previous: (!previous.heads.is_empty()).then(|| Model::load(previous, compute)).transpose()?,
            expert: Model::load(&expert.model, compute)?,
            mixing: Mixing::new(&previous.heads, &expert.model.heads, &student, weights, compute),
            centred: true,
            layers: [vec![], vec![]],
        })
    }

    /// Uses the teachers' logits as they are, without subtracting the mean.
    pub fn with_raw_logits(mut self) -> Self {
        self.centred = false;
        self
    }

    /// Adds the outputs of these layers of the previous model, and of these layers of the expert, by their indices among the layers
    /// of their backbones. Both lists have the same length, and are equal if the backbones are.
    pub fn with_layers(mut self, previous: Vec<usize>, expert: Vec<usize>) -> Self {
        self.layers = [previous, expert];
        self
    }

    /// The outputs of both teachers for inputs without autodiff.
    pub fn targets(&self, inputs: Inputs) -> Targets {
        let chunks: Vec<_> = inputs.split(CHUNK).into_iter().map(|chunk| self.chunk(chunk)).collect();
        let joined = |of: &dyn Fn(&Targets) -> Tensor<2>| Tensor::cat(chunks.iter().map(of).collect(), 0);
        let [of_previous, of_expert] = self.layers.each_ref().map(|layers| 0..layers.len());
        let of_previous = of_previous.filter(|_| self.previous.is_some());
        Targets {
            logits: joined(&|chunk| chunk.logits.clone()),
            previous: of_previous.map(|layer| joined(&|chunk| chunk.previous[layer].clone())).collect(),
            expert: of_expert.map(|layer| joined(&|chunk| chunk.expert[layer].clone())).collect(),
        }
    }

    fn chunk(&self, inputs: Inputs) -> Targets {
        let run = |model: &Model, chosen: &[usize]| {
            let layers = model.layers(inputs.clone());
            let logits = model.scores(inputs.clone(), layers[layers.len() - 1].clone());
            let logits = if self.centred { centred(logits) } else { logits };
            (logits, chosen.iter().map(|index| layers[*index].clone()).collect::<Vec<_>>())
        };
        let [of_previous, of_expert] = &self.layers;
        let previous = self.previous.as_ref().map(|model| run(model, of_previous));
        let (logits, expert) = run(&self.expert, of_expert);
        let (of_previous, previous) = previous.map_or((None, vec![]), |(logits, layers)| (Some(logits), layers));
        Targets { logits: self.mixing.targets(of_previous, logits), previous, expert }
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
    use crate::conformance::{central, expert, unlike_expert};

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

    #[test]
    fn teachers_may_differ_and_one_without_heads_does_not_teach() {
        let (previous, expert, compute) = (central(&["a"], 1), unlike_expert("b", 2), Device::flex());
        let student = Model::load(&central(&["a", "b"], 3), &compute).unwrap();
        let targets = |previous: &ModelState| {
            let teachers = Teachers::new(previous, &expert, &student, (1.0, 1.0), &compute).unwrap();
            teachers.with_layers(vec![0], vec![0]).targets(Tensor::<4>::ones([5, 1, 2, 3], &compute).into())
        };
        let both = targets(&previous);
        let sizes = |latents: &[Tensor<2>]| latents.iter().map(|latents| latents.dims()).collect::<Vec<_>>();
        assert_eq!((sizes(&both.previous), sizes(&both.expert)), (vec![[5, 4]], vec![[5, 3]]));
        let alone = targets(&central(&[], 1));
        assert!(alone.previous.is_empty());
        let values = |logits: Tensor<2>| logits.into_data().try_into_vec::<f32>().unwrap();
        let old = values(alone.logits.clone().narrow(1, 0, 2));
        assert_eq!(old, [0.0; 10], "nobody knows the classes of head a");
        assert_eq!(values(alone.logits.narrow(1, 2, 2)), values(both.logits.narrow(1, 2, 2)));
    }
}

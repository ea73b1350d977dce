//! The running strategy: the student's steps.

use alluvium_model::{Expert, Model, ModelState, Optimiser};
use alluvium_strategy::{Context, Strategy, StrategyError, average_backbones, take_head};
use burn::tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;

use crate::loss::{Group, latent_loss, output_loss};
use crate::projections::Projections;
use crate::targets::{Targets, Teachers, groups};
use crate::{BatchNorm, Data, PldConfig, Start};

/// Data-agnostic consolidation. It keeps nothing between devices.
#[derive(Debug)]
pub(crate) struct Pld {
    config: PldConfig,
}

impl Pld {
    pub(crate) fn new(config: PldConfig) -> Self {
        Pld { config }
    }

    /// The student before its first step: all heads of the previous model, and the expert's.
    fn student(&self, previous: &ModelState, expert: &Expert) -> Result<ModelState, StrategyError> {
        let mut student = match self.config.start {
            Start::Previous => previous.clone(),
            Start::Expert => previous.with_backbone_weights(expert.model.backbone_weights()),
            Start::Average => average_backbones(previous, expert, 0.5)?,
        };
        if student.head(&expert.head().name).is_none() {
            take_head(&mut student, expert);
        }
        Ok(student)
    }

    /// The places of the chosen layers among the backbone's, with their sizes.
    fn layers(&self, model: &Model) -> Result<Vec<(usize, usize)>, StrategyError> {
        if self.config.latent_weight == 0.0 {
            return Ok(vec![]);
        }
        let known = model.layer_sizes();
        let find = |name: &String| {
            let place = known.iter().position(|(own, _)| own == name);
            place.map(|place| (place, known[place].1)).ok_or_else(|| StrategyError::Option {
                option: "layers",
                problem: format!("names \"{name}\", which the backbone does not have"),
                accepted: known.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
            })
        };
        self.config.layers.iter().map(find).collect()
    }

    /// L of one batch, `[1]`.
    fn loss(
        &self,
        student: &Model,
        projections: &Projections,
        layers: &[(usize, usize)],
        inputs: Tensor<4>,
        targets: Targets,
        groups: &[Group],
    ) -> Option<Tensor<1>> {
        let config = &self.config;
        let outputs = student.layers(inputs);
        let mut parts = vec![];
        if config.output_weight > 0.0 {
            let logits = student.logits(outputs[outputs.len() - 1].clone());
            let loss = output_loss(&logits, &targets.logits, groups, config.output_loss, config.temperature);
            parts.extend(loss.map(|loss| loss.mul_scalar(config.output_weight)));
        }
        for (number, (place, _)) in layers.iter().enumerate() {
            let own = &outputs[*place];
            let teachers = [
                (config.previous_weight, projections.to_previous(number, own.clone()), &targets.previous[number]),
                (config.expert_weight, projections.to_expert(number, own.clone()), &targets.expert[number]),
            ];
            for (weight, projected, target) in teachers.into_iter().filter(|(weight, ..)| *weight > 0.0) {
                let loss = latent_loss(projected, target.clone(), config.latent_loss);
                parts.push(loss.mul_scalar(weight * config.latent_weight));
            }
        }
        parts.into_iter().reduce(|a, b| a + b)
    }
}

impl Strategy for Pld {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if previous.heads.is_empty() {
            return Ok(expert.model.clone()); // The centre knows nothing yet that could be kept.
        }
        let config = self.config.clone();
        let compute = context.compute().clone();
        let learning = compute.clone().autodiff();
        let seed = context.seed();

        let start = self.student(previous, expert)?;
        let mut student = Model::load(&start, &learning)?;
        if config.batch_norm == BatchNorm::Frozen {
            student.freeze_training_behaviour();
        }
        let layers = self.layers(&student)?;
        let sizes: Vec<_> = layers.iter().map(|(_, size)| *size).collect();
        let mut random = seed.of("projections").random();
        let mut projections = Projections::new(&sizes, config.projection, &mut random, &learning)?;
        let weights = (config.previous_weight, config.expert_weight);
        let groups = groups(&previous.heads, expert.head(), &start.heads, weights, &learning);
        let (old, new) = (Model::load(previous, &compute)?, Model::load(&expert.model, &compute)?);
        let places = layers.iter().map(|(place, _)| *place).collect();
        let teachers = Teachers::new(old, new, &start.heads, weights, places, &compute);

        let mut source = Source::new(&config, context, previous, expert, &teachers)?;
        let mut optimiser = Optimiser::new(config.sgd(), config.steps);
        for step in 0..config.steps {
            let (inputs, targets) = source.batch(step, context, previous, expert, &teachers)?;
            let count = inputs.dims()[0];
            let loss =
                self.loss(&student, &projections, &layers, Tensor::from_inner(inputs), targets.autodiff(), &groups);
            if let Some(loss) = loss {
                optimiser.step_with(loss, &mut student, &mut projections);
            }
            context.step_taken(count, step + 1, config.steps);
        }

        let central = student.state();
        central.weights.check_finite().map_err(StrategyError::Diverged)?;
        Ok(central)
    }
}

/// Where the batches come from: a fixed set, or fresh surrogate data at every step.
struct Source {
    batch_size: usize,
    fixed: Option<FixedSet>,
}

/// A fixed set of inputs: each step takes the next places of a shuffled order.
struct FixedSet {
    inputs: Tensor<4>,
    /// What the teachers say of all inputs, where they were asked before the first step.
    targets: Option<Targets>,
    order: Vec<i32>,
    random: alluvium_model::Random,
}

impl Source {
    fn new(
        config: &PldConfig,
        context: &mut Context<'_>,
        previous: &ModelState,
        expert: &Expert,
        teachers: &Teachers,
    ) -> Result<Self, StrategyError> {
        let batch_size = config.batch_size;
        let inputs = match (config.data, config.cache_teachers) {
            (Data::Surrogate, false) => return Ok(Source { batch_size, fixed: None }),
            (Data::Surrogate, true) => context.surrogate(previous, expert)?,
            (Data::CurrentTask, _) => context.current_task()?.samples.inputs(context.compute()),
        };
        let targets = config.cache_teachers.then(|| teachers.targets(inputs.clone()));
        let random = context.seed().of("batches").random();
        Ok(Source { batch_size, fixed: Some(FixedSet { inputs, targets, order: vec![], random }) })
    }

    /// The inputs of one step and what the teachers say of them, both without autodiff.
    fn batch(
        &mut self,
        step: usize,
        context: &mut Context<'_>,
        previous: &ModelState,
        expert: &Expert,
        teachers: &Teachers,
    ) -> Result<(Tensor<4>, Targets), StrategyError> {
        if let Some(fixed) = &mut self.fixed {
            return Ok(fixed.batch(self.batch_size, teachers));
        }
        let inputs = context.fresh_surrogate(self.batch_size, step, previous, expert)?;
        let targets = teachers.targets(inputs.clone());
        Ok((inputs, targets))
    }
}

impl FixedSet {
    fn batch(&mut self, batch_size: usize, teachers: &Teachers) -> (Tensor<4>, Targets) {
        let all = self.inputs.dims()[0];
        let count = batch_size.min(all);
        if self.order.len() < count {
            self.order = (0..all as i32).collect();
            self.order.shuffle(&mut self.random);
        }
        let places = self.order.split_off(self.order.len() - count);
        let places: Tensor<1, Int> = Tensor::from_data(TensorData::new(places, [count]), &self.inputs.device());
        let inputs = self.inputs.clone().select(0, places.clone());
        let targets = match &self.targets {
            Some(known) => known.select(&places),
            None => teachers.targets(inputs.clone()),
        };
        (inputs, targets)
    }
}

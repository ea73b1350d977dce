//! The running strategy: the student's steps.

use alluvium_model::{Expert, Inputs, Model, ModelState};
use alluvium_strategy::{
    Context, DistillationBatches, Strategy, StrategyError, StudentStart, Targets, Teachers, first_expert,
};
use burn::tensor::Tensor;

use crate::loss::{Group, groups, latent_loss, output_loss};
use crate::projections::Projections;
use crate::recalibration::recalibrated;
use crate::{BatchNorm, Data, PldConfig};

/// Data-agnostic consolidation. It keeps nothing between devices.
#[derive(Debug)]
pub(crate) struct Pld {
    config: PldConfig,
}

impl Pld {
    pub(crate) fn new(config: PldConfig) -> Self {
        Pld { config }
    }

    /// L of one batch, `[1]`.
    fn loss(
        &self,
        student: &Model,
        projections: &Projections,
        layers: &[(usize, usize)],
        inputs: Inputs,
        targets: Targets,
        groups: &[Group],
    ) -> Option<Tensor<1>> {
        let config = &self.config;
        let outputs = student.layers(inputs.clone());
        let mut parts = vec![];
        if config.output_weight > 0.0 {
            let logits = student.scores(inputs, outputs[outputs.len() - 1].clone());
            let loss = output_loss(&logits, &targets.logits, groups, config.output_loss, config.temperature);
            parts.extend(loss.map(|loss| loss.mul_scalar(config.output_weight)));
        }
        for (number, (index, _)) in layers.iter().enumerate() {
            let own = &outputs[*index];
            let teachers = [
                (config.previous_weight, projections.to_previous(number, own.clone()), targets.previous.get(number)),
                (config.expert_weight, projections.to_expert(number, own.clone()), targets.expert.get(number)),
            ];
            for (weight, projected, target) in teachers.into_iter().filter(|(weight, ..)| *weight > 0.0) {
                let Some(target) = target else { continue };
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
        if let Some(first) = first_expert(previous, expert) {
            return Ok(first);
        }
        Pld::new(self.config.for_teachers(previous)).distil(previous, expert, context)
    }
}

impl Pld {
    fn distil(
        &self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let config = &self.config;
        let compute = context.compute().clone();
        let learning = compute.clone().autodiff();

        let start = config.start.unwrap_or(StudentStart::Expert).state(previous, expert, context)?;
        let mut student = Model::load(&start, &learning)?;
        if config.batch_norm != BatchNorm::Batch {
            student.freeze_training_behaviour();
        }
        let layers = config.layers_of(&student.layer_sizes())?;
        let of_expert = config.layers_of_expert(&layers, previous, expert, &compute)?;
        let sizes = |layers: &[(usize, usize)]| layers.iter().map(|(_, size)| *size).collect::<Vec<_>>();
        let indices = |layers: &[(usize, usize)]| layers.iter().map(|(index, _)| *index).collect::<Vec<_>>();
        let mut random = context.seed().of("projections").random();
        let projections =
            Projections::new(&sizes(&layers), &sizes(&of_expert), config.projection, &mut random, &learning)?;
        let weights = (config.previous_weight, config.expert_weight);
        let groups = groups(&previous.heads, expert.head(), &start.heads, weights, &learning);
        let teachers = Teachers::new(previous, expert, &student, weights, &compute)?
            .with_layers(indices(&layers), indices(&of_expert));

        let settings = &config.distillation;
        let batches = match config.data {
            Data::Surrogate => DistillationBatches::of_surrogate(settings, teachers, context)?,
            Data::CurrentTask => {
                let inputs = context.current_task()?.samples.inputs(&compute);
                DistillationBatches::of_inputs(inputs, settings, teachers, context)
            }
        };
        let fixed = batches.fixed_set().cloned();
        let central =
            settings.learn_with(student, projections, batches, context, |student, projections, inputs, targets| {
                self.loss(student, projections, &layers, inputs, targets, &groups)
            })?;
        if config.batch_norm != BatchNorm::Recalibrated {
            return Ok(central);
        }
        let inputs = match fixed {
            Some(inputs) => inputs,
            None => context.surrogate(previous, expert)?, // Every step had new inputs.
        };
        Ok(recalibrated(central, &inputs)?)
    }
}

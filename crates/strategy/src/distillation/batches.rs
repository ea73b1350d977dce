//! The source of the batches: a fixed set of inputs, or new surrogate data at every step.

use alluvium_model::{Inputs, Random};
use burn::tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;

use super::guard::Guard;
use super::{DistillationSettings, Targets, Teachers};
use crate::{Context, StrategyError};

/// The inputs of each step, and the teachers' outputs for them.
#[derive(Debug)]
pub struct DistillationBatches<'a> {
    teachers: Teachers<'a>,
    batch_size: usize,
    fixed: Option<FixedSet>,
    guard: Option<Guard>,
}

/// A fixed set of inputs. Each step takes the next indices of a shuffled order.
#[derive(Debug)]
struct FixedSet {
    inputs: Inputs,
    /// The teachers' outputs for all inputs, if they were computed before the first step.
    targets: Option<Targets>,
    order: Vec<i32>,
    random: Random,
}

impl<'a> DistillationBatches<'a> {
    /// Batches of surrogate data: from the fixed set with `cache_teachers`, otherwise new inputs at every step.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to surrogate data; [`StrategyError::Surrogate`] when they cannot be made.
    pub fn of_surrogate(
        settings: &DistillationSettings,
        teachers: Teachers<'a>,
        context: &mut Context<'_>,
    ) -> Result<Self, StrategyError> {
        if !settings.cache_teachers {
            return Ok(DistillationBatches { teachers, batch_size: settings.batch_size, fixed: None, guard: None });
        }
        let (previous, expert) = teachers.states;
        let inputs = context.surrogate(previous, expert)?;
        Ok(Self::of_inputs(inputs, settings, teachers, context))
    }

    /// Batches of these inputs without autodiff. With `cache_teachers` the teachers run
    /// on all of them now, otherwise on each batch at its step.
    pub fn of_inputs(
        inputs: Inputs,
        settings: &DistillationSettings,
        teachers: Teachers<'a>,
        context: &Context<'_>,
    ) -> Self {
        let all = inputs.len();
        let learned = all - (settings.held_back * all as f64) as usize;
        let guard = (learned < all).then(|| inputs.clone().slice(learned..all));
        let guard = guard.map(|inputs| Guard::new(inputs.clone(), teachers.targets(inputs)));
        let inputs = inputs.slice(0..learned);
        let targets = settings.cache_teachers.then(|| teachers.targets(inputs.clone()));
        let random = context.seed().of("batches").random();
        let fixed = FixedSet { inputs, targets, order: vec![], random };
        DistillationBatches { teachers, batch_size: settings.batch_size, fixed: Some(fixed), guard }
    }

    /// What guards the student, if inputs are held back.
    pub(super) fn take_guard(&mut self) -> Option<Guard> {
        self.guard.take()
    }

    /// The inputs that all steps choose from, without autodiff: not those that are held back. `None` if every step draws new inputs.
    pub fn fixed_set(&self) -> Option<&Inputs> {
        self.fixed.as_ref().map(|fixed| &fixed.inputs)
    }

    /// The inputs of one step and the teachers' outputs for them, both without autodiff.
    pub(super) fn batch(&mut self, step: usize, context: &mut Context<'_>) -> Result<(Inputs, Targets), StrategyError> {
        if let Some(fixed) = &mut self.fixed {
            return Ok(fixed.batch(self.batch_size, &self.teachers));
        }
        let (previous, expert) = self.teachers.states;
        let inputs = context.fresh_surrogate(self.batch_size, step, previous, expert)?;
        let targets = self.teachers.targets(inputs.clone());
        Ok((inputs, targets))
    }
}

impl FixedSet {
    fn batch(&mut self, batch_size: usize, teachers: &Teachers<'_>) -> (Inputs, Targets) {
        let all = self.inputs.len();
        let count = batch_size.min(all);
        if self.order.len() < count {
            self.order = (0..all as i32).collect();
            self.order.shuffle(&mut self.random);
        }
        let indices = self.order.split_off(self.order.len() - count);
        let indices: Tensor<1, Int> = Tensor::from_data(TensorData::new(indices, [count]), &self.inputs.device());
        let inputs = self.inputs.clone().select(indices.clone());
        let targets = match &self.targets {
            Some(known) => known.select(&indices),
            None => teachers.targets(inputs.clone()),
        };
        (inputs, targets)
    }
}

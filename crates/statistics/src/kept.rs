//! What a strategy keeps of the sums that devices sent.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use alluvium_model::{Expert, ModelError, Weights, Width};
use alluvium_strategy::{RunDescription, StrategyError, StrategyState};

use crate::ClassSums;
use crate::statistic::{CLASS_SUMS, left_out};

/// The sums of all devices so far. Where devices take part more than once, the sums of each are kept, because newer ones replace
/// its older ones: no sample counts twice. Otherwise only the total is kept.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Whether devices may come again.
    comes_again: bool,
    /// The total, or the sums of each device by its number.
    sums: BTreeMap<usize, ClassSums>,
    devices: usize,
}

const DEVICES: &str = "devices";
const SUMS: &str = "sums";

impl Kept {
    /// Nothing yet, for a run.
    pub fn of_run(run: &RunDescription) -> Self {
        let comes_again = run.protocol.as_ref().is_some_and(|protocol| protocol.visits_per_device > 1);
        Kept { comes_again, ..Kept::default() }
    }

    /// Takes in the sums of an expert's device, after a change. Returns the classes that the device left out.
    ///
    /// # Errors
    /// When the expert carries no sums, or sums over other features.
    pub fn receive(
        &mut self,
        expert: &Expert,
        change: impl FnOnce(ClassSums) -> ClassSums,
    ) -> Result<Vec<usize>, StrategyError> {
        let sent = expert.statistic(CLASS_SUMS)?;
        let sums = change(ClassSums::from_weights(sent)?);
        let device = if self.comes_again { expert.manifest.task } else { 0 };
        if let Some(before) = self.sums.values().find(|before| before.features() != sums.features()) {
            let reason = format!(
                "the device of the task \"{}\" sent sums over {} features, others over {}",
                expert.manifest.task_name,
                sums.features(),
                before.features()
            );
            return Err(ModelError::Incompatible { reason }.into());
        }
        match self.sums.get_mut(&device) {
            Some(total) if !self.comes_again => total.add(&sums)?,
            Some(own) => *own = sums,
            None => _ = self.sums.insert(device, sums),
        }
        self.devices = if self.comes_again { self.sums.len() } else { self.devices + 1 };
        Ok(left_out(sent))
    }

    /// The sums of all devices. `None` before the first.
    ///
    /// # Errors
    /// When devices sent sums of different kinds.
    pub fn total(&self) -> Result<Option<ClassSums>, ModelError> {
        let mut all = self.sums.values();
        let Some(first) = all.next() else { return Ok(None) };
        let mut total = first.clone();
        all.try_for_each(|sums| total.add(sums))?;
        Ok(Some(total))
    }

    /// The number of devices whose sums are in the total.
    pub fn devices(&self) -> usize {
        self.devices
    }

    /// Changes every sum that is kept.
    pub fn map(&mut self, change: impl Fn(&ClassSums) -> ClassSums) {
        self.sums.values_mut().for_each(|sums| *sums = change(sums));
    }

    /// The state to store, under `devices` and `sums`.
    pub fn state(&self) -> StrategyState {
        let mut weights = Weights::new();
        for (device, sums) in &self.sums {
            weights.extend_below(&format!("{SUMS}.{device}"), sums.to_weights(Width::Double));
        }
        StrategyState { values: [(DEVICES.to_owned(), self.devices.into())].into(), weights }
    }

    /// Restores what [`state`](Self::state) returned, for the same run.
    ///
    /// # Errors
    /// [`StrategyError::State`], which says what is wrong.
    pub fn restore(&mut self, state: &StrategyState) -> Result<(), StrategyError> {
        let wrong = |reason: String| StrategyError::State(reason);
        let devices = state.values.get(DEVICES).and_then(|value| value.as_u64());
        self.devices = devices.ok_or_else(|| wrong(format!("`{DEVICES}` is not a count")))? as usize;
        self.sums.clear();
        let kept = state.weights.below(SUMS);
        for (name, _) in kept.iter() {
            let number = name.split('.').next().and_then(|number| number.parse().ok());
            let number: usize = number.ok_or_else(|| wrong(format!("`{SUMS}.{name}` names no device")))?;
            if let Entry::Vacant(place) = self.sums.entry(number) {
                let sums = ClassSums::from_weights(&kept.below(&number.to_string()));
                place.insert(sums.map_err(|error| wrong(error.to_string()))?);
            }
        }
        Ok(())
    }
}

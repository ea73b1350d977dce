//! The selection of surrogate data: of many inputs, those that look most like data to the models.

use std::path::PathBuf;

use alluvium_model::{Inputs, Model};
use alluvium_registry::{Family, FamilyKeys, NestedError, inventory, nested};
use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::fitting::{Fitted, Fitting};
use crate::{
    RunDescription, RunningStatistics, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, fits_in_memory,
};

/// The number of inputs that go through a model at a time.
const CHUNK: usize = 250;

/// The keys that every `[surrogate]` table takes beside those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Selection {
    /// The fraction of the drawn inputs that is kept: those whose features are nearest to the running statistics of the previous
    /// central model and of the expert, over all batch normalisations. 1 keeps all. With 0.25, four times as many inputs are drawn
    /// as are used. It needs a backbone with batch normalisation.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub select: f64,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { select: 1.0 }
    }
}

inventory::submit! {
    FamilyKeys { family: Family::Surrogate, schema: || schemars::schema_for!(Selection) }
}

/// A `[surrogate]` table as it is read: the options of a kind, and the keys that every kind takes.
///
/// ```
/// # use alluvium_strategy::{RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateTable, options, plugin};
/// # /// Grey pictures.
/// # #[options]
/// # struct GreyConfig {
/// #     /// The shade.
/// #     shade: u8,
/// # }
/// # #[plugin(kind = "shades-of-grey")]
/// # impl SurrogateConfig for GreyConfig {
/// #     fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
/// #         unimplemented!()
/// #     }
/// # }
/// use serde_json::json;
///
/// let table = json!({"kind": "shades-of-grey", "shade": 3, "select": 0.25});
/// let config = serde_json::from_value::<SurrogateTable>(table.clone()).unwrap().into_config();
/// assert_eq!(serde_json::to_value(&config).unwrap(), table);
/// ```
#[derive(Debug)]
pub struct SurrogateTable(Box<dyn SurrogateConfig>);

impl SurrogateTable {
    /// The configuration. It draws more inputs than are asked for if the table selects among them.
    pub fn into_config(self) -> Box<dyn SurrogateConfig> {
        self.0
    }
}

impl<'de> Deserialize<'de> for SurrogateTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::deserialize(deserializer)?;
        let (select, fit_steps) = (table.remove("select"), table.remove("fit_steps"));
        let source: Box<dyn SurrogateConfig> =
            serde_json::from_value(Value::Object(table)).map_err(D::Error::custom)?;
        let selection = select.map_or(Ok(Selection::default().select), serde_json::from_value::<f64>);
        let selection = Selection { select: selection.map_err(D::Error::custom)? };
        let fit_steps = fit_steps.map(serde_json::from_value::<usize>).transpose().map_err(D::Error::custom)?;
        let fitting = Fitting { fit_steps };
        // Without these keys, nothing is added: what is written is that of the kind alone.
        let plain = selection == Selection::default() && fit_steps.is_none() && source.fit_steps() == 0;
        Ok(SurrogateTable(if plain { source } else { Box::new(SelectedConfig { source, selection, fitting }) }))
    }
}

/// Reads the configuration of surrogate data from a table within the options of something else.
///
/// # Errors
/// [`NestedError`] when the kind is missing or not linked, or when an option is wrong.
pub fn nested_surrogate(table: &Map<String, Value>) -> Result<Box<dyn SurrogateConfig>, NestedError> {
    nested(Family::Surrogate, table).map(SurrogateTable::into_config)
}

/// Surrogate data of some kind, selected and fitted.
#[derive(Debug)]
struct SelectedConfig {
    source: Box<dyn SurrogateConfig>,
    selection: Selection,
    fitting: Fitting,
}

impl Serialize for SelectedConfig {
    /// The options of the kind, and the selection. The caller writes the kind.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serde_json::to_value(&self.source).map_err(S::Error::custom)?;
        if self.selection != Selection::default() {
            table["select"] = self.selection.select.into();
        }
        if let Some(steps) = self.fitting.fit_steps {
            table["fit_steps"] = steps.into();
        }
        if let Value::Object(table) = &mut table {
            table.remove("kind");
        }
        table.serialize(serializer)
    }
}

/// It has the kind of its source, so it is not registered under a kind of its own. [`SurrogateTable`] reads it.
impl SurrogateConfig for SelectedConfig {
    fn typetag_name(&self) -> &'static str {
        self.source.typetag_name()
    }

    fn typetag_deserialize(&self) {}

    fn validate(&self, run: &RunDescription) -> Result<(), SurrogateError> {
        self.source.validate(run)?;
        match &run.backbone {
            _ if self.selection == Selection::default() => Ok(()),
            Some(backbone) if backbone.batch_norms.is_empty() => {
                Err(self.selection.idle(&format!("the backbone \"{}\"", backbone.kind)))
            }
            _ => Ok(()),
        }
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let mut source = self.source.build(run)?;
        if self.selection != Selection::default() {
            let candidates = self.selection.candidates(source.samples());
            run.input.map_or(Ok(()), |input| fits_in_memory(candidates, input))?;
            source = Box::new(Selected { source, selection: self.selection });
        }
        let steps = self.fitting.fit_steps.unwrap_or(self.source.fit_steps());
        // A run whose backbone is not known has no statistics to fit to.
        if steps > 0 && run.backbone.as_ref().is_some_and(|backbone| !backbone.batch_norms.is_empty()) {
            source = Box::new(Fitted { source, steps });
        }
        Ok(source)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.source.files()
    }

    fn fit_steps(&self) -> usize {
        self.source.fit_steps()
    }

    fn stream_kinds(&self) -> Vec<String> {
        self.source.stream_kinds()
    }
}

impl Selection {
    /// How many inputs are drawn to keep this many.
    fn candidates(self, kept: usize) -> usize {
        // A cast from float saturates.
        ((kept as f64 / self.select).ceil() as usize).max(kept)
    }

    /// The error about models without running statistics.
    fn idle(self, models: &str) -> SurrogateError {
        SurrogateError::Option {
            option: "select",
            problem: format!(
                "= {} has no effect: {models} has no batch normalisation to compare inputs with",
                self.select
            ),
            accepted: "1, or a backbone with batch normalisation".to_owned(),
        }
    }
}

/// A source of the inputs of another one that look most like data to both models.
///
/// It keeps nothing between draws: the models of each consolidation rank the same candidates again.
#[derive(Debug)]
struct Selected {
    source: Box<dyn Surrogate>,
    selection: Selection,
}

impl Surrogate for Selected {
    fn samples(&self) -> usize {
        self.source.samples()
    }

    /// Draws more inputs, and keeps those whose larger distance to the two models ([`RunningStatistics::of_each`]) is smallest, in
    /// the order in which they were drawn. A model without heads has not learned yet, so its statistics are not those of data: it
    /// is left out, as in model inversion.
    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let candidates = self.source.draw(self.selection.candidates(count), request)?;
        let states = [request.previous, &request.expert.model].into_iter().filter(|state| !state.heads.is_empty());
        let (mut distances, mut compared) = (vec![0.0_f64; candidates.len()], false);
        for state in states {
            let mut model = Model::load(state, request.compute)?;
            model.freeze_training_behaviour();
            let running = RunningStatistics::of(&model, request.compute);
            if running.is_empty() {
                continue; // The network of a device may have no batch normalisation where the centre's has some.
            }
            compared = true;
            let chunks = candidates.clone().split(CHUNK).into_iter();
            let found = chunks.flat_map(|chunk| running.of_each(&model, chunk));
            // What is not a number is far away.
            let found = found.map(|one| if one.is_nan() { f64::INFINITY } else { one });
            distances.iter_mut().zip(found).for_each(|(largest, one)| *largest = largest.max(one));
        }
        if !compared {
            return Err(self.selection.idle("the model"));
        }
        let kept: Vec<i64> = nearest(&distances, count).into_iter().map(|index| index as i64).collect();
        let count = kept.len();
        Ok(candidates.select(Tensor::from_data(TensorData::new(kept, [count]), request.compute)))
    }
}

/// The indices of the smallest distances, in ascending order. Of equal ones, the first.
fn nearest(distances: &[f64], count: usize) -> Vec<usize> {
    let mut indices: Vec<_> = (0..distances.len()).collect();
    indices.sort_by(|one, other| distances[*one].total_cmp(&distances[*other]));
    indices.truncate(count);
    indices.sort_unstable();
    indices
}

#[cfg(test)]
mod tests;

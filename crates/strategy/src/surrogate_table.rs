//! A `[surrogate]` table: the options of a kind, and the keys that every kind takes.

use std::path::PathBuf;

use alluvium_model::Digest;
use alluvium_registry::{Family, NestedError, nested};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::fitting::{Fitted, Fitting};
use crate::selection::{Selected, Selection};
use crate::{RunDescription, Surrogate, SurrogateConfig, SurrogateError, fits_in_memory};

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
        Ok(SurrogateTable(if plain { source } else { Box::new(WithCommonKeys { source, selection, fitting }) }))
    }
}

/// Reads the configuration of surrogate data from a table within the options of something else.
///
/// # Errors
/// [`NestedError`] when the kind is missing or not linked, or when an option is wrong.
pub fn nested_surrogate(table: &Map<String, Value>) -> Result<Box<dyn SurrogateConfig>, NestedError> {
    nested(Family::Surrogate, table).map(SurrogateTable::into_config)
}

/// Surrogate data of some kind, and the keys that every kind takes.
#[derive(Debug)]
struct WithCommonKeys {
    source: Box<dyn SurrogateConfig>,
    selection: Selection,
    fitting: Fitting,
}

impl Serialize for WithCommonKeys {
    /// The options of the kind, and the common keys that are given. The caller writes the kind.
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
impl SurrogateConfig for WithCommonKeys {
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

    fn revision(&self) -> Option<Digest> {
        self.source.revision()
    }

    fn fit_steps(&self) -> usize {
        self.source.fit_steps()
    }

    fn stream_kinds(&self) -> Vec<String> {
        self.source.stream_kinds()
    }
}

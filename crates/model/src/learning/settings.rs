//! The table of settings.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{Average, NamePattern, OptimizerKind, Schedule};
use crate::BACKBONE;

/// How a model learns. A table of options flattens it into itself, and may have other defaults; see [`Learning::given`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct Learning {
    /// The optimiser.
    pub optimizer: OptimizerKind,
    /// The learning rate; after the warm-up, that of the first step.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub learning_rate: f64,
    /// The momentum of `sgd`; 0 for none. No dampening, as in PyTorch.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub momentum: f64,
    /// The L2 penalty on the weights; with `adamw`, the fraction of each weight, times the learning rate, that a step takes away. 0
    /// for none.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub weight_decay: f64,
    /// How the learning rate changes over the steps.
    pub schedule: Schedule,
    /// The fraction of the steps over which the learning rate first rises along a line; the schedule begins after them. 0 for none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub warmup: f64,
    /// The largest norm of a step's gradients; larger ones are scaled down to it. 0: no limit.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub gradient_clip: f64,
    /// Patterns of the names of parameters that stay as they are, such as `backbone.*`: `*` stands for any characters. The names are
    /// those of a stored model, which `alluvium inspect` lists. If all parameters of the backbone stay, so do its running
    /// statistics.
    #[schemars(length(max = 1024))]
    pub freeze: Vec<NamePattern>,
    /// An average of the weights over the steps, which becomes the result. Default: the weights after the last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average: Option<Average>,
}

impl Default for Learning {
    fn default() -> Self {
        Learning {
            optimizer: OptimizerKind::Sgd,
            learning_rate: 0.01,
            momentum: 0.9,
            weight_decay: 0.0,
            schedule: Schedule::Constant,
            warmup: 0.0,
            gradient_clip: 0.0,
            freeze: vec![],
            average: None,
        }
    }
}

/// Settings that do not go together, or do not fit a backbone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearningMisfit {
    /// The path of its key.
    pub path: &'static [&'static str],
    /// What is wrong with it: words that follow the key.
    pub problem: String,
    /// What is accepted.
    pub accepted: String,
}

impl fmt::Display for LearningMisfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}; accepted: {}", self.path.join("."), self.problem, self.accepted)
    }
}

impl Learning {
    /// These settings with the keys that a table gives. For `#[serde(flatten, deserialize_with = …)]` in a table with other defaults:
    /// serde would take the missing keys of a flattened table from that table's own default.
    ///
    /// # Errors
    /// When a value has the wrong type.
    pub fn given<'de, D: Deserializer<'de>>(self, table: D) -> Result<Self, D::Error> {
        let given = Map::<String, Value>::deserialize(table)?;
        let Value::Object(mut all) = serde_json::to_value(self).map_err(D::Error::custom)? else { unreachable!() };
        for (key, value) in given {
            // Keys of the outer table are ignored below.
            all.insert(key, value);
        }
        serde_json::from_value(Value::Object(all)).map_err(D::Error::custom)
    }

    /// The first setting that does not go with the others, or with a backbone whose parameters have these names and shapes. Without
    /// any, the backbone is not known.
    pub fn misfit(&self, shapes: &BTreeMap<String, Vec<usize>>) -> Option<LearningMisfit> {
        let misfit =
            |path, problem, accepted: &str| Some(LearningMisfit { path, problem, accepted: accepted.to_owned() });
        if self.optimizer != OptimizerKind::Sgd && self.momentum != Learning::default().momentum {
            let problem = format!("= {} is an option of the optimizer \"sgd\"", self.momentum);
            return misfit(&["momentum"], problem, "`beta1` in the table `optimizer`");
        }
        let names: Vec<_> = shapes.keys().map(|name| format!("{BACKBONE}.{name}")).collect();
        // The heads are not known before the tasks are.
        let of_heads = |pattern: &NamePattern| pattern.0.starts_with("heads.") || pattern.0.starts_with('*');
        let idle = self.freeze.iter().find(|one| !of_heads(one) && !names.iter().any(|name| one.fits(name)));
        if let (Some(pattern), false) = (idle, names.is_empty()) {
            let problem = format!("names \"{}\", which fits no parameter", pattern.0);
            return misfit(&["freeze"], problem, &shown(&names));
        }
        let stays = |name: &str| NamePattern::any(&self.freeze, name);
        if stays("heads.any.weight") && stays("heads.any.bias") && names.iter().all(|name| stays(name)) {
            return misfit(
                &["freeze"],
                "keeps every parameter: nothing would learn".to_owned(),
                "patterns that leave some",
            );
        }
        None
    }
}

/// The first names of a list, in words.
pub(super) fn shown(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(8).map(String::as_str).collect();
    let more =
        if names.len() > first.len() { format!(" and {} more", names.len() - first.len()) } else { String::new() };
    format!("patterns such as `backbone.*`, of the names {}{more}", first.join(", "))
}

/// States the defaults of a table's flattened [`Learning`] in its schema, which has that table's own otherwise.
pub fn state_defaults(schema: &mut Schema, defaults: &Learning) {
    let defaults = serde_json::to_value(defaults).unwrap_or_default();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (key, property) in properties.into_iter().flatten() {
        if let (Some(default), Some(property)) = (defaults.get(key), property.as_object_mut()) {
            property.insert("default".to_owned(), default.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::AdamOptions;

    /// A table with another default.
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    #[schemars(transform = defaults)]
    struct Table {
        steps: usize,
        #[serde(flatten, deserialize_with = "learning")]
        learning: Learning,
    }

    impl Default for Table {
        fn default() -> Self {
            Table { steps: 3, learning: Learning { learning_rate: 0.5, ..Learning::default() } }
        }
    }

    fn learning<'de, D: Deserializer<'de>>(table: D) -> Result<Learning, D::Error> {
        Table::default().learning.given(table)
    }

    fn defaults(schema: &mut Schema) {
        state_defaults(schema, &Table::default().learning);
    }

    #[test]
    fn missing_keys_have_the_defaults_of_the_outer_table() {
        let table: Table = serde_json::from_value(json!({"momentum": 0.5})).unwrap();
        assert_eq!((table.steps, table.learning.learning_rate, table.learning.momentum), (3, 0.5, 0.5));
        assert_eq!(table.learning.optimizer, OptimizerKind::Sgd);
        let table: Table = serde_json::from_value(json!({"steps": 1, "optimizer": {"kind": "adamw"}})).unwrap();
        assert_eq!(table.learning.optimizer, OptimizerKind::AdamW(AdamOptions::default()));
        assert_eq!((table.steps, table.learning.learning_rate), (1, 0.5));
        let table: Table = serde_json::from_value(json!({"average": {"kind": "last", "steps": 7}})).unwrap();
        assert_eq!(table.learning.average, Some(Average::Last { steps: 7 }));
        assert!(serde_json::from_value::<Table>(json!({"optimizer": {"kind": "adam", "beta3": 1}})).is_err());

        let schema = schemars::schema_for!(Table).to_value();
        assert_eq!(schema["properties"]["learning_rate"]["default"], 0.5);
        assert_eq!(schema["properties"]["optimizer"]["default"], json!({"kind": "sgd"}));
    }

    #[test]
    fn settings_that_do_not_go_together_are_named() {
        let shapes =
            [("layer.weight", vec![3, 2]), ("layer.bias", vec![2])].map(|(name, shape)| (name.to_owned(), shape));
        let shapes = BTreeMap::from(shapes);
        let says = |learning: Learning| learning.misfit(&shapes).map(|misfit| misfit.to_string());
        assert_eq!(says(Learning::default()), None);
        let adam = OptimizerKind::Adam(AdamOptions::default());
        assert_eq!(says(Learning { optimizer: adam, ..Learning::default() }), None);
        let found = says(Learning { optimizer: adam, momentum: 0.5, ..Learning::default() }).unwrap();
        assert!(found.starts_with("`momentum` = 0.5 is an option of the optimizer \"sgd\""), "{found}");

        let freeze = |patterns: &[&str]| {
            let freeze = patterns.iter().map(|one| NamePattern::from(*one)).collect();
            says(Learning { freeze, ..Learning::default() })
        };
        assert_eq!(freeze(&["backbone.*"]), None);
        assert_eq!(freeze(&["*.bias", "heads.a.*"]), None);
        let found = freeze(&["layer.weight"]).unwrap();
        assert!(found.starts_with("`freeze` names \"layer.weight\", which fits no parameter"), "{found}");
        assert!(found.ends_with("of the names backbone.layer.bias, backbone.layer.weight"), "{found}");
        assert!(freeze(&["*"]).unwrap().contains("nothing would learn"));
        assert!(freeze(&["backbone.*", "heads.*"]).unwrap().contains("nothing would learn"));
    }
}

//! The description that a plugin submits.

use std::collections::BTreeMap;
use std::fmt;

use schemars::Schema;
use serde_json::Value;

use crate::SchemaNode;

/// A family of plugins: those that implement the same trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// A consolidation strategy: previous central model + expert (+ surrogate data) → new central model.
    Strategy,
    /// A task stream: the ordered tasks, one a device.
    Stream,
    /// A backbone: the feature extractor φ of every model.
    Backbone,
    /// A classifier: how a head turns a sample into scores of its classes.
    Classifier,
    /// Surrogate data: unlabelled inputs that belong to no device.
    Surrogate,
    /// A device: who adapts the central model to a task, and where.
    Device,
    /// A backend: where tensors live and run.
    Backend,
}

impl Family {
    /// All families, in the order in which they are listed.
    pub const ALL: [Family; 7] = [
        Family::Strategy,
        Family::Stream,
        Family::Backbone,
        Family::Classifier,
        Family::Surrogate,
        Family::Device,
        Family::Backend,
    ];

    /// The family's name in the plural, as `alluvium list` takes it.
    pub fn plural(self) -> &'static str {
        match self {
            Family::Strategy => "strategies",
            Family::Stream => "streams",
            Family::Backbone => "backbones",
            Family::Classifier => "classifiers",
            Family::Surrogate => "surrogates",
            Family::Device => "devices",
            Family::Backend => "backends",
        }
    }

    /// The table of a configuration file in which a plugin of this family is named.
    pub fn table(self) -> &'static str {
        match self {
            Family::Strategy => "[[strategies]]",
            Family::Stream => "[stream]",
            Family::Backbone => "[backbone]",
            Family::Classifier => "[classifier]",
            Family::Surrogate => "[surrogate]",
            Family::Device => "[device]",
            Family::Backend => "[backend]",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Strategy => "strategy",
            Family::Stream => "stream",
            Family::Backbone => "backbone",
            Family::Classifier => "classifier",
            Family::Surrogate => "surrogate",
            Family::Device => "device",
            Family::Backend => "backend",
        })
    }
}

/// The description of a plugin. The attribute `plugin`, which every trait crate has, submits one.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// The trait that the plugin implements.
    pub family: Family,
    /// The plugin's name in a configuration: `kind = "…"`. Lower case, words joined by hyphens.
    pub kind: &'static str,
    /// The publication of the method; empty if the method is common knowledge.
    pub paper: &'static str,
    /// Whether a table of the family that names no kind means this one. A family has at most one such kind.
    pub default: bool,
    /// The JSON Schema of the plugin's options. Its description says what the plugin does. Each property has its meaning, default
    /// and range.
    pub schema: OptionsSchema,
}

inventory::collect!(Description);

/// Where the JSON Schema of a plugin's options comes from.
#[derive(Debug, Clone, Copy)]
pub enum OptionsSchema {
    /// It is made from the struct that the options are read into; its description is the struct's doc comment.
    Made(fn() -> Schema),
    /// It was stated when the kind was added to the running program, see [`add`](crate::add).
    Stated(&'static Value),
}

impl OptionsSchema {
    /// The schema.
    pub fn get(self) -> Value {
        match self {
            OptionsSchema::Made(make) => make().to_value(),
            OptionsSchema::Stated(schema) => schema.clone(),
        }
    }
}

/// Keys that every kind of a family takes beside its own options, because the caller, not the plugin, acts on them.
#[derive(Debug, Clone, Copy)]
pub struct FamilyKeys {
    /// The family.
    pub family: Family,
    /// The JSON Schema of the keys, made from the struct that they are read into. None of them is required.
    pub schema: fn() -> Schema,
}

inventory::collect!(FamilyKeys);

/// A kind that a build leaves out, because a cargo feature is off. Submit one with [`left_out!`](crate::left_out).
#[derive(Debug, Clone, Copy)]
pub struct OmittedKind {
    /// The trait that the plugin would implement.
    pub family: Family,
    /// The plugin's name in a configuration.
    pub kind: &'static str,
    /// The cargo feature of the binary that includes the plugin.
    pub feature: &'static str,
}

inventory::collect!(OmittedKind);

/// One option of a plugin, taken from its schema.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionDescription {
    /// The key in the configuration.
    pub name: String,
    /// What the option sets: the doc comment of the field.
    pub meaning: String,
    /// The default; `None` if the option must be given or is absent by default.
    pub default: Option<Value>,
    /// What is accepted, in words: a type and a range or the list of values.
    pub accepts: String,
    /// Whether the option must be given.
    pub required: bool,
}

impl Description {
    /// What the plugin does: the whole doc comment of its options' struct.
    pub fn text(&self) -> String {
        let schema = self.schema.get();
        schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// What the plugin does, in a line: the first paragraph of [`text`](Self::text).
    pub fn summary(&self) -> String {
        let text = self.text();
        let first = text.split("\n\n").next().unwrap_or_default();
        first.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The plugin's options in the order of their declaration, then the keys that every kind of the family takes.
    pub fn options(&self) -> Vec<OptionDescription> {
        let schema = self.options_schema();
        let table = SchemaNode::root(&schema);
        let described = table.properties().map(|(name, property)| {
            let node = table.at(property);
            // The field's doc comment, or that of the type it refers to.
            let meaning = property.get("description").or_else(|| node.keyword("description"));
            OptionDescription {
                name: name.clone(),
                meaning: meaning.and_then(Value::as_str).unwrap_or_default().to_owned(),
                default: property.get("default").filter(|value| !value.is_null()).cloned(),
                accepts: node.accepts(),
                required: table.requires(name),
            }
        });
        described.collect()
    }

    /// The schema that a table of options is checked against: [`schema`](Self::schema) with the keys of the family
    /// ([`FamilyKeys`]), and without additional keys. An unknown key is always wrong, even if the struct would ignore it, because a
    /// misspelt key would silently keep its default.
    pub fn options_schema(&self) -> Value {
        let mut schema = self.schema.get();
        // Another build may submit them in another order.
        let mut of_family = BTreeMap::new();
        for keys in inventory::iter::<FamilyKeys>.into_iter().filter(|keys| keys.family == self.family) {
            if let Value::Object(keys) = (keys.schema)().to_value()["properties"].take() {
                of_family.extend(keys);
            }
        }
        of_family.into_iter().for_each(|(name, property)| schema["properties"][name] = property);
        let Some(table) = schema.as_object_mut() else { return schema };
        if !["additionalProperties", "unevaluatedProperties"].iter().any(|key| table.contains_key(*key)) {
            // Keys can come from another schema (a flattened enum), and only the second keyword knows those.
            let from_elsewhere = ["allOf", "anyOf", "oneOf", "$ref"].iter().any(|key| table.contains_key(*key));
            let keyword = if from_elsewhere { "unevaluatedProperties" } else { "additionalProperties" };
            table.insert(keyword.to_owned(), false.into());
        }
        schema
    }
}

/// Submits a kind that a build leaves out, and the cargo feature that includes it. The error about the kind names the feature.
///
/// ```
/// use alluvium_registry::{Family, left_out};
///
/// #[cfg(not(feature = "tpu"))]
/// left_out!(Family::Backend, "tpu", feature: "tpu");
///
/// let error = alluvium_registry::find(Family::Backend, "tpu").unwrap_err();
/// assert!(error.to_string().contains("--features tpu"));
/// ```
#[macro_export]
macro_rules! left_out {
    ($family:expr, $kind:literal, feature: $feature:literal) => {
        $crate::inventory::submit! {
            $crate::OmittedKind { family: $family, kind: $kind, feature: $feature }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps the previous central model and drops
    /// the expert.
    ///
    /// More.
    #[derive(schemars::JsonSchema)]
    #[allow(dead_code)]
    struct KeepPrevious {
        /// How often to keep it.
        times: u32,
    }

    /// Keys of a family that no other test reads.
    #[derive(schemars::JsonSchema)]
    #[allow(dead_code)]
    struct OfEveryDevice {
        /// How loud it is.
        #[schemars(range(min = 0, max = 9))]
        volume: Option<u32>,
    }

    inventory::submit! {
        FamilyKeys { family: Family::Device, schema: || schemars::schema_for!(OfEveryDevice) }
    }

    #[test]
    fn every_kind_of_a_family_takes_the_keys_of_the_family() {
        let schema = OptionsSchema::Made(|| schemars::schema_for!(KeepPrevious));
        let of = |family| Description { family, kind: "a", paper: "", default: false, schema };
        let names = |family| of(family).options().into_iter().map(|option| option.name).collect::<Vec<_>>();
        assert_eq!(names(Family::Device), ["times", "volume"]);
        assert_eq!(names(Family::Strategy), ["times"]);
        assert_eq!(of(Family::Device).options()[1].meaning, "How loud it is.");
        let checked = |volume: u32| {
            let table = serde_json::json!({"times": 1, "volume": volume});
            crate::check_table(&of(Family::Device).options_schema(), &table).len()
        };
        assert_eq!((checked(9), checked(10)), (0, 1));
    }

    #[test]
    fn it_is_read_from_doc_comments() {
        let schema = OptionsSchema::Made(|| schemars::schema_for!(KeepPrevious));
        let kept = Description { family: Family::Strategy, kind: "keep-previous", paper: "", default: false, schema };
        assert_eq!(kept.summary(), "Keeps the previous central model and drops the expert.");
        let options = kept.options();
        assert_eq!((options[0].name.as_str(), options[0].meaning.as_str()), ("times", "How often to keep it."));
        assert!(options[0].required && options[0].default.is_none());
    }
}

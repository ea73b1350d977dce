//! The registry of the shipped binary: every kind that can be parsed describes itself, and every description is true.

use std::collections::BTreeSet;

use alluvium_backend::BackendConfig;
use alluvium_device::DeviceConfig;
use alluvium_model::{BackboneConfig, ClassifierConfig};
use alluvium_registry::{Description, Family, check_table, described, descriptions};
use alluvium_strategy::{StrategyConfig, SurrogateConfig};
use alluvium_stream::StreamConfig;
use serde_json::{Value, json};

/// Kinds that a configuration cannot name: models that strategies make and store, the wrapper of a foreign model, and pieces of
/// models. They can be read back, but are not described.
const NOT_DESCRIBED: [(Family, &str); 4] = [
    (Family::Backbone, "ensemble"),
    (Family::Backbone, "normalised-inputs"),
    (Family::Backbone, "piece-of-a-model"),
    (Family::Classifier, "class-statistics"),
];

/// Reads a table as a family's configuration and writes it out again.
fn read(family: Family, table: Value) -> Result<Value, serde_json::Error> {
    match family {
        Family::Strategy => serde_json::to_value(serde_json::from_value::<Box<dyn StrategyConfig>>(table)?),
        Family::Stream => serde_json::to_value(serde_json::from_value::<Box<dyn StreamConfig>>(table)?),
        Family::Backbone => serde_json::to_value(serde_json::from_value::<Box<dyn BackboneConfig>>(table)?),
        Family::Classifier => serde_json::to_value(serde_json::from_value::<Box<dyn ClassifierConfig>>(table)?),
        Family::Surrogate => serde_json::to_value(serde_json::from_value::<Box<dyn SurrogateConfig>>(table)?),
        Family::Device => serde_json::to_value(serde_json::from_value::<Box<dyn DeviceConfig>>(table)?),
        Family::Backend => serde_json::to_value(serde_json::from_value::<Box<dyn BackendConfig>>(table)?),
    }
}

/// The kinds that typetag knows. Its registry is private, but the error about an unknown kind lists it.
fn parsable(family: Family) -> BTreeSet<String> {
    let error = read(family, json!({"kind": "no such kind"})).unwrap_err().to_string();
    let listed = error.split("expected").nth(1).unwrap_or_default();
    // Kinds that begin with `_` are internal.
    listed.split('`').skip(1).step_by(2).filter(|kind| !kind.starts_with('_')).map(str::to_owned).collect()
}

#[test]
fn every_kind_that_can_be_parsed_is_described_once_and_the_other_way_round() {
    for family in Family::ALL {
        let kinds: Vec<_> = described(family).iter().map(|one| one.kind.to_owned()).collect();
        let unique: BTreeSet<_> = kinds.iter().cloned().collect();
        assert_eq!(kinds.len(), unique.len(), "two descriptions of one kind among the {}", family.plural());
        let mut parsable = parsable(family);
        for (_, kind) in NOT_DESCRIBED.into_iter().filter(|(of, _)| *of == family) {
            assert!(parsable.remove(kind), "\"{kind}\" is not a kind of the {}", family.plural());
        }
        assert_eq!(parsable, unique, "typetag's kinds and the descriptions of the {}", family.plural());
    }
}

#[test]
fn kinds_are_lower_case_words_joined_by_hyphens() {
    for Description { kind, .. } in descriptions() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(kind.chars().all(plain), "{kind}");
    }
}

#[test]
fn defaults_are_accepted_by_their_own_schema_and_every_option_is_explained() {
    for description in descriptions() {
        let kind = description.kind;
        let mut written =
            read(description.family, json!({ "kind": kind })).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let options = written.as_object_mut().unwrap();
        options.remove("kind");
        options.retain(|_, value| !value.is_null());
        let problems = check_table(&description.schema.get(), &written);
        assert!(problems.is_empty(), "{kind}: {problems:?}");
        assert!(!description.summary().is_empty(), "{kind} says nothing of itself");
        for option in description.options() {
            assert!(!option.meaning.is_empty(), "{kind}: `{}` is not explained", option.name);
        }
    }
}

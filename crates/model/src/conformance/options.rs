//! The checks of a plugin's options, for every family.

use alluvium_registry::{Family, check_table, find};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::BackboneConfig;

/// Checks the options of a backbone: [`check_options`] with the defaults.
///
/// # Panics
/// When the options do not conform. The message says which check failed.
pub fn check_kind(kind: &str) {
    let config: Box<dyn BackboneConfig> = serde_json::from_value(json!({ "kind": kind }))
        .unwrap_or_else(|error| panic!("kind = \"{kind}\" without options is not a configuration: {error}"));
    check_options(Family::Backbone, &config);
}

/// Checks that the options of a kind are described, that these lie within the plugin's own ranges, and that they do not change
/// when they are written and read. `config` is the boxed trait object of the family.
///
/// # Panics
/// When the options do not conform. The message says which check failed.
pub fn check_options<C: Serialize + DeserializeOwned>(family: Family, config: &C) {
    let written = serde_json::to_value(config).expect("a configuration can be written");
    let read: C = serde_json::from_value(written.clone()).expect("a written configuration can be read");
    let again = serde_json::to_value(&read).expect("a configuration can be written");
    assert_eq!(again, written, "a configuration must not change when it is written and read");

    let mut table = written;
    let Some(options) = table.as_object_mut() else { panic!("a configuration must be a table, but this is {table}") };
    let kind = options
        .remove("kind")
        .and_then(|kind| Some(kind.as_str()?.to_owned()))
        .expect("the written table has a `kind`");
    options.retain(|_, value| !value.is_null());
    let description = find(family, &kind).unwrap_or_else(|error| panic!("{error}: is `#[plugin(…)]` missing?"));
    assert!(!description.summary().is_empty(), "the options' struct of \"{kind}\" has no doc comment");
    for option in description.options() {
        assert!(!option.meaning.is_empty(), "the option `{}` of \"{kind}\" has no doc comment", option.name);
    }
    let problems = check_table(&description.schema.get(), &table);
    assert!(problems.is_empty(), "options of \"{kind}\" are outside their own ranges: {problems:?}");
}

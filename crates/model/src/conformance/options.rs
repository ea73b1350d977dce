//! What the options of a plugin must be like, of whatever family.

use alluvium_registry::{Family, check_table, find};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::BackboneConfig;

/// Checks the options of a backbone: [`check_options`] of the defaults.
///
/// # Panics
/// With a message that says what is not so; that is what makes the test fail.
pub fn check_kind(kind: &str) {
    let config: Box<dyn BackboneConfig> = serde_json::from_value(json!({ "kind": kind }))
        .unwrap_or_else(|error| panic!("kind = \"{kind}\" alone is not a configuration: {error}"));
    check_options(Family::Backbone, &config);
}

/// Checks that the options of a kind are described, that these are within the plugin's own ranges, and that they are the
/// same after they were written and read. `config` is the boxed trait object of the family.
///
/// # Panics
/// With a message that says what is not so; that is what makes the test fail.
pub fn check_options<C: Serialize + DeserializeOwned>(family: Family, config: &C) {
    let written = serde_json::to_value(config).expect("a configuration can be written");
    let read: C = serde_json::from_value(written.clone()).expect("what was written can be read");
    let again = serde_json::to_value(&read).expect("a configuration can be written");
    assert_eq!(again, written, "a configuration changes when it is written and read");

    let mut table = written;
    let Some(options) = table.as_object_mut() else { panic!("a configuration is no table: {table}") };
    let kind = options.remove("kind").and_then(|kind| Some(kind.as_str()?.to_owned())).expect("its kind is written");
    options.retain(|_, value| !value.is_null());
    let description = find(family, &kind).unwrap_or_else(|error| panic!("{error}: is `describe!` missing?"));
    assert!(!description.summary().is_empty(), "the options' struct of \"{kind}\" has no doc comment");
    for option in description.options() {
        assert!(!option.meaning.is_empty(), "the option `{}` of \"{kind}\" has no doc comment", option.name);
    }
    let problems = check_table(&(description.schema)().to_value(), &table);
    assert!(problems.is_empty(), "options of \"{kind}\" are outside of their own ranges: {problems:?}");
}

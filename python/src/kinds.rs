//! What is there to name in a configuration: kinds with their options, and the schema.

use alluvium_registry::{Family, descriptions};
use pyo3::prelude::*;
use serde_json::{Value, json};

/// All kinds, or those of one family, as a JSON list.
#[pyfunction]
#[pyo3(signature = (family=None))]
pub(crate) fn kinds(family: Option<&str>) -> String {
    let wanted = |own: Family| family.is_none_or(|family| own.to_string() == family || own.plural() == family);
    let kinds: Vec<Value> = descriptions()
        .into_iter()
        .filter(|one| wanted(one.family))
        .map(|one| {
            let options: Vec<_> = one
                .options()
                .into_iter()
                .map(|option| {
                    json!({
                        "name": option.name,
                        "meaning": option.meaning,
                        "default": option.default,
                        "accepts": option.accepts,
                        "required": option.required,
                    })
                })
                .collect();
            json!({
                "kind": one.kind,
                "family": one.family.to_string(),
                "summary": one.summary(),
                "text": one.text(),
                "paper": one.paper,
                "options": options,
            })
        })
        .collect();
    json!(kinds).to_string()
}

/// The JSON Schema of a configuration.
#[pyfunction]
pub(crate) fn schema() -> String {
    alluvium_config::config_schema().to_string()
}

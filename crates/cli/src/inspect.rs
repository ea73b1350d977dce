//! `alluvium inspect`: what a model file holds.

use std::io::Write;

use alluvium_backend::BackendConfig;
use alluvium_interchange::Inspection;
use alluvium_registry::Family;

use crate::given::{ModelStatements, part};
use crate::model_arguments::InspectOptions;
use crate::print;

pub(crate) fn inspect(options: &InspectOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let said = ModelStatements::of(&options.models, &[&options.file])?;
    // A backbone is built only to see the shapes of its tensors. Nothing is computed.
    let (_, backend) = part::<dyn BackendConfig>(Family::Backend, "--backend", "flex")?;
    let inspection = Inspection::of(&options.file, &said.of_file(&options.file), &backend.open()?)?;
    if options.json {
        print(out, &format!("{}\n", serde_json::to_string_pretty(&inspection)?))
    } else {
        print(out, &inspection.to_text())
    }
}

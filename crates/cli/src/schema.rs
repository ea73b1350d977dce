//! `alluvium schema`: the JSON Schema of a configuration, for editors.

use std::io::Write;

use alluvium_config::config_schema;

use crate::print;

pub(crate) fn schema(out: &mut dyn Write) -> anyhow::Result<()> {
    print(out, &format!("{}\n", serde_json::to_string_pretty(&config_schema())?))
}

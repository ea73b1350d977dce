//! Which table of names a model's tensors go by.

use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Mapping, NameMap, NamesError};

use crate::{InterchangeError, Names, Reading};

/// The order in which built-in tables are tried: where several fit, the first one's kind is the one that is named.
const TRIED: [&str; 3] = ["torchvision-resnet", "timm-resnet", "timm-vit"];

/// The table that was given, that the file names, or the first built-in one that fits; and what it makes of the file.
pub(crate) fn choose(
    path: &Path,
    checkpoint: &Checkpoint,
    reading: &Reading,
    stated: Option<&str>,
) -> Result<(Names, Mapping), InterchangeError> {
    let named = InterchangeError::names(path);
    let apply = |names: &Names| apply(names, checkpoint);
    let names = match (&reading.names, stated) {
        (Some(names), _) => Some(names.clone()),
        (None, Some(kind)) => Some(Names::shipped(kind).map_err(&named)?),
        (None, None) => None,
    };
    if let Some(names) = names {
        let mapping = apply(&names).map_err(named)?;
        return Ok((names, mapping));
    }
    let mut reasons = vec![];
    for kind in TRIED {
        let names = Names::shipped(kind).map_err(&named)?;
        match apply(&names) {
            Ok(mapping) => return Ok((names, mapping)),
            Err(NamesError::Unmapped { names: unmapped }) => reasons.push((unmapped.len(), kind, unmapped)),
            Err(error) => return Err(named(error)),
        }
    }
    // The nearest table is the one whose complaint helps.
    let nearest = reasons.into_iter().min_by_key(|(count, ..)| *count);
    let complaint = nearest.map(|(_, kind, names)| (kind, NamesError::Unmapped { names }));
    let complaint = complaint.map_or(String::new(), |(kind, error)| format!("; for {kind}, {error}"));
    let tables = NameMap::SHIPPED.join(", ");
    let problem = format!("no built-in table of names ({tables}) fits; accepted: --names FILE.toml{complaint}");
    Err(InterchangeError::file(path, problem))
}

fn apply(names: &Names, checkpoint: &Checkpoint) -> Result<Mapping, NamesError> {
    names.map().apply(checkpoint.tensors().map(|info| info.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_is_tried() {
        let mut tried = TRIED;
        tried.sort_unstable();
        assert_eq!(tried, NameMap::SHIPPED);
    }
}

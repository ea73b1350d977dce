//! Chooses the table of names for a model's tensors.

use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Mapping, NameMap, NamesError};

use crate::{InterchangeError, Names, Reading};

/// The order in which built-in tables are tried. If several fit, the first one is used.
const TRIED: [&str; 3] = ["torchvision-resnet", "timm-resnet", "timm-vit"];

/// The most wrappers around a network whose prefixes are tried.
const MOST_PREFIXES: usize = 4;

/// The table of names and its mapping of the file: the table that was given, the one that the file names, or the first
/// built-in one that fits.
pub(crate) fn choose(
    path: &Path,
    checkpoint: &Checkpoint,
    reading: &Reading,
    stated: Option<&str>,
) -> Result<(Names, Mapping), InterchangeError> {
    let named = InterchangeError::names(path);
    let tensors: Vec<_> = checkpoint.tensors().map(|info| info.name.as_str()).collect();
    let apply = |names: &Names| apply(names, &tensors);
    let names = match (&reading.names, stated) {
        (Some(names), _) => Some(names.clone()),
        (None, Some(kind)) => Some(Names::shipped(kind).map_err(&named)?),
        (None, None) => None,
    };
    if let Some(names) = names {
        return apply(&names).map_err(named);
    }
    let mut reasons = vec![];
    for kind in TRIED {
        match apply(&Names::shipped(kind).map_err(&named)?) {
            Ok(found) => return Ok(found),
            Err(NamesError::Unmapped { names: unmapped }) => reasons.push((unmapped.len(), kind, unmapped)),
            Err(error) => return Err(named(error)),
        }
    }
    // Report the error of the table that fits best.
    let nearest = reasons.into_iter().min_by_key(|(count, ..)| *count);
    let complaint = nearest.map(|(_, kind, names)| (kind, NamesError::Unmapped { names }));
    let complaint = complaint.map_or(String::new(), |(kind, error)| format!("; for {kind}, {error}"));
    let tables = NameMap::SHIPPED.join(", ");
    let problem = format!(
        "no built-in table of names ({tables}) fits; accepted: a table of your own, --names \
         FILE.toml or `names` in a configuration{complaint}"
    );
    Err(InterchangeError::file(path, problem))
}

/// The table and its mapping of the tensors. The table may apply behind a prefix that all tensors share, such as the
/// `module.` of a network that was wrapped for several processes.
fn apply(names: &Names, tensors: &[&str]) -> Result<(Names, Mapping), NamesError> {
    let error = match names.map().apply(tensors.iter().copied()) {
        Ok(mapping) => return Ok((names.clone(), mapping)),
        Err(error) => error,
    };
    for prefix in shared_prefixes(tensors) {
        let rest = tensors.iter().filter_map(|name| name.strip_prefix(prefix));
        if let Ok(mapping) = names.map().apply(rest) {
            let names = names.behind(prefix, &mapping)?;
            let mapping = names.map().apply(tensors.iter().copied())?;
            return Ok((names, mapping));
        }
    }
    Err(error)
}

/// The prefixes that all names share, each up to a dot, the shortest first.
fn shared_prefixes<'a>(tensors: &[&'a str]) -> impl Iterator<Item = &'a str> {
    let (first, last) = (tensors.iter().min(), tensors.iter().max());
    let (first, last) = (first.copied().unwrap_or_default(), last.copied().unwrap_or_default());
    // All sorted names share the prefixes that the first and the last one share.
    let shared = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let dots = first.bytes().enumerate().take(shared).filter(|(_, byte)| *byte == b'.');
    dots.take(MOST_PREFIXES).map(move |(place, _)| &first[..=place])
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

    #[test]
    fn prefixes_end_in_dots_that_all_names_have() {
        let of = |names: &[&'static str]| shared_prefixes(names).collect::<Vec<_>>();
        assert_eq!(of(&["module.net.fc.bias", "module.net.conv1.weight"]), ["module.", "module.net."]);
        assert_eq!(of(&["modul.a", "module.b"]), [""; 0]);
        assert_eq!(of(&["é.a.ü", "é.a.ö"]), ["é.", "é.a."]);
        assert_eq!(of(&[]), [""; 0]);
    }

    #[test]
    fn a_table_holds_behind_a_prefix() {
        let names = Names::shipped("torchvision-resnet").unwrap();
        let tensors = ["module.conv1.weight", "module.bn1.num_batches_tracked", "module.fc.weight"];
        let (behind, mapping) = apply(&names, &tensors).unwrap();
        assert_eq!(mapping.foreign("stem.conv.weight"), Some("module.conv1.weight"));
        assert!(mapping.is_transposed("head.weight") && mapping.ignored() == [tensors[1]]);
        assert_eq!(behind.foreign("head.bias").as_deref(), Some("module.fc.bias"), "a tensor that the model lacks");
        assert_eq!((behind.kind(), behind.prefix()), (Some("torchvision-resnet"), "module."));
        // The error is about the unchanged names.
        let error = apply(&names, &["module.conv1.weight", "other.weight"]).unwrap_err().to_string();
        assert!(error.contains("2 tensors: `module.conv1.weight`, `other.weight`"), "{error}");
    }
}

//! The names of files that are parts of one model, such as `model-00001-of-00003.safetensors`. Each name states the
//! number of parts.
//!
//! One part is not a model. However it is opened (by its own path, by an index, by its folder), all parts that its name
//! counts must exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::CheckpointError;
use crate::error::Place;
use crate::shown::{listed, shown};

/// The ending of the name of an index.
pub(crate) const INDEX: &str = ".index.json";

/// The most parts that are checked one by one.
const MOST_COUNTED: u32 = 100_000;

/// The content of the name of a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part<'a> {
    /// The set that it belongs to.
    pub set: Set<'a>,
    pub number: u32,
}

/// A set of parts of one model: what their names have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Set<'a> {
    pub stem: &'a str,
    /// The count as in the name, with its leading zeros.
    count: &'a str,
    /// The file extension, with its dot.
    pub ending: &'a str,
}

impl<'a> Part<'a> {
    /// Parses the name of a file as that of a part. `None` if it is not one. A set of only one part counts as a whole
    /// file.
    pub(crate) fn named(name: &'a str) -> Option<Self> {
        Part::any(name).filter(|part| (part.number, part.set.count()) != (1, 1))
    }

    /// Like [`named`](Part::named), but also accepts a set of only one part. Numbers have at least five digits, as
    /// Hugging Face writes them, so `fold-1-of-5` is not a part.
    pub(crate) fn any(name: &'a str) -> Option<Self> {
        let (before, after) = name.rsplit_once("-of-")?;
        let (stem, number) = before.rsplit_once('-')?;
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (count, ending) = after.split_at(digits);
        let is_number = |text: &str| (5..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(number) || !is_number(count) || !(ending.is_empty() || ending.starts_with('.')) {
            return None;
        }
        Some(Part { set: Set { stem, count, ending }, number: number.parse().ok()? })
    }
}

impl Set<'_> {
    fn count(&self) -> u32 {
        self.count.parse().unwrap_or(u32::MAX)
    }

    fn part(&self, number: u32) -> String {
        let width = self.count.len();
        format!("{}-{number:0width$}-of-{}{}", self.stem, self.count, self.ending)
    }

    /// The name of the index, which says which tensor is in which part.
    pub(crate) fn index(&self) -> String {
        format!("{}{}{INDEX}", self.stem, self.ending)
    }

    /// The name of a whole file with the same model.
    pub(crate) fn whole(&self) -> String {
        format!("{}{}", self.stem, self.ending)
    }

    /// What is wrong if these are not all parts of the set. The text follows the name of the file or folder that lists
    /// them.
    pub(crate) fn problem(&self, there: &BTreeSet<u32>) -> Option<String> {
        let count = self.count();
        if let Some(beyond) = there.iter().find(|number| **number == 0 || **number > count) {
            let part = self.part(*beyond);
            return Some(format!("has the part {}, whose number is not between 1 and {count}", shown(&part)));
        }
        let missing: Vec<_> = (1..=count.min(MOST_COUNTED))
            .filter(|number| !there.contains(number))
            .map(|number| self.part(number))
            .collect();
        match missing[..] {
            [] if count <= MOST_COUNTED => None,
            _ => Some(format!(
                "has {} of {count} parts of a model; missing: {}",
                there.len(),
                listed(missing.iter().map(String::as_str))
            )),
        }
    }
}

/// The numbers of the parts among some names, for each set.
pub(crate) fn sets<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<Set<'a>, BTreeSet<u32>> {
    let mut sets: BTreeMap<Set<'a>, BTreeSet<u32>> = BTreeMap::new();
    for part in names.into_iter().filter_map(Part::named) {
        sets.entry(part.set).or_default().insert(part.number);
    }
    sets
}

/// Refuses a file with tensors that is named like a part of a model, even if the other parts exist, or like an index.
pub(crate) fn check_name(place: &Place) -> Result<(), CheckpointError> {
    let name = place.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.ends_with(INDEX) {
        return Err(place.broken(format!(
            "is named like the index of a model in parts (`…{INDEX}`), but holds tensors; accepted: an index, or another name"
        )));
    }
    let Some(part) = Part::named(name) else { return Ok(()) };
    let folder = place.path().parent().unwrap_or(Path::new(""));
    let beside = std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let names: Vec<_> =
        beside.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let mut there = sets(names.iter().map(String::as_str)).remove(&part.set).unwrap_or_default();
    there.insert(part.number);
    let index = part.set.index();
    let missing = part.set.problem(&there).map(|problem| format!("; its folder {problem}")).unwrap_or_default();
    Err(place.broken(format!(
        "is one part of {} of a model, not a whole model; accepted: its index {}, or the folder with all parts and that \
         index{missing}",
        part.set.count(),
        shown(&index)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_of_which_set_it_is() {
        let part = Part::named("model-00002-of-00003.safetensors").unwrap();
        assert_eq!((part.number, part.set.count(), part.set.stem), (2, 3, "model"));
        assert_eq!(
            (part.set.index(), part.set.whole()),
            ("model.safetensors.index.json".into(), "model.safetensors".into())
        );
        assert_eq!(part.set.part(1), "model-00001-of-00003.safetensors");
        assert_eq!(
            Part::named("pytorch_model-00001-of-00002.bin").unwrap().set.index(),
            "pytorch_model.bin.index.json"
        );
        for name in [
            "model.safetensors",
            "a-00001-of-b.pt",
            "fold-1-of-3.pt",
            "m-00001-of-00001.safetensors",
            "m-00001-of-00002x.pt",
        ] {
            assert_eq!(Part::named(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let names = ["m-00001-of-00003.pt", "m-00003-of-00003.pt", "n-00001-of-00002.pt", "n-00002-of-00002.pt"];
        let names = [&names[..], &["k-00005-of-00004.pt"]].concat();
        let problems: Vec<_> = sets(names).iter().map(|(set, there)| set.problem(there)).collect();
        assert!(problems[0].as_deref().unwrap().contains("`k-00005-of-00004.pt`, whose number is not between 1 and 4"));
        assert_eq!(problems[1].as_deref(), Some("has 2 of 3 parts of a model; missing: `m-00002-of-00003.pt`"));
        assert_eq!(problems[2], None);
    }
}

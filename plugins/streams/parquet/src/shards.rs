//! Checks whether the files of a part are complete, according to their names.

use std::collections::BTreeMap;

/// The number of digits in names such as `0000.parquet`, which the hub gives to converted files.
const DIGITS_OF_CONVERTED: usize = 4;

/// A parsed name such as `train-00000-of-00002`, or `train-00000-of-00002-0123456789abcdef` with a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard<'a> {
    /// The text before the numbers.
    pub prefix: &'a str,
    number: usize,
    total: &'a str,
    digits: usize,
}

impl<'a> Shard<'a> {
    /// Parses a file's name without its ending; `None` if it does not have this form.
    pub fn of(stem: &'a str) -> Option<Self> {
        let (before, behind) = stem.rsplit_once("-of-")?;
        let (prefix, number) = before.rsplit_once('-')?;
        let total = behind.split('-').next()?;
        let numbers = [number, total].iter().all(|number| number.bytes().all(|letter| letter.is_ascii_digit()));
        let number_of = || Some((number.parse().ok()?, total.parse::<usize>().ok()?));
        let (parsed, _) = numbers.then(number_of)??;
        Some(Shard { prefix, number: parsed, total, digits: number.len() })
    }

    /// The total number of files.
    fn count(&self) -> usize {
        self.total.parse().unwrap_or_default()
    }

    fn name(&self, number: usize) -> String {
        format!("{}-{number:0digits$}-of-{}", self.prefix, self.total, digits = self.digits)
    }
}

/// Checks that the files of one part, all in one folder, are complete and without duplicates. Returns whether the names
/// state the total number; names such as `0000.parquet` only reveal gaps.
///
/// # Errors
/// A description of the problem, with the name of the missing or the surplus file.
pub fn check(files: &[&str]) -> Result<bool, String> {
    let stem = |file: &'_ &str| {
        let name = file.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".parquet").unwrap_or(name).to_owned()
    };
    let folder =
        files.first().and_then(|file| file.rsplit_once('/')).map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let stems: Vec<_> = files.iter().map(stem).collect();
    let shards: Vec<_> = stems.iter().map(|stem| Shard::of(stem)).collect();
    let Some(first) = shards.iter().flatten().next() else { return converted(files, &stems, &folder).map(|()| false) };
    let mut there = BTreeMap::new();
    for (file, shard) in files.iter().zip(&shards) {
        let Some(shard) = shard.filter(|shard| (shard.prefix, shard.total) == (first.prefix, first.total)) else {
            return Err(format!("holds {file} beside files called {folder}{}-…-of-{}", first.prefix, first.total));
        };
        if let Some(other) = there.insert(shard.number, file) {
            return Err(format!("holds two files of the same number: {other} and {file}"));
        }
    }
    let count = first.count();
    // Some data sets count from 1; then the last number exists and 0 does not.
    let begin = usize::from(!there.contains_key(&0) && there.contains_key(&count));
    if let Some((number, file)) = there.iter().find(|(number, _)| !(begin..begin + count).contains(*number)) {
        return Err(format!("holds {file}, but there are {count} such files, so none has the number {number}"));
    }
    match (begin..begin + count).find(|number| !there.contains_key(number)) {
        Some(missing) => Err(format!(
            "lacks {folder}{}.parquet: the names of the files say that there are {count}, and {} of them are here",
            first.name(missing),
            there.len()
        )),
        None => Ok(true),
    }
}

/// Checks that the numbers of converted files are without gaps.
fn converted(files: &[&str], stems: &[String], folder: &str) -> Result<(), String> {
    let number = |stem: &String| {
        let digits = stem.len() == DIGITS_OF_CONVERTED && stem.bytes().all(|letter| letter.is_ascii_digit());
        digits.then(|| stem.parse::<usize>().ok()).flatten()
    };
    let numbers: BTreeMap<_, _> =
        stems.iter().zip(files).filter_map(|(stem, file)| Some((number(stem)?, file))).collect();
    let missing = (0..numbers.len()).find(|number| !numbers.contains_key(number));
    match (missing, numbers.last_key_value()) {
        (Some(missing), Some((_, last))) => {
            Err(format!("lacks {folder}{missing:0digits$}.parquet, but has {last}", digits = DIGITS_OF_CONVERTED))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_part_is_told_from_one_that_may_be_complete() {
        for whole in [
            &["train-00000-of-00001.parquet"][..],
            &["data/train-00000-of-00002-c3d4.parquet", "data/train-00001-of-00002-a1b2.parquet"],
            // Some count from 1.
            &["train-2-of-2.parquet", "train-1-of-2.parquet"],
        ] {
            assert_eq!(check(whole), Ok(true), "{whole:?}");
        }
        for unknown in
            [&["train/0000.parquet", "train/0001.parquet"][..], &["train.parquet"], &["a-of-2-of-x.parquet"], &[]]
        {
            assert_eq!(check(unknown), Ok(false), "{unknown:?}");
        }
    }

    #[test]
    fn missing_and_surplus_files_are_named() {
        for (files, expected) in [
            (&["d/train-00000-of-00002.parquet"][..], "lacks d/train-00001-of-00002.parquet"),
            (&["train-00002-of-00003.parquet", "train-00000-of-00003.parquet"], "lacks train-00001-of-00003.parquet"),
            (&["train-3-of-3.parquet", "train-1-of-3.parquet"], "lacks train-2-of-3.parquet"),
            (&["train-00000-of-00002-a1b2.parquet"], "lacks train-00001-of-00002.parquet"),
            (
                &["train-00000-of-00002.parquet", "train-00001-of-00003.parquet"],
                "holds train-00001-of-00003.parquet beside files called train-…-of-00002",
            ),
            (&["train-00000-of-00001.parquet", "train.parquet"], "holds train.parquet beside"),
            (&["train/a-0-of-1.parquet", "train/b-0-of-1.parquet"], "holds train/b-0-of-1.parquet beside"),
            (
                &["t-0-of-1-aa.parquet", "t-0-of-1-bb.parquet"],
                "two files of the same number: t-0-of-1-aa.parquet and t-0-of-1-bb",
            ),
            (&["t-0-of-2.parquet", "t-7-of-2.parquet"], "holds t-7-of-2.parquet, but there are 2 such files"),
            (&["t-0-of-0.parquet"], "holds t-0-of-0.parquet, but there are 0 such files"),
            (&["train/0000.parquet", "train/0002.parquet"], "lacks train/0001.parquet, but has train/0002.parquet"),
            (&["train/0001.parquet"], "lacks train/0000.parquet"),
        ] {
            let error = check(files).unwrap_err();
            assert!(error.contains(expected), "{files:?}: {error}");
        }
    }
}

//! Reading a configuration file: all its variants.

use std::path::Path;

use alluvium_model::Digest;
use alluvium_store::text::{NotText, TextError, read_text};
use serde_json::json;

use crate::document::{Document, Flaw, FlawKind};
use crate::error::{ConfigError, ConfigProblem};
use crate::experiment::Experiment;
use crate::finding::Finding;
use crate::read::problems::{VariantFinding, in_file};
use crate::read::rules::Rules;
use crate::read::tables::Tables;
use crate::sweep::{Expansion, Pick, Schemas};

/// The longest configuration that is read, in bytes.
const LONGEST_FILE: u64 = 10_000_000;

/// The most characters of a folder's name.
const LONGEST_FOLDER: usize = 100;

/// The number of digits of a digest that make shortened folder names unique.
const DIGEST_DIGITS: usize = 12;

/// One of the comparisons that a configuration file describes. From every list of values outside the strategies' tables, one
/// value is chosen. A file without such lists has one variant.
#[derive(Debug)]
pub struct Variant {
    /// The chosen values: `device.epochs=1, stream.tasks=5`. Empty if nothing is swept outside the strategies.
    pub label: String,
    /// The same as keys and values, in the order of the file.
    pub settings: Vec<(String, String)>,
    /// How many devices the stream has.
    pub devices: usize,
    /// Facts about the data that are not errors but may surprise a user; one sentence each.
    pub notes: Vec<String>,
    /// The comparison.
    pub experiment: Experiment,
}

impl Variant {
    fn new(picks: &[Pick], devices: usize, notes: Vec<String>, experiment: Experiment) -> Self {
        let settings: Vec<_> = picks.iter().map(|pick| (pick.path.join("."), pick.shown.clone())).collect();
        let label: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Variant { label: label.join(", "), settings, devices, notes, experiment }
    }

    /// The label as the name of a folder: at most 100 ASCII letters, digits and `.-_=,`; empty if the label is empty.
    ///
    /// Two variants of a file never have the same name. Where the name cannot hold the whole label, or a file system that
    /// ignores case could mistake it for another, it ends in the first digits of the label's digest.
    pub fn folder(&self) -> String {
        name_on_disk(&self.label)
    }
}

/// A label or the name of a row as the name of a file or folder; see [`Variant::folder`].
pub fn name_on_disk(label: &str) -> String {
    let joined = label.replace(", ", ",");
    let safe = |c: char| if c.is_ascii_alphanumeric() || ".-_=,".contains(c) { c } else { '-' };
    let name: String = joined.chars().map(safe).collect();
    let says_all = name == joined && !name.contains(|c: char| c.is_ascii_uppercase());
    if says_all && name.len() <= LONGEST_FOLDER {
        return name;
    }
    let digest = Digest::of(label.as_bytes());
    let kept = &name[..name.len().min(LONGEST_FOLDER - DIGEST_DIGITS - 1)];
    format!("{kept}-{}", &digest.as_str()[..DIGEST_DIGITS])
}

/// Where a configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource<'a> {
    /// In a file.
    File(&'a Path),
    /// In the program.
    BuiltIn {
        /// What messages call it.
        name: &'a str,
        /// The text, TOML.
        text: &'a str,
    },
}

impl<'a> ConfigSource<'a> {
    /// The file, or the name that messages use instead.
    fn path(self) -> &'a Path {
        match self {
            ConfigSource::File(file) => file,
            ConfigSource::BuiltIn { name, .. } => Path::new(name),
        }
    }
}

/// Reads a configuration. `backend`, a kind with default options, replaces its `[backend]` table; `seeds` replaces its seeds.
///
/// A list of values where one value is expected is a *sweep*. In a `[[strategies]]` table it gives one row for each
/// combination, named `NAME (key = value, …)`. Anywhere else it gives variants. A key that takes a list is swept by a list
/// of lists, a table by a list of tables. `name`, `seeds` and `references` are not swept. The last list of the file
/// changes fastest. There are at most 1 000 variants, 1 000 rows in each, and 10 000 rows in all.
///
/// Checks everything that can be checked without training: keys, types and ranges, kinds, names, data access, files of
/// the stream and the surrogate, and whether backbone and stream fit together.
///
/// # Errors
/// [`ConfigError`] with all problems of the first stage of checks that finds any in some variant. Each problem comes once, with
/// its place in the file.
pub fn read_all(
    source: ConfigSource<'_>,
    backend: Option<&str>,
    seeds: Option<Vec<u64>>,
) -> Result<Vec<Variant>, ConfigError> {
    let failed = |problems| ConfigError { file: source.path().to_owned(), problems };
    let document = match source {
        ConfigSource::File(file) => open(file),
        ConfigSource::BuiltIn { text, .. } => parse(text),
    };
    let mut document = document.map_err(failed)?;
    if let Some(kind) = backend {
        document.replace("backend", json!({ "kind": kind }));
    }
    if let Some(seeds) = seeds {
        document.replace("seeds", seeds.into());
    }
    variants(&document).map_err(failed)
}

/// Reads a file as a document.
pub(crate) fn open(file: &Path) -> Result<Document, Vec<ConfigProblem>> {
    let text = read_text(file, LONGEST_FILE).map_err(|TextError { problem, .. }| {
        let place = match problem {
            NotText::Foreign { line, column, .. } => Some((line, column)),
            _ => None,
        };
        let message = format!("{problem}; a configuration is a TOML file, such as `alluvium init` writes");
        vec![ConfigProblem { place, table: String::new(), message }]
    })?;
    parse(&text)
}

/// Reads the text of a file as a document.
fn parse(text: &str) -> Result<Document, Vec<ConfigProblem>> {
    let problem = |flaw: Flaw| {
        let message = match flaw.kind {
            FlawKind::Syntax(words) => {
                format!("is not TOML: {words}; accepted: a table such as `alluvium init` writes")
            }
            FlawKind::Value(message) => message,
        };
        ConfigProblem { place: flaw.place, table: String::new(), message }
    };
    Document::parse(text).map_err(|flaws| flaws.into_iter().map(problem).collect())
}

/// All variants. Each stage checks all of them before the next stage begins, so that problems of one variant do not hide those
/// of another.
fn variants(document: &Document) -> Result<Vec<Variant>, Vec<ConfigProblem>> {
    let schemas = Schemas::linked();
    let expansion = Expansion::of(document.root(), &schemas)
        .map_err(|findings| findings.iter().map(|finding| finding.in_file(document)).collect::<Vec<_>>())?;
    let all = 0..expansion.variants.len();
    let mut found = vec![];
    let report = |found: Vec<VariantFinding>| {
        if found.is_empty() { Ok(()) } else { Err(in_file(document, &expansion, found)) }
    };
    let of = |variant: usize| move |finding: Finding| VariantFinding { variant, finding };

    let mut tables = Tables::new();
    for variant in all.clone() {
        found.extend(tables.check(&expansion.root(variant)).into_iter().map(of(variant)));
    }
    report(std::mem::take(&mut found))?;

    let mut experiments = vec![];
    for variant in all.clone() {
        match tables.read(expansion.root(variant)) {
            Ok(experiment) => experiments.push(experiment),
            Err(findings) => found.extend(findings.into_iter().map(of(variant))),
        }
    }
    report(std::mem::take(&mut found))?;

    let mut rules = Rules::default();
    let mut streams = vec![];
    for (variant, experiment) in experiments.iter_mut().enumerate() {
        let verdict = rules.judge(experiment);
        experiment.state_initial(verdict.initial);
        if verdict.findings.is_empty() {
            experiment.complete(&verdict.known);
        }
        streams.push((verdict.devices, verdict.notes));
        found.extend(verdict.findings.into_iter().map(of(variant)));
    }
    report(found)?;

    let picks = expansion.variants.iter().map(|variant| variant.picks.as_slice());
    let variants = picks.zip(streams).zip(experiments);
    Ok(variants
        .map(|((picks, (devices, notes)), experiment)| Variant::new(picks, devices, notes, experiment))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_label_is_its_own_folder() {
        assert_eq!(name_on_disk(""), "");
        assert_eq!(name_on_disk("device.epochs=1, stream.tasks=5"), "device.epochs=1,stream.tasks=5");
    }

    #[test]
    fn folders_of_different_labels_differ_and_are_safe() {
        let long = |end: char| format!("surrogate.image={}{end}", "photo/".repeat(40));
        let labels = ["a=x/y", "a=x:y", "a=X", "a=x", "a=ü", "a=é", &long('1'), &long('2'), "a=x-y"];
        let folders: Vec<_> = labels.iter().map(|label| name_on_disk(label)).collect();
        for (number, folder) in folders.iter().enumerate() {
            assert!(folder.len() <= LONGEST_FOLDER, "{folder}");
            assert!(folder.chars().all(|c| c.is_ascii_alphanumeric() || ".-_=,".contains(c)), "{folder}");
            let before = folders[..number].iter().map(|other| other.to_lowercase());
            assert!(!before.into_iter().any(|other| other == folder.to_lowercase()), "{folder} is not the only one");
        }
    }
}

//! A table of names: read from TOML, checked, and applied to the names of a model.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use alluvium_store::text;
use serde::Deserialize;

use crate::names::mapping::{Mapping, TensorSource};
use crate::names::pattern::Pattern;
use crate::names::template::Template;
use crate::names::{NamesError, shipped};
use crate::regular;
use crate::shown::shown;

/// The most bytes of a table.
const LONGEST: u64 = 1_000_000;
const MOST_RULES: usize = 10_000;

/// A table that maps a foreign model's names to ours. In TOML:
///
/// ```toml
/// # Tensors to leave out. A star stands for any characters.
/// ignored = ["*.num_batches_tracked"]
/// # The names on the right whose rows are our columns.
/// transposed = ["head.weight"]
///
/// [names]
/// "fc.weight" = "head.weight"
/// # Braces stand for any number. On the right, a constant may be added.
/// "layer{stage}.{block}.conv1.weight" = "stages.{stage-1}.{block}.first.conv.weight"
/// ```
///
/// Every rule works in both directions, so that a model can be written under its original names.
#[derive(Debug, Clone)]
pub struct NameMap {
    rules: Vec<Rule>,
    ignored: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Rule {
    foreign: Template,
    ours: Template,
    transposed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableToml {
    #[serde(default)]
    ignored: Vec<String>,
    #[serde(default)]
    transposed: Vec<String>,
    names: BTreeMap<String, String>,
}

impl NameMap {
    /// Reads a table from TOML.
    ///
    /// # Errors
    /// [`NamesError::Table`] when it is not a table of names, or one of its rules cannot be reversed.
    pub fn parse(toml: &str) -> Result<Self, NamesError> {
        if toml.len() as u64 > LONGEST {
            return Err(NamesError::table(format!("has {} bytes; accepted: at most {LONGEST}", toml.len())));
        }
        let written: TableToml = toml::from_str(toml)
            .map_err(|error| NamesError::table(format!("cannot be read: {}", error.to_string().trim_end())))?;
        if written.names.len() > MOST_RULES {
            return Err(NamesError::table(format!(
                "has {} rules; accepted: at most {MOST_RULES}",
                written.names.len()
            )));
        }
        let mut rules = vec![];
        for (foreign, ours) in &written.names {
            rules.push(Rule::parse(foreign, ours, &written.transposed).map_err(NamesError::table)?);
        }
        // Without this check, a misspelt name would silently leave a square matrix untransposed.
        let lost = written.transposed.iter().find(|text| !rules.iter().any(|rule| rule.ours.text() == *text));
        if let Some(lost) = lost {
            let reason = format!("lists {} under `transposed`, but no rule has it on its right side", shown(lost));
            return Err(NamesError::table(reason));
        }
        Ok(NameMap { rules, ignored: written.ignored.iter().map(|text| Pattern::new(text)).collect() })
    }

    /// Reads a table from a file.
    ///
    /// # Errors
    /// [`NamesError::Read`] when the file cannot be read, and those of [`parse`](NameMap::parse).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, NamesError> {
        let path = path.as_ref();
        let mut bytes = vec![];
        let read = regular::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
        read.map_err(|cause| NamesError::Read { file: path.to_owned(), cause })?;
        let toml =
            text::from_bytes(&bytes).map_err(|problem| NamesError::table(format!("{} {problem}", path.display())))?;
        Self::parse(&toml)
    }

    /// The built-in table of this kind. [`SHIPPED`](NameMap::SHIPPED) lists the kinds.
    ///
    /// # Errors
    /// [`NamesError::Unknown`], which lists the existing kinds.
    pub fn shipped(kind: &str) -> Result<Self, NamesError> {
        Self::parse(shipped::toml(kind)?)
    }

    /// The kinds of built-in tables.
    pub const SHIPPED: [&'static str; 3] = shipped::KINDS;

    /// Maps the name of each of a model's tensors, or leaves the tensor out if the table ignores it.
    ///
    /// # Errors
    /// When no rule or two rules match a tensor, or two tensors get the same name.
    pub fn apply<'a>(&self, foreign: impl IntoIterator<Item = &'a str>) -> Result<Mapping, NamesError> {
        let (mut mapping, mut unmapped) = (Mapping::default(), vec![]);
        for name in foreign {
            match self.rule_of(name)? {
                Some((ours, transposed)) => {
                    mapping.insert(ours, TensorSource { foreign: name.to_owned(), transposed })?
                }
                None if self.ignored.iter().any(|pattern| pattern.matches(name)) => mapping.ignore(name),
                None => unmapped.push(name.to_owned()),
            }
        }
        if unmapped.is_empty() { Ok(mapping) } else { Err(NamesError::Unmapped { names: unmapped }) }
    }

    /// The foreign name of one of our tensors, by the first rule that maps it. `None` if no rule does.
    pub fn foreign(&self, ours: &str) -> Option<String> {
        self.rules.iter().find_map(|rule| rule.foreign.fill(&rule.ours.read(ours)?))
    }

    /// Our name, and whether the tensor is transposed.
    fn rule_of(&self, name: &str) -> Result<Option<(String, bool)>, NamesError> {
        let ours = |rule: &Rule| rule.ours.fill(&rule.foreign.read(name)?);
        let mut found = self.rules.iter().filter_map(|rule| Some((rule, ours(rule)?)));
        let Some((rule, ours)) = found.next() else { return Ok(None) };
        let other = found.next().map(|(other, _)| other.foreign.text());
        let ignored = || self.ignored.iter().find(|pattern| pattern.matches(name)).map(Pattern::text);
        match other.or_else(ignored) {
            None => Ok(Some((ours, rule.transposed))),
            Some(second) => {
                let (first, second) = (rule.foreign.text().to_owned(), second.to_owned());
                Err(NamesError::Ambiguous { name: name.to_owned(), first, second })
            }
        }
    }
}

impl Rule {
    fn parse(foreign: &str, ours: &str, transposed: &[String]) -> Result<Self, String> {
        let rule = Rule {
            foreign: Template::parse(foreign)?,
            ours: Template::parse(ours)?,
            transposed: transposed.iter().any(|text| text == ours),
        };
        if rule.foreign.adds() {
            return Err(format!(
                "has the name {} on the left; a number there must not have a constant added",
                shown(foreign)
            ));
        }
        if rule.foreign.numbers() != rule.ours.numbers() {
            return Err(format!(
                "has the rule {} = {}; both sides must have the same numbers",
                shown(foreign),
                shown(ours)
            ));
        }
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
        ignored = ["*.count"]
        transposed = ["head.weight"]
        [names]
        "fc.weight" = "head.weight"
        "layer{n}.weight" = "stages.{n-1}.weight"
        "first.weight" = "stages.0.weight"
    "#;

    #[test]
    fn names_go_both_ways() {
        let mapping = NameMap::parse(TABLE).unwrap().apply(["layer2.weight", "fc.weight", "bn.count"]).unwrap();
        assert_eq!(mapping.foreign("stages.1.weight"), Some("layer2.weight"));
        assert_eq!(mapping.ours("fc.weight"), Some("head.weight"));
        assert_eq!(
            mapping.iter().collect::<Vec<_>>(),
            [("head.weight", "fc.weight"), ("stages.1.weight", "layer2.weight")]
        );
        assert_eq!(mapping.ignored(), ["bn.count"]);
    }

    #[test]
    fn a_tensor_that_no_model_has_yet_has_a_name_all_the_same() {
        let map = NameMap::parse(TABLE).unwrap();
        assert_eq!(map.foreign("head.weight").as_deref(), Some("fc.weight"));
        assert_eq!(map.foreign("stages.4.weight").as_deref(), Some("layer5.weight"));
        assert_eq!(map.foreign("stem.weight"), None);
    }

    #[test]
    fn every_tensor_has_one_place() {
        let map = NameMap::parse(TABLE).unwrap();
        let cases: [(&[&str], &str); 4] = [
            (&["fc.weight", "fc.bias", "x"], "does not map 2 tensors: `fc.bias`, `x`"),
            (
                &["layer1.weight", "first.weight"],
                "`layer1.weight` and `first.weight` would both be called `stages.0.weight`",
            ),
            (&["fc.weight", "fc.weight"], "would both be called `head.weight`"),
            // Stages count from 1.
            (&["layer0.weight"], "does not map 1 tensors: `layer0.weight`"),
        ];
        for (names, expected) in cases {
            let error = map.apply(names.iter().copied()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn two_rules_for_a_tensor_are_refused() {
        let two = NameMap::parse("[names]\n\"a.{n}\" = \"b.{n}\"\n\"a.1\" = \"c\"").unwrap();
        let error = two.apply(["a.1"]).unwrap_err().to_string();
        assert_eq!(error, "two rules of the table of names match the tensor `a.1`: `a.1` and `a.{n}`");
        let ignored = NameMap::parse("ignored = [\"a*\"]\n[names]\n\"a.1\" = \"c\"").unwrap();
        let error = ignored.apply(["a.1"]).unwrap_err().to_string();
        assert!(error.contains("`a.1` and `a*`"), "{error}");
    }

    #[test]
    fn a_table_that_cannot_go_both_ways_is_refused() {
        let cases = [
            ("[names]\n\"a{n}\" = \"b\"", "the same numbers"),
            ("[names]\n\"a\" = \"b{n}\"", "the same numbers"),
            ("[names]\n\"a{n-1}\" = \"b{n}\"", "on the left"),
            ("[names]\n\"a{\" = \"b\"", "no `}`"),
            ("transposed = [\"heads\"]\n[names]\n\"a\" = \"head\"", "`heads` under `transposed`"),
            ("renamed = []\n[names]", "unknown field `renamed`"),
            ("[names]\n\"a\" = \"b\"\n\"a\" = \"c\"", "duplicate"),
            ("", "missing field `names`"),
        ];
        for (toml, expected) in cases {
            let error = NameMap::parse(toml).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

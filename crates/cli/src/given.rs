//! Reads arguments that are a kind, a file with a table, or the table itself, and the statements about model files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_config::{ConfigError, PartSource, read_part};
use alluvium_interchange::{Names, Normalisation, Reading, StateDictKey};
use alluvium_model::BackboneConfig;
use alluvium_registry::{Family, described};
use alluvium_store::text::read_text;
use alluvium_strategy::{SurrogateConfig, SurrogateTable};
use serde_json::Value;

use crate::Refusal;
use crate::model_arguments::ModelOptions;

/// The largest file with class names that is read, in bytes.
const LONGEST_LIST: u64 = 4_000_000;

/// Reads the plugin that an argument gives. Returns its kind, too.
pub(crate) fn part<C: ?Sized>(family: Family, name: &str, given: &str) -> Result<(String, Box<C>), ConfigError>
where
    Box<C>: serde::de::DeserializeOwned,
{
    read_part(family, source(name, given))
}

fn source<'a>(name: &'a str, given: &'a str) -> PartSource<'a> {
    match given {
        text if text.trim_start().starts_with('{') => PartSource::Inline { name, text },
        path if path.ends_with(".toml") => PartSource::File(Path::new(path)),
        kind => PartSource::Kind { name, kind },
    }
}

/// Reads surrogate data: like any other plugin, or from a picture.
pub(crate) fn surrogate(given: &str) -> Result<Box<dyn SurrogateConfig>, ConfigError> {
    const NAME: &str = "--surrogate";
    let is_kind = described(Family::Surrogate).iter().any(|one| one.kind == given);
    let picture = match source(NAME, given) {
        PartSource::Kind { kind, .. } if !is_kind => {
            let path = Value::String(kind.to_owned());
            Some(format!("{{ kind = \"single-image\", image = {path} }}"))
        }
        _ => None,
    };
    let (_, table) = part::<SurrogateTable>(Family::Surrogate, NAME, picture.as_deref().unwrap_or(given))?;
    Ok(table.into_config())
}

/// The statements about several model files.
pub(crate) struct ModelStatements {
    all: Reading,
    /// The given classes, file by file.
    classes: Vec<(PathBuf, Vec<String>)>,
    /// The state dict to take from every file that holds several; and the state dicts to take from single files.
    everywhere: Option<String>,
    state_dicts: Vec<(PathBuf, String)>,
    /// Whether there is only one file.
    is_alone: bool,
}

impl ModelStatements {
    /// Reads the statements about these files.
    pub(crate) fn of(options: &ModelOptions, files: &[&Path]) -> anyhow::Result<Self> {
        let names = options
            .names
            .as_deref()
            .map(|given| Names::open(given).map_err(|error| Refusal(format!("--names {given}: {error}"))));
        let backbone = options.backbone.as_deref().map(|given| {
            let (_, backbone) = part::<dyn BackboneConfig>(Family::Backbone, "--backbone", given)?;
            Ok::<Arc<dyn BackboneConfig>, ConfigError>(backbone.into())
        });
        let normalisation = options.mean.clone().zip(options.std.clone());
        let all = Reading {
            names: names.transpose()?,
            backbone: backbone.transpose()?,
            input: options.input,
            normalisation: normalisation.map(|(mean, std)| Normalisation { mean, std }),
            ..Reading::default()
        };
        let mut classes: Vec<(PathBuf, Vec<String>)> = vec![];
        for given in &options.classes {
            let (file, names) = classes_of(given, files)?;
            if classes.iter().any(|(other, _)| *other == file) {
                return Err(Refusal(format!(
                    "--classes: the classes of {} are given twice; accepted: once for each file",
                    file.display()
                ))
                .into());
            }
            classes.push((file, names));
        }
        let (mut everywhere, mut state_dicts): (_, Vec<(PathBuf, String)>) = (None, vec![]);
        for given in &options.state_dict {
            match of_one_file(given, files) {
                Some((file, _)) if state_dicts.iter().any(|(other, _)| *other == file) => {
                    return Err(Refusal(format!(
                        "--state-dict: the key for {} is given twice; accepted: once for each file",
                        file.display()
                    ))
                    .into());
                }
                Some((file, key)) => state_dicts.push((file, key.to_owned())),
                None if everywhere.is_some() => {
                    return Err(Refusal(format!(
                        "--state-dict {given}: a key for all files was given before; accepted: FILE=KEY for others"
                    ))
                    .into());
                }
                None => everywhere = Some(given.clone()),
            }
        }
        Ok(ModelStatements { all, classes, everywhere, state_dicts, is_alone: files.len() == 1 })
    }

    /// The state dict to take from this file.
    pub(crate) fn state_dict(&self, file: &Path) -> Option<StateDictKey> {
        let own = self.state_dicts.iter().find(|(other, _)| other == file).map(|(_, key)| key);
        match (own, &self.everywhere) {
            (Some(key), _) => Some(StateDictKey::Exactly(key.clone())),
            (None, Some(key)) if self.is_alone => Some(StateDictKey::Exactly(key.clone())),
            (None, key) => key.clone().map(StateDictKey::WhereSeveral),
        }
    }

    /// Checks that the state dict for all files was found in at least one of them.
    pub(crate) fn check_taken(&self, keys: impl IntoIterator<Item = Option<String>>) -> Result<(), Refusal> {
        match &self.everywhere {
            Some(key) if !keys.into_iter().any(|taken| taken.as_ref() == Some(key)) => Err(Refusal(format!(
                "--state-dict {key}: none of the files holds several state dicts (safetensors hold one model, without a key); \
                 accepted: no --state-dict"
            ))),
            _ => Ok(()),
        }
    }

    /// The statements about this file.
    pub(crate) fn of_file(&self, file: &Path) -> Reading {
        let classes = self.classes.iter().find(|(own, _)| own == file);
        Reading {
            classes: classes.map(|(_, names)| names.clone()),
            state_dict: self.state_dict(file),
            ..self.all.clone()
        }
    }
}

/// The file, and the names of its classes.
fn classes_of(given: &str, files: &[&Path]) -> Result<(PathBuf, Vec<String>), Refusal> {
    let Some((file, names)) = of_one_file(given, files) else {
        let files: Vec<_> = files.iter().map(|file| format!("{}=A,B,…", file.display())).collect();
        return Err(Refusal(format!(
            "--classes {given}: does not begin with one of the files; accepted: {}",
            files.join(" or ")
        )));
    };
    let Some(list) = names.strip_prefix('@') else {
        return Ok((file, names.split(',').map(|name| name.trim().to_owned()).collect()));
    };
    let text = read_text(Path::new(list), LONGEST_LIST)
        .map_err(|error| Refusal(format!("--classes: {error} (a list has one name on each line)")))?;
    Ok((file, text.lines().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()))
}

/// Splits `FILE=REST` into the file and the rest.
fn of_one_file<'a>(given: &'a str, files: &[&Path]) -> Option<(PathBuf, &'a str)> {
    // Both sides may contain an equals sign, so the names of the given files decide.
    let named = files.iter().filter_map(|file| {
        let rest = given.strip_prefix(file.to_str()?)?.strip_prefix('=')?;
        Some((file.to_path_buf(), rest))
    });
    named.max_by_key(|(file, _)| file.as_os_str().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_belong_to_the_file_that_they_begin_with() {
        let files = [Path::new("a"), Path::new("a=b"), Path::new("c")];
        let found =
            |given| classes_of(given, &files).map(|(file, names)| (file.display().to_string(), names.join("|")));
        assert_eq!(found("c=cat, dog").unwrap(), ("c".to_owned(), "cat|dog".to_owned()));
        assert_eq!(found("a=b=x=1,y").unwrap(), ("a=b".to_owned(), "x=1|y".to_owned()));
        let error = found("d=cat").unwrap_err().to_string();
        assert!(error.contains("does not begin with one of the files") && error.contains("c=A,B,…"), "{error}");
    }

    #[test]
    fn classes_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("names.txt");
        std::fs::write(&list, "T-shirt, long\n\n  Bag \n").unwrap();
        let (_, names) = classes_of(&format!("a=@{}", list.display()), &[Path::new("a")]).unwrap();
        assert_eq!(names, ["T-shirt, long", "Bag"]);
        for (bytes, expected) in [
            (&b"\xef\xbb\xbfcat\r\ndog\r\n"[..], Ok("cat|dog")),
            (b"\xff\xfec\0a\0t\0", Err("UTF-16")),
            (b"cat\nK\xe4se\n", Err("line 2 holds the byte 0xe4")),
        ] {
            std::fs::write(&list, bytes).unwrap();
            let found = classes_of(&format!("a=@{}", list.display()), &[Path::new("a")]);
            match (found, expected) {
                (Ok((_, names)), Ok(expected)) => assert_eq!(names.join("|"), expected),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (found, expected) => panic!("{found:?}, not {expected:?}"),
            }
        }
        let error = classes_of("a=@/no/such/file", &[Path::new("a")]).unwrap_err().to_string();
        assert!(error.contains("/no/such/file: cannot be read"), "{error}");
    }

    #[test]
    fn an_argument_is_a_table_a_file_or_a_kind() {
        assert!(matches!(source("--x", " { kind = \"a\" }"), PartSource::Inline { .. }));
        assert!(matches!(source("--x", "a.toml"), PartSource::File(_)));
        assert!(matches!(source("--x", "pld"), PartSource::Kind { kind: "pld", .. }));
    }
}

//! What arguments stand for: a kind, a file with a table, or the table itself; and what is said of model files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_config::{ConfigError, PartSource, read_part};
use alluvium_interchange::{Names, Normalisation, Reading};
use alluvium_model::BackboneConfig;
use alluvium_registry::{Family, described};
use alluvium_strategy::SurrogateConfig;
use serde_json::Value;

use crate::Refused;
use crate::model_arguments::ModelOptions;

/// The longest list of class names that is read from a file.
const LONGEST_LIST: u64 = 4_000_000;

/// Reads the plugin that an argument stands for, and its kind.
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

/// Reads surrogate data: as any other plugin, or from a picture.
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
    Ok(part(Family::Surrogate, NAME, picture.as_deref().unwrap_or(given))?.1)
}

/// What is said of several model files.
pub(crate) struct Said {
    all: Reading,
    /// The classes that are named, file by file.
    classes: Vec<(PathBuf, Vec<String>)>,
}

impl Said {
    /// Reads what was said of these files.
    pub(crate) fn of(options: &ModelOptions, files: &[&Path]) -> anyhow::Result<Self> {
        let names = options
            .names
            .as_deref()
            .map(|given| Names::open(given).map_err(|error| Refused(format!("--names {given}: {error}"))));
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
                return Err(Refused(format!("--classes names those of {} twice", file.display())).into());
            }
            classes.push((file, names));
        }
        Ok(Said { all, classes })
    }

    /// What was said of one of the files.
    pub(crate) fn of_file(&self, file: &Path) -> Reading {
        let classes = self.classes.iter().find(|(own, _)| own == file);
        Reading { classes: classes.map(|(_, names)| names.clone()), ..self.all.clone() }
    }
}

/// The file, and the names of its classes.
fn classes_of(given: &str, files: &[&Path]) -> Result<(PathBuf, Vec<String>), Refused> {
    // The file's name may hold an equals sign, and so may a class: what counts is which files there are.
    let named = files.iter().filter_map(|file| {
        let names = given.strip_prefix(file.to_str()?)?.strip_prefix('=')?;
        Some((file.to_path_buf(), names))
    });
    let Some((file, names)) = named.max_by_key(|(file, _)| file.as_os_str().len()) else {
        let files: Vec<_> = files.iter().map(|file| format!("{}=A,B,…", file.display())).collect();
        return Err(Refused(format!(
            "--classes {given}: names no file that is given; accepted: {}",
            files.join(" or ")
        )));
    };
    let Some(list) = names.strip_prefix('@') else {
        return Ok((file, names.split(',').map(|name| name.trim().to_owned()).collect()));
    };
    let mut text = String::new();
    let read = File::open(list).and_then(|file| file.take(LONGEST_LIST + 1).read_to_string(&mut text));
    let accepted = "accepted: a text file with a name a line";
    read.map_err(|error| Refused(format!("--classes: {list}: cannot be read ({error}); {accepted}")))?;
    if text.len() as u64 > LONGEST_LIST {
        return Err(Refused(format!("--classes: {list}: is longer than {LONGEST_LIST} bytes; {accepted}")));
    }
    Ok((file, text.lines().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()))
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
        assert!(error.contains("names no file") && error.contains("c=A,B,…"), "{error}");
    }

    #[test]
    fn classes_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("names.txt");
        std::fs::write(&list, "T-shirt, long\n\n  Bag \n").unwrap();
        let (_, names) = classes_of(&format!("a=@{}", list.display()), &[Path::new("a")]).unwrap();
        assert_eq!(names, ["T-shirt, long", "Bag"]);
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

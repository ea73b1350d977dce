//! `alluvium new`: a plugin as a crate of its own, which builds, passes the conformance tests, and has a comparison of seconds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use alluvium_registry::{Family, find, is_kind};
use alluvium_results::Metric;
use anyhow::Context;

use crate::arguments::{NewFamily, NewOptions};
use crate::{Refusal, print};

/// The files that are the same for every family.
const MANIFEST: &str = include_str!("new/Cargo.toml.txt");
const MAIN: &str = include_str!("new/main.rs.txt");
const README: &str = include_str!("new/README.md.txt");

/// What differs between families.
struct Template {
    /// The trait crate, without `alluvium-`.
    crate_name: &'static str,
    /// What the library and the tests need beside it, as lines of `Cargo.toml`.
    library: &'static str,
    tests: &'static str,
    source: &'static str,
    test: &'static str,
    config: &'static str,
    /// What the author writes first, for the README.
    begin: &'static str,
}

impl NewFamily {
    /// The family of its kinds; `None` for metrics, which have names instead.
    fn family(self) -> Option<Family> {
        match self {
            NewFamily::Strategy => Some(Family::Strategy),
            NewFamily::Stream => Some(Family::Stream),
            NewFamily::Backbone => Some(Family::Backbone),
            NewFamily::Surrogate => Some(Family::Surrogate),
            NewFamily::Device => Some(Family::Device),
            NewFamily::Metric => None,
        }
    }

    fn noun(self) -> String {
        self.family().map_or_else(|| "metric".to_owned(), |family| family.to_string())
    }

    fn template(self) -> Template {
        const BURN: &str = "burn = { version = \"=0.22.1\", default-features = false, features = [\"std\"] }\n";
        const FLEX: &str =
            "burn = { version = \"=0.22.1\", default-features = false, features = [\"std\", \"flex\"] }\n";
        match self {
            NewFamily::Strategy => Template {
                crate_name: "strategy",
                library: "",
                tests: "",
                source: include_str!("new/strategy.rs.txt"),
                test: "alluvium_strategy::conformance::check(\"KIND\");",
                config: include_str!("new/strategy.toml.txt"),
                begin: "the method `consolidate`: previous central model + expert → new central model",
            },
            NewFamily::Stream => Template {
                crate_name: "stream",
                library: "alluvium-model = { MODEL }\n",
                tests: "",
                source: include_str!("new/stream.rs.txt"),
                test: "alluvium_stream::conformance::check_stream(&IDENT::TYPEConfig::default());",
                config: include_str!("new/stream.toml.txt"),
                begin: "the method `build`: the tasks with their training and test samples",
            },
            NewFamily::Backbone => Template {
                crate_name: "model",
                library: BURN,
                tests: FLEX,
                source: include_str!("new/backbone.rs.txt"),
                test: "alluvium_model::conformance::check_kind(\"KIND\");\n    alluvium_model::conformance::check_config(&IDENT::TYPEConfig { width: 5 }, [1, 2, 3]);",
                config: include_str!("new/backbone.toml.txt"),
                begin: "the module, and `forward`: inputs → latents `[batch, latent]`",
            },
            NewFamily::Surrogate => Template {
                crate_name: "strategy",
                library: "alluvium-model = { MODEL }\nrand = { version = \"0.10\", default-features = false }\n",
                tests: "",
                source: include_str!("new/surrogate.rs.txt"),
                test: "alluvium_strategy::conformance::check_surrogate(&IDENT::TYPEConfig::default());",
                config: include_str!("new/surrogate.toml.txt"),
                begin: "the method `draw`: inputs from a seed",
            },
            NewFamily::Device => Template {
                crate_name: "device",
                library: "alluvium-model = { MODEL }\n",
                tests: "",
                source: include_str!("new/device.rs.txt"),
                test: "alluvium_device::conformance::check_kind(\"KIND\");",
                config: include_str!("new/device.toml.txt"),
                begin: "the methods `request`, `take` and `answer`: the device's two contacts",
            },
            NewFamily::Metric => Template {
                crate_name: "results",
                library: "",
                tests: "",
                source: include_str!("new/metric.rs.txt"),
                test: "alluvium_results::conformance::check_metric(\"IDENT\");",
                config: include_str!("new/metric.toml.txt"),
                begin: "the function `IDENT`: the measurements of a strategy under a seed → a number",
            },
        }
    }
}

pub(crate) fn new(options: &NewOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let NewOptions { family, name, .. } = options;
    check_name(*family, name)?;
    let clone = clone();
    let here = std::env::current_dir().unwrap_or_default();
    let folder = options.folder.clone().unwrap_or_else(|| default_folder(name, &here, clone.as_deref()));
    if folder.exists() {
        let message = format!("{}: exists already; accepted: a new folder, with --folder", folder.display());
        return Err(Refusal(message).into());
    }
    let mut files = files(*family, name, clone.as_deref());
    files.extend(clone.as_deref().map(|clone| (".cargo/config.toml".to_owned(), shared_build(clone))));
    for (file, text) in files {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).with_context(|| format!("{}: cannot be made", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    if let Some(clone) = &clone {
        // The versions with which Alluvium itself was tested.
        let _ = fs::copy(clone.join("Cargo.lock"), folder.join("Cargo.lock"));
    }
    let shown = folder.display();
    print(
        out,
        &format!(
            "Written: the {} \"{name}\" in {shown}. Begin in {shown}/src/lib.rs.\n\n    cd {shown}\n    cargo run \
             --release -- compare {name}.toml\n    cargo test --release\n",
            family.noun()
        ),
    )
}

fn check_name(family: NewFamily, name: &str) -> Result<(), Refusal> {
    if !is_kind(name) {
        let accepted = "lower case, with hyphens between words, such as moving-average";
        return Err(Refusal(format!("\"{name}\" is not the name of a kind; accepted: {accepted}")));
    }
    let (own_name, is_there) = match family.family() {
        Some(family) => (name.to_owned(), find(family, name).is_ok()),
        None => {
            let metric = name.replace('-', "_");
            let is_there = Metric::from_name(&metric).is_some();
            (metric, is_there)
        }
    };
    if is_there {
        let family = family.noun();
        return Err(Refusal(format!("the {family} \"{own_name}\" is there already; accepted: another name")));
    }
    Ok(())
}

/// The clone of Alluvium that this program was built in, if it is still there.
fn clone() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    root.join("crates/strategy/Cargo.toml").is_file().then(|| root.to_owned())
}

/// The folder of this name here; beside the clone, if here is in it: a plugin is outside of Alluvium's tree.
fn default_folder(name: &str, here: &Path, clone: Option<&Path>) -> PathBuf {
    match clone.filter(|clone| here.starts_with(clone)).and_then(Path::parent) {
        Some(parent) => parent.join(name),
        None => PathBuf::from(name),
    }
}

/// The settings with which the crate uses what the clone has compiled: the folder, and the profiles, because cargo compiles a
/// dependency again for another profile.
fn shared_build(clone: &Path) -> String {
    let folder = toml::Value::String(clone.join("target").display().to_string());
    let manifest = fs::read_to_string(clone.join("Cargo.toml")).unwrap_or_default();
    let profiles = manifest.parse::<toml::Table>().ok().and_then(|mut manifest| manifest.remove("profile"));
    let profiles = profiles.map(|profiles| toml::Table::from_iter([("profile".to_owned(), profiles)]));
    let profiles = profiles.and_then(|profiles| toml::to_string(&profiles).ok()).unwrap_or_default();
    format!(
        "# The dependencies that the clone of Alluvium has compiled are used again: a first build takes minutes less. Delete this \
         file to build\n# apart.\n\n[build]\ntarget-dir = {folder}\n\n# The profiles of the clone, which decide what can be \
         used again.\n{profiles}"
    )
}

/// The files of the crate, by their paths.
fn files(family: NewFamily, name: &str, clone: Option<&Path>) -> Vec<(String, String)> {
    let template = family.template();
    let identifier = name.replace('-', "_");
    let words = name.split('-').map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    let type_name: String = words.collect();
    let origin = |crate_name: &str| match clone {
        Some(root) => format!("path = {:?}", root.join("crates").join(crate_name).display().to_string()),
        None => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
    };
    let written = |text: &str| {
        let text = text.replace("LIBRARY\n", template.library).replace("TESTS\n", template.tests);
        let text = text.replace("{ CLI }", &format!("{{ {} }}", origin("cli")));
        let text = text.replace("{ MODEL }", &format!("{{ {} }}", origin("model")));
        let text = text.replace("TRAIT_ORIGIN", &origin(template.crate_name));
        let text = text.replace("TRAIT", template.crate_name).replace("CONFORMS", template.test);
        let about = match family.family() {
            Some(_) => "The doc comments are what `show` prints; fields are options, with their defaults and ranges.",
            None => "What `submit!` is given is what `show`, tables and files say of it.",
        };
        let text = text.replace("ABOUT", about).replace("BEGIN", template.begin).replace("FAMILY", &family.noun());
        let shown = if family.family().is_some() { name } else { &identifier };
        let text = text.replace("SHOWN", shown).replace("HEADING", &name.replace('-', "\\n"));
        text.replace("TYPE", &type_name).replace("IDENT", &identifier).replace("KIND", name)
    };
    let test =
        "//! The tests that every plugin of the family must pass.\n\n#[test]\nfn conforms() {\n    CONFORMS\n}\n";
    // A program that names nothing of a library does not link it.
    let test = if template.test.contains("IDENT::") {
        test.to_owned()
    } else {
        test.replacen("#[test]", "use IDENT as _;\n\n#[test]", 1)
    };
    [
        ("Cargo.toml".to_owned(), MANIFEST),
        ("src/lib.rs".to_owned(), template.source),
        ("src/main.rs".to_owned(), MAIN),
        ("tests/conformance.rs".to_owned(), &test),
        (format!("{name}.toml"), template.config),
        ("README.md".to_owned(), README),
        (".gitignore".to_owned(), "target\nresults\n"),
    ]
    .map(|(file, text)| (file, written(text)))
    .into()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_family_gives_a_crate_of_valid_files() {
        for family in NewFamily::value_variants() {
            for clone in [None, Some(Path::new("/some/clone"))] {
                let files = files(*family, "my-own-kind", clone);
                for (file, text) in &files {
                    for left in [
                        "KIND", "TYPE", "IDENT", "TRAIT", "FAMILY", "BEGIN", "CONFORMS", "LIBRARY", "TESTS", "{ CLI",
                        "SHOWN", "HEADING", "ABOUT",
                    ] {
                        assert!(!text.contains(left), "{file} of {family:?} has {left}\n{text}");
                    }
                    if file.ends_with(".toml") {
                        text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{file} of {family:?}: {error}"));
                    }
                }
                let text = |name: &str| &files.iter().find(|(file, _)| file == name).expect("is there").1;
                let own = match family.family() {
                    Some(_) => "kind = \"my-own-kind\"",
                    None => "name: \"my_own_kind\"",
                };
                assert!(text("src/lib.rs").contains(own), "{family:?}");
                assert!(text("my-own-kind.toml").contains(own) || family.family().is_none(), "{family:?}");
                assert_eq!(text("Cargo.toml").contains("/some/clone/crates/cli"), clone.is_some());
                // A test that names nothing of the library does not link it.
                let test = text("tests/conformance.rs");
                assert!(test.contains("use my_own_kind as _;") || test.contains("my_own_kind::"), "{family:?}: {test}");
                // Short enough to be read at once.
                let lines: usize =
                    files.iter().filter(|(file, _)| file.ends_with(".rs")).map(|(_, text)| text.lines().count()).sum();
                assert!(lines <= 90, "{family:?}: {lines} lines");
            }
        }
    }

    #[test]
    fn a_crate_beside_a_clone_builds_where_the_clone_does_and_with_its_profiles() {
        let clone = clone().expect("the tests run in a clone");
        let config = shared_build(&clone).parse::<toml::Table>().unwrap();
        assert_eq!(config["build"]["target-dir"].as_str(), clone.join("target").to_str());
        assert_eq!(config["profile"]["release"]["codegen-units"].as_integer(), Some(1));
        assert_eq!(config["profile"]["release"]["package"]["plotters"]["opt-level"].as_integer(), Some(0));
    }

    #[test]
    fn a_crate_made_in_a_clone_lies_beside_it() {
        let clone = Path::new("/home/me/alluvium");
        for (here, expected) in [
            ("/home/me/alluvium", "/home/me/mine"),
            ("/home/me/alluvium/examples", "/home/me/mine"),
            ("/home/me/alluvium-too", "mine"),
            ("/home/me", "mine"),
        ] {
            assert_eq!(default_folder("mine", Path::new(here), Some(clone)), Path::new(expected), "{here}");
        }
        assert_eq!(default_folder("mine", clone, None), Path::new("mine"));
    }

    #[test]
    fn names_that_cannot_be_kinds_are_refused() {
        for name in ["MyKind", "my_kind", "-a", "a--b", ""] {
            assert!(check_name(NewFamily::Strategy, name).unwrap_err().0.contains("lower case"), "{name}");
        }
        assert!(check_name(NewFamily::Strategy, "pld").unwrap_err().0.contains("is there already"));
        check_name(NewFamily::Stream, "pld").unwrap();
        assert!(check_name(NewFamily::Metric, "bytes-up").unwrap_err().0.contains("the metric \"bytes_up\" is there"));
        check_name(NewFamily::Metric, "worst-task").unwrap();
    }
}

//! The JSON Schema of a configuration: it is the one that ships, the examples follow it, and it agrees with `check`.

use std::fs;
use std::path::{Path, PathBuf};

use alluvium_config::{ConfigSource, config_schema, read_all};
use alluvium_registry::{Family, default_kind, descriptions};
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::tiny::{TINY, succeeds};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&config_schema()).expect("the schema is one")
}

/// A TOML text as JSON.
fn json_of(toml: &str) -> Value {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{error}:\n{toml}"))
}

#[track_caller]
fn is_valid(what: &str, toml: &str) {
    let instance = json_of(toml);
    let errors: Vec<_> = validator().iter_errors(&instance).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

#[test]
#[cfg_attr(any(feature = "cuda", feature = "wgpu"), ignore = "the schema that ships is that of the default features")]
fn the_schema_that_ships_is_the_one_that_the_binary_prints() {
    let printed = succeeds(&examples(), &["schema"]);
    assert_eq!(printed, succeeds(&examples(), &["schema"]), "twice the same");
    let mut printed: Value = serde_json::from_str(&printed).unwrap();
    forget_test_doubles(&mut printed);
    let shipped = fs::read_to_string(examples().join("alluvium.schema.json")).unwrap_or_default();
    assert!(
        shipped == format!("{}\n", serde_json::to_string_pretty(&printed).unwrap()),
        "examples/alluvium.schema.json is not the schema of this binary; write it again: \
         cargo run --release -- schema > examples/alluvium.schema.json"
    );
}

/// What the kinds are called that the tests' build has and the command that writes the file does not: those that conformance
/// tests submit, and the backend that the tests switch on.
const NOT_SHIPPED: [&str; 2] = ["conformance-", "ndarray"];

/// Takes those kinds out.
fn forget_test_doubles(schema: &mut Value) {
    let is_shipped = |text: &str| !NOT_SHIPPED.iter().any(|kind| text.contains(kind));
    match schema {
        Value::Object(table) => {
            table.retain(|key, _| is_shipped(key));
            table.values_mut().for_each(forget_test_doubles);
        }
        // Inner lists come first: a list that names such a kind loses that item, and is not removed from the list around it.
        Value::Array(items) => {
            items.iter_mut().for_each(forget_test_doubles);
            items.retain(|item| is_shipped(&item.to_string()));
        }
        _ => {}
    }
}

#[test]
fn the_schema_is_one() {
    let schema = config_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    // Validators of editors know draft 7. There `$defs` is not a keyword, but references to it work.
    assert!(jsonschema::draft7::new(&schema).is_ok());
    assert_eq!(schema["$defs"]["strategy.pld"]["properties"]["latent_weight"]["default"], 1.0);
}

#[test]
fn every_example_keeps_to_the_schema_and_names_it() {
    let mut seen = 0;
    for entry in fs::read_dir(examples()).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&file).unwrap();
            is_valid(&file.display().to_string(), &text);
            assert!(text.starts_with("#:schema alluvium.schema.json\n"), "{} does not name it", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} examples");
}

#[test]
fn what_init_writes_keeps_to_the_schema() {
    let folder = TempDir::new().unwrap();
    succeeds(folder.path(), &["init", "new.toml"]);
    let text = fs::read_to_string(folder.path().join("new.toml")).unwrap();
    is_valid("init", &text);
    is_valid("init, with the schema named", &text.replace("##:schema", "#:schema"));
}

/// Changes of the tiny configuration that are right, and what is swept in them.
const SWEEPS: [(&str, &str, &str); 8] = [
    ("a number", "epochs = 1", "epochs = [1, 2]"),
    ("an option of a strategy", "steps = 5", "steps = [5, 10]"),
    ("a word of a few", "steps = 5", "start = [\"expert\", \"previous\"]"),
    ("a key that takes a list", "layers = [16, 8]", "layers = [[16, 8], [8]]"),
    ("a kind", "kind = \"noise\"\nsamples = 64", "kind = [\"noise\", \"single-image\"]"),
    ("a kind of a strategy", "kind = \"naive\"", "kind = [\"naive\", \"weight-averaging\"]"),
    ("whole tables", "[surrogate]", "[[surrogate]]\nkind = \"single-image\"\n\n[[surrogate]]"),
    ("a key of an inline table", "kind = \"dcl\" }", "kind = \"dcl\", grants = [\"none\", \"surrogate\"] }"),
];

/// Changes of the tiny configuration that are wrong.
const WRONG: [(&str, &str, &str); 16] = [
    ("an unknown key at the top", "seeds = [0, 1]", "seeds = [0, 1]\nsede = 1"),
    ("an unknown key of a table", "epochs = 1", "epoch = 1"),
    ("an unknown key of a plugin", "steps = 5", "stepz = 5"),
    ("an option of another kind", "samples = 64", "patches = 64"),
    ("an unknown kind", "\"split-glyphs\"", "\"split-mnist\""),
    ("no kind", "kind = \"mlp\"\n", ""),
    ("no name", "name = \"tiny\"\n", ""),
    ("a text for a number", "epochs = 1", "epochs = \"one\""),
    ("a float for an integer", "steps = 5", "steps = 5.5"),
    ("out of range", "learning_rate = 0.05", "learning_rate = -1.0"),
    ("none of the words", "steps = 5", "start = \"middle\""),
    ("an empty list", "epochs = 1", "epochs = []"),
    ("a value twice", "epochs = 1", "epochs = [1, 1]"),
    ("a wrong value in a list", "epochs = 1", "epochs = [1, -1]"),
    ("a name that is swept", "name = \"tiny\"", "name = [\"a\", \"b\"]"),
    (
        "an option that does not fit each kind",
        "kind = \"noise\"\nsamples = 64",
        "kind = [\"noise\", \"single-image\"]\nsamples = 64",
    ),
];

#[track_caller]
fn changed(what: &str, from: &str, to: &str) -> String {
    let changed = TINY.replacen(from, to, 1);
    assert_ne!(changed, TINY, "{what} changes nothing");
    changed
}

/// Whether `check` accepts a file, in this process.
fn checked(toml: &str) -> Result<(), String> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("mutated.toml");
    fs::write(&file, toml).unwrap();
    read_all(ConfigSource::File(&file), None, None).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn sweeps_keep_to_the_schema() {
    for (what, from, to) in SWEEPS {
        let text = changed(what, from, to);
        is_valid(what, &text);
        // Without surrogate data `pld` is refused. A schema cannot know that.
        let refused = checked(&text).err().filter(|error| !error.contains("asks for surrogate data"));
        assert_eq!(refused, None, "{what}");
    }
}

#[test]
fn wrong_files_are_refused_by_the_schema_and_by_check() {
    let validator = validator();
    for (what, from, to) in WRONG {
        let text = changed(what, from, to);
        assert!(!validator.is_valid(&json_of(&text)), "{what} is right to the schema");
        assert!(checked(&text).is_err(), "{what} is right to check");
    }
}

/// Values of all types, within and beyond most ranges.
fn values() -> Vec<Value> {
    vec![
        json!(-1),
        json!(0),
        json!(2),
        json!(0.25),
        json!(1_000_000_000_000_i64),
        json!("text"),
        json!(true),
        json!([]),
        json!([1]),
        json!([1, 1]),
        json!([1, "text"]),
        json!(["a", "b"]),
        json!([[1], [2]]),
        json!({"a": 1}),
    ]
}

/// Every configuration that differs from the tiny one in one key, with what differs.
fn mutations() -> Vec<(String, Value)> {
    let base = json_of(TINY);
    let mut mutations = vec![];
    let mut add = |what: &str, base: &Value, path: &[&str], key: &str| {
        for value in values() {
            let mut mutated = base.clone();
            let table = path.iter().fold(&mut mutated, |table, key| match key.parse::<usize>() {
                Ok(number) => &mut table[number],
                Err(_) => &mut table[*key],
            });
            table[key] = value.clone();
            mutations.push((format!("{what}: {key} = {value}"), mutated));
        }
    };
    for key in base.as_object().unwrap().keys().filter(|key| *key != "strategies") {
        add("top", &base, &[], key);
    }
    let schema = config_schema();
    let device = format!("device.{}", default_kind(Family::Device).unwrap());
    for (table, definition) in [("device", device.as_str()), ("protocol", "Protocol")] {
        for key in schema["$defs"][definition]["properties"].as_object().unwrap().keys() {
            add(table, &base, &[table], key);
        }
    }
    for description in descriptions() {
        let mut base = base.clone();
        let table = Value::Object(Map::from_iter([("kind".to_owned(), description.kind.into())]));
        let path: &[&str] = match description.family {
            Family::Strategy => &["strategies", "1"],
            Family::Stream => &["stream"],
            Family::Backbone => &["backbone"],
            Family::Classifier => &["classifier"],
            Family::Surrogate => &["surrogate"],
            Family::Device => &["device"],
            Family::Backend => &["backend"],
        };
        match path {
            [table_key] => base[*table_key] = table,
            _ => base["strategies"][1] = table,
        }
        for option in description.options() {
            add(description.kind, &base, path, &option.name);
        }
    }
    mutations
}

/// What `check` says of a value's type or range, or of a key.
const TYPE_OR_RANGE: [&str; 9] = [
    "is out of range",
    "is none of the kinds",
    "is a ",
    "is an ",
    "is not a key",
    "is missing",
    "linked into this binary",
    "twice",
    "cannot be read (",
];

#[test]
fn the_schema_and_check_agree_on_types_and_ranges() {
    let validator = validator();
    let mutations = mutations();
    assert!(mutations.len() > 500, "{}", mutations.len());
    let mut refused = 0;
    for (what, instance) in mutations {
        let checked = checked(&toml::to_string(&instance).unwrap());
        if validator.is_valid(&instance) {
            let error = checked.err().unwrap_or_default();
            // Places and file names in the message do not match these words.
            let wrong = TYPE_OR_RANGE.iter().any(|words| error.contains(words));
            assert!(!wrong, "{what} is right to the schema, but check says: {error}");
        } else {
            assert!(checked.is_err(), "{what} is wrong to the schema, but right to check");
            refused += 1;
        }
    }
    assert!(refused > 300, "{refused}");
}

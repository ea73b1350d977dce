//! A configuration is read: sweeps expand, every error names line and column, defaults are written out, and a strategy that
//! asks for more data than the protocol grants is refused.

mod doubles;

use alluvium_config::{ConfigError, ConfigSource, PartSource, Variant, read_all, read_part};
use alluvium_registry::Family;
use alluvium_strategy::{DataAccess, StrategyConfig};
use serde_json::{Value, json};

use doubles::COMPARISON;

const NAME: &str = "doubles.toml";

fn read(text: &str) -> Result<Vec<Variant>, ConfigError> {
    read_all(ConfigSource::BuiltIn { name: NAME, text }, None, None)
}

/// The comparison with one change.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(COMPARISON.contains(from), "{from}");
    COMPARISON.replacen(from, to, 1)
}

#[track_caller]
fn accepted(text: &str) -> Vec<Variant> {
    read(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Line and column of the last place where `part` stands in `text`, counted from 1.
#[track_caller]
fn place(text: &str, part: &str) -> (usize, usize) {
    let before = &text[..text.rfind(part).unwrap_or_else(|| panic!("no `{part}` in:\n{text}"))];
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[test]
fn a_file_without_lists_is_one_comparison() {
    let variants = accepted(COMPARISON);
    assert_eq!(variants.len(), 1);
    let Variant { label, settings, devices, experiment, .. } = &variants[0];
    assert_eq!((label.as_str(), settings.len(), *devices), ("", 0, 2));
    assert_eq!((experiment.name.as_str(), experiment.seeds.as_slice()), ("doubles", &[0][..]));
    assert_eq!(experiment.strategies[0].name, "blend");
    assert_eq!(variants[0].folder(), "");
}

#[test]
fn lists_outside_the_strategies_give_variants_and_the_last_changes_fastest() {
    let text = changed("tasks = 2", "tasks = [2, 3]").replace("epochs = 1", "epochs = [1, 5]");
    let variants = accepted(&text);
    let labels: Vec<_> = variants.iter().map(|variant| variant.label.as_str()).collect();
    let expected = [
        "stream.tasks=2, device.epochs=1",
        "stream.tasks=2, device.epochs=5",
        "stream.tasks=3, device.epochs=1",
        "stream.tasks=3, device.epochs=5",
    ];
    assert_eq!(labels, expected);
    assert_eq!(variants.iter().map(|variant| variant.devices).collect::<Vec<_>>(), [2, 2, 3, 3]);
    assert_eq!(
        variants.iter().map(|variant| variant.experiment.device.training().unwrap().epochs).collect::<Vec<_>>(),
        [1, 5, 1, 5]
    );
    assert_eq!(variants[3].folder(), "stream.tasks=3,device.epochs=5");
    let settings =
        [("stream.tasks", "3"), ("device.epochs", "5")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(variants[3].settings, settings);
}

#[test]
fn lists_in_a_strategy_give_rows() {
    let variants = accepted(&changed("kind = \"blend\"", "kind = \"blend\"\nweight = [0.0, 0.25]"));
    assert_eq!(variants.len(), 1);
    let rows = &variants[0].experiment.strategies;
    let names: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.kind.as_str())).collect();
    assert_eq!(names, [("blend (weight = 0.0)", "blend"), ("blend (weight = 0.25)", "blend")]);
    assert_eq!(serde_json::to_value(&rows[1].config).unwrap()["weight"], 0.25);
}

/// A change that makes the comparison wrong, where the error stands, and words of its message.
struct WrongFile {
    from: &'static str,
    to: &'static str,
    at: &'static str,
    says: &'static [&'static str],
}

const WRONG: [WrongFile; 21] = [
    WrongFile { from: "epochs = 1", to: "epochs = 2026-11-29", at: "epochs", says: &["`device.epochs` is the date"] },
    WrongFile { from: "epochs = 1", to: "epochs = nan", at: "epochs", says: &["`device.epochs` is NaN"] },
    WrongFile { from: "seeds = [0]", to: "seeds = [0]\nsede = 1", at: "sede", says: &["`sede` is not a key"] },
    WrongFile { from: "epochs = 1", to: "epoch = 1", at: "epoch", says: &["[device]: `epoch` is not a key", "epochs"] },
    WrongFile {
        from: "tasks = 2",
        to: "task = 2",
        at: "task =",
        says: &["[stream]: `task` is not a key", "tasks, samples"],
    },
    WrongFile {
        from: "\"squares\"",
        to: "\"rings\"",
        at: "kind = \"rings\"",
        says: &["unknown stream kind", "squares"],
    },
    WrongFile {
        from: "kind = \"squares\"\n",
        to: "",
        at: "stream]",
        says: &["[stream]: `kind` is missing", "\"squares\""],
    },
    WrongFile {
        from: "epochs = 1",
        to: "epochs = \"one\"",
        at: "epochs",
        says: &["[device]: `epochs` is a string: \"one\""],
    },
    WrongFile { from: "tasks = 2", to: "tasks = 0", at: "tasks", says: &["`tasks` = 0 is out of range", "at least 1"] },
    WrongFile {
        from: "tasks = 2",
        to: "tasks = [2, 0]",
        at: "0]\n\n[backbone]",
        says: &["`tasks` = 0 is out of range"],
    },
    WrongFile { from: "tasks = 2", to: "tasks = []", at: "tasks", says: &["`tasks` is an empty list"] },
    WrongFile { from: "tasks = 2", to: "tasks = [2, 2]", at: "2]\n\n[backbone]", says: &["`tasks` lists 2 twice"] },
    WrongFile { from: "seeds = [0]", to: "seeds = [0, 0]", at: "0]", says: &["`seeds` names the seed 0 twice"] },
    WrongFile { from: "seeds = [0]", to: "seeds = [0]\nbaseline = \"x\"", at: "baseline", says: &["\"x\"", "blend"] },
    WrongFile {
        from: "kind = \"blend\"\n",
        to: "kind = \"blend\"\n\n[[strategies]]\nkind = \"blend\"\nweight = 0.0\n",
        at: "[[strategies]]",
        says: &["[[strategies]] 2: the row name \"blend\" is taken"],
    },
    WrongFile {
        from: "kind = \"dcl\"",
        to: "kind = \"dcl\", rounds = 3",
        at: "rounds",
        says: &["`rounds` is a key of the protocol \"federated\", not of \"dcl\""],
    },
    WrongFile {
        from: "kind = \"dcl\"",
        to: "kind = \"dcl\", absent_devices = [7]",
        at: "absent_devices",
        says: &["`absent_devices` names the device 7, but the stream has 2"],
    },
    WrongFile {
        from: "tasks = 2",
        to: "tasks = 9\nsamples = 50",
        at: "samples",
        says: &["[stream]: `samples` × `tasks` = 450; accepted: 200 at most"],
    },
    WrongFile {
        from: "kind = \"blend\"",
        to: "kind = \"blend\"\nwants = \"surrogate\"",
        at: "[[strategies]]",
        says: &["[[strategies]] 1: the strategy \"blend\" needs surrogate data", "[surrogate] table"],
    },
    WrongFile {
        from: "kind = \"blend\"",
        to: "kind = \"blend\"\nwants = \"current-task\"",
        at: "[[strategies]]",
        says: &["asks for current-task data", "\"dcl\" grants surrogate data only"],
    },
    WrongFile {
        from: "kind = \"blend\"",
        to: "kind = \"blend\"\ndevice = { epochs = -1 }",
        at: "epochs",
        says: &["[[strategies]] 1: `epochs` = -1 is out of range"],
    },
];

#[test]
fn every_error_names_line_and_column_and_what_is_accepted() {
    for WrongFile { from, to, at, says } in WRONG {
        let text = changed(from, to);
        let error = read(&text).expect_err(to);
        let (line, column) = place(&text, at);
        let message = error.to_string();
        assert_eq!(error.problems[0].place, Some((line, column)), "{message}");
        assert!(message.starts_with(&format!("{NAME}:{line}:{column}: ")), "{message}");
        assert!(message.contains("accepted: ") || message.contains("linked into this binary: "), "{message}");
        for words in says {
            assert!(message.contains(words), "`{words}` is not in: {message}");
        }
    }
}

#[test]
fn text_that_is_not_toml_is_refused_where_it_breaks() {
    let text = changed("epochs = 1", "epochs = = 1");
    let error = read(&text).unwrap_err();
    assert_eq!(error.problems[0].place.map(|(line, _)| line), Some(place(&text, "epochs").0));
    assert!(error.to_string().contains("is not TOML"), "{error}");
}

#[test]
fn all_problems_of_a_stage_are_told_at_once_and_each_once() {
    // Both variants have the same wrong key, and one of them a value out of range.
    let text = changed("tasks = 2", "tasks = [2, 3]").replace("epochs = 1", "epochs = [1, -1]\nepoch = 2");
    let error = read(&text).unwrap_err();
    let messages: Vec<_> = error.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages.iter().filter(|message| message.contains("`epoch` is not a key")).count(), 1);
    assert_eq!(messages.iter().filter(|message| message.contains("= -1 is out of range")).count(), 1);
}

#[test]
fn defaults_are_written_out_and_read_back() {
    let written = accepted(COMPARISON).remove(0).experiment.written_out;
    assert_eq!(written["device"]["epochs"], 1);
    assert_eq!(written["device"]["momentum"], 0.9);
    assert_eq!(written["stream"], json!({"kind": "squares", "tasks": 2, "samples": 8}));
    assert_eq!(written["backbone"], json!({"kind": "_conformance-tiny"}));
    assert_eq!(written["evaluation"]["every"], 1);
    assert_eq!(written["references"], json!(["devices-alone", "joint"]));
    let protocol = json!({"kind": "dcl", "grants": "surrogate", "statistics": true, "concurrency": 1,
        "arrival": "in-order", "never_return": 0.0});
    assert_eq!(written["protocol"], protocol);
    let row = json!({"kind": "blend", "weight": 0.5, "wants": "none", "name": "blend"});
    assert_eq!(written["strategies"], json!([row]));

    let mut without_nulls = written.clone();
    without_nulls.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let again = accepted(&toml::to_string(&without_nulls).unwrap()).remove(0);
    assert_eq!(again.experiment.written_out, written);
}

#[test]
fn data_that_the_protocol_grants_are_the_rows() {
    let text = changed("kind = \"dcl\"", "kind = \"dcl\", grants = \"current-task\"");
    let wants = |access: &str| text.replace("kind = \"blend\"", &format!("kind = \"blend\"\nwants = \"{access}\""));
    let granted = accepted(&wants("current-task"));
    assert_eq!(granted[0].experiment.strategies[0].data_access, DataAccess::CurrentTask);
    let error = read(&wants("all-tasks")).unwrap_err().to_string();
    assert!(
        error.contains("asks for all-tasks data, but the protocol \"dcl\" grants current-task data only"),
        "{error}"
    );
}

#[test]
fn a_row_has_a_protocol_and_device_settings_of_its_own() {
    let own = "kind = \"blend\"\nprotocol = { kind = \"federated\", rounds = 3 }\ndevice = { epochs = 2 }";
    let text = changed("kind = \"blend\"", own).replace("epochs = 1\n", "epochs = 1\nlearning_rate = 0.3\n");
    let variants = accepted(&text);
    let row = &variants[0].experiment.strategies[0];
    let (own, common) = (row.device.training().unwrap(), variants[0].experiment.device.training().unwrap());
    assert_eq!((row.protocol.kind.name(), row.protocol.rounds(), own.epochs), ("federated", 3, 2));
    assert_eq!(own.learning.learning_rate, 0.3, "what it does not name stays as it is");
    assert_eq!((common.epochs, common.learning.learning_rate), (1, 0.3));
}

#[test]
fn backend_and_seeds_of_the_command_line_replace_those_of_the_file() {
    let text = changed("[backend]\nkind = \"processor\"\n", "");
    let source = ConfigSource::BuiltIn { name: NAME, text: &text };
    let variants = read_all(source, Some("processor"), Some(vec![3, 4])).unwrap();
    assert_eq!(
        (variants[0].experiment.backend.kind.as_str(), &variants[0].experiment.seeds),
        ("processor", &vec![3, 4])
    );
    let error = read_all(source, Some("abacus"), None).unwrap_err();
    assert_eq!(error.problems[0].place, None, "the kind does not stand in the file");
    assert!(error.to_string().starts_with("doubles.toml: "), "{error}");
    assert!(error.to_string().contains("unknown backend kind \"abacus\""), "{error}");
}

#[test]
fn one_plugins_table_is_read_from_an_argument() {
    let read =
        |text| read_part::<dyn StrategyConfig>(Family::Strategy, PartSource::Inline { name: "--strategy", text });
    let (kind, config) = read("{ kind = \"blend\", weight = 0.25 }").unwrap();
    assert_eq!((kind.as_str(), serde_json::to_value(&config).unwrap()["weight"].clone()), ("blend", Value::from(0.25)));
    for (text, says) in [
        ("{ kind = \"blend\", weight = 2.0 }", "--strategy: `weight` = 2.0 is out of range"),
        ("{ kind = \"mix\" }", "--strategy: unknown strategy kind \"mix\""),
        ("{ kind = ", "--strategy: is not a table"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let kind = PartSource::Kind { name: "--strategy", kind: "blend" };
    let (_, config) = read_part::<dyn StrategyConfig>(Family::Strategy, kind).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), json!({"kind": "blend", "weight": 0.5, "wants": "none"}));
}

/// A model of a run directory in a file, and the comparison that begins from it.
fn begun_from(folder: &std::path::Path, keys: &str) -> String {
    let experiment = accepted(COMPARISON).remove(0).experiment;
    let compute = burn::tensor::Device::flex();
    let stream = experiment.stream.build(alluvium_model::Seed::new(0)).unwrap();
    let seed = alluvium_model::Seed::new(7);
    let model =
        alluvium_model::ModelState::initial(experiment.backbone.clone(), stream.input(), seed, &compute).unwrap();
    let path = folder.join("first.safetensors");
    std::fs::write(&path, model.to_bytes().unwrap()).unwrap();
    changed("[device]", &format!("[initial]\nfile = \"{}\"\n{keys}\n[device]", path.display()))
}

#[test]
fn a_file_with_first_weights_is_checked_and_its_digest_is_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let variants = accepted(&begun_from(folder.path(), ""));
    let experiment = &variants[0].experiment;
    let digest = experiment.initial.as_ref().unwrap().digest.clone().unwrap();
    assert_eq!(digest.len(), 64);
    assert_eq!(experiment.written_out["initial"]["digest"], digest.as_str());
    assert_eq!(experiment.written_out["initial"]["classifier"], "drop");
    // A digest that is written out is demanded when the configuration is read again.
    accepted(&begun_from(folder.path(), &format!("digest = \"{digest}\"")));
    // Without the table, nothing is written out.
    assert!(accepted(COMPARISON)[0].experiment.written_out.get("initial").is_none());

    let swept = begun_from(folder.path(), "")
        .replace("file = \"", "file = [\"\", \"")
        .replace("safetensors\"", "safetensors\"]");
    let variants = accepted(&swept);
    assert_eq!(variants[0].label, "initial.file=\"\"");
    assert!(variants[0].experiment.initial.is_none() && variants[1].experiment.initial.is_some());
}

#[test]
fn a_file_with_first_weights_that_does_not_fit_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("classifier = \"keep\"", "classifier", "has no classifier to keep; accepted: `classifier` = \"drop\""),
        ("digest = \"00\"", "digest", "has the `digest`"),
        (
            "names = \"torchvision\"",
            "names",
            "`names`: there is no table of names `torchvision`; accepted: `timm-resnet`",
        ),
        ("classes = [\"a\"]", "classes", "`classes` names the rows of a classifier that is left behind"),
    ];
    for (keys, at, says) in cases {
        let text = begun_from(folder.path(), keys);
        let error = read(&text).unwrap_err();
        let problem = &error.problems[0];
        assert_eq!(error.problems.len(), 1, "{error}");
        assert!(problem.message.contains(says), "{error}");
        assert_eq!(problem.place, Some(place(&text, at)), "{error}");
        assert_eq!(problem.table, "[initial]", "{error}");
    }
    let text = changed("[device]", "[initial]\nfile = \"nowhere.pt\"\n[device]");
    let error = read(&text).unwrap_err().to_string();
    assert!(error.contains("[initial]: nowhere.pt: cannot be read"), "{error}");
    let text = changed("[device]", "[initial]\nclassifier = \"keep\"\n[device]");
    let error = read(&text).unwrap_err().to_string();
    assert!(error.contains("`classifier` is about a model file, but `file` names none"), "{error}");
}

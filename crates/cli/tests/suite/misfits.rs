//! Strategies, surrogate data and devices that do not fit the backbone, the input or the protocol are refused before anything is
//! trained.

use std::fs;

use alluvium_config::{ConfigSource, read_all};
use alluvium_model::{Backbone, BackboneConfig, BoxedBackbone, InputShape, Inputs, ModelError, options, plugin};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::tiny::{TINY, alluvium, folder, text};

/// A change of the tiny comparison: where the message stands, and what it must contain.
struct Misfit {
    /// The row, added to the comparison: its table without the heading.
    row: &'static str,
    /// A change of the other tables.
    change: (&'static str, &'static str),
    /// The table that the message names.
    table: &'static str,
    says: &'static [&'static str],
}

const NOTHING: (&str, &str) = ("", "");
const ROW: &str = "[[strategies]] 3";

const MISFITS: &[Misfit] = &[
    Misfit {
        row: "kind = \"replay\"",
        change: NOTHING,
        table: ROW,
        says: &["asks for all-tasks data", "the protocol \"dcl\" grants surrogate data", "accepted: a strategy"],
    },
    Misfit {
        row: "kind = \"replay\"\nprotocol = { kind = \"federated\", grants = \"all-tasks\" }",
        change: NOTHING,
        table: ROW,
        says: &["the same devices come back in every round", "accepted: a strategy"],
    },
    Misfit {
        row: "kind = \"replay\"\nbuffer_samples = 1\nprotocol = { kind = \"centralised\", grants = \"all-tasks\" }",
        change: NOTHING,
        table: ROW,
        says: &["`buffer_samples` = 1 holds no sample of some of the 2 earlier tasks", "accepted: at least 2"],
    },
    Misfit {
        row: "kind = \"fisher-merging\"",
        change: ("kind = \"dcl\"", "kind = \"dcl\", statistics = false"),
        table: ROW,
        says: &["the statistic \"fisher\"", "accepted: a strategy that asks for none, or statistics = true"],
    },
    Misfit {
        row: "kind = \"pld\"\nname = \"deep\"\nlayers = [\"latent\", \"layer4\"]",
        change: NOTHING,
        table: ROW,
        says: &["`layers` names \"layer4\", which the backbone does not have", "accepted: ", "latent"],
    },
    Misfit {
        row: "kind = \"pld\"\nname = \"batch\"\nbatch_norm = \"recalibrated\"",
        change: NOTHING,
        table: ROW,
        says: &["`batch_norm` has no effect: the backbone \"mlp\"", "accepted: \"frozen\""],
    },
    Misfit {
        row: "kind = \"pld\"\nname = \"new\"\nstart = \"initial\"",
        change: ("kind = \"mlp\"\nlayers = [16, 8]", "kind = \"slim-resnet18\"\nwidth = 4"),
        table: ROW,
        says: &[
            "`start` = \"initial\" has no running statistics for the 20 batch normalisations",
            "accepted: another start",
        ],
    },
    Misfit {
        row: "kind = \"task-arithmetic\"\nrelative_to = \"common-start\"\nprotocol = { kind = \"federated\" }",
        change: NOTHING,
        table: ROW,
        says: &[
            "`relative_to` = \"common-start\"",
            "under the protocol \"federated\" begins again",
            "accepted: \"initial\"",
        ],
    },
    Misfit {
        row: "kind = \"ensemble\"\nprotocol = { kind = \"federated\" }",
        change: NOTHING,
        table: ROW,
        says: &["`start` = \"initial\"", "under the protocol \"federated\" begins again", "accepted: \"latest\""],
    },
    Misfit {
        row: "kind = \"reg-mean\"",
        change: ("[device]", "[classifier]\nkind = \"cosine\"\n\n[device]"),
        table: ROW,
        says: &[
            "the strategy \"reg-mean\" merges heads as linear maps",
            "the classifier \"cosine\"",
            "accepted: the classifier",
        ],
    },
    Misfit {
        row: "kind = \"ensemble\"",
        change: ("[device]", "[classifier]\nkind = \"cosine\"\n\n[device]"),
        table: ROW,
        says: &[
            "the strategy \"ensemble\" adds up heads that are linear maps",
            "\"cosine\"",
            "accepted: the classifier",
        ],
    },
    Misfit {
        row: "kind = \"fedavg\"",
        change: NOTHING,
        table: ROW,
        says: &["the strategy \"fedavg\" averages the experts of a round", "\"dcl\"", "accepted: protocol"],
    },
    Misfit {
        row: "kind = \"pld\"\nname = \"many\"\nsurrogate = { kind = \"noise\", samples = 4_000_000 }",
        change: NOTHING,
        table: ROW,
        // 4 000 000 inputs of 28·28 values of 4 bytes are 12.5 GB.
        says: &["the surrogate data \"noise\" take 12.5 GB", "inputs of 1×28×28", "accepted: at most 8.6 GB"],
    },
    Misfit {
        row: "kind = \"pld\"\nname = \"best\"\nsurrogate = { kind = \"noise\", select = 0.25 }",
        change: NOTHING,
        table: ROW,
        says: &[
            "`select` = 0.25 has no effect: the backbone \"mlp\"",
            "accepted: 1, or a backbone with batch normalisation",
        ],
    },
    Misfit {
        row: "kind = \"opcm\"\ndevice = { augmentation = { crop_padding = 30 } }",
        change: NOTHING,
        table: ROW,
        says: &["`augmentation.crop_padding` = 30", "inputs are 1×28×28", "accepted: at most 27"],
    },
    Misfit {
        row: "kind = \"opcm\"",
        change: ("learning_rate = 0.05", "learning_rate = 0.05\nproximal = 90.0"),
        table: "[device]",
        // 90·0.05 = 4.5 is more than 2(1 + 0.9) = 3.8.
        says: &["`proximal` = 90 with `learning_rate` = 0.05", "accepted: `proximal` × `learning_rate` below 3.8"],
    },
];

#[test]
fn what_does_not_fit_is_refused_before_anything_is_trained() {
    let folder = folder();
    let path = folder.path();
    for Misfit { row, change: (from, to), table, says } in MISFITS {
        let changed = format!("{}\n[[strategies]]\n{row}\n", TINY.replacen(from, to, 1));
        fs::write(path.join("misfit.toml"), &changed).unwrap();
        for arguments in [&["check", "misfit.toml"][..], &["compare", "misfit.toml", "--out", "out"]] {
            let output = alluvium(path, arguments);
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{row}: {error}");
            let named = error.starts_with("error: misfit.toml:") && error.contains(&format!(": {table}: "));
            assert!(named && error.lines().count() == 1, "{row} is not one problem of {table}: {error}");
            says.iter().for_each(|part| assert!(error.contains(part), "{row}: `{part}` is not in: {error}"));
        }
        assert!(!path.join("out").exists(), "{row}: something was trained");
    }
}

/// A test double: a backbone that does not report its linear maps, or fails on every input.
#[options]
struct OpaqueConfig {
    /// Whether it fails.
    fails: bool,
}

#[plugin(kind = "opaque")]
impl BackboneConfig for OpaqueConfig {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        // Wrong only when it fails: then it does not take inputs of this size.
        let inputs = input.values() + usize::from(self.fails);
        Ok(Box::new(Opaque { layer: LinearConfig::new(inputs, 4).init(compute) }))
    }
}

#[derive(Module, Debug)]
struct Opaque {
    layer: Linear,
}

impl Backbone for Opaque {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.layer.forward(inputs.vectors())
    }

    fn latent_size(&self) -> usize {
        4
    }
}

/// What reading the tiny comparison with another backbone and one more row says.
fn refusal(backbone: &str, row: &str) -> String {
    let text = TINY.replacen("kind = \"mlp\"\nlayers = [16, 8]", backbone, 1);
    let text = format!("{text}\n[[strategies]]\n{row}\n");
    read_all(ConfigSource::BuiltIn { name: "misfit", text: &text }, None, None).unwrap_err().to_string()
}

#[test]
fn a_backbone_without_linear_maps_is_refused_where_they_are_merged() {
    let error = refusal("kind = \"opaque\"", "kind = \"reg-mean\"");
    let says =
        ["[[strategies]] 3", "the strategy \"reg-mean\" merges linear maps", "\"opaque\"", "accepted: backbones"];
    says.iter().for_each(|part| assert!(error.contains(part), "`{part}` is not in: {error}"));
}

#[test]
fn a_backbone_that_fails_on_inputs_of_the_stream_is_refused() {
    let error = refusal("kind = \"opaque\"\nfails = true", "kind = \"opcm\"");
    let says = ["[backbone]", "\"opaque\"", "it fails on an input of 1×28×28"];
    says.iter().for_each(|part| assert!(error.contains(part), "`{part}` is not in: {error}"));
}

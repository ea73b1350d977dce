//! The options of the devices.

use std::collections::BTreeMap;

use alluvium_device::options;
use serde_json::Value;

/// An external program adapts the model: a training script in any language, with the device's own samples.
///
/// The program is started twice in a folder of its own. With the last argument `describe` it writes `description.json`: `task`,
/// `classes` (names of the stream's classes of the task, in the order of its logits), `samples` (their number) and `digest` (any
/// text that changes with the samples). With `adapt` it reads `central.safetensors` and leaves `expert.safetensors`, with the
/// tensors `backbone.…` under the same names and `heads.HEAD.weight` `[latent, classes]` and `heads.HEAD.bias`, and
/// `expert.json`: the description, `parent`, and the number of gradient `steps`. `request.json` states `samples` (where the
/// device's samples are), `seed`, `settings`, `parent`, `head`, and the stream's `task` and `classes`.
#[options]
#[derive(PartialEq)]
pub struct CommandConfig {
    /// The program: a file, or a name that the search path knows. It must be named.
    pub program: String,
    /// Its arguments. One that names a file of `sources` is made absolute, because the program runs in another folder.
    pub arguments: Vec<String>,
    /// The files that the program is made of, such as its script. When one changes, devices adapt again.
    pub sources: Vec<String>,
    /// Where a device's samples are: a file or a folder. `{device}` stands for the number of the device, from 1. The program
    /// reads it; Alluvium does not.
    pub samples: String,
    /// The most seconds that one start of the program may take.
    #[schemars(range(min = 0.1, max = 1e7))]
    #[default(3600.0)]
    pub time_limit: f64,
    /// Settings for the program, handed out with the model as they are.
    pub settings: BTreeMap<String, Value>,
}

//! The arguments of the commands that work on model files.

use std::path::PathBuf;

use alluvium_interchange::Names;
use alluvium_model::InputShape;
use clap::Args;

use crate::gigabytes::gigabytes;

/// What is said of model files, where they do not say it themselves.
#[derive(Debug, Args)]
pub(crate) struct ModelOptions {
    #[arg(long, value_name = "KIND|FILE.toml", help = names_help())]
    pub(crate) names: Option<String>,
    /// The backbone: a kind, a TOML file with its table, or the table itself, such as '{ kind = "mlp", layers = [8] }'.
    /// Default: the one that the file states, or that its tensors are seen to be.
    #[arg(long, value_name = "KIND|FILE.toml|TABLE")]
    pub(crate) backbone: Option<String>,
    /// The shape of one input, channels × height × width, such as 3x224x224.
    #[arg(long, value_name = "CxHxW", value_parser = input_shape)]
    pub(crate) input: Option<InputShape>,
    /// What a model wants taken off its inputs, where these are 0 to 1: a number a channel. Default: 0.5.
    #[arg(long, value_delimiter = ',', value_name = "M,…", requires = "std", allow_negative_numbers = true)]
    pub(crate) mean: Option<Vec<f64>>,
    /// What a model wants its inputs divided by then: a number a channel. Default: 0.5.
    #[arg(long, value_delimiter = ',', value_name = "S,…", requires = "mean")]
    pub(crate) std: Option<Vec<f64>>,
    /// The classes of a file, in the order of its classifier's rows; for each file once. @NAMES stands for a file with a
    /// name a line.
    #[arg(long, value_name = "FILE=A,B,…|FILE=@NAMES")]
    pub(crate) classes: Vec<String>,
    /// The state dict to take of a file by `torch.save` that holds several, such as state_dict_ema; of one within others, all
    /// keys, joined by dots. KEY is for every file that holds several, FILE=KEY for one. Default: state_dict,
    /// model_state_dict, model or another usual name, or the only one; what was taken is said.
    #[arg(long, value_name = "KEY|FILE=KEY")]
    pub(crate) state_dict: Vec<String>,
}

fn input_shape(text: &str) -> Result<InputShape, String> {
    let sizes: Option<Vec<usize>> = text.split(['x', '×']).map(|size| size.trim().parse().ok()).collect();
    match sizes.as_deref() {
        Some(&[channels, height, width]) => Ok(InputShape { channels, height, width }),
        _ => Err("accepted: channels, height and width, such as 3x32x32".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConsolidateOptions {
    /// The central model before: a safetensors file, the index of several, what `torch.save` wrote, or a folder with one of
    /// these. With a classifier it counts as a first expert; without one it is what the experts started from.
    #[arg(long, value_name = "FILE")]
    pub(crate) previous: PathBuf,
    /// --previous is only what the experts started from, and no expert itself: its classifier is left behind.
    #[arg(long)]
    pub(crate) initial_only: bool,
    /// Whatever the network: consolidate tensors of equal names, with no backbone and no classes. For strategies that work in
    /// pieces (averages, task vectors, TIES, …). A low-rank adapter (LoRA) counts as its updates scale·B·A: into a base model
    /// as --previous, as that model with them added; into an adapter, as updates, and updates are written.
    #[arg(
        long,
        conflicts_with_all = ["surrogate", "names", "backbone", "input", "mean", "std", "classes"]
    )]
    pub(crate) tensorwise: bool,
    /// An expert; give it again for each one, in the order in which they are consolidated.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) expert: Vec<PathBuf>,
    /// The strategy: a kind, a TOML file with its table, or the table itself, such as '{ kind = "pld", steps = 100 }'.
    #[arg(long, value_name = "KIND|FILE.toml|TABLE")]
    pub(crate) strategy: String,
    /// Surrogate data: a picture, a TOML file with a [surrogate] table, the table itself, or a kind.
    #[arg(long, value_name = "PICTURE|FILE.toml|TABLE|KIND")]
    pub(crate) surrogate: Option<String>,
    /// The file to write, with a name that ends in .safetensors.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Write over the file if it is there. A model of that name goes whole, its index and its parts, too.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Where the model has more than so many gigabytes, write several files with an index, of so many each.
    #[arg(long, value_name = "GB", value_parser = gigabytes(0.000_001))]
    pub(crate) shard_size: Option<f64>,
    /// Check everything but the values of the weights, say what would be done, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The seed of everything random.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The backend: a kind, a TOML file with its table, or the table itself.
    #[arg(long, default_value = "flex", value_name = "KIND|FILE.toml|TABLE")]
    pub(crate) backend: String,
    #[command(flatten)]
    pub(crate) models: ModelOptions,
}

#[derive(Debug, Args)]
pub(crate) struct InspectOptions {
    /// The model: a file, the index of several, or a folder with one of these.
    pub(crate) file: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) models: ModelOptions,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateOptions {
    /// The model: a file, the index of several, or a folder with one of these.
    pub(crate) file: PathBuf,
    /// The stream whose test samples it is judged on: a TOML file with a [stream] table, the table itself, or a kind. Classes
    /// are matched by name.
    #[arg(long, value_name = "FILE.toml|TABLE|KIND")]
    pub(crate) stream: String,
    /// The seed of the stream: the order of its classes, where that is random.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The backend: a kind, a TOML file with its table, or the table itself.
    #[arg(long, default_value = "flex", value_name = "KIND|FILE.toml|TABLE")]
    pub(crate) backend: String,
    #[command(flatten)]
    pub(crate) models: ModelOptions,
}

fn names_help() -> String {
    let kinds = Names::SHIPPED.join(", ");
    format!(
        "The table of the tensors' names: {kinds}, or a TOML file; of names that all begin with the same, such as `module.`, \
         what follows. Default: the one that the file names, or the first that fits"
    )
}

#[cfg(test)]
mod tests {
    use super::input_shape;

    #[test]
    fn shapes_are_three_numbers() {
        assert_eq!(input_shape("1x28x30"), Ok([1, 28, 30].into()));
        assert_eq!(input_shape("3×2×1"), Ok([3, 2, 1].into()));
        for wrong in ["", "28x28", "1x-2x3", "1x2x3x4", "axbxc"] {
            assert!(input_shape(wrong).unwrap_err().contains("3x32x32"), "{wrong}");
        }
    }
}

//! The arguments of the commands that work on model files.

use std::path::PathBuf;

use alluvium_interchange::Names;
use alluvium_model::InputShape;
use clap::Args;

use crate::gigabytes::gigabytes;

/// Facts about model files that the files themselves do not state.
#[derive(Debug, Args)]
pub(crate) struct ModelOptions {
    #[arg(long, value_name = "KIND|FILE.toml", help = names_help())]
    pub(crate) names: Option<String>,
    /// The backbone: a kind, a TOML file with its table, or the table itself, such as '{ kind = "mlp", layers = [8] }'.
    /// Default: the one that the file states, or the one that its tensors fit.
    #[arg(long, value_name = "KIND|FILE.toml|TABLE")]
    pub(crate) backbone: Option<String>,
    /// The shape of one input: channels × height × width, such as 3x224x224, or the sizes of another input, such as 64.
    #[arg(long, value_name = "CxHxW", value_parser = input_shape)]
    pub(crate) input: Option<InputShape>,
    /// The mean that the model expects to be subtracted from inputs in 0…1; one number for each channel. Default: 0.5.
    #[arg(long, value_delimiter = ',', value_name = "M,…", requires = "std", allow_negative_numbers = true)]
    pub(crate) mean: Option<Vec<f64>>,
    /// The standard deviation by which inputs are divided then; one number for each channel. Default: 0.5.
    #[arg(long, value_delimiter = ',', value_name = "S,…", requires = "mean")]
    pub(crate) std: Option<Vec<f64>>,
    /// The classes of a file, in the order of its classifier's rows; once for each file. @NAMES is a file with one name on each
    /// line.
    #[arg(long, value_name = "FILE=A,B,…|FILE=@NAMES")]
    pub(crate) classes: Vec<String>,
    /// The state dict to take from a file by `torch.save` that holds several, such as state_dict_ema. The keys of an inner one
    /// are joined by dots. KEY applies to every file that holds several, FILE=KEY to one file. Default: state_dict,
    /// model_state_dict, model or another usual name, or the only one. The output names the one that was taken.
    #[arg(long, value_name = "KEY|FILE=KEY")]
    pub(crate) state_dict: Vec<String>,
}

fn input_shape(text: &str) -> Result<InputShape, String> {
    let sizes: Option<Vec<usize>> = text.split(['x', '×']).map(|size| size.trim().parse().ok()).collect();
    let shape = sizes.and_then(|sizes| InputShape::try_from(sizes).ok());
    shape.ok_or_else(|| {
        "accepted: channels, height and width, such as 3x32x32; for other inputs 1 to 8 sizes".to_owned()
    })
}

#[derive(Debug, Args)]
pub(crate) struct ConsolidateOptions {
    /// The previous central model: a safetensors file, the index of several, a file by `torch.save`, or a folder with one of
    /// these. With a classifier it counts as a first expert. Without one it is the model that the experts started from.
    #[arg(long, value_name = "FILE")]
    pub(crate) previous: PathBuf,
    /// --previous is only the model that the experts started from, and not an expert. Its classifier is left out.
    #[arg(long)]
    pub(crate) initial_only: bool,
    /// Consolidate tensors of equal names, for any network, without backbone and classes. For strategies that work in pieces
    /// (averages, task vectors, TIES, …). A low-rank adapter (LoRA) counts as its updates scale·B·A. If --previous is a base
    /// model, they are added to it. If --previous is an adapter, updates are consolidated and written.
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
    /// Overwrite the file if it exists. An older model of that name is removed completely, with its index and its parts.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// The most gigabytes of a file. A larger model is written as several files with an index.
    #[arg(long, value_name = "GB", value_parser = gigabytes(0.000_001))]
    pub(crate) shard_size: Option<f64>,
    /// Check everything except the values of the weights, print the plan, and write nothing.
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
    /// The stream with the test samples: a TOML file with a [stream] table, the table itself, or a kind. Classes
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
        "The table of the tensors' names: {kinds}, or a TOML file; a common prefix of all names, such as \
         `module.`, is ignored. Default: the one that the file names, or the first that fits"
    )
}

#[cfg(test)]
mod tests {
    use super::input_shape;

    #[test]
    fn shapes_are_numbers() {
        assert_eq!(input_shape("1x28x30"), Ok([1, 28, 30].into()));
        assert_eq!(input_shape("3×2×1"), Ok([3, 2, 1].into()));
        assert_eq!(input_shape("64"), Ok([64].into()));
        for wrong in ["", "1x-2x3", "1x2x3x4x5x6x7x8x9", "axbxc"] {
            assert!(input_shape(wrong).unwrap_err().contains("3x32x32"), "{wrong}");
        }
    }
}

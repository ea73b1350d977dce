//! The arguments of the command line.

use std::path::PathBuf;

use alluvium_experiment::DEFAULT_CACHE_BYTES;
use alluvium_registry::Family;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::gigabytes::gigabytes;
use crate::model_arguments::{ConsolidateOptions, EvaluateOptions, InspectOptions};

/// A workbench for distributed continual learning: compare how a centre consolidates the models of self-centred devices.
#[derive(Debug, Parser)]
#[command(name = "alluvium", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Show no progress: warnings and errors only.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How progress and warnings are written to stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// How progress and warnings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Bars on a terminal; otherwise a line every ten seconds at most, with the rows that are finished.
    Text,
    /// One JSON object a line: each stage that begins, each cell that is finished.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the comparison that a configuration describes and print its table.
    Compare(CompareOptions),
    /// Check a configuration without training anything, and show the comparisons that its sweeps give.
    Check {
        /// The configuration, a TOML file.
        config: PathBuf,
    },
    /// Write a run's report: one HTML page, its figures as SVG and their data as CSV; or print its table.
    Report(ReportOptions),
    /// Show the progress of a run in another terminal, or of one that was stopped.
    Status {
        /// The run directory, as given to `compare --out`.
        dir: PathBuf,
    },
    /// Consolidate model files, such as those of PyTorch, into a new one.
    Consolidate(ConsolidateOptions),
    /// Show what a model file holds: architecture, classes, digest, provenance.
    Inspect(InspectOptions),
    /// Judge a model file on the test samples of a stream.
    Evaluate(EvaluateOptions),
    /// List what is linked in: strategies, streams, backbones, classifiers, surrogates, devices, backends, and metrics.
    List {
        /// Only one family, or the metrics.
        family: Option<FamilyArgument>,
    },
    /// Show what a kind does, its paper, and all its options with default and range, as TOML; or a metric's formula.
    Show {
        /// The kind or the metric, as `alluvium list` prints it.
        kind: String,
    },
    /// Write a commented configuration to start from.
    Init {
        /// The file to write.
        #[arg(default_value = "alluvium.toml")]
        file: PathBuf,
        /// Overwrite the file if it is there.
        #[arg(long)]
        force: bool,
    },
    /// Write a plugin as a crate of its own: it builds, passes the conformance tests, and has a comparison of seconds.
    New(NewOptions),
    /// Write the reference as Markdown pages: every kind with its options, every metric, every command, the configuration.
    Reference {
        /// The folder of the pages.
        folder: PathBuf,
    },
    /// Print the JSON Schema of a configuration. Editors use it to complete and check files.
    Schema,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewOptions {
    /// What it is.
    #[arg(value_enum)]
    pub(crate) family: NewFamily,
    /// Its kind, and the name of the crate: lower case, with hyphens between words. A metric of that crate has underscores there.
    pub(crate) name: String,
    /// The new folder. Default: the name; in a clone of Alluvium, the name beside the clone.
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// A family of which a plugin can be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewFamily {
    /// How the centre consolidates an expert.
    Strategy,
    /// The tasks of the devices.
    Stream,
    /// The feature extractor.
    Backbone,
    /// Inputs that belong to no device.
    Surrogate,
    /// Who adapts the central model.
    Device,
    /// A number computed from the results.
    Metric,
}

#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// The configuration, a TOML file. Default: a built-in tour of four strategies on a short stream, which takes less than a
    /// minute.
    pub(crate) config: Option<PathBuf>,
    /// Seeds instead of the configuration's, such as 0,1,2.
    #[arg(long, value_delimiter = ',', value_name = "SEED,…")]
    pub(crate) seeds: Option<Vec<u64>>,
    /// The kind of a backend instead of the configuration's, with its default options.
    #[arg(long, value_name = "KIND")]
    pub(crate) backend: Option<String>,
    /// The number of cells that run side by side. The results do not depend on it. Default: one for each core, or 1 if the
    /// backend does not compute on the processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// The run directory. Everything that is done is kept there, and the same command continues a run that was stopped.
    /// Default: results/NAME.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Remove what the run directory holds, and start over. A --cache outside it stays.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// The folder for models and measurements of single stages, which later runs reuse. Several runs may share it. Default:
    /// DIR/cache.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// The most gigabytes that the cache may take. Beyond that, models are removed first, the least recently used ones before
    /// others, and measurements last.
    #[arg(long, value_name = "GB", default_value_t = DEFAULT_CACHE_BYTES as f64 / 1e9, value_parser = gigabytes(0.001))]
    pub(crate) cache_size: f64,
    /// Keep the last central model of each row and seed: models/ROW-seed-N.safetensors in the run directory. A run that is done writes
    /// them without training again.
    #[arg(long)]
    pub(crate) models: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// Run directories, as given to `compare --out`.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// The row that the others are compared with, instead of the configuration's.
    #[arg(long, value_name = "ROW")]
    pub(crate) baseline: Option<String>,
    /// The run that serves as the control, by its name in the report, its label or its directory. Each row of the other runs is
    /// compared with the row of the same name there, under the same seeds, instead of with a baseline.
    #[arg(long, value_name = "RUN", conflicts_with = "baseline")]
    pub(crate) control: Option<String>,
    /// Leave these devices, counted from 1, out of the accuracies, to see what they did to the others. The centre has still
    /// consolidated them.
    #[arg(long, value_name = "DEVICES", value_delimiter = ',')]
    pub(crate) without_devices: Vec<std::num::NonZeroUsize>,
    /// The folder for report.html and figures/. Default: the run directory, or the current folder where there are
    /// several.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the comparison table in this format instead of writing the page.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["open", "out"])]
    pub(crate) format: Option<TableFormat>,
    /// Write TensorBoard event files, too, into tensorboard/ beside the page.
    #[arg(long, conflicts_with = "format")]
    pub(crate) tensorboard: bool,
    /// Open the page in the browser.
    #[arg(long)]
    pub(crate) open: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TableFormat {
    Latex,
    Markdown,
    Csv,
    Json,
}

impl From<TableFormat> for alluvium_report::Format {
    fn from(format: TableFormat) -> Self {
        match format {
            TableFormat::Latex => alluvium_report::Format::Latex,
            TableFormat::Markdown => alluvium_report::Format::Markdown,
            TableFormat::Csv => alluvium_report::Format::Csv,
            TableFormat::Json => alluvium_report::Format::Json,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FamilyArgument {
    Strategies,
    Streams,
    Backbones,
    Classifiers,
    Surrogates,
    Devices,
    Backends,
    Metrics,
}

impl FamilyArgument {
    /// The family; `None` for metrics, which have names in place of kinds.
    pub(crate) fn family(self) -> Option<Family> {
        match self {
            FamilyArgument::Strategies => Some(Family::Strategy),
            FamilyArgument::Streams => Some(Family::Stream),
            FamilyArgument::Backbones => Some(Family::Backbone),
            FamilyArgument::Classifiers => Some(Family::Classifier),
            FamilyArgument::Surrogates => Some(Family::Surrogate),
            FamilyArgument::Devices => Some(Family::Device),
            FamilyArgument::Backends => Some(Family::Backend),
            FamilyArgument::Metrics => None,
        }
    }
}

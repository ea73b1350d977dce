//! The arguments of the command line.

use std::path::PathBuf;

use alluvium_registry::Family;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// A workbench for distributed continual learning: compare how a centre consolidates the models of self-centred devices.
#[derive(Debug, Parser)]
#[command(name = "alluvium", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the comparison that a configuration describes and print its table.
    Compare(CompareOptions),
    /// Check a configuration without training anything.
    Check {
        /// The configuration, a TOML file.
        config: PathBuf,
    },
    /// List what is linked in: strategies, streams, backbones, surrogates, backends.
    List {
        /// Only one family.
        family: Option<FamilyArgument>,
    },
    /// Show what a kind does, its paper, and all its options with default and range, as TOML.
    Show {
        /// The kind, as `alluvium list` prints it.
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
    /// Print the completions of a shell, to be sourced by it.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// The configuration, a TOML file.
    pub(crate) config: PathBuf,
    /// Seeds instead of the configuration's, such as 0,1,2.
    #[arg(long, value_delimiter = ',', value_name = "SEED,…")]
    pub(crate) seeds: Option<Vec<u64>>,
    /// The kind of a backend instead of the configuration's, with its default options.
    #[arg(long, value_name = "KIND")]
    pub(crate) backend: Option<String>,
    /// Cells that run side by side; the results do not depend on it. Default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// The folder for summary.csv, results.json and table.md. Default: results/NAME.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FamilyArgument {
    Strategies,
    Streams,
    Backbones,
    Surrogates,
    Backends,
}

impl From<FamilyArgument> for Family {
    fn from(family: FamilyArgument) -> Self {
        match family {
            FamilyArgument::Strategies => Family::Strategy,
            FamilyArgument::Streams => Family::Stream,
            FamilyArgument::Backbones => Family::Backbone,
            FamilyArgument::Surrogates => Family::Surrogate,
            FamilyArgument::Backends => Family::Backend,
        }
    }
}

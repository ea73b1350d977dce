//! The command line.
//!
//! It is a library, so that a third party's binary is `use my_strategy as _; fn main() { alluvium_cli::main() }`. Every plugin
//! that is linked into the binary is available under its kind.
//!
//! This crate holds the commands, what they print, and the list of plugins that ship. Code that a program without a terminal
//! needs belongs in `alluvium-experiment` and `alluvium-report`.
//!
//! # For authors of plugins
//!
//! Everything that a configuration names by `kind` is a plugin, in a crate of its own. `alluvium new strategy my-strategy` makes one
//! that builds and passes its tests. A plugin depends on the crate of its trait alone:
//!
//! | family | the options implement | the running object implements | tests that all must pass |
//! | --- | --- | --- | --- |
//! | strategy | [`StrategyConfig`](alluvium_strategy::StrategyConfig) | [`Strategy`](alluvium_strategy::Strategy) | [`alluvium_strategy`]`::conformance` |
//! | surrogate data | [`SurrogateConfig`](alluvium_strategy::SurrogateConfig) | [`Surrogate`](alluvium_strategy::Surrogate) | [`alluvium_strategy`]`::conformance` |
//! | stream | [`StreamConfig`](alluvium_stream::StreamConfig) | [`TaskStream`](alluvium_stream::TaskStream) | [`alluvium_stream`]`::conformance` |
//! | backbone | [`BackboneConfig`](alluvium_model::BackboneConfig) | [`Backbone`](alluvium_model::Backbone) | [`alluvium_model`]`::conformance` |
//! | classifier | [`ClassifierConfig`](alluvium_model::ClassifierConfig) | [`Classifier`](alluvium_model::Classifier) | [`alluvium_model`]`::conformance` |
//! | device | [`DeviceConfig`](../alluvium_device/trait.DeviceConfig.html) | [`Device`](../alluvium_device/trait.Device.html) | `alluvium_device::conformance` |
//! | backend | [`BackendConfig`](alluvium_backend::BackendConfig) | a device of burn | – |
//! | metric | an [`AddedMetric`](alluvium_results::AddedMetric) | – | [`alluvium_results`]`::conformance` |
//!
//! The [attributes](alluvium_strategy::options) `#[options]`, `#[plugin]` and `#[strategy]` register it; [`alluvium_registry`] holds what
//! they register. [`main_with`] is the command line for a binary that links plugins of its own.
//!
//! The crates of these traits keep their public interface within a minor version; CONTRIBUTING.md says how.

// A plugin that is a dependency but is not linked would be missing silently.
#![cfg_attr(not(test), deny(unused_crate_dependencies))]

// The allocator of the binary `alluvium`, in `main.rs`. A third party's binary chooses its own.
use mimalloc as _;

mod arguments;
mod check;
mod compare;
mod consolidate;
mod describe;
#[cfg(test)]
mod documented;
mod duration;
mod evaluate;
mod gigabytes;
mod given;
mod init;
mod inspect;
mod interrupt;
mod logging;
mod model_arguments;
mod new;
mod plugins;
mod progress;
mod reference;
mod report;
mod schema;
mod sparse_lines;
mod status;
mod steps;
mod tour;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use alluvium_config::ConfigError;
use alluvium_experiment::{DirectoryError, ExperimentError};
use alluvium_interchange::InterchangeError;
use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};

/// A user's mistake. The process ends with exit code 2, as for a wrong flag.
#[derive(Debug)]
struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Runs the command line, and ends the process. The exit code is 0 if all went well, 2 if the arguments, the configuration or a
/// model file are wrong, 1 if a run failed, and 130 if it was stopped.
pub fn main() -> ! {
    std::process::exit(main_with(std::env::args_os()))
}

/// Runs the command line with these arguments, the first of which is the name of the program, and returns the exit code; see
/// [`main`]. Where the arguments are wrong or ask for help, the process ends here.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let program = arguments.first().map_or_else(|| "alluvium".into(), |name| name.to_string_lossy().into_owned());
    match run(&program, Arguments::parse_from(arguments)) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            exit_code(&error)
        }
    }
}

fn exit_code(error: &anyhow::Error) -> i32 {
    if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(InterchangeError::Stopped))) {
        return interrupt::INTERRUPTED;
    }
    let config = |cause: &(dyn std::error::Error + 'static)| {
        let in_file = cause.downcast_ref().is_some_and(InterchangeError::is_refusal);
        let in_run = matches!(cause.downcast_ref(), Some(ExperimentError::Config(_)));
        let directory = !matches!(cause.downcast_ref(), None | Some(DirectoryError::Store(_)));
        in_run
            || in_file
            || directory
            || cause.is::<ConfigError>()
            || cause.is::<Refusal>()
            || cause.is::<alluvium_registry::UnknownKind>()
            || cause.is::<alluvium_stream::StreamError>()
    };
    if error.chain().any(config) { 2 } else { 1 }
}

fn run(program: &str, arguments: Arguments) -> anyhow::Result<()> {
    logging::start(arguments.quiet, arguments.log_format);
    let mut out = io::stdout().lock();
    match arguments.command {
        Command::Compare(options) => compare::compare(program, &options, &mut out),
        Command::Check { config } => check::check(&config, &mut out),
        Command::Report(options) => report::report(&options, &mut out),
        Command::Status { dir } => status::status(&dir, &mut out),
        Command::Consolidate(options) => consolidate::consolidate(&options, &mut out),
        Command::Inspect(options) => inspect::inspect(&options, &mut out),
        Command::Evaluate(options) => evaluate::evaluate(&options, &mut out),
        Command::List { family } => describe::list(family, &mut out),
        Command::Show { kind } => describe::show(&kind, &mut out),
        Command::Init { file, force } => init::init(&file, force, &mut out),
        Command::New(options) => new::new(&options, &mut out),
        Command::Reference { folder } => reference::reference(&folder, &mut out),
        Command::Schema => schema::schema(&mut out),
        Command::Completions { shell } => {
            let mut script = vec![];
            clap_complete::generate(shell, &mut Arguments::command(), "alluvium", &mut script);
            print(&mut out, &String::from_utf8_lossy(&script))
        }
    }
}

/// Prints text. A closed pipe (`alluvium list | head`) is not an error.
fn print(out: &mut dyn Write, text: &str) -> anyhow::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Whether progress bars can be drawn.
fn on_a_terminal() -> bool {
    io::stderr().is_terminal()
}

//! The native module under the Python package `alluvium`.
//!
//! It translates: arrays and tables of Python become models and configurations, the crates of the workspace do the work, and their
//! errors become exceptions. While they work, other Python threads run. Python code that the work needs, such as a strategy, runs in
//! the thread that asked for the work ([`drive`]).
//!
//! This crate holds no science, and nothing that a Rust program could use. The classes and functions that people call are in the
//! Python files beside it.

mod arrays;
mod centre;
mod command;
mod context;
mod device;
mod drive;
mod evaluation;
mod failure;
mod kinds;
mod logging;
mod merging;
mod models;
mod plugins;
mod pool;
mod remote;
mod report;
mod run;
mod samples;
mod sources;
mod statistic;
mod strategy;
mod stream;

use pyo3::prelude::*;

/// Networks free and request tensors of megabytes again and again; this allocator keeps them for the next operation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
mod _alluvium {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    #[pymodule_export]
    use super::centre::NativeCentre;
    #[pymodule_export]
    use super::command::{main, program_in};
    #[pymodule_export]
    use super::context::NativeContext;
    #[pymodule_export]
    use super::evaluation::{evaluate, inspect};
    #[pymodule_export]
    use super::kinds::{kinds, schema};
    #[pymodule_export]
    use super::logging::start_logging;
    #[pymodule_export]
    use super::merging::consolidate;
    #[pymodule_export]
    use super::models::{digest_of, model_bytes, model_parts, model_scores};
    #[pymodule_export]
    use super::plugins::{check_plugin, register, set_revision};
    #[pymodule_export]
    use super::pool::NativeJob;
    #[pymodule_export]
    use super::remote::{adapt, announce, expert_parts, hand_out_parts};
    #[pymodule_export]
    use super::report::{merge, metrics, page, render};
    #[pymodule_export]
    use super::run::{check, compare};
}

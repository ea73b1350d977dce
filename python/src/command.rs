//! The command `alluvium` that comes with the package, and the file that holds this module.

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;

use crate::drive::work;

/// Runs the command line with these arguments, the first of which is the program's name, and returns its exit code. Kinds that Python
/// code registered can be named.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<i32> {
    work(py, move || Ok(alluvium_cli::main_with(arguments)))
}

/// States the file that holds this module: stages that another build computed are not reused.
#[pyfunction]
pub(crate) fn program_in(file: PathBuf) {
    alluvium_experiment::program_in(&file);
}

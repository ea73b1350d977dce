//! The threads that work is done in.

use alluvium_model::{host, set_host};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::ExperimentError;

/// The stack of the thread, in bytes.
const STACK: usize = 16 << 20;

/// A pool of one thread, for one cell, or for one act of an open centre or of a device: results must not depend on how work is split,
/// and two operations side by side are faster than one that is split in two. It works for the host of the thread that asks for it.
///
/// # Errors
/// [`ExperimentError::Threads`] when the system gives no thread.
pub fn one_thread() -> Result<ThreadPool, ExperimentError> {
    let asking = host();
    let pool = ThreadPoolBuilder::new().num_threads(1).stack_size(STACK);
    let pool = pool.start_handler(move |_| set_host(asking.clone())).build();
    pool.map_err(|error| ExperimentError::Threads(error.to_string()))
}

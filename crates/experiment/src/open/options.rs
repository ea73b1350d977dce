//! How an open centre is opened.

use std::sync::Arc;

use crate::directory::DirectoryOptions;
use crate::progress::{Observer, Unobserved};

/// How a centre is opened.
#[derive(Clone)]
pub struct OpenCentreOptions {
    /// How its run directory is opened.
    pub directory: DirectoryOptions,
    /// Watches its work, and may stop it.
    pub observer: Arc<dyn Observer + Send + Sync>,
}

impl Default for OpenCentreOptions {
    fn default() -> Self {
        OpenCentreOptions { directory: DirectoryOptions::default(), observer: Arc::new(Unobserved) }
    }
}

impl std::fmt::Debug for OpenCentreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenCentreOptions").field("directory", &self.directory).finish_non_exhaustive()
    }
}

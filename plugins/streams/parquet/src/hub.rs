//! Files of the Hugging Face hub, fetched where they are not in its cache on this machine.

use std::path::{Path, PathBuf};

use alluvium_stream::StreamError;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Repo, RepoType};

use crate::parts;

/// The files of a part of a data set, in the hub's cache.
///
/// # Errors
/// [`StreamError::File`], which names the repository, when it cannot be reached, or has no such files.
pub fn fetch(repository: &str, revision: &str, part: &str) -> Result<Vec<PathBuf>, StreamError> {
    let shown = format!("{repository}@{revision}");
    let wrong = |cause: String| StreamError::file(Path::new(&shown), cause);
    let unreachable = |error: ApiError| wrong(format!("cannot be fetched from the Hugging Face hub ({error})"));
    let api = ApiBuilder::new().with_progress(false).build().map_err(unreachable)?;
    let repository = Repo::with_revision(repository.to_owned(), RepoType::Dataset, revision.to_owned());
    let repository = api.repo(repository);
    let info = repository.info().map_err(unreachable)?;
    let names: Vec<_> = info.siblings.into_iter().map(|file| file.rfilename).collect();
    let own = parts::of_part(&names, part).map_err(wrong)?;
    own.into_iter().map(|name| repository.get(name).map_err(unreachable)).collect()
}

//! Files of the Hugging Face hub, fetched if they are not in its cache on this machine.
//!
//! The cache has a folder for each repository, `datasets--OWNER--NAME`. In it, `refs/REVISION` is a text with the
//! commit of a branch or a tag when it was fetched, and `snapshots/COMMIT` has the files, as links to `blobs`
//! (documentation of `huggingface_hub`, "Understand caching"). A snapshot only has the files that were requested, so it
//! may be incomplete.

use std::fs;
use std::path::{Component, Path, PathBuf};

use alluvium_stream::StreamError;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use crate::{parts, shards};

/// The files of a part of a data set, in the hub's cache (`HF_HOME`, or else `~/.cache/huggingface`). If the cache has
/// all files of the part, according to their names (`…-00000-of-00002.parquet`), the hub is not contacted.
///
/// # Errors
/// [`StreamError::File`], which names the repository, when it cannot be reached or does not have such files.
pub fn fetch(repository: &str, revision: &str, part: &str) -> Result<Vec<PathBuf>, StreamError> {
    match cached(&Cache::from_env(), repository, revision, part) {
        Some(files) => Ok(files),
        None => download(repository, revision, part),
    }
}

/// The files of a part, if the cache has all of them.
fn cached(cache: &Cache, repository: &str, revision: &str, part: &str) -> Option<Vec<PathBuf>> {
    // A revision becomes part of a path.
    let inside =
        |path: &Path| path.file_name().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)));
    let folder = cache.path().join(repo(repository, revision).folder_name());
    let commit = if inside(Path::new(revision)) {
        fs::read_to_string(folder.join("refs").join(revision)).unwrap_or_else(|_| revision.to_owned())
    } else {
        return None;
    };
    let commit = Path::new(commit.trim());
    let snapshot = inside(commit).then(|| folder.join("snapshots").join(commit))?;
    let names = parts::names(&snapshot).ok()?;
    let own = parts::of_part(&names, part).ok().filter(|own| shards::check(own) == Ok(true))?;
    let files: Vec<_> = own.into_iter().map(|name| snapshot.join(name)).collect();
    // A link is broken if its blob was removed.
    files.iter().all(|file| file.is_file()).then_some(files)
}

fn download(repository: &str, revision: &str, part: &str) -> Result<Vec<PathBuf>, StreamError> {
    let shown = format!("{repository}@{revision}");
    let wrong = |cause: String| StreamError::file(Path::new(&shown), cause);
    let unreachable = |error: ApiError| wrong(format!("cannot be fetched from the Hugging Face hub ({error})"));
    let api = ApiBuilder::from_env().with_progress(false).build().map_err(unreachable)?;
    let repository = api.repo(repo(repository, revision));
    let info = repository.info().map_err(unreachable)?;
    let names: Vec<_> = info.siblings.into_iter().map(|file| file.rfilename).collect();
    let own = parts::of_part(&names, part).map_err(wrong)?;
    shards::check(&own).map_err(wrong)?;
    own.into_iter().map(|name| repository.get(name).map_err(unreachable)).collect()
}

fn repo(repository: &str, revision: &str) -> Repo {
    Repo::with_revision(repository.to_owned(), RepoType::Dataset, revision.to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// A cache with the layout of `huggingface_hub`: the files of one commit, with their contents.
    fn cache(folder: &Path, files: &[(&str, &str)]) -> Cache {
        let own = folder.join("hub/datasets--someone--pictures");
        for folder in ["refs", "blobs", "snapshots"] {
            fs::create_dir_all(own.join(folder)).unwrap();
        }
        fs::write(own.join("refs/main"), COMMIT).unwrap();
        for (number, (name, text)) in files.iter().enumerate() {
            fs::write(own.join(format!("blobs/{number}")), text).unwrap();
            let link = own.join("snapshots").join(COMMIT).join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            // From `snapshots/COMMIT/data` to `blobs`.
            symlink(format!("../../../blobs/{number}"), link).unwrap();
        }
        Cache::new(folder.join("hub"))
    }

    const FILES: [(&str, &str); 5] = [
        ("data/train-00001-of-00002.parquet", "second"),
        ("data/test-00000-of-00001.parquet", "test"),
        ("data/train-00000-of-00002.parquet", "first"),
        ("data/valid-00000-of-00002.parquet", "half"),
        ("other/0000.parquet", "unknown"),
    ];

    #[test]
    fn complete_parts_are_taken_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), &FILES);
        let texts = |revision: &str, part: &str| {
            let files = cached(&cache, "someone/pictures", revision, part)?;
            Some(files.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>())
        };
        // By the branch, and by the commit itself, which does not have a file in `refs`.
        for revision in ["main", COMMIT] {
            assert_eq!(texts(revision, "train").unwrap(), ["first", "second"]);
            assert_eq!(texts(revision, "test").unwrap(), ["test"]);
            // One of two files, and one of an unknown number.
            assert_eq!((texts(revision, "valid"), texts(revision, "other")), (None, None));
            assert_eq!(texts(revision, "none"), None);
        }
        for revision in ["v1.0", "..", "../refs", "/", ""] {
            assert_eq!(texts(revision, "train"), None, "{revision}");
        }
        assert_eq!(cached(&cache, "someone/else", "main", "train"), None);
        fs::remove_file(folder.path().join("hub/datasets--someone--pictures/blobs/2")).unwrap();
        assert_eq!(texts("main", "train"), None, "the first file of the part is a link to nothing");
    }
}

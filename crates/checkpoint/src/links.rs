//! Links in the folder of a model: where they may lead.
//!
//! A folder comes from somebody else's machine as its files do, in an archive or a repository, and a link in it could make
//! any other file of ours part of a model that is handed on. So a link of a folder leads within the folder, or nowhere. The
//! one exception is the cache of Hugging Face's hub, all of whose files are links: those of `snapshots/…` lead into `blobs`
//! beside `snapshots`. What a user names by its own path is followed wherever it leads.

use std::fs;
use std::io;
use std::path::Path;

/// How a file is said to be that is not accepted; it goes on from the file's name.
pub(crate) const LEADS_OUT: &str = "a link that leads out of the folder; accepted: files of the folder itself, and the links \
                                    of a Hugging Face cache (`cp -L` makes files of links)";

/// Whether a file of a folder is somewhere else.
pub(crate) fn leads_out(folder: &Path, file: &str) -> io::Result<bool> {
    let home = fs::canonicalize(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    let target = fs::canonicalize(home.join(file))?;
    let snapshots = home.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "snapshots"));
    let blobs = snapshots.and_then(Path::parent).map(|cache| cache.join("blobs"));
    Ok(!target.starts_with(&home) && !blobs.is_some_and(|blobs| target.starts_with(blobs)))
}

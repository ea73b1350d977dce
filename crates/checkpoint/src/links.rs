//! Checks where the links in the folder of a model lead.
//!
//! A folder may come from an untrusted archive or repository. A link in it could make any file of this machine part of
//! a model that is then passed on. So links in a folder must lead to files within the folder. The only exception is the
//! cache of the Hugging Face hub, whose files are all links: those in `snapshots/…` lead into `blobs` beside
//! `snapshots`. A path that the user gives is followed wherever it leads.

use std::fs;
use std::io;
use std::path::Path;

/// The message about a refused link. It follows the name of the file.
pub(crate) const LEADS_OUT: &str = "a link that leads out of the folder; accepted: files of the folder itself, and the links \
                                    of a Hugging Face cache (`cp -L` makes files of links)";

/// Whether a file of a folder is a link that leads out of it.
pub(crate) fn leads_out(folder: &Path, file: &str) -> io::Result<bool> {
    let home = fs::canonicalize(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    let target = fs::canonicalize(home.join(file))?;
    let snapshots = home.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "snapshots"));
    let blobs = snapshots.and_then(Path::parent).map(|cache| cache.join("blobs"));
    Ok(!target.starts_with(&home) && !blobs.is_some_and(|blobs| target.starts_with(blobs)))
}

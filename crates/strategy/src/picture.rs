//! Pictures that surrogate data are made of: read with limits, and brought to the shape of the inputs.

use std::path::{Path, PathBuf};

use alluvium_stream::picture;
use image::RgbImage;

use crate::SurrogateError;

pub use alluvium_stream::picture::{Orientation as PictureOrientation, fit as fit_picture, interpolated, luminance};

/// The accepted files, for error messages.
const ACCEPTED: &str =
    "a whole picture in PNG or JPEG of at least 2×2 and at most 50 million pixels, and at most 256 MiB";

/// Reads a picture from a file.
///
/// # Errors
/// [`SurrogateError::File`] when the file cannot be read, is not a picture, is cut short or is too large.
pub fn read_picture(path: &Path, orientation: PictureOrientation) -> Result<RgbImage, SurrogateError> {
    picture::read(path, orientation).map_err(|cause| wrong(&path.display().to_string(), cause))
}

/// Reads a picture from bytes, with its pixels as they are stored. Errors call it `name`.
///
/// # Errors
/// As [`read_picture`].
pub fn decode_picture(name: &str, bytes: &[u8]) -> Result<RgbImage, SurrogateError> {
    picture::decode(bytes, PictureOrientation::Ignore).map_err(|cause| wrong(name, cause))
}

/// Checks the length and the header of a file. Skips its pixels, so it is quick.
///
/// # Errors
/// As [`read_picture`], as far as length and header show the problem.
pub fn check_picture(path: &Path) -> Result<(), SurrogateError> {
    picture::dimensions(path, PictureOrientation::Ignore)
        .map(|_| ())
        .map_err(|cause| wrong(&path.display().to_string(), cause))
}

/// The paths of all pictures of a folder and of the folders below, sorted: see [`picture::list`].
///
/// # Errors
/// [`SurrogateError::File`] for a folder that cannot be read.
pub fn list_pictures(folder: &Path) -> Result<Vec<PathBuf>, SurrogateError> {
    picture::list(folder).map_err(|(folder, error)| SurrogateError::File {
        path: folder.display().to_string(),
        cause: error.to_string(),
        accepted: "a folder that can be read".to_owned(),
    })
}

fn wrong(path: &str, cause: String) -> SurrogateError {
    SurrogateError::File { path: path.to_owned(), cause, accepted: ACCEPTED.to_owned() }
}

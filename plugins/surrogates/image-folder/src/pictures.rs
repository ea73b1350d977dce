//! The pictures of a folder. A picture is read when it is first drawn, and cached as long as there is room.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use alluvium_model::PictureShape;
use alluvium_strategy::{PictureOrientation, SurrogateError, check_picture, fit_picture, list_pictures, read_picture};

/// The size of the cache, in bytes of pictures in the shape of the inputs.
const ROOM: usize = 256 << 20;
/// The accepted folders, for error messages.
const ACCEPTED: &str =
    "a folder that can be read, with at least one .png, .jpg or .jpeg file in it or in a folder below";

/// The pictures of a folder.
pub struct Pictures {
    paths: Vec<PathBuf>,
    orientation: PictureOrientation,
    /// The shape of the cached pictures.
    input: Option<PictureShape>,
    kept: HashMap<usize, Vec<u8>>,
    /// The number of bytes that are free in the cache.
    pub room: usize,
}

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pictures({} files, {} kept)", self.paths.len(), self.kept.len())
    }
}

impl Pictures {
    /// Finds the pictures of a folder and checks their headers. Damaged pixels after a valid header are found when the
    /// picture is drawn.
    ///
    /// # Errors
    /// [`SurrogateError::File`] when there are no pictures, or when a file is not a picture or too large.
    pub fn open(folder: &Path, orientation: PictureOrientation) -> Result<Self, SurrogateError> {
        let paths = list_pictures(folder)?;
        if paths.is_empty() {
            return Err(wrong(folder, "does not hold a picture".to_owned()));
        }
        paths.iter().try_for_each(|path| check_picture(path))?;
        Ok(Pictures { paths, orientation, input: None, kept: HashMap::new(), room: ROOM })
    }

    /// The number of pictures.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Appends a picture in the shape of an input, `[channels, height, width]`, 0 to 255.
    ///
    /// # Errors
    /// [`SurrogateError::File`] when it cannot be read.
    pub fn append(&mut self, index: usize, input: PictureShape, bytes: &mut Vec<u8>) -> Result<(), SurrogateError> {
        if self.input != Some(input) {
            self.room += self.kept.drain().map(|(_, kept)| kept.len()).sum::<usize>();
            self.input = Some(input);
        }
        if let Some(kept) = self.kept.get(&index) {
            bytes.extend_from_slice(kept);
            return Ok(());
        }
        let fitted = fit_picture(&read_picture(&self.paths[index], self.orientation)?, input);
        bytes.extend_from_slice(&fitted);
        if fitted.len() <= self.room {
            self.room -= fitted.len();
            self.kept.insert(index, fitted);
        }
        Ok(())
    }
}

fn wrong(folder: &Path, cause: String) -> SurrogateError {
    SurrogateError::File { path: folder.display().to_string(), cause, accepted: ACCEPTED.to_owned() }
}

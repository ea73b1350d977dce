//! The pictures: found, read when they are drawn first, and kept as long as there is room.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use alluvium_model::InputShape;
use alluvium_strategy::{PictureOrientation, SurrogateError, check_picture, fit_picture, list_pictures, read_picture};

/// How many bytes of pictures are kept, in the shape of the inputs.
const ROOM: usize = 256 << 20;
/// What the error messages say of a right folder.
const ACCEPTED: &str =
    "a folder that can be read, with at least one .png, .jpg or .jpeg file in it or in a folder below";

/// The pictures of a folder.
pub struct Pictures {
    paths: Vec<PathBuf>,
    orientation: PictureOrientation,
    /// The shape that the kept pictures have.
    input: Option<InputShape>,
    kept: HashMap<usize, Vec<u8>>,
    /// How many bytes may still be kept.
    pub room: usize,
}

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pictures({} files, {} kept)", self.paths.len(), self.kept.len())
    }
}

impl Pictures {
    /// Finds the pictures of a folder and looks at their headers. A file whose header is right and whose pixels are not is
    /// found when it is drawn.
    ///
    /// # Errors
    /// [`SurrogateError::File`] when there is none, or one is no picture or too large.
    pub fn open(folder: &Path, orientation: PictureOrientation) -> Result<Self, SurrogateError> {
        let paths = list_pictures(folder)?;
        if paths.is_empty() {
            return Err(wrong(folder, "holds no picture".to_owned()));
        }
        paths.iter().try_for_each(|path| check_picture(path))?;
        Ok(Pictures { paths, orientation, input: None, kept: HashMap::new(), room: ROOM })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Appends a picture in the shape of an input, `[channels, height, width]`, 0 to 255.
    ///
    /// # Errors
    /// [`SurrogateError::File`] when it cannot be read.
    pub fn append(&mut self, place: usize, input: InputShape, bytes: &mut Vec<u8>) -> Result<(), SurrogateError> {
        if self.input != Some(input) {
            self.room += self.kept.drain().map(|(_, kept)| kept.len()).sum::<usize>();
            self.input = Some(input);
        }
        if let Some(kept) = self.kept.get(&place) {
            bytes.extend_from_slice(kept);
            return Ok(());
        }
        let fitted = fit_picture(&read_picture(&self.paths[place], self.orientation)?, input);
        bytes.extend_from_slice(&fitted);
        if fitted.len() <= self.room {
            self.room -= fitted.len();
            self.kept.insert(place, fitted);
        }
        Ok(())
    }
}

fn wrong(folder: &Path, cause: String) -> SurrogateError {
    SurrogateError::File { path: folder.display().to_string(), cause, accepted: ACCEPTED.to_owned() }
}

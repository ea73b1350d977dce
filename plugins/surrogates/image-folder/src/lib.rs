//! The `image-folder` surrogate: the pictures of a folder.

mod pictures;

use std::path::PathBuf;

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    PictureOrientation, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, list_pictures,
};
use burn::tensor::Tensor;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use pictures::Pictures;

/// The pictures of a folder, drawn with replacement.
///
/// Of each picture, the largest part around its middle that has the inputs' proportions is resized by a triangle filter.
/// Inputs of three channels are in colour; those of one channel show the luminance, and so does every channel of other
/// inputs. Photos that are nobody's own make good surrogate data; pictures of the devices' tasks would be their data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImageFolderConfig {
    /// The folder. All files in it and in the folders below whose names end in `.png`, `.jpg` or `.jpeg` are its
    /// pictures, in the order of their paths; names that begin with a dot and links to folders are passed over. Each is a
    /// PNG or JPEG of at least 2×2 and at most 50 million pixels.
    pub folder: PathBuf,
    /// How many inputs the fixed set has; a picture may be there more than once.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub samples: usize,
    /// Whether every other input, by chance, is mirrored left to right.
    pub flip: bool,
    /// Whether pictures are turned as the camera wrote into them (EXIF), `apply`, or taken as their pixels are stored, `ignore`,
    /// which is what torchvision's `ImageFolder` does.
    pub orientation: PictureOrientation,
}

impl Default for ImageFolderConfig {
    fn default() -> Self {
        ImageFolderConfig {
            folder: "images".into(),
            samples: 4000,
            flip: true,
            orientation: PictureOrientation::Ignore,
        }
    }
}

describe!(Family::Surrogate, "image-folder", ImageFolderConfig, paper: "");

#[typetag::serde(name = "image-folder")]
impl SurrogateConfig for ImageFolderConfig {
    fn files(&self) -> Vec<PathBuf> {
        // A folder that cannot be read is what `build` says.
        list_pictures(&self.folder).unwrap_or_default()
    }

    fn build(&self) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let pictures = Pictures::open(&self.folder, self.orientation)?;
        Ok(Box::new(ImageFolder { samples: self.samples, flip: self.flip, pictures }))
    }
}

/// The source of pictures.
#[derive(Debug)]
struct ImageFolder {
    samples: usize,
    flip: bool,
    pictures: Pictures,
}

impl Surrogate for ImageFolder {
    fn samples(&self) -> usize {
        self.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Tensor<4>, SurrogateError> {
        let mut random = request.seed.random();
        let mut bytes = Vec::with_capacity(count * request.input.values());
        for _ in 0..count {
            // Both are always drawn, so that the option `flip` changes nothing else.
            let (place, mirrored) = (random.random_range(0..self.pictures.len()), random.random::<bool>());
            let start = bytes.len();
            self.pictures.append(place, request.input, &mut bytes)?;
            if mirrored && self.flip {
                bytes[start..].chunks_mut(request.input.width).for_each(<[u8]>::reverse);
            }
        }
        Ok(request.inputs_of_bytes(&bytes))
    }
}

#[cfg(test)]
mod tests;

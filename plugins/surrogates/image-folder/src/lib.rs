//! The `image-folder` surrogate: the pictures of a folder.

mod pictures;

use std::path::PathBuf;

use alluvium_model::Inputs;
use alluvium_strategy::{
    PictureOrientation, RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, list_pictures,
    options, pictures_only, plugin,
};
use rand::RngExt;

use pictures::Pictures;

/// The pictures of a folder, drawn with replacement.
///
/// In each picture, the largest area around its middle with the inputs' proportions is resized by a triangle filter.
/// Inputs of three channels are in colour. Otherwise every channel shows the luminance. Use pictures that do not belong
/// to the devices, such as public photos; pictures of the devices' tasks would be the devices' data.
#[options]
#[derive(PartialEq, Eq)]
pub struct ImageFolderConfig {
    /// The folder. Its pictures are all files in it and its subfolders whose names end in `.png`, `.jpg` or `.jpeg`, in
    /// the order of their paths. Names that begin with a dot and links to folders are skipped. Each picture is a PNG or
    /// JPEG of at least 2×2 and at most 50 million pixels.
    #[default("images".into())]
    pub folder: PathBuf,
    /// The number of inputs of the fixed set; a picture may occur more than once.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(4000)]
    pub samples: usize,
    /// Whether inputs are mirrored left to right, each with a probability of ½.
    #[default(true)]
    pub flip: bool,
    /// Whether to follow the orientation that the camera wrote into a picture (EXIF). `apply` turns the picture;
    /// `ignore` takes the pixels as they are stored, which is what torchvision's `ImageFolder` does.
    #[default(PictureOrientation::Ignore)]
    pub orientation: PictureOrientation,
}

#[plugin(kind = "image-folder")]
impl SurrogateConfig for ImageFolderConfig {
    fn files(&self) -> Vec<PathBuf> {
        // `build` reports a folder that cannot be read.
        list_pictures(&self.folder).unwrap_or_default()
    }

    fn validate(&self, run: &RunDescription) -> Result<(), SurrogateError> {
        run.input.map_or(Ok(()), |input| pictures_only(input).map(drop))
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
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

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let shape = pictures_only(request.input)?;
        let mut random = request.seed.random();
        let mut bytes = Vec::with_capacity(count * shape.values());
        for _ in 0..count {
            // Both are always drawn, so that the option `flip` does not change the choice of pictures.
            let (index, mirrored) = (random.random_range(0..self.pictures.len()), random.random::<bool>());
            let start = bytes.len();
            self.pictures.append(index, shape, &mut bytes)?;
            if mirrored && self.flip {
                bytes[start..].chunks_mut(shape.width).for_each(<[u8]>::reverse);
            }
        }
        Ok(request.inputs_of_bytes(&bytes))
    }
}

#[cfg(test)]
mod tests;

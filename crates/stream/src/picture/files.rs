//! A part of a data set whose images are picture files.

use std::path::{Path, PathBuf};

use alluvium_model::{InputShape, PictureShape};

use crate::picture::{Orientation, dimensions, fit, read};
use crate::{DataPart, Samples, StreamError, read_each};

/// The longest side of pictures that are not resized. At 1024×1024 pixels, a thousand pictures are already 3 GB.
const LONGEST_SIDE: u32 = 1024;

/// How pictures get the size of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Pictures must have this size.
    Exact,
    /// Pictures are cropped to its proportions around the middle and resized by a triangle filter.
    Fitted,
}

/// Labelled pictures, each decoded when a task needs it. Inputs of three channels are in colour, even if the picture is
/// grey. Inputs of one channel are the luminance.
#[derive(Debug, Clone)]
pub struct PictureFiles {
    input: PictureShape,
    size: Size,
    orientation: Orientation,
    files: Vec<PathBuf>,
    labels: Vec<usize>,
}

impl PictureFiles {
    /// Creates a part from paths and labels. All inputs have one shape, and pixels are taken as they are stored.
    pub fn new(input: PictureShape, size: Size, pictures: impl IntoIterator<Item = (PathBuf, usize)>) -> Self {
        let (files, labels) = pictures.into_iter().unzip();
        PictureFiles { input, size, orientation: Orientation::Ignore, files, labels }
    }

    /// The same pictures, with their orientation applied or ignored.
    pub fn oriented(self, orientation: Orientation) -> Self {
        PictureFiles { orientation, ..self }
    }

    /// The paths of the pictures.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn image(&self, path: &Path) -> Result<Vec<u8>, StreamError> {
        let wrong = |cause: String| StreamError::file(path, cause);
        let picture = read(path, self.orientation).map_err(wrong)?;
        let (width, height) = picture.dimensions();
        let PictureShape { height: rows, width: columns, .. } = self.input;
        match self.size {
            Size::Exact if (width as usize, height as usize) != (columns, rows) => {
                Err(wrong(format!("is {width}×{height} pixels (width × height); accepted: {columns}×{rows}")))
            }
            _ => Ok(fit(&picture, self.input)),
        }
    }
}

impl DataPart for PictureFiles {
    fn input(&self) -> InputShape {
        self.input.into()
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        read_each(self, indices, |index, image| {
            image.copy_from_slice(&self.image(&self.files[index])?);
            Ok(())
        })
    }
}

/// The shape of an input with the size of a picture, from the picture's header.
///
/// # Errors
/// [`StreamError::File`] when the picture cannot be read or is larger than inputs may be.
pub fn shape_of(path: &Path, channels: usize, orientation: Orientation) -> Result<PictureShape, StreamError> {
    let (width, height) = dimensions(path, orientation).map_err(|cause| StreamError::file(path, cause))?;
    if width.max(height) > LONGEST_SIDE {
        let cause =
            format!("is {width}×{height} pixels (width × height); accepted as it is: at most {LONGEST_SIDE} a side");
        return Err(StreamError::file(path, cause).with_hint("; the option `size` resizes all pictures"));
    }
    Ok(PictureShape { channels, height: height as usize, width: width as usize })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma, Rgb, RgbImage};

    use super::*;

    #[test]
    fn pictures_are_read_when_they_are_asked_for_and_errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, y as u8, 9])).save(path("colour.png")).unwrap();
        GrayImage::from_pixel(3, 2, Luma([77])).save(path("grey.png")).unwrap();
        RgbImage::from_pixel(4, 2, Rgb([1, 2, 3])).save(path("wide.png")).unwrap();
        fs::write(path("text.png"), "not a picture").unwrap();
        let names = ["colour.png", "grey.png", "wide.png", "text.png", "none.png"];
        let pictures = || names.iter().enumerate().map(|(label, name)| (path(name), label));
        let files = PictureFiles::new([3, 2, 3].into(), Size::Exact, pictures());
        let samples = files.read(&[1, 0]).unwrap();
        assert_eq!(samples.labels(), [1, 0]);
        assert_eq!(samples.image(0), [77; 18]);
        assert_eq!(samples.image(1), [0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 1, 1, 9, 9, 9, 9, 9, 9]);
        for (index, expected) in [(2, "wide.png: is 4×2 pixels"), (3, "text.png: cannot be"), (4, "none.png: ")] {
            let error = files.read(&[0, index, 1]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        // The middle of four equal columns is as wide as the whole.
        let fitted = PictureFiles::new([1, 2, 2].into(), Size::Fitted, pictures());
        // 0.299·1 + 0.587·2 + 0.114·3 = 1.815
        assert_eq!(fitted.read(&[2]).unwrap().image(0), [2; 4]);
    }

    #[test]
    fn the_shape_of_inputs_is_that_of_a_picture_that_is_not_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        RgbImage::from_pixel(5, 4, Rgb([0; 3])).save(&path).unwrap();
        assert_eq!(shape_of(&path, 3, Orientation::Ignore).unwrap(), [3, 4, 5].into());
        RgbImage::from_pixel(1025, 4, Rgb([0; 3])).save(&path).unwrap();
        let error = shape_of(&path, 3, Orientation::Ignore).unwrap_err().to_string();
        assert!(error.contains("1025×4 pixels") && error.contains("`size`"), "{error}");
    }
}

//! How to treat the orientation that a camera wrote into a picture.

use image::metadata::Orientation as Turn;
use image::{ImageDecoder, ImageError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to treat the orientation that a camera wrote into a picture (EXIF). It says by how much the picture has to be
/// turned, and whether it is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Orientation {
    /// Turn the picture accordingly.
    Apply,
    /// Take the pixels as they are stored.
    Ignore,
}

impl Orientation {
    /// How a picture is turned.
    pub(super) fn turn(self, decoder: &mut impl ImageDecoder) -> Result<Turn, ImageError> {
        match self {
            Orientation::Apply => decoder.orientation(),
            Orientation::Ignore => Ok(Turn::NoTransforms),
        }
    }

    /// The width and height after the turn, from those that are stored.
    pub(super) fn turned((width, height): (u32, u32), turn: Turn) -> (u32, u32) {
        match turn {
            Turn::Rotate90 | Turn::Rotate270 | Turn::Rotate90FlipH | Turn::Rotate270FlipH => (height, width),
            Turn::NoTransforms | Turn::Rotate180 | Turn::FlipHorizontal | Turn::FlipVertical => (width, height),
        }
    }
}

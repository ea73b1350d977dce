//! The options of the surrogate data.

use std::path::PathBuf;

use alluvium_strategy::PictureOrientation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Patches of one photo: crops of random scale and place, turned, mirrored and changed in colour.
///
/// One photo holds edges, textures and shapes of every scale, and has no class in common with anybody's data. Inputs of
/// three channels are in colour; those of one channel show the luminance, and so does every channel of other inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SingleImageConfig {
    /// The photo, a PNG or JPEG of at least 2×2 and at most 50 million pixels. Absent: a photo of a cup of coffee that
    /// is built in.
    pub image: Option<PathBuf>,
    /// Whether the photo is turned as the camera wrote into it (EXIF), `apply`, or taken as its pixels are stored, `ignore`,
    /// which is what torchvision's loader does.
    pub orientation: PictureOrientation,
    /// How many patches the fixed set has.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub patches: usize,
    /// The least and the greatest side of a crop, as a fraction of the photo's shorter side; drawn evenly between them.
    /// A turned crop that would reach beyond the photo is made smaller.
    #[schemars(inner(range(min = 0.001, max = 1.0)))]
    pub scale: [f64; 2],
    /// How far a crop is turned at most, in degrees either way; 0: not at all.
    #[schemars(range(min = 0.0, max = 180.0))]
    pub rotation: f64,
    /// Whether every other patch, by chance, is mirrored left to right.
    pub flip: bool,
    /// How much the contrast changes: differences to the patch's mean are multiplied by 1 − `contrast` to
    /// 1 + `contrast`; 0: not at all.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub contrast: f64,
    /// The greatest exponent of the values between 0 and 1; it is drawn between 1 / `gamma` and `gamma`. 1: no change.
    #[schemars(range(min = 1.0, max = 10.0))]
    pub gamma: f64,
    /// The probability that dark and bright change places.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub inversion: f64,
    /// How much the colours change: red, green and blue are each multiplied by a factor of their own, from
    /// 1 − `colour_jitter` to 1 + `colour_jitter`; 0: not at all.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub colour_jitter: f64,
}

impl Default for SingleImageConfig {
    fn default() -> Self {
        SingleImageConfig {
            image: None,
            orientation: PictureOrientation::Ignore,
            patches: 4000,
            scale: [0.05, 0.6],
            rotation: 30.0,
            flip: true,
            contrast: 0.4,
            gamma: 1.5,
            inversion: 0.25,
            colour_jitter: 0.4,
        }
    }
}

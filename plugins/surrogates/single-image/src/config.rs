//! The options of the surrogate data.

use std::path::PathBuf;

use alluvium_strategy::PictureOrientation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Patches of one photo: crops of random scale and place, turned, mirrored and changed in colour.
///
/// One photo has edges, textures and shapes of every scale, but does not share classes with the devices' data. Inputs
/// of three channels are in colour. Otherwise every channel shows the luminance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SingleImageConfig {
    /// The photo, a PNG or JPEG of at least 2×2 and at most 50 million pixels. Absent: a photo of a cup of coffee that
    /// is built in.
    pub image: Option<PathBuf>,
    /// Whether to follow the orientation that the camera wrote into the photo (EXIF). `apply` turns the photo; `ignore`
    /// takes the pixels as they are stored, as torchvision's loader does.
    pub orientation: PictureOrientation,
    /// The number of patches of the fixed set.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub patches: usize,
    /// The smallest and the largest side of a crop, as a fraction of the photo's shorter side. The side is drawn
    /// uniformly between them. A turned crop that would reach beyond the photo is made smaller.
    #[schemars(inner(range(min = 0.001, max = 1.0)))]
    pub scale: [f64; 2],
    /// The largest rotation of a crop, in degrees to either side. 0: none.
    #[schemars(range(min = 0.0, max = 180.0))]
    pub rotation: f64,
    /// Whether patches are mirrored left to right, each with a probability of ½.
    pub flip: bool,
    /// The change of contrast: differences to the patch's mean are multiplied by 1 − `contrast` to 1 + `contrast`. 0:
    /// none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub contrast: f64,
    /// The largest exponent of the values between 0 and 1. The exponent is drawn between 1 / `gamma` and `gamma`. 1: no
    /// change.
    #[schemars(range(min = 1.0, max = 10.0))]
    pub gamma: f64,
    /// The probability that dark and bright are swapped.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub inversion: f64,
    /// The change of colours: red, green and blue are each multiplied by their own factor, from 1 − `colour_jitter` to
    /// 1 + `colour_jitter`. 0: none.
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

//! The options of the surrogate data.

use std::path::PathBuf;

use alluvium_strategy::{PictureOrientation, options};

/// The tones of a patch, before its colours are changed.
#[options]
pub enum Tones {
    /// The tones of the photo.
    AsPhotographed,
    /// The darkest value of the patch becomes black and its brightest one white, as autocontrast does. A patch of one tone
    /// stays as it is.
    Stretched,
}

/// Patches of one photo: crops of random scale and place, turned, mirrored and changed in colour.
///
/// One photo has edges, textures and shapes of every scale, but does not share classes with the devices' data. Inputs
/// of three channels are in colour. Otherwise every channel shows the luminance.
#[options]
#[derive(PartialEq)]
pub struct SingleImageConfig {
    /// The photo, a PNG or JPEG of at least 2×2 and at most 50 million pixels. Absent: a photo of a cup of coffee that
    /// is built in.
    pub image: Option<PathBuf>,
    /// Whether to follow the orientation that the camera wrote into the photo (EXIF). `apply` turns the photo; `ignore`
    /// takes the pixels as they are stored, as torchvision's loader does.
    #[default(PictureOrientation::Ignore)]
    pub orientation: PictureOrientation,
    /// The number of patches of the fixed set.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(4000)]
    pub patches: usize,
    /// The smallest and the largest side of a crop, as a fraction of the photo's shorter side. The side is drawn
    /// uniformly between them. A turned crop that would reach beyond the photo is made smaller.
    #[schemars(inner(range(min = 0.001, max = 1.0)))]
    #[default([0.05, 0.6])]
    pub scale: [f64; 2],
    /// The largest rotation of a crop, in degrees to either side. 0: none.
    #[schemars(range(min = 0.0, max = 180.0))]
    #[default(30.0)]
    pub rotation: f64,
    /// Whether patches are mirrored left to right, each with a probability of ½.
    #[default(true)]
    pub flip: bool,
    /// Whether each patch keeps the photo's tones, or has them stretched to the whole range before its colours are changed.
    /// Colours are stretched channel by channel, grey patches in their luminance. A network with batch normalisation was
    /// normalised for inputs with contrast; a flat patch is far from them.
    #[default(Tones::AsPhotographed)]
    pub tones: Tones,
    /// The change of contrast: differences to the patch's mean are multiplied by 1 − `contrast` to 1 + `contrast`. 0:
    /// none.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.4)]
    pub contrast: f64,
    /// The largest exponent of the values between 0 and 1. The exponent is drawn between 1 / `gamma` and `gamma`. 1: no
    /// change.
    #[schemars(range(min = 1.0, max = 10.0))]
    #[default(1.5)]
    pub gamma: f64,
    /// The probability that dark and bright are swapped.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.25)]
    pub inversion: f64,
    /// The change of colours: red, green and blue are each multiplied by their own factor, from 1 − `colour_jitter` to
    /// 1 + `colour_jitter`. 0: none.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.4)]
    pub colour_jitter: f64,
}

//! The `single-image` surrogate: patches of one photo.

mod patch;
mod photo;

use std::path::PathBuf;

use alluvium_model::{InputShape, Seed};
use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{PictureOrientation, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use patch::Patch;
use photo::Photo;

/// The photo that ships; where it comes from is in `data/README.md`.
const PHOTO: (&str, &[u8]) = ("data/coffee.png", include_bytes!("../data/coffee.png"));

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

describe!(
    Family::Surrogate,
    "single-image",
    SingleImageConfig,
    paper: "Asano & Saeed, \"The augmented image prior: distilling 1000 classes by extrapolating from a single image\", \
            ICLR 2023, arXiv 2112.00725"
);

#[typetag::serde(name = "single-image")]
impl SurrogateConfig for SingleImageConfig {
    fn files(&self) -> Vec<PathBuf> {
        self.image.iter().cloned().collect()
    }

    fn build(&self) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let [least, most] = self.scale;
        if least > most {
            return Err(SurrogateError::Option {
                option: "scale",
                problem: format!("= [{least}, {most}] ends before it begins"),
                accepted: "the smallest scale, then the largest".to_owned(),
            });
        }
        let photo = match &self.image {
            Some(path) => Photo::open(path, self.orientation)?,
            None => Photo::embedded(PHOTO.0, PHOTO.1)?,
        };
        Ok(Box::new(SingleImage::new(self.clone(), photo)))
    }
}

/// The source of patches.
#[derive(Debug)]
struct SingleImage {
    config: SingleImageConfig,
    photo: Photo,
    /// The fixed set as it was drawn last: all consolidations of a cell ask for the same one.
    fixed: Option<Drawn>,
}

/// Patches, and what they were drawn for.
struct Drawn {
    seed: Seed,
    input: InputShape,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Drawn({} bytes)", self.bytes.len())
    }
}

impl SingleImage {
    fn new(config: SingleImageConfig, photo: Photo) -> Self {
        SingleImage { config, photo, fixed: None }
    }

    /// The pixels of some patches, one patch after the other, each `[channels, height, width]`.
    fn bytes(&mut self, count: usize, input: InputShape, seed: Seed) -> Vec<u8> {
        if count != self.config.patches {
            return self.render(count, input, seed);
        }
        let known = self.fixed.take().filter(|drawn| drawn.seed == seed && drawn.input == input);
        let drawn = known.unwrap_or_else(|| Drawn { seed, input, bytes: self.render(count, input, seed) });
        self.fixed.insert(drawn).bytes.clone()
    }

    fn render(&self, count: usize, input: InputShape, seed: Seed) -> Vec<u8> {
        let mut random = seed.random();
        let mut bytes = Vec::with_capacity(count * input.values());
        (0..count).for_each(|_| Patch::draw(&self.config, &mut random).render(&self.photo, input, &mut bytes));
        bytes
    }
}

impl Surrogate for SingleImage {
    fn samples(&self) -> usize {
        self.config.patches
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Tensor<4>, SurrogateError> {
        Ok(request.inputs_of_bytes(&self.bytes(count, request.input, request.seed)))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_strategy::conformance::{central, check_surrogate, expert};
    use burn::tensor::Device;
    use image::{Rgb, RgbImage};

    use super::*;

    fn source(config: SingleImageConfig) -> SingleImage {
        SingleImage::new(config, Photo::embedded(PHOTO.0, PHOTO.1).unwrap())
    }

    fn small() -> SingleImageConfig {
        SingleImageConfig { patches: 20, ..Default::default() }
    }

    const GREY: [usize; 3] = [1, 28, 28];

    #[test]
    fn conforms() {
        check_surrogate(&small());
    }

    #[test]
    fn a_draw_of_another_count_begins_alike_and_one_of_another_shape_does_not() {
        let mut one = source(small());
        let first = one.bytes(20, GREY.into(), Seed::new(1));
        assert_eq!(one.bytes(7, GREY.into(), Seed::new(1)), first[..7 * 28 * 28]);
        assert_ne!(one.bytes(20, [1, 14, 56].into(), Seed::new(1)), first);
    }

    #[test]
    fn the_fixed_set_is_drawn_once() {
        let mut source = source(small());
        let first = source.bytes(20, GREY.into(), Seed::new(1));
        // Another photo shows what is drawn anew: the fixed set is not, fresh patches are.
        source.photo = Photo::new(RgbImage::new(8, 8));
        assert_eq!(source.bytes(20, GREY.into(), Seed::new(1)), first);
        assert!(source.bytes(3, GREY.into(), Seed::new(1)) != first[..3 * 28 * 28]);
        assert_eq!(source.bytes(20, GREY.into(), Seed::new(1)), first);
    }

    #[test]
    fn pixels_fill_the_range_of_all_images() {
        let bytes =
            source(SingleImageConfig { patches: 300, ..Default::default() }).bytes(300, GREY.into(), Seed::new(0));
        let values: Vec<_> = bytes.into_iter().map(f32::from).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt();
        assert!((mean - 127.5).abs() < 51.0 && deviation > 38.0, "mean {mean}, standard deviation {deviation}");
    }

    #[test]
    fn a_photo_of_one_colour_gives_patches_of_that_colour() {
        let plain = SingleImageConfig { contrast: 0.0, gamma: 1.0, inversion: 0.0, colour_jitter: 0.0, ..small() };
        let photo = || Photo::new(RgbImage::from_pixel(40, 30, Rgb([0, 51, 255])));
        let bytes = SingleImage::new(plain, photo()).bytes(20, [3, 9, 9].into(), Seed::new(0));
        for patch in bytes.chunks(3 * 81) {
            for (plane, expected) in patch.chunks(81).zip([0, 51, 255]) {
                assert!(plane.iter().all(|value| *value == expected), "{plane:?}");
            }
        }
        // With every change of colour, a patch is still of one colour.
        let bytes = SingleImage::new(small(), photo()).bytes(20, [3, 9, 9].into(), Seed::new(0));
        assert!(bytes.chunks(81).all(|plane| plane.iter().all(|value| *value == plane[0])));
    }

    #[test]
    fn a_gradient_keeps_its_direction() {
        let photo = Photo::new(RgbImage::from_fn(200, 100, |x, _| Rgb([(x + 20) as u8; 3])));
        let config = SingleImageConfig { rotation: 0.0, flip: false, inversion: 0.0, ..small() };
        let bytes = SingleImage::new(config, photo).bytes(20, GREY.into(), Seed::new(0));
        for row in bytes.chunks(28) {
            assert!(row.windows(2).all(|pair| pair[0] <= pair[1]) && row[0] < row[27], "{row:?}");
        }
    }

    #[test]
    fn a_draw_has_the_shape_of_the_inputs() {
        let (previous, expert, compute) = (central(&[], 0), expert("a", 1), Device::flex());
        for input in [[1, 28, 28], [3, 32, 32], [2, 8, 16]] {
            let input: InputShape = input.into();
            let request =
                SurrogateRequest { input, compute: &compute, seed: Seed::new(0), previous: &previous, expert: &expert };
            let mut source = small().build().unwrap();
            assert_eq!(source.samples(), 20);
            assert_eq!(source.draw(5, &request).unwrap().dims(), [5, input.channels, input.height, input.width]);
        }
    }

    #[test]
    fn a_missing_photo_is_named() {
        let config = SingleImageConfig { image: Some("/no/photo.jpg".into()), ..small() };
        assert!(config.build().unwrap_err().to_string().contains("/no/photo.jpg"));
    }
}

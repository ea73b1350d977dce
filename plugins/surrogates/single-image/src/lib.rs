//! The `single-image` surrogate: patches of one photo.

mod config;
mod patch;
mod photo;

use std::path::PathBuf;

use alluvium_model::{Inputs, PictureShape, Seed};
use alluvium_strategy::{
    RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, pictures_only, plugin,
};

use patch::Patch;
use photo::Photo;

pub use config::{SingleImageConfig, Tones};

/// The built-in photo; `data/README.md` gives its origin.
const PHOTO: (&str, &[u8]) = ("data/coffee.png", include_bytes!("../data/coffee.png"));

/// The steps by which patches are fitted to a network with batch normalisation; chosen on held-back seeds.
const FIT_STEPS: usize = 40;

#[plugin(
    kind = "single-image",
    paper = "Asano & Saeed, \"The augmented image prior: distilling 1000 classes by extrapolating from a single \
             image\", ICLR 2023, arXiv 2112.00725"
)]
impl SurrogateConfig for SingleImageConfig {
    fn files(&self) -> Vec<PathBuf> {
        self.image.iter().cloned().collect()
    }

    fn validate(&self, run: &RunDescription) -> Result<(), SurrogateError> {
        run.input.map_or(Ok(()), |input| pictures_only(input).map(drop))?;
        let [least, most] = self.scale;
        if least > most {
            return Err(SurrogateError::Option {
                option: "scale",
                problem: format!("= [{least}, {most}] ends before it begins"),
                accepted: "the smallest scale, then the largest".to_owned(),
            });
        }
        Ok(())
    }

    fn fit_steps(&self) -> usize {
        FIT_STEPS
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
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
    /// The last fixed set: all consolidations of a cell request the same one.
    fixed: Option<PatchSet>,
}

/// Patches, and the request that they were drawn for.
struct PatchSet {
    seed: Seed,
    input: PictureShape,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for PatchSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PatchSet({} bytes)", self.bytes.len())
    }
}

impl SingleImage {
    fn new(config: SingleImageConfig, photo: Photo) -> Self {
        SingleImage { config, photo, fixed: None }
    }

    /// The pixels of some patches, one patch after the other, each `[channels, height, width]`.
    fn bytes(&mut self, count: usize, input: PictureShape, seed: Seed) -> Vec<u8> {
        if count != self.config.patches {
            return self.render(count, input, seed);
        }
        let known = self.fixed.take().filter(|drawn| drawn.seed == seed && drawn.input == input);
        let drawn = known.unwrap_or_else(|| PatchSet { seed, input, bytes: self.render(count, input, seed) });
        self.fixed.insert(drawn).bytes.clone()
    }

    fn render(&self, count: usize, input: PictureShape, seed: Seed) -> Vec<u8> {
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

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let picture = pictures_only(request.input)?;
        Ok(request.inputs_of_bytes(&self.bytes(count, picture, request.seed)))
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
        // With another photo, fresh patches differ, but the fixed set does not: it is not drawn again.
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
    fn stretched_patches_fill_the_whole_range() {
        let plain = SingleImageConfig { contrast: 0.0, gamma: 1.0, inversion: 0.0, colour_jitter: 0.0, ..small() };
        for (input, planes) in [([1, 28, 28], 1), ([3, 28, 28], 3)] {
            let stretched = SingleImageConfig { tones: Tones::Stretched, ..plain.clone() };
            let bytes = source(stretched).bytes(20, input.into(), Seed::new(0));
            for plane in bytes.chunks(28 * 28) {
                assert_eq!((plane.iter().min(), plane.iter().max()), (Some(&0), Some(&255)));
            }
            let kept = source(plain.clone()).bytes(20, input.into(), Seed::new(0));
            let full = |plane: &[u8]| plane.contains(&0) && plane.contains(&255);
            assert!(kept.chunks(28 * 28).filter(|plane| full(plane)).count() < 10 * planes);
        }
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
        // After every change of colour, a patch still has one colour.
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
            let input = alluvium_model::InputShape::from(input);
            let request = SurrogateRequest {
                input,
                compute: &compute,
                seed: Seed::new(0),
                previous: &previous,
                expert: Some(&expert),
            };
            let mut source = small().build(&RunDescription::default()).unwrap();
            assert_eq!(source.samples(), 20);
            let drawn = source.draw(5, &request).unwrap();
            assert_eq!((drawn.len(), drawn.shape()), (5, input));
        }
    }

    #[test]
    fn a_missing_photo_is_named() {
        let config = SingleImageConfig { image: Some("/no/photo.jpg".into()), ..small() };
        assert!(config.build(&RunDescription::default()).unwrap_err().to_string().contains("/no/photo.jpg"));
    }
}

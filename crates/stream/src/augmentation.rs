//! Augmentation: random changes to training images, new ones in every epoch.

mod colour;
mod crop;
mod erasing;
mod image;
mod rotation;
mod sound;

use alluvium_model::{Random, Seed};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use image::Image;
pub use sound::SoundAugmentation;

/// Random changes to the device's training images, new ones for every image in every epoch. All are off by default.
/// They are applied in the order of the keys; only the order of brightness and contrast is random. Augmentation applies
/// to the samples that a device learns from. It does not apply to test samples, to the statistics that a device sends
/// along, or to samples that the protocol grants to a strategy.
///
/// The changes are those that image classifiers are usually trained with. They work on pictures whose values are bytes, from 0 to 255, which are
/// not rounded in between. Pixels from outside the image are black (0), as with torchvision's `RandomCrop` and
/// `RandomRotation` before normalisation. Continual learning trains on CIFAR in this way. For characters on black,
/// black is the background.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Augmentation {
    /// The number of black pixels added on every side. A window of the image's own size is then cut out at random (He
    /// et al., "Deep residual learning", CVPR 2016, section 4.2, with 4 pixels for CIFAR's 32×32). 0: none.
    #[schemars(range(min = 0, max = 64))]
    pub crop_padding: usize,
    /// Whether to mirror images left to right, each with a probability of ½.
    pub flip: bool,
    /// The largest angle, in degrees, by which an image is turned about its centre to either side. All angles are
    /// equally likely; values between pixels are interpolated bilinearly. 0: none.
    #[schemars(range(min = 0.0, max = 180.0))]
    pub rotation: f64,
    /// All values are multiplied by a factor between 1 − brightness and 1 + brightness, as in torchvision's
    /// `ColorJitter`. 0: none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub brightness: f64,
    /// The distance of all values from the image's mean grey is multiplied by a factor between 1 − contrast and 1 +
    /// contrast, as in torchvision's `ColorJitter`. 0: none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub contrast: f64,
    /// The probability that a rectangle of 2 to 40 % of the image becomes noise (Random Erasing, Zhong et al., AAAI
    /// 2020, arXiv 1708.04896, algorithm 1). 0: never.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub erasing: f64,
    /// Changes to spectrograms, which are not pictures of bytes. None of the changes above applies to them.
    #[serde(skip_serializing_if = "SoundAugmentation::is_off")]
    pub sound: SoundAugmentation,
}

impl Augmentation {
    /// Whether all changes are off.
    pub fn is_off(&self) -> bool {
        *self == Augmentation::default()
    }

    /// Whether all changes to pictures of bytes are off.
    pub fn leaves_pictures(&self) -> bool {
        Augmentation { sound: SoundAugmentation::default(), ..*self }.is_off()
    }
}

/// Augments images with random numbers that follow from a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Augmenter {
    augmentation: Augmentation,
    seed: Seed,
}

impl Augmenter {
    pub(crate) fn new(augmentation: Augmentation, seed: Seed) -> Self {
        Augmenter { augmentation, seed }
    }

    /// Augments the image with this index in a dataset for an epoch. The result depends only on the image, the seed and
    /// these three numbers.
    pub(crate) fn changed(&self, image: Image, epoch: usize, dataset: usize, index: usize) -> Image {
        self.augmentation.applied(image, &mut self.random(epoch, dataset, index))
    }

    /// Augments a spectrogram, `[1, bands, frames]`, in the same way.
    pub(crate) fn change_sound(&self, values: &mut [f32], bands: usize, epoch: usize, dataset: usize, index: usize) {
        self.augmentation.sound.apply(values, bands, &mut self.random(epoch, dataset, index));
    }

    fn random(&self, epoch: usize, dataset: usize, index: usize) -> Random {
        self.seed.at("epoch", epoch).at("dataset", dataset).at("place", index).random()
    }
}

impl Augmentation {
    fn applied(&self, mut image: Image, random: &mut Random) -> Image {
        if self.crop_padding > 0 {
            let [top, left] = [(); 2].map(|()| random.random_range(0..=2 * self.crop_padding));
            image = crop::cropped(&image, self.crop_padding, top, left);
        }
        if self.flip && random.random() {
            crop::mirror(&mut image);
        }
        if self.rotation > 0.0 {
            image = rotation::rotated(&image, self.rotation * random.random_range(-1.0..=1.0));
        }
        self.jitter(&mut image, random);
        if random.random::<f64>() < self.erasing {
            erasing::erase(&mut image, random);
        }
        image
    }

    /// Brightness and contrast, in random order, as in `ColorJitter`.
    fn jitter(&self, image: &mut Image, random: &mut Random) {
        if self.brightness == 0.0 && self.contrast == 0.0 {
            return;
        }
        let [brightness, contrast] =
            [self.brightness, self.contrast].map(|most| (1.0 + most * random.random_range(-1.0..=1.0)) as f32);
        if random.random() {
            colour::brighten(image, brightness);
            colour::contrast(image, contrast);
        } else {
            colour::contrast(image, contrast);
            colour::brighten(image, brightness);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1×3×3 pixels, all different.
    fn image() -> Image {
        Image::new([1, 3, 3].into(), &[10, 20, 30, 40, 50, 60, 70, 80, 90])
    }

    /// What 900 samples of the same image become in an epoch.
    fn augmented(augmentation: Augmentation, epoch: usize) -> Vec<Vec<f32>> {
        let augmenter = Augmenter::new(augmentation, Seed::new(1));
        (0..900).map(|index| augmenter.changed(image(), epoch, 0, index).values).collect()
    }

    #[test]
    fn none_is_the_default_and_leaves_images_as_they_are() {
        assert!(Augmentation::default().is_off());
        assert!(augmented(Augmentation::default(), 0).iter().all(|values| *values == image().values));
        assert!(!Augmentation { flip: true, ..Default::default() }.is_off());
    }

    #[test]
    fn half_of_the_images_are_mirrored() {
        let flipped = augmented(Augmentation { flip: true, ..Default::default() }, 0);
        let mirrored = [30.0, 20.0, 10.0, 60.0, 50.0, 40.0, 90.0, 80.0, 70.0];
        let count = flipped.iter().filter(|values| **values == mirrored).count();
        assert_eq!(flipped.iter().filter(|values| **values == image().values).count(), 900 - count);
        // Binomial, 900 times ½: 450 ± 15, and here ± 5 of these.
        assert!((375..=525).contains(&count), "{count}");
    }

    #[test]
    fn every_part_of_the_padded_image_is_cut_out_equally_often() {
        let cropped = augmented(Augmentation { crop_padding: 1, ..Default::default() }, 0);
        // 5×5 pixels have nine windows of 3×3; the middle of the window says which one it is.
        for middle in image().values {
            let count = cropped.iter().filter(|values| values[4] == middle).count();
            // Binomial, 900 times 1/9: 100 ± 9.4, and here ± 5 of these.
            assert!((53..=147).contains(&count), "{middle}: {count}");
        }
    }

    #[test]
    fn factors_fill_their_range_and_no_more() {
        let dark = augmented(Augmentation { brightness: 0.5, ..Default::default() }, 0);
        let factors: Vec<f32> = dark.iter().map(|values| values[1] / 20.0).collect();
        assert!(factors.iter().all(|factor| (0.5..=1.5).contains(factor)));
        for edge in [0.5, 1.5] {
            assert!(factors.iter().any(|factor| (factor - edge).abs() < 0.02), "{edge}");
        }
        // The mean is 50: contrast leaves it, and moves 10 by 40 × (factor − 1).
        let flat = augmented(Augmentation { contrast: 0.25, ..Default::default() }, 0);
        assert!(flat.iter().all(|values| (values[4] - 50.0).abs() < 1e-4 && (0.0..=20.0).contains(&values[0])));
        for edge in [0.0, 20.0] {
            assert!(flat.iter().any(|values| (values[0] - edge).abs() < 0.4), "{edge}");
        }
    }

    #[test]
    fn turns_fill_their_range_and_no_more() {
        // Values rise by 10 from column to column. The pixel above the centre comes from sin θ columns to its right:
        // 50 + 10 sin θ, and 10 sin 45° = 7.0711.
        let image = Image::new([1, 3, 3].into(), &[40, 50, 60, 40, 50, 60, 40, 50, 60]);
        let augmenter = Augmenter::new(Augmentation { rotation: 45.0, ..Default::default() }, Seed::new(1));
        let turned = (0..900).map(|index| augmenter.changed(image.clone(), 0, 0, index).values[1] - 50.0);
        let turned: Vec<f32> = turned.collect();
        assert!(turned.iter().all(|moved| moved.abs() < 7.072));
        for edge in [-7.071, 7.071] {
            assert!(turned.iter().any(|moved| (moved - edge).abs() < 0.2), "{edge}");
        }
    }

    #[test]
    fn as_many_images_are_erased_as_asked_for() {
        let erased = augmented(Augmentation { erasing: 0.25, ..Default::default() }, 0);
        let count = erased.iter().filter(|values| **values != image().values).count();
        // Binomial, 900 times ¼: 225 ± 13, and here ± 5 of these; a rectangle that rounds to no pixels does not erase
        // any.
        assert!((100..=290).contains(&count), "{count}");
    }

    #[test]
    fn draws_follow_from_seed_epoch_dataset_and_index() {
        let all = Augmentation {
            crop_padding: 2,
            flip: true,
            rotation: 10.0,
            brightness: 0.2,
            contrast: 0.2,
            erasing: 0.5,
            ..Default::default()
        };
        let augmenter = Augmenter::new(all, Seed::new(1));
        let first = augmenter.changed(image(), 3, 1, 4).values;
        assert_eq!(augmenter.changed(image(), 3, 1, 4).values, first);
        for (epoch, dataset, index) in [(4, 1, 4), (3, 2, 4), (3, 1, 5)] {
            assert_ne!(augmenter.changed(image(), epoch, dataset, index).values, first, "{epoch} {dataset} {index}");
        }
        assert_ne!(Augmenter::new(all, Seed::new(2)).changed(image(), 3, 1, 4).values, first);
        assert!(first.iter().all(|value| (0.0..=255.0).contains(value)), "{first:?}");
    }
}

//! One patch: its position in the photo and the changes of its colours.

use alluvium_model::{PictureShape, Random};
use alluvium_strategy::luminance;
use rand::RngExt;

use crate::config::{SingleImageConfig, Tones};
use crate::photo::Photo;

/// A patch, drawn but not yet sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patch {
    /// The longer side, as a fraction of the photo's shorter side.
    pub scale: f32,
    /// The rotation, in radians.
    pub angle: f32,
    /// Whether left and right are swapped.
    pub flipped: bool,
    /// The position between the photo's left and right edge, and between its upper and lower edge: 0 to 1.
    pub position: [f32; 2],
    /// Whether the tones are stretched to the whole range.
    pub stretched: bool,
    /// The factors of red, green and blue.
    pub gains: [f32; 3],
    /// The factor of each value's distance to the patch's mean.
    pub contrast: f32,
    /// The exponent of values between 0 and 1.
    pub gamma: f32,
    /// Whether dark and bright are swapped.
    pub inverted: bool,
}

impl Patch {
    /// Draws a patch. Each patch takes the same number of draws, so that an option does not change other properties.
    pub fn draw(config: &SingleImageConfig, random: &mut Random) -> Self {
        let mut uniform = || random.random::<f32>();
        let either_way = |strength: f64, uniform: f32| strength as f32 * (2.0 * uniform - 1.0);
        let [low, high] = config.scale.map(|side| side as f32);
        Patch {
            scale: low + (high - low) * uniform(),
            angle: either_way(config.rotation.to_radians(), uniform()),
            flipped: uniform() < 0.5 && config.flip,
            position: [uniform(), uniform()],
            stretched: config.tones == Tones::Stretched,
            gains: std::array::from_fn(|_| 1.0 + either_way(config.colour_jitter, uniform())),
            contrast: 1.0 + either_way(config.contrast, uniform()),
            gamma: either_way(config.gamma.ln(), uniform()).exp(),
            inverted: uniform() < config.inversion as f32,
        }
    }

    /// Samples the patch, `[channels, height, width]`, and appends its bytes.
    pub fn render(&self, photo: &Photo, input: PictureShape, bytes: &mut Vec<u8>) {
        let mut colours = self.sample(photo, input);
        if self.stretched {
            if input.channels != 3 {
                colours.iter_mut().for_each(|colour| *colour = [luminance(colour); 3]);
            }
            stretch(&mut colours);
        }
        self.change(&mut colours);
        let tones = self.tones();
        let mut plane = |value: &dyn Fn(&[f32; 3]) -> f32| {
            bytes.extend(colours.iter().map(|colour| tones[usize::from(value(colour).round() as u8)]));
        };
        if input.channels == 3 {
            (0..3).for_each(|channel| plane(&|colour| colour[channel]));
        } else {
            (0..input.channels).for_each(|_| plane(&luminance));
        }
    }

    /// The photo's colours at the patch's pixels, row by row: one affine map, one interpolation.
    fn sample(&self, photo: &Photo, input: PictureShape) -> Vec<[f32; 3]> {
        let [width, height] = photo.size(0);
        let (columns, rows) = (input.width as f32, input.height as f32);
        let (sin, cos) = self.angle.sin_cos();
        // The number of the photo's pixels per patch pixel; smaller if the turned patch would not fit into the photo.
        let box_width = columns * cos.abs() + rows * sin.abs();
        let box_height = columns * sin.abs() + rows * cos.abs();
        let step = (self.scale * width.min(height) / columns.max(rows)).min(width / box_width).min(height / box_height);
        let centre = |length: f32, side: f32, position: f32| side / 2.0 + position * (length - side);
        let x = centre(width, step * box_width, self.position[0]);
        let y = centre(height, step * box_height, self.position[1]);
        let level = photo.level(step);
        let [level_width, level_height] = photo.size(level);
        let shrink = [level_width / width, level_height / height];
        let across = if self.flipped { -step } else { step };
        let mut colours = Vec::with_capacity(input.height * input.width);
        for row in 0..input.height {
            let down = step * (row as f32 + 0.5 - rows / 2.0);
            for column in 0..input.width {
                let right = across * (column as f32 + 0.5 - columns / 2.0);
                let point = [x + right * cos - down * sin, y + right * sin + down * cos];
                colours.push(photo.at(level, [point[0] * shrink[0], point[1] * shrink[1]]));
            }
        }
        colours
    }

    /// Colour jitter, then contrast.
    fn change(&self, colours: &mut [[f32; 3]]) {
        let values = (3 * colours.len()) as f32;
        let mut sum = 0.0;
        for colour in colours.iter_mut() {
            *colour = std::array::from_fn(|channel| colour[channel] * self.gains[channel]);
            sum += colour.iter().sum::<f32>();
        }
        let mean = sum / values;
        for value in colours.iter_mut().flatten() {
            *value = (mean + self.contrast * (*value - mean)).clamp(0.0, 255.0);
        }
    }

    /// Maps each of the 256 values by gamma and inversion.
    fn tones(&self) -> [u8; 256] {
        std::array::from_fn(|value| {
            let bright = 255.0 * (value as f32 / 255.0).powf(self.gamma);
            (if self.inverted { 255.0 - bright } else { bright }).round() as u8
        })
    }
}

/// Maps the darkest value of each channel to 0 and the brightest to 255, and those between in proportion. A channel of one
/// value stays as it is.
fn stretch(colours: &mut [[f32; 3]]) {
    for channel in 0..3 {
        let values = colours.iter().map(|colour| colour[channel]);
        let (least, most) = (values.clone().fold(f32::INFINITY, f32::min), values.fold(f32::NEG_INFINITY, f32::max));
        if most > least {
            colours.iter_mut().for_each(|colour| colour[channel] = 255.0 * (colour[channel] - least) / (most - least));
        }
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;
    use image::{Rgb, RgbImage};

    use super::*;

    const PLAIN: Patch = Patch {
        scale: 0.25,
        angle: 0.0,
        flipped: false,
        position: [0.5, 0.5],
        stretched: false,
        gains: [1.0; 3],
        contrast: 1.0,
        gamma: 1.0,
        inverted: false,
    };

    /// A photo of 256×128 whose value is its column.
    fn gradient() -> Photo {
        Photo::new(RgbImage::from_fn(256, 128, |x, _| Rgb([x as u8; 3])))
    }

    fn rendered(patch: Patch, photo: &Photo, input: [usize; 3]) -> Vec<u8> {
        let mut bytes = vec![];
        patch.render(photo, input.into(), &mut bytes);
        bytes
    }

    #[test]
    fn scale_and_position_select_the_crop() {
        // 0.25 of 128 pixels are 32, so one photo pixel is one patch pixel. The patch begins at the left edge.
        let patch = Patch { position: [0.0, 0.3], ..PLAIN };
        let expected: Vec<u8> = (0..32 * 32).map(|position| (position % 32) as u8).collect();
        assert_eq!(rendered(patch, &gradient(), [1, 32, 32]), expected);
        let right = rendered(Patch { position: [1.0, 0.3], ..PLAIN }, &gradient(), [1, 32, 32]);
        assert_eq!(right[..32], (224..=255).collect::<Vec<u8>>());
        // Half of 128 pixels over 8: patch pixels are 8 photo pixels apart.
        let coarse = rendered(Patch { scale: 0.5, ..PLAIN }, &gradient(), [1, 8, 8]);
        assert!(coarse[..8].windows(2).all(|pair| pair[1].abs_diff(pair[0] + 8) <= 1), "{:?}", &coarse[..8]);
        // The option sets the longer side: 32 columns of the photo, 16 rows.
        assert_eq!(rendered(Patch { position: [0.0, 0.0], ..PLAIN }, &gradient(), [1, 16, 32]), expected[..512]);
    }

    #[test]
    fn a_flip_mirrors_and_a_quarter_turn_turns() {
        let plain = rendered(PLAIN, &gradient(), [1, 32, 32]);
        let flipped = rendered(Patch { flipped: true, ..PLAIN }, &gradient(), [1, 32, 32]);
        let mirrored: Vec<u8> = plain.chunks(32).flat_map(|row| row.iter().rev().copied()).collect();
        assert_eq!(flipped, mirrored);
        let angle = std::f32::consts::FRAC_PI_2;
        let turned = rendered(Patch { angle, ..PLAIN }, &gradient(), [1, 32, 32]);
        // Down in the turned patch is left in the photo.
        for (row, values) in turned.chunks(32).enumerate() {
            assert!(values.iter().all(|value| value.abs_diff(plain[31 - row]) <= 1), "row {row}: {values:?}");
        }
    }

    #[test]
    fn a_turned_patch_stays_within_the_photo() {
        // A border of one pixel that no patch may contain; sampling beyond the edge would repeat it.
        for position in [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]] {
            for angle in [0.0, 0.4, 0.785, 2.0] {
                let patch = Patch { scale: 1.0, angle, position, ..PLAIN };
                let (sin, cos) = angle.sin_cos();
                // The largest square that fits, turned, into 128 rows: its corners touch the edge.
                let side = 128.0 / (sin.abs() + cos.abs());
                let values = rendered(patch, &gradient(), [1, 64, 64]);
                let seen = f32::from(*values.iter().max().unwrap()) - f32::from(*values.iter().min().unwrap());
                let expected = side * (cos.abs() + sin.abs()) * 63.0 / 64.0;
                assert!((seen - expected).abs() < 3.0, "{position:?}, {angle}: {seen} for {expected}");
            }
        }
    }

    #[test]
    fn colours_change_as_worked_out_by_hand() {
        let photo = Photo::new(RgbImage::from_pixel(8, 8, Rgb([51, 102, 204])));
        let of = |patch: Patch, channels| rendered(patch, &photo, [channels, 1, 1]);
        assert_eq!(of(PLAIN, 3), [51, 102, 204]);
        // 0.299·51 + 0.587·102 + 0.114·204 = 98.379
        assert_eq!(of(PLAIN, 1), [98]);
        assert_eq!(of(PLAIN, 2), [98, 98]);
        assert_eq!(of(Patch { gains: [2.0, 0.5, 1.5], ..PLAIN }, 3), [102, 51, 255]);
        // The mean is 119: 119 + (51 − 119)/2 = 85, 110.5, 161.5
        let flat = of(Patch { contrast: 0.5, ..PLAIN }, 3);
        assert!(
            flat.iter()
                .zip([85.0, 110.5, 161.5])
                .all(|(value, exact): (&u8, f32)| (f32::from(*value) - exact).abs() <= 0.51)
        );
        // 255·0.2² = 10.2, 255·0.4² = 40.8, 255·0.8² = 163.2
        assert_eq!(of(Patch { gamma: 2.0, ..PLAIN }, 3), [10, 41, 163]);
        assert_eq!(of(Patch { inverted: true, ..PLAIN }, 3), [204, 153, 51]);
    }

    #[test]
    fn tones_are_stretched_as_worked_out_by_hand() {
        // Red from 10…30: 255·(20 − 10)/20 = 127.5. Green has one value. Blue falls from 100 to 0.
        let mut colours = [[10.0, 7.0, 100.0], [20.0, 7.0, 50.0], [30.0, 7.0, 0.0]];
        stretch(&mut colours);
        assert_eq!(colours, [[0.0, 7.0, 255.0], [127.5, 7.0, 127.5], [255.0, 7.0, 0.0]]);
        // The columns 112 to 143, each one tone, become 0 to 255: 255/31 = 8.23 apart.
        let patch = Patch { stretched: true, ..PLAIN };
        let row = &rendered(patch, &gradient(), [1, 32, 32])[..32];
        assert_eq!((row[0], row[1], row[2], row[31]), (0, 8, 16, 255));
        // What follows works on the stretched tones.
        let inverted = rendered(Patch { inverted: true, ..patch }, &gradient(), [1, 32, 32]);
        assert_eq!((inverted[0], inverted[1], inverted[31]), (255, 247, 0));
    }

    #[test]
    fn draws_fill_their_ranges() {
        let config = SingleImageConfig {
            scale: [0.2, 0.4],
            rotation: 90.0,
            contrast: 0.5,
            gamma: 2.0,
            inversion: 0.25,
            colour_jitter: 0.1,
            ..Default::default()
        };
        let mut random = Seed::new(5).random();
        let patches: Vec<_> = (0..2000).map(|_| Patch::draw(&config, &mut random)).collect();
        let range = |value: &dyn Fn(&Patch) -> f32| {
            let values = patches.iter().map(value);
            [values.clone().fold(f32::MAX, f32::min), values.fold(f32::MIN, f32::max)]
        };
        let near = |found: [f32; 2], low: f32, high: f32| {
            let slack = 0.01 * (high - low);
            assert!(found[0] >= low && found[0] < low + slack, "{found:?} for {low}…{high}");
            assert!(found[1] <= high && found[1] > high - slack, "{found:?} for {low}…{high}");
        };
        near(range(&|patch| patch.scale), 0.2, 0.4);
        near(range(&|patch| patch.angle), -1.570_797, 1.570_797);
        near(range(&|patch| patch.position[1]), 0.0, 1.0);
        near(range(&|patch| patch.gains[2]), 0.9, 1.1);
        near(range(&|patch| patch.contrast), 0.5, 1.5);
        near(range(&|patch| patch.gamma), 0.5, 2.0);
        let share = |of: &dyn Fn(&Patch) -> bool| patches.iter().filter(|patch| of(patch)).count() as f32 / 2000.0;
        assert!((share(&|patch| patch.inverted) - 0.25).abs() < 0.04);
        assert!((share(&|patch| patch.flipped) - 0.5).abs() < 0.04);
    }
}

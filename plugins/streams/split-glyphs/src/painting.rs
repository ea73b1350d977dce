//! How one character is painted on a crop of a photograph: what is drawn at random, and the pixels.
//!
//! Sines, cosines and logarithms may differ between machines in the last digit. Only sums, products and quotients are used
//! here, so that every machine paints the same image.

use std::array::from_fn;

use alluvium_model::Random;
use alluvium_stream::picture::interpolated;
use rand::RngExt;

use crate::photographs::Photograph;

/// The width and the height of an image, in pixels.
pub const SIDE: usize = 32;
/// The smallest and the largest number of a photograph's pixels for one pixel of an image.
const CROP_SCALE: [f32; 2] = [0.6, 1.8];
/// With the full jitter: the largest tangent of half the angle by which a character is turned (12°).
const MOST_TURNED: f32 = 0.105;
/// With the full jitter: how many pixels a character is moved at most, along each axis.
const MOST_MOVED: f32 = 3.0;
/// With the full jitter: how much smaller and how much larger a character becomes at most.
const SIZES: [f32; 2] = [0.3, 0.1];

/// How difficult images are.
#[derive(Debug, Clone, Copy)]
pub struct Difficulty {
    /// The smallest and the largest contrast, 0 to 0.5: the difference between the luminance of the character and the mean
    /// luminance of the photograph under it. The whole range is 1.
    pub contrast: [f32; 2],
    /// The fraction of the photograph's deviations from its mean colour that is kept.
    pub clutter: f32,
    /// The fraction of the largest changes of angle, place and size.
    pub jitter: f32,
}

/// A glyph: grey, row by row; 0 is no ink.
#[derive(Debug, Clone, Copy)]
pub struct Glyph<'a> {
    /// The width, in pixels.
    pub width: usize,
    /// The ink of each pixel.
    pub ink: &'a [u8],
}

impl Glyph<'_> {
    /// The fraction of ink at a point of the glyph. There is none outside.
    fn at(&self, point: [f32; 2]) -> f32 {
        let height = self.ink.len() / self.width;
        let [ink] = interpolated(point, |column, row| match (usize::try_from(column), usize::try_from(row)) {
            (Ok(column), Ok(row)) if column < self.width && row < height => {
                [f32::from(self.ink[row * self.width + column]) / 255.0]
            }
            _ => [0.0],
        });
        ink
    }
}

/// Where a character is, and how it is turned and resized.
#[derive(Debug, Clone, Copy)]
struct Placement {
    sine: f32,
    cosine: f32,
    size: f32,
    middle: [f32; 2],
}

impl Placement {
    fn random(jitter: f32, random: &mut Random) -> Self {
        let mut within = |most: f32| random.random_range(-most * jitter..=most * jitter);
        // The sine and the cosine of an angle, from the tangent of its half.
        let tangent = within(MOST_TURNED);
        let hypotenuse = 1.0 + tangent * tangent;
        let middle = from_fn(|_| SIDE as f32 / 2.0 + within(MOST_MOVED));
        let [smaller, larger] = SIZES;
        let size = random.random_range(1.0 - smaller * jitter..=1.0 + larger * jitter);
        Placement { sine: 2.0 * tangent / hypotenuse, cosine: (1.0 - tangent * tangent) / hypotenuse, size, middle }
    }

    /// The fraction of ink at the middle of each pixel of the image.
    fn coverage(&self, glyph: Glyph<'_>) -> Vec<f32> {
        let middle = [glyph.width as f32 / 2.0, (glyph.ink.len() / glyph.width) as f32 / 2.0];
        let at = |[x, y]: [f32; 2]| {
            let [x, y] = [(x - self.middle[0]) / self.size, (y - self.middle[1]) / self.size];
            glyph.at([middle[0] + self.cosine * x + self.sine * y, middle[1] + self.cosine * y - self.sine * x])
        };
        pixels().map(at).collect()
    }
}

/// The middles of an image's pixels, row by row.
fn pixels() -> impl Iterator<Item = [f32; 2]> {
    (0..SIDE * SIDE).map(|pixel| [(pixel % SIDE) as f32 + 0.5, (pixel / SIDE) as f32 + 0.5])
}

/// A random crop of the photograph, half of them mirrored, with a fraction of its deviations from the mean.
fn background(photograph: &Photograph, clutter: f32, random: &mut Random) -> Vec<[f32; 3]> {
    let scale = random.random_range(CROP_SCALE[0]..=CROP_SCALE[1]);
    let [left, top] = photograph.size().map(|side| random.random_range(0.0..=(side - SIDE as f32 * scale).max(0.0)));
    let mirrored = random.random_bool(0.5);
    let at = |[x, y]: [f32; 2]| {
        let x = if mirrored { SIDE as f32 - x } else { x };
        photograph.at([left + scale * x, top + scale * y])
    };
    let mut colours: Vec<_> = pixels().map(at).collect();
    let mean = weighted_mean(&colours, &[1.0; SIDE * SIDE]);
    for colour in &mut colours {
        *colour = from_fn(|channel| mean[channel] + clutter * (colour[channel] - mean[channel]));
    }
    colours
}

/// The weighted mean of some colours. Not all weights are 0.
fn weighted_mean(colours: &[[f32; 3]], weights: &[f32]) -> [f32; 3] {
    let total: f32 = weights.iter().sum();
    from_fn(|channel| colours.iter().zip(weights).map(|(colour, weight)| colour[channel] * weight).sum::<f32>() / total)
}

/// The luminance of a colour, by the weights of ITU-R BT.601.
fn luminance([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// A random colour of the given contrast to a luminance: lighter or darker, whichever is possible.
fn ink(under: f32, contrast: [f32; 2], random: &mut Random) -> [f32; 3] {
    let difference = 255.0 * random.random_range(contrast[0]..=contrast[1]);
    let [lighter, darker] = [under + difference, under - difference];
    let is_lighter = if lighter > 255.0 { false } else { darker < 0.0 || random.random_bool(0.5) };
    let target = if is_lighter { lighter } else { darker }.clamp(0.0, 255.0);
    let colour: [f32; 3] = from_fn(|_| random.random_range(0.0..=255.0));
    let grey = luminance(colour);
    let chroma = colour.map(|value| value - grey);
    // The most vivid colour with this chroma and luminance that has values from 0 to 255, or the drawn chroma.
    let fits = chroma.map(|value| if value > 0.0 { (255.0 - target) / value } else { target / (-value).max(0.001) });
    let strength = fits.into_iter().fold(1.0, f32::min);
    chroma.map(|value| target + strength * value)
}

/// Paints a glyph on one of the photographs into an image, `[3, SIDE, SIDE]`.
pub fn paint(
    glyph: Glyph<'_>,
    photographs: &[Photograph],
    difficulty: &Difficulty,
    random: &mut Random,
    image: &mut [u8],
) {
    let photograph = &photographs[random.random_range(0..photographs.len())];
    let background = background(photograph, difficulty.clutter, random);
    let coverage = Placement::random(difficulty.jitter, random).coverage(glyph);
    let under = luminance(weighted_mean(&background, &coverage));
    let ink = ink(under, difficulty.contrast, random);
    for (channel, plane) in image.chunks_exact_mut(SIDE * SIDE).enumerate() {
        for ((value, colour), coverage) in plane.iter_mut().zip(&background).zip(&coverage) {
            // A cast from float saturates.
            *value = (colour[channel] + coverage * (ink[channel] - colour[channel])).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use alluvium_stream::Seed;

    use super::*;

    /// A photograph of two halves, with the mean 100, 100, 100.
    fn halves() -> Photograph {
        Photograph::new(64, (0..64 * 64).flat_map(|pixel| [if pixel % 64 < 32 { 80 } else { 120 }; 3]).collect())
    }

    fn painted(glyph: Glyph<'_>, photograph: Photograph, difficulty: &Difficulty, seed: u64) -> Vec<[u8; 3]> {
        let mut image = vec![0; 3 * SIDE * SIDE];
        paint(glyph, &[photograph], difficulty, &mut Seed::new(seed).random(), &mut image);
        (0..SIDE * SIDE).map(|pixel| from_fn(|channel| image[channel * SIDE * SIDE + pixel])).collect()
    }

    #[test]
    fn without_difficulty_the_glyph_is_in_the_middle_with_the_contrast_on_one_colour() {
        let plain = Difficulty { contrast: [0.25, 0.25], clutter: 0.0, jitter: 0.0 };
        // A box of 28 × 28 in 32 × 32 leaves a border of two pixels.
        let glyph = Glyph { width: 28, ink: &[255; 28 * 28] };
        let mut targets = vec![];
        for seed in 0..20 {
            let image = painted(glyph, Photograph::new(64, vec![100; 3 * 64 * 64]), &plain, seed);
            let is_ink = |pixel: usize| [pixel % SIDE, pixel / SIDE].iter().all(|place| (2..30).contains(place));
            let ink = image[SIDE * SIDE / 2 + SIDE / 2];
            for (pixel, colour) in image.iter().enumerate() {
                assert_eq!(*colour, if is_ink(pixel) { ink } else { [100; 3] }, "{pixel}");
            }
            targets.push(luminance(ink.map(f32::from)));
        }
        // 0.25 × 255 = 63.75: luminance 163.75 or 36.25. Each channel is rounded.
        let [lighter, darker] =
            [163.75, 36.25].map(|target: f32| targets.iter().filter(|found| (*found - target).abs() <= 0.5).count());
        assert!(lighter > 0 && darker > 0 && lighter + darker == 20, "{targets:?}");
    }

    #[test]
    fn ink_is_as_light_as_the_contrast_says_and_within_the_range() {
        for (seed, under) in [0.0, 3.0, 127.0, 128.0, 200.0, 255.0].into_iter().cycle().take(200).enumerate() {
            let colour = ink(under, [0.1, 0.5], &mut Seed::new(seed as u64).random());
            let contrast = (luminance(colour) - under).abs() / 255.0;
            assert!((0.0999..=0.5001).contains(&contrast), "{under}: {colour:?}");
            assert!(colour.iter().all(|value| (-0.01..=255.01).contains(value)), "{under}: {colour:?}");
        }
    }

    #[test]
    fn clutter_is_the_part_of_the_deviations_that_is_kept() {
        let values = |clutter| {
            let colours = background(&halves(), clutter, &mut Seed::new(3).random());
            let all: Vec<_> = colours.into_iter().map(|[red, ..]| red).collect();
            let [least, most] = [f32::min, f32::max].map(|pick| all.iter().copied().reduce(pick).unwrap());
            most - least
        };
        assert!((values(1.0) - 40.0).abs() < 0.001, "the crop shows both halves");
        assert!((values(0.25) - 10.0).abs() < 0.001);
        assert!(values(0.0).abs() < 0.001);
    }

    #[test]
    fn a_quarter_turn_and_a_move_put_the_ink_where_they_say() {
        // One pixel of ink, right of the middle of a 3 × 3 glyph.
        let glyph = Glyph { width: 3, ink: &[0, 0, 0, 0, 0, 255, 0, 0, 0] };
        let placed = |sine: f32, cosine: f32, middle| {
            let coverage = Placement { sine, cosine, size: 1.0, middle }.coverage(glyph);
            let inked: Vec<_> = (0..SIDE * SIDE).filter(|pixel| coverage[*pixel] > 0.99).collect();
            inked.into_iter().map(|pixel| [pixel % SIDE, pixel / SIDE]).collect::<Vec<_>>()
        };
        assert_eq!(placed(0.0, 1.0, [10.5, 20.5]), [[11, 20]]);
        // Turned clockwise, as rows grow downwards: from the right to below.
        assert_eq!(placed(1.0, 0.0, [10.5, 20.5]), [[10, 21]]);
    }

    #[test]
    fn jitter_stays_within_the_stated_limits() {
        let mut random = Seed::new(0).random();
        for _ in 0..500 {
            let placement = Placement::random(1.0, &mut random);
            // The sine of 12° is 0.2079.
            assert!(placement.sine.abs() < 0.209 && (0.7..=1.1).contains(&placement.size), "{placement:?}");
            assert!(placement.middle.iter().all(|place| (13.0..=19.0).contains(place)), "{placement:?}");
            assert!((placement.sine.powi(2) + placement.cosine.powi(2) - 1.0).abs() < 1e-5);
        }
    }
}

//! Random Erasing (Zhong et al., AAAI 2020, arXiv 1708.04896, algorithm 1): a rectangle becomes noise.

use std::ops::RangeInclusive;

use alluvium_model::Random;
use rand::RngExt;

use super::Image;

/// The fraction of the image that the rectangle covers: s_l and s_h of the paper.
const AREA: RangeInclusive<f64> = 0.02..=0.4;

/// Its height by its width: r₁ and r₂ of the paper, r₂ = 1 / r₁.
const ASPECT: RangeInclusive<f64> = 0.3..=1.0 / 0.3;

/// The number of sizes that are tried. The paper sets no limit, but in a long and narrow image no size may fit.
const ATTEMPTS: usize = 100;

/// Replaces the values in a random rectangle by noise from 0 to 255, drawn separately for each channel. An image in
/// which no rectangle fits does not change.
///
/// The position is drawn among those where the rectangle fits, as in the authors' code. The paper instead draws a new
/// size and position when the rectangle reaches beyond the image, which makes large rectangles rarer.
pub(super) fn erase(image: &mut Image, random: &mut Random) {
    let shape = image.shape;
    let sizes = (0..ATTEMPTS).find_map(|_| {
        let (area, aspect) = (random.random_range(AREA), random.random_range(ASPECT));
        size(area, aspect, shape.height, shape.width)
    });
    let Some((height, width)) = sizes else { return };
    let top = random.random_range(0..=shape.height - height);
    let left = random.random_range(0..=shape.width - width);
    for plane in image.values.chunks_exact_mut(shape.height * shape.width) {
        for row in plane.chunks_exact_mut(shape.width).skip(top).take(height) {
            row[left..left + width].iter_mut().for_each(|value| *value = f32::from(random.random::<u8>()));
        }
    }
}

/// The height and width, in whole pixels, of a rectangle with this fraction of an image's area and this aspect ratio
/// (height by width). `None` if it is higher or wider than the image. H_e = √(S_e r_e), W_e = √(S_e / r_e).
fn size(area: f64, aspect: f64, height: usize, width: usize) -> Option<(usize, usize)> {
    let area = area * (height * width) as f64;
    let [own_height, own_width] = [area * aspect, area / aspect].map(|square| square.sqrt().round() as usize);
    (own_height <= height && own_width <= width).then_some((own_height, own_width))
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;

    use super::*;

    #[test]
    fn sizes_by_hand() {
        // A quarter of 10×20 is 50 pixels: √100 and √25, or with half the aspect the other way round.
        assert_eq!(size(0.25, 2.0, 10, 20), Some((10, 5)));
        assert_eq!(size(0.25, 0.5, 10, 20), Some((5, 10)));
        // 80 pixels: √240 = 15.5 rows are more than ten.
        assert_eq!(size(0.4, 3.0, 10, 20), None);
        // Two hundredths of 32×32 are 20.48 pixels: 4.5 each way.
        assert_eq!(size(0.02, 1.0, 32, 32), Some((5, 5)));
    }

    /// A value that no byte has.
    const UNTOUCHED: f32 = 300.0;

    /// Erases an image whose values are all `UNTOUCHED`.
    fn erased(shape: [usize; 3], index: usize) -> Vec<f32> {
        let mut image = Image { shape: shape.into(), values: vec![UNTOUCHED; shape.iter().product()] };
        erase(&mut image, &mut Seed::new(1).at("erasing", index).random());
        image.values
    }

    #[test]
    fn a_rectangle_becomes_noise_in_all_channels() {
        let mut noise = vec![];
        for index in 0..200 {
            let values = erased([2, 16, 12], index);
            let touched = |value: &f32| *value != UNTOUCHED;
            let (first, second) = values.split_at(16 * 12);
            assert!(first.iter().map(touched).eq(second.iter().map(touched)), "the same rectangle in both channels");
            let rows: Vec<_> = (0..16).filter(|row| first[row * 12..][..12].iter().any(touched)).collect();
            let columns: Vec<_> =
                (0..12).filter(|column| first.iter().skip(*column).step_by(12).any(touched)).collect();
            let (height, width) = (rows[rows.len() - 1] - rows[0] + 1, columns[columns.len() - 1] - columns[0] + 1);
            let count = first.iter().filter(|value| touched(value)).count();
            assert_eq!(count, height * width, "a rectangle");
            // 0.02 and 0.4 of 192 are 3.8 and 76.8; each side may be rounded up or down by a half.
            assert!((2..=86).contains(&count), "{count}");
            noise.extend(values.into_iter().filter(touched));
        }
        assert!(noise.iter().all(|value| (0.0..=255.0).contains(value) && value.fract() == 0.0));
        // Uniform over 0…255: 127.5; over some 16 000 values ± 0.6, and here ± 5 of these.
        let mean = noise.iter().sum::<f32>() / noise.len() as f32;
        assert!(noise.len() > 5000 && (mean - 127.5).abs() < 4.0, "{mean} of {}", noise.len());
    }

    #[test]
    fn where_no_rectangle_fits_the_image_stays() {
        // At least 20 pixels, and √(20 · 0.3) = 2.4 rows: more than one.
        assert!(erased([1, 1, 1000], 0).iter().all(|value| *value == UNTOUCHED));
    }
}

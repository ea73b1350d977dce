//! Brightness and contrast, as in torchvision's `adjust_brightness` and `adjust_contrast`.

use super::Image;

/// The largest value.
const WHITE: f32 = 255.0;

/// The share of red, green and blue in grey (ITU-R BT.601).
const GREY: [f64; 3] = [0.299, 0.587, 0.114];

/// Every value times a factor, at most white.
pub(super) fn brighten(image: &mut Image, factor: f32) {
    image.values.iter_mut().for_each(|value| *value = (*value * factor).clamp(0.0, WHITE));
}

/// Every value's distance from the image's mean grey times a factor, at least black and at most white.
pub(super) fn contrast(image: &mut Image, factor: f32) {
    let grey = mean_grey(image);
    image.values.iter_mut().for_each(|value| *value = (grey + (*value - grey) * factor).clamp(0.0, WHITE));
}

/// The mean grey over an image's pixels. Three channels are red, green and blue; otherwise grey is the mean of the
/// channels.
fn mean_grey(image: &Image) -> f32 {
    let channels = image.shape.channels;
    let sum = |plane: &[f32]| plane.iter().map(|value| f64::from(*value)).sum::<f64>();
    let share = |channel: usize| if channels == GREY.len() { GREY[channel] } else { 1.0 / channels as f64 };
    let planes = image.values.chunks_exact(image.pixels());
    let total: f64 = planes.enumerate().map(|(channel, plane)| share(channel) * sum(plane)).sum();
    (total / image.pixels() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(image: &Image, expected: &[f32]) {
        let near = image.values.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-3);
        assert!(near && image.values.len() == expected.len(), "{image:?}, expected {expected:?}");
    }

    #[test]
    fn brightness_by_hand() {
        let mut image = Image::new([1, 1, 3].into(), &[0, 100, 200]);
        brighten(&mut image, 1.5);
        near(&image, &[0.0, 150.0, 255.0]);
        brighten(&mut image, 0.5);
        near(&image, &[0.0, 75.0, 127.5]);
    }

    #[test]
    fn contrast_by_hand() {
        // Red 100 and 200, green 50 and 50, blue 0 and 100: mean grey 0.299·150 + 0.587·50 + 0.114·50 = 79.9.
        let mut image = Image::new([3, 1, 2].into(), &[100, 200, 50, 50, 0, 100]);
        contrast(&mut image, 0.5);
        near(&image, &[89.95, 139.95, 64.95, 64.95, 39.95, 89.95]);

        // Mean 100, and twice the distance from it: 300 is 255, −100 is 0.
        let mut image = Image::new([1, 1, 4].into(), &[200, 0, 120, 80]);
        contrast(&mut image, 2.0);
        near(&image, &[255.0, 0.0, 140.0, 60.0]);

        // Two channels have equal weights: mean (10 + 30) / 2 = 20, and no contrast leaves that.
        let mut image = Image::new([2, 1, 1].into(), &[10, 30]);
        contrast(&mut image, 0.0);
        near(&image, &[20.0, 20.0]);
    }
}

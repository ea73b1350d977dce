//! Rotation about the centre.

use super::Image;

/// Turns the image by some degrees, counter-clockwise if they are positive. The size stays the same.
///
/// A pixel of the result at (x, y) from the centre, y downwards, is the image's value at (x cos θ − y sin θ, x sin θ +
/// y cos θ), interpolated bilinearly between the four nearest pixels. Everything outside the image is black.
pub(super) fn rotated(image: &Image, degrees: f64) -> Image {
    let shape = image.shape;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let centre = |length: usize| (length as f64 - 1.0) / 2.0;
    let (middle_x, middle_y) = (centre(shape.width), centre(shape.height));
    let mut turned = Image::black(shape);
    for row in 0..shape.height {
        for column in 0..shape.width {
            let (x, y) = (column as f64 - middle_x, row as f64 - middle_y);
            let source = (x * cos - y * sin + middle_x, x * sin + y * cos + middle_y);
            for (index, weight) in around(source, shape.width, shape.height) {
                let sources = image.values.chunks_exact(image.pixels());
                for (from, to) in sources.zip(turned.values.chunks_exact_mut(image.pixels())) {
                    to[row * shape.width + column] += weight * from[index];
                }
            }
        }
    }
    turned
}

/// The pixels of a plane around a point, with their weights.
fn around((x, y): (f64, f64), width: usize, height: usize) -> impl Iterator<Item = (usize, f32)> {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, lower_share) = (x - left, y - top);
    let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
    corners.into_iter().filter_map(move |(right, down)| {
        let (column, row) = (left + right, top + down);
        let inside = (0.0..width as f64).contains(&column) && (0.0..height as f64).contains(&row);
        let share = |further: f64, share: f64| if further > 0.0 { share } else { 1.0 - share };
        let weight = share(right, right_share) * share(down, lower_share);
        inside.then(|| (row as usize * width + column as usize, weight as f32))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(bytes: &[u8], degrees: f64, expected: &[f32]) {
        let found = rotated(&Image::new([1, 3, 3].into(), bytes), degrees).values;
        let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-3);
        assert!(near && found.len() == expected.len(), "{degrees}°: {found:?}, expected {expected:?}");
    }

    #[test]
    fn right_angles_move_whole_pixels() {
        let image = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        turned(&image, 0.0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        // Counter-clockwise, the right column goes to the top.
        turned(&image, 90.0, &[3.0, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0]);
        turned(&image, -90.0, &[7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0]);
        turned(&image, 180.0, &[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    }

    #[test]
    fn in_between_four_pixels_count_by_their_nearness() {
        // By 45° the pixel above the centre, (0, −1), comes from (√½, −√½): between the centre, the one above it, the
        // one to its right and the corner at the top right, with weights (1 − √½)², (1 − √½)√½, √½(1 − √½) and ½, which
        // are 0.085786, 0.207107, 0.207107 and 0.5. The corner of the result at the top right, (1, −1), comes from (√2,
        // 0): from beyond the pixel to the right of the centre, with the weight 2 − √2 = 0.585786, because the outside
        // is black.
        let image = [0, 0, 100, 0, 10, 50, 0, 0, 0];
        let above = 100.0 * 0.5 + 50.0 * 0.207_107 + 10.0 * 0.085_786;
        let corner = 50.0 * 0.585_786;
        // The pixel right of the centre, (1, 0), comes from (√½, √½): the centre and the one to its right.
        let right = 10.0 * 0.085_786 + 50.0 * 0.207_107;
        // Those left of the centre and below it have only the centre.
        let (left, below) = (10.0 * 0.085_786, 10.0 * 0.085_786);
        turned(&image, 45.0, &[0.0, above, corner, left, 10.0, right, 0.0, below, 0.0]);
    }

    #[test]
    fn all_channels_turn_alike_and_sides_may_differ() {
        // 1×2 pixels in two channels: half a turn swaps them; a quarter leaves the two halves between the pixels outside.
        let image = Image::new([2, 1, 2].into(), &[10, 20, 30, 40]);
        let values = rotated(&image, 180.0).values;
        let near = |found: &[f32], expected: [f32; 4]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(near(&values, [20.0, 10.0, 40.0, 30.0]), "{values:?}");
        // (±½, 0) comes from (0, ±½): half a row off, between both pixels, and black on the other side: a quarter of each.
        let values = rotated(&image, 90.0).values;
        assert!(near(&values, [7.5, 7.5, 17.5, 17.5]), "{values:?}");
    }
}

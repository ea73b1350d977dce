//! Values between the pixels of a picture.

/// The value at a point, between those of the four nearest pixels. A pixel's value is at its middle. `pixel` gives the value
/// of the pixel in a column and a row, which may lie outside the picture.
///
/// Only sums and products, so that all machines give the same result.
pub fn interpolated<const N: usize>([x, y]: [f32; 2], pixel: impl Fn(i32, i32) -> [f32; N]) -> [f32; N] {
    let [x, y] = [x - 0.5, y - 0.5];
    let [left, top] = [x.floor(), y.floor()];
    let (column, row) = (left as i32, top as i32);
    let mix = |from: [f32; N], to: [f32; N], share: f32| -> [f32; N] {
        std::array::from_fn(|channel| from[channel] + share * (to[channel] - from[channel]))
    };
    let above = mix(pixel(column, row), pixel(column + 1, row), x - left);
    let below = mix(pixel(column, row + 1), pixel(column + 1, row + 1), x - left);
    mix(above, below, y - top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_the_weighted_mean_of_four_pixels() {
        // Pixels are 10 × column + row, so the value is 10 × (x − ½) + (y − ½), also left of and above the picture.
        let pixel = |column: i32, row: i32| [(10 * column + row) as f32];
        for (point, expected) in [([0.5, 0.5], 0.0), ([1.5, 2.5], 12.0), ([1.75, 2.75], 14.75), ([0.25, 0.0], -3.0)] {
            assert_eq!(interpolated(point, pixel), [expected], "{point:?}");
        }
    }
}

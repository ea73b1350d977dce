//! Shifted crops and mirror images. Neither changes a value.

use super::Image;

/// Adds `padding` black pixels on every side, then cuts out a window of the image's own size at row `top` and column
/// `left`. Both are at most twice the padding.
pub(super) fn cropped(image: &Image, padding: usize, top: usize, left: usize) -> Image {
    let shape = image.shape;
    let (rows, columns) =
        (VisibleRange::new(shape.height, padding, top), VisibleRange::new(shape.width, padding, left));
    let mut part = Image::black(shape);
    if columns.count == 0 {
        return part;
    }
    let planes = image.values.chunks_exact(image.pixels()).zip(part.values.chunks_exact_mut(image.pixels()));
    for (from, to) in planes {
        for row in 0..rows.count {
            let (source, target) = ((rows.source + row) * shape.width, (rows.target + row) * shape.width);
            to[target + columns.target..][..columns.count]
                .copy_from_slice(&from[source + columns.source..][..columns.count]);
        }
    }
    part
}

/// The rows or columns of an image that the window contains.
struct VisibleRange {
    /// The first one.
    source: usize,
    /// Its position in the window.
    target: usize,
    count: usize,
}

impl VisibleRange {
    fn new(length: usize, padding: usize, offset: usize) -> Self {
        let (source, target) = (offset.saturating_sub(padding), padding.saturating_sub(offset));
        // One of them is 0.
        VisibleRange { source, target, count: length.saturating_sub(source + target) }
    }
}

/// Swaps left and right.
pub(super) fn mirror(image: &mut Image) {
    image.values.chunks_exact_mut(image.shape.width).for_each(<[f32]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 2×2 pixels: 1 2 / 3 4 and 5 6 / 7 8.
    fn image() -> Image {
        Image::new([2, 2, 2].into(), &[1, 2, 3, 4, 5, 6, 7, 8])
    }

    #[test]
    fn the_padded_image_is_cut_where_it_says() {
        // With one black pixel around, the first channel is
        //   0 0 0 0
        //   0 1 2 0
        //   0 3 4 0
        //   0 0 0 0
        let cases = [
            ((0, 0), [0, 0, 0, 1, 0, 0, 0, 5]),
            ((0, 1), [0, 0, 1, 2, 0, 0, 5, 6]),
            ((0, 2), [0, 0, 2, 0, 0, 0, 6, 0]),
            ((1, 0), [0, 1, 0, 3, 0, 5, 0, 7]),
            ((1, 1), [1, 2, 3, 4, 5, 6, 7, 8]),
            ((2, 1), [3, 4, 0, 0, 7, 8, 0, 0]),
            ((2, 2), [4, 0, 0, 0, 8, 0, 0, 0]),
        ];
        for ((top, left), expected) in cases {
            assert_eq!(cropped(&image(), 1, top, left), Image::new([2, 2, 2].into(), &expected), "{top} {left}");
        }
    }

    #[test]
    fn of_an_image_smaller_than_its_padding_nothing_may_be_left() {
        let black = Image::black([2, 2, 2].into());
        for (top, left) in [(0, 5), (5, 0), (10, 10), (5, 10)] {
            assert_eq!(cropped(&image(), 5, top, left), black, "{top} {left}");
        }
        assert_eq!(cropped(&image(), 5, 5, 5), image());
    }

    #[test]
    fn rows_are_turned_round() {
        let mut image = Image::new([1, 2, 3].into(), &[1, 2, 3, 4, 5, 6]);
        mirror(&mut image);
        assert_eq!(image.values, [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    }
}

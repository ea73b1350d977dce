//! Rules that keep out fonts whose glyphs cannot be told apart.

use super::alphabet::{ALPHABET, class_of, shape_of};
use super::distance::absolute;
use super::render::{IMAGE, SIDE};

/// Side of the shrunken images that are compared.
const SMALL: usize = 14;
/// Bytes of a shrunken image.
const TINY: usize = SMALL * SMALL;
/// Letters whose lower case does not look like a small capital.
const TELLING: &[u8] = b"abdeghnqrt";

/// Whether the font has enough ink, a lower case of its own, and letters
/// tall enough to be read beside the longest swash of the font.
pub fn is_sound(pixels: &[u8]) -> bool {
    let inked = pixels.chunks(IMAGE).all(|image| ink(image) >= 8 * 255);
    inked && rows(glyph(pixels, b'x')) >= 8 && !is_all_capitals(pixels)
}

/// The 62 images at half size, as [`score`] compares them.
pub fn shrink(pixels: &[u8]) -> Vec<u8> {
    let mut small = Vec::with_capacity(ALPHABET.len() * TINY);
    for image in pixels.chunks(IMAGE) {
        for at in 0..TINY {
            let corner = at / SMALL * 2 * SIDE + at % SMALL * 2;
            let block = [corner, corner + 1, corner + SIDE, corner + SIDE + 1];
            let total: u16 = block.iter().map(|&pixel| u16::from(image[pixel])).sum();
            small.push((total / 4) as u8);
        }
    }
    small
}

/// Share of glyphs whose nearest glyph in other families is the same letter,
/// counting letters of one shape (`O`, `o`, `0`) as the same.
pub fn score(small: &[u8], others: &[&[u8]]) -> f64 {
    let right =
        small.chunks(TINY).zip(ALPHABET).filter(|(image, character)| nearest(image, others) == shape_of(**character));
    right.count() as f64 / ALPHABET.len() as f64
}

/// The shape of the glyph closest to an image.
fn nearest(image: &[u8], fonts: &[&[u8]]) -> u8 {
    let mut best = (u32::MAX, 0);
    for font in fonts {
        for (candidate, character) in font.chunks(TINY).zip(ALPHABET) {
            let far = absolute(image, candidate);
            if far < best.0 {
                best = (far, shape_of(*character));
            }
        }
    }
    best.1
}

/// Whether lower case repeats upper case, at the same size or smaller.
fn is_all_capitals(pixels: &[u8]) -> bool {
    let repeats = TELLING.iter().filter(|&&lower| {
        let small = stretched(glyph(pixels, lower));
        let large = stretched(glyph(pixels, lower.to_ascii_uppercase()));
        absolute(&small, &large) < (35 * TINY) as u32
    });
    repeats.count() * 2 >= TELLING.len()
}

fn glyph(pixels: &[u8], character: u8) -> &[u8] {
    let start = class_of(character) * IMAGE;
    &pixels[start..start + IMAGE]
}

fn ink(image: &[u8]) -> u32 {
    image.iter().map(|&value| u32::from(value)).sum()
}

/// Number of rows with visible ink.
fn rows(image: &[u8]) -> usize {
    let visible = |row: &&[u8]| row.iter().any(|&value| value >= 64);
    image.chunks(SIDE).filter(visible).count()
}

/// The ink box of an image stretched to a common size, so that a small
/// capital equals the capital it repeats.
fn stretched(image: &[u8]) -> [u8; TINY] {
    let visible = |at: &usize| image[*at] >= 64;
    let inked: Vec<usize> = (0..IMAGE).filter(visible).collect();
    let columns = inked.iter().map(|at| at % SIDE);
    let (left, right) = (columns.clone().min().unwrap_or(0), columns.max().unwrap_or(0));
    let (top, bottom) = match (inked.first(), inked.last()) {
        (Some(first), Some(last)) => (first / SIDE, last / SIDE),
        _ => (0, 0),
    };
    let mut small = [0; TINY];
    for (at, value) in small.iter_mut().enumerate() {
        let row = top + at / SMALL * (bottom - top + 1) / SMALL;
        let column = left + at % SMALL * (right - left + 1) / SMALL;
        *value = image[row * SIDE + column];
    }
    small
}

#[cfg(test)]
mod tests {
    use super::super::render::FONT;
    use super::*;

    #[test]
    fn one_letter_for_all_is_all_capitals_and_illegible() {
        let pixels = vec![255; FONT];
        assert!(is_all_capitals(&pixels));
        assert!(!is_sound(&pixels));
    }

    #[test]
    fn a_font_reads_itself() {
        let mut pixels = vec![0; FONT];
        for class in 0..ALPHABET.len() {
            let start = class * IMAGE + class * 12;
            pixels[start..start + 12].fill(255);
        }
        let small = shrink(&pixels);
        assert_eq!(score(&small, &[&small]), 1.0);
    }
}

//! Draws the 62 glyphs of one font at 28×28, white on black.
//!
//! All glyphs of a font share one scale and one baseline, so that `o` stays
//! smaller than `O` and `g` hangs below `a`: the scale fits the lowest and the
//! highest ink of the 62 glyphs into 26 rows. Only a glyph wider than 26
//! columns is shrunk on its own, about the baseline.

use ab_glyph::{Font, FontRef, GlyphId, Outline, OutlinedGlyph, PxScale, PxScaleFactor, Rect, point};
use anyhow::{Context, Result, ensure};

use super::alphabet::ALPHABET;

/// Width and height of an image.
pub const SIDE: usize = 28;
/// Bytes of an image.
pub const IMAGE: usize = SIDE * SIDE;
/// Bytes of the 62 images of one font.
pub const FONT: usize = IMAGE * ALPHABET.len();

/// Empty pixels kept on each side.
const MARGIN: f32 = 1.0;
/// Pixels that ink may fill in each direction.
const INK: f32 = SIDE as f32 - 2.0 * MARGIN;

/// A box in font units, y upwards.
#[derive(Clone, Copy, Debug)]
struct Extent {
    left: f32,
    right: f32,
    bottom: f32,
    top: f32,
}

/// Where a glyph goes: pixels per font unit, and the pen position in pixels.
#[derive(Clone, Copy, Debug)]
struct Placement {
    scale: f32,
    x: f32,
    baseline: f32,
}

/// Renders the font, class after class, as [`FONT`] bytes.
pub fn render(font_file: &[u8]) -> Result<Vec<u8>> {
    let font = FontRef::try_from_slice(font_file).context("not a readable TrueType or OpenType")?;
    let outlines = outlines(&font)?;
    let extents: Vec<Extent> = outlines.iter().map(extent).collect();
    let bottom = extents.iter().fold(f32::MAX, |low, e| low.min(e.bottom));
    let top = extents.iter().fold(f32::MIN, |high, e| high.max(e.top));

    let mut pixels = Vec::with_capacity(FONT);
    for (outline, extent) in outlines.into_iter().zip(extents) {
        pixels.extend_from_slice(&draw(outline, place(extent, bottom, top)));
    }
    Ok(pixels)
}

/// The outline of every character; an empty or missing one is an error.
fn outlines(font: &FontRef<'_>) -> Result<Vec<Outline>> {
    ALPHABET
        .iter()
        .map(|&character| {
            let name = char::from(character);
            let glyph = font.glyph_id(name);
            ensure!(glyph != GlyphId(0), "the font has no glyph for '{name}'");
            font.outline(glyph).with_context(|| format!("the glyph for '{name}' is empty"))
        })
        .collect()
}

/// The ink box of an outline, whichever way its corners are ordered.
fn extent(outline: &Outline) -> Extent {
    let (a, b) = (outline.bounds.min, outline.bounds.max);
    Extent { left: a.x.min(b.x), right: a.x.max(b.x), bottom: a.y.min(b.y), top: a.y.max(b.y) }
}

/// Places a glyph in a font whose ink reaches from `bottom` to `top`.
fn place(glyph: Extent, bottom: f32, top: f32) -> Placement {
    let common = INK / (top - bottom).max(1.0);
    let width = (glyph.right - glyph.left).max(1.0);
    let scale = common.min(INK / width);
    Placement {
        scale,
        x: (SIDE as f32 - width * scale) / 2.0 - glyph.left * scale,
        // The baseline follows the font, not the glyph, even when it shrinks.
        baseline: MARGIN + top * common,
    }
}

/// Rasterises one outline.
fn draw(mut outline: Outline, placement: Placement) -> [u8; IMAGE] {
    outline.bounds = widened(extent(&outline));
    let at = point(placement.x, placement.baseline);
    // The pen size is not used: the factor below already maps units to pixels.
    let glyph = GlyphId(0).with_scale_and_position(PxScale::from(1.0), at);
    let factor = PxScaleFactor { horizontal: placement.scale, vertical: placement.scale };
    let outlined = OutlinedGlyph::new(glyph, outline, factor);
    let corner = outlined.px_bounds().min;

    let mut image = [0; IMAGE];
    outlined.draw(|x, y, coverage| {
        let column = corner.x as i64 + i64::from(x);
        let row = corner.y as i64 + i64::from(y);
        let inside = (0..SIDE as i64).contains(&column) && (0..SIDE as i64).contains(&row);
        // The widened box may extend past the canvas, outside of the ink.
        if inside {
            image[row as usize * SIDE + column as usize] = grey(coverage);
        }
    });
    image
}

/// The ink box with one font unit of air around it, corners ordered as the
/// rasteriser has them. It cuts its canvas at the box, and ink that rounding
/// moves past the right edge would spill into the next row.
fn widened(ink: Extent) -> Rect {
    Rect { min: point(ink.left - 1.0, ink.top + 1.0), max: point(ink.right + 1.0, ink.bottom - 1.0) }
}

/// Sixteen grey levels are enough at this size and compress to half.
fn grey(coverage: f32) -> u8 {
    let level = (coverage * 15.0).round().clamp(0.0, 15.0);
    level as u8 * 17
}

#[cfg(test)]
mod tests {
    use super::*;
    use ab_glyph::OutlineCurve;

    /// A filled box, in font units.
    fn block(left: f32, right: f32, bottom: f32, top: f32) -> Outline {
        let corners = [point(left, bottom), point(right, bottom), point(right, top), point(left, top)];
        let curves = (0..4).map(|i| OutlineCurve::Line(corners[i], corners[(i + 1) % 4]));
        Outline { bounds: Rect { min: point(left, top), max: point(right, bottom) }, curves: curves.collect() }
    }

    fn draw_in(outline: Outline, bottom: f32, top: f32) -> [u8; IMAGE] {
        let place = place(extent(&outline), bottom, top);
        draw(outline, place)
    }

    #[test]
    fn all_ink_glyph_fills_the_inner_square_and_no_more() {
        let image = draw_in(block(-300.0, 700.0, -200.0, 800.0), -200.0, 800.0);
        for (index, value) in image.iter().enumerate() {
            let inner = |at: usize| (1..27).contains(&at);
            let expected = inner(index / SIDE) && inner(index % SIDE);
            assert_eq!(*value, if expected { 255 } else { 0 }, "pixel {index}");
        }
    }

    #[test]
    fn too_wide_a_glyph_shrinks_onto_the_shared_baseline() {
        let image = draw_in(block(0.0, 4000.0, 0.0, 1000.0), 0.0, 1000.0);
        let inked: Vec<usize> = (0..SIDE).filter(|row| image[row * SIDE + 14] > 0).collect();
        // A quarter of 26 rows is 6.5; the foot rests on row 26.
        assert_eq!(inked, (20..27).collect::<Vec<_>>());
        assert_eq!((image[22 * SIDE], image[22 * SIDE + 27]), (0, 0));
    }

    #[test]
    fn lower_glyph_keeps_its_height_within_the_font() {
        let image = draw_in(block(0.0, 500.0, 0.0, 500.0), -300.0, 1000.0);
        let inked = (0..SIDE).filter(|row| image[row * SIDE + 14] > 0).count();
        assert_eq!(inked, 10);
    }

    #[test]
    fn grey_levels_are_multiples_of_seventeen() {
        for step in -2..=34 {
            assert_eq!(grey(step as f32 / 31.0) % 17, 0);
        }
        assert_eq!((grey(0.0), grey(1.0), grey(1.7)), (0, 255, 255));
    }
}

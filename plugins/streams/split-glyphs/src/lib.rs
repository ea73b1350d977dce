//! The streams `split-glyphs` and `split-colour-glyphs`: letters and digits from many fonts, split over devices by class, by
//! font family, or unevenly.
//!
//! `glyphs` has the characters of all fonts, `split` deals them to devices (`domain`: by family). `colour` is the stream of
//! the same characters in colour: `painted` paints each on a crop of one of the `photographs`, at a place and in a colour
//! that `painting` draws.

mod colour;
mod domain;
mod glyphs;
mod painted;
mod painting;
mod photographs;
mod split;

pub use colour::SplitColourGlyphsConfig;
pub use split::{Shift, SplitGlyphsConfig};

//! The stream `split-colour-glyphs`.

use alluvium_stream::{Scenario, Seed, StreamConfig, StreamError, TaskStream, options, plugin};

use crate::painted::PaintedGlyphs;
use crate::painting::Difficulty;
use crate::split::SplitGlyphsConfig;

/// Split Colour Glyphs: A–Z, a–z and 0–9 from hundreds of fonts, painted on photographs, 32×32, in colour, in 62 classes.
///
/// The characters, their fonts and how they are split over devices are those of `split-glyphs`. Each is painted in a random
/// colour, lighter or darker than the photograph behind it, and is turned, moved and resized a little. Training and test
/// images have different photographs. It is harder than `split-glyphs`: `contrast`, `clutter` and `jitter` say how hard.
///
/// It is built into the binary and does not need files. An image only depends on these three options, its font and its
/// character, and on whether it is for testing. The seed decides which device has it. The photographs and their licence are
/// described in `plugins/streams/split-glyphs/data/photographs/README.md`.
#[options]
#[derive(PartialEq)]
pub struct SplitColourGlyphsConfig {
    /// The options of `split-glyphs`.
    #[serde(flatten)]
    pub glyphs: SplitGlyphsConfig,
    /// The smallest and the largest contrast: the difference between the luminance of a character and the mean luminance of
    /// the photograph behind it, as a fraction of the whole range. Each image's contrast is drawn uniformly between them.
    #[schemars(inner(range(min = 0.01, max = 0.5)))]
    #[default([0.2, 0.5])]
    pub contrast: [f64; 2],
    /// How strong the details of the photographs are: the fraction of each pixel's difference to the mean colour of the crop
    /// that is kept. 0: backgrounds of one colour.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(1.0)]
    pub clutter: f64,
    /// How much characters are turned, moved and resized. 1: by up to 12°, by up to 3 pixels along each axis, and to between
    /// 0.7 and 1.1 times the size in `split-glyphs`. Smaller values reduce all three in proportion. 0: not at all.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.7)]
    pub jitter: f64,
}

#[plugin(kind = "split-colour-glyphs")]
impl StreamConfig for SplitColourGlyphsConfig {
    fn scenario(&self) -> Scenario {
        self.glyphs.scenario()
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let images = PaintedGlyphs::embedded(self.difficulty()?)?;
        Ok(Box::new(self.glyphs.tasks(&images, seed)?))
    }
}

impl SplitColourGlyphsConfig {
    /// The options of the images, checked.
    fn difficulty(&self) -> Result<Difficulty, StreamError> {
        let wrong = |option, problem, accepted: &str| {
            Err(StreamError::Option { option, problem, accepted: accepted.to_owned() })
        };
        let [least, most] = self.contrast;
        // Written so that NaN is refused.
        if !(0.01 <= least && least <= most && most <= 0.5) {
            let accepted = "two fractions from 0.01 to 0.5, the smaller one first";
            return wrong("contrast", format!("is [{least}, {most}]"), accepted);
        }
        for (option, value) in [("clutter", self.clutter), ("jitter", self.jitter)] {
            if !(0.0..=1.0).contains(&value) {
                return wrong(option, format!("is {value}"), "a fraction from 0 to 1");
            }
        }
        Ok(Difficulty {
            contrast: self.contrast.map(|contrast| contrast as f32),
            clutter: self.clutter as f32,
            jitter: self.jitter as f32,
        })
    }
}

#[cfg(test)]
mod tests;

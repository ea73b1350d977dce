//! The glyphs in colour: each is painted when it is read.

use std::sync::Arc;

use alluvium_model::Random;
use alluvium_stream::{DataPart, InputShape, Samples, Seed, StreamError, read_each};

use crate::glyphs::{CHARACTERS, Font, FontImages, Glyphs, SampleSet};
use crate::painting::{Difficulty, Glyph, SIDE, paint};
use crate::photographs::Photograph;

/// All fonts, and what their characters are painted on.
#[derive(Debug, Clone)]
pub struct PaintedGlyphs {
    glyphs: Arc<Glyphs>,
    train: Arc<[Photograph]>,
    test: Arc<[Photograph]>,
    difficulty: Difficulty,
}

impl PaintedGlyphs {
    /// Reads the built-in glyphs and photographs.
    ///
    /// # Errors
    /// When the binary was built from damaged data.
    pub fn embedded(difficulty: Difficulty) -> Result<Self, StreamError> {
        Ok(PaintedGlyphs {
            glyphs: Arc::new(Glyphs::embedded()?),
            train: Photograph::embedded(SampleSet::Train)?.into(),
            test: Photograph::embedded(SampleSet::Test)?.into(),
            difficulty,
        })
    }
}

impl FontImages for PaintedGlyphs {
    type Part = PaintedPart;

    fn fonts(&self) -> &[Font] {
        &self.glyphs.fonts
    }

    fn part(&self, fonts: &[usize], part: SampleSet) -> PaintedPart {
        let (name, photographs) = match part {
            SampleSet::Train => ("train", &self.train),
            SampleSet::Test => ("test", &self.test),
        };
        PaintedPart {
            glyphs: Arc::clone(&self.glyphs),
            photographs: Arc::clone(photographs),
            difficulty: self.difficulty,
            // Not the run's seed, because all runs have the same images.
            seed: Seed::new(0).of("split-colour-glyphs").of(name),
            labels: fonts.iter().flat_map(|_| 0..CHARACTERS).collect(),
            fonts: fonts.to_vec(),
        }
    }
}

/// The images of all characters in some fonts, font after font.
#[derive(Debug, Clone)]
pub struct PaintedPart {
    glyphs: Arc<Glyphs>,
    photographs: Arc<[Photograph]>,
    difficulty: Difficulty,
    seed: Seed,
    fonts: Vec<usize>,
    labels: Vec<usize>,
}

impl PaintedPart {
    /// The generator of one image. It depends on the font and the character, not on which other fonts there are.
    fn random(&self, font: usize, character: usize) -> Random {
        self.seed.at("font", font).at("character", character).random()
    }
}

impl DataPart for PaintedPart {
    fn input(&self) -> InputShape {
        [3, SIDE, SIDE].into()
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        read_each(self, indices, |index, image| {
            let (font, character) = (self.fonts[index / CHARACTERS], self.labels[index]);
            let glyph = Glyph { width: self.glyphs.width(), ink: self.glyphs.image(font, character) };
            paint(glyph, &self.photographs, &self.difficulty, &mut self.random(font, character), image);
            Ok(())
        })
    }
}

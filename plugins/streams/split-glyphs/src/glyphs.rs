//! The glyphs: two files that are built into the binary. `cargo xtask glyphs` generates them.

use std::iter::repeat_n;
use std::path::PathBuf;

use alluvium_stream::idx::{self, Idx};
use alluvium_stream::{DataPart, DataSet, InputShape, Samples, StreamError};
use serde::Deserialize;

/// `[fonts, characters, height, width]`, gzipped IDX; rows of fonts as in the table.
const IMAGES: (&str, &[u8]) = ("data/glyphs.idx.gz", include_bytes!("../data/glyphs.idx.gz"));
/// One row per font, with its origin and its licence.
const FONTS: (&str, &str) = ("data/fonts.csv", include_str!("../data/fonts.csv"));

/// The part that a font's samples belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleSet {
    Train,
    Test,
}

/// One font: the columns of the table that are used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Font {
    /// Its row in the images.
    pub index: usize,
    /// The part of the whole family.
    pub split: SampleSet,
    /// Its family: the fonts of one design.
    pub family: String,
    /// Its name.
    pub font: String,
}

/// All fonts, and an image of every character in each.
#[derive(Debug, Clone)]
pub struct Glyphs {
    /// The fonts; those of a family follow each other in the order of the table.
    pub fonts: Vec<Font>,
    images: Idx,
}

/// The number of characters of every font.
pub const CHARACTERS: usize = 62;

/// An image of every character in every font.
pub trait FontImages {
    /// One part of the data set.
    type Part: DataPart + 'static;

    /// The fonts.
    fn fonts(&self) -> &[Font];

    /// The images of all characters in some fonts, font after font, for one part.
    fn part(&self, fonts: &[usize], part: SampleSet) -> Self::Part;

    /// The data set, and the index in `fonts` of each sample's font, for training and test. `is_test` says which fonts
    /// are for testing.
    fn data(&self, is_test: impl Fn(usize) -> bool) -> (DataSet, [Vec<usize>; 2]) {
        let (test, train): (Vec<_>, Vec<_>) = (0..self.fonts().len()).partition(|font| is_test(*font));
        let class_names = characters().map(String::from).collect();
        let data = DataSet::new(class_names, self.part(&train, SampleSet::Train), self.part(&test, SampleSet::Test));
        let of_samples = |fonts: Vec<usize>| fonts.into_iter().flat_map(|font| repeat_n(font, CHARACTERS)).collect();
        (data, [train, test].map(of_samples))
    }
}

/// The characters in the order of the images: A–Z, a–z, 0–9.
pub fn characters() -> impl Iterator<Item = char> {
    ('A'..='Z').chain('a'..='z').chain('0'..='9')
}

impl Glyphs {
    /// Reads the built-in data set.
    ///
    /// # Errors
    /// When the two files contradict each other, because the binary was built from damaged data.
    pub fn embedded() -> Result<Self, StreamError> {
        Self::parse(IMAGES.1, FONTS.1)
    }

    fn parse(images: &[u8], table: &str) -> Result<Self, StreamError> {
        let images = idx::parse(images).map_err(|cause| wrong(IMAGES.0, cause))?;
        let rows = csv::Reader::from_reader(table.as_bytes()).into_deserialize().collect::<Result<Vec<Font>, _>>();
        let fonts = rows.map_err(|error| wrong(FONTS.0, error.to_string()))?;
        let expected = format!("[{}, {}, height, width]", fonts.len(), CHARACTERS);
        match images.shape[..] {
            [rows, classes, height, width] if rows == fonts.len() && classes == CHARACTERS && height.min(width) > 0 => {
            }
            _ => return Err(wrong(IMAGES.0, format!("has the shape {:?}; accepted: {expected}", images.shape))),
        }
        if let Some(row) = fonts.iter().enumerate().position(|(row, font)| font.index != row) {
            let cause = format!("row {row} has the index {}; accepted: rows in order, from 0", fonts[row].index);
            return Err(wrong(FONTS.0, cause));
        }
        Ok(Glyphs { fonts, images })
    }

    /// The image of a character in a font: grey, row by row.
    pub fn image(&self, font: usize, character: usize) -> &[u8] {
        let pixels = self.input().values();
        &self.images.values[(font * CHARACTERS + character) * pixels..][..pixels]
    }

    /// The width of an image.
    pub fn width(&self) -> usize {
        self.images.shape[3]
    }

    /// The shape of one image.
    fn input(&self) -> InputShape {
        [1, self.images.shape[2], self.images.shape[3]].into()
    }
}

impl FontImages for Glyphs {
    type Part = Samples;

    fn fonts(&self) -> &[Font] {
        &self.fonts
    }

    fn part(&self, fonts: &[usize], _: SampleSet) -> Samples {
        let mut part = Samples::new(self.input());
        for font in fonts {
            (0..CHARACTERS).for_each(|character| part.push(self.image(*font, character), character));
        }
        part
    }
}

fn wrong(name: &str, cause: String) -> StreamError {
    StreamError::File {
        path: PathBuf::from(name),
        cause,
        hint: " (built into this binary; `cargo xtask glyphs` makes the file)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_data_have_the_promised_sizes() {
        let glyphs = Glyphs::embedded().unwrap();
        assert!(glyphs.fonts.len() >= 200, "{} fonts", glyphs.fonts.len());
        assert_eq!(glyphs.input(), [1, 28, 28].into());
        let (data, _) = glyphs.data(|font| glyphs.fonts[font].split == SampleSet::Test);
        assert_eq!(data.class_names.len(), 62);
        assert_eq!(
            [0, 25, 26, 51, 52, 61].map(|class| data.class_names[class].as_str()),
            ["A", "Z", "a", "z", "0", "9"]
        );
        assert_eq!(data.train.labels().len() + data.test.labels().len(), glyphs.fonts.len() * 62);
    }

    #[test]
    fn every_font_draws_every_character() {
        let glyphs = Glyphs::embedded().unwrap();
        for (index, image) in glyphs.images.values.chunks_exact(28 * 28).enumerate() {
            let (least, most) = (image.iter().min(), image.iter().max());
            assert!(least < most, "an empty image: {:?}, character {}", glyphs.fonts[index / 62], index % 62);
        }
    }

    #[test]
    fn a_family_is_for_training_or_for_testing() {
        let glyphs = Glyphs::embedded().unwrap();
        let mut parts = BTreeMap::<&str, BTreeSet<bool>>::new();
        for font in &glyphs.fonts {
            parts.entry(&font.family).or_default().insert(font.split == SampleSet::Test);
        }
        assert!(parts.values().all(|parts| parts.len() == 1), "{parts:?}");
        assert!(parts.values().any(|parts| parts.contains(&true)));
    }

    /// The bytes of an IDX file of unsigned bytes that are all zero.
    fn images(shape: [u32; 4]) -> Vec<u8> {
        let sizes = shape.iter().flat_map(|size| size.to_be_bytes());
        let values = std::iter::repeat_n(0, shape.iter().product::<u32>() as usize);
        [0, 0, 8, 4].into_iter().chain(sizes).chain(values).collect()
    }

    #[test]
    fn contradictory_files_are_refused() {
        let header = "index,split,family,font,licence\n";
        let table = |rows: &str| format!("{header}{rows}");
        let error = |shape, rows: &str| Glyphs::parse(&images(shape), &table(rows)).unwrap_err().to_string();
        let two = "0,train,Serif,Serif Bold,OFL\n1,test,Sans,Sans,OFL\n";
        assert_eq!(Glyphs::parse(&images([2, 62, 1, 1]), &table(two)).unwrap().fonts[1].split, SampleSet::Test);
        for shape in [[3, 62, 1, 1], [2, 61, 1, 1], [2, 62, 0, 1]] {
            let error = error(shape, two);
            assert!(error.contains("glyphs.idx.gz") && error.contains("accepted: [2, 62, height, width]"), "{error}");
        }
        let swapped = error([2, 62, 1, 1], "1,train,Serif,Serif Bold,OFL\n0,test,Sans,Sans,OFL\n");
        assert!(swapped.contains("fonts.csv") && swapped.contains("row 0 has the index 1"), "{swapped}");
        assert!(error([1, 62, 1, 1], "0,both,Serif,Serif Bold,OFL\n").contains("both"));
        assert!(Glyphs::parse(&[1, 2], &table(two)).unwrap_err().to_string().contains("IDX"));
    }
}

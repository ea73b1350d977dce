//! The photographs that characters are painted on; `data/photographs/README.md` has their origin and licence.

use std::path::PathBuf;

use alluvium_stream::StreamError;
use alluvium_stream::picture::{Orientation, decode, interpolated};

use crate::glyphs::SampleSet;

macro_rules! files {
    ($($name:literal),*) => {
        &[$((
            concat!("data/photographs/", $name, ".png"),
            include_bytes!(concat!("../data/photographs/", $name, ".png")) as &[u8],
        )),*]
    };
}

/// The name and the bytes of each file.
type Files = &'static [(&'static str, &'static [u8])];

const TRAIN: Files = files!("city", "dawn", "esplanade", "forest", "lab", "park", "sunset", "workshop");
const TEST: Files = files!("lobby", "sunrise", "venice", "warehouse");

/// A photograph in colour.
#[derive(Debug, Clone)]
pub struct Photograph {
    width: usize,
    height: usize,
    /// Red, green and blue of each pixel, row by row.
    pixels: Vec<u8>,
}

impl Photograph {
    /// A photograph from the red, green and blue of each pixel, row by row, of at least one pixel.
    pub fn new(width: usize, pixels: Vec<u8>) -> Self {
        Photograph { width, height: pixels.len() / (3 * width), pixels }
    }

    /// The built-in photographs for training or for testing. No photograph is in both.
    ///
    /// # Errors
    /// When the binary was built from damaged files.
    pub fn embedded(part: SampleSet) -> Result<Vec<Self>, StreamError> {
        let files = match part {
            SampleSet::Train => TRAIN,
            SampleSet::Test => TEST,
        };
        let read = |(name, bytes): &(&str, &[u8])| {
            let picture = decode(bytes, Orientation::Ignore).map_err(|cause| StreamError::File {
                path: PathBuf::from(name),
                cause,
                hint: " (built into this binary)".to_owned(),
            })?;
            Ok(Self::new(picture.width() as usize, picture.into_raw()))
        };
        files.iter().map(read).collect()
    }

    /// Width and height, in pixels.
    pub fn size(&self) -> [f32; 2] {
        [self.width as f32, self.height as f32]
    }

    /// Red, green and blue at a point, 0 to 255. The outermost pixels extend beyond the edge.
    pub fn at(&self, point: [f32; 2]) -> [f32; 3] {
        let within = |position: i32, count: usize| (position.max(0) as usize).min(count - 1);
        interpolated(point, |column, row| {
            let pixel = within(row, self.height) * self.width + within(column, self.width);
            std::array::from_fn(|channel| f32::from(self.pixels[3 * pixel + channel]))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_photographs_are_read_and_none_is_in_both_parts() {
        let parts = [SampleSet::Train, SampleSet::Test].map(|part| Photograph::embedded(part).unwrap());
        assert_eq!(parts.each_ref().map(Vec::len), [8, 4]);
        let all: Vec<_> = parts.into_iter().flatten().collect();
        assert!(all.iter().all(|photograph| photograph.size() == [432.0, 128.0]));
        let pixels: BTreeSet<_> = all.iter().map(|photograph| &photograph.pixels).collect();
        assert_eq!(pixels.len(), 12);
    }

    #[test]
    fn the_edge_extends_beyond_the_photograph() {
        let photograph = Photograph::new(2, vec![0, 10, 20, 100, 110, 120]);
        assert_eq!(photograph.at([1.0, 0.5]), [50.0, 60.0, 70.0]);
        assert_eq!(photograph.at([0.0, -3.0]), [0.0, 10.0, 20.0]);
        assert_eq!(photograph.at([9.0, 9.0]), [100.0, 110.0, 120.0]);
    }
}

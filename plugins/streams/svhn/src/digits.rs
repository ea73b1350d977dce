//! The two files of cropped digits.
//!
//! A file holds two arrays: `X`, 32×32×3×images, unsigned bytes, and `y`, images×1. The digits 1 to 9 have the labels 1
//! to 9, and the digit 0 has the label 10 (<http://ufldl.stanford.edu/housenumbers/>, "Format 2").

use std::path::{Path, PathBuf};

use alluvium_stream::{DataPart, DataSet, InputShape, Samples, StreamError, read_each, read_file};

use crate::mat::{self, Matrix};

const NAMES: [&str; 2] = ["train_32x32.mat", "test_32x32.mat"];
const SIDE: usize = 32;
const CHANNELS: usize = 3;
const IMAGE_BYTES: usize = CHANNELS * SIDE * SIDE;
/// The largest file that is read. `train_32x32.mat` has 182 MB.
const LARGEST: u64 = 1 << 30;

const HINT: &str = "; http://ufldl.stanford.edu/housenumbers/ offers SVHN: get train_32x32.mat and test_32x32.mat, and let \
                    `directory` name their folder";

/// Reads the data set.
///
/// # Errors
/// [`StreamError::File`] when a file is missing or wrong.
pub fn read(directory: &Path) -> Result<DataSet, StreamError> {
    let [train, test] = NAMES.map(|name| Digits::read(&directory.join(name)));
    Ok(DataSet::new((0..10).map(|digit| digit.to_string()).collect(), train?, test?))
}

/// The files that exist.
pub fn paths(directory: &Path) -> Vec<PathBuf> {
    NAMES.iter().map(|name| directory.join(name)).filter(|path| path.exists()).collect()
}

/// One part as in the file: one byte per value, in MATLAB's order.
#[derive(Debug)]
pub struct Digits {
    images: Matrix,
    labels: Vec<usize>,
}

impl Digits {
    fn read(path: &Path) -> Result<Self, StreamError> {
        let hint = if path.exists() { "" } else { HINT };
        let bytes = read_file(path, LARGEST).map_err(|error| error.with_hint(hint))?;
        Self::parse(&bytes).map_err(|cause| StreamError::file(path, cause))
    }

    /// Reads the bytes of a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (mut images, mut labels) = (None, None);
        for matrix in mat::read(bytes, &["X", "y"])? {
            match matrix.name.as_str() {
                "X" => images = Some(matrix),
                _ => labels = Some(matrix),
            }
        }
        let images = images.ok_or("does not hold the array X")?;
        let labels = labels.ok_or("does not hold the array y")?;
        let [SIDE, SIDE, CHANNELS, count] = images.dimensions[..] else {
            let found = &images.dimensions;
            return Err(format!("X has the shape {found:?}; accepted: [{SIDE}, {SIDE}, {CHANNELS}, images]"));
        };
        if images.bytes().is_none() {
            return Err("X is not of unsigned bytes".to_owned());
        }
        if labels.dimensions != [count, 1] {
            return Err(format!("y has the shape {:?}; accepted: [{count}, 1]", labels.dimensions));
        }
        let label = |(number, value): (usize, f64)| match value {
            10.0 => Ok(0),
            digit if digit.fract() == 0.0 && (1.0..10.0).contains(&digit) => Ok(digit as usize),
            other => Err(format!("y has the label {other} for image number {number}; accepted: 1 to 10")),
        };
        let labels = labels.numbers()?.into_iter().enumerate().map(label).collect::<Result<_, _>>()?;
        Ok(Digits { images, labels })
    }
}

impl DataPart for Digits {
    fn input(&self) -> InputShape {
        [CHANNELS, SIDE, SIDE].into()
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        let bytes = self.images.bytes().unwrap_or_default();
        read_each(self, indices, |index, image| {
            let own = &bytes[index * IMAGE_BYTES..(index + 1) * IMAGE_BYTES];
            // MATLAB's first dimension varies fastest: each channel is stored column by column.
            for (value, into) in image.iter_mut().enumerate() {
                let (channel, row, column) = (value / (SIDE * SIDE), value / SIDE % SIDE, value % SIDE);
                *into = own[row + SIDE * (column + SIDE * channel)];
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;

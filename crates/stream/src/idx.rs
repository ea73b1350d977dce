//! The IDX format: Fashion-MNIST, MNIST and our own glyphs are stored in it.
//!
//! A file is `00 00 TYPE DIMENSIONS`, then a big-endian 32-bit size for each dimension, then the values, last dimension
//! fastest (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file format section). TYPE 8 is an unsigned byte, the
//! only one that these data sets use. Files may be gzipped.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::StreamError;

/// An IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The values, last dimension fastest.
    pub values: Vec<u8>,
}

/// The largest file that is unpacked, in bytes: a gzip file may claim to be anything.
const LARGEST: u64 = 4 << 30;

/// Reads an IDX file, gzipped or not, whatever its name.
///
/// # Errors
/// [`StreamError::File`], which names the file and says what is wrong with it.
pub fn read(path: &Path) -> Result<Idx, StreamError> {
    let wrong = |cause: String| StreamError::File { path: path.to_owned(), cause, hint: String::new() };
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    parse(&bytes).map_err(wrong)
}

/// Reads the bytes of an IDX file, gzipped or not.
///
/// # Errors
/// What is wrong with them, in words.
pub fn parse(bytes: &[u8]) -> Result<Idx, String> {
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { Cow::Owned(unpack(bytes)?) } else { Cow::Borrowed(bytes) };
    let header = bytes.get(..4).ok_or("shorter than an IDX header")?;
    let &[0, 0, 8, dimensions] = header else {
        return Err(format!(
            "starts with {header:02x?}, but an IDX file of unsigned bytes starts with [00, 00, 08, …]"
        ));
    };
    let start = 4 + 4 * usize::from(dimensions);
    let sizes = bytes.get(4..start).ok_or("cut short within the sizes")?;
    let shape: Vec<_> =
        sizes.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize).collect();
    let count = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    let held = bytes.len() - start;
    if count != Some(held) {
        return Err(format!("states the shape {shape:?}, but holds {held} values"));
    }
    let values = match bytes {
        // In place: some of these files are large.
        Cow::Owned(mut unpacked) => {
            unpacked.drain(..start);
            unpacked
        }
        Cow::Borrowed(bytes) => bytes[start..].to_vec(),
    };
    Ok(Idx { shape, values })
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = vec![];
    let read = GzDecoder::new(bytes).take(LARGEST).read_to_end(&mut unpacked);
    read.map_err(|error| format!("the gzip stream is damaged or cut short ({error})"))?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A 2×3 file, byte by byte.
    const FILE: [u8; 18] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];

    #[test]
    fn a_plain_and_a_gzipped_file_read_the_same() {
        let expected = Idx { shape: vec![2, 3], values: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(parse(&FILE).unwrap(), expected);
        let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
        packed.write_all(&FILE).unwrap();
        assert_eq!(parse(&packed.finish().unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        for length in 0..FILE.len() {
            assert!(parse(&FILE[..length]).is_err(), "cut at {length}");
        }
        let mut lies = FILE;
        lies[4..8].copy_from_slice(&[255; 4]);
        lies[8..12].copy_from_slice(&[255; 4]);
        assert!(parse(&lies).unwrap_err().contains("holds 6 values"));
    }
}

//! The IDX format: Fashion-MNIST, MNIST and our own glyphs are stored in it.
//!
//! A file is `00 00 TYPE DIMENSIONS`, then a big-endian 32-bit size for each dimension, then the values, last dimension
//! fastest (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file format section). TYPE 8 is an unsigned byte, the
//! only one that these data sets use. Files may be gzipped.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::{StreamError, read_file};

/// An IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The values, last dimension fastest.
    pub values: Vec<u8>,
}

/// The largest file, in bytes, packed or not, and the most values that it may state. The largest one of EMNIST has
/// 547 million.
const LARGEST: u64 = 1 << 30;

/// Reads an IDX file of at most 2³⁰ bytes. It may be gzipped; its name does not matter.
///
/// # Errors
/// [`StreamError::File`], which names the file and the problem.
pub fn read(path: &Path) -> Result<Idx, StreamError> {
    parse(&read_file(path, LARGEST)?).map_err(|cause| StreamError::file(path, cause))
}

/// Reads the IDX file at one of several paths, for example a gzipped one and a plain one. `None` if no path exists. If
/// several exist, they must hold the same data.
///
/// # Errors
/// [`StreamError::File`] when one cannot be read, or differs from the first.
pub fn read_one_of(paths: &[PathBuf]) -> Result<Option<(PathBuf, Idx)>, StreamError> {
    let mut there = paths.iter().filter(|path| path.exists());
    let Some(first) = there.next() else { return Ok(None) };
    let idx = read(first)?;
    for other in there {
        if read(other)? != idx {
            let cause = format!("holds other data than {}; accepted: one of the two", first.display());
            return Err(StreamError::file(other, cause));
        }
    }
    Ok(Some((first.clone(), idx)))
}

/// Reads the bytes of an IDX file, gzipped or not. At most the size that the file's header states is unpacked.
///
/// # Errors
/// A description of the problem.
pub fn parse(bytes: &[u8]) -> Result<Idx, String> {
    if bytes.starts_with(&[0x1f, 0x8b]) { unpacked(GzDecoder::new(bytes)) } else { unpacked(bytes) }
}

/// Reads unpacked bytes: the header, then as many values as it states.
fn unpacked(mut bytes: impl Read) -> Result<Idx, String> {
    let mut next = |most: u64| {
        let mut read = vec![];
        bytes.by_ref().take(most).read_to_end(&mut read).map_err(damaged)?;
        Ok::<_, String>(read)
    };
    let header = next(4)?;
    let &[0, 0, 8, dimensions] = header.get(..4).ok_or("shorter than an IDX header")? else {
        return Err(format!(
            "starts with {header:02x?}, but an IDX file of unsigned bytes starts with [00, 00, 08, …]"
        ));
    };
    let sizes = next(4 * u64::from(dimensions))?;
    if sizes.len() < 4 * usize::from(dimensions) {
        return Err("cut short within the sizes".to_owned());
    }
    let shape: Vec<_> =
        sizes.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize).collect();
    let count = shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size as u64));
    let count = count.filter(|count| *count <= LARGEST);
    let count = count.ok_or_else(|| format!("states the shape {shape:?}; accepted: at most {LARGEST} values"))?;
    // One more, to see whether there are too many.
    let values = next(count + 1)?;
    match values.len() as u64 {
        held if held == count => Ok(Idx { shape, values }),
        held if held > count => Err(format!("states the shape {shape:?}, but holds more than {count} values")),
        held => Err(format!("states the shape {shape:?}, but holds {held} values")),
    }
}

fn damaged(error: io::Error) -> String {
    format!("the gzip stream is damaged or cut short ({error})")
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
        assert!(parse(&lies).unwrap_err().contains("accepted: at most 1073741824 values"));
        lies[8..12].copy_from_slice(&[255; 4]);
        assert!(parse(&lies).unwrap_err().contains("accepted: at most 1073741824 values"));
        lies[4..12].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
        assert!(parse(&lies).unwrap_err().contains("states the shape [256, 256], but holds 6 values"));
        assert!(parse(&[&FILE[..], &[7]].concat()).unwrap_err().contains("holds more than 6 values"));
    }

    #[test]
    fn no_more_is_unpacked_than_the_header_states() {
        // 64 MiB behind a header that states six values, in 64 KiB.
        let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
        packed.write_all(&FILE).unwrap();
        (0..64).for_each(|_| packed.write_all(&vec![0; 1 << 20]).unwrap());
        let packed = packed.finish().unwrap();
        let mut decoder = ByteCounter { decoder: GzDecoder::new(&packed[..]), unpacked: 0 };
        assert!(unpacked(&mut decoder).unwrap_err().contains("holds more than 6 values"));
        assert_eq!(decoder.unpacked, FILE.len() + 1);
    }

    #[test]
    fn several_files_of_one_name_must_hold_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "a.gz", "b"].map(|name| folder.path().join(name));
        assert!(read_one_of(&paths).unwrap().is_none());
        std::fs::write(&paths[1], FILE).unwrap();
        std::fs::write(&paths[2], FILE).unwrap();
        assert_eq!(read_one_of(&paths).unwrap().unwrap().0, paths[1]);
        let mut other = FILE;
        other[17] = 7;
        std::fs::write(&paths[2], other).unwrap();
        let error = read_one_of(&paths).unwrap_err().to_string();
        assert!(error.contains("b: holds other data than ") && error.contains("a.gz"), "{error}");
    }

    /// Counts the bytes that are read from a stream.
    struct ByteCounter<'a> {
        decoder: GzDecoder<&'a [u8]>,
        unpacked: usize,
    }

    impl Read for ByteCounter<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let read = self.decoder.read(into)?;
            self.unpacked += read;
            Ok(read)
        }
    }
}

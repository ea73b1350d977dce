//! The IDX container of the MNIST files, gzipped reproducibly.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

use super::render::SIDE;

/// Two zero bytes, element type 8 (unsigned byte), four dimensions.
const MAGIC: u32 = 0x0000_0804;

/// Wraps pixels of shape `[fonts, classes, 28, 28]` in an IDX file.
pub fn encode(fonts: u32, classes: u32, pixels: &[u8]) -> Vec<u8> {
    let side = SIDE as u32;
    let header = [MAGIC, fonts, classes, side, side];
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    file.extend_from_slice(pixels);
    file
}

/// Compresses at level 9 with no time stamp, name or system byte in the
/// header, so that the same pixels always give the same bytes.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    encoder.write_all(bytes).context("compressing the IDX file")?;
    encoder.finish().context("finishing the gzip stream")
}

/// Undoes [`gzip`]; used to tell a change of pixels from a change of compressor.
pub fn gunzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).context("decompressing the IDX file")?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_big_endian() {
        let file = encode(258, 62, &[7]);
        let by_hand = [0, 0, 8, 4, 0, 0, 1, 2, 0, 0, 0, 62, 0, 0, 0, 28, 0, 0, 0, 28, 7];
        assert_eq!(file, by_hand);
    }

    #[test]
    fn gzip_header_carries_no_time_and_no_system() -> Result<()> {
        let packed = gzip(b"glyphs")?;
        assert_eq!(&packed[..10], &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
        assert_eq!(gunzip(&packed)?, b"glyphs");
        Ok(())
    }
}

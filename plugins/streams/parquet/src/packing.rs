//! The compression of the pages of a column.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;

/// The number of bytes that the decoder of brotli reads at a time.
const BUFFER: usize = 4096;

/// A supported compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// No compression, Snappy, zstd or LZ4. Their decoders write at most the size that a page claims.
    Bounded,
    /// gzip. Its decoder writes everything, whatever the page claims.
    Gzip,
    /// brotli. Its decoder writes everything, whatever the page claims.
    Brotli,
}

impl Packing {
    /// Converts the compression that a column states.
    ///
    /// # Errors
    /// The compression's name and what is accepted, when it is not supported.
    pub fn of(compression: Compression) -> Result<Self, String> {
        let refused = |name: &str| {
            Err(format!(
                "is compressed by {name}; accepted: no compression, Snappy, gzip, zstd, brotli or LZ4 (LZ4_RAW)"
            ))
        };
        match compression {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) | Compression::LZ4_RAW => {
                Ok(Packing::Bounded)
            }
            Compression::GZIP(_) => Ok(Packing::Gzip),
            Compression::BROTLI(_) => Ok(Packing::Brotli),
            Compression::LZ4 => refused("LZ4 in the deprecated frames of Hadoop"),
            Compression::LZO => refused("LZO"),
        }
    }

    /// Unpacks bytes to check that they become at most `most` bytes.
    ///
    /// # Errors
    /// When they become more, or cannot be unpacked.
    pub fn measure(self, packed: impl Read, most: u64) -> io::Result<()> {
        let unpacked = |unpacked: &mut dyn Read| io::copy(&mut unpacked.take(most.saturating_add(1)), &mut io::sink());
        let found = match self {
            Packing::Bounded => return Ok(()),
            Packing::Gzip => unpacked(&mut MultiGzDecoder::new(packed))?,
            Packing::Brotli => unpacked(&mut brotli::Decompressor::new(packed, BUFFER))?,
        };
        if found > most {
            Err(io::Error::other(format!("it claims to have {most} bytes when it is unpacked, but has more")))
        } else {
            Ok(())
        }
    }
}

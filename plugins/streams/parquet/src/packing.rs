//! What packs the pages of a column.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;

/// How many bytes of a page the decoder of brotli takes at a time.
const BUFFER: usize = 4096;

/// A compression that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Those whose decoders write no more than a page claims to be: none, Snappy, zstd and LZ4.
    Bounded,
    /// gzip, whose decoder writes all that there is.
    Gzip,
    /// brotli, whose decoder writes all that there is.
    Brotli,
}

impl Packing {
    /// What a column states.
    ///
    /// # Errors
    /// Its name and what is accepted, in words, when it is none that is read.
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

    /// Unpacks some bytes to see that they become so many at most.
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
        match found > most {
            true => {
                Err(io::Error::other(format!("it claims to be {most} bytes when it is unpacked, and becomes more")))
            }
            false => Ok(()),
        }
    }
}

//! Checks the headers of a column's pages before unpacking them.
//!
//! A page begins with a header in Thrift's compact protocol (apache/parquet-format, `parquet.thrift`, struct
//! `PageHeader`): field 2 is the unpacked size of the page, field 3 its size in the file. A page of a dictionary has
//! the number of its values in field 1 of field 7. A page of values has their encoding in field 2 of field 5, or in
//! field 4 of field 8. Field 8 also has the lengths of the unpacked sections of such a page (fields 5 and 6), and
//! whether the rest is packed (field 7). The crate that reads pages allocates the unpacked size before it reads the
//! page, so a tiny file could ask for gigabytes. This module refuses pages that claim much more than their own bytes,
//! and pages whose encoding repeats the number of values within the page.
//!
//! The limit depends on the compression. Snappy turns a byte into at most 24 bytes; zstd and brotli have no limit.
//! Pictures are compressed already, so their pages hardly shrink, but labels do. So all pages of a part may together
//! claim half a gigabyte beyond 24 times their bytes. This is enough for the labels of the largest accepted number of
//! rows.

use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};

use crate::packing::Packing;

/// The number of bytes that a page may always claim for each of its own bytes. It is the most that Snappy makes of a
/// byte: a copy of 64 bytes takes three. Rounded up.
const MOST_OF_A_BYTE: u64 = 24;
/// The number of bytes that all pages of a part may claim beyond that: more than 50 million labels of eight bytes.
pub const CREDIT: u64 = 512 << 20;
/// The number of bytes that each page may claim beyond that, because a page may be empty.
const SLACK: u64 = 64;
/// The longest header that is read, in bytes. A header may hold the smallest and the largest value of the page.
const LONGEST_HEADER: u64 = 16 << 20;
/// The deepest nesting that is read; a real header has three levels.
const DEEPEST: usize = 8;
/// The smallest number of bytes of a dictionary's value (label or picture): a number, or the length of the bytes.
const FEWEST_OF_A_VALUE: u64 = 4;

/// The fields of a header that this module needs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    unpacked: u64,
    packed: u64,
    /// The values of a dictionary.
    values: u64,
    encoding: u64,
    /// For a page of the second version: the bytes of its levels, which are not packed, and whether its values are
    /// unpacked, too.
    levels: [u64; 2],
    plain: bool,
}

/// `DELTA_LENGTH_BYTE_ARRAY` and `DELTA_BYTE_ARRAY`.
const DELTAS: std::ops::RangeInclusive<u64> = 6..=7;

/// Checks the headers of the pages of a column in a row group: `length` bytes from `start` on. Claims beyond 24 times a
/// page's bytes are subtracted from the credit.
///
/// # Errors
/// A description of the problem, when a header cannot be read, or states more than its page may hold.
pub fn check(file: impl Read + Seek, start: u64, length: u64, credit: &mut u64) -> Result<(), String> {
    each(file, start, length, |_, header| {
        let Header { unpacked, packed, values, encoding, .. } = *header;
        let beyond = unpacked.saturating_sub(packed.saturating_mul(MOST_OF_A_BYTE).saturating_add(SLACK));
        *credit = credit.checked_sub(beyond).ok_or_else(|| {
            format!("has a page of {packed} bytes that claims to have {unpacked} bytes when it is unpacked")
        })?;
        if values.saturating_mul(FEWEST_OF_A_VALUE) > unpacked {
            return Err(format!("has a dictionary of {unpacked} bytes that claims to have {values} values"));
        }
        if DELTAS.contains(&encoding) {
            return Err("has a page with a delta encoding; accepted: plain, or with a dictionary".to_owned());
        }
        Ok(())
    })
}

/// Unpacks the pages of a column in a row group, to check that they do not hold more than they claim. This is needed if
/// their decoder would write more.
///
/// # Errors
/// A description of the problem, when a page holds more, or cannot be unpacked.
pub fn measure(file: impl Read + Seek, start: u64, length: u64, packing: Packing) -> Result<(), String> {
    if packing == Packing::Bounded {
        return Ok(());
    }
    each(file, start, length, |page, header| {
        let levels = header.levels[0].saturating_add(header.levels[1]);
        if header.plain || header.unpacked <= levels {
            return Ok(());
        }
        let mut page = page.take(header.packed);
        let unreadable = |error: io::Error| format!("is damaged: a page cannot be unpacked ({error})");
        io::copy(&mut page.by_ref().take(levels), &mut io::sink()).map_err(unreadable)?;
        packing.measure(page, header.unpacked - levels).map_err(unreadable)
    })
}

/// Calls a function for each page of a column in a row group. The function may read from the page.
fn each<R: Read + Seek>(
    file: R,
    start: u64,
    length: u64,
    mut look: impl FnMut(&mut BufReader<R>, &Header) -> Result<(), String>,
) -> Result<(), String> {
    let mut file = BufReader::new(file);
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    let mut left = length;
    // A file that is shorter than the column ends here. The reader of the page reports this.
    while left > 0 && !file.fill_buf().map_err(unreadable)?.is_empty() {
        let mut bytes = CountingReader { from: file.by_ref().take(left.min(LONGEST_HEADER)), read: 0 };
        let mut header = Header::default();
        structure(&mut bytes, None, 0, &mut header).map_err(unreadable)?;
        let bytes_read = bytes.read;
        let begin = file.stream_position().map_err(unreadable)?;
        left = left.saturating_sub(bytes_read).saturating_sub(header.packed);
        look(&mut file, &header)?;
        let end = begin.checked_add(header.packed).and_then(|end| i64::try_from(end).ok());
        let end = end.ok_or_else(|| unreadable(nonsense("a size of a page")))?;
        let here = file.stream_position().map_err(unreadable)?;
        file.seek_relative(end - here as i64).map_err(unreadable)?;
    }
    Ok(())
}

fn unreadable(error: io::Error) -> String {
    format!("is damaged: the header of a page cannot be read ({error})")
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} makes no sense"))
}

/// Counts the bytes that are read.
struct CountingReader<R> {
    from: R,
    read: u64,
}

impl<R: Read> CountingReader<R> {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.from.read_exact(&mut byte)?;
        self.read += 1;
        Ok(byte[0])
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.from.by_ref().take(bytes), &mut io::sink())?;
        self.read += skipped;
        if skipped < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// A number with seven bits per byte, the lowest first. The highest bit says whether another byte follows.
    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(nonsense("a number"))
    }

    /// A number with a sign, which is its lowest bit.
    fn number(&mut self) -> io::Result<i64> {
        self.varint().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

/// Reads a structure: field number `of` of the header, or the header itself.
fn structure(
    bytes: &mut CountingReader<impl Read>,
    of: Option<i64>,
    depth: usize,
    header: &mut Header,
) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(nonsense("a structure within a structure"));
    }
    let mut field = 0i64;
    loop {
        let tag = bytes.byte()?;
        if tag == 0 {
            return Ok(());
        }
        field = match tag >> 4 {
            0 => bytes.number()?,
            step => field.saturating_add(i64::from(step)),
        };
        match tag & 0x0f {
            4..=6 => {
                let number = bytes.number()?;
                let into = match (depth, of, field) {
                    (0, _, 2) => &mut header.unpacked,
                    (0, _, 3) => &mut header.packed,
                    (1, Some(7), 1) => &mut header.values,
                    (1, Some(5), 2) | (1, Some(8), 4) => &mut header.encoding,
                    (1, Some(8), 5) => &mut header.levels[0],
                    (1, Some(8), 6) => &mut header.levels[1],
                    _ => continue,
                };
                *into = u64::try_from(number).map_err(|_| nonsense("a size"))?;
            }
            12 => structure(bytes, (depth == 0).then_some(field), depth + 1, header)?,
            // A Boolean field is stored in the tag itself: 2 is false.
            kind @ (1 | 2) => {
                if (depth, of, field) == (1, Some(8), 7) {
                    header.plain = kind == 2;
                }
            }
            kind => value(bytes, kind, depth, header)?,
        }
    }
}

/// Skips a value.
fn value(bytes: &mut CountingReader<impl Read>, kind: u8, depth: usize, header: &mut Header) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(nonsense("a list within a list"));
    }
    match kind {
        1..=3 => bytes.skip(1),
        4..=6 => bytes.varint().map(|_| ()),
        7 => bytes.skip(8),
        8 => {
            let length = bytes.varint()?;
            bytes.skip(length)
        }
        9 | 10 => {
            let tag = bytes.byte()?;
            let count = if tag >> 4 == 15 { bytes.varint()? } else { u64::from(tag >> 4) };
            (0..count).try_for_each(|_| value(bytes, tag & 0x0f, depth + 1, header))
        }
        12 => structure(bytes, None, depth + 1, header),
        _ => Err(nonsense("the type of a field")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use flate2::write::GzEncoder;

    use super::*;

    /// A header by hand: each number a varint of its zigzag. Of a data page: type 0, sizes, and its own structure, field 5,
    /// with the number of values, encodings and statistics, which are two texts.
    fn data_page(unpacked: u64, packed: u64) -> Vec<u8> {
        data_page_in(0, unpacked, packed)
    }

    /// The same in another encoding.
    fn data_page_in(encoding: u8, unpacked: u64, packed: u64) -> Vec<u8> {
        let mut header = vec![0x15, 0, 0x15];
        header.extend(varint(2 * unpacked));
        header.push(0x15);
        header.extend(varint(2 * packed));
        header.extend([0x2c, 0x15, 8, 0x15, 2 * encoding, 0x15, 6, 0x15, 6]);
        header.extend([0x1c, 0x18, 3, b'a', b'b', b'c', 0x18, 0, 0x11, 0, 0, 0]);
        header
    }

    /// Of a dictionary: type 2, sizes, and field 7 with the number of values and their encoding.
    fn dictionary(unpacked: u64, packed: u64, values: u64) -> Vec<u8> {
        let mut header = vec![0x15, 4, 0x15];
        header.extend(varint(2 * unpacked));
        header.push(0x15);
        header.extend(varint(2 * packed));
        header.extend([0x4c, 0x15]);
        header.extend(varint(2 * values));
        header.extend([0x15, 4, 0, 0]);
        header
    }

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = vec![];
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn checked(pages: &[u8]) -> Result<(), String> {
        check(Cursor::new([b"PAR1", pages, b"after"].concat()), 4, pages.len() as u64, &mut 0)
    }

    #[test]
    fn pages_that_can_be_what_they_claim_pass() {
        let pages = [dictionary(40, 9, 10), vec![7; 9], data_page(300, 10), vec![0xff; 10], data_page(64, 0)].concat();
        assert_eq!(checked(&pages), Ok(()));
        assert_eq!(checked(&[]), Ok(()));
        let mut header = Header::default();
        let bytes = dictionary(40, 9, 10);
        let mut counted = CountingReader { from: &bytes[..], read: 0 };
        structure(&mut counted, None, 0, &mut header).unwrap();
        assert_eq!(
            (header, counted.read),
            (Header { unpacked: 40, packed: 9, values: 10, ..Header::default() }, bytes.len() as u64)
        );
    }

    #[test]
    fn pages_that_claim_more_than_they_can_hold_are_refused() {
        let first = [data_page(30, 2), vec![0; 2]].concat();
        for (page, expected) in [
            (data_page(i32::MAX as u64, 20), "a page of 20 bytes that claims to have 2147483647 bytes"),
            (data_page(24 * 20 + 65, 20), "a page of 20 bytes that claims to have 545 bytes"),
            (dictionary(40, 9, i32::MAX as u64), "a dictionary of 40 bytes that claims to have 2147483647 values"),
            (dictionary(40, 9, 11), "a dictionary of 40 bytes that claims to have 11 values"),
            (data_page_in(6, 20, 20), "a page with a delta encoding"),
        ] {
            let error = checked(&[&first[..], &page, &[0; 20]].concat()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn all_pages_together_may_claim_no_more_than_the_credit() {
        let pages = [data_page(24 * 20 + 64 + 10, 20), vec![0; 20]].concat().repeat(3);
        let check = |credit: &mut u64| check(Cursor::new(&pages), 0, pages.len() as u64, credit);
        let mut credit = 35;
        check(&mut credit).unwrap();
        assert_eq!(credit, 5);
        assert!(check(&mut 29).unwrap_err().contains("a page of 20 bytes that claims to have 554 bytes"));
        assert!(check(&mut credit).is_err());
    }

    /// A page of the second version: type 3, sizes, and field 8 with values, nulls, rows, encoding, the bytes of the levels, and
    /// whether the values are packed.
    fn second_version(unpacked: u64, packed: u64, levels: [u8; 2], values_packed: bool) -> Vec<u8> {
        let mut header = vec![0x15, 6, 0x15];
        header.extend(varint(2 * unpacked));
        header.push(0x15);
        header.extend(varint(2 * packed));
        header.extend([0x5c, 0x15, 8, 0x15, 0, 0x15, 8, 0x15, 0, 0x15, 2 * levels[0], 0x15, 2 * levels[1]]);
        header.extend([if values_packed { 0x11 } else { 0x12 }, 0, 0]);
        header
    }

    #[test]
    fn pages_that_hold_more_than_they_claim_are_refused() {
        let zeros = vec![0; 1000];
        let mut gzip = GzEncoder::new(vec![], flate2::Compression::best());
        gzip.write_all(&zeros).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut brotli = vec![];
        brotli::CompressorWriter::new(&mut brotli, 4096, 5, 20).write_all(&zeros).unwrap();
        for (packing, packed) in [(Packing::Gzip, gzip), (Packing::Brotli, brotli)] {
            let measured = |pages: &[u8]| measure(Cursor::new(pages), 0, pages.len() as u64, packing);
            let page = |claimed: u64| [data_page(claimed, packed.len() as u64), packed.clone()].concat();
            assert_eq!(measured(&[page(1000), page(1000)].concat()), Ok(()));
            let error = measured(&[page(1000), page(999)].concat()).unwrap_err();
            assert!(error.contains("it claims to have 999 bytes when it is unpacked, but has more"), "{error}");
            // Levels of five bytes precede the packed values.
            let second = |claimed: u64, values_packed| {
                let header = second_version(claimed, packed.len() as u64 + 5, [2, 3], values_packed);
                [&header[..], &[1; 5], &packed].concat()
            };
            assert_eq!(measured(&[second(1005, true), second(1005, true)].concat()), Ok(()));
            assert!(measured(&second(1004, true)).is_err());
            assert_eq!(measured(&second(1004, false)), Ok(()), "nothing is packed");
            let error = measured(&[data_page(9, 3), vec![7; 3]].concat()).unwrap_err();
            assert!(error.contains("a page cannot be unpacked"), "{error}");
        }
    }

    #[test]
    fn invalid_headers_are_errors() {
        // An unknown type, a list of 2⁶³ texts, endless structures, an endless number, a negative size.
        let list = [&[0x19, 0xf8][..], &varint(1 << 63), &[0; 9]].concat();
        for bytes in [vec![0x1f], list, vec![0x1c; 99], vec![0xff; 30], vec![0x25, 1, 0], data_page(1, 1)[..9].to_vec()]
        {
            let error = checked(&bytes).unwrap_err();
            assert!(error.contains("the header of a page cannot be read"), "{bytes:02x?}: {error}");
        }
    }
}

//! Checks how many entries an archive claims. The zip crate allocates memory for all of them before it reads the first.

use std::io::{self, Read, Seek, SeekFrom};

use crate::opened::exactly;

/// The most entries of an archive. No model has as many storages.
pub(crate) const MOST_ENTRIES: u64 = 100_000;

/// The signature of the end of a directory. A comment of up to 64 KiB may follow it.
const END: [u8; 4] = *b"PK\x05\x06";
/// The signature and length of the locator before it, which large archives have. It gives the offset of the larger end.
const LOCATOR: ([u8; 4], usize) = (*b"PK\x06\x07", 20);
/// The signature and length of the larger end, which counts entries with 64 bits. The 16 bits of the other end are too
/// few to do harm.
const LARGE_END: ([u8; 4], usize) = (*b"PK\x06\x06", 56);
const LONGEST_TAIL: u64 = 22 + 65_536 + 4 + 20 + 56;

/// What is wrong with the counts at the end of an archive of this length. `None` if nothing is.
///
/// If there are several ends, readers may disagree on the true one, so all of them are checked. A larger end is
/// accepted only where all readers find it: directly before its locator, and without extensions.
pub(crate) fn too_large(reader: &mut (impl Read + Seek), length: u64) -> io::Result<Option<String>> {
    let first = length.saturating_sub(LONGEST_TAIL);
    reader.seek(SeekFrom::Start(first))?;
    let tail = exactly(reader, length - first)?;
    reader.seek(SeekFrom::Start(0))?;
    let ends = (0..tail.len()).filter(|at| tail[*at..].starts_with(&END));
    for end in ends {
        let Some(locator) = end.checked_sub(LOCATOR.1).filter(|at| tail[*at..].starts_with(&LOCATOR.0)) else {
            continue;
        };
        let stated = locator.checked_sub(LARGE_END.1).and_then(|at| stated(&tail[at..end], first + at as u64));
        match stated {
            None => return Ok(Some("its directory has an end that no zip program writes".to_owned())),
            Some(count) if count > MOST_ENTRIES => {
                return Ok(Some(format!("its directory claims {count} entries; accepted: at most {MOST_ENTRIES}")));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// The number of entries, if the larger end is at this offset of the file and agrees with the locator after it.
fn stated(bytes: &[u8], place: u64) -> Option<u64> {
    let word = |at: usize| bytes[at..].first_chunk().map(|four| u32::from_le_bytes(*four));
    let long = |at: usize| bytes[at..].first_chunk().map(|eight| u64::from_le_bytes(*eight));
    let locator = LARGE_END.1;
    let (count, directory) = (long(32)?, long(48)?);
    let agrees = bytes.starts_with(&LARGE_END.0)
        && long(4)? == LARGE_END.1 as u64 - 12
        && (word(16)?, word(20)?, long(24)?) == (0, 0, count)
        && (word(locator + 4)?, long(locator + 8)?) == (0, place);
    // Every entry takes 46 bytes and more.
    let fits = count.checked_mul(46).and_then(|bytes| bytes.checked_add(directory)).is_some_and(|end| end <= place);
    (agrees && (fits || count > MOST_ENTRIES)).then_some(count)
}

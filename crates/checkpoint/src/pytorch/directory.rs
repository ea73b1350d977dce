//! How many entries an archive says it has: the zip crate takes memory for so many before it has read the first.

use std::io::{self, Read, Seek, SeekFrom};

use crate::opened::exactly;

/// More files than a model has storages.
pub(crate) const MOST_ENTRIES: u64 = 100_000;

/// The end of a directory, which may be followed by a comment of 64 KiB.
const END: [u8; 4] = *b"PK\x05\x06";
/// Before it, in archives that may be large, stands where the larger end is.
const LOCATOR: ([u8; 4], usize) = (*b"PK\x06\x07", 20);
/// The larger end, which counts entries with 64 bits; the other one, with its 16, can claim nothing that matters.
const LARGE_END: ([u8; 4], usize) = (*b"PK\x06\x06", 56);
const LONGEST_TAIL: u64 = 22 + 65_536 + 4 + 20 + 56;

/// What is wrong with the numbers at the end of an archive of that length, if something is.
///
/// A reader may take any of several ends for the true one, so every one of them is looked at, and a larger end is accepted
/// only where all readers find the same: right before its locator, and as long as those without extensions are.
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
            None => return Ok(Some("its directory has an end that no program writes".to_owned())),
            Some(count) if count > MOST_ENTRIES => {
                return Ok(Some(format!("its directory claims {count} entries; accepted: at most {MOST_ENTRIES}")));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// The number of entries, where the larger end is at this place of the file and agrees with the locator behind it.
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

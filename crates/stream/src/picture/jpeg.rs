//! Whether a JPEG goes to its end.
//!
//! A decoder fills what is missing of a JPEG with grey and says nothing. A whole one ends with the marker EOI, `FF D9` (ITU-T
//! T.81, annex B). Pillow, which torchvision and the library `datasets` read pictures with, refuses a JPEG without it, too, and
//! passes over what follows it.

/// The marker of the end, and those that stand alone: 0x01, the restarts 0xD0 to 0xD7 and the start 0xD8.
const END: u8 = 0xd9;
const ALONE: std::ops::RangeInclusive<u8> = 0xd0..=0xd8;

/// Whether the end is there: each segment is read over by its stated length, so that the end of a thumbnail within one of them
/// is not taken for the picture's.
pub fn is_whole(bytes: &[u8]) -> bool {
    // Within the data of a scan, and between segments, a marker is the next 0xFF that is not followed by 0, which makes it
    // data, nor by another 0xFF, which fills up.
    let mut at = 0;
    while let Some(&[first, marker]) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        at += match (first, marker) {
            (0xff, END) => return true,
            (0xff, 0xff) => 1,
            (0xff, marker) if marker <= 1 || ALONE.contains(&marker) => 2,
            (0xff, _) => {
                let length = bytes.get(at + 2..at + 4).map_or(2, |length| u16::from_be_bytes([length[0], length[1]]));
                2 + usize::from(length)
            }
            _ => 1,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_pictures_own() {
        // A start, a segment of five bytes that holds an end, a scan with a byte 0xFF, a restart, a fill byte, and the end.
        let own = [0xff, 0xd8, 0xff, 0xe1, 0, 5, 0xff, 0xd9, 7, 0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff];
        let whole = [&own[..], &[0xff, 0xd9]].concat();
        assert!(is_whole(&whole) && is_whole(&[&whole[..], b"after"].concat()));
        assert!((0..whole.len()).all(|length| !is_whole(&whole[..length])));
    }
}

//! Whether a JPEG is complete.
//!
//! A decoder silently fills the missing part of a JPEG with grey. A complete JPEG ends with the marker EOI, `FF D9`
//! (ITU-T T.81, annex B). Pillow, which torchvision and the library `datasets` use, also refuses a JPEG without this
//! marker and ignores what follows it.

/// The end marker. The markers that stand alone are 0x01, the restarts 0xD0 to 0xD7 and the start 0xD8.
const END: u8 = 0xd9;
const ALONE: std::ops::RangeInclusive<u8> = 0xd0..=0xd8;

/// Whether the end marker is there. Each segment is skipped by its stated length, so the end of an embedded thumbnail
/// does not count as the end of the picture.
pub fn is_whole(bytes: &[u8]) -> bool {
    // In the data of a scan, and between segments, the next marker is the next 0xFF that is followed neither by 0 (then
    // it is data) nor by another 0xFF (then it is a fill byte).
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

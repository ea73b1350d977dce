//! Recognises the kind of a model file by its first bytes, not by its name.

use std::io::{self, Read, Seek, SeekFrom};

use crate::CheckpointError;
use crate::error::Place;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Safetensors,
    /// JSON that may be the index of several safetensors files.
    Index,
    /// A zip archive, as `torch.save` writes it.
    Archive,
    /// A pickle without an archive around it, as `torch.save` wrote it before version 1.6.
    Pickle,
    /// A tar archive, as PyTorch wrote it in its first months.
    Tar,
    Empty,
    Unknown,
}

/// The signature of a tar archive, and the offset of its end.
const TAR: (&[u8], usize) = (b"ustar", 262);

/// The kind of the file. Leaves the reader at its beginning.
pub(crate) fn kind(reader: &mut (impl Read + Seek)) -> io::Result<Kind> {
    let mut start = vec![];
    reader.seek(SeekFrom::Start(0))?;
    reader.by_ref().take(TAR.1 as u64).read_to_end(&mut start)?;
    reader.seek(SeekFrom::Start(0))?;
    Ok(match start[..] {
        [] => Kind::Empty,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Kind::Archive,
        // A header of less than 2^40 bytes. This is checked first, because the bytes of its length may look like any
        // other signature.
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => Kind::Safetensors,
        // Possibly after the byte order mark that some editors write.
        [b'{', ..] | [0xef, 0xbb, 0xbf, b'{', ..] => Kind::Index,
        [0x80, 2..=5, ..] => Kind::Pickle,
        [_, _, _, _, _, _, _, _, b'{', ..] => Kind::Safetensors,
        _ if start.ends_with(TAR.0) && start.len() == TAR.1 => Kind::Tar,
        _ => Kind::Unknown,
    })
}

impl Kind {
    /// The error for a file without accepted weights.
    pub(crate) fn refused(self, place: &Place) -> CheckpointError {
        const ACCEPTED: &str = "accepted: a safetensors file, the index of several, or a file by `torch.save`";
        place.broken(match self {
            Kind::Empty => format!("is empty; {ACCEPTED}"),
            Kind::Tar => {
                "is a tar archive, as PyTorch wrote them in 2016 and 2017; nothing was executed. PyTorch reads it \
                          only by executing its content: if you trust the file, save it again with \
                          `torch.save(torch.load(old, weights_only=False), new)`"
                    .to_owned()
            }
            _ => format!("is not a model file that is known here; {ACCEPTED}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn files_are_told_apart_by_how_they_begin() {
        let tar = [&[b'a'; 257][..], b"ustar\0", &[0; 249]].concat();
        let cases: [(&[u8], Kind); 14] = [
            (b"", Kind::Empty),
            (b"PK\x03\x04....", Kind::Archive),
            (b"PK\x05\x06....", Kind::Archive),
            (b"{ \"weight_map\": {}}", Kind::Index),
            (b"\xef\xbb\xbf{ \"weight_map\": {}}", Kind::Index),
            (b"\x02\0\0\0\0\0\0\0{}", Kind::Safetensors),
            // Headers of 640 and 123 bytes: their lengths begin like a pickle and like JSON.
            (b"\x80\x02\0\0\0\0\0\0{}", Kind::Safetensors),
            (b"{\0\0\0\0\0\0\0{}", Kind::Safetensors),
            (b"\0\0\0\0\0\0\0\x10{}", Kind::Safetensors),
            (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9", Kind::Pickle),
            (&tar, Kind::Tar),
            (&tar[..261], Kind::Unknown),
            (b"# a readme", Kind::Unknown),
            (b"\x80", Kind::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(kind(&mut Cursor::new(bytes)).unwrap(), expected, "{bytes:?}");
        }
    }
}

//! Builds zip archives, pickles and safetensors files byte by byte, including ones that no library would write.

#![allow(dead_code, missing_docs, reason = "each test uses some of it")]

use std::io::{self, Read, Seek, SeekFrom, Write as _};

use alluvium_checkpoint::{Checkpoint, CheckpointError};

/// An archive with these entries, not compressed.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(name, bytes)| Entry::stored(name, bytes)).collect();
    zip_of(&entries)
}

/// One entry, with all claims of its headers.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub bytes: Vec<u8>,
    /// 0 is stored, 8 is deflated.
    pub method: u16,
    /// The uncompressed length that it claims.
    pub length: u32,
    pub checksum: u32,
    /// Whether it has no bytes itself, but claims those of the entry before it.
    pub shared: bool,
}

impl Entry {
    pub fn stored(name: &str, bytes: &[u8]) -> Self {
        Entry {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
            method: 0,
            length: bytes.len() as u32,
            checksum: crc32(bytes),
            shared: false,
        }
    }
}

/// An archive with these entries, whatever they claim.
pub fn zip_of(entries: &[Entry]) -> Vec<u8> {
    let (mut file, mut directory, mut at) = (vec![], vec![], 0);
    for entry in entries {
        if !entry.shared {
            at = file.len() as u32;
        }
        let mut shared = vec![];
        for word in [20, 0, entry.method, 0, 0x21] {
            shared.extend(u16::to_le_bytes(word));
        }
        for word in [entry.checksum, entry.bytes.len() as u32, entry.length] {
            shared.extend(word.to_le_bytes());
        }
        shared.extend((entry.name.len() as u16).to_le_bytes());
        shared.extend([0, 0]);
        if !entry.shared {
            file.extend(b"PK\x03\x04");
            file.extend(&shared);
            file.extend(entry.name.as_bytes());
            file.extend(&entry.bytes);
        }
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let at = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        file.extend((entries.len() as u16).to_le_bytes());
    }
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(at.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// The checksum of zip: the polynomial 0xedb88320, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// Zeros, deflated by another crate.
pub fn deflated_zeros(count: usize) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::best());
    encoder.write_all(&vec![0; count]).unwrap();
    encoder.finish().unwrap()
}

/// A fragment of a pickle: a tensor that claims this storage, offset, shape and strides. Each is a fragment, too.
pub fn tensor_of(class: &str, key: &str, length: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    rebuilt_of("_rebuild_tensor_v2", class, key, length, &[offset, shape, strides, b"\x89}"].concat())
}

/// A fragment of a pickle: a call of a function of `torch._utils` with a storage and more arguments.
pub fn rebuilt_of(function: &str, class: &str, key: &str, length: &[u8], arguments: &[u8]) -> Vec<u8> {
    [
        format!("ctorch._utils\n{function}\n((").as_bytes(),
        &text("storage")[..],
        format!("ctorch\n{class}\n").as_bytes(),
        &text(key),
        &text("cpu"),
        length,
        b"tQ",
        arguments,
        b"tR",
    ]
    .concat()
}

/// A fragment of a pickle: a call of a class or function. The arguments are fragments, too.
pub fn called(module: &str, name: &str, arguments: &[u8]) -> Vec<u8> {
    [format!("c{module}\n{name}\n(").as_bytes(), arguments, b"tR"].concat()
}

/// A fragment of a pickle: a dict with these keys and values. The values are fragments, too.
pub fn inner_dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().map(|(name, value)| [&text(name)[..], value, b"s"].concat());
    [&b"}"[..], &entries.collect::<Vec<_>>().concat()].concat()
}

/// The pickle of a dict with these tensors.
pub fn dict_of(tensors: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = tensors.iter().map(|(name, tensor)| [&text(name)[..], tensor, b"s"].concat());
    [&b"\x80\x02}"[..], &entries.collect::<Vec<_>>().concat(), b"."].concat()
}

/// The pickle of `{'w': tensor}`.
pub fn pickle_of(class: &str, key: &str, length: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    dict_of(&[("w", tensor_of(class, key, length, offset, shape, strides))])
}

/// A fragment of a pickle: a number of 8 bytes.
pub fn long(number: i64) -> Vec<u8> {
    [&b"\x8a\x08"[..], &number.to_le_bytes()].concat()
}

/// A fragment of a pickle: a text.
pub fn text(text: &str) -> Vec<u8> {
    [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// An archive with one storage.
pub fn archive_of(pickle: &[u8], values: &[u8]) -> Vec<u8> {
    zip(&[("a/data.pkl", pickle), ("a/byteorder", b"little"), ("a/data/0", values)])
}

/// The beginning of a file by `torch.save` before version 1.6: a magic number, the version 1001, and an empty dict in
/// place of the description of the machine.
pub const LEGACY_START: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";

/// Such a file with these storages under these keys. Each storage has the number of values that it claims, and its
/// bytes.
pub fn legacy_of(pickle: &[u8], keys: &[&str], storages: &[(i64, &[u8])]) -> Vec<u8> {
    let keys = keys.iter().map(|key| [&text(key)[..], b"a"].concat()).collect::<Vec<_>>().concat();
    let storages = storages.iter().map(|(count, bytes)| [&count.to_le_bytes()[..], bytes].concat()).collect::<Vec<_>>();
    [LEGACY_START, pickle, b"\x80\x02]", &keys, b".", &storages.concat()].concat()
}

/// The error of a file, or of the first of its tensors that cannot be read.
pub fn said(file: impl Read + Seek + Send + 'static) -> String {
    let read = || {
        let checkpoint = Checkpoint::from_reader(file)?;
        for info in checkpoint.tensors() {
            checkpoint.read_finite(&info.name)?;
        }
        Ok(())
    };
    match read() {
        Ok(()) => "nothing is wrong".to_owned(),
        Err(error) => CheckpointError::to_string(&error),
    }
}

/// A file that is mostly a hole: it has zeros between its start and its end.
pub struct Hole {
    pub start: Vec<u8>,
    pub length: u64,
    pub end: Vec<u8>,
    pub at: u64,
}

impl Read for Hole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (start, end) = (self.start.len() as u64, self.length - self.end.len() as u64);
        let count = (self.length.saturating_sub(self.at)).min(buffer.len() as u64) as usize;
        for (at, byte) in (self.at..).zip(&mut buffer[..count]) {
            *byte = match at {
                at if at < start => self.start[at as usize],
                at if at >= end => self.end[(at - end) as usize],
                _ => 0,
            };
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Hole {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(back) => self.length.saturating_add_signed(back),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

/// A safetensors file with this header and data.
pub fn flat(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

//! Zip archives and safetensors files made byte by byte: what no honest library would write.

#![allow(dead_code, missing_docs, reason = "each test uses some of it")]

/// An archive with these entries, stored as they are.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(name, bytes)| Entry::stored(name, bytes)).collect();
    zip_of(&entries)
}

/// One entry, with everything that its headers say.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub bytes: Vec<u8>,
    /// 0 is stored, 8 is deflated.
    pub method: u16,
    /// The length it claims to have when it is read.
    pub length: u32,
    pub checksum: u32,
}

impl Entry {
    pub fn stored(name: &str, bytes: &[u8]) -> Self {
        Entry {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
            method: 0,
            length: bytes.len() as u32,
            checksum: crc32(bytes),
        }
    }
}

/// An archive with these entries, whatever they claim.
pub fn zip_of(entries: &[Entry]) -> Vec<u8> {
    let (mut file, mut directory) = (vec![], vec![]);
    for entry in entries {
        let at = file.len() as u32;
        let mut shared = vec![];
        for word in [20, 0, entry.method, 0, 0x21] {
            shared.extend(u16::to_le_bytes(word));
        }
        for word in [entry.checksum, entry.bytes.len() as u32, entry.length] {
            shared.extend(word.to_le_bytes());
        }
        shared.extend((entry.name.len() as u16).to_le_bytes());
        shared.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&shared);
        file.extend(entry.name.as_bytes());
        file.extend(&entry.bytes);
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

/// The check sum of zip: the polynomial 0xedb88320, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// A safetensors file of that header and data.
pub fn flat(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

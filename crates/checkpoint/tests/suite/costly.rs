//! Small files that would take hours to read, or more memory than any machine has. Each is refused when it is opened,
//! and the error names the tensor if there is one.

use std::io::Cursor;

use crate::by_hand::{Entry, Hole, deflated_zeros, dict_of, long, said, tensor_of, zip_of};

/// An archive with one storage (`values`), and `count` tensors that all have this view of it.
fn many(values: Entry, count: usize, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let tensor = tensor_of("ByteStorage", "0", &long(values.length.into()), b"K\0", shape, strides);
    let names: Vec<_> = (0..count).map(|number| format!("t{number:04}")).collect();
    let tensors: Vec<_> = names.iter().map(|name| (name.as_str(), tensor.clone())).collect();
    zip_of(&[Entry::stored("a/data.pkl", &dict_of(&tensors)), values])
}

#[test]
fn an_entry_is_not_inflated_for_each_of_many_tensors() {
    const BYTES: usize = 4_000_000;
    let values = || Entry {
        bytes: deflated_zeros(BYTES),
        method: 8,
        length: BYTES as u32,
        // zlib.crc32(bytes(4_000_000))
        checksum: 0xcfdb_2a7f,
        ..Entry::stored("a/data/0", b"")
    };
    // Each tensor has one value. All of them claim a thousand bytes, and would take four thousand million bytes to
    // read.
    let file = many(values(), 1000, b"K\x01\x85", b"K\x01\x85");
    assert!(file.len() < 200_000, "{} bytes", file.len());
    let error = said(Cursor::new(file));
    assert!(
        error.contains("`t0016` takes 4000000 bytes of reading, and with the tensors before it 68000000"),
        "{error}"
    );
    assert_eq!(said(Cursor::new(many(values(), 2, b"K\x01\x85", b"K\x01\x85"))), "nothing is wrong");
}

#[test]
fn what_lies_between_two_values_is_not_read_for_each_of_many_tensors() {
    let values = Entry::stored("a/data/0", &[0; 1_000_000]);
    let apart = [long(999_999), b"\x85".to_vec()].concat();
    let error = said(Cursor::new(many(values.clone(), 1000, b"K\x02\x85", &apart)));
    assert!(
        error.contains("`t0016` takes 1000000 bytes of reading, and with the tensors before it 17000000"),
        "{error}"
    );
    assert_eq!(said(Cursor::new(many(values.clone(), 16, b"K\x02\x85", &apart))), "nothing is wrong");
    // A thousand tensors of one value each are cheap to read.
    assert_eq!(said(Cursor::new(many(values, 1000, b"K\x01\x85", b"K\x01\x85"))), "nothing is wrong");
}

#[test]
fn entries_do_not_share_their_bytes() {
    let (names, keys): (Vec<_>, Vec<_>) = (0..9).map(|number| (format!("t{number}"), number.to_string())).unzip();
    let tensor = |key| tensor_of("ByteStorage", key, &long(2000), b"K\0", b"M\xd0\x07\x85", b"K\x01\x85");
    let tensors: Vec<_> = names.iter().zip(&keys).map(|(name, key)| (name.as_str(), tensor(key))).collect();
    let mut entries = vec![Entry::stored("a/data.pkl", &dict_of(&tensors))];
    entries.extend(keys.iter().map(|key| Entry::stored(&format!("a/data/{key}"), &[0; 2000])));
    assert_eq!(said(Cursor::new(zip_of(&entries))), "nothing is wrong");
    for entry in &mut entries[2..] {
        entry.shared = true;
    }
    let error = said(Cursor::new(zip_of(&entries)));
    assert!(error.contains("shares its bytes with other entries") && error.contains("the tensor `t"), "{error}");
}

/// The end of a large archive that claims this number of entries.
fn large_end(length: u64, entries: u64) -> Vec<u8> {
    let directory = 100;
    let mut end = b"PK\x06\x06".to_vec();
    end.extend(44_u64.to_le_bytes());
    end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [entries, entries, entries.saturating_mul(46), directory] {
        end.extend(number.to_le_bytes());
    }
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend((length - 98).to_le_bytes());
    end.extend(1_u32.to_le_bytes());
    end.extend(b"PK\x05\x06\0\0\0\0");
    end.extend([0xff; 12]);
    end.extend([0, 0]);
    assert_eq!(end.len(), 98);
    end
}

#[test]
fn no_memory_is_taken_for_entries_that_are_claimed() {
    // 2^36 entries. A reader that trusts this number allocates about a hundred bytes for each.
    let (length, entries) = (1 << 45, 1 << 36);
    let end = large_end(length, entries);
    let error = said(Hole { start: b"PK\x03\x04".to_vec(), length, end, at: 0 });
    assert!(error.contains("its directory claims 68719476736 entries; accepted: at most 100000"), "{error}");

    // A locator that leads to another offset, where another number could be.
    let mut end = large_end(length, 3);
    end[64] ^= 1;
    let error = said(Hole { start: b"PK\x03\x04".to_vec(), length, end, at: 0 });
    assert!(error.contains("its directory has an end that no zip program writes"), "{error}");
}

#[test]
fn a_directory_of_any_length_is_not_read() {
    // 800 names of 65 kB.
    let entries: Vec<_> = (0..800).map(|number| Entry::stored(&format!("{number:065000}"), b"")).collect();
    let error = said(Cursor::new(zip_of(&entries)));
    assert!(error.contains("its directory is longer than that of any model"), "{error}");
}

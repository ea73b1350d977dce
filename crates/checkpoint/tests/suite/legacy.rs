//! The format of `torch.save` before version 1.6: hostile files, and files that are larger than memory. Files by
//! PyTorch itself are in `pytorch.rs`.

use std::io::Cursor;

use alluvium_checkpoint::{Checkpoint, Values};

use crate::by_hand::{Hole, LEGACY_START, dict_of, legacy_of, long, pickle_of, said, tensor_of};

/// A tensor that claims a view of 4 floats under the key `7`.
fn pickle(length: &[u8]) -> Vec<u8> {
    pickle_of("FloatStorage", "7", length, b"K\0", b"K\x04\x85", b"K\x01\x85")
}

#[test]
fn hostile_files() {
    const FOUR: &[u8] = b"K\x04N";
    let values: &[u8] = &[0; 16];
    let sound = legacy_of(&pickle(FOUR), &["7"], &[(4, values)]);
    let two = |first: &[u8], second: &[u8]| {
        let tensor = |length| tensor_of("FloatStorage", "7", length, b"K\0", b"K\x01\x85", b"K\x01\x85");
        dict_of(&[("v", tensor(first)), ("w", tensor(second))])
    };
    let after = |start: &[u8]| [&LEGACY_START[..LEGACY_START.len() - 4], start].concat();
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("sound", sound.clone(), &["nothing is wrong"]),
        ("another number", [b"\x80\x02\x8a\x0a", &[7; 10][..], b"."].concat(), &["is a bare pickle, which"]),
        ("no number", b"\x80\x02}.".to_vec(), &["is a bare pickle, which", "nothing was executed"]),
        ("a pickle alone", LEGACY_START[..15].to_vec(), &["ends in the middle"]),
        (
            "another version",
            [&LEGACY_START[..15], b"\x80\x02M\xea\x03.", b"\x80\x02}."].concat(),
            &["another version of", "1001"],
        ),
        ("code where the machine is named", after(b"\x80\x02cos\nsystem\n."), &["`os.system`", "nothing was executed"]),
        (
            "code in the object",
            legacy_of(b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R.", &[], &[]),
            &["wants to call `os.system`", "nothing was executed"],
        ),
        (
            "more values than the pickle says",
            legacy_of(&pickle(FOUR), &["7"], &[(5, values)]),
            &["`w`", "5 values", "4"],
        ),
        (
            "fewer",
            legacy_of(&pickle(FOUR), &["7"], &[(-1, values)]),
            &["`w` is in the storage `7`, which has -1 values"],
        ),
        (
            "2^62 values",
            legacy_of(&pickle(&long(1 << 62)), &["7"], &[(1 << 62, values)]),
            &["`w`", "4611686018427387904 values of 4 bytes, but the file has only 16 bytes"],
        ),
        ("-1 values", legacy_of(&pickle(&long(-1)), &["7"], &[(-1, values)]), &["`w`", "-1 values of 4 bytes"]),
        ("no key", legacy_of(&pickle(FOUR), &[], &[]), &["`w` is in the storage `7`, which is missing"]),
        ("another key", legacy_of(&pickle(FOUR), &["8"], &[(4, values)]), &["storage `8`", "does not describe it"]),
        (
            "a key twice",
            legacy_of(&pickle(FOUR), &["7", "7"], &[(4, values), (4, values)]),
            &["`w` is in the storage `7`, which is listed twice"],
        ),
        (
            "cut off in the values",
            sound[..sound.len() - 1].to_vec(),
            &["`w`", "4 values of 4 bytes", "has only 15 bytes"],
        ),
        (
            "cut off before the values",
            sound[..sound.len() - 20].to_vec(),
            &["`w`", "is missing, because the file is cut off"],
        ),
        ("cut off in the keys", sound[..sound.len() - 26].to_vec(), &["its pickle ends in the middle"]),
        ("more than there should be", [&sound[..], b"\0"].concat(), &["1 bytes after its last storage"]),
        (
            "keys that are not a list",
            [LEGACY_START, &pickle(FOUR), b"\x80\x02}."].concat(),
            &["has a dict for the keys of its storages"],
        ),
        (
            "a key that is not a text",
            [LEGACY_START, &pickle(FOUR), b"\x80\x02]K\x07a."].concat(),
            &["has an int for the key of a storage"],
        ),
        (
            "a storage of two lengths",
            legacy_of(&two(FOUR, b"K\x05N"), &["7"], &[(4, values)]),
            &["storage `7`", "two types or lengths"],
        ),
        (
            "a part of a storage",
            legacy_of(&pickle(b"K\x04K\0"), &["7"], &[(4, values)]),
            &["`w` has a storage that is a part of another one"],
        ),
        (
            "a view that is too long",
            legacy_of(
                &pickle_of("FloatStorage", "7", FOUR, b"K\x01", b"K\x04\x85", b"K\x01\x85"),
                &["7"],
                &[(4, values)],
            ),
            &["`w` needs values outside of its storage of 4"],
        ),
        (
            "values of another type",
            legacy_of(
                &pickle_of("ComplexFloatStorage", "7", b"K\x02N", b"K\0", b"K\x02\x85", b"K\x01\x85"),
                &["7"],
                &[(2, values)],
            ),
            &["`w` has values of type `ComplexFloatStorage`; accepted: F64"],
        ),
        (
            "values of an unknown type",
            legacy_of(&pickle_of("OtherStorage", "7", FOUR, b"K\0", b")", b")"), &["7"], &[(4, values)]),
            &["`w` is in the storage `7`, which has values of type `OtherStorage`"],
        ),
        (
            "NaN",
            legacy_of(
                &pickle_of("HalfStorage", "7", b"K\x02N", b"K\0", b"K\x02\x85", b"K\x01\x85"),
                &["7"],
                &[(2, &[0, 0, 0, 0x7e])],
            ),
            &["`w` holds a value that is not finite (NaN at index 1)"],
        ),
        (
            "a state that would change the values",
            legacy_of(
                &dict_of(&[("w", [&tensor_of("FloatStorage", "7", FOUR, b"K\0", b")", b")")[..], b"}b"].concat())]),
                &[],
                &[],
            ),
            &["`w` is a tensor whose state was replaced, not a tensor"],
        ),
        (
            "an ordered dict of something else",
            legacy_of(b"\x80\x02ccollections\nOrderedDict\n]K\x01a\x85R.", &[], &[]),
            &["wants to call `collections.OrderedDict`"],
        ),
    ];
    for (case, bytes, expected) in cases {
        let said = said(Cursor::new(bytes));
        for part in expected {
            assert!(said.contains(part), "{case}: {said}");
        }
    }
}

#[test]
fn a_tensor_larger_than_memory_is_read_in_pieces() {
    // 2^42 bytes, of which all but the last four are a hole. Beside it is another storage of two bytes, which no tensor
    // uses.
    let length: i64 = 1 << 42;
    let shape = [long(length), b"\x85".to_vec()].concat();
    let large = tensor_of("ByteStorage", "7", &long(length), b"K\0", &shape, b"K\x01\x85");
    let small = tensor_of("ByteStorage", "8", b"K\x02N", b"K\0", b"K\x02\x85", b"K\x01\x85");
    let start = legacy_of(&dict_of(&[("large", large), ("small", small)]), &["7", "8"], &[(length, &[])]);
    let end = [&[1, 2, 3, 4][..], &2_u64.to_le_bytes(), &[5, 6]].concat();
    let whole = start.len() as u64 + length as u64 + 10;
    let checkpoint = Checkpoint::from_reader(Hole { start, length: whole, end, at: 0 }).unwrap();
    let last = length as usize;
    assert_eq!(checkpoint.read_range("large", last - 5..last).unwrap(), Values::Integers(vec![0, 1, 2, 3, 4]));
    assert_eq!(checkpoint.read_range("small", 0..2).unwrap(), Values::Integers(vec![5, 6]));
}

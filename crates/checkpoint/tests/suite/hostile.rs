//! Hostile files, built byte by byte. Each is refused with an error that says what is wrong and, if there is one, in
//! which tensor. No file makes the reader panic, allocate much more memory than the file has bytes, or execute
//! anything.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use alluvium_checkpoint::Checkpoint;

use crate::by_hand::{
    Entry, archive_of, called, deflated_zeros, dict_of, flat, inner_dict, pickle_of, said, tensor_of, zip, zip_of,
};

fn check(cases: Vec<(&str, Vec<u8>, &[&str])>) {
    for (case, bytes, expected) in cases {
        let said = said(Cursor::new(bytes));
        for part in expected {
            assert!(said.contains(part), "{case}: {said}");
        }
    }
}

/// One tensor of a header.
fn entry(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
}

fn one(dtype: &str, shape: &str, offsets: &str, data: &[u8]) -> Vec<u8> {
    flat(&format!("{{{}}}", entry("fc.weight", dtype, shape, offsets)), data)
}

fn two(first: &str, second: &str, data: &[u8]) -> Vec<u8> {
    flat(&format!("{{{},{}}}", entry("a", "U8", "[4]", first), entry("b", "U8", "[4]", second)), data)
}

#[test]
fn hostile_safetensors() {
    let claims = |length: u64| [&length.to_le_bytes()[..], b"{}"].concat();
    let dimensions = format!("[{}]", vec!["1"; 65].join(","));
    check(vec![
        ("empty", vec![], &["is empty", "accepted: a safetensors file"]),
        ("text", b"# a readme of some length".to_vec(), &["is not a model file that is known here"]),
        ("a header longer than the file", claims(1000), &["its header claims 1000 bytes, but the file has only 2"]),
        ("a header of 2^60 bytes", claims(1 << 60), &["claims 1152921504606846976 bytes, but the file has only 2"]),
        ("a header of 2^64 - 1 bytes", claims(u64::MAX), &["claims 18446744073709551615 bytes"]),
        ("not UTF-8", [&4_u64.to_le_bytes()[..], b"{\xff\xfe}"].concat(), &["its header is not UTF-8"]),
        ("no JSON", flat("{nothing}", b""), &["its header cannot be read", "key must be a string"]),
        ("a list", flat("{\"a\":[]}", b""), &["the entry `a`"]),
        ("JSON that goes on", flat("{}{}", b""), &["trailing characters"]),
        ("deep JSON", flat(&format!("{{\"a\":{}", "[".repeat(100_000)), b""), &["the entry `a`"]),
        ("a negative size", one("F32", "[-1]", "[0,4]", &[0; 4]), &["`fc.weight`", "-1"]),
        ("a fraction", one("F32", "[1.5]", "[0,4]", &[0; 4]), &["`fc.weight`", "1.5"]),
        ("65 dimensions", one("U8", &dimensions, "[0,1]", &[0]), &["`fc.weight`", "at most 64 sizes"]),
        (
            "an unknown type",
            one("F8_E4M3", "[1]", "[0,1]", &[0]),
            &["`fc.weight` has values of type `F8_E4M3`", "BF16"],
        ),
        (
            "2^60 values",
            one("F32", "[1152921504606846976,16]", "[0,4]", &[0; 4]),
            &["`fc.weight`", "more than fits into memory"],
        ),
        (
            "2^60 bytes",
            one("U8", "[1152921504606846976]", "[0,4]", &[0; 4]),
            &["`fc.weight` has 4 bytes", "needs 1152"],
        ),
        ("too few bytes for the shape", one("F32", "[2]", "[0,4]", &[0; 4]), &["`fc.weight` has 4 bytes", "needs 8"]),
        (
            "bytes beyond the file",
            one("F32", "[2]", "[0,8]", &[0; 4]),
            &["`fc.weight` claims the bytes 0 to 8", "has only 4"],
        ),
        (
            "offsets of 2^64 - 1",
            one("U8", "[1]", "[18446744073709551615,18446744073709551615]", &[0]),
            &["`fc.weight`"],
        ),
        ("an end before its beginning", one("F32", "[1]", "[4,0]", &[0; 4]), &["`fc.weight` claims the bytes 4 to 0"]),
        (
            "overlapping tensors",
            two("[0,4]", "[2,6]", &[0; 6]),
            &["`b` begins at byte 2", "`a` ends at byte 4", "overlap"],
        ),
        ("the same bytes twice", two("[0,4]", "[0,4]", &[0; 4]), &["`b` begins at byte 0", "overlap"]),
        ("a gap", two("[0,4]", "[5,9]", &[0; 9]), &["`b` begins at byte 5", "belong to no tensor"]),
        ("a gap at the beginning", two("[1,5]", "[5,9]", &[0; 9]), &["`a` begins at byte 1", "the header"]),
        ("bytes at the end", two("[0,4]", "[4,8]", &[0; 11]), &["3 bytes after the last tensor belong to no tensor"]),
        (
            "the same name twice",
            flat(&format!("{{{0},{0}}}", entry("a", "U8", "[0]", "[0,0]")), b""),
            &["the tensor `a` occurs twice"],
        ),
        ("a name that is not a tensor", flat("{\"__metadata__\":{\"a\":1}}", b""), &["the entry `__metadata__`"]),
        (
            "a name for the terminal",
            flat(&format!("{{{}}}", entry("\\u001b[2J", "F7", "[1]", "[0,1]")), &[0]),
            &["`\\u{1b}[2J`"],
        ),
        (
            "NaN",
            one("F32", "[2]", "[0,8]", &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f]),
            &["`fc.weight` holds a value that is not finite (NaN at index 1)"],
        ),
        ("an infinity", one("BF16", "[1]", "[0,2]", &[0x80, 0xff]), &["`fc.weight`", "(-inf at index 0)"]),
        (
            "an infinite double",
            one("F64", "[2]", "[0,16]", &[1e300, f64::INFINITY].map(f64::to_le_bytes).concat()),
            &["`fc.weight`", "(inf at index 1)"],
        ),
        ("a truth value of 2", one("BOOL", "[1]", "[0,1]", &[2]), &["`fc.weight` holds the byte 2 at index 0"]),
    ]);
}

/// An archive with 4 floats, and a tensor that claims this view of them.
fn view(length: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    archive_of(&pickle_of("FloatStorage", "0", length, offset, shape, strides), &[0; 16])
}

#[test]
fn the_archive_that_is_bent_below_is_sound() {
    assert_eq!(said(Cursor::new(view(b"K\x04", b"K\0", b"K\x04\x85", b"K\x01\x85"))), "nothing is wrong");
}

#[test]
fn hostile_views() {
    const LARGE: &[u8] = b"\x8a\x08\0\0\0\0\0\0\0\x40";
    let large = |tail: &[u8]| [LARGE, tail].concat();
    let twice = |tail: &[u8]| [LARGE, LARGE, tail].concat();
    check(vec![
        ("beyond the storage", view(b"K\x04", b"K\x01", b"K\x04\x85", b"K\x01\x85"), &["`w` needs values outside"]),
        ("far beyond", view(b"K\x04", LARGE, b"K\x04\x85", b"K\x01\x85"), &["`w` needs values outside"]),
        ("long strides", view(b"K\x04", b"K\0", b"K\x02\x85", &large(b"\x85")), &["`w` needs values outside"]),
        ("longer strides", view(b"K\x04", b"K\0", b"K\x04K\x04\x86", &twice(b"\x86")), &["`w` needs values outside"]),
        ("negative strides", view(b"K\x04", b"K\x03", b"K\x02\x85", b"J\xff\xff\xff\xff\x85"), &["`w`", "negative"]),
        ("a negative size", view(b"K\x04", b"K\0", b"J\xff\xff\xff\xff\x85", b"K\x01\x85"), &["`w`", "negative"]),
        (
            "2^62 values, all the same",
            view(b"K\x04", b"K\0", &large(b"\x85"), b"K\0\x85"),
            &["`w`", "more than fits into memory"],
        ),
        (
            "2^124 values",
            view(b"K\x04", b"K\0", &twice(b"\x86"), b"K\0K\0\x86"),
            &["`w`", "more than fits into memory"],
        ),
        ("fewer strides", view(b"K\x04", b"K\0", b"K\x02K\x02\x86", b"K\x01\x85"), &["`w`", "strides for 1 dim"]),
        ("a size that is not a number", view(b"K\x04", b"K\0", b"N\x85", b"K\x01\x85"), &["`w`", "not ints"]),
        (
            "a longer storage than its entry",
            view(b"K\x05", b"K\0", b"K\x04\x85", b"K\x01\x85"),
            &["`w`", "20 bytes", "16"],
        ),
        ("a storage of 2^62 values", view(LARGE, b"K\0", b"K\x04\x85", b"K\x01\x85"), &["`w`", "which is impossible"]),
        (
            "a storage of -1",
            view(b"J\xff\xff\xff\xff", b"K\0", b"K\x04\x85", b"K\x01\x85"),
            &["`w`", "which is impossible"],
        ),
        (
            "65 dimensions",
            view(b"K\x04", b"K\0", &[b"(", &b"K\x01".repeat(65)[..], b"t"].concat(), b")"),
            &["`w` has 65 dimensions; accepted: at most 64"],
        ),
        (
            "another type",
            archive_of(&pickle_of("QInt8Storage", "0", b"K\x04", b"K\0", b")", b")"), &[0; 4]),
            &["`w` has values of type `QInt8Storage`; accepted: F64"],
        ),
        (
            "an entry that is not there",
            archive_of(&pickle_of("FloatStorage", "../../0", b"K\x04", b"K\0", b")", b")"), &[0; 16]),
            &["`w` has its values in the entry `../../0`", "which is missing"],
        ),
        (
            "NaN",
            archive_of(&pickle_of("HalfStorage", "0", b"K\x02", b"K\0", b"K\x02\x85", b"K\x01\x85"), &[0, 0, 0, 0x7e]),
            &["`w` holds a value that is not finite (NaN at index 1)"],
        ),
    ]);
}

#[test]
fn hostile_pickles() {
    let archive = |pickle: &[u8]| archive_of(pickle, &[0; 16]);
    let sound = pickle_of("FloatStorage", "0", b"K\x04", b"K\0", b"K\x04\x85", b"K\x01\x85");
    let nothing = "nothing was executed";
    // A tuple of tuples, which would expand to 2^40 items: each contains the previous one twice.
    let doubling = [&b"\x80\x02N"[..], &b"q\0h\0\x86".repeat(40), b"."].concat();
    // A list that contains itself.
    let circle = b"\x80\x02]q\0h\0a.";
    // One text of 100 kB is the key of ten thousand storages.
    let shared = [
        &b"\x80\x02X\xa0\x86\x01\0"[..],
        &[b'k'; 100_000],
        b"q\0ctorch\nFloatStorage\nq\x01X\x07\0\0\0storageq\x020",
        &b"(h\x02h\x01h\0NK\x01tQ0".repeat(10_000),
        b"}.",
    ]
    .concat();
    // A sound state dict beside another object.
    let beside = |key: &str, value: &[u8]| {
        let weights =
            inner_dict(&[("w", tensor_of("FloatStorage", "0", b"K\x04", b"K\0", b"K\x04\x85", b"K\x01\x85"))]);
        dict_of(&[("state_dict", weights), (key, value.to_vec())])
    };
    let within_parameter =
        dict_of(&[("w", called("torch._utils", "_rebuild_parameter", b"cos\nsystem\nX\x02\0\0\0id\x85R\x88}"))]);
    // A list of a thousand pairs, as Python 2 writes an ordered dict, is shared by ten thousand ordered dicts.
    let copies = [
        &b"\x80\x02ccollections\nOrderedDict\nq\0N\x85q\x010]("[..],
        &b"]K\x01aK\x01a".repeat(1000),
        b"e\x85q\x020",
        &b"h\0h\x02R0".repeat(10_000),
        b"}.",
    ]
    .concat();
    check(vec![
        ("os.system", archive(b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R."), &["wants to call `os.system`", nothing]),
        ("posix.system", archive(b"\x80\x02cposix\nsystem\n."), &["`posix.system`", nothing]),
        ("eval", archive(b"\x80\x02c__builtin__\neval\nX\x01\0\0\x001\x85R."), &["`__builtin__.eval`", nothing]),
        (
            "eval off the stack",
            archive(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R."),
            &["`builtins.eval`"],
        ),
        ("by INST", archive(b"(X\x02\0\0\0idios\nsystem\n."), &["wants to call `os.system`", nothing]),
        ("by OBJ", archive(b"(ccollections\nOrderedDict\no."), &["wants to call `collections.OrderedDict`", nothing]),
        ("by NEWOBJ", archive(b"\x80\x02ccollections\nOrderedDict\n)\x81."), &["`collections.OrderedDict`", nothing]),
        (
            "by NEWOBJ_EX",
            archive(b"\x80\x04ccollections\nOrderedDict\n)}\x92."),
            &["`collections.OrderedDict`", nothing],
        ),
        ("a function", archive(b"\x80\x02ctorch\nload\n."), &["`torch.load`", nothing]),
        (
            "a name within a name",
            archive(b"\x80\x04\x8c\x05torch\x8c\x0e_utils.Storage\x93."),
            &["`torch._utils.Storage`"],
        ),
        // Code in an optimiser is neither read nor run, so the weights can be read.
        (
            "code in an optimiser",
            archive(&beside("optimizer", b"cos\nsystem\nX\x02\0\0\0id\x85R")),
            &["nothing is wrong"],
        ),
        ("code by INST", archive(&beside("best", b"(X\x02\0\0\0idios\nsystem\n")), &["nothing is wrong"]),
        ("code as a key", archive(&beside("x", b"}cos\nsystem\nNs")), &["nothing is wrong"]),
        (
            "code for all weights",
            archive(b"\x80\x02}X\x0a\0\0\0state_dictcos\nsystem\nX\x02\0\0\0id\x85Rs."),
            &["wants to call `os.system`", nothing],
        ),
        (
            "code for a weight",
            archive(b"\x80\x02}X\x01\0\0\0wcos\nsystem\nX\x02\0\0\0id\x85Rs."),
            &["`w` is built by `os.system`, which is not known here", nothing],
        ),
        ("code within a parameter", archive(&within_parameter), &["`w` is built by `os.system`", nothing]),
        (
            "a storage that is called",
            archive(b"\x80\x02ctorch\nFloatStorage\n)R."),
            &["wants to call `torch.FloatStorage`", nothing],
        ),
        ("a text that is called", archive(b"\x80\x02X\x01\0\0\0a)R."), &["calls a str"]),
        ("state of a class", archive(b"\x80\x02ctorch\nSize\n}b."), &["sets the state of a class or function"]),
        ("an extension", archive(b"\x80\x02\x82\x01."), &["the instruction 0x82 at byte 2"]),
        ("an instruction of protocol 0", archive(b"S'os'\n."), &["the instruction 0x53 at byte 0"]),
        ("protocol 9", archive(b"\x80\x09."), &["has protocol 9; accepted: 2 to 5"]),
        ("nothing", archive(b""), &["ends in the middle", "byte 0"]),
        ("cut off", archive(&sound[..sound.len() - 1]), &["its pickle ends in the middle of the instruction"]),
        ("a text that is not there", archive(b"X\xff\xff\xff\xff"), &["ends in the middle"]),
        ("2^63 bytes that are not there", archive(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"), &["ends in the middle"]),
        ("a text that is not UTF-8", archive(b"X\x01\0\0\0\xff."), &["not UTF-8"]),
        ("tuples of tuples", archive(&doubling), &["its pickle holds a tuple; accepted: a dict of tensors"]),
        ("a list in itself", archive(circle), &["holds a list; accepted: a dict of tensors"]),
        ("a long text, shared", archive(&shared), &["holds no tensors"]),
        ("a deep stack", archive(&[b'N'; 200_000]), &["more than 100000 objects on the stack"]),
        ("many instructions", archive(&b"N0".repeat(3_000_000)), &["more than 5000000 instructions"]),
        ("a memo out of order", archive(b"h\x07."), &["refers to the object 7, which was not stored"]),
        (
            "a dict of numbers",
            archive(b"\x80\x02}X\x05\0\0\0epochK\x03s."),
            &["`epoch` is an int, not a tensor", "`state_dict`"],
        ),
        ("a key that is not a text", archive(b"\x80\x02}K\x01K\x03s."), &["has an int for a tensor's name"]),
        (
            "two models, one of nothing",
            archive(b"\x80\x02}(X\x05\0\0\0model}X\x0a\0\0\0state_dict}u."),
            &["holds no tensors"],
        ),
        ("a dict of lists that are shared", archive(&copies), &["builds dicts of more than 5000000 entries"]),
    ]);
}

#[test]
fn a_duplicate_name_in_a_pickle_is_refused() {
    // {'w': t, 'w': t}: the tensor is stored, and set again.
    let sound = pickle_of("FloatStorage", "0", b"K\x04", b"K\0", b"K\x04\x85", b"K\x01\x85");
    let body = &sound[..sound.len() - 2];
    let twice = [body, b"q\0sX\x01\0\0\0wh\0s."].concat();
    let said = said(Cursor::new(archive_of(&twice, &[0; 16])));
    assert!(said.contains("`w` occurs twice"), "{said}");
}

#[test]
fn hostile_archives() {
    let sound = pickle_of("FloatStorage", "0", b"K\x04", b"K\0", b"K\x04\x85", b"K\x01\x85");
    let archive = zip(&[("a/data.pkl", &sound), ("a/data/0", &[0; 16])]);
    let pickle = Entry::stored("a/data.pkl", &sound);
    let values = |change: &dyn Fn(&mut Entry)| {
        let mut entry = Entry::stored("a/data/0", &[0; 16]);
        change(&mut entry);
        zip_of(&[pickle.clone(), entry])
    };
    // 16 zeros: `zlib.compress(b"\0" * 16, wbits=-15)`.
    let deflated = |entry: &mut Entry| {
        entry.method = 8;
        entry.bytes = vec![0x63, 0x60, 0x40, 0x05, 0x00];
    };
    check(vec![
        ("not an archive", b"PK\x03\x04 and so on".to_vec(), &["is not a readable zip archive"]),
        ("an empty archive", zip(&[]), &["without a `data.pkl`"]),
        ("no pickle", zip(&[("a/model.json", b"{}")]), &["without a `data.pkl`"]),
        ("two pickles", zip(&[("a/data.pkl", &sound), ("b/data.pkl", &sound)]), &["several `data.pkl`"]),
        (
            "two entries of a name",
            zip(&[("a/data.pkl", &sound), ("a/data.pkl", b"")]),
            &["two entries of the same name"],
        ),
        (
            "big-endian",
            zip(&[("a/data.pkl", &sound), ("a/byteorder", b"big"), ("a/data/0", &[0; 16])]),
            &["its byte order is `big`; accepted: `little`"],
        ),
        ("a long byte order", zip(&[("a/data.pkl", &sound), ("a/byteorder", &[b'x'; 99])]), &["`byteorder` is longer"]),
        ("cut off", archive[..archive.len() - 30].to_vec(), &["is not a readable zip archive"]),
        ("other values than were summed", values(&|entry| entry.checksum ^= 1), &["`w` cannot be read", "hecksum"]),
        ("a longer entry than it says", values(&|entry| entry.length = 17), &["`w` has a storage", "17"]),
        (
            "an entry that is not where the directory says",
            {
                // The first local header is that of the pickle, whose offset in the directory is right.
                let mut archive = archive.clone();
                let second = archive.windows(4).skip(1).position(|four| four == b"PK\x03\x04").unwrap() + 1;
                archive[second] = b'Q';
                archive
            },
            &["`w` cannot be read", "local file header"],
        ),
        ("an unknown compression", values(&|entry| entry.method = 99), &["`w` cannot be read"]),
        ("a compressed entry", values(&deflated), &["nothing is wrong"]),
        (
            "a bomb that hides its size",
            values(&|entry| {
                deflated(entry);
                entry.bytes = deflated_zeros(1_000_000);
            }),
            &["`w` cannot be read"],
        ),
        (
            "a bomb that shows its size",
            {
                let claim = 4_000_000_000_u32;
                let bomb = pickle_of("ByteStorage", "0", b"\x8a\x05\0\x28\x6b\xee\0", b"K\0", b")", b")");
                let values = Entry {
                    name: "a/data/0".to_owned(),
                    bytes: deflated_zeros(1_000_000),
                    method: 8,
                    length: claim,
                    checksum: 0,
                    shared: false,
                };
                zip_of(&[Entry::stored("a/data.pkl", &bomb), values])
            },
            &["`w` has a storage of 4000000000 bytes, compressed in", "at most 200000000"],
        ),
        (
            "a pickle that is a bomb",
            {
                let bytes = deflated_zeros(150_000_000);
                let entry = Entry { bytes, method: 8, length: 10, ..Entry::stored("a/data.pkl", b"") };
                zip_of(&[entry])
            },
            &["data.pkl"],
        ),
        (
            "values that are shared ten thousand times",
            {
                let tensor = &sound[3..sound.len() - 2];
                let after = &tensor[6..];
                let mut pickle = b"\x80\x02}(".to_vec();
                pickle.extend(b"X\x01\0\0\0w");
                pickle.extend(after);
                pickle.extend(b"q\0");
                for number in 0..10_000 {
                    pickle.extend(b"X\x05\0\0\0");
                    pickle.extend(format!("{number:05}").bytes());
                    pickle.extend(b"h\0");
                }
                pickle.extend(b"u.");
                zip(&[("a/data.pkl", &pickle), ("a/data/0", &[0; 16])])
            },
            &[
                "`00015` takes 16 bytes of reading, and with the tensors before it 272, out of shared storages of 16 bytes",
            ],
        ),
    ]);
}

fn said_of(path: &Path) -> String {
    match Checkpoint::open(path) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn hostile_indices() {
    let weights = |name: &str| flat(&format!("{{{}}}", entry(name, "U8", "[1]", "[0,1]")), &[1]);
    let cases: [(&str, &str, &[&str]); 15] = [
        ("sound", r#"{"a":"1.safetensors","b":"2.safetensors"}"#, &["nothing is wrong"]),
        ("out of the folder", r#"{"a":"../1.safetensors"}"#, &["`a`", "`../1.safetensors`", "without a folder"]),
        ("an absolute path", r#"{"a":"/etc/passwd"}"#, &["`a`", "`/etc/passwd`", "without a folder"]),
        ("a folder of another system", r#"{"a":"..\\1"}"#, &["`a`", "without a folder"]),
        ("the folder itself", r#"{"a":"."}"#, &["`a`", "without a folder"]),
        ("a folder below", r#"{"a":"folder"}"#, &["is not a file"]),
        ("a file that is not there", r#"{"a":"1.safetensors","c":"3"}"#, &["`c`", "`3`", "cannot be opened"]),
        ("a tensor that is not there", r#"{"a":"1.safetensors","c":"1.safetensors"}"#, &["`c`", "is missing there"]),
        (
            "a tensor that is not listed",
            r#"{"a":"1.safetensors","b":"ab.safetensors"}"#,
            &["`a` is also in another file"],
        ),
        (
            "a tensor in another file",
            r#"{"b":"1.safetensors","a":"2.safetensors"}"#,
            &["the index lists it in the file"],
        ),
        ("a tensor in two files", r#"{"a":"1.safetensors","b":"again.safetensors"}"#, &["`a` is also in another file"]),
        ("a tensor listed twice", r#"{"a":"1.safetensors","a":"2.safetensors"}"#, &["the tensor `a` occurs twice"]),
        ("a file that is a pickle", r#"{"a":"model.pt"}"#, &["is not a safetensors file"]),
        ("an empty file", r#"{"a":"empty"}"#, &["empty: is empty"]),
        ("no table", "7", &["is not an index of safetensors files"]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("1.safetensors"), weights("a")).unwrap();
    fs::write(at("2.safetensors"), weights("b")).unwrap();
    fs::write(at("again.safetensors"), weights("a")).unwrap();
    let both = format!("{{{},{}}}", entry("a", "U8", "[1]", "[0,1]"), entry("b", "U8", "[1]", "[1,2]"));
    fs::write(at("ab.safetensors"), flat(&both, &[1, 2])).unwrap();
    fs::write(at("model.pt"), zip(&[])).unwrap();
    fs::write(at("empty"), "").unwrap();
    let index = at("model.safetensors.index.json");
    for (case, map, expected) in cases {
        fs::write(&index, format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#)).unwrap();
        let said = said_of(&index);
        for part in expected {
            assert!(said.contains(part), "{case}: {said}");
        }
    }
    fs::write(&index, "{}").unwrap();
    assert!(said_of(&index).contains("missing field `weight_map`"));
    fs::write(&index, r#"{"weight_map":{"b":"ab.safetensors"}}"#).unwrap();
    assert!(said_of(&index).contains("`a` is not listed in the index"));
}

#[test]
fn paths_without_a_model_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = said_of(folder.path());
    assert!(said.contains(folder.path().to_str().unwrap()) && said.contains("holds no model file"), "{said}");
    let missing = folder.path().join("missing.pt");
    let said = said_of(&missing);
    assert!(said.contains("missing.pt: cannot be read"), "{said}");
}

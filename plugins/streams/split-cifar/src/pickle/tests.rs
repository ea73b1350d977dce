//! Tests on pickles written instruction by instruction, as by Python 2, which wrote the original ones. Also a writer of
//! such pickles for other tests.

use super::*;

/// A text, as `cPickle` of Python 2 writes it under protocol 2: `SHORT_BINSTRING`, or `BINSTRING` from 256 bytes on.
pub fn text(text: &[u8]) -> Vec<u8> {
    match u8::try_from(text.len()) {
        Ok(length) => [&[b'U', length], text].concat(),
        Err(_) => [b"T", &(text.len() as u32).to_le_bytes()[..], text].concat(),
    }
}

/// A list: `EMPTY_LIST`, `MARK`, its items, `APPENDS`.
fn list(items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    [b"](".to_vec(), items.collect::<Vec<_>>().concat(), b"e".to_vec()].concat()
}

/// A list of numbers below 256: `BININT1`.
pub fn numbers(numbers: &[u8]) -> Vec<u8> {
    list(numbers.iter().map(|number| vec![b'K', *number]))
}

/// A list of texts.
pub fn texts(texts: &[&str]) -> Vec<u8> {
    list(texts.iter().map(|own| text(own.as_bytes())))
}

/// A numpy array `[rows, 3072]` of unsigned bytes, as numpy's `__reduce__` says: `_reconstruct(ndarray, (0,), 'b')` with
/// the state `(1, shape, dtype('u1', 0, 1), False, items)`, where the type has the state `(3, '|', None, None, None, -1, -1,
/// 0)`.
pub fn array(rows: u16, items: &[u8]) -> Vec<u8> {
    [
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\0\x85U\x01b\x87Rq\x09(K\x01M",
        &rows.to_le_bytes()[..],
        b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\0K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89",
        &text(items),
        b"tb",
    ]
    .concat()
}

/// A dict: protocol 2, `EMPTY_DICT`, `MARK`, keys and values, `SETITEMS`, `STOP`.
pub fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().map(|(key, value)| [text(key.as_bytes()), value.clone()].concat());
    [b"\x80\x02}q\x01(".to_vec(), entries.collect::<Vec<_>>().concat(), b"u.".to_vec()].concat()
}

fn refused(bytes: &[u8]) -> String {
    run(bytes).unwrap_err()
}

#[test]
fn a_dict_of_lists_texts_and_an_array_is_read() {
    let items: Vec<_> = (0..2 * 3072).map(|item| (item % 251) as u8).collect();
    let entries = [("labels", numbers(&[3, 255])), ("data", array(2, &items)), ("names", texts(&["a", "b"]))];
    let bytes = dict(&entries);
    let pickle = run(&bytes).unwrap();
    let labels: Vec<_> = pickle.list("labels").unwrap();
    assert!(matches!(labels[..], [Value::Int(3), Value::Int(255)]), "{labels:?}");
    let names = pickle.list("names").unwrap();
    assert!(matches!(names[..], [Value::Text(b"a"), Value::Text(b"b")]), "{names:?}");
    let Value::Array(array) = pickle.entry("data").unwrap() else { panic!("an array") };
    assert_eq!((&array.shape[..], array.fortran), (&[2, 3072][..], false));
    assert_eq!(array.row(1)[..], items[3072..]);
    assert!(pickle.entry("none").unwrap_err().contains("without the key `none`"));
    assert!(pickle.list("data").unwrap_err().contains("`data` is a numpy array, not a list"));
}

#[test]
fn an_array_in_the_order_of_fortran_has_the_same_rows() {
    // [[1, 2, 3], [4, 5, 6]], first dimension fastest.
    let array = value::Array { shape: vec![2, 3], fortran: true, items: &[1, 4, 2, 5, 3, 6] };
    assert_eq!((&array.row(0)[..], &array.row(1)[..]), (&[1, 2, 3][..], &[4, 5, 6][..]));
}

#[test]
fn pickles_of_python_3_are_read_as_well() {
    // pickle.dumps({'a': [1, 70000, -2], 'b': b'xy'}, 4), with a frame, memos, short texts and bytes.
    let bytes = b"\x80\x04\x95\x22\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94(K\x01Jp\x11\x01\0J\xfe\xff\xff\xffe\x8c\x01b\x94C\x02xy\x94u.";
    let pickle = run(bytes).unwrap();
    let numbers = pickle.list("a").unwrap();
    assert!(matches!(numbers[..], [Value::Int(1), Value::Int(70000), Value::Int(-2)]), "{numbers:?}");
    assert!(matches!(pickle.entry("b").unwrap(), Value::Text(b"xy")));
}

#[test]
fn only_numpys_functions_are_called() {
    let call = b"\x80\x02cos\nsystem\nq\x01U\x04echo\x85R.";
    assert!(refused(call).contains("wants to call `os.system`, but code is never executed"), "{}", refused(call));
    let by_stack = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04echo\x85R.";
    assert!(refused(by_stack).contains("`posix.system`"));
    // INST, OBJ, NEWOBJ and BINPERSID are unknown instructions.
    for code in [&b"(ios\nsystem\n."[..], b"(o.", b")\x81.", b"NQ."] {
        assert!(refused(code).contains("has the instruction"), "{}", refused(code));
    }
    // numpy's own functions, called in other ways.
    assert!(refused(b"cnumpy\nndarray\n)R.").contains("calls a function in a way that numpy does not"));
    assert!(refused(b"cnumpy\ndtype\nU\x02O8\x85R.").contains("another type than `u1`"));
}

#[test]
fn broken_pickles_do_not_panic() {
    let whole = dict(&[("labels", numbers(&[3])), ("data", array(1, &[7; 3072]))]);
    for length in (0..whole.len()).filter(|length| *length < 200 || *length > whole.len() - 20) {
        assert!(run(&whole[..length]).is_err(), "cut at {length}");
    }
    for bytes in [
        &b"."[..],
        b"t.",
        b"\x85.",
        b"a.",
        b"e.",
        b"u.",
        b"s.",
        b"R.",
        b"b.",
        b"q\0.",
        b"h\0.",
        b"\x93.",
        b"N(e.",
        b"r",
        b"\x8a\x09123456789.",
    ] {
        assert!(run(bytes).is_err(), "{bytes:?}");
    }
    // A length of 2^63 bytes, and a shape whose product overflows.
    assert!(refused(b"\x8e\0\0\0\0\0\0\0\x80x.").contains("ends in the middle"));
    let lies = array(1, &[7; 3071]);
    assert!(refused(&dict(&[("data", lies)])).contains("an array of the shape [1, 3072] with 3071 bytes"));
    let long = b"N".repeat(5_000_001);
    assert!(refused(&long).contains("more than 5000000 instructions"));
}

#[test]
fn a_list_that_holds_itself_is_read() {
    // x = []; x.append(x); {'x': x}
    let pickle = run(b"\x80\x02}U\x01x]q\0h\0as.").unwrap();
    assert!(matches!(pickle.list("x").unwrap()[..], [Value::List(_)]));
}

//! The header of a `.npy` file: what numpy's `lib.format` writes before the values.

use std::io::Read;

use crate::array::{ElementKind, ElementType};

/// The first bytes of a file.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// The most bytes of the header's text. numpy's own readers refuse more than 10 000.
const MOST_TEXT: usize = 65_536;
/// The accepted types of values, for messages.
pub const TYPES: &str = "floats of 16, 32 or 64 bits, whole numbers and bool";

/// What a header states.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub element: ElementType,
    /// At least one.
    pub sizes: Vec<usize>,
}

impl Header {
    /// Reads a header up to the first value.
    ///
    /// # Errors
    /// What is wrong with it, and what is accepted.
    pub fn read(reader: &mut impl Read) -> Result<Self, String> {
        let cut = |_| "is not a .npy file, or is cut short".to_owned();
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(cut)?;
        if !start.starts_with(MAGIC) {
            return Err("is not a .npy file".to_owned());
        }
        // Version 1 has two bytes for the length of the text, versions 2 and 3 have four.
        let mut length = [0; 4];
        let digits = match start[6] {
            1 => 2,
            2 | 3 => 4,
            other => return Err(format!("is a .npy file of version {other}; accepted: 1 to 3")),
        };
        reader.read_exact(&mut length[..digits]).map_err(cut)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MOST_TEXT {
            return Err(format!("has a header of {length} bytes; accepted: {MOST_TEXT} at most"));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).map_err(cut)?;
        let text = String::from_utf8_lossy(&text);
        Self::of(Literal { rest: &text }.entries().ok_or_else(|| format!("has an unknown header: {}", text.trim()))?)
    }

    fn of(entries: Vec<(&str, Entry<'_>)>) -> Result<Self, String> {
        let find = |name: &str| {
            let found = entries.iter().find(|(own, _)| *own == name).map(|(_, entry)| entry);
            found.ok_or_else(|| format!("has a header without `{name}`"))
        };
        let element = match find("descr")? {
            Entry::Text(described) => {
                element(described).ok_or_else(|| format!("has values of type {described}; accepted: {TYPES}"))?
            }
            _ => return Err(format!("has values that consist of several fields; accepted: {TYPES}")),
        };
        let Entry::Sizes(sizes) = find("shape")? else {
            return Err("has a header whose shape is not known".to_owned());
        };
        if sizes.is_empty() {
            return Err("is a single number; accepted: a row for each sample".to_owned());
        }
        if *find("fortran_order")? != Entry::Truth(false) && sizes.len() > 1 {
            return Err("lies in Fortran order; accepted: C order, as numpy.ascontiguousarray makes it".to_owned());
        }
        Ok(Header { element, sizes: sizes.clone() })
    }
}

/// A type as numpy describes it, such as `<f4`.
fn element(described: &str) -> Option<ElementType> {
    let mut letters = described.chars();
    let big_endian = match letters.next()? {
        '<' | '|' => false,
        '>' => true,
        _ => return None,
    };
    let kind = match letters.next()? {
        'f' => ElementKind::Float,
        'i' => ElementKind::Signed,
        'u' => ElementKind::Unsigned,
        'b' => ElementKind::Bool,
        _ => return None,
    };
    ElementType::new(kind, letters.as_str().parse().ok()?, big_endian)
}

/// A value of the header.
#[derive(Debug, PartialEq, Eq)]
enum Entry<'a> {
    Text(&'a str),
    Truth(bool),
    Sizes(Vec<usize>),
    /// A list, as a type of several fields has it.
    Fields,
}

/// The text of a header, a literal of Python, from some position on.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    /// Goes past a token, if it comes next.
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn comes(&self, token: &str) -> bool {
        self.rest.trim_start().starts_with(token)
    }

    /// The entries of a dict.
    fn entries(mut self) -> Option<Vec<(&'a str, Entry<'a>)>> {
        let mut entries = vec![];
        self.take("{")?;
        while !self.comes("}") {
            let name = self.text()?;
            self.take(":")?;
            let entry = self.entry()?;
            // A list stays unread, and with it what follows.
            let is_list = entry == Entry::Fields;
            entries.push((name, entry));
            if is_list {
                return Some(entries);
            }
            if !self.comes("}") {
                self.take(",")?;
            }
        }
        Some(entries)
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        if self.comes("(") {
            return self.sizes().map(Entry::Sizes);
        }
        for (token, truth) in [("True", true), ("False", false)] {
            if self.comes(token) {
                return self.take(token).map(|()| Entry::Truth(truth));
            }
        }
        if self.comes("[") { Some(Entry::Fields) } else { self.text().map(Entry::Text) }
    }

    fn text(&mut self) -> Option<&'a str> {
        let quote = ["'", "\""].into_iter().find(|quote| self.comes(quote))?;
        self.take(quote)?;
        let (text, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(text)
    }

    /// A tuple of whole numbers.
    fn sizes(&mut self) -> Option<Vec<usize>> {
        let mut sizes = vec![];
        self.take("(")?;
        while !self.comes(")") {
            let rest = self.rest.trim_start();
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            sizes.push(rest[..digits].parse().ok()?);
            self.rest = &rest[digits..];
            // Python 2 wrote long numbers with an L.
            if self.comes("L") {
                self.take("L")?;
            }
            if !self.comes(")") {
                self.take(",")?;
            }
        }
        self.take(")")?;
        Some(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: u8, text: &str) -> Result<Header, String> {
        let length = (text.len() as u32).to_le_bytes();
        let length = if version == 1 { &length[..2] } else { &length };
        Header::read(&mut [MAGIC, &[version, 0], length, text.as_bytes()].concat().as_slice())
    }

    #[test]
    fn headers_of_all_versions_are_read() {
        let expected = |kind, size, big_endian, sizes: &[usize]| {
            Ok(Header { element: ElementType::new(kind, size, big_endian).unwrap(), sizes: sizes.to_vec() })
        };
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (12, 2, 3), }     \n";
        for version in 1..=3 {
            assert_eq!(read(version, text), expected(ElementKind::Float, 4, false, &[12, 2, 3]));
        }
        let text = "{\"descr\":\">i8\",\"fortran_order\":True,\"shape\":(5L,)}";
        assert_eq!(read(1, text), expected(ElementKind::Signed, 8, true, &[5]));
    }

    #[test]
    fn headers_that_are_wrong_say_what_is_accepted() {
        for (text, expected) in [
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "several fields"),
            ("{'descr': '<U5', 'fortran_order': False, 'shape': (2,), }", "type <U5; accepted: floats"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "Fortran order"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "single number"),
            ("{'descr': '<f4', 'shape': (2,), }", "without `fortran_order`"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "unknown header"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "unknown header"),
            ("{'descr': '<f4", "unknown header"),
            ("", "unknown header"),
        ] {
            let error = read(1, text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(read(4, "").unwrap_err().contains("version 4; accepted: 1 to 3"));
        assert!(read(2, &" ".repeat(70_000)).unwrap_err().contains("70000 bytes"));
        assert!(Header::read(&mut &b"\x93NUM"[..]).unwrap_err().contains("cut short"));
    }
}

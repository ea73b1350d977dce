//! One array of a file: the type of its values, its shape, and where its values lie. Rows are read from there.

use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use alluvium_stream::{StreamError, open_file};
use half::{bf16, f16};

/// The type of an array's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementType {
    pub kind: ElementKind,
    /// The size of a value in bytes.
    pub size: usize,
    /// Whether the first byte of a value is the most significant one.
    pub big_endian: bool,
}

/// What the bits of a value mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementKind {
    Float,
    /// A float of 16 bits with 8 bits of exponent.
    BrainFloat,
    Signed,
    Unsigned,
    Bool,
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * self.size;
        match self.kind {
            ElementKind::Float => write!(f, "float{bits}"),
            ElementKind::BrainFloat => f.write_str("bfloat16"),
            ElementKind::Signed => write!(f, "int{bits}"),
            ElementKind::Unsigned => write!(f, "uint{bits}"),
            ElementKind::Bool => f.write_str("bool"),
        }
    }
}

impl ElementType {
    /// The type, if values of it can be read.
    pub fn new(kind: ElementKind, size: usize, big_endian: bool) -> Option<Self> {
        let known = match kind {
            ElementKind::Float => matches!(size, 2 | 4 | 8),
            ElementKind::BrainFloat => size == 2,
            ElementKind::Signed | ElementKind::Unsigned => matches!(size, 1 | 2 | 4 | 8),
            ElementKind::Bool => size == 1,
        };
        known.then_some(ElementType { kind, size, big_endian })
    }

    pub fn is_byte(self) -> bool {
        self.kind == ElementKind::Unsigned && self.size == 1
    }

    pub fn is_integer(self) -> bool {
        matches!(self.kind, ElementKind::Signed | ElementKind::Unsigned)
    }

    /// A value's bytes, least significant first and filled with zeros.
    fn little_endian(self, bytes: &[u8]) -> [u8; 8] {
        let mut little = [0; 8];
        little[..self.size].copy_from_slice(bytes);
        if self.big_endian {
            little[..self.size].reverse();
        }
        little
    }

    /// A value as a 32-bit number.
    fn number(self, bytes: &[u8]) -> f32 {
        let little = self.little_endian(bytes);
        let [a, b, c, d, ..] = little;
        match (self.kind, self.size) {
            (ElementKind::Float, 2) => f16::from_le_bytes([a, b]).to_f32(),
            (ElementKind::Float, 4) => f32::from_le_bytes([a, b, c, d]),
            (ElementKind::Float, _) => f64::from_le_bytes(little) as f32,
            (ElementKind::BrainFloat, _) => bf16::from_le_bytes([a, b]).to_f32(),
            (ElementKind::Signed, _) => self.signed(little) as f32,
            (ElementKind::Unsigned, _) => u64::from_le_bytes(little) as f32,
            (ElementKind::Bool, _) => f32::from(u8::from(a != 0)),
        }
    }

    fn signed(self, little: [u8; 8]) -> i64 {
        let unused = 64 - 8 * self.size as u32;
        i64::from_le_bytes(little) << unused >> unused
    }
}

/// An array of a file.
#[derive(Debug, Clone)]
pub struct Array {
    pub path: PathBuf,
    pub name: String,
    pub element: ElementType,
    /// The sizes of its dimensions; at least one.
    pub sizes: Vec<usize>,
    location: Location,
}

/// Where the values are.
#[derive(Debug, Clone)]
enum Location {
    /// In the file, from `start` on. The file has `length` bytes.
    File { start: u64, length: u64 },
    /// In memory, because the file keeps them compressed.
    Held(Vec<u8>),
}

impl Array {
    /// An array whose values lie in a file of `length` bytes, from `start` on.
    pub fn in_file(
        path: PathBuf,
        name: &str,
        element: ElementType,
        sizes: Vec<usize>,
        start: u64,
        length: u64,
    ) -> Self {
        Array { path, name: name.to_owned(), element, sizes, location: Location::File { start, length } }
    }

    /// An array whose values are in memory.
    pub fn held(path: PathBuf, name: &str, element: ElementType, sizes: Vec<usize>, values: Vec<u8>) -> Self {
        Array { path, name: name.to_owned(), element, sizes, location: Location::Held(values) }
    }

    /// The number of rows: the first size.
    pub fn rows(&self) -> usize {
        self.sizes[0]
    }

    /// The error that this array is wrong. `cause` follows its name.
    pub fn wrong(&self, cause: impl fmt::Display) -> StreamError {
        StreamError::file(&self.path, format!("the array \"{}\" {cause}", self.name))
    }

    /// The bytes of the rows with these indices.
    ///
    /// # Errors
    /// When the file cannot be read, or changed since it was opened.
    pub fn read_rows(&self, indices: &[usize]) -> Result<Vec<u8>, StreamError> {
        let row = self.sizes[1..].iter().product::<usize>() * self.element.size;
        let mut bytes = vec![0; indices.len() * row];
        match &self.location {
            Location::Held(values) => {
                for (index, into) in indices.iter().zip(bytes.chunks_mut(row.max(1))) {
                    into.copy_from_slice(&values[index * row..(index + 1) * row]);
                }
            }
            Location::File { start, length } => {
                let failed = |cause: std::io::Error| StreamError::file(&self.path, cause.to_string());
                let mut file = open_file(&self.path)?;
                if file.metadata().map_err(failed)?.len() != *length {
                    return Err(StreamError::file(&self.path, "changed while it was in use"));
                }
                let mut rest = bytes.as_mut_slice();
                // Rows that follow one another are read at once.
                for run in indices.chunk_by(|one, next| one + 1 == *next) {
                    let (into, others) = rest.split_at_mut(run.len() * row);
                    file.seek(SeekFrom::Start(start + (run[0] * row) as u64)).map_err(failed)?;
                    file.read_exact(into).map_err(failed)?;
                    rest = others;
                }
            }
        }
        Ok(bytes)
    }

    /// The values of the rows with these indices as 32-bit numbers.
    ///
    /// # Errors
    /// As [`read_rows`](Self::read_rows), and when a number is not finite.
    pub fn numbers(&self, indices: &[usize]) -> Result<Vec<f32>, StreamError> {
        let bytes = self.read_rows(indices)?;
        let numbers: Vec<_> = bytes.chunks_exact(self.element.size).map(|value| self.element.number(value)).collect();
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            let values = numbers.len() / indices.len();
            let (row, value) = (indices[at / values], at % values);
            let cause = format!("has {} in row {row}, value {value}; accepted: finite 32-bit numbers", numbers[at]);
            return Err(self.wrong(cause));
        }
        Ok(numbers)
    }

    /// The whole numbers of an array with one for each row. `what` names them in messages.
    ///
    /// # Errors
    /// When they are not whole numbers of 0 or more, or there is more than one in a row.
    pub fn whole_numbers(&self, what: &str) -> Result<Vec<usize>, StreamError> {
        if self.sizes[1..].iter().any(|size| *size != 1) {
            let accepted = format!("one {what} for each row, [{}]", self.rows());
            return Err(self.wrong(format!("has the shape {:?}; accepted: {accepted}", self.sizes)));
        }
        if !self.element.is_integer() {
            return Err(self.wrong(format!("has values of type {}; accepted: whole numbers", self.element)));
        }
        let bytes = self.read_rows(&(0..self.rows()).collect::<Vec<_>>())?;
        let number = |(row, value): (usize, &[u8])| {
            let little = self.element.little_endian(value);
            let signed = self.element.kind == ElementKind::Signed;
            let found = if signed { self.element.signed(little).try_into() } else { Ok(u64::from_le_bytes(little)) };
            let shown = || if signed { self.element.signed(little) } else { i64::MAX };
            let number = found.ok().and_then(|number| usize::try_from(number).ok());
            number.ok_or_else(|| self.wrong(format!("has the {what} {} in row {row}; accepted: 0 or more", shown())))
        };
        bytes.chunks_exact(self.element.size).enumerate().map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_type_become_the_number_that_they_are() {
        let of = |kind, size, big_endian| ElementType::new(kind, size, big_endian).unwrap();
        for (element, bytes, expected) in [
            // 1.5 is 0x3e00 in half precision, and 0x3fc0 as a brain float.
            (of(ElementKind::Float, 2, false), &[0x00, 0x3e][..], 1.5),
            (of(ElementKind::BrainFloat, 2, false), &[0xc0, 0x3f], 1.5),
            (of(ElementKind::Float, 4, true), &1.5f32.to_be_bytes(), 1.5),
            (of(ElementKind::Float, 8, false), &(-2.25f64).to_le_bytes(), -2.25),
            (of(ElementKind::Signed, 1, false), &[0xff], -1.0),
            (of(ElementKind::Signed, 2, true), &[0xff, 0xfe], -2.0),
            (of(ElementKind::Signed, 8, false), &(-3i64).to_le_bytes(), -3.0),
            (of(ElementKind::Unsigned, 2, true), &[1, 2], 258.0),
            (of(ElementKind::Bool, 1, false), &[1], 1.0),
        ] {
            assert_eq!(element.number(bytes), expected, "{element}");
        }
        assert!(ElementType::new(ElementKind::Float, 16, false).is_none());
    }
}

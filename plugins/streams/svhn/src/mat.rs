//! Numeric arrays of MATLAB's files, Level 5.
//!
//! A file has a header of 128 bytes, then data elements. The header ends with the version, 0x0100, and the letters `IM`
//! if numbers are little-endian. An element begins with a tag of eight bytes: its type and its number of bytes. The tag
//! itself may hold up to four bytes of data; its first number then holds both, with two bytes each. Elements are padded
//! to eight bytes, except compressed ones. A compressed element (type 15) is a zlib stream of one other element. An
//! array (type 14) has the elements flags, dimensions, name and values. Dimensions are signed 32-bit numbers. The first
//! dimension of the values varies fastest. Values may have any number type that can hold them, regardless of the
//! array's class (MathWorks, "MAT-File Format", R2019a, chapter 1, "Level 5 MAT-file format").

use std::io::Read;

use flate2::read::ZlibDecoder;

const HEADER: usize = 128;
const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;
/// The largest total size, in bytes, of a file's unpacked elements, because a zlib stream may claim any size. The
/// elements of `train_32x32.mat` have 225 million bytes.
const LARGEST: usize = 1 << 30;

/// An array.
#[derive(Debug)]
pub struct Matrix {
    /// The name of the array.
    pub name: String,
    /// The size of each dimension; the first one varies fastest.
    pub dimensions: Vec<usize>,
    kind: Kind,
    /// The element that holds the values, and their range in it.
    element: Vec<u8>,
    values: std::ops::Range<usize>,
}

/// The types of numbers: `miINT8`, `miUINT8` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        Some(match number {
            1 => Kind::I8,
            2 => Kind::U8,
            3 => Kind::I16,
            4 => Kind::U16,
            5 => Kind::I32,
            6 => Kind::U32,
            7 => Kind::F32,
            9 => Kind::F64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }

    /// A number from its bytes; [`bytes`](Self::bytes) is their number.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut all = [0; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        let [a, b, c, d, ..] = all;
        match self {
            Kind::I8 => f64::from(i8::from_le_bytes([a])),
            Kind::U8 => f64::from(a),
            Kind::I16 => f64::from(i16::from_le_bytes([a, b])),
            Kind::U16 => f64::from(u16::from_le_bytes([a, b])),
            Kind::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Kind::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Kind::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Kind::F64 => f64::from_le_bytes(all),
        }
    }
}

impl Matrix {
    /// The values, if they are stored as unsigned bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        (self.kind == Kind::U8).then(|| &self.element[self.values.clone()])
    }

    /// The values, converted from their stored type.
    pub fn numbers(&self) -> Result<Vec<f64>, String> {
        let values = &self.element[self.values.clone()];
        Ok(values.chunks_exact(self.kind.bytes()).map(|bytes| self.kind.number(bytes)).collect())
    }
}

/// The arrays of a file that have one of these names, in the order of the file. No name may occur twice. All unpacked
/// elements together may have at most 2³⁰ bytes.
///
/// # Errors
/// A description of the problem.
pub fn read(bytes: &[u8], names: &[&str]) -> Result<Vec<Matrix>, String> {
    read_within(LARGEST, bytes, names)
}

/// As [`read`], with a given limit of the unpacked size.
pub(crate) fn read_within(most: usize, bytes: &[u8], names: &[&str]) -> Result<Vec<Matrix>, String> {
    let (header, mut rest) = bytes.split_at_checked(HEADER).ok_or("shorter than the header of a MATLAB file")?;
    match header[HEADER - 4..] {
        [0, 1, b'I', b'M'] => {}
        [1, 0, b'M', b'I'] => return Err("is a big-endian MATLAB file; accepted: a little-endian one".to_owned()),
        _ => return Err("is not a MATLAB file of Level 5 (versions 5 to 7 of MATLAB)".to_owned()),
    }
    let (mut found, mut left): (Vec<Matrix>, _) = (vec![], most);
    while !rest.is_empty() {
        let element = match Tag::read(rest)? {
            // Not padded: the next element follows at once.
            Tag { kind: COMPRESSED, start, bytes, .. } => {
                let stream = rest.get(start..start.saturating_add(bytes)).ok_or(CUT_SHORT)?;
                rest = &rest[start + bytes..];
                let element = unpack(stream, left)?;
                left -= element.len();
                element
            }
            tag => {
                let end = tag.start.saturating_add(tag.bytes);
                let whole = rest.get(..end).ok_or(CUT_SHORT)?.to_vec();
                rest = rest.get(tag.padded()..).unwrap_or_default();
                whole
            }
        };
        let Some(matrix) = matrix(element, names)? else { continue };
        if found.iter().any(|other| other.name == matrix.name) {
            return Err(format!("holds two arrays {}", matrix.name));
        }
        found.push(matrix);
    }
    Ok(found)
}

const CUT_SHORT: &str = "cut short within an element";

/// The tag of an element.
#[derive(Debug)]
struct Tag {
    kind: u32,
    /// The start of its data, relative to the tag.
    start: usize,
    /// The number of bytes of its data.
    bytes: usize,
}

impl Tag {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let tag: &[u8; 8] = bytes.first_chunk().ok_or("cut short within the tag of an element")?;
        let [a, b, c, d, e, f, g, h] = *tag;
        let (kind, size) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        Ok(match kind >> 16 {
            0 => Tag { kind, start: 8, bytes: size as usize },
            small @ 1..=4 => Tag { kind: kind & 0xffff, start: 4, bytes: small as usize },
            _ => return Err(format!("has an element of the unknown type {kind}")),
        })
    }

    /// The start of the next element, relative to the tag.
    fn padded(&self) -> usize {
        match self.start {
            4 => 8,
            start => start.saturating_add(self.bytes).next_multiple_of(8),
        }
    }
}

/// Unpacks the element in a compressed one, up to the length that it states, and at most `most` bytes.
fn unpack(stream: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let damaged = |error: std::io::Error| format!("a compressed element is damaged or cut short ({error})");
    let mut decoder = ZlibDecoder::new(stream);
    let mut element = vec![0; 8];
    decoder.read_exact(&mut element).map_err(damaged)?;
    let tag = Tag::read(&element)?;
    let end = tag.start.saturating_add(tag.bytes);
    if end.max(element.len()) > most {
        return Err(format!("a compressed element claims to have {} bytes; accepted here: at most {most}", tag.bytes));
    }
    decoder.take(end.saturating_sub(8) as u64).read_to_end(&mut element).map_err(damaged)?;
    if element.len() < end {
        return Err("a compressed element is shorter than it states".to_owned());
    }
    Ok(element)
}

/// The array in an element; `None` if the element is not an array with one of the names.
fn matrix(element: Vec<u8>, names: &[&str]) -> Result<Option<Matrix>, String> {
    let outer = Tag::read(&element)?;
    if outer.kind != MATRIX {
        return Ok(None);
    }
    let mut at = outer.start;
    let mut part = || {
        let tag = Tag::read(element.get(at..).ok_or(CUT_SHORT)?)?;
        let data = at + tag.start..at.saturating_add(tag.start).saturating_add(tag.bytes);
        if element.get(data.clone()).is_none() {
            return Err(CUT_SHORT.to_owned());
        }
        at = at.saturating_add(tag.padded());
        Ok((tag.kind, data))
    };
    let [(_, flags), (_, dimensions), (_, name)] = [part()?, part()?, part()?];
    let name = String::from_utf8_lossy(&element[name]).into_owned();
    if !names.contains(&name.as_str()) {
        return Ok(None);
    }
    // Flags: the class in the first byte, whether it is complex in the second. Classes 6 to 15 are numeric.
    match element[flags] {
        [6..=15, second, ..] if second & 0x08 == 0 => {}
        _ => return Err(format!("{name} is not an array of real numbers")),
    }
    let dimensions: Vec<_> = element[dimensions]
        .chunks_exact(4)
        .map(|size| usize::try_from(i32::from_le_bytes([size[0], size[1], size[2], size[3]])))
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{name} has a dimension of negative size"))?;
    let (kind, values) = part()?;
    let kind = Kind::of(kind).ok_or_else(|| format!("{name} is stored as numbers of the unknown type {kind}"))?;
    let count = dimensions.iter().try_fold(kind.bytes(), |product, size| product.checked_mul(*size));
    if count != Some(values.len()) {
        return Err(format!("{name} states the shape {dimensions:?}, but has {} bytes", values.len()));
    }
    Ok(Some(Matrix { name, dimensions, kind, element, values }))
}

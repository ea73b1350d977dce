//! The values of a pickle.

use std::borrow::Cow;

/// The number of a value within its pickle.
pub type Id = u32;

/// All values of a pickle. They refer to each other by number, so a pickle may even hold itself.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub(super) values: Vec<Value<'a>>,
    /// The value that the pickle stands for.
    pub(super) root: Id,
}

/// A value; texts and bytes stay in the file.
#[derive(Debug)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A text or bytes; Python 2 does not distinguish them.
    Text(&'a [u8]),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A function of numpy.
    Function(Function),
    /// The type of an array's items: unsigned bytes, the only type of images.
    Bytes,
    /// A numpy array of unsigned bytes.
    Array(Array<'a>),
}

/// The functions that may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Reconstruct,
    NdArray,
    DType,
}

/// A numpy array of unsigned bytes.
#[derive(Debug, Default)]
pub struct Array<'a> {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// Whether the first dimension varies fastest, instead of the last.
    pub fortran: bool,
    /// The items; their number fits the shape.
    pub items: &'a [u8],
}

impl<'a> Array<'a> {
    /// A row of an array of two dimensions.
    pub fn row(&self, number: usize) -> Cow<'a, [u8]> {
        let [rows, columns] = self.shape[..] else { return Cow::Borrowed(&[]) };
        if self.fortran {
            (0..columns).map(|column| self.items[column * rows + number]).collect()
        } else {
            Cow::Borrowed(&self.items[number * columns..(number + 1) * columns])
        }
    }
}

impl<'a> Pickle<'a> {
    /// The value for a key of the dict that the pickle stands for. If there are several, the last one.
    pub fn entry(&self, key: &str) -> Result<&Value<'a>, String> {
        let Value::Dict(entries) = self.get(self.root) else {
            return Err(format!("is a pickle of {}, not of a dict", self.get(self.root).kind()));
        };
        let of_key = |(own, _): &&(Id, Id)| matches!(self.get(*own), Value::Text(own) if *own == key.as_bytes());
        let entry = entries.iter().rev().find(of_key);
        entry.map(|(_, value)| self.get(*value)).ok_or_else(|| format!("is a pickle of a dict without the key `{key}`"))
    }

    /// The items of the list for a key.
    pub fn list(&self, key: &str) -> Result<Vec<&Value<'a>>, String> {
        match self.entry(key)? {
            Value::List(items) => Ok(items.iter().map(|id| self.get(*id)).collect()),
            other => Err(format!("`{key}` is {}, not a list", other.kind())),
        }
    }

    fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }
}

impl Value<'_> {
    /// The kind of the value, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a Boolean",
            Value::Int(_) => "a whole number",
            Value::Text(_) => "a text",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dict",
            Value::Function(_) => "a function",
            Value::Bytes => "a numpy type",
            Value::Array(_) => "a numpy array",
        }
    }
}

//! What a pickle is made of. Objects name one another by number, so that sharing one costs nothing and none is ever
//! followed further than it is looked at.

use crate::Dtype;
use crate::pytorch::globals::Global;

/// The number of an object.
pub(crate) type Id = u32;

/// One object of a pickle.
#[derive(Debug)]
pub(crate) enum Object {
    None,
    Bool(bool),
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// Keys and values.
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// A class or function that is not known here, by the texts of its module and its name.
    Code {
        module: Id,
        name: Id,
    },
    /// What a call of a class or function would give that is not made here, and the tuple of its arguments. What is put into
    /// it later is forgotten.
    Made {
        by: Id,
        arguments: Id,
    },
    Storage(Storage),
    Tensor(TensorObject),
    /// Something that weights are not made of, with what Python calls it. Its content is forgotten.
    Other(&'static str),
}

impl Object {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Object::None => "None",
            Object::Bool(_) => "a bool",
            Object::Int(_) => "an int",
            Object::Text(_) => "a str",
            Object::Tuple(_) => "a tuple",
            Object::List(_) => "a list",
            Object::Dict(_) => "a dict",
            Object::Global(_) | Object::Code { .. } => "a class or function",
            Object::Made { .. } => "an object",
            Object::Storage(_) => "a storage",
            Object::Tensor(_) => "a tensor",
            Object::Other(kind) => kind,
        }
    }
}

/// Values, in an entry of the archive or behind the pickles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storage {
    /// A [`Global::Storage`].
    pub class: Id,
    /// What it is called there, a text.
    pub key: Id,
    /// How many values it has.
    pub length: i64,
    /// Whether a part of it is meant.
    pub is_view: bool,
}

/// A view of a storage, with nothing checked but that the parts are what they should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TensorObject {
    pub storage: Storage,
    /// The first value.
    pub offset: i64,
    /// A tuple.
    pub sizes: Id,
    /// A tuple.
    pub strides: Id,
    /// The type of the values, where the storage has none of its own and is counted in bytes.
    pub dtype: Option<Dtype>,
    /// Whether the values are those of the storage with their signs turned.
    pub negative: bool,
}

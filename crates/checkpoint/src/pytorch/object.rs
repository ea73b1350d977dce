//! The objects of a pickle. They refer to one another by number, so a shared object is stored once, and objects are
//! visited only when needed.

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
    /// An unknown class or function: the texts of its module and its name.
    Code {
        module: Id,
        name: Id,
    },
    /// The result of a call that is not evaluated here: the class or function, and the tuple of arguments. Later
    /// additions to the object are discarded.
    Made {
        by: Id,
        arguments: Id,
    },
    Storage(Storage),
    Tensor(TensorObject),
    /// An object that weights do not need, by its name in Python. Its content is discarded.
    Other(&'static str),
}

impl Object {
    /// The kind of the object, for messages.
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

/// A storage of values: an entry of the archive, or a section after the pickles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storage {
    /// A [`Global::Storage`].
    pub class: Id,
    /// Its key there, a text.
    pub key: Id,
    /// How many values it has.
    pub length: i64,
    /// Whether only a part of it is used.
    pub is_view: bool,
}

/// A tensor as a view of a storage. Only the kinds of its components were checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TensorObject {
    pub storage: Storage,
    /// The first value.
    pub offset: i64,
    /// A tuple.
    pub sizes: Id,
    /// A tuple.
    pub strides: Id,
    /// The type of the values, if the storage is untyped and its length is in bytes.
    pub dtype: Option<Dtype>,
    /// Whether the values are those of the storage, negated.
    pub negative: bool,
}

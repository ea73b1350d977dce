//! The source files of the readers of data sets, without the crates that need burn. Stand-ins replace the types
//! that the readers take from those crates, so a fuzz target builds in a minute.

#![allow(dead_code, unused_imports, missing_docs)]

extern crate self as alluvium_model;
extern crate self as alluvium_store;
extern crate self as alluvium_stream;

// crates/stream
#[path = "../../src/dataset.rs"]
mod dataset;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/file.rs"]
mod file;
#[path = "../../src/idx.rs"]
pub mod idx;
#[path = "../../src/images.rs"]
mod images;
#[path = "../../src/picture/mod.rs"]
pub mod picture;
#[path = "../../src/samples.rs"]
mod samples;
#[path = "../../src/target.rs"]
mod target;
#[path = "../../src/values.rs"]
mod values;

// crates/store
#[path = "../../../store/src/text.rs"]
pub mod text;

pub use dataset::DataSet;
pub use error::StreamError;
pub use file::{open_file, read_file, read_text};
pub use images::read_each;
pub use samples::{DataPart, Samples};
pub use values::{Normalisation, ValueType};

// plugins/streams/split-cifar
#[path = "../../../../plugins/streams/split-cifar/src/archive.rs"]
pub mod archive;
#[path = "../../../../plugins/streams/split-cifar/src/binary.rs"]
pub mod binary;
#[path = "../../../../plugins/streams/split-cifar/src/labelling.rs"]
pub mod labelling;
#[path = "../../../../plugins/streams/split-cifar/src/pickle/mod.rs"]
mod pickle;
#[path = "../../../../plugins/streams/split-cifar/src/python.rs"]
pub mod python;

pub const INPUT: [usize; 3] = [3, 32, 32];
pub const IMAGE_BYTES: usize = 3 * 32 * 32;

// plugins/streams/core50
#[path = "../../../../plugins/streams/core50/src/folder.rs"]
mod folder;
#[path = "../../../../plugins/streams/core50/src/frame.rs"]
mod frame;
#[path = "../../../../plugins/streams/core50/src/lists.rs"]
pub mod lists;

// plugins/streams/parquet
#[path = "../../../../plugins/streams/parquet/src/classes.rs"]
pub mod classes;
#[path = "../../../../plugins/streams/parquet/src/columns.rs"]
pub mod columns;
#[path = "../../../../plugins/streams/parquet/src/names.rs"]
mod names;
#[path = "../../../../plugins/streams/parquet/src/packing.rs"]
mod packing;
#[path = "../../../../plugins/streams/parquet/src/pages.rs"]
mod pages;
#[path = "../../../../plugins/streams/parquet/src/table.rs"]
pub mod table;

// plugins/streams/svhn
#[path = "../../../../plugins/streams/svhn/src/digits.rs"]
pub mod digits;
#[path = "../../../../plugins/streams/svhn/src/mat.rs"]
mod mat;

// plugins/streams/split-tiny-imagenet
#[path = "../../../../plugins/streams/split-tiny-imagenet/src/files.rs"]
pub mod tiny_imagenet;

// crates/model
#[path = "../../../model/src/shape.rs"]
mod shape;

pub use shape::{InputShape, PictureShape};

/// As in `alluvium-model`.
#[derive(Debug)]
pub struct HeadSpec {
    pub classes: Vec<usize>,
}

//! The source files of the readers of data sets, without the crates that need burn. A stand-in replaces the one type
//! that the readers take from those crates, so a fuzz target builds in a minute.

#![allow(dead_code, unused_imports, missing_docs)]

use std::fmt;

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

// crates/store
#[path = "../../../store/src/text.rs"]
pub mod text;

pub use dataset::DataSet;
pub use error::StreamError;
pub use file::{open_file, read_file, read_text};
pub use images::read_each;
pub use samples::{DataPart, Samples};

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

/// As in `alluvium-model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputShape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl InputShape {
    pub fn values(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl From<[usize; 3]> for InputShape {
    fn from([channels, height, width]: [usize; 3]) -> Self {
        InputShape { channels, height, width }
    }
}

impl fmt::Display for InputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

//! The streams `split-cifar-10` and `split-cifar-100`: CIFAR-10 and CIFAR-100 in their original files, split over devices.
//!
//! `cifar10` and `cifar100` hold the options of each stream, `archive` finds the version of the files, and `labelling`
//! says which label is the class. `binary` and `python` each read one version, and `pickle` reads the format of the
//! Python version.

mod archive;
mod binary;
mod cifar10;
mod cifar100;
mod labelling;
mod pickle;
mod python;

pub use cifar10::SplitCifar10Config;
pub use cifar100::{Labels, SplitCifar100Config};

/// The shape of every image (channels, height, width), and its number of bytes.
const INPUT: [usize; 3] = [3, 32, 32];
const IMAGE_BYTES: usize = 3 * 32 * 32;

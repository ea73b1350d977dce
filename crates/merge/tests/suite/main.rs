//! Models merged piece by piece: what may be merged, and what comes out. How much memory it takes is in `memory.rs`.

mod classifiers;
#[path = "../files/mod.rs"]
mod files;
mod requests;
mod whole;
mod wide;

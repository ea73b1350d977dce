//! The tests of the command line in one binary: it is linked once, and its tests run side by side in one process.
//!
//! They register the strategy `witness` (see `witness`). Tests that read the registry see it beside the kinds of the shipped
//! binary. `tests/precision.rs` changes a setting of the whole process, so it is a binary of its own.

#[path = "../../../checkpoint/tests/by_hand/mod.rs"]
mod by_hand;
mod classifiers;
mod command;
mod consolidate;
mod control;
mod damage;
mod data;
mod devices;
mod durable;
mod ensemble;
mod foreign_files;
mod hostile;
mod inputs;
mod low_rank;
mod miniatures;
mod misfits;
mod own_networks;
mod paper;
mod perceptron;
mod protocols;
mod refusals;
mod registry;
mod schema;
mod surrogates;
mod sweep;
mod tiny;
mod unknown_task;
mod witness;

// Links the plugins of the shipped binary.
use alluvium_cli as _;

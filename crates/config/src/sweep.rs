//! Sweeps: lists of values where one value is expected, and the variants and rows that they give.

mod expansion;
mod shape;
mod tree;

pub(crate) use expansion::Expansion;
pub(crate) use shape::{NOT_SWEPT, OWN_BACKBONE, OWN_NETWORKS, PLUGIN_TABLES, Schemas};
pub use shape::{ROW_DEVICE, ROW_PROTOCOL, ROW_SURROGATE, ROW_UNKNOWN_TASK};
pub(crate) use tree::Pick;

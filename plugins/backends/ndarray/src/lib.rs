//! The `ndarray` backend: burn's older CPU backend, kept to compare numbers with. Empty without the feature `ndarray`.

#[cfg(feature = "ndarray")]
mod config;

#[cfg(feature = "ndarray")]
pub use config::NdArrayConfig;

#[cfg(not(feature = "ndarray"))]
alluvium_backend::registry::left_out!(alluvium_backend::registry::Family::Backend, "ndarray", feature: "ndarray");

//! The `cuda` backend: NVIDIA GPUs, through CubeCL. Empty without the feature `cuda`.

#[cfg(feature = "cuda")]
mod config;

#[cfg(feature = "cuda")]
pub use config::CudaConfig;

#[cfg(not(feature = "cuda"))]
alluvium_backend::registry::left_out!(alluvium_backend::registry::Family::Backend, "cuda", feature: "cuda");

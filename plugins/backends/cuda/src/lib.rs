//! The `cuda` backend: NVIDIA GPUs, through CubeCL. Empty without the feature `cuda`.

#[cfg(feature = "cuda")]
mod config;

#[cfg(feature = "cuda")]
pub use config::CudaConfig;

//! The `wgpu` backend: GPUs of any maker, through Vulkan, Metal, DirectX 12 or WebGPU. Empty without the feature `wgpu`.

#[cfg(feature = "wgpu")]
mod config;

#[cfg(feature = "wgpu")]
pub use config::{Adapter, WgpuConfig};

#[cfg(not(feature = "wgpu"))]
alluvium_backend::registry::left_out!(alluvium_backend::registry::Family::Backend, "wgpu", feature: "wgpu");

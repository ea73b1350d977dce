//! The options, and the compute device that they open.

use std::sync::{Mutex, PoisonError};

use alluvium_backend::{BackendConfig, BackendError, Precision, options, plugin};
use burn::tensor::{Device, DeviceKind};

/// Which of the machine's graphics adapters runs the tensors.
#[options]
#[derive(Default)]
pub enum Adapter {
    /// The adapter that wgpu considers the fastest.
    #[default]
    Best,
    /// A GPU with its own memory.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A virtual machine's GPU.
    Virtual,
    /// A driver that computes on the processor, such as Mesa's lavapipe: for tests.
    Cpu,
}

/// Runs on a GPU of any maker, through Vulkan, Metal, DirectX 12 or WebGPU; needs the GPU's driver.
#[options]
#[derive(PartialEq, Eq)]
pub struct WgpuConfig {
    /// Which of the machine's graphics adapters to use: the `best` that wgpu finds, a `discrete`, `integrated` or
    /// `virtual` GPU, or a driver on the `cpu`.
    pub adapter: Adapter,
    /// The number of the adapter among those of its kind, from 0; `best` and `cpu` only have one.
    #[schemars(range(min = 0, max = 255))]
    pub device: usize,
    /// The precision of matrix products and convolutions.
    pub precision: Precision,
}

/// The open adapters: burn opens an adapter only once per process.
static OPENED: Mutex<Vec<(DeviceKind, Device)>> = Mutex::new(vec![]);

#[plugin(kind = "wgpu", paper = "https://crates.io/crates/burn-wgpu")]
impl BackendConfig for WgpuConfig {
    fn open(&self) -> Result<Device, BackendError> {
        let wrong = |cause| BackendError { kind: "wgpu".to_owned(), cause };
        let kind = match (self.adapter, self.device) {
            (Adapter::Best, 0) => DeviceKind::DefaultDevice,
            (Adapter::Cpu, 0) => DeviceKind::Cpu,
            (Adapter::Discrete, index) => DeviceKind::DiscreteGpu(index),
            (Adapter::Integrated, index) => DeviceKind::IntegratedGpu(index),
            (Adapter::Virtual, index) => DeviceKind::VirtualGpu(index),
            (Adapter::Best | Adapter::Cpu, index) => {
                return Err(wrong(format!("`device` = {index}, but there is one adapter of this kind; accepted: 0")));
            }
        };
        // The list is whole even if a thread panicked while it held the lock.
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = opened.iter().find(|(other, _)| *other == kind).map(|(_, device)| device.clone());
        let mut device = match known {
            Some(device) => device,
            None => {
                let device = Device::wgpu_options().device_kind(kind.clone()).init();
                let device = device.map_err(|error| wrong(format!("{error}; is the GPU's driver installed?")))?;
                opened.push((kind, device.clone()));
                device
            }
        };
        self.precision.settle(&mut device).map_err(wrong)?;
        Ok(device)
    }

    fn runs_on_host(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_adapter_is_an_error() {
        let error =
            WgpuConfig { adapter: Adapter::Virtual, device: 255, ..Default::default() }.open().unwrap_err().to_string();
        assert!(error.contains("\"wgpu\""), "{error}");
        let error =
            WgpuConfig { adapter: Adapter::Best, device: 1, ..Default::default() }.open().unwrap_err().to_string();
        assert!(error.contains("`device` = 1"), "{error}");
    }

    #[test]
    #[ignore = "needs a GPU, or a driver on the processor"]
    fn the_best_adapter_adds_and_opens_twice() {
        for _ in 0..2 {
            let compute = WgpuConfig::default().open().unwrap();
            let sum = burn::tensor::Tensor::<1>::from_floats([1.0, 2.0], &compute) + 0.5;
            assert_eq!(sum.into_data().try_into_vec::<f32>().unwrap(), [1.5, 2.5]);
        }
    }
}

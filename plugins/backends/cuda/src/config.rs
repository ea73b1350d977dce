//! The options, and the compute device that they open.

use alluvium_backend::{BackendConfig, BackendError, Precision, options, plugin};
use burn::tensor::{Device, DeviceType};

/// Runs on an NVIDIA GPU; needs NVIDIA's driver (`libcuda`), and NVRTC of the CUDA toolkit to compile kernels.
#[options]
#[derive(PartialEq, Eq)]
pub struct CudaConfig {
    /// The GPU, counted from 0 in the driver's order; the environment variable `CUDA_VISIBLE_DEVICES` changes that order.
    #[schemars(range(min = 0, max = 255))]
    pub device: usize,
    /// The precision of matrix products and convolutions.
    pub precision: Precision,
}

#[plugin(kind = "cuda", paper = "https://crates.io/crates/burn-cuda")]
impl BackendConfig for CudaConfig {
    fn open(&self) -> Result<Device, BackendError> {
        // burn opens a GPU at its first operation and panics if it does not exist. Counting GPUs does not panic.
        let found = Device::enumerate(DeviceType::Cuda).len();
        let wrong = |cause| BackendError { kind: "cuda".to_owned(), cause };
        if self.device < found {
            let mut device = Device::cuda(self.device);
            self.precision.settle(&mut device).map_err(|cause| wrong(format!("GPU {}: {cause}", self.device)))?;
            return Ok(device);
        }
        let cause = match found {
            0 => "no NVIDIA GPU was found, or its driver (libcuda) is not installed".to_owned(),
            1 => format!("`device` = {}, but there is one GPU; accepted: 0", self.device),
            _ => format!("`device` = {}, but there are {found} GPUs; accepted: 0 to {}", self.device, found - 1),
        };
        Err(wrong(cause))
    }

    fn runs_on_host(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_gpu_is_an_error() {
        let error = CudaConfig { device: 255, ..Default::default() }.open().unwrap_err().to_string();
        assert!(error.contains("\"cuda\"") && (error.contains("255") || error.contains("libcuda")), "{error}");
    }

    #[test]
    #[ignore = "needs an NVIDIA GPU"]
    fn the_first_gpu_adds() {
        let compute = CudaConfig::default().open().unwrap();
        let sum = burn::tensor::Tensor::<1>::from_floats([1.0, 2.0], &compute) + 0.5;
        assert_eq!(sum.into_data().try_into_vec::<f32>().unwrap(), [1.5, 2.5]);
    }
}

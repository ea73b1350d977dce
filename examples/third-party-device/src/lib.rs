//! The devices `unreliable`: each trains as a device of this process does, but some are never heard of again.

use alluvium_device::{
    Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceSettings, HandOut, LocalDevice,
    options, plugin,
};
use alluvium_model::{Progress, Seed};

/// Devices that train in this process, and of which some are never heard of again.
#[options]
pub struct UnreliableConfig {
    /// The fraction of devices that are lost.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.2)]
    pub lost: f64,
    /// How every device trains.
    pub training: DeviceSettings,
}

#[plugin(kind = "unreliable")]
impl DeviceConfig for UnreliableConfig {
    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        Ok(Box::new(Unreliable { lost: self.lost, seed: None, device: LocalDevice::new(place, self.training.clone()) }))
    }
}

#[derive(Debug)]
struct Unreliable<'a> {
    lost: f64,
    seed: Option<Seed>,
    device: LocalDevice<'a>,
}

impl Device for Unreliable<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        self.device.request()
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        self.seed = Some(model.terms.seed.of("unreliable"));
        self.device.take(model)
    }

    fn answer(&mut self, progress: &dyn Progress) -> Result<Answer, DeviceError> {
        // The seed is the visit's, so that the same devices are lost when a run is repeated.
        let lost = self.seed.is_some_and(|seed| (seed.number() as f64) < self.lost * 2_f64.powi(63));
        if lost { Ok(Answer::Never) } else { self.device.answer(progress) }
    }
}

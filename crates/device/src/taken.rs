//! The model that a device took and has not answered for.

use crate::{DeviceError, HandOut};

/// The model that a device took and has not answered for: one model, then one answer. What kinds of devices in this process have in
/// common.
#[derive(Debug, Default)]
pub struct TakenModel(Option<HandOut>);

impl TakenModel {
    /// Keeps a model until the device of the task answers for it.
    ///
    /// # Errors
    /// [`DeviceError::Order`] if there is one already.
    pub fn take(&mut self, task: &str, model: HandOut) -> Result<(), DeviceError> {
        if self.0.is_some() {
            return Err(DeviceError::Order {
                task: task.to_owned(),
                problem: "was given a second model before it answered",
            });
        }
        self.0 = Some(model);
        Ok(())
    }

    /// The model to answer for, which is none any more.
    ///
    /// # Errors
    /// [`DeviceError::Order`] if there is none.
    pub fn answer(&mut self, task: &str) -> Result<HandOut, DeviceError> {
        let none = || DeviceError::Order { task: task.to_owned(), problem: "has no model to answer for" };
        self.0.take().ok_or_else(none)
    }
}

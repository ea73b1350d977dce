//! What devices stated, by their table and number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use alluvium_device::{Announcement, DeviceConfig};

/// What a device stated, once it was asked.
type Statement = Arc<Mutex<Option<Announcement>>>;

/// What the devices of a seed stated. A device states the same to every row, so it is asked once.
#[derive(Default)]
pub(crate) struct StatedByDevices(Mutex<BTreeMap<(String, usize), Statement>>);

impl StatedByDevices {
    fn of(&self, devices: &dyn DeviceConfig, index: usize) -> Statement {
        let written = serde_json::to_string(devices).unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((written, index)).or_default().clone()
    }

    /// What a device stated; it is asked if it did not yet. Only those who need the same device wait for it.
    pub(crate) fn or_ask<E>(
        &self,
        devices: &dyn DeviceConfig,
        index: usize,
        ask: impl FnOnce() -> Result<Announcement, E>,
    ) -> Result<Announcement, E> {
        let statement = self.of(devices, index);
        let mut known = statement.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(stated) => Ok(stated.clone()),
            None => Ok(known.insert(ask()?).clone()),
        }
    }

    /// Keeps what a device stated, unless it did before.
    pub(crate) fn keep(&self, devices: &dyn DeviceConfig, index: usize, stated: &Announcement) {
        let statement = self.of(devices, index);
        statement.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| stated.clone());
    }

    /// What any device with this number stated.
    pub(crate) fn by_any(&self, index: usize) -> Option<Announcement> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_index = all.iter().filter(|((_, of), _)| *of == index);
        of_index.find_map(|(_, statement)| statement.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

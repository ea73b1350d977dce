//! The list of visits: what an open centre handed out and received, in order. It is written before a contact takes effect, so a
//! killed process loses no contact.

use alluvium_device::Announcement;
use alluvium_model::Digest;
use alluvium_store::{Damage, Folder, StoreError};
use serde::{Deserialize, Serialize};

/// The file of the list in the run directory.
const FILE: &str = "visits.json";

/// A contact with a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Contact {
    /// A device took the model with this digest. Visits are numbered from 0.
    HandedOut { device: usize, announced: Announcement, model: Digest },
    /// A visit was answered with the expert of this digest.
    Received {
        visit: usize,
        expert: Digest,
        seconds: u64,
        /// What the device reported, where the centre has no test samples.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accuracy: Option<f64>,
    },
    /// A visit was given up. Its answer is refused from now on.
    GivenUp { visit: usize },
}

/// All contacts so far.
#[derive(Debug)]
pub(crate) struct Visits {
    folder: Folder,
    contacts: Vec<Contact>,
}

impl Visits {
    /// Whether a run directory has a list: it is that of a centre.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn are_in(folder: &Folder) -> Result<bool, StoreError> {
        folder.lists(FILE)
    }

    /// Reads the list of a run directory, or begins one.
    ///
    /// # Errors
    /// When the file cannot be read or written; or its damage.
    pub(crate) fn open(folder: Folder) -> Result<Result<Self, Damage>, StoreError> {
        if !Self::are_in(&folder)? {
            folder.write(&[(FILE, b"[]")])?;
            return Ok(Ok(Visits { folder, contacts: vec![] }));
        }
        let path = folder.path().join(FILE);
        Ok(folder.read(FILE)?.and_then(|bytes| {
            let contacts = serde_json::from_slice(&bytes);
            let contacts = contacts.map_err(|error| Damage { path, reason: error.to_string() })?;
            Ok(Visits { folder, contacts })
        }))
    }

    pub(crate) fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// Adds a contact, on disk first.
    ///
    /// # Errors
    /// [`StoreError::Write`]. The list is as before then.
    pub(crate) fn add(&mut self, contact: Contact) -> Result<(), StoreError> {
        self.contacts.push(contact);
        let text = serde_json::to_vec_pretty(&self.contacts).unwrap_or_default();
        self.folder.write(&[(FILE, &text)]).inspect_err(|_| _ = self.contacts.pop())
    }
}

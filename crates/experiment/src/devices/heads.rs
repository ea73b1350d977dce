//! The heads that several tasks share. Devices that are under way together begin from the same heads.
//!
//! A device that takes a model without its head adds a new head, with its own seed. If it is the only device under way, the
//! next device takes that head from the centre. Devices that are under way together would each add a different head, and the
//! mean of heads with different initial weights is useless. McMahan et al., arXiv 1602.05629, Algorithm 1, hand every client
//! the same w₀.

use std::collections::BTreeSet;

use alluvium_model::{Digest, HeadSpec, ModelState, Seed};
use burn::tensor::Device as Compute;
use serde_json::json;

use crate::ExperimentError;
use crate::devices::TaskNote;
use crate::stored::CentralModel;

/// The heads that two or more tasks share, with initial weights under one seed.
pub(crate) struct SharedHeads {
    heads: Vec<HeadSpec>,
    latent_size: usize,
    seed: Seed,
    /// The initial model with all of them.
    pub(crate) initial: CentralModel,
    /// The digest of the heads' names and classes.
    pub(crate) digest: Digest,
}

impl SharedHeads {
    /// The heads that these tasks share; `None` if they share none.
    pub(crate) fn of(
        tasks: &[TaskNote],
        initial: &ModelState,
        seed: Seed,
        compute: &Compute,
    ) -> Result<Option<Self>, ExperimentError> {
        let heads = shared(tasks.iter().map(|task| &task.head));
        if heads.is_empty() {
            return Ok(None);
        }
        let latent_size = initial.backbone.build(initial.input, compute)?.latent_size();
        let digest = Digest::of(json!(heads).to_string().as_bytes());
        let begun = grown(initial, &heads, latent_size, seed);
        Ok(Some(SharedHeads { heads, latent_size, seed, initial: CentralModel::initial(begun)?, digest }))
    }

    /// The model with the missing heads added; `None` if no head is missing.
    pub(crate) fn added_to(&self, model: &ModelState) -> Option<ModelState> {
        let lacks = self.heads.iter().any(|head| model.head(&head.name).is_none());
        lacks.then(|| grown(model, &self.heads, self.latent_size, self.seed))
    }
}

fn grown(model: &ModelState, heads: &[HeadSpec], latent_size: usize, seed: Seed) -> ModelState {
    let mut model = model.clone();
    heads.iter().for_each(|head| model.grow_head(head, latent_size, seed));
    model
}

/// The heads whose name occurs at least twice, each once, in the order of their second occurrence.
fn shared<'a>(heads: impl Iterator<Item = &'a HeadSpec>) -> Vec<HeadSpec> {
    let (mut known, mut shared) = (BTreeSet::new(), Vec::<HeadSpec>::new());
    for head in heads {
        if !known.insert(&head.name) && !shared.iter().any(|other| other.name == head.name) {
            shared.push(head.clone());
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_come_back_are_shared() {
        let heads = ["a", "b", "c", "b", "a", "b"].map(|name| HeadSpec { name: name.to_owned(), classes: vec![0, 1] });
        let names: Vec<_> = shared(heads.iter()).into_iter().map(|head| head.name).collect();
        assert_eq!(names, ["b", "a"]);
        assert!(shared(heads[..3].iter()).is_empty());
    }
}

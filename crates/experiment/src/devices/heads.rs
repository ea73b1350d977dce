//! The heads that several tasks share: devices that are under way together begin from the same ones.
//!
//! A device that takes a model without its head grows one with a seed of its own. Where it is the only one under way, the next
//! device takes that head from the centre. Devices that are under way together would each grow another, and a mean of heads
//! that began from different weights is no head: McMahan et al., arXiv 1602.05629, Algorithm 1, hand every client the same w₀.

use std::collections::BTreeSet;

use alluvium_model::{Digest, HeadSpec, ModelState, Seed};
use burn::tensor::Device as Compute;
use serde_json::json;

use crate::ExperimentError;
use crate::devices::TaskNote;
use crate::stored::CentralModel;

/// The heads that two tasks or more share, with initial weights under one seed.
pub(crate) struct SharedHeads {
    heads: Vec<HeadSpec>,
    latent_size: usize,
    seed: Seed,
    /// The initial model with all of them.
    pub(crate) initial: CentralModel,
    /// What tells them from those of another stream.
    pub(crate) digest: Digest,
}

impl SharedHeads {
    /// The heads that tasks share; `None` where they share none.
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

    /// The model with the heads that it lacks; `None` where it lacks none.
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

/// The heads whose name comes twice or more, each once, in the order in which they come back.
fn shared<'a>(heads: impl Iterator<Item = &'a HeadSpec>) -> Vec<HeadSpec> {
    let (mut met, mut shared) = (BTreeSet::new(), Vec::<HeadSpec>::new());
    for head in heads {
        if !met.insert(&head.name) && !shared.iter().any(|known| known.name == head.name) {
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

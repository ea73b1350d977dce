//! The order of mini-batches.

use alluvium_model::Random;
use rand::seq::SliceRandom;

/// The samples of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draw {
    /// The number of epochs before this one.
    pub(crate) epoch: usize,
    /// The number of the dataset.
    pub(crate) dataset: usize,
    /// The samples' indices within the dataset.
    pub(crate) indices: Vec<usize>,
}

/// An endless sequence of draws. An epoch contains every sample of every dataset once; every epoch has a new order. The
/// sequence is empty if no dataset has samples.
#[derive(Debug)]
pub(crate) struct Order {
    sizes: Vec<usize>,
    batch_size: usize,
    random: Random,
    epochs: usize,
    waiting: Vec<(usize, Vec<usize>)>,
}

impl Order {
    /// Batches of at most `batch_size` samples. `sizes` are the numbers of samples of the datasets.
    pub(crate) fn new(sizes: Vec<usize>, batch_size: usize, random: Random) -> Self {
        Order { sizes, batch_size, random, epochs: 0, waiting: vec![] }
    }

    /// The number of batches of an epoch.
    pub(crate) fn per_epoch(&self) -> usize {
        self.sizes.iter().map(|size| size.div_ceil(self.batch_size)).sum()
    }

    /// One epoch: every sample of every dataset once, in batches of one dataset each, in random order.
    fn shuffled(&mut self) -> Vec<(usize, Vec<usize>)> {
        let mut batches = vec![];
        for (dataset, size) in self.sizes.iter().enumerate() {
            let mut indices: Vec<_> = (0..*size).collect();
            indices.shuffle(&mut self.random);
            batches.extend(indices.chunks(self.batch_size).map(|batch| (dataset, batch.to_vec())));
        }
        batches.shuffle(&mut self.random);
        batches
    }
}

impl Iterator for Order {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        if self.waiting.is_empty() {
            self.waiting = self.shuffled();
            self.epochs += 1;
        }
        let (dataset, indices) = self.waiting.pop()?;
        Some(Draw { epoch: self.epochs - 1, dataset, indices })
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;

    use super::*;

    #[test]
    fn an_epoch_has_every_sample_once_and_the_next_has_another_order() {
        let mut order = Order::new(vec![5, 4], 2, Seed::new(1).random());
        assert_eq!(order.per_epoch(), 5); // 3 + 2
        let epochs = [0, 1].map(|epoch| {
            let draws: Vec<_> = order.by_ref().take(5).collect();
            assert!(draws.iter().all(|draw| draw.epoch == epoch && draw.indices.len() <= 2));
            let mut seen: Vec<_> =
                draws.iter().flat_map(|draw| draw.indices.iter().map(|index| (draw.dataset, *index))).collect();
            seen.sort_unstable();
            let all = (0..5).map(|index| (0, index)).chain((0..4).map(|index| (1, index)));
            assert_eq!(seen, all.collect::<Vec<_>>());
            draws.into_iter().map(|draw| (draw.dataset, draw.indices)).collect::<Vec<_>>()
        });
        assert_ne!(epochs[0], epochs[1]);
    }

    #[test]
    fn the_order_under_a_seed_stays() {
        // The order of the first published results. Another order would change their numbers.
        let order = Order::new(vec![5, 4], 2, Seed::new(1).random());
        let draws: Vec<_> = order.take(7).map(|draw| (draw.dataset, draw.indices)).collect();
        let expected: [(usize, &[usize]); 7] =
            [(0, &[0, 4]), (0, &[3, 2]), (1, &[2, 3]), (0, &[1]), (1, &[1, 0]), (0, &[2, 0]), (0, &[1, 3])];
        assert_eq!(draws, expected.map(|(dataset, indices)| (dataset, indices.to_vec())));
    }

    #[test]
    fn without_samples_there_is_none() {
        assert_eq!(Order::new(vec![], 2, Seed::new(1).random()).next(), None);
        assert_eq!(Order::new(vec![0], 2, Seed::new(1).random()).next(), None);
    }
}

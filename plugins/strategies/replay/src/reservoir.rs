//! Which samples of a stream are kept: Vitter's algorithm R.

use rand::{Rng, RngExt};

/// A reservoir: at any time a uniform sample, of at most `capacity` items, of all that were offered.
#[derive(Debug, Clone)]
pub(crate) struct Reservoir<T> {
    capacity: usize,
    offered: usize,
    kept: Vec<T>,
}

impl<T> Reservoir<T> {
    /// An empty reservoir.
    pub(crate) fn new(capacity: usize) -> Self {
        Reservoir { capacity, offered: 0, kept: vec![] }
    }

    /// Offers the next item: item number n (from 1) is kept with the probability capacity/n, in a slot drawn at random.
    pub(crate) fn offer(&mut self, item: T, random: &mut impl Rng) {
        self.offered += 1;
        if self.kept.len() < self.capacity {
            self.kept.push(item);
            return;
        }
        let slot = random.random_range(0..self.offered);
        if let Some(kept) = self.kept.get_mut(slot) {
            *kept = item;
        }
    }

    /// The kept items, in the order of the slots.
    pub(crate) fn into_kept(self) -> Vec<T> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;

    use super::*;

    fn kept(offered: usize, capacity: usize, seed: u64) -> Vec<usize> {
        let mut random = Seed::new(seed).random();
        let mut reservoir = Reservoir::new(capacity);
        (0..offered).for_each(|item| reservoir.offer(item, &mut random));
        reservoir.into_kept()
    }

    #[test]
    fn a_reservoir_that_is_not_full_keeps_all() {
        assert_eq!(kept(4, 5, 1), [0, 1, 2, 3]);
        assert_eq!(kept(5, 5, 1), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn every_item_is_kept_with_the_same_probability() {
        // 4 of 20 are kept: p = 0.2. In 4000 reservoirs, an item is kept 800 times on average, with a standard deviation of
        // √(4000·0.2·0.8) = 25.3; five of them are 127.
        let mut counts = [0_i32; 20];
        for seed in 0..4000 {
            kept(20, 4, seed).into_iter().for_each(|item| counts[item] += 1);
        }
        assert_eq!(counts.iter().sum::<i32>(), 16_000);
        assert!(counts.iter().all(|count| (count - 800).abs() < 127), "{counts:?}");
    }

    #[test]
    fn the_same_seed_keeps_the_same_and_what_comes_later_only_replaces() {
        assert_eq!(kept(50, 8, 3), kept(50, 8, 3));
        assert_ne!(kept(50, 8, 3), kept(50, 8, 4));
        // Filling a reservoir again with a longer stream equals keeping it and offering the rest.
        let (before, after) = (kept(50, 8, 3), kept(80, 8, 3));
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || *after >= 50));
        assert_ne!(before, after);
    }
}

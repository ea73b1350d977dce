//! The order of the tasks of several streams.

use alluvium_stream::{Seed, options};
use rand::seq::SliceRandom;

/// The order of the tasks of several streams.
#[options]
#[derive(Default)]
pub enum Order {
    /// One task of each stream, then the next of each. A stream without further tasks is skipped.
    #[default]
    InTurn,
    /// All of the first stream, then all of the second.
    OneAfterAnother,
    /// In random order, by the seed.
    Shuffled,
}

impl Order {
    /// The stream of each task, and the task's index within it. `counts` are the streams' numbers of tasks.
    pub(crate) fn tasks(self, counts: &[usize], seed: Seed) -> Vec<(usize, usize)> {
        let streams = counts.iter().enumerate();
        let mut tasks: Vec<_> =
            streams.flat_map(|(stream, count)| (0..*count).map(move |index| (stream, index))).collect();
        match self {
            Order::InTurn => tasks.sort_by_key(|(stream, index)| (*index, *stream)),
            Order::OneAfterAnother => {}
            Order::Shuffled => tasks.shuffle(&mut seed.random()),
        }
        tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_comes_once_in_the_given_order() {
        let tasks = |order: Order, seed| order.tasks(&[1, 3, 2], Seed::new(seed));
        assert_eq!(tasks(Order::InTurn, 0), [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (1, 2)]);
        let after = [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)];
        assert_eq!(tasks(Order::OneAfterAnother, 0), after);
        let mut shuffled = tasks(Order::Shuffled, 0);
        assert_eq!(shuffled, tasks(Order::Shuffled, 0));
        assert!((1..20).any(|seed| tasks(Order::Shuffled, seed) != shuffled));
        shuffled.sort_unstable();
        assert_eq!(shuffled, after);
    }
}

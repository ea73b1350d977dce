//! Divides samples equally, each into one part only.

use alluvium_model::Seed;
use rand::seq::SliceRandom;

/// Deals samples in turn, class after class and in random order within each class. The parts' numbers of samples differ
/// by at most one, in total and for every class. A single part has all indices, unchanged.
pub(super) fn in_turn(labels: &[usize], mut indices: Vec<usize>, parts: usize, seed: Seed) -> Vec<Vec<usize>> {
    if parts == 1 {
        return vec![indices];
    }
    indices.shuffle(&mut seed.random());
    indices.sort_by_key(|index| labels[*index]); // stable: the order within a class stays random
    let mut dealt = vec![vec![]; parts];
    for (turn, index) in indices.into_iter().enumerate() {
        dealt[turn % parts].push(index);
    }
    dealt.iter_mut().for_each(|part| part.sort_unstable());
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_in_every_class_and_together_everything() {
        // 7 samples of class 0, 8 of class 1, 3 of class 2, mixed.
        let labels = [0, 1, 1, 0, 2, 1, 0, 1, 0, 2, 1, 1, 0, 0, 1, 2, 0, 1];
        let dealt = in_turn(&labels, (0..18).collect(), 4, Seed::new(3));
        let mut all = dealt.concat();
        all.sort_unstable();
        assert_eq!(all, (0..18).collect::<Vec<_>>());
        for part in &dealt {
            assert!(part.is_sorted() && [4, 5].contains(&part.len()), "18 / 4 is 4 or 5: {part:?}");
            // 7 / 4 is 1 or 2, 8 / 4 is 2, 3 / 4 is 0 or 1.
            for (class, accepted) in [(0, 1..=2), (1, 2..=2), (2, 0..=1)] {
                let count = part.iter().filter(|index| labels[**index] == class).count();
                assert!(accepted.contains(&count), "{count} of class {class}");
            }
        }
        assert_eq!(dealt, in_turn(&labels, (0..18).collect(), 4, Seed::new(3)));
        assert_ne!(dealt, in_turn(&labels, (0..18).collect(), 4, Seed::new(4)));
    }

    #[test]
    fn one_part_is_what_there_is() {
        assert_eq!(in_turn(&[0; 9], vec![5, 2, 8], 1, Seed::new(0)), [[5, 2, 8]]);
    }
}

//! The number of training samples that a device keeps.

use std::collections::BTreeMap;

use alluvium_model::Seed;
use rand::seq::SliceRandom;

/// The fraction of its samples that each device keeps. The fractions fall from 1 to `ratio`, each smaller than the last
/// by the same factor; the seed decides which device has which.
pub(super) fn fractions(devices: usize, ratio: f64, seed: Seed) -> Vec<f64> {
    let last = devices.saturating_sub(1).max(1) as f64;
    let mut fractions: Vec<_> = (0..devices).map(|index| ratio.powf(index as f64 / last)).collect();
    fractions.shuffle(&mut seed.of("device sizes").random());
    fractions
}

/// At most `most` of these samples of each class, drawn by the seed, in ascending order.
pub(super) fn limited(labels: &[usize], indices: Vec<usize>, most: Option<usize>, seed: Seed) -> Vec<usize> {
    match most {
        Some(most) => cut(labels, indices, |_| most, seed),
        None => indices,
    }
}

/// The same fraction of these samples of each class, drawn by the seed. It is rounded to whole samples, but is at least
/// one.
pub(super) fn fraction_of(labels: &[usize], indices: Vec<usize>, fraction: f64, seed: Seed) -> Vec<usize> {
    if fraction == 1.0 {
        return indices;
    }
    let mut counts = BTreeMap::<usize, usize>::new();
    indices.iter().for_each(|index| *counts.entry(labels[*index]).or_default() += 1);
    let kept = |class| ((counts.get(&class).copied().unwrap_or_default() as f64 * fraction).round() as usize).max(1);
    cut(labels, indices, kept, seed)
}

/// The first samples of each class in a random order; `most` is their number for a class.
fn cut(labels: &[usize], mut indices: Vec<usize>, most: impl Fn(usize) -> usize, seed: Seed) -> Vec<usize> {
    indices.shuffle(&mut seed.random());
    let mut taken = BTreeMap::<usize, usize>::new();
    indices.retain(|index| {
        let class = labels[*index];
        let count = taken.entry(class).or_default();
        *count += 1;
        *count <= most(class)
    });
    indices.sort_unstable();
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_geometrically_from_all_to_the_ratio() {
        let mut found = fractions(4, 0.125, Seed::new(0));
        assert!((1..20).any(|seed| fractions(4, 0.125, Seed::new(seed)) != found), "the seed decides which is which");
        found.sort_by(|one, other| other.total_cmp(one));
        // 0.125^(1/3) = 0.5
        for (found, expected) in found.iter().zip([1.0, 0.5, 0.25, 0.125]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert_eq!(fractions(3, 1.0, Seed::new(0)), [1.0; 3]);
        assert_eq!(fractions(1, 0.5, Seed::new(0)), [1.0]);
    }

    #[test]
    fn the_same_fraction_of_each_class_is_kept() {
        // Ten samples of class 0, five of class 1, one of class 2.
        let labels: Vec<_> = [vec![0; 10], vec![1; 5], vec![2; 1]].concat();
        let kept = fraction_of(&labels, (0..16).collect(), 0.3, Seed::new(2));
        let count = |class| kept.iter().filter(|index| labels[**index] == class).count();
        // 0.3·10 = 3; 0.3·5 = 1.5, rounded 2; 0.3·1 = 0.3, but one at least.
        assert_eq!([0, 1, 2].map(count), [3, 2, 1]);
        assert!(kept.is_sorted());
    }
}

//! Wrong labels.

use alluvium_model::{Random, Seed};
use rand::RngExt;
use rand::seq::SliceRandom;

/// Replaces a fraction of the labels, rounded to whole samples and drawn by the seed, by another of the classes. All
/// other classes are equally likely.
pub(super) fn mislabelled(mut labels: Vec<usize>, classes: &[usize], fraction: f64, seed: Seed) -> Vec<usize> {
    let count = (labels.len() as f64 * fraction).round() as usize;
    if count == 0 {
        return labels;
    }
    let mut random = seed.random();
    let mut indices: Vec<_> = (0..labels.len()).collect();
    indices.shuffle(&mut random);
    for index in indices.into_iter().take(count) {
        labels[index] = other(labels[index], classes, &mut random).unwrap_or(labels[index]);
    }
    labels
}

/// A class other than `label`; `None` if there are no others.
fn other(label: usize, classes: &[usize], random: &mut Random) -> Option<usize> {
    let others: Vec<_> = classes.iter().copied().filter(|class| *class != label).collect();
    (!others.is_empty()).then(|| others[random.random_range(0..others.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_given_fraction_of_labels_is_wrong_and_other_classes_are_equally_likely() {
        let labels: Vec<_> = (0..900).map(|index| [2, 5][index % 2]).collect();
        let noisy = mislabelled(labels.clone(), &[2, 5, 7, 8], 1.0 / 3.0, Seed::new(1));
        let pairs: Vec<_> = labels.iter().zip(&noisy).collect();
        let wrong: Vec<_> = pairs.iter().filter(|(right, now)| right != now).collect();
        assert_eq!(wrong.len(), 300);
        for class in [2, 5] {
            let from: Vec<_> = wrong.iter().filter(|(right, _)| **right == class).collect();
            // Three others: each is a third of the wrong ones, to within five standard deviations, 5·√(150·⅓·⅔) = 29.
            for to in [2, 5, 7, 8].into_iter().filter(|to| *to != class) {
                let count = from.iter().filter(|(_, now)| **now == to).count() as f64;
                assert!((count - from.len() as f64 / 3.0).abs() < 29.0, "{class} becomes {to} {count} times");
            }
        }
        assert_eq!(mislabelled(labels.clone(), &[2, 5], 0.0, Seed::new(1)), labels);
        let all = mislabelled(labels.clone(), &[2, 5], 1.0, Seed::new(1));
        assert!(all.iter().zip(&labels).all(|(now, right)| now != right));
    }
}

//! Wrong labels.

use alluvium_model::{Random, Seed};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::Samples;

/// The samples with the labels of a part of them, drawn by the seed and rounded to whole samples, replaced by another of
/// the classes, all others equally likely.
pub(super) fn mislabelled(samples: Samples, classes: &[usize], part: f64, seed: Seed) -> Samples {
    let count = (samples.len() as f64 * part).round() as usize;
    if count == 0 {
        return samples;
    }
    let mut random = seed.random();
    let mut places: Vec<_> = (0..samples.len()).collect();
    places.shuffle(&mut random);
    let mut wrong = vec![None; samples.len()];
    for place in places.into_iter().take(count) {
        wrong[place] = other(samples.labels()[place], classes, &mut random);
    }
    samples.relabelled(|place, label| wrong[place].unwrap_or(label))
}

/// Another of the classes than `label`; `None` when there is none.
fn other(label: usize, classes: &[usize], random: &mut Random) -> Option<usize> {
    let others: Vec<_> = classes.iter().copied().filter(|class| *class != label).collect();
    (!others.is_empty()).then(|| others[random.random_range(0..others.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_labels_are_wrong_as_were_asked_for_and_others_are_equally_likely() {
        let mut samples = Samples::new([1, 1, 1].into());
        (0..900).for_each(|place| samples.push(&[(place % 251) as u8], [2, 5, 7, 8][place % 2]));
        let noisy = mislabelled(samples.clone(), &[2, 5, 7, 8], 1.0 / 3.0, Seed::new(1));
        let pairs: Vec<_> = samples.labels().iter().zip(noisy.labels()).collect();
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
        assert!((0..900).all(|place| noisy.image(place) == samples.image(place)));
        assert_eq!(mislabelled(samples.clone(), &[2, 5], 0.0, Seed::new(1)).labels(), samples.labels());
        let all = mislabelled(samples.clone(), &[2, 5], 1.0, Seed::new(1));
        assert!(all.labels().iter().zip(samples.labels()).all(|(now, right)| now != right));
    }
}

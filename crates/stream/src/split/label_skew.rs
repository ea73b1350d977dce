//! Label skew: all devices learn the same classes, and differ in how often they see each.

use alluvium_model::{Random, Seed};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, Gamma};

use super::domain::shared_head;
use super::{Share, Split, deal, indices_of, sizes};
use crate::{DataSet, SplitTasks, StreamError};

impl Split {
    /// Label skew: all devices learn the first `classes_per_task` classes of the order through one head.
    ///
    /// Training samples are divided class by class. For class k, the devices' fractions are p_k ~ Dir(α, …, α), where α
    /// is the [`concentration`](super::SplitSettings::concentration) (Yurochkin et al., "Bayesian nonparametric
    /// federated learning of neural networks", ICML 2019, arXiv 1905.12022; "distribution-based label imbalance" of Li
    /// et al., arXiv 2102.02079). Devices also differ in their numbers of samples. (Hsu et al., arXiv 1909.06335,
    /// instead draw the fractions of the classes for each device, and give all devices the same number of samples.)
    /// Every device has at least one sample, or one for each of the [`rounds`](super::SplitSettings::rounds): a device
    /// without one gets it from the device that has most. Without a concentration, every class is divided equally.
    ///
    /// The test samples of every class are divided equally. So evaluating a model on all devices costs as much as
    /// evaluating it once on all test samples. The mean over devices is the accuracy on all test samples, except that
    /// numbers of samples may differ by one.
    ///
    /// # Errors
    /// When there are not enough classes, fewer samples than tasks, or an option is out of range or does not apply.
    pub fn by_label(&self, data: &DataSet, seed: Seed) -> Result<SplitTasks, StreamError> {
        self.settings.check(false, true)?;
        let classes = self.common_classes(&data.class_names, seed)?;
        let labels = data.train.labels();
        let train = indices_of(labels, &classes);
        let train = sizes::limited(labels, train, self.train_samples_per_class, seed.of("samples of classes"));
        let test = indices_of(data.test.labels(), &classes);
        let least = self.settings.rounds;
        let most = (train.len() / least).min(test.len());
        if self.tasks == 0 || self.tasks > most {
            return Err(StreamError::Option {
                option: "tasks",
                problem: format!(
                    "= {}, but these classes have {} training and {} test samples, and every device needs one in each of \
                     {least} rounds",
                    self.tasks,
                    train.len(),
                    test.len()
                ),
                accepted: format!("1 to {most}"),
            });
        }
        let train = match self.settings.concentration {
            None => deal::in_turn(labels, train, self.tasks, seed.of("training shares")),
            Some(concentration) => {
                let own = |class: &usize| train.iter().copied().filter(|index| labels[*index] == *class).collect();
                let of_classes = classes.iter().map(|class| (own(class), seed.at("shares of class", *class)));
                dirichlet(of_classes, concentration, self.tasks, least)
            }
        };
        let test = deal::in_turn(data.test.labels(), test, self.tasks, seed.of("test shares"));
        let shares = train.into_iter().zip(test).enumerate().map(|(index, (train, test))| Share {
            name: format!("share {}", index + 1),
            head: shared_head(&classes),
            train,
            test,
            seed: seed.at("samples of share", index),
        });
        self.finish(data, shares.collect(), None, seed)
    }
}

/// Divides the samples of each class by fractions drawn from a Dirichlet distribution. Each device gets at least
/// `least` samples.
fn dirichlet(
    classes: impl Iterator<Item = (Vec<usize>, Seed)>,
    concentration: f64,
    devices: usize,
    least: usize,
) -> Vec<Vec<usize>> {
    let mut dealt = vec![vec![]; devices];
    for (mut indices, seed) in classes {
        indices.shuffle(&mut seed.of("order").random());
        let mut fractions = fractions(concentration, devices, &mut seed.of("parts").random()).into_iter();
        let (mut from, mut sum) = (0, 0.0);
        for (device, own) in dealt.iter_mut().enumerate() {
            // The sums are rounded, so that every sample goes to a device.
            sum += fractions.next().unwrap_or_default();
            let to = if device + 1 == devices {
                indices.len()
            } else {
                ((sum * indices.len() as f64).round() as usize).clamp(from, indices.len())
            };
            own.extend_from_slice(&indices[from..to]);
            from = to;
        }
    }
    while let Some(poor) = dealt.iter().position(|indices| indices.len() < least) {
        let richest = (0..devices).max_by_key(|device| dealt[*device].len()).unwrap_or(poor);
        // With too few samples, this would never end; `by_label` refuses that.
        let spare = dealt[richest].len().saturating_sub(1);
        if spare < least {
            break;
        }
        let taken = dealt[richest].split_off(spare);
        dealt[poor].extend(taken);
    }
    dealt.iter_mut().for_each(|indices| indices.sort_unstable());
    dealt
}

/// One draw from Dir(α, …, α): independent Gamma(α) draws, divided by their sum.
///
/// Computed with logarithms, because for a small α all draws may be too small for a float: if g ~ Gamma(α + 1) and u is
/// uniform in (0, 1), then g·u^(1/α) ~ Gamma(α) (Marsaglia & Tsang, "A simple method for generating gamma variables",
/// ACM TOMS 2000, section 6).
fn fractions(concentration: f64, count: usize, random: &mut Random) -> Vec<f64> {
    let gamma = Gamma::new(concentration + 1.0, 1.0);
    let mut logarithm = || {
        let drawn = gamma.as_ref().map_or(1.0, |gamma| gamma.sample(random));
        let uniform = 1.0 - random.random::<f64>(); // in (0, 1]
        drawn.ln() + uniform.ln() / concentration
    };
    let logarithms: Vec<_> = (0..count).map(|_| logarithm()).collect();
    let largest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scaled: Vec<_> = logarithms.iter().map(|logarithm| (logarithm - largest).exp()).collect();
    let sum: f64 = scaled.iter().sum();
    scaled.iter().map(|fraction| fraction / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean, and the mean of the squares, of one device's fraction over many draws.
    fn moments(concentration: f64, devices: usize) -> (f64, f64) {
        let mut random = Seed::new(4).random();
        let draws = 20_000;
        let drawn: Vec<_> = (0..draws).map(|_| fractions(concentration, devices, &mut random)).collect();
        assert!(drawn.iter().all(|fractions| (fractions.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        let mean = |of: fn(f64) -> f64| drawn.iter().map(|fractions| of(fractions[1])).sum::<f64>() / f64::from(draws);
        (mean(|fraction| fraction), mean(|fraction| fraction * fraction))
    }

    #[test]
    fn fractions_have_the_moments_of_the_dirichlet_distribution() {
        // Each fraction of Dir(α, …, α) over n devices is Beta(α, (n − 1)α): mean 1/n, variance (n − 1) / (n²(nα + 1)).
        for (concentration, devices) in [(0.05, 4), (0.5, 5), (1.0, 3), (10.0, 4)] {
            let n = devices as f64;
            let variance = (n - 1.0) / (n * n * (n * concentration + 1.0));
            let (mean, squares) = moments(concentration, devices);
            // Five standard errors of the mean. The fourth moment is at most the first, 1/3, so the squares' mean is within
            // 5·√(1/3 / 20 000) = 0.02.
            assert!((mean - 1.0 / n).abs() < 5.0 * (variance / 20_000.0).sqrt(), "{concentration}: {mean}");
            assert!((squares - variance - 1.0 / (n * n)).abs() < 0.02, "{concentration}: {squares}");
        }
    }

    #[test]
    fn the_smallest_concentration_gives_a_class_to_one_device() {
        let mut random = Seed::new(1).random();
        for _ in 0..100 {
            let fractions = fractions(0.001, 10, &mut random);
            assert!(fractions.iter().all(|fraction| fraction.is_finite()), "{fractions:?}");
            assert!(fractions.iter().copied().fold(0.0, f64::max) > 0.5, "{fractions:?}");
        }
    }
}

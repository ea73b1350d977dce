//! Splitting one labelled data set over the devices of a stream.
//!
//! A split has two steps. The first says which samples a task has, by the shift between tasks: `class`, `domain` (or
//! both at once) and `label_skew`. The second is the same for all shifts: `rounds` in which devices come back, `sizes`,
//! and `label_noise`. A training sample is never on two devices.
//!
//! Both steps only use labels. [`SplitTasks`] reads the images, one task at a time.

mod class;
mod deal;
mod domain;
mod label_noise;
mod label_skew;
mod rounds;
mod settings;
mod sharing;
mod sizes;
mod tasks;

use alluvium_model::{HeadSpec, Seed};

use crate::{DataSet, StreamError};

pub use domain::Domains;
pub use settings::SplitSettings;
pub use tasks::SplitTasks;

use tasks::Deal;

/// How one labelled data set is split over devices.
///
/// [`by_class`](Self::by_class), [`by_domain`](Self::by_domain), [`by_class_and_domain`](Self::by_class_and_domain) and
/// [`by_label`](Self::by_label) each make the tasks of one shift. The same seed gives the same tasks.
#[derive(Debug, Clone)]
pub struct Split {
    /// The number of tasks. With [`rounds`](SplitSettings::rounds), the number of devices is this times the number of
    /// rounds.
    pub tasks: usize,
    /// The number of classes of each task.
    pub classes_per_task: usize,
    /// The names of the classes in the order in which tasks receive them. `None`: the seed shuffles the classes.
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class; the seed draws them. `None`: all. The limit is for each
    /// device, but for all devices together with [`by_label`](Self::by_label).
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    pub settings: SplitSettings,
}

/// A task before its samples are reduced: the samples of the data set that belong to it.
#[derive(Debug, Clone)]
struct Share {
    name: String,
    head: HeadSpec,
    /// Indices of training samples, ascending.
    train: Vec<usize>,
    /// Indices of test samples, ascending.
    test: Vec<usize>,
    /// The seed of every random choice among this task's samples.
    seed: Seed,
}

impl Split {
    /// Turns the tasks of one round into those of the stream: repeats devices, reduces their samples and makes labels
    /// wrong. `limit` is the largest number of training samples of each class of a device.
    fn finish(
        &self,
        data: &DataSet,
        shares: Vec<Share>,
        limit: Option<usize>,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        let labels = data.train.labels();
        let shares = rounds::repeat(shares, self.settings.rounds, labels);
        let fractions = sizes::fractions(shares.len(), self.settings.size_ratio, seed);
        self.settings.check_noise(&shares)?;
        let deals = shares.into_iter().zip(fractions).enumerate().map(|(index, (share, fraction))| {
            let train = sizes::limited(labels, share.train, limit, share.seed);
            let train = sizes::fraction_of(labels, train, fraction, share.seed.of("size"));
            let right = train.iter().map(|index| labels[*index]).collect();
            let noise = self.settings.noise_of(index);
            Deal {
                name: share.name,
                train_labels: label_noise::mislabelled(right, &share.head.classes, noise, share.seed.of("label noise")),
                train,
                test: share.test,
                head: share.head,
            }
        });
        SplitTasks::new(data.clone(), deals.collect())
    }
}

/// The indices of all samples of some classes; `labels` are those of all samples.
fn indices_of(labels: &[usize], classes: &[usize]) -> Vec<usize> {
    (0..labels.len()).filter(|index| classes.contains(&labels[*index])).collect()
}

#[cfg(test)]
mod tests;

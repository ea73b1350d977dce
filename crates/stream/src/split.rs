//! Splitting one labelled data set over the devices of a stream.
//!
//! A split has two halves. The first says which samples a task has, by the shift between tasks: `class`, `domain` (and both
//! at once) and `label_skew`. The second is the same for all: `rounds` in which devices come back, `sizes`, and
//! `label_noise`. Nothing here puts a training sample on two devices.
//!
//! All of it works on labels. Images are read by [`SplitTasks`], a task at a time.

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
    /// How many tasks are dealt; with [`rounds`](SplitSettings::rounds), so many times as many devices.
    pub tasks: usize,
    /// How many classes each of them has.
    pub classes_per_task: usize,
    /// The order in which classes are dealt to tasks, by name; `None`: shuffled by the seed.
    pub class_order: Option<Vec<String>>,
    /// At most so many training samples of each class, drawn by the seed; `None`: all. Of each device, but with
    /// [`by_label`](Self::by_label) of all devices together.
    pub train_samples_per_class: Option<usize>,
    /// What else there is to a split.
    pub settings: SplitSettings,
}

/// A task before its samples are cut: which samples of the data set are its own.
#[derive(Debug, Clone)]
struct Share {
    name: String,
    head: HeadSpec,
    /// Places among the training samples, ascending.
    train: Vec<usize>,
    /// Places among the test samples, ascending.
    test: Vec<usize>,
    /// The seed of all that is drawn of this task's samples.
    seed: Seed,
}

impl Split {
    /// From the tasks of one round to those of the stream: devices come back, their samples are cut, labels go wrong.
    /// `limit` is the most training samples of each class of a device.
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
            let right = train.iter().map(|place| labels[*place]).collect();
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

/// The places of all samples of some classes; `labels` are those of all samples.
fn places(labels: &[usize], classes: &[usize]) -> Vec<usize> {
    (0..labels.len()).filter(|place| classes.contains(&labels[*place])).collect()
}

#[cfg(test)]
mod tests;

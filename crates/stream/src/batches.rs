//! Mini-batches: the samples of one or several tasks, shuffled, each batch for one head.

use std::sync::atomic::{AtomicBool, Ordering};

use alluvium_model::{HeadSpec, InputShape, Inputs, Random, Seed};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::augmentation::{Augmentation, Augmenter, Image};
use crate::order::{Draw, Order};
use crate::prefetch::Prefetch;
use crate::samples::read;
use crate::{Samples, ValueType};

/// One task's samples and the head that learns them.
#[derive(Debug, Clone, Copy)]
pub struct TaskDataset<'a> {
    /// The head; its classes are the only ones that compete.
    pub head: &'a HeadSpec,
    /// The samples.
    pub samples: &'a Samples,
}

impl TaskDataset<'_> {
    /// The index of each sample's class within the head.
    ///
    /// # Panics
    /// When a label is not one of the head's classes. This is a defect of the stream;
    /// [`Task::check`](crate::Task::check) finds it.
    pub fn class_indices(&self) -> Vec<i32> {
        let indices = self.samples.targets().indices_within(self.head);
        indices.unwrap_or_else(|class| panic!("the head \"{}\" does not have the class {class}", self.head.name))
    }
}

/// Some samples of one dataset, on a compute device.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The number of the dataset.
    pub dataset: usize,
    /// The samples' indices within the dataset.
    pub indices: Tensor<1, Int>,
    /// Their inputs.
    pub inputs: Inputs,
    /// The index of each sample's class within the dataset's head.
    pub class_indices: Tensor<1, Int>,
}

impl Batch {
    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.inputs.len()
    }
}

/// If the inputs of all datasets take at most this many bytes as 32-bit numbers, they are copied to the compute device
/// once. If they have at most this many bytes, they are read into memory once.
const MOST_BYTES: usize = 256 << 20;

/// The number of prefetched batches that wait for the computation.
const READY: usize = 2;

/// The number of inputs that are read and augmented at a time. Between two pieces, the thread checks whether it should
/// stop.
const PIECE: usize = 64;

/// An endless sequence of batches. An epoch contains every sample of every dataset once; every epoch has a new order.
///
/// Every batch comes from one dataset; the order of the datasets is random. The sequence is empty if no dataset has
/// samples.
///
/// Inputs that are not augmented are copied to the compute device once if they take at most 256 MiB there. Otherwise
/// batches are prefetched during the computation: at most two wait, while a third is prepared. If the inputs are on
/// disk and have more than 256 MiB, only the inputs of one batch are read at a time. Reading, decoding and
/// augmenting use all cores of the processor; the result does not depend on their number. Prefetching stops when this
/// is dropped. Both ways give the same numbers.
#[derive(Debug)]
pub struct Batches {
    per_epoch: usize,
    class_indices: Vec<Vec<i32>>,
    source: Source,
    compute: Device,
}

/// Where inputs come from.
#[derive(Debug)]
enum Source {
    /// All inputs are on the compute device, one batch per dataset.
    Uploaded(Vec<Inputs>, Box<Order>),
    /// Inputs are prepared batch by batch.
    Prefetched(Prefetch<PreparedBatch>),
}

/// A batch that is ready to be copied to the compute device.
#[derive(Debug)]
struct PreparedBatch {
    draw: Draw,
    /// `[batch, values]`.
    values: Vec<f32>,
    input: InputShape,
}

impl Batches {
    /// Creates batches of at most `batch_size` samples on a compute device. `random` draws their order.
    ///
    /// # Panics
    /// When inputs must be prefetched and the system cannot start a thread. Iteration also panics when samples on disk
    /// can no longer be read.
    pub fn new(datasets: &[TaskDataset<'_>], batch_size: usize, random: Random, compute: &Device) -> Self {
        Batches::within(MOST_BYTES, None, datasets, batch_size, random, compute)
    }

    /// Creates the same batches with augmented pictures or spectrograms. Pictures of bytes, and spectrograms as pictures of 32-bit
    /// numbers, are augmented; other inputs stay as they are. An input's augmentation depends only on `seed`, the epoch, the
    /// dataset and the input's index in it.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn augmented(
        augmentation: Augmentation,
        seed: Seed,
        datasets: &[TaskDataset<'_>],
        batch_size: usize,
        random: Random,
        compute: &Device,
    ) -> Self {
        let augmenter = (!augmentation.is_off()).then(|| Augmenter::new(augmentation, seed));
        Batches::within(MOST_BYTES, augmenter, datasets, batch_size, random, compute)
    }

    fn within(
        most_bytes: usize,
        augmenter: Option<Augmenter>,
        datasets: &[TaskDataset<'_>],
        batch_size: usize,
        random: Random,
        compute: &Device,
    ) -> Self {
        let samples = || datasets.iter().map(|dataset| dataset.samples);
        let order = Order::new(samples().map(Samples::len).collect(), batch_size, random);
        let values: usize = samples().map(Samples::values).sum();
        let small = samples().map(Samples::bytes).sum::<usize>() <= most_bytes;
        let per_epoch = order.per_epoch();
        let source = match augmenter {
            None if values.saturating_mul(size_of::<f32>()) <= most_bytes => {
                Source::Uploaded(samples().map(|samples| samples.inputs(compute)).collect(), Box::new(order))
            }
            augmenter => Source::Prefetched(made(samples().cloned().collect(), small, order, augmenter)),
        };
        Batches {
            per_epoch,
            class_indices: datasets.iter().map(TaskDataset::class_indices).collect(),
            source,
            compute: compute.clone(),
        }
    }

    /// The number of batches of an epoch.
    pub fn per_epoch(&self) -> usize {
        self.per_epoch
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let compute = &self.compute;
        let indices_of = |draw: &Draw| integers(draw.indices.iter().map(|index| *index as i32).collect(), compute);
        let (draw, indices, inputs) = match &mut self.source {
            Source::Uploaded(inputs, order) => {
                let draw = order.next()?;
                let indices = indices_of(&draw);
                let inputs = inputs[draw.dataset].clone().select(indices.clone());
                (draw, indices, inputs)
            }
            Source::Prefetched(made) => {
                let PreparedBatch { draw, values, input } = made.next()?;
                let indices = indices_of(&draw);
                (draw, indices, Inputs::from_values(values, input, compute))
            }
        };
        let class_indices = &self.class_indices[draw.dataset];
        let own = integers(draw.indices.iter().map(|index| class_indices[*index]).collect(), compute);
        Some(Batch { dataset: draw.dataset, indices, inputs, class_indices: own })
    }
}

/// Prefetches batches. If all datasets together are `small`, their samples are read once.
fn made(
    mut datasets: Vec<Samples>,
    small: bool,
    mut order: Order,
    augmenter: Option<Augmenter>,
) -> Prefetch<PreparedBatch> {
    let mut unread = small;
    Prefetch::start(READY, move |stopped| {
        if std::mem::take(&mut unread) {
            datasets.iter_mut().for_each(|samples| *samples = read(samples.held()));
        }
        make(order.next()?, &datasets, augmenter.as_ref(), stopped)
    })
}

/// Prepares one batch on all threads of the current pool. Returns `None` if it should stop.
fn make(
    draw: Draw,
    datasets: &[Samples],
    augmenter: Option<&Augmenter>,
    stopped: &AtomicBool,
) -> Option<PreparedBatch> {
    let samples = &datasets[draw.dataset];
    let (input, size) = (samples.input(), samples.input().values().max(1));
    let mut values = vec![0.0; draw.indices.len() * input.values()];
    for (indices, values) in draw.indices.chunks(PIECE).zip(values.chunks_mut(PIECE * size)) {
        if stopped.load(Ordering::Relaxed) {
            return None;
        }
        let piece = read(samples.select(indices.iter().copied()).held());
        let write = |(at, values): (usize, &mut [f32])| match (augmenter, input.picture(), piece.value_type()) {
            (Some(augmenter), Some(shape), ValueType::Bytes(normalisation)) => {
                let image = Image::new(shape, piece.image(at));
                let image = augmenter.changed(image, draw.epoch, draw.dataset, indices[at]);
                values.iter_mut().zip(image.values).for_each(|(into, value)| *into = normalisation.apply(value));
            }
            (Some(augmenter), Some(shape), ValueType::Numbers) => {
                piece.write_input(at, values);
                augmenter.change_sound(values, shape.channels * shape.height, draw.epoch, draw.dataset, indices[at]);
            }
            _ => piece.write_input(at, values),
        };
        values.par_chunks_mut(size).enumerate().for_each(write);
    }
    Some(PreparedBatch { draw, values, input })
}

fn integers(values: Vec<i32>, compute: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), compute)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::{DataPart, Normalisation, StreamError};

    /// Images on disk that count how many were read, and set a flag after `most` of them.
    #[derive(Debug)]
    struct CountingImages {
        samples: Samples,
        read: AtomicUsize,
        most: usize,
        stop: Arc<AtomicBool>,
    }

    impl DataPart for CountingImages {
        fn input(&self) -> InputShape {
            self.samples.input()
        }

        fn labels(&self) -> &[usize] {
            self.samples.labels()
        }

        fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
            if self.read.fetch_add(indices.len(), Ordering::SeqCst) + indices.len() >= self.most {
                self.stop.store(true, Ordering::SeqCst);
            }
            Ok(self.samples.select(indices.iter().copied()))
        }
    }

    /// The same samples, on disk.
    fn to_disk(samples: Samples, most: usize) -> (Samples, Arc<CountingImages>) {
        let indices: Vec<_> = (0..samples.len()).collect();
        let counter = Arc::new(CountingImages { samples, read: AtomicUsize::new(0), most, stop: Arc::default() });
        (Samples::on_disk(&(Arc::clone(&counter) as Arc<dyn DataPart>), &indices), counter)
    }

    /// `count` samples of one pixel, whose shade is their index; classes 4 and 7 in turn.
    fn samples(count: usize) -> Samples {
        let mut samples = Samples::new([1, 1, 1].into());
        (0..count).for_each(|index| samples.push(&[index as u8], [4, 7][index % 2]));
        samples
    }

    /// `count` samples of 2×5×5 pixels, all different.
    fn pictures(count: usize) -> Samples {
        let mut samples = Samples::new([2, 5, 5].into());
        let image = |index: usize| (0..50).map(|pixel| (index * 50 + pixel) as u8).collect::<Vec<_>>();
        (0..count).for_each(|index| samples.push(&image(index), [4, 7][index % 2]));
        samples
    }

    fn head() -> HeadSpec {
        HeadSpec { name: "a".to_owned(), classes: vec![7, 4] }
    }

    fn everything() -> Augmentation {
        Augmentation {
            crop_padding: 1,
            flip: true,
            rotation: 20.0,
            brightness: 0.3,
            contrast: 0.3,
            erasing: 0.5,
            ..Default::default()
        }
    }

    fn integers_of(tensor: Tensor<1, Int>) -> Vec<i32> {
        tensor.into_data().convert::<i32>().try_into_vec().unwrap()
    }

    fn values_of(inputs: Inputs) -> Vec<f32> {
        inputs.vectors().into_data().try_into_vec().unwrap()
    }

    /// A batch on the host: dataset, sample indices, class indices, values.
    type OnHost = (usize, Vec<i32>, Vec<i32>, Vec<f32>);

    fn on_host(batch: Batch) -> OnHost {
        (batch.dataset, integers_of(batch.indices), integers_of(batch.class_indices), values_of(batch.inputs))
    }

    /// Some batches of two datasets, augmented if asked for, uploaded at once if they have at most `most_bytes`.
    fn batches(most_bytes: usize, augmentation: Augmentation, batch_size: usize, count: usize) -> Vec<OnHost> {
        let (head, first, second) = (head(), pictures(7), pictures(4));
        let datasets = [TaskDataset { head: &head, samples: &first }, TaskDataset { head: &head, samples: &second }];
        let augmenter = (!augmentation.is_off()).then(|| Augmenter::new(augmentation, Seed::new(2)));
        let random = Seed::new(1).random();
        let batches = Batches::within(most_bytes, augmenter, &datasets, batch_size, random, &Device::flex());
        batches.take(count).map(on_host).collect()
    }

    /// The images of one epoch, sorted by dataset and index.
    fn by_index(batches: &[OnHost]) -> Vec<(usize, i32, Vec<f32>)> {
        let images = batches.iter().flat_map(|(dataset, indices, _, values)| {
            indices.iter().zip(values.chunks(50)).map(|(index, image)| (*dataset, *index, image.to_vec()))
        });
        let mut images: Vec<_> = images.collect();
        images.sort_by_key(|(dataset, index, _)| (*dataset, *index));
        images
    }

    #[test]
    fn an_epoch_has_every_sample_once_and_each_with_its_class_index() {
        let (head, first, second) = (head(), samples(5), samples(4));
        let datasets = [TaskDataset { head: &head, samples: &first }, TaskDataset { head: &head, samples: &second }];
        for most_bytes in [MOST_BYTES, 0] {
            let mut batches = Batches::within(most_bytes, None, &datasets, 2, Seed::new(1).random(), &Device::flex());
            assert_eq!(batches.per_epoch(), 5); // 3 + 2
            for _ in 0..2 {
                let mut seen = vec![];
                for batch in batches.by_ref().take(5) {
                    assert_eq!(batch.samples(), batch.indices.dims()[0]);
                    let (dataset, indices, class_indices, shades) = on_host(batch);
                    for ((index, shade), class_index) in indices.iter().zip(shades).zip(class_indices) {
                        assert!(((shade + 1.0) * 127.5 - *index as f32).abs() < 1e-3);
                        // An even index is of class 4, which is the head's second class.
                        assert_eq!(class_index, 1 - index % 2);
                        seen.push((dataset, *index));
                    }
                }
                seen.sort_unstable();
                let all = (0..5).map(|index| (0, index)).chain((0..4).map(|index| (1, index)));
                assert_eq!(seen, all.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn prefetched_batches_are_the_uploaded_ones() {
        let off = Augmentation::default();
        // 11 images of 50 values of 4 bytes: 2200.
        let whole = batches(2200, off, 3, 12);
        assert_eq!(batches(2199, off, 3, 12), whole);
    }

    #[test]
    fn augmented_batches_follow_from_the_seed_on_any_number_of_threads() {
        let datasets = [pictures(7), pictures(500)];
        let augmenter = Augmenter::new(everything(), Seed::new(2));
        let draw = Draw { epoch: 3, dataset: 1, indices: (0..500).rev().collect() };
        let never = AtomicBool::new(false);
        let within_pool = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| make(draw.clone(), &datasets, Some(&augmenter), &never).unwrap().values)
        };
        let one = within_pool(1);
        for threads in [2, 3, 8] {
            assert!(within_pool(threads) == one, "{threads} threads");
        }
        // And image by image, without threads.
        for (at, image) in one.chunks(50).enumerate() {
            let plain = Image::new([2, 5, 5].into(), datasets[1].image(499 - at));
            let expected = augmenter.changed(plain, 3, 1, 499 - at).values;
            assert!(
                image.iter().zip(expected).all(|(value, byte)| *value == Normalisation::default().apply(byte)),
                "image {at}"
            );
        }
        let batches = || batches(MOST_BYTES, everything(), 3, 12);
        assert_eq!(batches(), batches());
    }

    #[test]
    fn samples_on_disk_give_the_batches_of_samples_in_memory_and_few_are_prefetched() {
        let (head, samples) = (head(), pictures(100));
        let batches = |samples: &Samples, most_bytes, augmenter| {
            let datasets = [TaskDataset { head: &head, samples }];
            Batches::within(most_bytes, augmenter, &datasets, 10, Seed::new(1).random(), &Device::flex())
        };
        let augmenter = Augmenter::new(everything(), Seed::new(2));
        for augmenter in [None, Some(augmenter)] {
            let expected: Vec<_> = batches(&samples, 0, augmenter).take(25).map(on_host).collect();
            let (on_disk, counter) = to_disk(samples.clone(), usize::MAX);
            let mut prefetched = batches(&on_disk, 0, augmenter);
            for (number, expected) in expected.iter().enumerate() {
                assert_eq!(on_host(prefetched.next().unwrap()), *expected);
                // The batches that were taken, two that wait, one that waits for room, and one in preparation.
                let read = counter.read.load(Ordering::SeqCst);
                assert!((10 * (number + 1)..=10 * (number + 1 + READY + 1)).contains(&read), "{read} at {number}");
            }
            drop(prefetched);
            // They have 5000 bytes. If these fit, they are read once, and not again in the second epoch.
            let (on_disk, counter) = to_disk(samples.clone(), usize::MAX);
            let all: Vec<_> = batches(&on_disk, 5000, augmenter).take(25).map(on_host).collect();
            assert!(all == expected);
            assert_eq!(counter.read.load(Ordering::SeqCst), 100);
        }
    }

    #[test]
    fn every_epoch_augments_every_image_again_and_batches_do_not_matter() {
        // 7 and 4 samples: five batches of three an epoch.
        let two_epochs = batches(0, everything(), 3, 10);
        let (first, second) = (by_index(&two_epochs[..5]), by_index(&two_epochs[5..]));
        let plain = by_index(&batches(0, Augmentation::default(), 3, 5));
        for ((one, other), plain) in first.iter().zip(&second).zip(&plain) {
            assert_eq!((one.0, one.1), (other.0, other.1));
            assert!(one.2 != other.2 && one.2 != plain.2, "dataset {}, index {}", one.0, one.1);
        }
        assert_eq!(first.len(), 11);
        // Batches of 2 or 7 samples have the same images: 4 + 2 batches, or 1 + 1.
        assert_eq!(by_index(&batches(0, everything(), 2, 6)), first);
        assert_eq!(by_index(&batches(0, everything(), 7, 2)), first);
        // Augmentation does not change the class indices.
        let class_indices = |batches: &[OnHost]| {
            batches
                .iter()
                .map(|(_, indices, class_indices, _)| (indices.clone(), class_indices.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(class_indices(&two_epochs), class_indices(&batches(MOST_BYTES, Augmentation::default(), 3, 10)));
    }

    #[test]
    fn numbers_stay_as_they_are_and_are_not_augmented() {
        let (head, shape) = (head(), [2, 2, 2].into());
        let samples = Samples::of_numbers(shape, (0..40).map(|value| value as f32 * 10.0).collect(), vec![4; 5]);
        let datasets = [TaskDataset { head: &head, samples: &samples }];
        let augmenter = Some(Augmenter::new(everything(), Seed::new(2)));
        for (most_bytes, augmenter) in [(MOST_BYTES, None), (0, None), (0, augmenter)] {
            let batches = Batches::within(most_bytes, augmenter, &datasets, 2, Seed::new(1).random(), &Device::flex());
            for (_, indices, _, values) in batches.take(3).map(on_host) {
                let expected = indices.iter().flat_map(|index| samples.numbers(*index as usize).to_vec());
                assert_eq!(values, expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn preparation_of_a_large_batch_stops_in_the_middle() {
        // The flag is set after two pieces.
        let (on_disk, counter) = to_disk(samples(4000), 2 * PIECE);
        let draw = Draw { epoch: 0, dataset: 0, indices: (0..4000).collect() };
        assert!(make(draw, &[on_disk], None, &counter.stop).is_none());
        assert_eq!(counter.read.load(Ordering::SeqCst), 2 * PIECE);
    }

    #[test]
    fn without_samples_there_are_no_batches() {
        assert!(Batches::new(&[], 2, Seed::new(1).random(), &Device::flex()).next().is_none());
        let none = Batches::augmented(everything(), Seed::new(2), &[], 2, Seed::new(1).random(), &Device::flex());
        assert_eq!(none.count(), 0);
    }
}

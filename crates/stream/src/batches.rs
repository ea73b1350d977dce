//! Mini-batches: the samples of one or several tasks, shuffled, each batch for one head.

use std::sync::atomic::Ordering;

use alluvium_model::{HeadSpec, InputShape, Random, Seed};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::Samples;
use crate::ahead::Ahead;
use crate::augmentation::{Augmentation, Augmenter, Image};
use crate::order::{Draw, Order};
use crate::samples::input_value;

/// One task's samples and the head that learns them.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// The head; its classes are the only ones that compete.
    pub head: &'a HeadSpec,
    /// The samples.
    pub samples: &'a Samples,
}

impl Lesson<'_> {
    /// Each sample's output unit within the head.
    ///
    /// # Panics
    /// When a label is none of the head's classes: that is a defect of the stream, which [`Task::check`](crate::Task::check)
    /// finds.
    pub fn units(&self) -> Vec<i32> {
        let unit = |label: &usize| {
            let unit = self.head.classes.iter().position(|class| class == label);
            unit.unwrap_or_else(|| panic!("the head \"{}\" has no unit for class {label}", self.head.name)) as i32
        };
        self.samples.labels().iter().map(unit).collect()
    }
}

/// Some samples of one lesson, on a compute device.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The number of the lesson.
    pub lesson: usize,
    /// The samples' places within the lesson.
    pub places: Tensor<1, Int>,
    /// Their images, `[batch, channels, height, width]`.
    pub inputs: Tensor<4>,
    /// Each sample's output unit within the lesson's head.
    pub units: Tensor<1, Int>,
}

impl Batch {
    /// How many samples it holds.
    pub fn samples(&self) -> usize {
        self.inputs.dims()[0]
    }
}

/// Lessons whose images take no more bytes than this as 32-bit numbers, together, are brought to the compute device as a
/// whole.
const MOST_UPLOADED_BYTES: usize = 256 << 20;

/// How many batches wait ready, where they are made one by one.
const READY: usize = 2;

/// Batches without end: every sample of every lesson once an epoch, and a new order for every epoch.
///
/// Every batch comes from one lesson, and lessons take turns in random order. It ends at once when no lesson has samples.
///
/// Images that are not augmented are brought to the compute device once, all together, if they take no more than 256 MiB
/// there. Otherwise a thread of its own, one besides those that compute, makes one batch after another from the bytes while
/// the batches before are computed on: two batches wait ready at most, and a third is being made. The thread ends when this is
/// dropped. Which way it goes changes no number.
#[derive(Debug)]
pub struct Batches {
    per_epoch: usize,
    units: Vec<Vec<i32>>,
    source: Source,
    compute: Device,
}

/// Where images come from.
#[derive(Debug)]
enum Source {
    /// All of them are on the compute device, a tensor for each lesson.
    Uploaded(Vec<Tensor<4>>, Box<Order>),
    /// They are made batch by batch.
    Made(Ahead<Made>),
}

/// A batch that is ready to be brought to the compute device.
#[derive(Debug)]
struct Made {
    draw: Draw,
    /// `[batch, channels, height, width]`, −1 to 1.
    values: Vec<f32>,
    input: InputShape,
}

impl Batches {
    /// Batches of at most `batch_size` samples on a compute device, in an order that `random` draws.
    ///
    /// # Panics
    /// When images have to be made batch by batch, and the system has no thread to give.
    pub fn new(lessons: &[Lesson<'_>], batch_size: usize, random: Random, compute: &Device) -> Self {
        Batches::within(MOST_UPLOADED_BYTES, None, lessons, batch_size, random, compute)
    }

    /// The same batches with their images augmented. What is drawn for an image follows from `seed`, the epoch, the lesson and
    /// the image's place in it alone.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn augmented(
        augmentation: Augmentation,
        seed: Seed,
        lessons: &[Lesson<'_>],
        batch_size: usize,
        random: Random,
        compute: &Device,
    ) -> Self {
        let augmenter = (!augmentation.is_off()).then(|| Augmenter::new(augmentation, seed));
        Batches::within(MOST_UPLOADED_BYTES, augmenter, lessons, batch_size, random, compute)
    }

    fn within(
        most_bytes: usize,
        augmenter: Option<Augmenter>,
        lessons: &[Lesson<'_>],
        batch_size: usize,
        random: Random,
        compute: &Device,
    ) -> Self {
        let samples = || lessons.iter().map(|lesson| lesson.samples);
        let order = Order::new(samples().map(Samples::len).collect(), batch_size, random);
        let values: usize = samples().map(|samples| samples.len() * samples.input().values()).sum();
        let per_epoch = order.per_epoch();
        let source = match augmenter {
            None if values * size_of::<f32>() <= most_bytes => {
                Source::Uploaded(samples().map(|samples| samples.inputs(compute)).collect(), Box::new(order))
            }
            augmenter => Source::Made(made(samples().cloned().collect(), order, augmenter)),
        };
        Batches { per_epoch, units: lessons.iter().map(Lesson::units).collect(), source, compute: compute.clone() }
    }

    /// How many batches an epoch has.
    pub fn per_epoch(&self) -> usize {
        self.per_epoch
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let compute = &self.compute;
        let places_of = |draw: &Draw| integers(draw.places.iter().map(|place| *place as i32).collect(), compute);
        let (draw, places, inputs) = match &mut self.source {
            Source::Uploaded(inputs, order) => {
                let draw = order.next()?;
                let places = places_of(&draw);
                let inputs = inputs[draw.lesson].clone().select(0, places.clone());
                (draw, places, inputs)
            }
            Source::Made(made) => {
                let Made { draw, values, input } = made.next()?;
                let shape = [draw.places.len(), input.channels, input.height, input.width];
                let places = places_of(&draw);
                (draw, places, Tensor::from_data(TensorData::new(values, shape), compute))
            }
        };
        let units = &self.units[draw.lesson];
        let units = integers(draw.places.iter().map(|place| units[*place]).collect(), compute);
        Some(Batch { lesson: draw.lesson, places, inputs, units })
    }
}

/// Makes batches ahead of the computation.
fn made(lessons: Vec<Samples>, mut order: Order, augmenter: Option<Augmenter>) -> Ahead<Made> {
    Ahead::start(READY, move |stopped| {
        let draw = order.next()?;
        let samples = &lessons[draw.lesson];
        let input = samples.input();
        let mut values = Vec::with_capacity(draw.places.len() * input.values());
        for place in &draw.places {
            if stopped.load(Ordering::Relaxed) {
                return None;
            }
            let image = Image::new(input, samples.image(*place));
            let image = match &augmenter {
                Some(augmenter) => augmenter.changed(image, draw.epoch, draw.lesson, *place),
                None => image,
            };
            values.extend(image.values.into_iter().map(input_value));
        }
        Some(Made { draw, values, input })
    })
}

fn integers(values: Vec<i32>, compute: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), compute)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// `count` samples of one pixel, whose shade is their place; classes 4 and 7 in turn.
    fn samples(count: usize) -> Samples {
        let mut samples = Samples::new([1, 1, 1].into());
        (0..count).for_each(|place| samples.push(&[place as u8], [4, 7][place % 2]));
        samples
    }

    /// `count` samples of 2×5×5 pixels, all different.
    fn pictures(count: usize) -> Samples {
        let mut samples = Samples::new([2, 5, 5].into());
        let image = |place: usize| (0..50).map(|pixel| (place * 50 + pixel) as u8).collect::<Vec<_>>();
        (0..count).for_each(|place| samples.push(&image(place), [4, 7][place % 2]));
        samples
    }

    fn head() -> HeadSpec {
        HeadSpec { name: "a".to_owned(), classes: vec![7, 4] }
    }

    fn everything() -> Augmentation {
        Augmentation { crop_padding: 1, flip: true, rotation: 20.0, brightness: 0.3, contrast: 0.3, erasing: 0.5 }
    }

    fn integers_of(tensor: Tensor<1, Int>) -> Vec<i32> {
        tensor.into_data().convert::<i32>().try_into_vec().unwrap()
    }

    fn values_of(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    /// A batch on the host: lesson, places, units, values.
    type OnHost = (usize, Vec<i32>, Vec<i32>, Vec<f32>);

    fn on_host(batch: Batch) -> OnHost {
        (batch.lesson, integers_of(batch.places), integers_of(batch.units), values_of(batch.inputs))
    }

    /// Some batches of two lessons, augmented if asked for, uploaded as a whole if there is room for so many bytes.
    fn batches(most_bytes: usize, augmentation: Augmentation, batch_size: usize, count: usize) -> Vec<OnHost> {
        let (head, first, second) = (head(), pictures(7), pictures(4));
        let lessons = [Lesson { head: &head, samples: &first }, Lesson { head: &head, samples: &second }];
        let augmenter = (!augmentation.is_off()).then(|| Augmenter::new(augmentation, Seed::new(2)));
        let random = Seed::new(1).random();
        let batches = Batches::within(most_bytes, augmenter, &lessons, batch_size, random, &Device::flex());
        batches.take(count).map(on_host).collect()
    }

    /// What the images of one epoch became, by lesson and place.
    fn by_place(batches: &[OnHost]) -> Vec<(usize, i32, Vec<f32>)> {
        let images = batches.iter().flat_map(|(lesson, places, _, values)| {
            places.iter().zip(values.chunks(50)).map(|(place, image)| (*lesson, *place, image.to_vec()))
        });
        let mut images: Vec<_> = images.collect();
        images.sort_by_key(|(lesson, place, _)| (*lesson, *place));
        images
    }

    #[test]
    fn an_epoch_has_every_sample_once_and_each_with_its_own_unit() {
        let (head, first, second) = (head(), samples(5), samples(4));
        let lessons = [Lesson { head: &head, samples: &first }, Lesson { head: &head, samples: &second }];
        for most_bytes in [MOST_UPLOADED_BYTES, 0] {
            let mut batches = Batches::within(most_bytes, None, &lessons, 2, Seed::new(1).random(), &Device::flex());
            assert_eq!(batches.per_epoch(), 5); // 3 + 2
            for _ in 0..2 {
                let mut seen = vec![];
                for batch in batches.by_ref().take(5) {
                    assert_eq!(batch.samples(), batch.places.dims()[0]);
                    let (lesson, places, units, shades) = on_host(batch);
                    for ((place, shade), unit) in places.iter().zip(shades).zip(units) {
                        assert!(((shade + 1.0) * 127.5 - *place as f32).abs() < 1e-3);
                        // An even place is of class 4, which is the head's second unit.
                        assert_eq!(unit, 1 - place % 2);
                        seen.push((lesson, *place));
                    }
                }
                seen.sort_unstable();
                let all = (0..5).map(|place| (0, place)).chain((0..4).map(|place| (1, place)));
                assert_eq!(seen, all.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn batches_made_one_by_one_are_those_of_the_whole() {
        let off = Augmentation::default();
        // 11 images of 50 values of 4 bytes: 2200.
        let whole = batches(2200, off, 3, 12);
        assert_eq!(batches(2199, off, 3, 12), whole);
    }

    #[test]
    fn augmented_batches_follow_from_the_seed_whatever_the_number_of_threads() {
        let within_pool = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| batches(0, everything(), 3, 12))
        };
        let one = within_pool(1);
        assert_eq!(within_pool(4), one);
        assert_eq!(batches(MOST_UPLOADED_BYTES, everything(), 3, 12), one);
    }

    #[test]
    fn every_epoch_augments_every_image_anew_and_batches_do_not_matter() {
        // 7 and 4 samples: five batches of three an epoch.
        let two_epochs = batches(0, everything(), 3, 10);
        let (first, second) = (by_place(&two_epochs[..5]), by_place(&two_epochs[5..]));
        let plain = by_place(&batches(0, Augmentation::default(), 3, 5));
        for ((one, other), plain) in first.iter().zip(&second).zip(&plain) {
            assert_eq!((one.0, one.1), (other.0, other.1));
            assert!(one.2 != other.2 && one.2 != plain.2, "lesson {}, place {}", one.0, one.1);
        }
        assert_eq!(first.len(), 11);
        // Five batches of 2 and 7 samples alike: 4 + 2, and 1 + 1.
        assert_eq!(by_place(&batches(0, everything(), 2, 6)), first);
        assert_eq!(by_place(&batches(0, everything(), 7, 2)), first);
        // The units are those of the samples as they are.
        let units = |batches: &[OnHost]| {
            batches.iter().map(|(_, places, units, _)| (places.clone(), units.clone())).collect::<Vec<_>>()
        };
        assert_eq!(units(&two_epochs), units(&batches(MOST_UPLOADED_BYTES, Augmentation::default(), 3, 10)));
    }

    #[test]
    fn stopping_in_the_middle_of_a_large_batch_takes_no_time() {
        // 4000 images of 64×64 that are turned, two million pixels a batch and more: seconds.
        let mut samples = Samples::new([1, 64, 64].into());
        (0..4000).for_each(|_| samples.push(&[7; 64 * 64], 7));
        let head = head();
        let lessons = [Lesson { head: &head, samples: &samples }];
        let random = Seed::new(1).random();
        let batches = Batches::augmented(everything(), Seed::new(2), &lessons, 4000, random, &Device::flex());
        std::thread::sleep(Duration::from_millis(20));
        let started = Instant::now();
        drop(batches);
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn without_samples_there_is_no_batch() {
        assert!(Batches::new(&[], 2, Seed::new(1).random(), &Device::flex()).next().is_none());
        let none = Batches::augmented(everything(), Seed::new(2), &[], 2, Seed::new(1).random(), &Device::flex());
        assert_eq!(none.count(), 0);
    }
}

//! Mini-batches: the samples of one or several tasks, shuffled, each batch for one head.

use alluvium_model::{HeadSpec, Random};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;

use crate::Samples;

/// One task's samples and the head that learns them.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// The head; its classes are the only ones that compete.
    pub head: &'a HeadSpec,
    /// The samples.
    pub samples: &'a Samples,
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

/// Batches without end: every sample of every lesson once an epoch, and a new order for every epoch.
///
/// Every batch comes from one lesson, and lessons take turns in random order. It ends at once when no lesson has samples.
#[derive(Debug)]
pub struct Batches<'a> {
    lessons: &'a [Lesson<'a>],
    batch_size: usize,
    uploaded: Vec<(Tensor<4>, Vec<i32>)>,
    waiting: Vec<(usize, Vec<usize>)>,
    random: Random,
    compute: Device,
}

impl<'a> Batches<'a> {
    /// Batches of at most `batch_size` samples on a compute device, in an order that `random` draws.
    pub fn new(lessons: &'a [Lesson<'a>], batch_size: usize, random: Random, compute: &Device) -> Self {
        let uploaded = lessons.iter().map(|lesson| (lesson.samples.inputs(compute), lesson.units())).collect();
        Batches { lessons, batch_size, uploaded, waiting: vec![], random, compute: compute.clone() }
    }

    /// How many batches an epoch has.
    pub fn per_epoch(&self) -> usize {
        self.lessons.iter().map(|lesson| lesson.samples.len().div_ceil(self.batch_size)).sum()
    }

    /// One epoch: every sample of every lesson once, in batches of one lesson each, in random order.
    fn epoch(&mut self) -> Vec<(usize, Vec<usize>)> {
        let mut batches = vec![];
        for (number, lesson) in self.lessons.iter().enumerate() {
            let mut places: Vec<_> = (0..lesson.samples.len()).collect();
            places.shuffle(&mut self.random);
            batches.extend(places.chunks(self.batch_size).map(|batch| (number, batch.to_vec())));
        }
        batches.shuffle(&mut self.random);
        batches
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.waiting.is_empty() {
            self.waiting = self.epoch();
        }
        let (lesson, places) = self.waiting.pop()?;
        let (inputs, units) = &self.uploaded[lesson];
        let units = places.iter().map(|place| units[*place]).collect();
        let places = integers(places.into_iter().map(|place| place as i32).collect(), &self.compute);
        let inputs = inputs.clone().select(0, places.clone());
        Some(Batch { lesson, places, inputs, units: integers(units, &self.compute) })
    }
}

impl Lesson<'_> {
    /// Each sample's output unit within the head.
    pub fn units(&self) -> Vec<i32> {
        let unit = |label: &usize| self.head.classes.iter().position(|class| class == label).unwrap_or_default() as i32;
        self.samples.labels().iter().map(unit).collect()
    }
}

fn integers(values: Vec<i32>, compute: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), compute)
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;

    use super::*;

    /// `count` samples of one pixel, whose shade is their place; classes 4 and 7 in turn.
    fn samples(count: usize) -> Samples {
        let mut samples = Samples::new([1, 1, 1].into());
        (0..count).for_each(|place| samples.push(&[place as u8], [4, 7][place % 2]));
        samples
    }

    fn integers_of(tensor: Tensor<1, Int>) -> Vec<i32> {
        tensor.into_data().convert::<i32>().try_into_vec().unwrap()
    }

    #[test]
    fn an_epoch_has_every_sample_once_and_each_with_its_own_unit() {
        let head = HeadSpec { name: "a".to_owned(), classes: vec![7, 4] };
        let (first, second) = (samples(5), samples(4));
        let lessons = [Lesson { head: &head, samples: &first }, Lesson { head: &head, samples: &second }];
        let mut batches = Batches::new(&lessons, 2, Seed::new(1).random(), &Device::flex());
        assert_eq!(batches.per_epoch(), 5); // 3 + 2
        for _ in 0..2 {
            let mut seen = vec![];
            for batch in batches.by_ref().take(5) {
                let shades = batch.inputs.clone().into_data().try_into_vec::<f32>().unwrap();
                let places = integers_of(batch.places.clone());
                assert_eq!(batch.samples(), places.len());
                for ((place, shade), unit) in places.iter().zip(shades).zip(integers_of(batch.units)) {
                    assert!(((shade + 1.0) * 127.5 - *place as f32).abs() < 1e-3);
                    // An even place is of class 4, which is the head's second unit.
                    assert_eq!(unit, 1 - place % 2);
                    seen.push((batch.lesson, *place));
                }
            }
            seen.sort_unstable();
            let all = (0..5).map(|place| (0, place)).chain((0..4).map(|place| (1, place)));
            assert_eq!(seen, all.collect::<Vec<_>>());
        }
    }

    #[test]
    fn without_samples_there_is_no_batch() {
        assert!(Batches::new(&[], 2, Seed::new(1).random(), &Device::flex()).next().is_none());
    }
}

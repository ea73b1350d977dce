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
    #[allow(dead_code)]
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


#[test]
fn print_old() {
    let head = HeadSpec { name: "a".to_owned(), classes: vec![0] };
    let [first, second] = [5, 4].map(|count| {
        let mut samples = Samples::new([1, 1, 1].into());
        (0..count).for_each(|_| samples.push(&[0], 0));
        samples
    });
    let lessons = [Lesson { head: &head, samples: &first }, Lesson { head: &head, samples: &second }];
    let batches = Batches::new(&lessons, 2, alluvium_model::Seed::new(1).random(), &Device::flex());
    for batch in batches.take(7) {
        let places = batch.places.into_data().convert::<i32>().try_into_vec::<i32>().unwrap();
        println!("({}, &{:?}),", batch.lesson, places);
    }
}

//! The samples that are replayed, on the compute device.

use alluvium_model::{Inputs, Random};
use alluvium_strategy::{Samples, TaskDataset};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::reservoir::Reservoir;

/// The kept samples of earlier tasks.
#[derive(Debug)]
pub(crate) struct Buffer {
    compute: Device,
    /// All inputs; `None` if no sample is kept.
    inputs: Option<Inputs>,
    /// For each sample, the index of its head in `heads`, and its class index within the head.
    targets: Vec<(usize, i32)>,
    heads: Vec<String>,
}

/// Some replayed samples.
pub(crate) struct Replayed {
    /// Their inputs, the samples of one head next to each other; `None` if there are none.
    pub(crate) inputs: Option<Inputs>,
    /// The heads, in the inputs' order.
    pub(crate) groups: Vec<Group>,
}

/// The replayed samples of one head.
pub(crate) struct Group {
    pub(crate) head: String,
    /// Each sample's class index within the head.
    pub(crate) class_indices: Tensor<1, Int>,
}

impl Group {
    pub(crate) fn samples(&self) -> usize {
        self.class_indices.dims()[0]
    }
}

impl Buffer {
    /// Offers all samples of the tasks, one after another, to a reservoir of this size.
    pub(crate) fn fill(tasks: &[TaskDataset<'_>], capacity: usize, random: &mut Random, compute: &Device) -> Self {
        let mut reservoir = Reservoir::new(capacity);
        for (task, data) in tasks.iter().enumerate() {
            (0..data.samples.len()).for_each(|index| reservoir.offer((task, index), random));
        }
        let class_indices: Vec<_> = tasks.iter().map(TaskDataset::class_indices).collect();
        let mut kept: Option<Samples> = None;
        let (mut heads, mut targets) = (vec![], vec![]);
        for (task, index) in reservoir.into_kept() {
            let TaskDataset { head, samples } = tasks[task];
            kept.get_or_insert_with(|| Samples::of_type(samples.input(), samples.value_type()))
                .extend(&samples.select([index]));
            let number = heads.iter().position(|own| *own == head.name).unwrap_or_else(|| {
                heads.push(head.name.clone());
                heads.len() - 1
            });
            targets.push((number, class_indices[task][index]));
        }
        Buffer { compute: compute.clone(), inputs: kept.map(|kept| kept.inputs(compute)), targets, heads }
    }

    /// The number of kept samples.
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// The samples at these indices.
    pub(crate) fn batch(&self, mut indices: Vec<usize>) -> Replayed {
        indices.sort_unstable_by_key(|index| (self.targets[*index].0, *index));
        let groups = indices.chunk_by(|a, b| self.targets[*a].0 == self.targets[*b].0).map(|group| Group {
            head: self.heads[self.targets[group[0]].0].clone(),
            class_indices: self.integers(group.iter().map(|index| self.targets[*index].1).collect()),
        });
        let groups = groups.collect();
        let indices = self.integers(indices.into_iter().map(|index| index as i32).collect());
        Replayed { inputs: self.inputs.as_ref().map(|inputs| inputs.clone().select(indices)), groups }
    }

    fn integers(&self, values: Vec<i32>) -> Tensor<1, Int> {
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), &self.compute)
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::{HeadSpec, Seed};

    use super::*;

    /// Samples of one pixel; a sample's shade is its class, times ten.
    fn samples(classes: &[usize]) -> Samples {
        let mut samples = Samples::new([1, 1, 1].into());
        classes.iter().for_each(|class| samples.push(&[10 * *class as u8], *class));
        samples
    }

    fn head(name: &str, classes: &[usize]) -> HeadSpec {
        HeadSpec { name: name.to_owned(), classes: classes.to_vec() }
    }

    #[test]
    fn a_batch_has_each_sample_under_the_head_of_its_own_task() {
        let heads = [head("a", &[4, 3]), head("b", &[7])];
        let samples = [samples(&[3, 4, 4]), samples(&[7, 7])];
        let tasks = [0, 1].map(|task| TaskDataset { head: &heads[task], samples: &samples[task] });
        let buffer = Buffer::fill(&tasks, 10, &mut Seed::new(1).random(), &Device::flex());
        assert_eq!(buffer.len(), 5);

        let batch = buffer.batch(vec![4, 1, 0]);
        let shades = batch.inputs.unwrap().vectors().into_data().try_into_vec::<f32>().unwrap();
        let shades: Vec<_> = shades.iter().map(|shade| ((shade + 1.0) * 127.5).round() as usize).collect();
        assert_eq!(shades, [30, 40, 70]);
        let groups = batch
            .groups
            .into_iter()
            .map(|group| (group.head, group.class_indices.into_data().convert::<i32>().try_into_vec::<i32>().unwrap()));
        assert_eq!(groups.collect::<Vec<_>>(), [("a".to_owned(), vec![1, 0]), ("b".to_owned(), vec![0])]);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let (head, samples) = (head("a", &[1]), samples(&[1; 20]));
        let task = TaskDataset { head: &head, samples: &samples };
        assert_eq!(Buffer::fill(&[task, task], 6, &mut Seed::new(1).random(), &Device::flex()).len(), 6);
        assert_eq!(Buffer::fill(&[], 6, &mut Seed::new(1).random(), &Device::flex()).len(), 0);
    }
}

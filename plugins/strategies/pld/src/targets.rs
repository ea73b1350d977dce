//! What the teachers say: targets for the student's logits, and the teachers' latents.

use alluvium_model::{HeadSpec, Model};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::loss::{Group, centred};

/// Both teachers, and where their units lie among the student's.
#[derive(Debug)]
pub(crate) struct Teachers {
    previous: Model,
    expert: Model,
    /// `[previous's units, student's units]`: what the previous model's logits add to each target.
    from_previous: Tensor<2>,
    /// `[expert's units, student's units]`: what the expert's logits add to each target.
    from_expert: Tensor<2>,
    /// The places of the distilled layers among the backbone's.
    layers: Vec<usize>,
}

/// What both teachers say of some inputs.
#[derive(Debug, Clone)]
pub(crate) struct Targets {
    /// The targets of the student's logits, `[inputs, units]`.
    pub logits: Tensor<2>,
    /// The previous model's output of each distilled layer, `[inputs, size]`.
    pub previous: Vec<Tensor<2>>,
    /// The expert's output of each distilled layer, `[inputs, size]`.
    pub expert: Vec<Tensor<2>>,
}

/// How many inputs go through the teachers at a time.
const CHUNK: usize = 500;

impl Teachers {
    /// Both teachers without autodiff, for a student with these heads; `weights` of the previous model and the expert.
    pub(crate) fn new(
        previous: Model,
        expert: Model,
        student: &[HeadSpec],
        weights: (f64, f64),
        layers: Vec<usize>,
        compute: &Device,
    ) -> Self {
        let specs = |model: &Model| model.heads().iter().map(|head| head.spec.clone()).collect::<Vec<_>>();
        let (of_previous, of_expert) = mixing(&specs(&previous), &specs(&expert), student, weights);
        let tensor = |rows: Vec<Vec<f32>>| {
            let shape = [rows.len(), rows.first().map_or(0, Vec::len)];
            Tensor::from_data(TensorData::new(rows.concat(), shape), compute)
        };
        Teachers { previous, expert, from_previous: tensor(of_previous), from_expert: tensor(of_expert), layers }
    }

    /// What both teachers say of inputs without autodiff, `[inputs, channels, height, width]`.
    pub(crate) fn targets(&self, inputs: Tensor<4>) -> Targets {
        let chunks: Vec<_> = inputs.split(CHUNK, 0).into_iter().map(|chunk| self.chunk(chunk)).collect();
        let joined = |of: &dyn Fn(&Targets) -> Tensor<2>| Tensor::cat(chunks.iter().map(of).collect(), 0);
        let layers = 0..self.layers.len();
        Targets {
            logits: joined(&|chunk| chunk.logits.clone()),
            previous: layers.clone().map(|layer| joined(&|chunk| chunk.previous[layer].clone())).collect(),
            expert: layers.map(|layer| joined(&|chunk| chunk.expert[layer].clone())).collect(),
        }
    }

    fn chunk(&self, inputs: Tensor<4>) -> Targets {
        let previous = self.previous.layers(inputs.clone());
        let expert = self.expert.layers(inputs);
        let logits = |model: &Model, layers: &[Tensor<2>]| centred(model.logits(layers[layers.len() - 1].clone()));
        let targets = logits(&self.previous, &previous).matmul(self.from_previous.clone())
            + logits(&self.expert, &expert).matmul(self.from_expert.clone());
        let chosen = |layers: &[Tensor<2>]| self.layers.iter().map(|place| layers[*place].clone()).collect();
        Targets { logits: targets, previous: chosen(&previous), expert: chosen(&expert) }
    }
}

impl Targets {
    /// The targets of some of the inputs.
    pub(crate) fn select(&self, places: &Tensor<1, Int>) -> Targets {
        let select = |tensor: &Tensor<2>| tensor.clone().select(0, places.clone());
        Targets {
            logits: select(&self.logits),
            previous: self.previous.iter().map(select).collect(),
            expert: self.expert.iter().map(select).collect(),
        }
    }

    /// The same targets as constants of an autodiff graph.
    pub(crate) fn autodiff(self) -> Targets {
        Targets {
            logits: Tensor::from_inner(self.logits),
            previous: self.previous.into_iter().map(Tensor::from_inner).collect(),
            expert: self.expert.into_iter().map(Tensor::from_inner).collect(),
        }
    }
}

/// The student's units that each teacher knows, with the teachers' weights.
pub(crate) fn groups(
    previous: &[HeadSpec],
    expert: &HeadSpec,
    student: &[HeadSpec],
    weights: (f64, f64),
    compute: &Device,
) -> [Group; 2] {
    let knows = |teacher: &[HeadSpec], weight| {
        let names: Vec<_> = teacher.iter().map(|head| &head.name).collect();
        let units = student.iter().flat_map(|head| head.classes.iter().map(|_| names.contains(&&head.name)));
        let places: Vec<i32> = units.enumerate().filter(|(_, known)| *known).map(|(place, _)| place as i32).collect();
        let count = places.len();
        Group { units: Tensor::from_data(TensorData::new(places, [count]), compute), weight }
    };
    [knows(previous, weights.0), knows(std::slice::from_ref(expert), weights.1)]
}

/// How the targets mix the teachers' logits: for each teacher `[teacher's units][student's units]`.
///
/// A unit's target comes from the teacher that knows its class: from the unit of the same head where there is one,
/// otherwise from the mean of the teacher's units of that class. Where both know it, from both, by their weights.
fn mixing(
    previous: &[HeadSpec],
    expert: &[HeadSpec],
    student: &[HeadSpec],
    weights: (f64, f64),
) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let units = |heads: &[HeadSpec]| -> Vec<(String, usize)> {
        heads.iter().flat_map(|head| head.classes.iter().map(|class| (head.name.clone(), *class))).collect()
    };
    let (previous, expert, student) = (units(previous), units(expert), units(student));
    let mut of_previous = vec![vec![0.0; student.len()]; previous.len()];
    let mut of_expert = vec![vec![0.0; student.len()]; expert.len()];
    for (place, unit) in student.iter().enumerate() {
        let (in_previous, in_expert) = (sources(&previous, unit), sources(&expert, unit));
        let weight = |known: &[usize], weight: f64| if known.is_empty() { 0.0 } else { weight };
        let (a, b) = (weight(&in_previous, weights.0), weight(&in_expert, weights.1));
        if a + b == 0.0 {
            continue; // Only a teacher that does not teach knows it.
        }
        for source in &in_previous {
            of_previous[*source][place] = (a / (a + b) / in_previous.len() as f64) as f32;
        }
        for source in &in_expert {
            of_expert[*source][place] = (b / (a + b) / in_expert.len() as f64) as f32;
        }
    }
    (of_previous, of_expert)
}

/// A teacher's units that speak for a student's unit.
fn sources(teacher: &[(String, usize)], unit: &(String, usize)) -> Vec<usize> {
    if let Some(same) = teacher.iter().position(|own| own == unit) {
        return vec![same];
    }
    let places = teacher.iter().enumerate().filter(|(_, own)| own.1 == unit.1);
    places.map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &str, classes: &[usize]) -> HeadSpec {
        HeadSpec { name: name.to_owned(), classes: classes.to_vec() }
    }

    #[test]
    fn separate_classes_come_from_their_own_teacher() {
        let (old, new) = ([head("a", &[0, 1])], [head("b", &[2])]);
        let (of_previous, of_expert) = mixing(&old, &new, &[old[0].clone(), new[0].clone()], (1.0, 1.0));
        assert_eq!(of_previous, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        assert_eq!(of_expert, [[0.0, 0.0, 1.0]]);
    }

    #[test]
    fn a_class_that_both_know_is_averaged() {
        // Class 1 is in both heads: its unit in head a and its unit in head b both take half of each teacher.
        let (old, new) = ([head("a", &[0, 1])], [head("b", &[1, 2])]);
        let (of_previous, of_expert) = mixing(&old, &new, &[old[0].clone(), new[0].clone()], (1.0, 1.0));
        assert_eq!(of_previous, [[1.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0]]);
        assert_eq!(of_expert, [[0.0, 0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]]);
    }

    #[test]
    fn a_head_that_both_have_is_averaged_by_the_teachers_weights() {
        let shared = [head("shared", &[0])];
        let (of_previous, of_expert) = mixing(&shared, &shared, &shared, (3.0, 1.0));
        assert_eq!((of_previous, of_expert), (vec![vec![0.75]], vec![vec![0.25]]));
        let (of_previous, of_expert) = mixing(&shared, &shared, &shared, (0.0, 1.0));
        assert_eq!((of_previous, of_expert), (vec![vec![0.0]], vec![vec![1.0]]));
    }
}

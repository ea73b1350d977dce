//! How the targets of a student's logits are made from the teachers' logits.

use std::collections::HashMap;

use alluvium_model::HeadSpec;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// The sources of the target of one of the student's logits: indices of the teachers' logits with their weights. The logits
/// of the previous model come first, those of the expert after them. Empty if no teacher knows the class.
type Sources = Vec<(usize, f32)>;

/// How the targets mix the teachers' logits.
///
/// The target of a logit comes from the teacher that knows its class. If that teacher has the same head, the source is the
/// logit of that head; otherwise it is the mean of the teacher's logits of that class. If both teachers know the class, the
/// target is their weighted mean.
///
/// Nearly every logit has one source. So this is a list of indices; a matrix would grow with the square of the number of
/// classes.
#[derive(Debug)]
pub(super) struct Mixing {
    /// For the first source of each logit, the second and so on: its index, `[logits]`, and its weight, `[1, logits]`. The
    /// weight is 0 if a logit has fewer sources.
    layers: Vec<(Tensor<1, Int>, Tensor<2>)>,
}

impl Mixing {
    /// How the targets of these heads of a student are made.
    pub(super) fn new(
        previous: &[HeadSpec],
        expert: &[HeadSpec],
        student: &[HeadSpec],
        weights: (f64, f64),
        compute: &Device,
    ) -> Self {
        let sources = sources(previous, expert, student, weights);
        let (logits, most) = (sources.len(), sources.iter().map(Vec::len).max().unwrap_or(0));
        let layer = |number: usize| {
            let of = |sources: &Sources| sources.get(number).copied().unwrap_or((0, 0.0));
            let indices = sources.iter().map(|logit| of(logit).0 as i32).collect();
            let weights = sources.iter().map(|logit| of(logit).1).collect();
            let indices = Tensor::from_data(TensorData::new::<i32, _>(indices, [logits]), compute);
            (indices, Tensor::from_data(TensorData::new::<f32, _>(weights, [1, logits]), compute))
        };
        // At least one layer: without any, the targets would be missing.
        Mixing { layers: (0..most.max(1)).map(layer).collect() }
    }

    /// The targets, `[batch, student's logits]`, from the logits of each teacher, `[batch, teacher's logits]`; `None` for a previous
    /// model without heads.
    pub(super) fn targets(&self, previous: Option<Tensor<2>>, expert: Tensor<2>) -> Tensor<2> {
        let both = Tensor::cat(previous.into_iter().chain([expert]).collect(), 1);
        let layers = self.layers.iter();
        let layers = layers.map(|(indices, weights)| both.clone().select(1, indices.clone()).mul(weights.clone()));
        layers.reduce(|sum, layer| sum + layer).expect("there is at least one layer")
    }
}

/// The sources of each of the student's logits.
fn sources(previous: &[HeadSpec], expert: &[HeadSpec], student: &[HeadSpec], weights: (f64, f64)) -> Vec<Sources> {
    let (previous, expert) = (LogitIndices::of(previous), LogitIndices::of(expert));
    let student = student.iter().flat_map(|head| head.classes.iter().map(|class| (head.name.as_str(), *class)));
    let sources = student.map(|logit| {
        let (in_previous, in_expert) = (previous.sources_of(logit), expert.sources_of(logit));
        let weight = |known: &[usize], weight: f64| if known.is_empty() { 0.0 } else { weight };
        let (a, b) = (weight(in_previous, weights.0), weight(in_expert, weights.1));
        if a + b == 0.0 {
            return vec![]; // Only a teacher of weight 0 knows the class.
        }
        let share = |of: f64, known: &[usize]| (of / (a + b) / known.len() as f64) as f32;
        let of_previous = in_previous.iter().map(|index| (*index, share(a, in_previous)));
        let of_expert = in_expert.iter().map(|index| (previous.count + index, share(b, in_expert)));
        of_previous.chain(of_expert).filter(|(_, weight)| *weight > 0.0).collect()
    });
    sources.collect()
}

/// The indices of a teacher's logits, by head and class.
struct LogitIndices<'a> {
    count: usize,
    of_head: HashMap<(&'a str, usize), Vec<usize>>,
    of_class: HashMap<usize, Vec<usize>>,
}

impl<'a> LogitIndices<'a> {
    fn of(heads: &'a [HeadSpec]) -> Self {
        let mut indices = LogitIndices { count: 0, of_head: HashMap::new(), of_class: HashMap::new() };
        for head in heads {
            for class in &head.classes {
                indices.of_head.entry((&head.name, *class)).or_insert_with(|| vec![indices.count]);
                indices.of_class.entry(*class).or_default().push(indices.count);
                indices.count += 1;
            }
        }
        indices
    }

    /// The indices of the logits that are sources for a logit of the student.
    fn sources_of<'b>(&'b self, (head, class): (&'b str, usize)) -> &'b [usize] {
        let same = self.of_head.get(&(head, class));
        same.or_else(|| self.of_class.get(&class)).map_or(&[], Vec::as_slice)
    }
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
        let found = sources(&old, &new, &[old[0].clone(), new[0].clone()], (1.0, 1.0));
        assert_eq!(found, [[(0, 1.0)], [(1, 1.0)], [(2, 1.0)]]);
    }

    #[test]
    fn a_class_that_both_know_is_averaged() {
        // Class 1 is in both heads: its logits in head a and in head b both take half of each teacher.
        let (old, new) = ([head("a", &[0, 1])], [head("b", &[1, 2])]);
        let found = sources(&old, &new, &[old[0].clone(), new[0].clone()], (1.0, 1.0));
        let both = vec![(1, 0.5), (2, 0.5)];
        assert_eq!(found, [vec![(0, 1.0)], both.clone(), both, vec![(3, 1.0)]]);
    }

    #[test]
    fn several_logits_of_a_class_are_averaged() {
        // The previous model knows class 5 in two heads, neither of them the student's.
        let old = [head("a", &[5]), head("b", &[5, 6])];
        let found = sources(&old, &[head("c", &[7])], &[head("c", &[5, 7])], (1.0, 1.0));
        assert_eq!(found, [vec![(0, 0.5), (1, 0.5)], vec![(3, 1.0)]]);
    }

    #[test]
    fn a_head_that_both_have_is_averaged_by_the_teachers_weights() {
        let shared = [head("shared", &[0])];
        assert_eq!(sources(&shared, &shared, &shared, (3.0, 1.0)), [[(0, 0.75), (1, 0.25)]]);
        assert_eq!(sources(&shared, &shared, &shared, (0.0, 1.0)), [[(1, 1.0)]]);
        assert_eq!(sources(&shared, &[head("other", &[1])], &shared, (0.0, 1.0)), [vec![]]);
    }

    #[test]
    fn targets_are_the_weighted_sums_of_their_sources() {
        let compute = Device::flex();
        let (old, new) = ([head("a", &[0, 1])], [head("b", &[1, 2])]);
        // No teacher knows class 9.
        let student = [old[0].clone(), new[0].clone(), head("c", &[9])];
        let mixing = Mixing::new(&old, &new, &student, (1.0, 1.0), &compute);
        let logits = |values: [f32; 2]| Tensor::<2>::from_floats([values], &compute);
        let values = |targets: Tensor<2>| targets.into_data().try_into_vec::<f32>().unwrap();
        let targets = mixing.targets(Some(logits([1.0, 2.0])), logits([4.0, 8.0]));
        assert_eq!(values(targets), [1.0, 3.0, 3.0, 8.0, 0.0]);
        // A previous model without heads.
        let alone = Mixing::new(&[], &new, &student[1..2], (1.0, 1.0), &compute);
        assert_eq!(values(alone.targets(None, logits([4.0, 8.0]))), [4.0, 8.0]);
    }
}

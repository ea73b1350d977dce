//! Whose units speak for which: how the targets of a student's units are made of the teachers' logits.

use alluvium_model::HeadSpec;

/// How the targets mix the teachers' logits: for each teacher `[teacher's units][student's units]`.
///
/// A unit's target comes from the teacher that knows its class: from the unit of the same head where there is one,
/// otherwise from the mean of the teacher's units of that class. Where both know it, from both, by their weights.
pub(super) fn mixing(
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

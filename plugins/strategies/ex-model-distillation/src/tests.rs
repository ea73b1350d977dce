//! Tests of the strategy: conformance, bias normalisation by hand, and whether the student learns.

use alluvium_model::{Model, Seed, Values};
use alluvium_strategy::Learning;
use alluvium_strategy::conformance::{RandomInputs, central, check, check_config, consolidate, context, expert};
use burn::tensor::Device;

use super::*;

/// Options without cross-entropy.
fn distances_alone() -> ExModelDistillation {
    ExModelDistillation { cross_entropy_weight: 0.0, ..Default::default() }
}

#[test]
fn conforms() {
    check("ex-model-distillation");
    let few_steps = DistillationSettings { steps: 5, batch_size: 8, ..Default::default() };
    let short = ExModelDistillation { distillation: few_steps.clone(), ..Default::default() };
    let fresh = DistillationSettings {
        cache_teachers: false,
        learning: Learning { gradient_clip: 0.0, ..DistillationSettings::default().learning },
        ..few_steps
    };
    let options = [
        ExModelDistillation { start: StudentStart::Initial, ..short.clone() },
        ExModelDistillation { bias_normalisation: false, ..short.clone() },
        ExModelDistillation { cross_entropy_weight: 0.0, ..short.clone() },
        ExModelDistillation { distillation: fresh, ..short },
    ];
    options.iter().for_each(|config| check_config(config));
}

/// Heads that give the same logits for every input: their weights are 0, their biases are given.
fn saying(mut model: ModelState, biases: &[[f32; 2]]) -> ModelState {
    for (head, biases) in model.heads.clone().into_iter().zip(biases) {
        let of = |name: &str, values: Vec<f32>, shape| (name.to_owned(), Values::new(shape, values));
        let weights = [of("weight", vec![0.0; 8], vec![4, 2]), of("bias", biases.to_vec(), vec![2])];
        model.set_head(head, weights.into_iter().collect());
    }
    model
}

/// The biases after one step at the learning rate 0.3, of a student that starts with the heads of a previous central model,
/// (10, 12), and of an expert, (4, 0).
fn biases_after_a_step(config: ExModelDistillation) -> Vec<f32> {
    let previous = saying(central(&["a"], 1), &[[10.0, 12.0]]);
    let mut expert = expert("b", 2);
    expert.model = saying(expert.model, &[[4.0, 0.0]]);
    let distillation = DistillationSettings {
        steps: 1,
        learning: Learning { learning_rate: 0.3, momentum: 0.0, ..Learning::default() },
        ..Default::default()
    };
    let central = consolidate(&ExModelDistillation { distillation, ..config }, &previous, &expert);
    let biases =
        central.heads.iter().map(|head| central.head_weights(head).get("bias").unwrap().as_f32().unwrap().to_vec());
    biases.flatten().collect()
}

fn assert_near(found: &[f32], expected: [f32; 4]) {
    let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-4);
    assert!(near, "{found:?}, expected {expected:?}");
}

#[test]
fn bias_normalisation_takes_each_teachers_mean_away() {
    // z = (10, 12 | 4, 0), the means are 11 and 2, z° = (−1, 1 | 2, −2): ∂L/∂b = 2/4·(z − z°) = (5.5, 5.5 | 1, 1).
    let normalised = biases_after_a_step(distances_alone());
    assert_near(&normalised, [8.35, 10.35, 3.7, -0.3]);
    // Without it, the student already gives the teachers' logits.
    let raw = biases_after_a_step(ExModelDistillation { bias_normalisation: false, ..distances_alone() });
    assert_near(&raw, [10.0, 12.0, 4.0, 0.0]);
}

#[test]
fn the_label_is_the_unit_that_is_highest_after_normalisation() {
    // softmax(z) = (0.119167, 0.880532, 0.000295, 0.000005); the gradient of the cross-entropy is that less the label's 1.
    // Normalised, the label is class index 2 (z° = 2): to the steps above comes −0.3·(0.119167, 0.880532, −0.999705, 0).
    let normalised = biases_after_a_step(ExModelDistillation::default());
    assert_near(&normalised, [8.314_25, 10.085_84, 3.999_91, -0.3]);
    // Raw, it is class index 1 (z° = 12): −0.3·(0.119167, −0.119468, 0.000295, 0).
    let raw = biases_after_a_step(ExModelDistillation { bias_normalisation: false, ..ExModelDistillation::default() });
    assert_near(&raw, [9.964_25, 12.035_84, 3.999_91, 0.0]);
}

/// The loss over the surrogate data that `consolidate` learns from.
fn loss_of(student: &ModelState, previous: &ModelState, expert: &Expert) -> f32 {
    let compute = Device::flex();
    let mut surrogate = RandomInputs;
    let mut context = Context::new(&compute, Seed::new(0), 1).with_surrogate(&mut surrogate);
    let inputs = context.surrogate(previous, expert).unwrap();
    let student = Model::load(student, &compute).unwrap();
    let teachers = Teachers::new(previous, expert, &student, (1.0, 1.0), &compute).unwrap();
    let logits = student.forward(inputs.clone());
    loss(logits, teachers.targets(inputs).logits, 1.0).into_scalar()
}

#[test]
fn the_student_learns() {
    let (previous, expert) = (central(&["a", "b"], 1), expert("c", 2));
    for start in [StudentStart::Previous, StudentStart::Initial] {
        let config = ExModelDistillation { start, ..Default::default() };
        let before = loss_of(&start.state(&previous, &expert, &context()).unwrap(), &previous, &expert);
        let after = loss_of(&consolidate(&config, &previous, &expert), &previous, &expert);
        assert!(after < 0.9 * before, "{start:?}: from {before} to {after}");
    }
}

#[test]
fn the_first_expert_is_taken_as_it_is() {
    let (previous, expert) = (central(&[], 1), expert("a", 2));
    let central = consolidate(&ExModelDistillation::default(), &previous, &expert);
    assert_eq!(central.weights, expert.model.weights);
}

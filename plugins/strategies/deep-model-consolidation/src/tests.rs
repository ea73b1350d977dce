//! Tests of the strategy: conformance, a step worked out by hand, and whether the student learns.

use alluvium_model::{Model, Seed, Values};
use alluvium_strategy::Learning;
use alluvium_strategy::conformance::{RandomInputs, central, check, check_config, consolidate, context, expert};
use burn::tensor::Device;

use super::*;

#[test]
fn conforms() {
    check("deep-model-consolidation");
    let few_steps = DistillationSettings { steps: 5, batch_size: 8, ..Default::default() };
    for start in [StudentStart::Previous, StudentStart::Average, StudentStart::Initial] {
        check_config(&DeepModelConsolidation { start, distillation: few_steps.clone() });
    }
    let distillation = DistillationSettings {
        cache_teachers: false,
        learning: Learning { gradient_clip: 0.0, ..DistillationSettings::default().learning },
        ..few_steps
    };
    check_config(&DeepModelConsolidation { distillation, ..Default::default() });
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

fn biases(model: &ModelState) -> Vec<f32> {
    model
        .heads
        .iter()
        .flat_map(|head| model.head_weights(head).get("bias").unwrap().as_f32().unwrap().to_vec())
        .collect()
}

/// The loss over the surrogate data that `consolidate` learns from.
fn loss(student: &ModelState, previous: &ModelState, expert: &Expert) -> f32 {
    let compute = Device::flex();
    let mut surrogate = RandomInputs;
    let mut context = Context::new(&compute, Seed::new(0), 1).with_surrogate(&mut surrogate);
    let inputs = context.surrogate(previous, expert).unwrap();
    let student = Model::load(student, &compute).unwrap();
    let teachers = Teachers::new(previous, expert, &student, (1.0, 1.0), &compute).unwrap();
    let logits = student.forward(inputs.clone());
    mean_squared_error(logits, teachers.targets(inputs).logits).into_scalar()
}

#[test]
fn loss_and_step_are_those_worked_out_by_hand() {
    let previous = saying(central(&["a", "b"], 1), &[[1.0, 3.0], [2.0, 6.0]]);
    let mut expert = expert("c", 2);
    expert.model = saying(expert.model, &[[4.0, 0.0]]);
    // The student begins with the teachers' own heads, z = (1, 3, 2, 6 | 4, 0). The mean of the old logits is 3, of the new
    // ones 2, so that z° = (−2, 0, −1, 3 | 2, −2) and z − z° = (3, 3, 3, 3 | 2, 2).
    let start = StudentStart::Expert.state(&previous, &expert, &context()).unwrap();
    // L = (4·9 + 2·4)/6 = 22/3. A mean for each teacher would be 9 + 4.
    assert!((loss(&start, &previous, &expert) - 22.0 / 3.0).abs() < 1e-5);

    // ∂L/∂b_j = 2/6·(z_j − z°_j), which is 1 for old logits and 2/3 for new ones. A step at the learning rate 0.3:
    let distillation = DistillationSettings {
        steps: 1,
        learning: Learning {
            learning_rate: 0.3,
            momentum: 0.0,
            gradient_clip: 0.0,
            ..DistillationSettings::default().learning
        },
        ..Default::default()
    };
    let config = DeepModelConsolidation { distillation, ..Default::default() };
    let central = consolidate(&config, &previous, &expert);
    for (found, expected) in biases(&central).into_iter().zip([0.7, 2.7, 1.7, 5.7, 3.8, -0.2]) {
        assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
    }
}

#[test]
fn the_student_learns_from_every_start() {
    let (previous, expert) = (central(&["a", "b"], 1), expert("c", 2));
    for start in [StudentStart::Previous, StudentStart::Expert, StudentStart::Average, StudentStart::Initial] {
        let config = DeepModelConsolidation { start, ..Default::default() };
        let before = loss(&start.state(&previous, &expert, &context()).unwrap(), &previous, &expert);
        let after = loss(&consolidate(&config, &previous, &expert), &previous, &expert);
        assert!(after < 0.5 * before, "{start:?}: from {before} to {after}");
    }
}

#[test]
fn the_first_expert_is_taken_as_it_is() {
    let (previous, expert) = (central(&[], 1), expert("a", 2));
    let central = consolidate(&DeepModelConsolidation::default(), &previous, &expert);
    assert_eq!(central.weights, expert.model.weights);
}

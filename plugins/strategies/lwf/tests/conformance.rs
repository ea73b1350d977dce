//! The conformance tests, and a comparison with fine-tuning: distillation keeps the old heads' outputs.

use alluvium_model::Model;
use alluvium_strategy::conformance::{central, check, check_config, consolidate, expert, samples};
use alluvium_strategy::{ClassificationLoss, DataAccess, ModelState, NewHead, StrategyConfig, TrainingSettings};
use alluvium_strategy_lwf::Lwf;
use burn::tensor::Device;
use burn::tensor::activation::softmax;

fn fresh() -> TrainingSettings {
    TrainingSettings { new_head: NewHead::Fresh, ..Default::default() }
}

#[test]
fn the_defaults_conform() {
    check("lwf");
}

#[test]
fn other_options_conform() {
    check_config(&Lwf { old_weight: 0.0, ..Default::default() });
    check_config(&Lwf { temperature: 1.0, training: fresh(), ..Default::default() });
    let training = TrainingSettings { loss: ClassificationLoss::AllHeads, ..fresh() };
    check_config(&Lwf { training, ..Default::default() });
}

#[test]
fn it_needs_the_current_task_and_no_more() {
    assert_eq!(Lwf::default().data_access(), DataAccess::CurrentTask);
}

/// The outputs of the head `a` for the samples of task `b`.
fn answers(model: &ModelState) -> Vec<f32> {
    let model = Model::load(model, &Device::flex()).unwrap();
    let inputs = samples("b").inputs(&Device::flex());
    softmax(model.head("a").unwrap().scores(inputs.clone(), model.latents(inputs)), 1)
        .into_data()
        .try_into_vec()
        .unwrap()
}

#[test]
fn the_more_distillation_weighs_the_less_the_old_answers_move() {
    let (previous, expert) = (central(&["a"], 1), expert("b", 2));
    let moved = |old_weight| {
        let config = Lwf { old_weight, training: TrainingSettings { epochs: 40, ..fresh() }, ..Default::default() };
        let now = answers(&consolidate(&config, &previous, &expert));
        now.iter().zip(answers(&previous)).map(|(now, before)| (now - before).abs()).sum::<f32>()
    };
    let [alone, held] = [0.0, 10.0].map(moved);
    assert!(alone > 0.01 && held < 0.5 * alone, "{alone} without distillation, {held} with it");
}

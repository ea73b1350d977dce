//! The conformance tests, and the state that the strategy keeps between devices.

use alluvium_model::Seed;
use alluvium_strategy::conformance::{central, check, check_config, consolidate, expert, samples};
use alluvium_strategy::{
    ClassificationLoss, Context, DataAccess, NewHead, RunDescription, StrategyConfig, StrategyState, TaskDataset,
    TrainingSettings,
};
use burn::tensor::Device;

use super::Replay;

#[test]
fn the_defaults_conform() {
    check("replay");
}

#[test]
fn other_options_conform() {
    let training = TrainingSettings { new_head: NewHead::Fresh, ..Default::default() };
    check_config(&Replay { buffer_samples: 3, replay_batch_size: 2, training, ..Default::default() });
    check_config(&Replay { buffer_samples: 2, ..Default::default() });
    let training = TrainingSettings { loss: ClassificationLoss::AllHeads, ..Default::default() };
    check_config(&Replay { training, ..Default::default() });
}

#[test]
fn keeping_samples_at_the_centre_is_access_to_all_tasks() {
    assert_eq!(Replay::default().data_access(), DataAccess::AllTasks);
}

#[test]
fn old_heads_go_on_learning_from_the_buffer() {
    let (heads, samples) = ([central(&["a"], 1).heads, central(&["b"], 1).heads], [samples("a"), samples("b")]);
    let tasks = [0, 1].map(|task| TaskDataset { head: &heads[task][0], samples: &samples[task] });
    let (previous, expert) = (central(&["a"], 1), expert("b", 2));
    let mut context = Context::new(&Device::flex(), Seed::new(1), 1).with_tasks(tasks.to_vec());
    let config = Replay { replay_batch_size: 6, ..Default::default() };
    let learned =
        config.build(&RunDescription::default()).unwrap().consolidate(&previous, &expert, &mut context).unwrap();
    let old = &previous.heads[0];
    assert_ne!(learned.head_weights(old), previous.head_weights(old));
    // Five epochs of one batch: all ten samples of the current task and six of the buffer's.
    assert_eq!((context.effort().steps, context.effort().samples), (5, 5 * 16));
}

#[test]
fn what_is_stored_is_one_number_and_no_sample() {
    let config = Replay::default();
    let mut strategy = config.build(&RunDescription::default()).unwrap();
    assert_eq!(strategy.state(), StrategyState::default());
    let own = samples("a");
    let first = expert("a", 1);
    let task = TaskDataset { head: first.head(), samples: &own };
    let mut context = Context::new(&Device::flex(), Seed::new(1), 0).with_tasks(vec![task]);
    strategy.consolidate(&central(&[], 0), &first, &mut context).unwrap();
    let state = strategy.state();
    assert!(state.weights.is_empty() && state.values.len() == 1 && state.values["reservoir"].is_u64());

    let broken = StrategyState { values: [("reservoir".to_owned(), "x".into())].into(), ..Default::default() };
    assert!(strategy.restore(broken).unwrap_err().to_string().contains("reservoir"));
}

#[test]
fn the_first_expert_is_taken_as_it_is() {
    let first = expert("a", 1);
    assert_eq!(consolidate(&Replay::default(), &central(&[], 0), &first).weights, first.model.weights);
}

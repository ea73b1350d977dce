//! The conformance tests, and that the strategy forgets, as it should.

use alluvium_model::{Model, Seed};
use alluvium_strategy::conformance::{central, check, check_config, consolidate, expert, samples};
use alluvium_strategy::{
    ClassificationLoss, Context, DataAccess, Learning, ModelState, NewHead, RunDescription, Samples, StrategyConfig,
    TaskDataset, TrainingSettings, cross_entropy,
};
use alluvium_strategy_finetune::Finetune;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

fn config(training: TrainingSettings) -> Finetune {
    Finetune { training }
}

#[test]
fn the_defaults_conform() {
    check("finetune");
}

#[test]
fn other_options_conform() {
    check_config(&config(TrainingSettings {
        new_head: NewHead::Fresh,
        learning: Learning { gradient_clip: 0.0, ..TrainingSettings::default().learning },
        ..Default::default()
    }));
    check_config(&config(TrainingSettings {
        batch_size: 3,
        learning: Learning { momentum: 0.0, weight_decay: 0.01, ..TrainingSettings::default().learning },
        ..Default::default()
    }));
    check_config(&config(TrainingSettings { loss: ClassificationLoss::AllHeads, ..Default::default() }));
}

#[test]
fn it_needs_the_current_task_and_no_more() {
    assert_eq!(Finetune::default().data_access(), DataAccess::CurrentTask);
}

#[test]
fn the_backbone_moves_away_under_the_old_heads() {
    let (previous, expert) = (central(&["a"], 1), expert("b", 2));
    let learned = consolidate(&Finetune::default(), &previous, &expert);
    assert_ne!(learned.backbone_weights(), previous.backbone_weights());
    let old = &previous.heads[0];
    assert_eq!(learned.head_weights(old), previous.head_weights(old));
    assert_ne!(learned.head_weights(expert.head()), expert.model.head_weights(expert.head()));
}

#[test]
fn only_where_all_heads_compete_the_old_one_learns_that_none_of_its_classes_comes() {
    let (previous, expert) = (central(&["a"], 1), expert("b", 2));
    let learned = |loss| {
        let training = TrainingSettings {
            loss,
            epochs: 40,
            learning: Learning { learning_rate: 0.1, ..TrainingSettings::default().learning },
            ..Default::default()
        };
        consolidate(&config(training), &previous, &expert)
    };
    let old = &previous.heads[0];
    let [own, all] = [ClassificationLoss::OwnHead, ClassificationLoss::AllHeads].map(learned);
    assert_eq!(own.head_weights(old), previous.head_weights(old));
    assert_ne!(all.head_weights(old), previous.head_weights(old));
    let model = Model::load(&all, &Device::flex()).unwrap();
    let logits = model.forward(samples("b").inputs(&Device::flex()));
    let shares = softmax(logits, 1).into_data().try_into_vec::<f32>().unwrap();
    // Four logits; the first two are those of `a`.
    let of_old: f32 = shares.chunks(4).map(|share| share[0] + share[1]).sum::<f32>() / 10.0;
    assert!(of_old < 0.1, "{of_old} of the probability is left to classes that do not come");
}

#[test]
fn without_a_learning_rate_nothing_moves() {
    let (previous, expert) = (central(&["a"], 1), expert("b", 2));
    let still = config(TrainingSettings {
        learning: Learning { learning_rate: 0.0, ..TrainingSettings::default().learning },
        ..Default::default()
    });
    assert_eq!(consolidate(&still, &previous, &expert).backbone_weights(), previous.backbone_weights());
}

/// The samples of task `a` from another domain: negatives.
fn negatives() -> Samples {
    let own = samples("a");
    let mut other = Samples::new(own.input());
    for (index, label) in own.labels().iter().enumerate() {
        let negative: Vec<u8> = own.image(index).iter().map(|value| 255 - value).collect();
        other.push(&negative, *label);
    }
    other
}

/// The model after many steps on these samples.
fn learned(previous: &ModelState, own: &Samples) -> ModelState {
    let expert = expert("a", 2);
    let task = TaskDataset { head: expert.head(), samples: own };
    let mut context = Context::new(&Device::flex(), Seed::new(1), 1).with_tasks(vec![task]);
    let training = TrainingSettings {
        epochs: 100,
        learning: Learning { learning_rate: 0.1, ..TrainingSettings::default().learning },
        ..Default::default()
    };
    config(training).build(&RunDescription::default()).unwrap().consolidate(previous, &expert, &mut context).unwrap()
}

/// The cross-entropy on the samples of task `a`.
fn loss_on_the_old_domain(model: &ModelState) -> f32 {
    let (model, own) = (Model::load(model, &Device::flex()).unwrap(), samples("a"));
    let inputs = own.inputs(&Device::flex());
    let logits = model.head("a").unwrap().scores(inputs.clone(), model.latents(inputs));
    let labels: Vec<i32> = own.labels().iter().map(|label| *label as i32).collect();
    cross_entropy(logits, Tensor::from_data(labels.as_slice(), &Device::flex())).into_scalar::<f32>()
}

#[test]
fn what_is_not_learned_any_more_is_forgotten() {
    let first = learned(&central(&["a"], 1), &samples("a"));
    let second = learned(&first, &negatives());
    let [before, after] = [&first, &second].map(loss_on_the_old_domain);
    assert!(before < 0.05, "the first domain was not learned: {before}");
    assert!(after > 100.0 * before, "from {before} to {after}");
}

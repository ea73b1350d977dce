//! The strategy against the conformance tests of every strategy, and against numbers computed by hand.

use alluvium_strategy::conformance::{central, check, check_config, consolidate, context, expert};
use alluvium_strategy::{ModelState, RunDescription, StrategyConfig};
use third_party_strategy::ExponentialAveraging;

#[test]
fn the_defaults_conform() {
    check("exponential-averaging");
}

#[test]
fn the_ends_of_the_range_conform() {
    for alpha in [f32::MIN_POSITIVE, 1.0] {
        check_config(&ExponentialAveraging { alpha });
    }
}

/// The model with every weight of its backbone set to one value.
fn filled(model: &ModelState, value: f32) -> ModelState {
    let weights = model.backbone_weights();
    model.with_backbone_weights(weights.combine(&weights, |_, _| f64::from(value)).expect("the same tensors"))
}

/// The value of every weight of the backbone.
fn value(model: &ModelState) -> f32 {
    let weights = model.backbone_weights();
    let mut values = weights.iter().flat_map(|(_, tensor)| tensor.as_f32().expect("it has 32 bits"));
    let first = *values.next().expect("a backbone has weights");
    assert!(values.all(|value| *value == first));
    first
}

#[test]
fn the_backbone_moves_a_quarter_of_the_way() {
    let config = ExponentialAveraging { alpha: 0.25 };
    let (mut first, mut second) = (expert("a", 1), expert("b", 2));
    first.model = filled(&first.model, 6.0);
    second.model = filled(&second.model, 10.0);

    // The first expert is taken as it is: 6, not 0.75·2 + 0.25·6 = 3.
    let initial = filled(&central(&[], 0), 2.0);
    let mut strategy = config.build(&RunDescription::default()).expect("the options go together");
    let after_first = strategy.consolidate(&initial, &first, &mut context()).expect("the models fit");
    assert_eq!(value(&after_first), 6.0);

    // 0.75·6 + 0.25·10 = 7
    let after_second = consolidate(&config, &after_first, &second);
    assert_eq!(value(&after_second), 7.0);

    // Heads stay as the experts sent them.
    for (head, expert) in after_second.heads.iter().zip([&first, &second]) {
        assert_eq!(after_second.head_weights(head), expert.model.head_weights(expert.head()));
    }
}

//! Weights of 64 bits keep their precision. Each strategy gets values that 32 bits cannot hold, and is compared with
//! numbers worked out by hand.

use alluvium_checkpoint::{Checkpoint, Dtype, Values};
use alluvium_merge::Request;
use alluvium_strategy::{RelativeTo, StrategyConfig};
use alluvium_strategy_dare::DareConfig;
use alluvium_strategy_fedavg::FedavgConfig;
use alluvium_strategy_magmax::MagMaxConfig;
use alluvium_strategy_naive::Naive;
use alluvium_strategy_opcm::OpcmConfig;
use alluvium_strategy_slerp::SlerpConfig;
use alluvium_strategy_task_arithmetic::TaskArithmeticConfig;
use alluvium_strategy_ties::TiesConfig;
use alluvium_strategy_weight_averaging::WeightAveraging;

use crate::files::{Files, NamedTensor, floats};

fn doubles(name: &'static str, shape: &[usize], values: &[f64]) -> NamedTensor {
    (name, Dtype::F64, shape.to_vec(), Values::Doubles(values.to_vec()))
}

const BASE: [f64; 6] = [1.0, 0.0, 1e300, -2.5, 3e-300, 0.5];
const ONE: [f64; 6] = [1.000_000_000_3, 3e-300, 1.5e300, -2.500_000_000_7, 5e-300, 0.75];
const OTHER: [f64; 6] = [1.000_000_000_9, -6e-300, 2e300, -2.499_999_999_8, 4e-300, 0.25];

/// What the experts started from, and two experts.
fn models() -> Files {
    Files::new(&[BASE, ONE, OTHER].map(|values| vec![doubles("w", &[2, 3], &values)]))
}

fn wide(checkpoint: &Checkpoint, name: &str) -> Vec<f64> {
    let tensor = checkpoint.read(name).unwrap();
    assert_eq!(tensor.dtype, Dtype::F64);
    tensor.doubles().unwrap().to_vec()
}

fn near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= 1e-14 * expected.abs();
        assert!(near, "{what}: {found:e} at {place}, expected {expected:e}");
    }
}

#[test]
fn each_strategy_keeps_what_32_bits_cannot_hold() {
    let files = models();
    // 1.0000000006, -1.5e-300, 1.75e300, -2.50000000025, 4.5e-300, 0.5
    let mean = [1.000_000_000_6, -1.5e-300, 1.75e300, -2.500_000_000_25, 4.5e-300, 0.5];
    let cases: [(Box<dyn StrategyConfig>, [f64; 6]); 8] = [
        (Box::new(Naive {}), OTHER),
        (Box::new(WeightAveraging::default()), mean),
        (Box::new(FedavgConfig::default()), mean),
        (Box::new(DareConfig { drop_rate: 0.0, ..Default::default() }), mean),
        // The tensors point in nearly the same direction, that of their third value: the arc is a line.
        (Box::new(SlerpConfig::default()), mean),
        // The base, and a half of what each expert changed: 1 + 0.5·(3e-10 + 9e-10), 0.5·(3e-300 − 6e-300),
        // 1e300 + 0.5·(0.5e300 + 1e300), −2.5 + 0.5·(−7e-10 + 2e-10), 3e-300 + 0.5·(2e-300 + 1e-300), 0.5 + 0.
        (
            Box::new(TaskArithmeticConfig { scaling: 0.5, relative_to: None }),
            [1.000_000_000_6, -1.5e-300, 1.75e300, -2.500_000_000_25, 4.5e-300, 0.5],
        ),
        // A half of the larger change: 9e-10, −6e-300, 1e300, −7e-10, 2e-300, and of 0.25 and −0.25 the later.
        (
            Box::new(MagMaxConfig { scaling: 0.5, ..Default::default() }),
            [1.000_000_000_45, -3e-300, 1.5e300, -2.500_000_000_35, 4e-300, 0.375],
        ),
        // Three of six changes stay, of the one expert 5e299, 0.25 and −7e-10, of the other 1e300, −0.25 and 9e-10. The
        // mean of 5e299 and 1e300 is 7.5e299; the two 0.25 cancel each other.
        (
            Box::new(TiesConfig { density: 0.5, ..Default::default() }),
            [1.000_000_000_9, 0.0, 1.75e300, -2.500_000_000_7, 3e-300, 0.5],
        ),
    ];
    for (strategy, expected) in cases {
        files.merge(strategy.as_ref()).unwrap();
        near(&wide(&files.merged(), "w"), &expected, &format!("{strategy:?}"));
    }
}

#[test]
fn a_dropped_change_is_gone_and_the_others_are_rescaled_in_64_bits() {
    let count = 1000;
    let change = 3e-10;
    let model = |value: f64| vec![doubles("w", &[count], &vec![value; count])];
    let files = Files::new(&[model(1.0), model(1.0 + change)]);
    files.merge(&DareConfig { drop_rate: 0.5, ..Default::default() }).unwrap();
    // Dropped, or divided by 1 − 0.5.
    let [kept, dropped] = [1.0 + 2.0 * change, 1.0];
    let found = wide(&files.merged(), "w");
    let of = |expected: f64| found.iter().filter(|value| (**value - expected).abs() < 1e-15).count();
    assert_eq!(of(kept) + of(dropped), count);
    assert!(of(kept).abs_diff(count / 2) < 80, "five standard deviations of √(1000/4): {} are kept", of(kept));
}

#[test]
fn arcs_and_projections_do_not_depend_on_how_large_weights_are() {
    for scale in [1.000_000_000_3, 1e300, 3e-300] {
        let model = |values: [f64; 4]| vec![doubles("w", &[2, 2], &values.map(|value| value * scale))];
        // The middle of a right angle: sin 45° / sin 90° of both.
        let files = Files::new(&[model([0.0; 4]), model([1.0, 0.0, 0.0, 0.0]), model([0.0, 0.0, 0.0, 1.0])]);
        files.merge(&SlerpConfig::default()).unwrap();
        let half = std::f64::consts::FRAC_1_SQRT_2 * scale;
        near(&wide(&files.merged(), "w"), &[half, 0.0, 0.0, half], "slerp");

        // M₁ = diag(3, 1). Its singular values are 3 and 1; the larger one alone is more than half of their sum, so no direction
        // leads. The directions are the axes, so that the diagonal is taken out of (1 2; 4 1). What λ divides is then (3 2; 4 1),
        // of the length √30, and is to have the mean of √10 and √22.
        let files = Files::new(&[model([0.0; 4]), model([3.0, 0.0, 0.0, 1.0]), model([1.0, 2.0, 4.0, 1.0])]);
        files.merge(&OpcmConfig::default()).unwrap();
        let share = (10.0_f64.sqrt() + 22.0_f64.sqrt()) / 2.0 / 30.0_f64.sqrt();
        let expected = [3.0, 2.0, 4.0, 1.0].map(|value| value * share * scale);
        near(&wide(&files.merged(), "w"), &expected, "opcm");
    }
}

#[test]
fn a_copy_is_bit_for_bit() {
    let odd = [5e-324, -0.0, f64::MAX, 1.000_000_000_000_000_2, -1e-310, 0.1];
    let files = Files::new(&[vec![doubles("w", &[6], &BASE)], vec![doubles("w", &[6], &odd)]]);
    for previous_counts in [false, true] {
        let change = |request: &mut Request<'_>| request.previous_counts = previous_counts;
        files.merge_models(files.models(), &Naive {}, change).unwrap();
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&wide(&files.merged(), "w")), bits(&odd));
    }
}

#[test]
fn widths_may_differ_and_the_widest_is_computed_in() {
    // The experts' values, 1e39 and 2·10³¹ − 10³⁹, do not fit 32 bits. Their mean, 10³¹, does.
    let files = Files::new(&[
        vec![floats("w", &[1], &[0.0])],
        vec![doubles("w", &[1], &[1e39])],
        vec![doubles("w", &[1], &[2e31 - 1e39])],
    ]);
    files.merge(&WeightAveraging::default()).unwrap();
    let found = files.values("w")[0];
    assert!((f64::from(found) / 1e31 - 1.0).abs() < 1e-7, "{found}: in the previous model's 32 bits");
    // 1 + 2⁻⁴⁰ of 64 bits and 1 of 32, 16 and 16: the mean of four is 1 + 2⁻⁴².
    let with = |dtype, value: f32| vec![("w", dtype, vec![1], Values::Floats(vec![value]))];
    let files = Files::new(&[
        vec![doubles("w", &[1], &[0.0])],
        with(Dtype::F32, 1.0),
        vec![doubles("w", &[1], &[1.0 + 2.0_f64.powi(-40)])],
        with(Dtype::Bf16, 1.0),
        with(Dtype::F16, 1.0),
    ]);
    for strategy in [&WeightAveraging::default() as &dyn StrategyConfig, &FedavgConfig::default()] {
        files.merge(strategy).unwrap();
        near(&wide(&files.merged(), "w"), &[1.0 + 2.0_f64.powi(-42)], &format!("{strategy:?}"));
    }
    // A value that does not fit the previous model's type is named.
    let files = Files::new(&[vec![floats("w", &[2], &[0.0; 2])], vec![doubles("w", &[2], &[1.0, 1e39])]]);
    let error = files.error(files.models(), &Naive {});
    assert!(error.contains("`w` has the value 1") && error.contains("at index 1, which does not fit F32"), "{error}");
}

/// The models of the case: 0, 2 and 4, which started from 0.
fn started_from_nothing(order: [f32; 2]) -> Files {
    Files::new(&[0.0, order[0], order[1]].map(|value| vec![floats("w", &[3], &[value, 10.0 * value, -value])]))
}

#[test]
fn what_was_left_open_follows_from_what_the_experts_started_from() {
    // Of the changes 2 and 4: 0.5·2 + 0.5·4 = 3, their mean 3, and a half of the larger one, 2.
    let cases: [(Box<dyn StrategyConfig>, f32); 5] = [
        (Box::new(TaskArithmeticConfig { scaling: 0.5, relative_to: None }), 3.0),
        (Box::new(TaskArithmeticConfig { scaling: 0.5, relative_to: Some(RelativeTo::Initial) }), 3.0),
        (Box::new(TiesConfig { density: 1.0, ..Default::default() }), 3.0),
        (Box::new(DareConfig { drop_rate: 0.0, ..Default::default() }), 3.0),
        (Box::new(MagMaxConfig::default()), 2.0),
    ];
    for (strategy, expected) in cases {
        for order in [[2.0, 4.0], [4.0, 2.0]] {
            let files = started_from_nothing(order);
            files.merge(strategy.as_ref()).unwrap();
            let expected = [expected, 10.0 * expected, -expected];
            assert_eq!(files.values("w"), expected, "{strategy:?}, {order:?}");
        }
    }
}

#[test]
fn what_was_set_is_obeyed_and_a_previous_model_that_counts_is_met_as_by_devices() {
    // Each from the centre before: 0 + 0.5·(2 − 0) = 1, 1 + 0.5·(4 − 1) = 2.5; the other way round 2, 2 + 0.5·(2 − 2) = 2.
    for (order, expected) in [([2.0, 4.0], 2.5), ([4.0, 2.0], 2.0)] {
        let files = started_from_nothing(order);
        let set = TaskArithmeticConfig { scaling: 0.5, relative_to: Some(RelativeTo::Previous) };
        files.merge(&set).unwrap();
        assert_eq!(files.values("w")[0], expected);
        // As an expert, the previous model has a change of zero.
        let open = TaskArithmeticConfig { scaling: 0.5, relative_to: None };
        files.merge_models(files.models(), &open, |request| request.previous_counts = true).unwrap();
        assert_eq!(files.values("w")[0], expected);
    }
}

#[test]
fn a_model_without_weights_is_surveyed_and_done() {
    let counts = |value: i64| vec![("steps", Dtype::I64, vec![1], Values::Integers(vec![value]))];
    let files = Files::new(&[counts(1), counts(2)]);
    files.merge(&TiesConfig::default()).unwrap();
    assert_eq!(files.merged().read("steps").unwrap().integers(), Some(&[2][..]));
}

//! Tests of the merging: against numpy, and against known properties of the solution.

use alluvium_model::Seed;
use alluvium_strategy::{Beside, RunDescription, StatisticRequest, TaskDataset, conformance};
use burn::tensor::Device;

use super::*;

const MAP: &str = "backbone.layer.weight";

#[test]
fn conforms() {
    conformance::check("reg-mean");
    conformance::check_config(&RegMeanConfig { off_diagonal: 1.0, gram_samples: 3, ..Default::default() });
}

/// The numbers are those of tests/fixtures/generate.py, written from the paper's equations on LAPACK's solver.
#[test]
fn the_central_models_are_those_of_the_paper_s_equations() {
    conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
}

/// Rows of six inputs as a matrix.
fn rows(rows: &[[f32; 6]]) -> Values {
    Values::new(vec![rows.len(), 6], rows.concat())
}

/// Irregular rows of full rank.
fn drawn(seed: usize) -> Values {
    let value = |index: usize| ((index + 60 * seed).pow(2) as f64 * 0.7).sin() as f32;
    Values::new(vec![9, 6], (0..54).map(value).collect())
}

/// An expert for a head, with the statistics of these rows, `[rows, 6]`. The weights depend on the seed.
fn expert(head: &str, seed: u64, seen: &Values) -> Expert {
    let seen = matrix(seen);
    let gram = values(&(seen.transpose() * &seen / seen.nrows() as f64));
    let grams = Weights::from_iter([(MAP.to_owned(), gram)]);
    conformance::expert(head, seed).with_statistics([(GRAM.to_owned(), grams)].into())
}

/// The paper's equation, with almost nothing added on the diagonal.
fn paper(off_diagonal: f64) -> RegMeanConfig {
    RegMeanConfig { off_diagonal, ridge: 1e-6, ..Default::default() }
}

/// The layer's weight after these experts, `[6, 4]`.
fn merged(config: RegMeanConfig, experts: &[Expert]) -> Values {
    let mut strategy = config.build(&RunDescription::default()).unwrap();
    let mut central = conformance::central(&[], 0);
    for expert in experts {
        central = strategy.consolidate(&central, expert, &mut conformance::context()).unwrap();
    }
    weight(&central)
}

fn weight(model: &ModelState) -> Values {
    model.weights.get(MAP).unwrap().clone()
}

fn assert_close(found: &Values, expected: &Values, tolerance: f32) {
    assert_eq!(found.shape, expected.shape);
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance;
    assert!(
        found.as_f32().unwrap().iter().zip(expected.as_f32().unwrap()).all(near),
        "{found:?}, expected {expected:?}"
    );
}

#[test]
fn equal_experts_are_kept() {
    // This also holds where the rows determine nothing: there are two rows of six inputs.
    let few = |scale: f32| rows(&[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0 * scale], [scale, 0.0, 1.0, 0.0, 1.0, 0.0]]);
    for alpha in [0.0, 0.9, 1.0] {
        for seen in [[drawn(1), drawn(2), drawn(3)], [few(1.0), few(2.0), few(3.0)]] {
            let experts: Vec<_> = ["a", "b", "c"].iter().zip(&seen).map(|(head, seen)| expert(head, 1, seen)).collect();
            assert_close(&merged(paper(alpha), &experts), &weight(&experts[0].model), 1e-6);
        }
    }
}

#[test]
fn each_input_s_weights_come_from_who_saw_it() {
    // Every row has one input only, so rows are orthogonal in their inputs: XᵀX / rows is G₁ = diag(3, 3, 0, 0, 0, 0) and
    // G₂ = diag(0, 1, 2, 0, 0, 0), and row j of W is Σ_i g_ij W_ij / Σ_i g_ij whatever α. Only the first has seen
    // input 0, and only the second has seen input 2. For input 1, W is (3W₁ + 1W₂)/4. The other inputs were never seen: for them
    // G̃ is λ, the means of the diagonals are 6/6 and 3/6, and W is (2W₁ + 1W₂)/3.
    let (a, b) = (6f32.sqrt(), 3f32.sqrt());
    let z = 0.0;
    let first = expert("a", 1, &rows(&[[a, z, z, z, z, z], [z, a, z, z, z, z]]));
    let second = expert("b", 2, &rows(&[[z, z, b, z, z, z], [z, z, b, z, z, z], [z, b, z, z, z, z]]));
    let third = 2.0 / 3.0;
    let shares = [1.0, 0.75, 0.0, third, third, third];
    for alpha in [0.0, 0.9, 1.0] {
        let [one, two] = [&first, &second].map(|expert| weight(&expert.model).as_f32().unwrap().to_vec());
        let pairs = one.iter().zip(two).enumerate();
        let expected = pairs.map(|(index, (one, two))| shares[index / 4] * one + (1.0 - shares[index / 4]) * two);
        let expected = Values::new(vec![6, 4], expected.collect());
        assert_close(&merged(paper(alpha), &[first.clone(), second.clone()]), &expected, 1e-5);
    }
}

#[test]
fn inputs_that_only_occur_together_stay_near_the_mean() {
    // One row, of two inputs: only the sum of their weights is determined, and Σ‖X_iW − X_iW_i‖² is least where it is the
    // mean of the experts' sums. The mean itself does that, and rounding does not lead away from it.
    let together = rows(&[[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]);
    let [first, second] = [expert("a", 1, &together), expert("b", 2, &together)];
    let [one, two] = [&first, &second].map(|expert| weight(&expert.model).as_f32().unwrap().to_vec());
    let mean = one.iter().zip(two).map(|(a, b)| (a + b) / 2.0).collect();
    let config = RegMeanConfig { off_diagonal: 1.0, ..Default::default() };
    assert_close(&merged(config, &[first, second]), &Values::new(vec![6, 4], mean), 1e-4);
}

#[test]
fn no_other_weights_keep_the_outputs_nearer() {
    let seen = [drawn(1), drawn(2), drawn(3)];
    let experts: Vec<_> =
        ["a", "b", "c"].iter().zip(1..).zip(&seen).map(|((head, seed), x)| expert(head, seed, x)).collect();
    // Σ ‖X_i W − X_i W_i‖², with the same number of rows each.
    let error = |merged: &Values| -> f64 {
        let of = |(expert, x): (&Expert, &Values)| {
            (matrix(x) * (matrix(merged) - matrix(&weight(&expert.model)))).norm_squared()
        };
        experts.iter().zip(&seen).map(of).sum()
    };
    let best = merged(paper(1.0), &experts);
    let least = error(&best);
    for index in 0..24 {
        for step in [-0.01, 0.01] {
            let mut other = best.clone();
            other.as_f32_mut().unwrap()[index] += step;
            assert!(error(&other) > least, "moved by {step} at {index}: {} is not above {least}", error(&other));
        }
    }
    // With α below 1 the weight differs and is further off.
    assert!(error(&merged(paper(0.5), &experts)) > least);
}

#[test]
fn the_device_sends_the_mean_square_of_its_inputs() {
    let expert = conformance::expert("a", 1);
    let samples = conformance::samples("a");
    let own = TaskDataset { head: expert.head(), samples: &samples };
    let sent = |samples| {
        let statistic = Gram { samples };
        {
            let (taken, beside, compute) = (&expert.model, &Beside::new(), &Device::flex());
            let request = StatisticRequest { taken, adapted: &expert.model, own, beside, compute, seed: Seed::new(1) };
            statistic.compute(&request).unwrap()
        }
    };
    let all = sent(1000);
    assert_eq!(all.iter().map(|(name, _)| name).collect::<Vec<_>>(), [MAP, "heads.a.weight"]);
    // The images' third value is the byte 10, which is 10/127.5 − 1, and the fourth 20: their entries need no sum.
    let (third, fourth) = (10.0 / 127.5 - 1.0, 20.0 / 127.5 - 1.0);
    let gram = all.get(MAP).unwrap().as_f32().unwrap();
    assert!((gram[2 * 6 + 2] - third * third).abs() < 1e-5 && (gram[2 * 6 + 3] - third * fourth).abs() < 1e-5);
    // The second is 0 or 200 in turn, −1 or 0.568 627 5: the mean square is (1 + 0.323 337)/2.
    assert!((gram[6 + 1] - 0.661_668_6).abs() < 1e-5, "{}", gram[6 + 1]);
    assert_eq!(all.get("heads.a.weight").unwrap().shape, [4, 4], "the head's rows are the latents");
    // For one sample, all rows and columns are multiples of each other.
    let alone = sent(1);
    let one = alone.get(MAP).unwrap().as_f32().unwrap();
    assert!((one[0] * one[7] - one[1] * one[6]).abs() < 1e-5);
    assert_ne!(alone, all);
}

#[test]
fn a_head_that_comes_back_is_merged_like_any_map() {
    // Only the second expert saw latents: G₁ = 0.
    let head = "heads.a.weight";
    let [first, second] = [(1, 0.0), (2, 1.0)].map(|(seed, square)| {
        let expert = expert("a", seed, &drawn(1));
        let mut grams = expert.statistic(GRAM).unwrap().clone();
        let diagonal = (0..16).map(|index| if index % 5 == 0 { square } else { 0.0 });
        grams.insert(head, Values::new(vec![4, 4], diagonal.collect()));
        expert.with_statistics([(GRAM.to_owned(), grams)].into())
    });
    let mut strategy = paper(0.9).build(&RunDescription::default()).unwrap();
    let initial = conformance::central(&[], 0);
    let before = strategy.consolidate(&initial, &first, &mut conformance::context()).unwrap();
    assert_eq!(before.weights, first.model.weights, "the first expert becomes the central model unchanged");
    let after = strategy.consolidate(&before, &second, &mut conformance::context()).unwrap();
    assert_close(after.weights.get(head).unwrap(), second.model.weights.get(head).unwrap(), 1e-5);
}

#[test]
fn a_backbone_without_linear_maps_is_refused_by_name() {
    let grams = Weights::from_iter([("heads.a.weight".to_owned(), Values::new(vec![4, 4], vec![0.0; 16]))]);
    let expert = conformance::expert("a", 1).with_statistics([(GRAM.to_owned(), grams)].into());
    let mut strategy = RegMeanConfig::default().build(&RunDescription::default()).unwrap();
    let error = strategy.consolidate(&conformance::central(&[], 0), &expert, &mut conformance::context()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("\"_conformance-tiny\"") && error.contains("accepted: "), "{error}");
    assert!(strategy.state().weights.is_empty(), "a refused expert must not change the state");

    let mut run = conformance::run_description();
    assert!(RegMeanConfig::default().validate(&run).is_ok());
    let mut facts = run.backbone.as_deref().cloned().unwrap();
    facts.linear_maps.clear();
    run.backbone = Some(facts.into());
    let error = RegMeanConfig::default().validate(&run).unwrap_err().to_string();
    assert!(error.contains("\"_conformance-tiny\"") && error.contains("accepted: "), "{error}");
}

#[test]
fn what_is_no_gram_matrix_is_refused() {
    let with = |gram: Values| {
        let grams = Weights::from_iter([(MAP.to_owned(), gram)]);
        conformance::expert("a", 1).with_statistics([(GRAM.to_owned(), grams)].into())
    };
    let after = |second: Expert| {
        let mut strategy = RegMeanConfig::default().build(&RunDescription::default()).unwrap();
        let initial = conformance::central(&[], 0);
        let before = strategy.consolidate(&initial, &expert("a", 1, &drawn(1)), &mut conformance::context()).unwrap();
        strategy.consolidate(&before, &second, &mut conformance::context()).unwrap_err().to_string()
    };
    let error = after(with(Values::new(vec![5, 5], vec![0.0; 25])));
    assert!(error.contains("[5, 5]") && error.contains("[6, 6]"), "{error}");
    let error = after(with(Values::new(vec![6, 6], vec![-1.0; 36])));
    assert!(error.contains(MAP) && error.contains("negative eigenvalues"), "{error}");
}

#[test]
fn a_kernel_is_a_map_of_its_patches_and_back() {
    let kernel = Values::new(vec![2, 1, 1, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let map = as_map("", &kernel).unwrap();
    assert_eq!((map.nrows(), map.ncols(), map[(2, 0)], map[(0, 1)]), (3, 2, 3.0, 4.0));
    assert_eq!(as_weight(&map, &kernel.shape, kernel.width()), kernel);
    let error = as_map("norm.gamma", &Values::new(vec![2], vec![1.0; 2])).unwrap_err().to_string();
    assert!(error.contains("`norm.gamma`") && error.contains("accepted"), "{error}");
}

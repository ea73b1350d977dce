//! Tests of model inversion, on backbones with and without normalisation.

use std::sync::Arc;

use alluvium_backbone_mlp::MlpConfig;
use alluvium_backbone_resnet::SlimResNet18Config;
use alluvium_backbone_small_cnn::SmallCnnConfig;
use alluvium_model::{BackboneConfig, Expert, Head, HeadSpec, InputShape, Learning, Manifest, Optimiser, Seed, Values};
use burn::tensor::Device;
use burn::tensor::activation::softmax;

use super::*;

const INPUT: [usize; 3] = [1, 8, 8];

const SETTINGS: Inversion = Inversion {
    steps: 60,
    learning_rate: 0.1,
    batch_size: 8,
    class_weight: 1.0,
    temperature: 1.0,
    bound: 1.0,
    total_variation: 0.0,
    l2: 0.0,
    feature_statistics: 0.0,
    statistics_distance: StatisticsDistance::Norms,
    statistics_of: MatchedModels::Own,
};

/// A model whose heads have learned which third of an image is bright.
fn model(backbone: &Arc<dyn BackboneConfig>, heads: &[&str], seed: u64) -> ModelState {
    let (seed, compute) = (Seed::new(seed), Device::flex());
    let mut state = ModelState::initial(backbone.clone(), INPUT.into(), seed, &compute).unwrap();
    let latent_size = Model::load(&state, &compute).unwrap().latent_size();
    for name in heads {
        let head = HeadSpec { name: (*name).to_owned(), classes: vec![0, 1, 2] };
        state.grow_head(&head, latent_size, seed);
    }
    let mut random = seed.of("images").random();
    let mut image = |class: usize| -> Vec<f32> {
        let bright = |column: usize| if column * 3 / 8 == class { 0.5 } else { -0.5 };
        (0..64).map(|index| bright(index % 8) + random.random_range(-0.5..0.5)).collect()
    };
    let images: Vec<_> = (0..30).flat_map(|index| image(index % 3)).collect();
    let classes: Vec<f32> = (0..90).map(|index| f32::from(u8::from(index / 3 % 3 == index % 3))).collect();
    let learning = compute.autodiff();
    let images = Tensor::<4>::from_data(TensorData::new(images, [30, 1, 8, 8]), &learning);
    let classes = Tensor::<2>::from_data(TensorData::new(classes, [30, 3]), &learning);
    let mut model = Model::load(&state, &learning).unwrap();
    let settings = Learning { learning_rate: 0.05, gradient_clip: 1.0, ..Learning::default() };
    let mut optimiser = Optimiser::new(&settings, 60);
    for _ in 0..60 {
        let inputs = Inputs::from(images.clone());
        let latents = model.latents(inputs.clone());
        let scores = |head: &Head| head.scores(inputs.clone(), latents.clone());
        let loss = |head: &Head| (log_softmax(scores(head), 1) * classes.clone()).sum();
        let Some(loss) = model.heads().iter().map(loss).reduce(|a, b| a + b) else { break };
        optimiser.step(loss.mul_scalar(-1.0 / 30.0), &mut model);
    }
    model.state()
}

fn expert(model: ModelState) -> Expert {
    let digest = model.digest();
    let (task_name, parent) = ("a".to_owned(), digest.clone());
    let manifest =
        Manifest { task: 0, task_name, samples: 1, steps: 1, parent, digest, statistics: Default::default() };
    Expert::new(model, manifest).unwrap()
}

fn mlp() -> Arc<dyn BackboneConfig> {
    Arc::new(MlpConfig { layers: vec![32, 16] })
}

/// Draws inputs that should be of the second class of the last head.
fn draw(settings: &Inversion, count: usize, seed: u64, previous: &ModelState, expert: &Expert) -> Inputs {
    let compute = Device::flex();
    let request = SurrogateRequest {
        input: INPUT.into(),
        compute: &compute,
        seed: Seed::new(seed),
        previous,
        expert: Some(expert),
    };
    let wish =
        |state: &ModelState, _: &mut Random| Wish { head: state.heads.len() - 1, probabilities: vec![0.0, 1.0, 0.0] };
    settings.draw(count, &request, wish).unwrap()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

/// The mean probability of the second class of a model's last head, over every second input from `first` on.
fn confidence(state: &ModelState, inputs: &Inputs, first: usize) -> f32 {
    let mut model = Model::load(state, &inputs.device()).unwrap();
    model.freeze_training_behaviour();
    let head = model.heads().last().unwrap();
    let logits = head.scores(inputs.clone(), model.latents(inputs.clone()));
    let sure: Vec<_> = values(softmax(logits, 1)).chunks(3).skip(first).step_by(2).map(|row| row[1]).collect();
    sure.iter().sum::<f32>() / sure.len() as f32
}

#[test]
fn each_model_is_sure_of_its_half_of_the_inputs() {
    let backbones: [Arc<dyn BackboneConfig>; 3] = [
        mlp(),
        Arc::new(SmallCnnConfig { width: 4, strides: [2, 1, 1], latent: 16 }),
        Arc::new(SlimResNet18Config { width: 2 }),
    ];
    for backbone in &backbones {
        let (previous, expert) = (model(backbone, &["a", "b"], 1), expert(model(backbone, &["c"], 2)));
        let draw = |settings| draw(&settings, 16, 0, &previous, &expert);
        let (noise, inverted) = (draw(Inversion { steps: 0, ..SETTINGS }), draw(SETTINGS));
        for (state, first) in [(&expert.model, 0), (&previous, 1)] {
            let (before, after) = (confidence(state, &noise, first), confidence(state, &inverted, first));
            assert!(after > 0.9 && before < 0.7, "{backbone:?}: from {before} to {after}");
        }
    }
}

#[test]
fn draws_follow_from_the_request_alone() {
    let (previous, expert) = (model(&mlp(), &["a"], 1), expert(model(&mlp(), &["b"], 2)));
    let drawn = |count, seed| values(draw(&SETTINGS, count, seed, &previous, &expert).vectors());
    let first = drawn(20, 1);
    assert_eq!(first.len(), 20 * 64);
    assert!(first.iter().all(|value| (-1.0..=1.0).contains(value)));
    assert_ne!(drawn(20, 2), first);
    assert_eq!(drawn(20, 1), first);
    // An input depends neither on the number of inputs nor on the batch, rounding aside.
    let in_other_batches = values(draw(&Inversion { batch_size: 3, ..SETTINGS }, 20, 1, &previous, &expert).vectors());
    for other in [drawn(5, 1), in_other_batches] {
        let apart = other.iter().zip(&first).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-2, "{apart}");
    }
}

#[test]
fn a_previous_model_without_heads_is_not_asked() {
    let (previous, expert) = (model(&mlp(), &[], 1), expert(model(&mlp(), &["b"], 2)));
    let inverted = draw(&SETTINGS, 8, 0, &previous, &expert);
    for first in [0, 1] {
        assert!(confidence(&expert.model, &inverted, first) > 0.9);
    }
}

#[test]
fn priors_make_inputs_smoother_and_darker() {
    let (previous, expert) = (model(&mlp(), &[], 1), expert(model(&mlp(), &["b"], 2)));
    let draw = |settings| draw(&settings, 8, 0, &previous, &expert);
    let variation = |inputs: Inputs| total_variation(inputs.pictures()).unwrap().into_scalar::<f32>();
    let smooth = draw(Inversion { total_variation: 20.0, ..SETTINGS });
    assert!(variation(smooth) < 0.5 * variation(draw(SETTINGS)));
    let square = |inputs: Inputs| inputs.vectors().square().mean().into_scalar::<f32>();
    let small = draw(Inversion { l2: 100.0, ..SETTINGS });
    assert!(square(small) < 0.1 * square(draw(SETTINGS)));
}

#[test]
fn vectors_are_inverted_within_their_bound_and_without_total_variation() {
    let of = |name: &str, seed| {
        let (seed, compute) = (Seed::new(seed), Device::flex());
        let mut state = ModelState::initial(mlp(), [12].into(), seed, &compute).unwrap();
        state.grow_head(&HeadSpec { name: name.to_owned(), classes: vec![0, 1, 2] }, 16, seed);
        state
    };
    let (previous, expert, compute) = (of("a", 1), expert(of("b", 2)), Device::flex());
    let draw = |settings: Inversion| {
        let seed = Seed::new(0);
        let request = SurrogateRequest {
            input: [12].into(),
            compute: &compute,
            seed,
            previous: &previous,
            expert: Some(&expert),
        };
        let wish = |_: &ModelState, _: &mut Random| Wish { head: 0, probabilities: vec![0.0, 1.0, 0.0] };
        let drawn = settings.draw(6, &request, wish).unwrap();
        assert_eq!((drawn.len(), drawn.shape()), (6, [12].into()));
        values(drawn.vectors())
    };
    let wide = Inversion { bound: 3.0, ..SETTINGS };
    let drawn = draw(wide);
    assert!(drawn.iter().all(|value| value.abs() <= 3.0) && drawn.iter().any(|value| value.abs() > 1.0));
    assert_eq!(draw(Inversion { total_variation: 20.0, ..wide }), drawn);
}

#[test]
fn the_total_variation_is_the_one_worked_out_by_hand() {
    let compute = Device::flex();
    let of = |pictures: Tensor<4>| total_variation(pictures).map(|variation| variation.into_scalar::<f32>());
    // Across: (|0.5 − 0| + |−1 − 0.5| + |1 − 1| + |0 − 1|)/4 = 0.75; down: (1 + 0.5 + 1)/3 = 0.8333.
    let picture = Tensor::from_floats([[[[0.0, 0.5, -1.0], [1.0, 1.0, 0.0]]]], &compute);
    assert!((of(picture.clone()).unwrap() - 1.583_333).abs() < 1e-5);
    // The sum over inputs; a flat input adds 0.
    let both = Tensor::cat(vec![picture.clone(), Tensor::zeros([1, 1, 2, 3], &compute), picture], 0);
    assert!((of(both).unwrap() - 3.166_667).abs() < 1e-5);
    // A column has no right neighbours: |2 − 0|.
    assert_eq!(of(Tensor::from_floats([[[[0.0], [2.0]]]], &compute)), Some(2.0));
    assert_eq!(of(Tensor::from_floats([[[[1.0]]]], &compute)), None);
}

#[test]
fn inputs_that_are_no_numbers_are_an_error() {
    let mut broken = model(&mlp(), &["b"], 2);
    let head = broken.heads[0].clone();
    let weights = broken.head_weights(&head);
    let huge = weights.iter().map(|(name, t)| (name.to_owned(), Values::new(t.shape.clone(), vec![f32::MAX; t.len()])));
    broken.set_head(head, huge.collect());
    let (previous, expert, compute) = (model(&mlp(), &[], 1), expert(broken), Device::flex());
    let request = SurrogateRequest {
        input: InputShape::from(INPUT),
        compute: &compute,
        seed: Seed::new(0),
        previous: &previous,
        expert: Some(&expert),
    };
    let wish = |_: &ModelState, _: &mut Random| Wish { head: 0, probabilities: vec![1.0, 0.0, 0.0] };
    let error = SETTINGS.draw(2, &request, wish).unwrap_err().to_string();
    assert!(error.contains("`learning_rate` = 0.1"), "{error}");
}

/// The distance of every second input from `first` on, as one batch, to the running statistics of a model.
fn gap(state: &ModelState, inputs: &Inputs, first: usize, distance: StatisticsDistance) -> f32 {
    let compute = inputs.device();
    let mut model = Model::load(state, &compute).unwrap();
    model.freeze_training_behaviour();
    let running = RunningStatistics::of(&model, &compute);
    assert_eq!(running.len(), 20, "the stem, two a block, and three shortcuts");
    let indices: Vec<i32> = (first..inputs.len()).step_by(2).map(|index| index as i32).collect();
    let half = inputs.clone().select(Tensor::from_ints(indices.as_slice(), &compute));
    let mut sum = 0.0;
    model.forward_normalised(half, &mut |name, x| {
        sum += running.of_batch(distance, name, x).unwrap().into_scalar::<f32>();
    });
    sum
}

fn resnet() -> Arc<dyn BackboneConfig> {
    Arc::new(SlimResNet18Config { width: 4 })
}

#[test]
fn inputs_come_nearer_to_the_running_statistics_where_these_count() {
    let (previous, expert) = (model(&resnet(), &["b"], 1), expert(model(&resnet(), &["a"], 2)));
    for statistics_distance in [StatisticsDistance::Norms, StatisticsDistance::Relative] {
        let of = |feature_statistics| {
            let settings = Inversion { steps: 20, feature_statistics, statistics_distance, ..SETTINGS };
            draw(&settings, 16, 0, &previous, &expert)
        };
        let (without, with) = (of(0.0), of(10.0));
        for (state, first) in [(&expert.model, 0), (&previous, 1)] {
            let gap = |inputs| gap(state, inputs, first, statistics_distance);
            let (without, with) = (gap(&without), gap(&with));
            assert!(with < 0.8 * without, "{statistics_distance:?}: from {without} to {with}");
        }
    }
}

#[test]
fn where_both_models_count_an_input_comes_nearer_to_the_other_one_too() {
    let (previous, expert) = (model(&resnet(), &["b"], 1), expert(model(&resnet(), &["a"], 2)));
    let of = |statistics_of| {
        let statistics_distance = StatisticsDistance::Relative;
        let settings = Inversion {
            steps: 30,
            class_weight: 0.0,
            feature_statistics: 1.0,
            statistics_distance,
            statistics_of,
            ..SETTINGS
        };
        draw(&settings, 16, 0, &previous, &expert)
    };
    let (own, both) = (of(MatchedModels::Own), of(MatchedModels::Both));
    for (state, first) in [(&expert.model, 1), (&previous, 0)] {
        let gap = |inputs| gap(state, inputs, first, StatisticsDistance::Relative);
        let (own, both) = (gap(&own), gap(&both));
        assert!(both < 0.95 * own, "from {own} to {both}");
    }
}

#[test]
fn inputs_begin_where_they_are_told() {
    let (previous, expert, compute) = (model(&mlp(), &["a"], 1), expert(model(&mlp(), &["b"], 2)), Device::flex());
    let seed = Seed::new(0);
    let request =
        SurrogateRequest { input: INPUT.into(), compute: &compute, seed, previous: &previous, expert: Some(&expert) };
    let wish = |_: &ModelState, _: &mut Random| Wish { head: 0, probabilities: vec![0.0, 1.0, 0.0] };
    let start: Vec<f32> = (0..3 * 64).map(|index| index as f32 / 96.0 - 1.0).collect();
    let draw = |steps, class_weight, bound: f64| {
        let settings = Inversion { steps, class_weight, bound, ..SETTINGS };
        let first = request.inputs(start.iter().map(|value| value * bound as f32).collect());
        values(settings.draw_from(Some(first), 3, &request, wish).unwrap().vectors())
    };
    for bound in [1.0, 3.0] {
        let expected = start.iter().map(|value| value.clamp(-0.95, 0.95) * bound as f32);
        let near = |(found, expected): (&f32, f32)| (found - expected).abs() < 1e-5;
        assert!(draw(0, 1.0, bound).iter().zip(expected.clone()).all(near));
        // Without a loss, nothing moves.
        assert!(draw(5, 0.0, bound).iter().zip(expected.clone()).all(near));
        assert!(!draw(5, 1.0, bound).iter().zip(expected).all(near));
    }
}

//! The strategy against the conformance tests, with its defaults and along each of its options.

use alluvium_strategy::conformance::{central, check, check_config, consolidate, expert};
use alluvium_strategy::{DataAccess, StrategyConfig};
use alluvium_strategy_pld::{BatchNorm, Data, LatentLoss, OutputLoss, PldConfig, Projection, Start};

/// Few steps: what is checked does not depend on how far the student gets.
fn short() -> PldConfig {
    PldConfig { steps: 5, batch_size: 8, ..Default::default() }
}

#[test]
fn the_defaults_conform() {
    check("pld");
}

#[test]
fn every_option_conforms() {
    let options = [
        PldConfig { start: Start::Previous, ..short() },
        PldConfig { start: Start::Average, ..short() },
        PldConfig { output_loss: OutputLoss::Kl, latent_loss: LatentLoss::Cosine, ..short() },
        PldConfig { projection: Projection::Mlp, gradient_clip: 0.0, ..short() },
        PldConfig { latent_weight: 0.0, ..short() },
        PldConfig { output_weight: 0.0, ..short() },
        PldConfig { previous_weight: 0.0, ..short() },
        PldConfig { expert_weight: 0.0, ..short() },
        PldConfig { cache_teachers: false, ..short() },
        PldConfig { data: Data::CurrentTask, ..short() },
        PldConfig { data: Data::CurrentTask, cache_teachers: false, ..short() },
        PldConfig { batch_norm: BatchNorm::Batch, ..short() },
    ];
    options.iter().for_each(|config| check_config(config));
}

#[test]
fn the_data_access_follows_the_data() {
    assert_eq!(short().data_access(), DataAccess::Surrogate);
    assert_eq!(PldConfig { data: Data::CurrentTask, ..short() }.data_access(), DataAccess::CurrentTask);
}

#[test]
fn options_that_teach_nothing_are_refused() {
    let silent = PldConfig { output_weight: 0.0, latent_weight: 0.0, ..short() };
    assert!(silent.build().unwrap_err().to_string().contains("output_weight"));
    let without_teachers = PldConfig { previous_weight: 0.0, expert_weight: 0.0, ..short() };
    assert!(without_teachers.build().unwrap_err().to_string().contains("previous_weight"));
}

#[test]
fn a_student_of_one_teacher_ends_near_it() {
    // With the expert's teaching switched off and a start at the previous model, there is nothing to learn: N(z_P) only
    // moves each sample's mean, which the heads' biases can take up, and the identity projection starts at zero loss.
    let (previous, expert) = (central(&["a", "b"], 1), expert("c", 2));
    let config = PldConfig { start: Start::Previous, expert_weight: 0.0, output_weight: 0.0, ..short() };
    let central = consolidate(&config, &previous, &expert);
    let moved = central.backbone_weights().combine(&previous.backbone_weights(), |a, b| (a - b).abs()).unwrap();
    let most = moved.iter().flat_map(|(_, tensor)| tensor.values.clone()).fold(0.0, f32::max);
    assert!(most < 1e-6, "moved by {most}");
}

//! The conformance tests, with the defaults and along each option.

use alluvium_strategy::conformance::{central, check, check_config, consolidate, expert, run_description};
use alluvium_strategy::{DataAccess, DistillationSettings, Learning, RunDescription, StrategyConfig, StudentStart};
use alluvium_strategy_pld::{BatchNorm, Data, LatentLoss, OutputLoss, PldConfig, Projection};

/// Few steps are enough: the checks do not depend on how far the student gets.
fn few_steps() -> DistillationSettings {
    DistillationSettings { steps: 5, batch_size: 8, ..Default::default() }
}

fn short() -> PldConfig {
    PldConfig { distillation: few_steps(), ..Default::default() }
}

#[test]
fn the_defaults_conform() {
    check("pld");
}

#[test]
fn every_option_conforms() {
    let fresh = DistillationSettings { cache_teachers: false, ..few_steps() };
    let unlimited = DistillationSettings {
        learning: Learning { gradient_clip: 0.0, ..DistillationSettings::default().learning },
        ..few_steps()
    };
    let options = [
        PldConfig { start: Some(StudentStart::Previous), ..short() },
        PldConfig { start: Some(StudentStart::Average), ..short() },
        PldConfig { start: Some(StudentStart::Initial), ..short() },
        PldConfig { output_loss: OutputLoss::Kl, latent_loss: LatentLoss::Cosine, ..short() },
        PldConfig { projection: Projection::Mlp, distillation: unlimited, ..short() },
        PldConfig { projection: Projection::None, ..short() },
        PldConfig { latent_weight: 0.0, ..short() },
        PldConfig { output_weight: 0.0, ..short() },
        PldConfig { previous_weight: 0.0, ..short() },
        PldConfig { expert_weight: 0.0, ..short() },
        PldConfig { distillation: fresh.clone(), ..short() },
        PldConfig { data: Data::CurrentTask, ..short() },
        PldConfig { data: Data::CurrentTask, distillation: fresh, ..short() },
    ];
    options.iter().for_each(|config| check_config(config));
}

#[test]
fn the_data_access_follows_the_data() {
    assert_eq!(short().data_access(), DataAccess::Surrogate);
    assert_eq!(PldConfig { data: Data::CurrentTask, ..short() }.data_access(), DataAccess::CurrentTask);
}

fn refusal(config: &PldConfig, run: &RunDescription) -> String {
    config.validate(run).unwrap_err().to_string()
}

#[test]
fn options_that_teach_nothing_are_refused() {
    let silent = PldConfig { output_weight: 0.0, latent_weight: 0.0, ..short() };
    assert!(refusal(&silent, &RunDescription::default()).contains("output_weight"));
    let without_teachers = PldConfig { previous_weight: 0.0, expert_weight: 0.0, ..short() };
    assert!(refusal(&without_teachers, &RunDescription::default()).contains("previous_weight"));
}

#[test]
fn options_that_do_not_fit_the_backbone_are_refused() {
    // The tiny backbone has one layer and no batch normalisation.
    let tiny = run_description();
    let deep = PldConfig { layers: vec!["latent".to_owned(), "stem".to_owned()], ..short() };
    let problem = refusal(&deep, &tiny);
    assert!(problem.contains("`layers` names \"stem\"") && problem.ends_with("accepted: latent"), "{problem}");
    assert!(PldConfig { latent_weight: 0.0, ..deep.clone() }.validate(&tiny).is_ok(), "the layers are not used");
    assert!(deep.validate(&RunDescription::default()).is_ok(), "the backbone is not known");
    for batch_norm in [BatchNorm::Batch, BatchNorm::Recalibrated] {
        let problem = refusal(&PldConfig { batch_norm, ..short() }, &tiny);
        assert!(
            problem.contains("`batch_norm` has no effect") && problem.contains("accepted: \"frozen\""),
            "{problem}"
        );
    }
    let mut facts = tiny.backbone.as_deref().cloned().unwrap();
    facts.batch_norms = vec!["norm".to_owned()];
    let normalised = RunDescription { backbone: Some(facts.into()), ..tiny };
    let initial = |batch_norm| PldConfig { start: Some(StudentStart::Initial), batch_norm, ..short() };
    for batch_norm in [BatchNorm::Frozen, BatchNorm::Recalibrated] {
        let problem = refusal(&initial(batch_norm), &normalised);
        assert!(problem.contains("`start` = \"initial\"") && problem.contains("`batch_norm` = \"batch\""), "{problem}");
    }
    assert!(initial(BatchNorm::Batch).validate(&normalised).is_ok());
}

#[test]
fn a_student_of_one_teacher_ends_near_it() {
    // Without the expert as a teacher and with a start at the previous model, nothing is left to learn: N(z_P) only moves each
    // sample's mean, which the heads' biases can follow, and the identity projection starts at zero loss.
    let (previous, expert) = (central(&["a", "b"], 1), expert("c", 2));
    let config = PldConfig { start: Some(StudentStart::Previous), expert_weight: 0.0, output_weight: 0.0, ..short() };
    let central = consolidate(&config, &previous, &expert);
    let moved = central.backbone_weights().combine(&previous.backbone_weights(), |a, b| (a - b).abs()).unwrap();
    let most = moved.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap().to_vec()).fold(0.0, f32::max);
    assert!(most < 1e-6, "moved by {most}");
}

//! Checks that a model of a backbone learns.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::inputs;
use crate::{BackboneConfig, HeadSpec, InputShape, Learning, Model, ModelError, ModelState, Seed};

/// Checks that `steps` gradient steps halve the squared error of a head of two classes on four inputs of one
/// shape.
///
/// # Panics
/// When the error is not halved. The message has the losses of all steps.
pub fn check_learning(
    config: Arc<dyn BackboneConfig>,
    input: impl Into<InputShape>,
    settings: &Learning,
    steps: usize,
) {
    let learning = Device::flex().autodiff();
    let (name, input) = (format!("{config:?}"), input.into());
    let mut state = ModelState::initial(config, input, Seed::new(0), &learning).expect("it can be built");
    let latent_size = Model::load(&state, &learning).expect("its own weights fit").latent_size();
    state.grow_head(&HeadSpec { name: "a".to_owned(), classes: vec![0, 1] }, latent_size, Seed::new(0));
    let mut model = Model::load(&state, &learning).expect("its own weights fit");

    let inputs = inputs(4, input, &learning);
    let targets = Tensor::<2>::from_floats([[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]], &learning);
    let mut losses = vec![];
    let taken = settings.descend(&mut model, steps, |_, model| {
        let loss = (model.forward(inputs.clone()) - targets.clone()).square().mean();
        losses.push(loss.clone().into_scalar::<f32>());
        Ok::<_, ModelError>(Some(loss))
    });
    assert_eq!(taken.expect("a loss cannot fail"), steps);
    assert!(losses[steps - 1] < 0.5 * losses[0], "{name}: {losses:?}");
}

//! The conformance tests of surrogate data.

use alluvium_model::conformance::{check_options, host};
use alluvium_model::{InputShape, Seed};
use alluvium_registry::Family;
use burn::tensor::Device;
use serde_json::Value;

use super::doubles::{INPUT, central, expert, run_description};
use crate::{RunDescription, Surrogate, SurrogateConfig, SurrogateRequest};

/// Checks surrogate data with the given options:
///
/// - The options are described, lie within their own ranges, and do not change when they are written and read.
/// - A draw has the requested number of inputs of the requested shape, within −1…1.
/// - A draw depends only on the request and its seed.
///
/// Inputs have the shape 1×2×3. Choose a small fixed set, but large enough that two draws are not equal by chance. If the
/// options name files, the files must be there.
///
/// # Panics
/// When the surrogate data do not conform. The message says which check failed.
pub fn check_surrogate(config: &dyn SurrogateConfig) {
    check_surrogate_of(config, INPUT.into());
}

/// The same for surrogate data that are not of every shape, such as spectrograms: inputs have this shape. The models of a
/// request take other inputs, so this is for sources that do not look at them.
///
/// # Panics
/// As [`check_surrogate`].
pub fn check_surrogate_of(config: &dyn SurrogateConfig, input: InputShape) {
    let written: Value = serde_json::to_value(config).expect("a configuration can be written");
    let read: Box<dyn SurrogateConfig> = serde_json::from_value(written).expect("a written configuration can be read");
    check_options(Family::Surrogate, &read);

    let build = |config: &dyn SurrogateConfig| build(config, input);
    let draw = |source: &mut dyn Surrogate, count: usize, seed: u64| draw(source, count, input, seed);
    let mut source = build(config);
    let count = source.samples();
    let first = draw(source.as_mut(), count, 1);
    assert_ne!(draw(source.as_mut(), count, 2), first, "{config:?}: two seeds must not draw the same inputs");
    draw(source.as_mut(), count + 3, 1);
    assert_eq!(draw(source.as_mut(), count, 1), first, "{config:?}: inputs must not depend on earlier draws");
    assert_eq!(
        draw(build(read.as_ref()).as_mut(), count, 1),
        first,
        "{config:?}: two sources must draw the same inputs"
    );
}

fn build(config: &dyn SurrogateConfig, input: InputShape) -> Box<dyn Surrogate> {
    let run = RunDescription { input: Some(input), ..run_description() };
    config.validate(&run).unwrap_or_else(|error| panic!("{config:?} does not fit the run: {error}"));
    config.build(&run).unwrap_or_else(|error| panic!("{config:?}: {error}"))
}

/// The values of some inputs, after checking shape and range.
fn draw(source: &mut dyn Surrogate, count: usize, input: InputShape, seed: u64) -> Vec<f32> {
    let (previous, expert, compute) = (central(&["a", "b"], 3), expert("c", 2), Device::flex());
    let seed = Seed::new(seed);
    let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: Some(&expert) };
    let inputs = source.draw(count, &request).unwrap_or_else(|error| panic!("{source:?}: {error}"));
    assert_eq!((inputs.len(), inputs.shape()), (count, input), "{source:?}: the shape of a draw");
    let values = host(inputs.vectors());
    let within = values.iter().all(|value| (-1.0..=1.0).contains(value));
    assert!(within, "{source:?}: a value is outside −1…1 or not a number");
    values
}

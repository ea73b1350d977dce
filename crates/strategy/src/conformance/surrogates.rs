//! The suite of surrogate data: what is true of every source.

use alluvium_model::Seed;
use alluvium_model::conformance::{check_options, host};
use alluvium_registry::Family;
use burn::tensor::Device;
use serde_json::Value;

use super::doubles::{central, expert};
use crate::{Surrogate, SurrogateConfig, SurrogateRequest};

/// Checks surrogate data of the given options, with files where they need some: the options are described, within their own
/// ranges, and the same after they were written and read; a draw has as many inputs as it is asked for, of the shape that
/// it is asked for, within −1…1; it follows from the request alone, and from its seed. Inputs are of 1×2×3: let the fixed
/// set be small, but so large that two draws of it are not the same by chance.
///
/// # Panics
/// With a message that says what is not so; that is what makes the test fail.
pub fn check_surrogate(config: &dyn SurrogateConfig) {
    let written: Value = serde_json::to_value(config).expect("a configuration can be written");
    let read: Box<dyn SurrogateConfig> = serde_json::from_value(written).expect("what was written can be read");
    check_options(Family::Surrogate, &read);

    let mut source = build(config);
    let count = source.samples();
    let first = draw(source.as_mut(), count, 1);
    assert_ne!(draw(source.as_mut(), count, 2), first, "{config:?}: another seed draws the same inputs");
    draw(source.as_mut(), count + 3, 1);
    assert_eq!(draw(source.as_mut(), count, 1), first, "{config:?}: inputs depend on the draws before");
    assert_eq!(draw(build(read.as_ref()).as_mut(), count, 1), first, "{config:?}: another source draws other inputs");
}

fn build(config: &dyn SurrogateConfig) -> Box<dyn Surrogate> {
    config.build().unwrap_or_else(|error| panic!("{config:?}: {error}"))
}

/// The values of some inputs, which are checked.
fn draw(source: &mut dyn Surrogate, count: usize, seed: u64) -> Vec<f32> {
    let (previous, expert, compute) = (central(&["a", "b"], 3), expert("c", 2), Device::flex());
    let (input, seed) = (previous.input, Seed::new(seed));
    let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: &expert };
    let inputs = source.draw(count, &request).unwrap_or_else(|error| panic!("{source:?}: {error}"));
    assert_eq!(inputs.dims(), [count, input.channels, input.height, input.width], "{source:?}: the shape of a draw");
    let values = host(inputs);
    let within = values.iter().all(|value| (-1.0..=1.0).contains(value));
    assert!(within, "{source:?}: a value is beyond −1…1, or no number");
    values
}

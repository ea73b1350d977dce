//! The classifier against the conformance tests of every classifier, and against numbers computed by hand.

use alluvium_model::conformance::{check_classifier, host};
use alluvium_model::{ClassifierConfig, HeadShape, Values};
use burn::tensor::{Device, Tensor};
use third_party_classifier::WideAndDeepConfig;

#[test]
fn the_classifier_conforms() {
    check_classifier("wide-and-deep");
}

#[test]
fn scores_are_linear_in_latent_and_input() {
    let (compute, shape) = (Device::flex(), HeadShape { input: [1, 1, 2].into(), latent_size: 1, classes: 2 });
    let mut classifier = WideAndDeepConfig {}.build(shape, &compute).expect("it can be built");
    // The latent has the weights 1 and −1, the input's values (2, 0) and (0, 3), and the biases are 0.5 and 0.
    let weights = [
        ("layer.weight".to_owned(), Values::new(vec![3, 2], vec![1.0, -1.0, 2.0, 0.0, 0.0, 3.0])),
        ("layer.bias".to_owned(), Values::new(vec![2], vec![0.5, 0.0])),
    ];
    classifier.set_parameters(&weights.into_iter().collect()).expect("the weights fit");
    let inputs = Tensor::<4>::from_floats([[[[10.0, 100.0]]]], &compute);
    let scores = host(classifier.scores(inputs.into(), Tensor::from_floats([[7.0]], &compute)));
    // 7 + 20 + 0.5 = 27.5, and −7 + 300 = 293.
    assert_eq!(scores, [27.5, 293.0]);
}

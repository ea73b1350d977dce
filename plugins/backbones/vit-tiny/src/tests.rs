//! Sizes, layers, linear maps and refusals. What the network computes is checked in `tests/suite/pytorch.rs`, that it learns in
//! `tests/suite/conformance.rs`.

use alluvium_model::conformance::{host, inputs};
use alluvium_model::{Backbone, Parameters, Seed, SetParameters, initial_weights};
use burn::tensor::{Tensor, TensorData};

use super::*;

const SMALL: VitTinyConfig = VitTinyConfig { patch_size: 4, depth: 3, width: 12, heads: 2 };

fn network(config: &VitTinyConfig, input: [usize; 3], compute: &Device) -> VisionTransformer {
    let built = VisionTransformer::new(&config.sizes(input.into()).unwrap(), compute);
    let weights = initial_weights(&Parameters::parameters(&built), &mut Seed::new(0).random());
    built.with_parameters(&weights).unwrap()
}

#[test]
fn the_parameter_count_is_that_of_timm_without_the_classifier() {
    // With d = 192. Patches: 3·16²·d + d = 147 648; class token d, positions 197·d: 38 016. A block: two normalisations 4·d,
    // qkv 3·d² + 3·d, output d² + d, perceptron 2·4·d² + 4·d + d: 12·d² + 13·d = 444 864. The last normalisation 2·d = 384.
    // timm has 5 717 416, with 1000·(192 + 1) in the classifier.
    let published = 147_648 + 38_016 + 12 * 444_864 + 384;
    assert_eq!(published, 5_717_416 - 193_000);
    let vit = VitTinyConfig { patch_size: 16, ..Default::default() };
    let vit = vit.build([3, 224, 224].into(), &Device::flex()).unwrap();
    assert_eq!(vit.parameters().values(), published);
    assert_eq!(vit.latent_size(), 192);
}

#[test]
fn layers_are_the_class_tokens_and_the_last_is_the_latent() {
    let compute = Device::flex();
    for input in [[1, 28, 28], [3, 8, 12], [2, 4, 4]] {
        let vit = network(&SMALL, input, &compute);
        let [channels, height, width] = input;
        let inputs = inputs(3, [channels, height, width], &compute);
        let outputs = Backbone::forward_layers(&vit, inputs.clone());
        assert!(outputs.iter().all(|output| output.dims() == [3, 12]));
        let layers = Backbone::layers(&vit);
        let expected = [("block-1", 12), ("block-2", 12), ("latent", 12)];
        assert_eq!(layers, expected.map(|(name, size)| (name.to_owned(), size)));
        assert_eq!(outputs.len(), layers.len());
        assert_eq!(host(Backbone::forward(&vit, inputs)), host(outputs.into_iter().next_back().unwrap()));
    }
}

#[test]
fn rows_times_weights_are_what_the_layers_add_up_to() {
    let compute = Device::flex();
    let vit = network(&SMALL, [2, 8, 12], &compute);
    let inputs = inputs(3, [2, 8, 12], &compute);
    let mut maps = vec![];
    let latents = Backbone::forward_maps(&vit, inputs.clone(), &mut |name, rows| maps.push((name.to_owned(), rows)));
    assert_eq!(host(latents), host(Backbone::forward(&vit, inputs.clone())));

    // Every matrix and kernel, once.
    let parameters = Parameters::parameters(&vit);
    let weights = parameters.iter().filter(|(_, tensor)| matches!(tensor.shape.len(), 2 | 4)).map(|(name, _)| name);
    let mut named: Vec<_> = maps.iter().map(|(name, _)| name.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, weights.collect::<Vec<_>>());

    let of_parameter = |name: &str| {
        let tensor = parameters.get(name).unwrap();
        let [first, inner @ ..] = tensor.shape.as_slice() else { panic!("{name} is a scalar") };
        let shape = [*first, inner.iter().product()];
        Tensor::<2>::from_data(TensorData::new(tensor.as_f32().unwrap().to_vec(), shape), &compute)
    };
    let sums = |name: &str, transposed: bool| {
        let (_, rows) = maps.iter().find(|(other, _)| other == name).unwrap();
        let weight = of_parameter(name);
        let bias = of_parameter(&name.replace("weight", "bias")).transpose();
        rows.clone().matmul(if transposed { weight.transpose() } else { weight }) + bias
    };
    let near = |found: Tensor<2>, expected: Tensor<2>| {
        assert_eq!(found.dims(), expected.dims());
        assert!(host(found).iter().zip(host(expected)).all(|(a, b)| (a - b).abs() < 1e-4));
    };
    // Six patches of three samples, before class token and positions.
    let patches = vit.patches.forward(inputs.clone().pictures()).flatten::<3>(2, 3).swap_dims(1, 2).flatten::<2>(0, 1);
    near(sums("patches.weight", true), patches);
    // The first block adds attention and perceptron to its tokens.
    let tokens = vit.tokens(inputs.clone()).flatten::<2>(0, 1);
    let added = sums("blocks.0.attention.output.weight", false) + sums("blocks.0.mlp.second.weight", false);
    let classes = (tokens + added).reshape([3, 7, 12]).narrow(1, 0, 1).squeeze_dim::<2>(1);
    near(classes, Backbone::forward_layers(&vit, inputs).remove(0));
    // The input of the perceptron's second layer is the output of the first, after GELU.
    let (_, hidden) = maps.iter().find(|(name, _)| name == "blocks.2.mlp.second.weight").unwrap();
    near(burn::tensor::activation::gelu(sums("blocks.2.mlp.first.weight", false)), hidden.clone());
}

#[test]
fn what_cannot_be_built_is_refused() {
    let cases = [
        (VitTinyConfig { heads: 5, ..SMALL }, [3, 32, 32], "`width` = 12 is not a multiple of `heads` = 5"),
        (VitTinyConfig { depth: 0, ..SMALL }, [3, 32, 32], "`depth`"),
        (VitTinyConfig { patch_size: 0, ..SMALL }, [3, 32, 32], "`patch_size`"),
        (SMALL, [3, 32, 30], "inputs of 3×32×30 cannot be cut into patches of `patch_size` = 4"),
        (SMALL, [3, 0, 32], "inputs of 3×0×32"),
        (SMALL, [0, 32, 32], "inputs of 0×32×32"),
        (SMALL, [3, 260, 256], "65 by 64 patches"),
        (VitTinyConfig { patch_size: 1, ..SMALL }, [1, usize::MAX, usize::MAX], "at most 4096 patches"),
    ];
    for (config, input, expected) in cases {
        let error = config.build(input.into(), &Device::flex()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

//! Tests for every kind. The networks are narrow, so that they are quick.

use std::sync::Arc;

use alluvium_model::conformance::{check_kind, check_learning, check_network, host, inputs};
use alluvium_model::{
    Backbone, BackboneConfig, BoxedBackbone, Learning, Parameters, Seed, SetParameters, Values, Weights,
    initial_weights,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::imagenet::{RESNET18, RESNET34, RESNET50};
use crate::layout::Layout;
use crate::network::ResNet;
use crate::{ResNet18Config, ResNet32Config, ResNet34Config, ResNet50Config, Shortcut, SlimResNet18Config};

/// Every layout with two channels in its first stage.
fn layouts() -> [Layout; 6] {
    let resnet32 = |shortcut| ResNet32Config { shortcut }.layout();
    [
        SlimResNet18Config::default().layout(),
        RESNET18,
        RESNET34,
        RESNET50,
        resnet32(Shortcut::Identity),
        resnet32(Shortcut::Convolution),
    ]
    .map(|layout| Layout { width: 2, ..layout })
}

fn network(layout: &Layout, channels: usize, compute: &Device) -> ResNet {
    let built = layout.network([channels, 32, 32].into(), compute).unwrap();
    let weights = initial_weights(&Parameters::parameters(&built), &mut Seed::new(0).random());
    built.with_parameters(&weights).unwrap()
}

fn statistics(network: &ResNet) -> Weights {
    // `valid` applies the pending update of burn's running state.
    let all = Parameters::parameters(&network.valid());
    all.iter().filter(|(name, _)| name.contains("running")).map(|(name, v)| (name.to_owned(), v.clone())).collect()
}

/// The number of trained weights, and the number of weights with the running statistics.
fn counts(backbone: &BoxedBackbone) -> (usize, usize) {
    let parameters = backbone.parameters();
    let trained = parameters.iter().filter(|(name, _)| !name.contains("running"));
    (trained.map(|(_, tensor)| tensor.len()).sum(), parameters.values())
}

#[test]
fn the_parameter_counts_are_the_published_ones_without_the_classifier() {
    let compute = Device::flex();
    // Weights of all convolutions, and normalised channels; each of those has gain and shift, and with them go running
    // mean and variance.
    let cases: [(&dyn BackboneConfig, usize, usize); 6] = [
        // Stem 3·9·w; a stage of o channels on i inputs: 9·i·o + 3·9·o², and i·o for a shortcut. With w = 20:
        // 540 + 4·9·400 + (9·20·40 + 27·1600 + 800) + (9·40·80 + 27·6400 + 3200) + (9·80·160 + 27·25 600 + 12 800).
        // Channels: 20 + 4·20 + 5·(40 + 80 + 160).
        (&SlimResNet18Config::default(), 1_090_140, 1_500),
        // Stem 3·49·64 = 9408; stages as above: 4·9·64² = 147 456, (9·64·128 + 27·128² + 64·128) = 524 288, and twice four
        // times as much. Channels: 64 + 4·64 + 5·(128 + 256 + 512). torchvision has 11 689 512, with 1000·(512 + 1) in
        // the classifier: 11 176 512.
        (&ResNet18Config {}, 9_408 + 147_456 + 524_288 + 2_097_152 + 8_388_608, 4_800),
        // 6·9·64² = 221 184, 9·64·128 + 7·9·128² + 64·128 = 1 114 112, 9·128·256 + 11·9·256² + 128·256 = 6 815 744,
        // 9·256·512 + 5·9·512² + 256·512 = 13 107 200. Channels: 64 + 6·64 + 9·128 + 13·256 + 7·512. 21 797 672 − 513 000.
        (&ResNet34Config {}, 9_408 + 221_184 + 1_114_112 + 6_815_744 + 13_107_200, 8_512),
        // A stage of c channels on i inputs: i·c + 9·c² + 4·c² + 4·i·c in its first block, 17·c² in the others:
        // 73 728 + 2·69 632, 376 832 + 3·278 528, 1 507 328 + 5·1 114 112, 6 029 312 + 2·4 456 448. Channels: 64, and in each
        // stage 6·c a block and 4·c for the shortcut. 25 557 032 − 1000·(2048 + 1).
        (&ResNet50Config {}, 9_408 + 212_992 + 1_212_416 + 7_077_888 + 14_942_208, 26_560),
        // Stem 3·9·16; 10·9·16², 9·16·32 + 9·9·32², 9·32·64 + 9·9·64². Channels: 16 + 10·(16 + 32 + 64). The paper says
        // 0.46 million.
        (&ResNet32Config { shortcut: Shortcut::Identity }, 432 + 23_040 + 87_552 + 350_208, 1_136),
        // 16·32 + 32·64 more, and 32 + 64 channels.
        (&ResNet32Config { shortcut: Shortcut::Convolution }, 461_232 + 2_560, 1_232),
    ];
    let published = [1_093_140, 11_176_512, 21_284_672, 23_508_032, 463_504, 466_256];
    for ((config, convolutions, channels), published) in cases.into_iter().zip(published) {
        let backbone = config.build([3, 32, 32].into(), &compute).unwrap();
        assert_eq!(convolutions + 2 * channels, published, "{config:?}");
        assert_eq!(counts(&backbone), (published, convolutions + 4 * channels), "{config:?}");
    }
}

#[test]
fn shapes_are_those_of_the_description_for_any_input_size() {
    let compute = Device::flex();
    for layout in layouts() {
        // A bottleneck widens four times; each stage after the first doubles.
        let first = if layout.kind == "resnet50" { 8 } else { 2 };
        let expected: Vec<_> = (0..layout.blocks.len()).map(|stage| first << stage).collect();
        for (height, width) in [(32, 32), (28, 28), (33, 47), (5, 9), (1, 1)] {
            let network = layout.network([1, height, width].into(), &compute).unwrap();
            let inputs = inputs(3, [1, height, width], &compute);
            let latent = *expected.last().unwrap();
            assert_eq!(Backbone::forward(&network, inputs.clone()).dims(), [3, latent], "{}", layout.kind);
            let sizes: Vec<_> =
                Backbone::forward_layers(&network, inputs).iter().map(|layer| layer.dims()[1]).collect();
            assert_eq!(sizes, expected, "{}", layout.kind);
            assert_eq!(Backbone::latent_size(&network), latent, "{}", layout.kind);
        }
    }
}

#[test]
fn layers_are_the_stages() {
    let layers = |config: &dyn BackboneConfig| config.build([3, 32, 32].into(), &Device::flex()).unwrap().layers();
    let named = |layers: &[(&str, usize)]| layers.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
    let expected: Vec<_> = named(&[("stage-1", 20), ("stage-2", 40), ("stage-3", 80), ("latent", 160)]);
    assert_eq!(layers(&SlimResNet18Config::default()), expected);
    let expected: Vec<_> = named(&[("stage-1", 16), ("stage-2", 32), ("latent", 64)]);
    assert_eq!(layers(&ResNet32Config::default()), expected);
    let expected: Vec<_> = named(&[("stage-1", 256), ("stage-2", 512), ("stage-3", 1024), ("latent", 2048)]);
    assert_eq!(layers(&ResNet50Config {}), expected);
}

#[test]
fn rows_times_kernels_are_the_convolutions() {
    let compute = Device::flex();
    for layout in layouts() {
        let network = network(&layout, 3, &compute);
        let inputs = inputs(2, [3, 16, 13], &compute);
        let mut convolutions = vec![];
        network.forward_shown(inputs.clone(), &mut |_, _, _, convolved| convolutions.push(convolved.clone()));
        let mut maps = vec![];
        let latents =
            Backbone::forward_maps(&network, inputs.clone(), &mut |name, rows| maps.push((name.to_owned(), rows)));
        assert_eq!(host(latents), host(Backbone::forward(&network, inputs)));
        let parameters = Parameters::parameters(&network);
        let kernels: Vec<_> =
            parameters.iter().map(|(name, _)| name).filter(|name| name.ends_with("conv.weight")).collect();
        let mut named: Vec<_> = maps.iter().map(|(name, _)| name.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, kernels, "{}: every convolution, once", layout.kind);
        for ((name, rows), convolved) in maps.iter().zip(convolutions) {
            let kernel = parameters.get(name).unwrap();
            let kernel = TensorData::new(
                kernel.as_f32().unwrap().to_vec(),
                [kernel.shape[0], kernel.shape[1..].iter().product()],
            );
            let found = rows.clone().matmul(Tensor::<2>::from_data(kernel, &compute).transpose());
            // [batch, outputs, height, width] → one row a pixel.
            let pixels = convolved.permute([0, 2, 3, 1]).flatten::<2>(0, 2);
            assert_eq!(found.dims(), pixels.dims(), "{}: {name}", layout.kind);
            assert!(host(found).iter().zip(host(pixels)).all(|(a, b)| (a - b).abs() < 1e-4), "{}: {name}", layout.kind);
        }
    }
}

#[test]
fn every_normalisation_is_shown_once_under_the_name_of_its_statistics() {
    let compute = Device::flex();
    for layout in layouts() {
        let network = network(&layout, 3, &compute);
        let inputs = inputs(2, [3, 8, 6], &compute);
        let mut shown = vec![];
        let latents =
            Backbone::forward_normalised(&network, inputs.clone(), &mut |name, x| shown.push((name.to_owned(), x)));
        assert_eq!(host(latents), host(Backbone::forward(&network, inputs)));
        let statistics = statistics(&network);
        for (name, x) in &shown {
            let mean = statistics.get(&format!("{name}.running_mean")).unwrap();
            assert_eq!(mean.shape, [x.dims()[1]], "{}: {name}", layout.kind);
        }
        assert_eq!(2 * shown.len(), statistics.len(), "{}: a mean and a variance each", layout.kind);
    }
}

#[test]
fn running_statistics_move_in_training_only() {
    let plain = Device::flex();
    let learning = plain.clone().autodiff();
    for layout in layouts() {
        let running = network(&layout, 3, &plain);
        let before = statistics(&running);
        Backbone::forward(&running, inputs(4, [3, 32, 32], &plain));
        assert_eq!(statistics(&running), before, "{}", layout.kind);

        let trained = network(&layout, 3, &learning);
        Backbone::forward(&trained, inputs(4, [3, 32, 32], &learning));
        let after = statistics(&trained);
        let moved = |(name, tensor)| after.get(name).unwrap() != tensor;
        assert!(before.iter().all(moved), "{}: every statistic must change", layout.kind);
    }
}

#[test]
fn options_and_networks_conform() {
    for kind in ["slim-resnet18", "resnet18", "resnet32", "resnet34", "resnet50"] {
        check_kind(kind);
    }
    for layout in layouts() {
        let layout = Layout { width: 4, ..layout };
        let input = [3, 64, 64];
        let build = |compute: &Device| -> BoxedBackbone { Box::new(layout.network(input.into(), compute).unwrap()) };
        check_network(layout.kind, &build, input);
    }
}

#[test]
fn statistics_are_written_and_used() {
    for compute in [Device::flex(), Device::flex().autodiff()] {
        let built = network(&layouts()[0], 1, &compute);
        let shifted = |(name, tensor): (&str, &Values)| {
            let shift = if name.contains("running") { 2.5 } else { 0.0 };
            let values = tensor.as_f32().unwrap().iter().map(|value| value + shift).collect();
            (name.to_owned(), Values::new(tensor.shape.clone(), values))
        };
        let weights: Weights = Parameters::parameters(&built).iter().map(shifted).collect();
        let own = built.valid();
        let written = built.clone().with_parameters(&weights).unwrap().valid();
        assert_eq!(Parameters::parameters(&written), weights);
        // Outside training they normalise: other statistics give other latents.
        let inputs = inputs(1, [1, 8, 8], &Device::flex());
        assert_ne!(host(Backbone::forward(&written, inputs.clone())), host(Backbone::forward(&own, inputs)));
    }
}

#[test]
fn steps_down_the_gradient_lower_the_loss() {
    let configs: [Arc<dyn BackboneConfig>; 2] =
        [Arc::new(SlimResNet18Config { width: 2 }), Arc::new(ResNet32Config::default())];
    let settings = Learning { learning_rate: 0.02, momentum: 0.0, gradient_clip: 1.0, ..Learning::default() };
    for config in configs {
        check_learning(config, [1, 8, 8], &settings, 20);
    }
}

#[test]
fn inputs_without_values_are_refused() {
    for config in [&ResNet50Config {} as &dyn BackboneConfig, &ResNet32Config::default()] {
        let error = config.build([3, 0, 32].into(), &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("inputs of 3×0×32"), "{error}");
    }
}

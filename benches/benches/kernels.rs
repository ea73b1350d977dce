//! The kernels of the convolutional backbones, each by itself, on one thread. They show why a step became slower.

use std::time::Duration;

use alluvium_kernels::conv::{self, Shape};
use alluvium_kernels::norm::{self, Affine, Kernel, Operands, batch, group};
use alluvium_kernels::sgd::{self, Step};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Images of a mini-batch.
const BATCH: usize = 32;

/// A layer of each kind that the backbones have: inputs, side of the image, outputs, side of the kernel, stride.
const LAYERS: [[usize; 5]; 6] = [
    [1, 28, 16, 3, 2],
    [16, 14, 32, 3, 2],
    [32, 7, 64, 3, 1],
    [20, 32, 20, 3, 1],
    [40, 16, 80, 1, 2],
    [160, 4, 160, 3, 1],
];

fn shape([inputs, side, outputs, kernel, stride]: [usize; 5]) -> Shape {
    Shape {
        batch: BATCH,
        inputs,
        height: side,
        width: side,
        outputs,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [kernel / 2; 2],
    }
}

/// Numbers that are neither zero nor equal.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index as f32 * 0.37).sin()).collect()
}

fn convolution(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("convolution");
    for layer in LAYERS {
        let [inputs, side, outputs, kernel, stride] = layer;
        let shape = shape(layer);
        let (x, w) = (values(BATCH * shape.input_image()), values(shape.weights()));
        let dy = values(BATCH * shape.output_image());
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        let name = format!("{inputs}-to-{outputs}-of-{side}-kernel-{kernel}-stride-{stride}");
        // An element is a floating-point operation.
        group.throughput(Throughput::Elements(shape.operations() as u64));
        group.bench_function(format!("{name}/forward"), |bencher| {
            bencher.iter(|| conv::forward(&shape, &x, &w, None, &mut y, 1));
        });
        group.bench_function(format!("{name}/by-input"), |bencher| {
            bencher.iter(|| conv::input_gradient(&shape, &dy, &w, &mut dx, 1));
        });
        group.bench_function(format!("{name}/by-weight"), |bencher| {
            bencher.iter(|| conv::weight_gradient(&shape, &x, &dy, &mut dw, 1));
        });
    }
}

fn normalisation(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("normalisation");
    let shape = norm::NormShape { batch: BATCH, channels: 32, pixels: 14 * 14 };
    let (x, dy) = (values(BATCH * 32 * 14 * 14), values(BATCH * 32 * 14 * 14));
    let (scale, shift) = (values(32), values(32));
    let operands = Operands { x: &x, affine: Affine { scale: &scale, shift: &shift } };
    let (mut y, mut dx) = (x.clone(), x.clone());
    bench.throughput(Throughput::Elements(x.len() as u64));

    let options = group::GroupOptions { groups: 4, epsilon: 1e-5, rectified: true };
    let statistics = options.forward(&shape, operands, &mut y, 1);
    bench.bench_function("group/forward", |bencher| {
        bencher.iter(|| options.forward(&shape, operands, &mut y, 1));
    });
    bench.bench_function("group/backward", |bencher| {
        bencher.iter(|| options.backward(&shape, operands, &statistics, &dy, &mut dx, 1));
    });

    let options = batch::BatchOptions { epsilon: 1e-5, rectified: true };
    let statistics = options.forward(&shape, operands, &mut y, 1);
    bench.bench_function("batch/forward", |bencher| {
        bencher.iter(|| options.forward(&shape, operands, &mut y, 1));
    });
    bench.bench_function("batch/backward", |bencher| {
        bencher.iter(|| options.backward(&shape, operands, &statistics, &dy, &mut dx, 1));
    });
}

fn gradient_step(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("gradient-step");
    // The first layer of `mlp`.
    let weights = values(784 * 400);
    let (mut velocity, mut gradients) = (weights.clone(), weights.clone());
    let step = Step { rate: 1e-3, momentum: 0.9, decay: 0.0 };
    bench.throughput(Throughput::Elements(weights.len() as u64));
    bench.bench_function("momentum", |bencher| {
        bencher.iter(|| sgd::momentum(&weights, &mut velocity, &mut gradients, step, 1));
    });
}

criterion_group! {
    name = kernels;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = convolution, normalisation, gradient_step
}
criterion_main!(kernels);

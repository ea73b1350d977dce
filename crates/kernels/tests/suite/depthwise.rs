//! Compares the depthwise convolution and its gradients with loops in f64, with each other, and between numbers of
//! threads.

use alluvium_kernels::depthwise::{DepthwiseShape, bias_gradient, forward, input_gradient, weight_gradient};

use crate::random::{Random, close};

/// Calls `visit(input index, weight index, output index)` for every product of a depthwise convolution.
fn products(shape: &DepthwiseShape, mut visit: impl FnMut(usize, usize, usize)) {
    let DepthwiseShape { batch, channels, height, width, kernel: [kh, kw], stride, padding } = *shape;
    let (rows, columns) = (shape.rows(), shape.columns());
    for plane in 0..batch * channels {
        for output in 0..rows * columns {
            for tap in 0..kh * kw {
                let y = output / columns * stride[0] + tap / kw;
                let x = output % columns * stride[1] + tap % kw;
                let (Some(y), Some(x)) = (y.checked_sub(padding[0]), x.checked_sub(padding[1])) else {
                    continue;
                };
                if y < height && x < width {
                    let x_index = (plane * height + y) * width + x;
                    visit(x_index, plane % channels * kh * kw + tap, plane * rows * columns + output);
                }
            }
        }
    }
}

struct Case {
    x: Vec<f32>,
    w: Vec<f32>,
    b: Vec<f32>,
    dy: Vec<f32>,
}

fn case(shape: &DepthwiseShape, random: &mut Random) -> Case {
    Case {
        x: random.values(shape.batch * shape.input_image()),
        w: random.values(shape.weights()),
        b: random.values(shape.channels),
        dy: random.values(shape.batch * shape.output_image()),
    }
}

/// Output, gradients by input, weights and bias. The slices start as NaN: every value must be written.
fn all(shape: &DepthwiseShape, case: &Case, threads: usize) -> [Vec<f32>; 4] {
    let nan = |length| vec![f32::NAN; length];
    let mut results = [nan(case.dy.len()), nan(case.x.len()), nan(case.w.len()), nan(case.b.len())];
    forward(shape, &case.x, &case.w, Some(&case.b), &mut results[0], threads);
    input_gradient(shape, &case.dy, &case.w, &mut results[1], threads);
    weight_gradient(shape, &case.x, &case.dy, &mut results[2], threads);
    bias_gradient(shape, &case.dy, &mut results[3]);
    results
}

fn check(shape: &DepthwiseShape, random: &mut Random) {
    let case = case(shape, random);
    let [y, dx, dw, db] = all(shape, &case, 1);
    let pixels = shape.rows() * shape.columns();
    let channel = |index: usize| index / pixels % shape.channels;
    let mut expected_y: Vec<f64> = (0..y.len()).map(|index| f64::from(case.b[channel(index)])).collect();
    let mut expected_dx = vec![0.0; dx.len()];
    let mut expected_dw = vec![0.0; dw.len()];
    products(shape, |x, w, y| {
        expected_y[y] += f64::from(case.x[x]) * f64::from(case.w[w]);
        expected_dx[x] += f64::from(case.dy[y]) * f64::from(case.w[w]);
        expected_dw[w] += f64::from(case.dy[y]) * f64::from(case.x[x]);
    });
    let mut expected_db = vec![0.0; db.len()];
    for (index, value) in case.dy.iter().enumerate() {
        expected_db[channel(index)] += f64::from(*value);
    }
    close(&format!("output of {shape:?}"), &y, &expected_y, 1e-5);
    close(&format!("gradient by the input of {shape:?}"), &dx, &expected_dx, 1e-5);
    close(&format!("gradient by the weights of {shape:?}"), &dw, &expected_dw, 1e-5);
    close(&format!("gradient by the bias of {shape:?}"), &db, &expected_db, 1e-5);
}

/// (batch, channels, height, width, kernel, stride, padding)
type Sizes = (usize, usize, usize, usize, [usize; 2], usize, usize);

fn layer((batch, channels, height, width, kernel, stride, padding): Sizes) -> DepthwiseShape {
    DepthwiseShape { batch, channels, height, width, kernel, stride: [stride; 2], padding: [padding; 2] }
}

/// Layers of small audio and image networks, and odd ones.
const LAYERS: [Sizes; 12] = [
    (5, 6, 16, 26, [3, 3], 1, 1),
    (3, 4, 20, 25, [3, 3], 1, 1),
    (4, 3, 25, 5, [3, 3], 1, 1),
    (3, 3, 16, 26, [3, 3], 2, 1),
    (2, 5, 17, 13, [5, 5], 1, 2),
    (2, 3, 14, 14, [5, 5], 2, 2),
    (2, 3, 9, 11, [5, 3], 1, 1),
    (1, 7, 8, 8, [1, 1], 2, 0),
    (3, 2, 7, 9, [3, 3], 1, 0),
    (2, 2, 1, 1, [3, 3], 1, 1),
    (2, 1, 3, 40, [2, 4], 1, 2),
    (1, 2, 8, 12, [4, 4], 4, 0),
];

#[test]
fn one_plane_computed_by_hand() {
    let shape = layer((1, 1, 2, 2, [3, 3], 1, 1));
    let x = [1.0, 2.0, 3.0, 4.0];
    let w = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let mut y = [0.0; 4];
    forward(&shape, &x, &w, Some(&[0.5]), &mut y, 1);
    // Top left: 5 · 1 + 6 · 2 + 8 · 3 + 9 · 4 = 77, and the bias. The others see 4, 5, 7, 8; 2, 3, 5, 6; 1, 2, 4, 5.
    assert_eq!(y, [77.5, 67.5, 47.5, 37.5]);
    let dy = [1.0, 0.0, 0.0, 10.0];
    let mut dx = [0.0; 4];
    input_gradient(&shape, &dy, &w, &mut dx, 1);
    // The taps that join an input with the first output, and ten times those that join it with the last one.
    assert_eq!(dx, [5.0 + 10.0, 6.0 + 20.0, 8.0 + 40.0, 9.0 + 50.0]);
    let mut dw = [0.0; 9];
    weight_gradient(&shape, &x, &dy, &mut dw, 1);
    // The first output sees x under the last four taps of the kernel, the last output under the first four.
    assert_eq!(dw, [10.0, 20.0, 0.0, 30.0, 1.0 + 40.0, 2.0, 0.0, 3.0, 4.0]);
    let mut db = [0.0];
    bias_gradient(&shape, &dy, &mut db);
    assert_eq!(db, [11.0]);
}

#[test]
fn agrees_with_loops_on_layers() {
    let mut random = Random::new(21);
    for sizes in LAYERS {
        check(&layer(sizes), &mut random);
    }
}

#[test]
fn agrees_with_loops_on_odd_sizes() {
    let mut random = Random::new(22);
    for kernel in [[1, 1], [3, 3], [5, 3], [5, 5], [2, 3]] {
        for stride in [1, 2] {
            for padding in 0..3 {
                for (batch, channels, height, width) in [(1, 1, 5, 5), (2, 3, 7, 9), (3, 5, 11, 17), (1, 2, 19, 33)] {
                    check(&layer((batch, channels, height, width, kernel, stride, padding)), &mut random);
                }
            }
        }
    }
}

#[test]
fn agrees_with_loops_on_random_shapes() {
    let mut random = Random::new(23);
    let mut tried = 0;
    while tried < 400 {
        let shape = DepthwiseShape {
            batch: 1 + random.below(4),
            channels: 1 + random.below(7),
            height: 1 + random.below(19),
            width: 1 + random.below(35),
            kernel: [1 + random.below(6), 1 + random.below(6)],
            stride: [1 + random.below(3), 1 + random.below(3)],
            padding: [random.below(4), random.below(4)],
        };
        if shape.height + 2 * shape.padding[0] >= shape.kernel[0]
            && shape.width + 2 * shape.padding[1] >= shape.kernel[1]
        {
            check(&shape, &mut random);
            tried += 1;
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut random = Random::new(24);
    for sizes in LAYERS {
        let shape = layer(sizes);
        let case = case(&shape, &mut random);
        let bits = |threads| all(&shape, &case, threads).map(|values| values.into_iter().map(f32::to_bits).collect());
        let one: [Vec<u32>; 4] = bits(1);
        for threads in [2, 3, 5, 64] {
            assert!(one == bits(threads), "{shape:?} on {threads} threads");
        }
    }
}

#[test]
fn a_plane_does_not_depend_on_its_neighbours() {
    let mut random = Random::new(25);
    for sizes in LAYERS {
        let shape = layer(sizes);
        let mut whole = case(&shape, &mut random);
        let [y, dx, ..] = all(&shape, &whole, 1);
        // A first image that is not finite may change nothing but its own results.
        let (input, output) = (shape.input_image(), shape.output_image());
        whole.x[..input].fill(f32::NAN);
        whole.dy[..output].fill(f32::INFINITY);
        let [other_y, other_dx, ..] = all(&shape, &whole, 1);
        assert_eq!(y[output..], other_y[output..], "output of {shape:?}");
        assert_eq!(dx[input..], other_dx[input..], "gradient by the input of {shape:?}");
    }
}

#[test]
fn gradients_are_adjoint() {
    // <conv(x, w), dy> = <x, dx> = <w, dw>, for any values.
    let mut random = Random::new(26);
    for sizes in LAYERS {
        let shape = layer(sizes);
        let mut case = case(&shape, &mut random);
        case.b.fill(0.0);
        let [y, dx, dw, _] = all(&shape, &case, 1);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let length = dot(&y, &y).sqrt() * dot(&case.dy, &case.dy).sqrt();
        let expected = dot(&y, &case.dy);
        for got in [dot(&case.x, &dx), dot(&case.w, &dw)] {
            assert!((got - expected).abs() < 1e-6 * length, "{shape:?}: {got} instead of {expected}");
        }
    }
}

#[test]
fn an_empty_batch_is_fine() {
    let shape = DepthwiseShape { batch: 0, ..layer(LAYERS[0]) };
    let case = case(&shape, &mut Random::new(27));
    let [y, dx, dw, db] = all(&shape, &case, 2);
    assert!(y.is_empty() && dx.is_empty());
    assert!(dw.iter().chain(&db).all(|value| *value == 0.0));
}

#[test]
#[should_panic(expected = "the input disagrees with")]
fn a_slice_that_disagrees_panics() {
    let shape = layer(LAYERS[0]);
    forward(&shape, &[0.0; 3], &vec![0.0; shape.weights()], None, &mut vec![0.0; 5 * shape.output_image()], 1);
}

#[test]
#[should_panic(expected = "a kernel of 3 does not fit an image of 2")]
fn a_kernel_that_does_not_fit_panics() {
    layer((1, 1, 2, 9, [3, 3], 1, 0)).rows();
}

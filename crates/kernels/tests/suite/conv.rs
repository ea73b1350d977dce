//! Compares the convolution and its gradients with loops in f64, with each other, and between numbers of threads.

use alluvium_kernels::conv::{Shape, bias_gradient, forward, input_gradient, weight_gradient};

use crate::random::{Random, close};

/// Calls `visit(input index, weight index, output index)` for every product of a convolution.
fn products(shape: &Shape, mut visit: impl FnMut(usize, usize, usize)) {
    let Shape { batch, inputs, height, width, outputs, kernel: [kh, kw], stride, padding } = *shape;
    let (rows, columns) = (shape.rows(), shape.columns());
    for image in 0..batch {
        for output in 0..outputs {
            for row in 0..rows {
                for column in 0..columns {
                    let y_index = ((image * outputs + output) * rows + row) * columns + column;
                    for input in 0..inputs {
                        for ky in 0..kh {
                            for kx in 0..kw {
                                let (y, x) = (row * stride[0] + ky, column * stride[1] + kx);
                                let (Some(y), Some(x)) = (y.checked_sub(padding[0]), x.checked_sub(padding[1])) else {
                                    continue;
                                };
                                if y < height && x < width {
                                    let x_index = ((image * inputs + input) * height + y) * width + x;
                                    visit(x_index, ((output * inputs + input) * kh + ky) * kw + kx, y_index);
                                }
                            }
                        }
                    }
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

fn case(shape: &Shape, random: &mut Random) -> Case {
    Case {
        x: random.values(shape.batch * shape.input_image()),
        w: random.values(shape.weights()),
        b: random.values(shape.outputs),
        dy: random.values(shape.batch * shape.output_image()),
    }
}

/// Output, gradients by input, weights and bias. The slices start as NaN: every value must be written.
fn all(shape: &Shape, case: &Case, threads: usize) -> [Vec<f32>; 4] {
    let nan = |length| vec![f32::NAN; length];
    let mut results = [nan(case.dy.len()), nan(case.x.len()), nan(case.w.len()), nan(case.b.len())];
    forward(shape, &case.x, &case.w, Some(&case.b), &mut results[0], threads);
    input_gradient(shape, &case.dy, &case.w, &mut results[1], threads);
    weight_gradient(shape, &case.x, &case.dy, &mut results[2], threads);
    bias_gradient(shape, &case.dy, &mut results[3]);
    results
}

fn check(shape: &Shape, random: &mut Random) {
    let case = case(shape, random);
    let [y, dx, dw, db] = all(shape, &case, 1);
    let pixels = shape.rows() * shape.columns();
    let mut expected_y: Vec<f64> =
        (0..y.len()).map(|index| f64::from(case.b[index / pixels % shape.outputs])).collect();
    let mut expected_dx = vec![0.0; dx.len()];
    let mut expected_dw = vec![0.0; dw.len()];
    products(shape, |x, w, y| {
        expected_y[y] += f64::from(case.x[x]) * f64::from(case.w[w]);
        expected_dx[x] += f64::from(case.dy[y]) * f64::from(case.w[w]);
        expected_dw[w] += f64::from(case.dy[y]) * f64::from(case.x[x]);
    });
    let mut expected_db = vec![0.0; db.len()];
    for (index, value) in case.dy.iter().enumerate() {
        expected_db[index / pixels % shape.outputs] += f64::from(*value);
    }
    close(&format!("output of {shape:?}"), &y, &expected_y, 1e-5);
    close(&format!("gradient by the input of {shape:?}"), &dx, &expected_dx, 1e-5);
    close(&format!("gradient by the weights of {shape:?}"), &dw, &expected_dw, 1e-5);
    close(&format!("gradient by the bias of {shape:?}"), &db, &expected_db, 1e-5);
}

#[test]
fn agrees_with_loops_on_random_shapes() {
    let mut random = Random::new(7);
    let mut tried = 0;
    while tried < 400 {
        let shape = Shape {
            batch: 1 + random.below(9),
            inputs: 1 + random.below(22),
            height: 1 + random.below(19),
            width: 1 + random.below(19),
            outputs: 1 + random.below(22),
            kernel: [1 + random.below(4), 1 + random.below(4)],
            stride: [1 + random.below(3), 1 + random.below(3)],
            padding: [random.below(3), random.below(3)],
        };
        if shape.height + 2 * shape.padding[0] >= shape.kernel[0]
            && shape.width + 2 * shape.padding[1] >= shape.kernel[1]
        {
            check(&shape, &mut random);
            tried += 1;
        }
    }
}

/// Small images in batches of many sizes: full groups of 16, some more, some less.
fn small_shapes(random: &mut Random) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for batch in [1, 5, 12, 16, 17, 29, 48, 49] {
        for size in [1, 3, 5] {
            for stride in [1, 2, 3] {
                for padding in [0, 1, 2] {
                    shapes.push(Shape {
                        batch,
                        inputs: 1 + random.below(11),
                        height: 5 + random.below(5),
                        width: 5 + random.below(5),
                        outputs: 1 + random.below(22),
                        kernel: [size, 1 + random.below(size)],
                        stride: [stride, 1 + random.below(stride)],
                        padding: [padding, random.below(padding + 1)],
                    });
                }
            }
        }
    }
    shapes
}

#[test]
fn agrees_with_loops_on_small_images() {
    let mut random = Random::new(12);
    for shape in small_shapes(&mut random) {
        check(&shape, &mut random);
    }
    // An image that is smaller than its padding, and one of a single value.
    for size in [(3, 2, 5, 5, 1), (1, 1, 1, 1, 1)] {
        check(&layer(size, 33), &mut random);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits_on_small_images() {
    let mut random = Random::new(13);
    for shape in small_shapes(&mut random) {
        let case = case(&shape, &mut random);
        let one = all(&shape, &case, 1).map(bits);
        for threads in [2, 3, 7] {
            assert!(one == all(&shape, &case, threads).map(bits), "{shape:?} on {threads} threads");
        }
    }
}

#[test]
fn an_image_does_not_depend_on_its_neighbours() {
    let mut random = Random::new(14);
    let layers = LAYERS.map(|size| layer(size, 18));
    for shape in small_shapes(&mut random).into_iter().chain(layers) {
        let whole = case(&shape, &mut random);
        let [y, dx, ..] = all(&shape, &whole, 1);
        let single = Shape { batch: 1, ..shape };
        let images = whole.x.chunks_exact(shape.input_image()).zip(whole.dy.chunks_exact(shape.output_image()));
        let results = y.chunks_exact(shape.output_image()).zip(dx.chunks_exact(shape.input_image()));
        for (image, ((x, dy), (y, dx))) in images.zip(results).enumerate() {
            let case = Case { x: x.into(), dy: dy.into(), w: whole.w.clone(), b: whole.b.clone() };
            let [single_y, single_dx, ..] = all(&single, &case, 1);
            assert!(bits(single_y) == bits(y.into()), "output {image} of {shape:?}");
            assert!(bits(single_dx) == bits(dx.into()), "gradient by input {image} of {shape:?}");
        }
    }
}

fn bits(values: Vec<f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

/// (inputs, size, outputs, kernel, stride) of the layers of the shipped backbones.
const LAYERS: [(usize, usize, usize, usize, usize); 18] = [
    (1, 28, 16, 3, 1),
    (1, 28, 16, 3, 2),
    (16, 28, 32, 3, 2),
    (16, 14, 32, 3, 2),
    (32, 14, 64, 3, 2),
    (32, 7, 64, 3, 1),
    (3, 32, 20, 3, 1),
    (20, 32, 20, 3, 1),
    (20, 32, 40, 3, 2),
    (20, 32, 40, 1, 2),
    (40, 16, 40, 3, 1),
    (40, 16, 80, 3, 2),
    (40, 16, 80, 1, 2),
    (80, 8, 80, 3, 1),
    (80, 8, 160, 3, 2),
    (80, 8, 160, 1, 2),
    (160, 4, 160, 3, 1),
    (3, 40, 8, 5, 1),
];

fn layer((inputs, size, outputs, kernel, stride): (usize, usize, usize, usize, usize), batch: usize) -> Shape {
    let (height, width) = (size, size);
    let padding = [kernel / 2; 2];
    Shape { batch, inputs, height, width, outputs, kernel: [kernel; 2], stride: [stride; 2], padding }
}

#[test]
fn agrees_with_loops_on_the_backbones_layers() {
    let mut random = Random::new(8);
    for size in LAYERS {
        check(&layer(size, 3), &mut random);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut random = Random::new(9);
    for size in LAYERS {
        let shape = layer(size, 13);
        let case = case(&shape, &mut random);
        let bits = |threads| all(&shape, &case, threads).map(|values| values.into_iter().map(f32::to_bits).collect());
        let one: [Vec<u32>; 4] = bits(1);
        for threads in [2, 3, 5, 64] {
            assert!(one == bits(threads), "{shape:?} on {threads} threads");
        }
    }
}

#[test]
fn gradients_are_adjoint() {
    // <conv(x, w), dy> = <x, dx> = <w, dw>, for any values.
    let mut random = Random::new(10);
    for size in LAYERS {
        let shape = layer(size, 4);
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
    let shape = layer(LAYERS[1], 0);
    let case = case(&shape, &mut Random::new(11));
    let [y, dx, dw, db] = all(&shape, &case, 2);
    assert!(y.is_empty() && dx.is_empty());
    assert!(dw.iter().chain(&db).all(|value| *value == 0.0));
}

#[test]
#[should_panic(expected = "the input disagrees with")]
fn a_slice_that_disagrees_panics() {
    let shape = layer(LAYERS[1], 2);
    forward(&shape, &[0.0; 3], &vec![0.0; shape.weights()], None, &mut vec![0.0; 2 * shape.output_image()], 1);
}

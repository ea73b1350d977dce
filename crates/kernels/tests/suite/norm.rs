//! Compares normalisations with formulas in f64, with their finite differences, and between numbers of threads.

use alluvium_kernels::norm::{Affine, Kernel, NormShape, Operands, batch, group};
use alluvium_kernels::relu;

use crate::random::{Random, close};

const EPSILON: f32 = 1e-5;

/// Values and parameters in f64.
#[derive(Clone)]
struct Case {
    x: Vec<f64>,
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// Maps the index of a value to the set of values that share its mean and variance.
type Set = Box<dyn Fn(usize) -> usize>;

fn group_sets(shape: NormShape, groups: usize) -> (Set, usize) {
    let length = shape.image() / groups;
    (Box::new(move |index| index / length), shape.batch * groups)
}

fn batch_sets(shape: NormShape) -> (Set, usize) {
    (Box::new(move |index| index / shape.pixels % shape.channels), shape.channels)
}

fn normalised(shape: &NormShape, case: &Case, (set, count): &(Set, usize), rectified: bool) -> Vec<f64> {
    let mut moments = vec![[0.0; 3]; *count];
    for (index, value) in case.x.iter().enumerate() {
        moments[set(index)][0] += 1.0;
        moments[set(index)][1] += value;
    }
    for (index, value) in case.x.iter().enumerate() {
        let [count, sum, squares] = &mut moments[set(index)];
        *squares += (value - *sum / *count).powi(2);
    }
    let normalise = |(index, value): (usize, &f64)| {
        let [count, sum, squares] = moments[set(index)];
        let channel = index / shape.pixels % shape.channels;
        let normal = (value - sum / count) / (squares / count + f64::from(EPSILON)).sqrt();
        let y = normal * case.scale[channel] + case.shift[channel];
        if rectified { y.max(0.0) } else { y }
    };
    case.x.iter().enumerate().map(normalise).collect()
}

/// The slope of `<normalised, dy>` along the value that `pick` finds.
fn slope(loss: impl Fn(&Case) -> f64, case: &Case, pick: impl Fn(&mut Case) -> &mut f64) -> f64 {
    let step = 1e-6;
    let [mut up, mut down] = [case.clone(), case.clone()];
    *pick(&mut up) += step;
    *pick(&mut down) -= step;
    (loss(&up) - loss(&down)) / (2.0 * step)
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

struct Results {
    y: Vec<f32>,
    dx: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Results {
    fn bits(&self) -> Vec<u32> {
        [&self.y, &self.dx, &self.scale, &self.shift].into_iter().flatten().map(|value| value.to_bits()).collect()
    }
}

struct Values {
    x: Vec<f32>,
    dy: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Values {
    fn new(shape: &NormShape, offset: f32, random: &mut Random) -> Values {
        let length = shape.batch * shape.image();
        let x = random.values(length).into_iter().map(|value| value + offset).collect();
        let (dy, scale, shift) = (random.values(length), random.values(shape.channels), random.values(shape.channels));
        Values { x, dy, scale, shift }
    }

    fn operands(&self) -> Operands<'_> {
        Operands { x: &self.x, affine: Affine { scale: &self.scale, shift: &self.shift } }
    }

    fn group(&self, shape: &NormShape, groups: usize, rectified: bool, threads: usize) -> Results {
        let options = group::GroupOptions { groups, epsilon: EPSILON, rectified };
        let operands = self.operands();
        let [mut y, mut dx] = [vec![f32::NAN; self.x.len()], vec![f32::NAN; self.x.len()]];
        let statistics = options.forward(shape, operands, &mut y, threads);
        let gradients = options.backward(shape, operands, &statistics, &self.dy, &mut dx, threads);
        Results { y, dx, scale: gradients.scale, shift: gradients.shift }
    }

    fn batch(&self, shape: &NormShape, rectified: bool, threads: usize) -> Results {
        let options = batch::BatchOptions { epsilon: EPSILON, rectified };
        let operands = self.operands();
        let [mut y, mut dx] = [vec![f32::NAN; self.x.len()], vec![f32::NAN; self.x.len()]];
        let statistics = options.forward(shape, operands, &mut y, threads);
        let gradients = options.backward(shape, operands, &statistics, &self.dy, &mut dx, threads);
        let mut again = vec![f32::NAN; self.x.len()];
        options.infer(shape, operands, &statistics, &mut again, threads);
        assert!(again == y, "inference with the batch's own statistics");
        Results { y, dx, scale: gradients.scale, shift: gradients.shift }
    }

    fn check(&self, name: &str, shape: &NormShape, results: &Results, sets: (Set, usize), rectified: bool) {
        let case = Case { x: widen(&self.x), scale: widen(&self.scale), shift: widen(&self.shift) };
        close(&format!("{name}: output of {shape:?}"), &results.y, &normalised(shape, &case, &sets, rectified), 2e-5);
        let loss = |case: &Case| {
            normalised(shape, case, &sets, rectified).iter().zip(&self.dy).map(|(y, dy)| y * f64::from(*dy)).sum()
        };
        let along = |length: usize, pick: fn(&mut Case) -> &mut Vec<f64>| -> Vec<f64> {
            (0..length).map(|index| slope(loss, &case, |case| &mut pick(case)[index])).collect()
        };
        let [x, scale, shift] = [
            along(self.x.len(), |case| &mut case.x),
            along(shape.channels, |case| &mut case.scale),
            along(shape.channels, |case| &mut case.shift),
        ];
        close(&format!("{name}: gradient by x of {shape:?}"), &results.dx, &x, 1e-4);
        close(&format!("{name}: gradient by the scale of {shape:?}"), &results.scale, &scale, 1e-4);
        close(&format!("{name}: gradient by the shift of {shape:?}"), &results.shift, &shift, 1e-4);
    }
}

#[test]
fn agrees_with_formulas_and_finite_differences() {
    let mut random = Random::new(1);
    for (batch, groups, each, pixels) in [(3, 2, 2, 9), (2, 4, 1, 49), (1, 1, 5, 37), (4, 3, 2, 4)] {
        let shape = NormShape { batch, channels: groups * each, pixels };
        for rectified in [false, true] {
            let values = Values::new(&shape, 0.3, &mut random);
            let results = values.group(&shape, groups, rectified, 1);
            values.check("group", &shape, &results, group_sets(shape, groups), rectified);
            let results = values.batch(&shape, rectified, 1);
            values.check("batch", &shape, &results, batch_sets(shape), rectified);
        }
    }
}

#[test]
fn a_mean_far_from_zero_costs_few_digits() {
    let mut random = Random::new(2);
    let shape = NormShape { batch: 2, channels: 4, pixels: 64 };
    let values = Values::new(&shape, 100.0, &mut random);
    let case = Case { x: widen(&values.x), scale: widen(&values.scale), shift: widen(&values.shift) };
    let expected = normalised(&shape, &case, &group_sets(shape, 2), false);
    close("group", &values.group(&shape, 2, false, 1).y, &expected, 1e-4);
    let expected = normalised(&shape, &case, &batch_sets(shape), false);
    close("batch", &values.batch(&shape, false, 1).y, &expected, 1e-4);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut random = Random::new(3);
    let shape = NormShape { batch: 13, channels: 24, pixels: 49 };
    let values = Values::new(&shape, 0.1, &mut random);
    let (group, batch) = (values.group(&shape, 8, true, 1).bits(), values.batch(&shape, true, 1).bits());
    for threads in [2, 3, 5, 64] {
        assert!(group == values.group(&shape, 8, true, threads).bits(), "group on {threads} threads");
        assert!(batch == values.batch(&shape, true, threads).bits(), "batch on {threads} threads");
    }
}

#[test]
fn a_rectifier_alone_is_the_fused_one() {
    let mut random = Random::new(4);
    let shape = NormShape { batch: 3, channels: 8, pixels: 21 };
    let values = Values::new(&shape, 0.0, &mut random);
    let plain = values.batch(&shape, false, 1);
    let mut rectified = vec![0.0; plain.y.len()];
    relu::forward(&plain.y, &mut rectified);
    assert!(rectified == values.batch(&shape, true, 1).y);
    let mut masked = Values { x: values.x.clone(), dy: vec![0.0; plain.y.len()], ..values };
    let (fused, dy) = {
        let dy = Random::new(5).values(plain.y.len());
        relu::backward(&plain.y, &dy, &mut masked.dy);
        let plain = masked.batch(&shape, false, 1);
        masked.dy = dy.clone();
        (plain, dy)
    };
    masked.dy = dy;
    assert!(fused.dx == masked.batch(&shape, true, 1).dx);
}

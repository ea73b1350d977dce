//! Sums over a plane, in a fixed order: always 32 running sums, for every vector width.

const LANES: usize = 32;
const HALF: usize = LANES / 2;

/// Adds the running sums in pairs.
#[inline(always)]
fn reduce(mut sums: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The sum of `term` over pairs of values of `a` and `b`.
#[inline(always)]
pub(crate) fn sum_pairs<const N: usize>(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> [f32; N]) -> [f32; N] {
    let mut sums = [[0.0; LANES]; N];
    let (a, rest_a) = a.as_chunks::<LANES>();
    let (b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        add(&mut sums, a, b, &term);
    }
    // Images of 4×4 or 7×7 pixels hardly fill a block: add half a block first, then value by value.
    let (a, rest_a) = rest_a.as_chunks::<HALF>();
    let (b, rest_b) = rest_b.as_chunks::<HALF>();
    let mut halves = [[0.0; HALF]; N];
    for (a, b) in a.iter().zip(b) {
        add(&mut halves, a, b, &term);
    }
    let mut results = [0.0; N];
    for (&a, &b) in rest_a.iter().zip(rest_b) {
        let terms = term(a, b);
        for index in 0..N {
            results[index] += terms[index];
        }
    }
    for index in 0..N {
        for lane in 0..HALF {
            sums[index][lane] += halves[index][lane];
        }
        results[index] += reduce(sums[index]);
    }
    results
}

/// Adds a block's terms, lane by lane.
#[inline(always)]
fn add<const L: usize, const N: usize>(
    sums: &mut [[f32; L]; N],
    a: &[f32; L],
    b: &[f32; L],
    term: &impl Fn(f32, f32) -> [f32; N],
) {
    for lane in 0..L {
        let terms = term(a[lane], b[lane]);
        for index in 0..N {
            sums[index][lane] += terms[index];
        }
    }
}

/// The sum of the values.
#[inline(always)]
pub(crate) fn total(values: &[f32]) -> f32 {
    let [sum] = sum_pairs(values, values, |value, _| [value]);
    sum
}

/// The sum of the squared distances from `mean`.
#[inline(always)]
pub(crate) fn squares(values: &[f32], mean: f32) -> f32 {
    let [sum] = sum_pairs(values, values, |value, _| [(value - mean) * (value - mean)]);
    sum
}

//! The widest vector instructions of this processor.

use pulp::{Arch, Scalar128b, Simd, WithSimd};

/// Runs `work` with the widest vectors of this processor.
///
/// `work` and all it calls must be `#[inline(always)]` (or go through [`Simd::vectorize`] again): only inlined code is
/// compiled for these vectors.
#[inline(always)]
pub(crate) fn widest<W: WithSimd>(work: W) -> W::Output {
    Arch::new().dispatch(PortableVectors(work))
}

/// Replaces vectors of one lane, pulp's fallback, by vectors of four, which every 64-bit target has.
struct PortableVectors<W>(W);

impl<W: WithSimd> WithSimd for PortableVectors<W> {
    type Output = W::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> W::Output {
        if S::IS_SCALAR { self.0.with_simd(Scalar128b) } else { self.0.with_simd(simd) }
    }
}

/// The largest number of vectors in a row of a tile. A tile has 8 rows, or 4 rows with 16 registers. A third vector
/// with 4 rows would leave one register for everything else, and the compiler would keep sums in memory.
#[inline(always)]
pub(crate) fn widest_row<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 3 } else { 2 }
}

/// `a · b + c`, fused if the processor can. Pulp's own fallback calls a function for each value.
#[inline(always)]
pub(crate) fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    let any: &dyn std::any::Any = &simd;
    if any.is::<Scalar128b>() { simd.add_f32s(simd.mul_f32s(a, b), c) } else { simd.mul_add_e_f32s(a, b, c) }
}

/// `N` vectors from the front of `values`.
#[inline(always)]
pub(crate) fn load<S: Simd, const N: usize>(_: S, values: &[f32]) -> [S::f32s; N] {
    let (vectors, _) = S::as_simd_f32s(&values[..N * S::F32_LANES]);
    std::array::from_fn(|index| vectors[index])
}

/// Writes `N` vectors to the front of `values`.
#[inline(always)]
pub(crate) fn store<S: Simd, const N: usize>(_: S, vectors: &[S::f32s; N], values: &mut [f32]) {
    let (targets, _) = S::as_mut_simd_f32s(&mut values[..N * S::F32_LANES]);
    for (target, vector) in targets.iter_mut().zip(vectors) {
        *target = *vector;
    }
}

/// The number of values of a cache line.
pub(crate) const LINE: usize = 16;

/// The values from the first cache line boundary on, so that no vector crosses one. At most [`LINE`] values are lost.
pub(crate) fn aligned(values: &mut [f32]) -> &mut [f32] {
    let start = values.as_ptr().align_offset(LINE * size_of::<f32>());
    &mut values[start.min(LINE)..]
}

/// Copies `source` to the front of `target`.
///
/// Short rows are copied by two moves that overlap in the middle. A copy of unknown length is a call, which costs more
/// than the rows of a small image. (The compiler would turn a loop over blocks into that call again.)
#[inline(always)]
pub(crate) fn copy(source: &[f32], target: &mut [f32]) {
    let length = source.len();
    let target = &mut target[..length];
    match length {
        0 => {}
        1..4 => {
            target[0] = source[0];
            target[length / 2] = source[length / 2];
            target[length - 1] = source[length - 1];
        }
        4..8 => ends::<4>(source, target),
        8..16 => ends::<8>(source, target),
        16..=32 => ends::<16>(source, target),
        _ => target.copy_from_slice(source),
    }
}

/// Copies the first and the last `B` values.
#[inline(always)]
fn ends<const B: usize>(source: &[f32], target: &mut [f32]) {
    let last = source.len() - B;
    target[..B].copy_from_slice(&source[..B]);
    target[last..last + B].copy_from_slice(&source[last..last + B]);
}

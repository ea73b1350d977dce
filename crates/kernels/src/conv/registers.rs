//! Rearrangements of values within registers.
//!
//! The compiler turns equivalent loops into single moves, so these functions name the instructions. Pulp's tokens make
//! this safe: a token proves that the processor has the instructions. Other processors use the loops.

use pulp::Simd;
#[cfg(all(target_arch = "x86_64", feature = "avx2"))]
use pulp::cast;

/// The values of a register, and the side of the blocks that are transposed.
pub(super) const BLOCK: usize = 8;

/// The token of AVX, if the vectors are those of AVX or wider.
#[cfg(all(target_arch = "x86_64", feature = "avx2"))]
#[inline(always)]
fn avx<S: Simd>(simd: &S) -> Option<pulp::core_arch::x86::Avx> {
    let any: &dyn std::any::Any = simd;
    #[cfg(feature = "avx512")]
    if let Some(v4) = any.downcast_ref::<pulp::x86::V4>() {
        return Some(v4.avx);
    }
    any.downcast_ref::<pulp::x86::V3>().map(|v3| v3.avx)
}

/// The block with rows and columns exchanged.
#[inline(always)]
pub(super) fn transposed<S: Simd>(simd: S, block: [[f32; BLOCK]; BLOCK]) -> [[f32; BLOCK]; BLOCK] {
    #[cfg(all(target_arch = "x86_64", feature = "avx2"))]
    if let Some(avx) = avx(&simd) {
        return transposed_by(avx, block);
    }
    let _ = simd;
    std::array::from_fn(|x| block.map(|row| row[x]))
}

/// The first, third, … and the second, fourth, … value of two registers.
#[inline(always)]
pub(super) fn split<S: Simd>(simd: S, pairs: [[f32; BLOCK]; 2]) -> [[f32; BLOCK]; 2] {
    #[cfg(all(target_arch = "x86_64", feature = "avx2"))]
    if let Some(avx) = avx(&simd) {
        let (low, high) = (cast(pairs[0]), cast(pairs[1]));
        let first = avx._mm256_permute2f128_ps::<0x20>(low, high);
        let second = avx._mm256_permute2f128_ps::<0x31>(low, high);
        return [
            cast(avx._mm256_shuffle_ps::<0x88>(first, second)),
            cast(avx._mm256_shuffle_ps::<0xdd>(first, second)),
        ];
    }
    let _ = simd;
    let value = |index: usize| pairs[index / BLOCK][index % BLOCK];
    [std::array::from_fn(|index| value(2 * index)), std::array::from_fn(|index| value(2 * index + 1))]
}

/// The opposite of [`split`]: a value of the first register, one of the second, and so on.
#[inline(always)]
pub(super) fn join<S: Simd>(simd: S, halves: [[f32; BLOCK]; 2]) -> [[f32; BLOCK]; 2] {
    #[cfg(all(target_arch = "x86_64", feature = "avx2"))]
    if let Some(avx) = avx(&simd) {
        let (even, odd) = (cast(halves[0]), cast(halves[1]));
        let (low, high) = (avx._mm256_unpacklo_ps(even, odd), avx._mm256_unpackhi_ps(even, odd));
        return [
            cast(avx._mm256_permute2f128_ps::<0x20>(low, high)),
            cast(avx._mm256_permute2f128_ps::<0x31>(low, high)),
        ];
    }
    let _ = simd;
    let value = |index: usize| halves[index % 2][index / 2];
    [std::array::from_fn(value), std::array::from_fn(|index| value(BLOCK + index))]
}

#[cfg(all(target_arch = "x86_64", feature = "avx2"))]
#[inline(always)]
fn transposed_by(avx: pulp::core_arch::x86::Avx, block: [[f32; BLOCK]; BLOCK]) -> [[f32; BLOCK]; BLOCK] {
    // No closures below: a closure that is not inlined would be compiled without AVX.
    let [a, b, c, d] = [cast(block[0]), cast(block[1]), cast(block[2]), cast(block[3])];
    let [e, f, g, h] = [cast(block[4]), cast(block[5]), cast(block[6]), cast(block[7])];
    // Pairs of rows, then fours, within each half of the registers; then the halves.
    let (ab, ab_high) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
    let (cd, cd_high) = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
    let (ef, ef_high) = (avx._mm256_unpacklo_ps(e, f), avx._mm256_unpackhi_ps(e, f));
    let (gh, gh_high) = (avx._mm256_unpacklo_ps(g, h), avx._mm256_unpackhi_ps(g, h));
    let top = [
        avx._mm256_shuffle_ps::<0x44>(ab, cd),
        avx._mm256_shuffle_ps::<0xee>(ab, cd),
        avx._mm256_shuffle_ps::<0x44>(ab_high, cd_high),
        avx._mm256_shuffle_ps::<0xee>(ab_high, cd_high),
    ];
    let bottom = [
        avx._mm256_shuffle_ps::<0x44>(ef, gh),
        avx._mm256_shuffle_ps::<0xee>(ef, gh),
        avx._mm256_shuffle_ps::<0x44>(ef_high, gh_high),
        avx._mm256_shuffle_ps::<0xee>(ef_high, gh_high),
    ];
    [
        cast(avx._mm256_permute2f128_ps::<0x20>(top[0], bottom[0])),
        cast(avx._mm256_permute2f128_ps::<0x20>(top[1], bottom[1])),
        cast(avx._mm256_permute2f128_ps::<0x20>(top[2], bottom[2])),
        cast(avx._mm256_permute2f128_ps::<0x20>(top[3], bottom[3])),
        cast(avx._mm256_permute2f128_ps::<0x31>(top[0], bottom[0])),
        cast(avx._mm256_permute2f128_ps::<0x31>(top[1], bottom[1])),
        cast(avx._mm256_permute2f128_ps::<0x31>(top[2], bottom[2])),
        cast(avx._mm256_permute2f128_ps::<0x31>(top[3], bottom[3])),
    ]
}

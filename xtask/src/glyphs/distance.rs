//! How far apart two rendered fonts are.

/// Mean absolute difference of two renderings, in grey levels (0 to 255).
pub fn between(one: &[u8], other: &[u8]) -> f64 {
    let total: u64 = one.chunks(4096).zip(other.chunks(4096)).map(|(a, b)| u64::from(absolute(a, b))).sum();
    total as f64 / one.len().max(1) as f64
}

/// Sum of absolute differences; both slices are short enough for 32 bits.
pub fn absolute(one: &[u8], other: &[u8]) -> u32 {
    let differences = one.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b)));
    differences.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_a_mean() {
        assert_eq!(between(&[0, 10, 20, 30], &[10, 0, 20, 50]), 10.0);
        assert_eq!(between(&[5; 9000], &[5; 9000]), 0.0);
    }
}

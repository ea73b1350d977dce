//! Trimming: keeps the largest values of a task vector.

use alluvium_model::Weights;
use alluvium_strategy::StrategyError;

/// The number of trimmed values, of `count` values, if the fraction `density` is kept.
pub(crate) fn trimmed(count: usize, density: f64) -> usize {
    let kept = ((density * count as f64).round() as usize).clamp(1, count.max(1));
    count.saturating_sub(kept)
}

/// The smallest kept magnitude if the fraction `density` of all values is kept.
pub(crate) fn smallest_kept(vector: &Weights, density: f64) -> f64 {
    let index = trimmed(vector.values(), density);
    if index == 0 {
        return 0.0;
    }
    let all_single: Option<Vec<_>> = vector.iter().map(|(_, tensor)| tensor.as_f32()).collect();
    match all_single {
        Some(tensors) => {
            let mut sizes: Vec<_> = tensors.into_iter().flatten().map(|value| value.abs()).collect();
            f64::from(*sizes.select_nth_unstable_by(index, f32::total_cmp).1)
        }
        None => {
            let sizes = vector.iter().flat_map(|(_, tensor)| tensor.numbers.exact().into_owned());
            let mut sizes: Vec<_> = sizes.map(f64::abs).collect();
            *sizes.select_nth_unstable_by(index, f64::total_cmp).1
        }
    }
}

/// Keeps the values of at least this magnitude; the others become 0.
pub(crate) fn trim(vector: &Weights, smallest: f64) -> Result<Weights, StrategyError> {
    Ok(vector.combine(vector, |value, _| if value.abs() >= smallest { value } else { 0.0 })?)
}

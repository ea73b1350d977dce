//! The arithmetic mean.

/// The arithmetic mean; `None` for an empty list.
///
/// It averages the deviations from the first value. So the mean of equal values is exactly that value, and their variance is
/// exactly 0.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values = values.into_iter();
    let first = values.next()?;
    let mut deviations = 0.0;
    let mut count = 1.0;
    for value in values {
        deviations += value - first;
        count += 1.0;
    }
    Some(first + deviations / count)
}

#[cfg(test)]
mod tests {
    use super::mean;

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(mean([]), None);
    }

    #[test]
    fn equal_values_are_their_own_mean() {
        // The plain sum gives 0.6999999999999998 here.
        assert_eq!(mean([0.7, 0.7, 0.7]), Some(0.7));
    }

    #[test]
    fn the_mean_of_one_two_six_is_three() {
        assert_eq!(mean([1.0, 2.0, 6.0]), Some(3.0));
    }
}

//! Sizes on the command line, in gigabytes.

/// Reads a number of gigabytes, from `least` to a million.
pub(crate) fn gigabytes(least: f64) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    const MOST: f64 = 1e6;
    move |text| {
        let size = text.parse::<f64>().ok().filter(|size| (least..=MOST).contains(size));
        size.ok_or_else(|| format!("accepted: a number of gigabytes from {least} to {MOST}"))
    }
}

#[cfg(test)]
mod tests {
    use super::gigabytes;

    #[test]
    fn sizes_are_numbers_within_bounds() {
        let size = gigabytes(0.000_001);
        assert_eq!((size("2.5"), size("0.000001"), size("1e6")), (Ok(2.5), Ok(1e-6), Ok(1e6)));
        for wrong in ["", "many", "0", "-1", "NaN", "inf", "1000001"] {
            let error = size(wrong).unwrap_err();
            assert!(error.ends_with("gigabytes from 0.000001 to 1000000"), "{wrong}: {error}");
        }
    }
}

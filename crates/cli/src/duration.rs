//! Durations for people.

/// A duration in its two largest units: `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn the_two_largest_units_are_named() {
        assert_eq!(
            [0.4, 59.4, 59.6, 200.0, 7500.0].map(duration),
            ["0 s", "59 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]
        );
    }
}

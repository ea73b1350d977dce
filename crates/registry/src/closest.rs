//! Which of the known names is like one that is unknown, for messages.

/// How alike two names must be (Jaro and Winkler, from 0 to 1), so that one may be meant by the other.
const ALIKE: f64 = 0.8;

/// How alike they are: as Jaro and Winkler say, or very much if one letter is wrong, missing or changed places with the next.
fn alike(given: &str, name: &str) -> f64 {
    let one_slip = given.len() > 2 && strsim::osa_distance(given, name) == 1;
    strsim::jaro_winkler(given, name).max(if one_slip { ALIKE } else { 0.0 })
}

/// What a message about an unknown name adds: ` (did you mean "pld"?)`, with this mark on both sides of the name; nothing if no name is like
/// it.
pub fn did_you_mean<'a>(given: &str, names: impl IntoIterator<Item = &'a str>, mark: char) -> String {
    closest(given, names).map(|name| format!(" (did you mean {mark}{name}{mark}?)")).unwrap_or_default()
}

/// The name that was probably meant; `None` if none is like it.
fn closest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = names.into_iter().map(|name| (alike(given, name), name));
    alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let kinds = ["ties", "pld", "mlp", "weight-averaging", "task-arithmetic"];
        for (given, meant) in [
            ("tie", Some("ties")),
            ("plt", Some("pld")),
            ("weight-avg", Some("weight-averaging")),
            ("weight_averaging", Some("weight-averaging")),
            ("task-arithmetics", Some("task-arithmetic")),
            ("mpl", Some("mlp")),
            ("abacus", None),
            ("", None),
        ] {
            assert_eq!(closest(given, kinds), meant, "{given}");
        }
        assert_eq!(did_you_mean("tie", kinds, '"'), " (did you mean \"ties\"?)");
        assert_eq!(did_you_mean("abacus", kinds, '"'), "");
    }
}

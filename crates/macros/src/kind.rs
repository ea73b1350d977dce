//! The kind of a plugin: lower case, words joined by hyphens. A `_` before it makes it internal: it is found, and never listed.

/// Whether a text can be a kind.
pub fn is_kind(text: &str) -> bool {
    let text = text.strip_prefix('_').unwrap_or(text);
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(is_word)
}

/// The kind that a name or a text suggests: `my-strategy` for `MyStrategyConfig` and for `My strategy`.
pub fn suggested(name: &str) -> String {
    let mut words = String::new();
    let mut follows_small = false;
    for c in name.strip_suffix("Config").unwrap_or(name).chars() {
        if c.is_ascii_uppercase() && follows_small || !c.is_ascii_alphanumeric() {
            words.push('-');
        }
        if c.is_ascii_alphanumeric() {
            words.push(c.to_ascii_lowercase());
        }
        follows_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    let words: Vec<_> = words.split('-').filter(|word| !word.is_empty()).collect();
    let kind = words.join("-");
    if is_kind(&kind) { kind } else { "my-kind".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_lower_case_words_joined_by_hyphens() {
        for good in ["naive", "weight-averaging", "resnet18", "split-cifar-10", "_internal-kind"] {
            assert!(is_kind(good), "{good}");
        }
        for bad in ["", "Naive", "my_kind", "-a", "a-", "a--b", "2d", "ä", "a b"] {
            assert!(!is_kind(bad), "{bad}");
        }
    }

    #[test]
    fn names_and_texts_suggest_a_kind() {
        let cases = [
            ("ExponentialAveraging", "exponential-averaging"),
            ("NaiveConfig", "naive"),
            ("my_kind", "my-kind"),
            ("My kind", "my-kind"),
            ("ResNet18Config", "res-net18"),
            ("EWC", "ewc"),
            ("__", "my-kind"),
        ];
        for (name, kind) in cases {
            assert_eq!(suggested(name), kind, "{name}");
        }
    }
}

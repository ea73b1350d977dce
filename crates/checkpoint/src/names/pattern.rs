//! Patterns of names. A star stands for any characters, including dots.

/// A pattern of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Pattern(text.to_owned())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(start) else { return false };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            let Some(found) = name.find(part) else { return false };
            name = &name[found + part.len()..];
        }
        name.ends_with(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let cases = [
            ("*.num_batches_tracked", "layer1.0.bn1.num_batches_tracked", true),
            ("*.num_batches_tracked", "num_batches_tracked", false),
            ("fc.*", "fc.weight", true),
            ("fc.*", "afc.weight", false),
            ("a*b*c", "a.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("*", "", true),
            ("**", "x", true),
            ("ab*ba", "aba", false),
            ("fc.weight", "fc.weight", true),
            ("fc.weight", "fc.weights", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }
}

//! Which parameters stay as they are: patterns of names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pattern of the full names of parameters, such as `backbone.stage1.*` or `*.bias`. A `*` stands for any characters, also for
/// dots and for none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct NamePattern(#[schemars(length(min = 1, max = 1024))] pub String);

impl NamePattern {
    /// Whether a name fits the pattern as a whole.
    pub fn fits(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|begin| name.strip_prefix(begin)) else { return false };
        let mut parts: Vec<_> = parts.collect();
        let Some(end) = parts.pop() else { return rest.is_empty() };
        // The earliest place of each part leaves the most for those behind it.
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(end)
    }

    /// Whether one of the patterns fits.
    pub fn any(patterns: &[NamePattern], name: &str) -> bool {
        patterns.iter().any(|pattern| pattern.fits(name))
    }
}

impl From<&str> for NamePattern {
    fn from(pattern: &str) -> Self {
        NamePattern(pattern.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let fits = |pattern: &str, name: &str| NamePattern::from(pattern).fits(name);
        for (pattern, name) in [
            ("a.b", "a.b"),
            ("*", "a.b"),
            ("a.*", "a.b.c"),
            ("*.bias", "a.b.bias"),
            ("a*c", "ac"),
            ("a*b*c", "a.b.b.c"),
            ("*b*b", "abab"),
        ] {
            assert!(fits(pattern, name), "{pattern} fits {name}");
        }
        for (pattern, name) in
            [("a.b", "a.b.c"), ("a.*", "b.a.c"), ("*.bias", "a.bias.b"), ("ab*ba", "aba"), ("a*b*c", "acb"), ("", "a")]
        {
            assert!(!fits(pattern, name), "{pattern} does not fit {name}");
        }
    }
}

//! Templates of names with numbers: `layer{stage}.{block}.conv1.weight` matches a name with any numbers in place of the
//! braces.
//!
//! A template matches a name in at most one way: numbers have no leading zeros, and a placeholder is never next to
//! another placeholder or a digit.

use std::fmt::Write as _;

use crate::shown::shown;

/// More digits than any real model needs. Such a number fits an `i64`, whatever is added.
const MOST_DIGITS: usize = 9;

/// A name with placeholders for numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    text: String,
    parts: Vec<TemplatePart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    /// The name of a number, and the constant that is added to it.
    Number(String, i64),
}

impl Template {
    /// Parses a template. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("has the name {}, in which {what}", shown(text)));
        let (mut parts, mut rest) = (vec![], text);
        while !rest.is_empty() {
            let (before, after) = rest.split_once('{').map_or((rest, None), |(before, after)| (before, Some(after)));
            if before.contains('}') {
                return wrong("a `}` has no `{`");
            }
            if !before.is_empty() {
                parts.push(TemplatePart::Text(before.to_owned()));
            }
            let Some(after) = after else { break };
            let Some((place, behind)) = after.split_once('}') else { return wrong("a `{` has no `}`") };
            let Some(number) = number(place) else {
                return wrong("a placeholder is not written as `{name}`, `{name-1}` or `{name+1}`");
            };
            parts.push(number);
            rest = behind;
        }
        let template = Template { text: text.to_owned(), parts };
        match template {
            _ if text.is_empty() => wrong("there are no characters"),
            _ if !template.is_clear() => wrong("a placeholder is next to another one or to a digit"),
            _ if template.has_twice() => wrong("a number occurs twice"),
            _ => Ok(template),
        }
    }

    /// The text of the template.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The names of its numbers, sorted.
    pub(crate) fn numbers(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.placeholders().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// Whether a constant is added to a number.
    pub(crate) fn adds(&self) -> bool {
        self.placeholders().any(|(_, added)| added != 0)
    }

    /// The numbers in a name, if the template matches it.
    pub(crate) fn read<'a>(&'a self, name: &str) -> Option<Vec<(&'a str, i64)>> {
        let (mut numbers, mut rest) = (vec![], name);
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                TemplatePart::Number(name, added) => {
                    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                    let (written, behind) = rest.split_at(digits);
                    if digits > MOST_DIGITS || (digits > 1 && written.starts_with('0')) {
                        return None;
                    }
                    numbers.push((name.as_str(), written.parse::<i64>().ok()? - added));
                    rest = behind;
                }
            }
        }
        rest.is_empty().then_some(numbers)
    }

    /// The name with these numbers. `None` if one would be negative.
    pub(crate) fn fill(&self, numbers: &[(&str, i64)]) -> Option<String> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => name.push_str(text),
                TemplatePart::Number(wanted, added) => {
                    let (_, number) = numbers.iter().find(|(given, _)| given == wanted)?;
                    let number = number.checked_add(*added).filter(|number| *number >= 0)?;
                    let _ = write!(name, "{number}");
                }
            }
        }
        Some(name)
    }

    fn placeholders(&self) -> impl Iterator<Item = (&str, i64)> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Number(name, added) => Some((name.as_str(), *added)),
            TemplatePart::Text(_) => None,
        })
    }

    fn is_clear(&self) -> bool {
        self.parts.windows(2).all(|pair| match pair {
            [TemplatePart::Number(..), TemplatePart::Number(..)] => false,
            [TemplatePart::Text(text), TemplatePart::Number(..)] => !text.ends_with(|c: char| c.is_ascii_digit()),
            [TemplatePart::Number(..), TemplatePart::Text(text)] => !text.starts_with(|c: char| c.is_ascii_digit()),
            _ => true,
        })
    }

    fn has_twice(&self) -> bool {
        self.numbers().windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// Parses the text between braces: a name of lower-case letters, optionally followed by a sign and up to four digits.
fn number(place: &str) -> Option<TemplatePart> {
    let end = place.find(['+', '-']).unwrap_or(place.len());
    let (name, added) = place.split_at(end);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return None;
    }
    let digits = added.get(1..).unwrap_or_default();
    if added.is_empty() {
        return Some(TemplatePart::Number(name.to_owned(), 0));
    }
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(TemplatePart::Number(name.to_owned(), added.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_out_of_a_name_and_put_into_another() {
        let foreign = Template::parse("layer{stage}.{block}.conv1.weight").unwrap();
        let ours = Template::parse("stages.{stage-1}.{block}.first.conv.weight").unwrap();
        let numbers = foreign.read("layer3.12.conv1.weight").unwrap();
        assert_eq!(numbers, [("stage", 3), ("block", 12)]);
        assert_eq!(ours.fill(&numbers).unwrap(), "stages.2.12.first.conv.weight");
        assert_eq!(ours.read("stages.2.12.first.conv.weight").unwrap(), numbers);
        assert_eq!(ours.fill(&[("stage", 0), ("block", 0)]), None, "stage -1");
        for other in [
            "layer3.12.conv1.weights",
            "layer.1.conv1.weight",
            "layer03.1.conv1.weight",
            "layer1234567890.1.conv1.weight",
        ] {
            assert_eq!(foreign.read(other), None, "{other}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let cases = [
            ("", "no characters"),
            ("a{", "no `}`"),
            ("a}", "no `{`"),
            ("a{}", "not written as"),
            ("a{A}", "not written as"),
            ("a{b*2}", "not written as"),
            ("a{b+}", "not written as"),
            ("a{b-12345}", "not written as"),
            ("a{b}{c}", "is next to"),
            ("a1{b}", "is next to"),
            ("a{b}1", "is next to"),
            ("a{b}.{b}", "occurs twice"),
        ];
        for (text, expected) in cases {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

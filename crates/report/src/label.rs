//! Names that users chose, made safe for the places where a report shows or uses them.

use std::collections::BTreeSet;

/// The most characters of a name in the name of a file. Common file systems allow 255 bytes.
const LONGEST_STEM: usize = 64;

/// The text with a space for every control character, such as a line break. So a name cannot break a table or send commands to
/// a terminal. The two other characters that XML does not allow are replaced, too, so that an SVG file stays readable.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c }).collect()
}

/// The text in one line of at most `longest` characters. If it is longer, `…` replaces its middle, because names with the same
/// start mostly differ at their ends.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    let text: Vec<char> = one_line(text).chars().collect();
    if text.len() <= longest {
        return text.into_iter().collect();
    }
    let kept = longest.saturating_sub(1);
    let end = kept * 2 / 5;
    let (start, rest) = (&text[..kept - end], &text[text.len() - end..]);
    start.iter().chain(&['…']).chain(rest).collect()
}

/// A name for a file or folder for each of these names, in their order. It has only letters, digits, `-`, `_` and `.`, and is
/// never hidden. All differ, even on a file system that ignores case.
pub(crate) fn file_stems<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut stems = Vec::new();
    for name in names {
        let plain = file_stem(name);
        let mut stem = plain.clone();
        let mut copy = 1;
        while !taken.insert(stem.to_lowercase()) {
            copy += 1;
            stem = format!("{plain}-{copy}");
        }
        stems.push(stem);
    }
    stems
}

fn file_stem(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut stem = String::new();
    for c in name.chars().take(LONGEST_STEM) {
        if allowed(c) {
            stem.push(c);
        } else if !stem.ends_with('-') {
            stem.push('-');
        }
    }
    // A dot in front hides a file, and two dots lead out of the folder.
    match stem.trim_matches(['-', '.']) {
        "" => "unnamed".to_owned(),
        stem => stem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_the_table() {
        assert_eq!(one_line("a\nb\u{1b}[2J"), "a b [2J");
    }

    #[test]
    fn a_long_name_loses_its_middle() {
        assert_eq!(shortened("distillation", 12), "distillation");
        assert_eq!(shortened("distillation 2", 11), "distil…on 2");
        assert_eq!(shortened("distillation", 0), "…");
    }

    #[test]
    fn stems_are_safe_and_unique() {
        let names = ["../../etc/passwd", "naive", "Naive", "λ = 0.1", "", "…", "naive-2"];
        let expected = ["etc-passwd", "naive", "Naive-2", "0.1", "unnamed", "unnamed-2", "naive-2-2"];
        assert_eq!(file_stems(names), expected);
        assert!(file_stems(["x".repeat(1000).as_str()])[0].len() <= LONGEST_STEM);
    }
}

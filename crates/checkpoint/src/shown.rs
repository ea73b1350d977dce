//! Formats text from a foreign file for a message: between backticks, escaped, and at most a line or two long.

use std::fmt::Write as _;

/// The most characters that are shown. The names of real tensors are shorter.
const LONGEST: usize = 160;

/// Formats a name from a file for a message: between backticks, with control characters escaped, and shortened if it is
/// very long. This keeps control characters off the terminal, and names of megabytes out of logs.
pub fn shown(text: &str) -> String {
    let mut shown = String::from("`");
    for character in text.chars().take(LONGEST) {
        match character {
            '"' | '\'' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    match text.chars().nth(LONGEST) {
        Some(_) => {
            let _ = write!(shown, "…` ({} bytes)", text.len());
        }
        None => shown.push('`'),
    }
    shown
}

/// Formats many names in the given order: the first 20 as [`shown`], then the number of the others.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let mut names = names.into_iter();
    let mut list: Vec<_> = names.by_ref().take(SHOWN).map(shown).collect();
    match names.count() {
        0 => {}
        more => list.push(format!("and {more} more")),
    }
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_long_names_cut() {
        assert_eq!(shown("fc.weight"), "`fc.weight`");
        assert_eq!(shown("a\u{1b}[31m\n"), "`a\\u{1b}[31m\\n`");
        let long = shown(&"x".repeat(1_000_000));
        assert!(long.len() < 200 && long.ends_with("…` (1000000 bytes)"), "{long}");
    }

    #[test]
    fn a_list_says_how_many_it_leaves_out() {
        let names: Vec<_> = (0..23).map(|n| format!("t{n}")).collect();
        let list = listed(names.iter().map(String::as_str));
        assert!(list.starts_with("`t0`, `t1`") && list.ends_with("`t19`, and 3 more"), "{list}");
    }
}

//! How text out of a foreign file stands in a message: between backticks, escaped, and never longer than a line or two.

use std::fmt::Write as _;

/// More characters than any honest tensor has in its name.
const LONGEST: usize = 160;

/// A name out of a file as it stands in a message: between backticks, with control characters escaped, and cut where it is
/// very long. Control characters of a file must not reach a terminal, nor a name of megabytes a log.
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

/// Some names out of many, in the order given: the first 20 as [`shown`], and how many there are beside them.
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

//! Text out of a file as it stands in what is printed: nothing in it moves the cursor or turns the direction of writing.

/// The text with every character escaped that has no picture of its own: controls, line breaks, marks that turn the direction
/// of writing, spaces of no width. Quotes and backslashes stay, so that JSON reads as it does.
///
/// What somebody else's file says of itself must not look like a line that we print.
pub fn printable(text: &str) -> String {
    const KEPT: [char; 3] = ['"', '\'', '\\'];
    let mut printable = String::with_capacity(text.len());
    for part in text.split_inclusive(KEPT) {
        let (plain, kept) = part.split_at(part.len() - usize::from(part.ends_with(KEPT)));
        printable.extend(plain.escape_debug());
        printable.push_str(kept);
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_picture_is_escaped_and_nothing_else() {
        let cases = [
            ("Käse, 猫, café \u{fc}", "Käse, 猫, café \u{fc}"),
            (r#"{"a":"b\\n"}'"#, r#"{"a":"b\\n"}'"#),
            ("a\nprovenance    none", r"a\nprovenance    none"),
            ("\u{1b}[2Ja\t\0", r"\u{1b}[2Ja\t\0"),
            ("a\u{202e}b\u{2066}c\u{200f}\u{200b}\u{2028}", r"a\u{202e}b\u{2066}c\u{200f}\u{200b}\u{2028}"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
    }
}

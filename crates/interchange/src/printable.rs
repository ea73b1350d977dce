//! Makes text from a file safe to print: it cannot move the cursor or change the direction of writing.

/// Escapes every invisible character of the text: control characters, line breaks, marks that change the direction of
/// writing, and spaces of zero width. Quotes and backslashes stay, so JSON remains readable.
///
/// Without this, text in somebody else's file could imitate a line that we print.
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
    fn only_invisible_characters_are_escaped() {
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

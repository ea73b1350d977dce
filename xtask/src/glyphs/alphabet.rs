//! The 62 characters, in class order, and which of them look alike.

/// Class `k` of the data set is the `k`-th byte of this string.
pub const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The class of a character of the alphabet.
pub fn class_of(character: u8) -> usize {
    match character {
        b'A'..=b'Z' => usize::from(character - b'A'),
        b'a'..=b'z' => usize::from(character - b'a') + 26,
        _ => usize::from(character.saturating_sub(b'0')) + 52,
    }
}

/// A stand-in for the shape of a character, equal for characters that many
/// sound fonts draw alike (`S` and `s`, `O` and `0`, `I`, `l` and `1`).
pub fn shape_of(character: u8) -> u8 {
    match character.to_ascii_lowercase() {
        b'0' => b'o',
        b'1' | b'i' | b'j' => b'l',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_of_inverts_the_alphabet() {
        for (class, character) in ALPHABET.iter().enumerate() {
            assert_eq!(class_of(*character), class);
        }
    }
}

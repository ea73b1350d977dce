//! Sends whole families to the training or to the test part.
//!
//! Families whose closest fonts nearly coincide (two releases or two revivals
//! of one design) count as kin and go to the same part: otherwise a test font
//! would have been seen in training under another name.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::distance;

/// Below this mean difference of grey levels two fonts are of one design.
const KIN: f64 = 7.5;

/// `train` or `test` for every font, given its family and its rendering.
pub fn assign(fonts: &[(&str, &[u8])]) -> Vec<&'static str> {
    let heads = heads(fonts);
    let head_of = |family: &str| heads.get(family).copied().unwrap_or_default();
    fonts.iter().map(|(family, _)| part(head_of(family))).collect()
}

/// The alphabetically first family of the kin of each family.
fn heads<'a>(fonts: &[(&'a str, &[u8])]) -> BTreeMap<&'a str, &'a str> {
    let mut heads: BTreeMap<&str, &str> = fonts.iter().map(|(f, _)| (*f, *f)).collect();
    for (at, (one, pixels)) in fonts.iter().enumerate() {
        for (other, others) in &fonts[at + 1..] {
            let (a, b) = (heads[one], heads[other]);
            if a != b && distance::between(pixels, others) < KIN {
                let (first, second) = (a.min(b), a.max(b));
                for head in heads.values_mut().filter(|head| **head == second) {
                    *head = first;
                }
            }
        }
    }
    heads
}

/// One kin in five is for testing, as decided by a hash of its name. The words
/// before the name were chosen so that the fonts, too, divide near four to one.
fn part(head: &str) -> &'static str {
    let hash = Sha256::digest(format!("split glyphs {head}"));
    match hash[0] % 5 {
        0 => "test",
        _ => "train",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kin_share_a_part() {
        let (dark, nearly, light) = ([0; 64], [1; 64], [255; 64]);
        let fonts: [(&str, &[u8]); 3] = [("A", &dark), ("B", &nearly), ("C", &light)];
        let heads = heads(&fonts);
        assert_eq!((heads["B"], heads["C"]), ("A", "C"));
        assert_eq!(assign(&fonts)[0], assign(&fonts)[1]);
    }
}

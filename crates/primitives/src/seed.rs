//! Seeds: one number for a run, and from it a reproducible generator for each part that draws random numbers.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The generator behind every draw: the same numbers on every platform.
pub type Random = ChaCha8Rng;

/// A seed that is split by name, never shared.
///
/// burn draws random numbers from one generator per process, so results would depend on what else runs in it. Here,
/// each part that draws (initial weights, shuffles, noise, patches) has its own generator. It is derived from the
/// cell's seed and the names of the parts that lead to it. It is written as 64 hexadecimal digits, to be sent to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Seed([u8; 32]);

impl From<Seed> for String {
    fn from(seed: Seed) -> Self {
        hex::encode(seed.0)
    }
}

impl TryFrom<String> for Seed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut seed = Seed([0; 32]);
        let wrong = |error| format!("a seed that was sent is wrong ({error}); accepted: 64 hexadecimal digits");
        hex::decode_to_slice(&text, &mut seed.0).map_err(wrong)?;
        Ok(seed)
    }
}

impl Seed {
    /// The root of all draws of one cell.
    pub fn new(seed: u64) -> Self {
        Seed(Sha256::digest(seed.to_le_bytes()).into())
    }

    /// The seed of a named part; different names give independent draws.
    pub fn of(&self, part: &str) -> Self {
        Seed(Sha256::new().chain_update(self.0).chain_update(part.as_bytes()).finalize().into())
    }

    /// The seed of a numbered part, such as a device of the stream.
    pub fn at(&self, part: &str, index: usize) -> Self {
        self.of(part).of(&index.to_string())
    }

    /// The seed as a number below 2⁶³, for a program that takes one: the first eight bytes, little-endian, without the
    /// highest bit.
    pub fn number(&self) -> u64 {
        self.0[..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)) >> 1
    }

    /// A generator that starts from this seed.
    pub fn random(&self) -> Random {
        Random::from_seed(self.0)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn parts_draw_independently_and_reproducibly() {
        let first = |seed: Seed| seed.random().next_u64();
        assert_eq!(first(Seed::new(1).of("shuffle")), first(Seed::new(1).of("shuffle")));
        assert_ne!(first(Seed::new(1).of("shuffle")), first(Seed::new(1).of("weights")));
        assert_ne!(first(Seed::new(1).at("device", 1)), first(Seed::new(1).at("device", 2)));
        assert_ne!(first(Seed::new(1)), first(Seed::new(2)));
        let sent = String::from(Seed::new(3));
        assert_eq!(Seed::try_from(sent.clone()), Ok(Seed::new(3)));
        assert!(Seed::try_from(sent[1..].to_owned()).unwrap_err().contains("64 hexadecimal digits"));
        // SHA-256 of eight zero bytes begins with af 55 70 f5 a1 81 0b 7a.
        assert_eq!(Seed::new(0).number(), 0x7a0b_81a1_f570_55af >> 1);
    }
}

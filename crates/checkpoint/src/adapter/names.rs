//! Names of the tensors of adapters, and of the weights that they change in a base model.

use std::collections::{BTreeMap, BTreeSet};

use crate::shown::shown;

/// The kind of a tensor, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// A part of an update.
    Factor(Role, Factor),
    /// Any other tensor.
    Plain,
    /// A part of an adapter of another format. The text completes the sentence "the tensor …".
    Unknown(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A, of the shape `[r, in]`.
    Down,
    /// B, of the shape `[out, r]`.
    Up,
    /// The numerator of the scale; the denominator is the rank.
    Alpha,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Factor {
    /// The name of the weight that is changed, without the ending `.weight`.
    pub target: String,
    /// The name of the adapter, if it is part of the tensor's name.
    pub label: Option<String>,
    /// Whether it changes an embedding, which is stored transposed.
    pub embedding: bool,
}

/// The beginnings of name segments of other kinds of adapters, and why they are refused.
const OTHERS: [(&str, &str); 8] = [
    ("lora_magnitude", "belongs to a DoRA adapter, whose update is not the product of its factors; accepted: LoRA"),
    ("dora_", "belongs to a DoRA adapter, whose update is not the product of its factors; accepted: LoRA"),
    ("hada_", "belongs to a LoHa adapter, which is not known here; accepted: LoRA"),
    ("lokr_", "belongs to a LoKr adapter, which is not known here; accepted: LoRA"),
    ("oft_", "belongs to an OFT adapter, which does not add an update; accepted: LoRA"),
    ("boft_", "belongs to a BOFT adapter, which does not add an update; accepted: LoRA"),
    ("ia3_", "belongs to an (IA)³ adapter, which does not add an update; accepted: LoRA"),
    ("vera_", "belongs to a VeRA adapter, which is not known here; accepted: LoRA"),
];

const UNKNOWN: &str = "looks like a part of an adapter, but its name is unknown; accepted: `….lora_A.weight` and \
                       `….lora_B.weight`, or `….lora_down.weight` and `….lora_up.weight`";

/// The kind of a tensor, by its name.
pub(crate) fn named(name: &str) -> NameKind {
    let segments: Vec<_> = name.split('.').collect();
    // The first segment may contain a whole path, as in `lora_unet_mid_block.lora_up.weight`.
    for (place, segment) in segments.iter().enumerate() {
        let (role, embedding, labelled) = match *segment {
            "lora_A" => (Role::Down, false, true),
            "lora_B" => (Role::Up, false, true),
            "lora_embedding_A" => (Role::Down, true, true),
            "lora_embedding_B" => (Role::Up, true, true),
            "lora_down" => (Role::Down, false, false),
            "lora_up" => (Role::Up, false, false),
            _ if place == 0 => continue,
            other => match OTHERS.iter().find(|(start, _)| other.starts_with(start)) {
                Some((_, why)) => return NameKind::Unknown(why),
                None if other.starts_with("lora_") || other == "lora" || other.ends_with("_lora") => {
                    return NameKind::Unknown(UNKNOWN);
                }
                None => continue,
            },
        };
        let label = match (&segments[place + 1..], labelled) {
            ([], true) | (["weight"], _) => None,
            ([label], true) if embedding => Some((*label).to_owned()),
            ([label, "weight"], true) => Some((*label).to_owned()),
            _ => return NameKind::Unknown(UNKNOWN),
        };
        return NameKind::Factor(role, Factor { target: segments[..place].join("."), label, embedding });
    }
    match segments[..] {
        [ref target @ .., "alpha"] if !target.is_empty() => {
            NameKind::Factor(Role::Alpha, Factor { target: target.join("."), label: None, embedding: false })
        }
        _ => NameKind::Plain,
    }
}

/// The prefixes that PEFT adds to the names of the base model.
const WRAPPERS: [&str; 3] = ["base_model.model.", "base_model.", ""];
/// The prefixes that kohya's scripts add to names. These scripts also replace the dots.
const FLAT: [&str; 7] = ["lora_unet_", "lora_te1_", "lora_te2_", "lora_te_", "lora_transformer_", "lora_", ""];

/// The names of a base model's tensors.
pub(crate) struct Base<'a> {
    exact: BTreeSet<&'a str>,
    /// Each name with its dots replaced. `None`: two names become equal.
    flat: BTreeMap<String, Option<&'a str>>,
}

impl<'a> Base<'a> {
    pub(crate) fn new(names: impl Iterator<Item = &'a str>) -> Self {
        let exact: BTreeSet<_> = names.collect();
        let mut flat: BTreeMap<String, Option<&'a str>> = BTreeMap::new();
        for name in exact.iter().copied() {
            flat.entry(name.replace('.', "_")).and_modify(|other| *other = None).or_insert(Some(name));
        }
        Base { exact, flat }
    }

    /// The base tensor that a name in an adapter refers to.
    pub(crate) fn find(&self, name: &str) -> Result<&'a str, String> {
        let exact = |name: &str| self.exact.get(name).copied();
        if let Some(found) = WRAPPERS.iter().filter_map(|wrapper| name.strip_prefix(wrapper)).find_map(exact) {
            return Ok(found);
        }
        let flat = name.replace('.', "_");
        for rest in FLAT.iter().filter_map(|start| flat.strip_prefix(start)).filter(|_| is_flat(name)) {
            match self.flat.get(rest) {
                Some(Some(found)) => return Ok(found),
                Some(None) => {
                    return Err(format!("fits two weights of the base model, whose names both become {}", shown(rest)));
                }
                None => {}
            }
        }
        Err("changes a weight that the base model does not have".to_owned())
    }
}

/// Whether its dots were replaced, except the one of its ending.
fn is_flat(name: &str) -> bool {
    name.bytes().filter(|byte| *byte == b'.').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(role: Role, target: &str, label: Option<&str>, embedding: bool) -> NameKind {
        NameKind::Factor(role, Factor { target: target.to_owned(), label: label.map(str::to_owned), embedding })
    }

    #[test]
    fn factors_are_known_by_their_names() {
        // The names that PEFT 0.19 and kohya's sd-scripts write.
        let cases = [
            ("base_model.model.q.lora_A.weight", factor(Role::Down, "base_model.model.q", None, false)),
            ("q.lora_B.default.weight", factor(Role::Up, "q", Some("default"), false)),
            ("e.lora_embedding_A", factor(Role::Down, "e", None, true)),
            ("e.lora_embedding_B.default", factor(Role::Up, "e", Some("default"), true)),
            ("lora_unet_mid_block.lora_up.weight", factor(Role::Up, "lora_unet_mid_block", None, false)),
            ("lora_unet_mid_block.alpha", factor(Role::Alpha, "lora_unet_mid_block", None, false)),
            ("layers.0.lora_A", factor(Role::Down, "layers.0", None, false)),
            ("classifier.weight", NameKind::Plain),
            ("alpha", NameKind::Plain),
        ];
        for (name, expected) in cases {
            assert_eq!(named(name), expected, "{name}");
        }
        for name in
            ["q.lora_B.bias", "q.lora_magnitude_vector", "x.hada_w1_a", "x.lora_mid.weight", "a.to_q_lora.down.weight"]
        {
            assert!(matches!(named(name), NameKind::Unknown(_)), "{name}");
        }
    }

    #[test]
    fn a_base_has_the_weights_under_its_own_names() {
        let base = Base::new(["down.0.proj.weight", "a_b.c.weight", "a.b_c.weight"].into_iter());
        assert_eq!(base.find("base_model.model.down.0.proj.weight"), Ok("down.0.proj.weight"));
        assert_eq!(base.find("lora_unet_down_0_proj.weight"), Ok("down.0.proj.weight"));
        assert_eq!(base.find("a.b_c.weight"), Ok("a.b_c.weight"));
        assert!(base.find("lora_unet_a_b_c.weight").unwrap_err().contains("two weights"));
        assert!(base.find("down.1.proj.weight").is_err());
    }
}

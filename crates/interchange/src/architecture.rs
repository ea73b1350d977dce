//! Recognises a model's backbone by the names and shapes of its tensors, and reads a backbone from a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{BackboneConfig, InputShape, PictureShape};
use alluvium_registry::{Family, check_table, described, find};
use serde_json::{Map, Value, json};

/// The longest accepted side of an input, in pixels.
const LONGEST_SIDE: usize = 4096;
/// The most accepted channels of an input.
const MOST_CHANNELS: usize = 1024;
/// The most accepted values of an input that is not a picture.
const MOST_VALUES: usize = 1 << 24;

/// The kernel size of the first convolution of a ResNet for large images.
const LARGE_STEM: usize = 7;

/// The height and width that ResNets with such a stem are usually trained on. Used when neither the file nor the user
/// states them.
const LARGE_SIDE: usize = 224;
/// The same for ResNets with a smaller first kernel.
const SMALL_SIDE: usize = 32;

/// The name of a backbone whose table has no kind.
const UNKNOWN: &str = "unknown";

/// The usual number of values of a token that one attention head gets.
const USUAL_HEAD: usize = 64;

/// The shape of each tensor of a model, by our name and in our order of dimensions.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// The backbone that these tensors belong to.
///
/// # Errors
/// A message with what was recognised and what is accepted.
pub(crate) fn recognised(shapes: &Shapes) -> Result<Arc<dyn BackboneConfig>, String> {
    backbone_of(&json!({ "kind": kind_of(shapes)? }))
}

/// The only kind of backbone that can have these tensors.
fn kind_of(shapes: &Shapes) -> Result<&'static str, String> {
    if let Some(seen) = TransformerOutline::of(shapes) {
        return Err(seen.in_doubt());
    }
    let seen = ResNetOutline::of(shapes).ok_or_else(|| {
        format!("the architecture is not recognised from the tensors' names; accepted: --backbone with {}", kinds())
    })?;
    let perhaps = |table: &str| {
        Err(format!(
            "the tensors are those of a ResNet whose first kernel is 3×3. Its stride and its pooling cannot be seen in \
             weights; accepted, if the stride is 1 and there is no pooling: --backbone '{table}'"
        ))
    };
    match (seen.blocks.as_slice(), seen.bottleneck, seen.kernel) {
        ([2, 2, 2, 2], false, LARGE_STEM) => Ok("resnet18"),
        ([3, 4, 6, 3], false, LARGE_STEM) => Ok("resnet34"),
        ([3, 4, 6, 3], true, LARGE_STEM) => Ok("resnet50"),
        ([2, 2, 2, 2], false, 3) => perhaps(&format!("{{ kind = \"slim-resnet18\", width = {} }}", seen.width)),
        ([5, 5, 5], false, 3) => {
            let shortcut = if seen.shortcut { "convolution" } else { "identity" };
            perhaps(&format!("{{ kind = \"resnet32\", shortcut = \"{shortcut}\" }}"))
        }
        _ => {
            let convolutions = if seen.bottleneck { "three" } else { "two" };
            Err(format!(
                "the tensors are those of a ResNet with {:?} blocks of {convolutions} convolutions in its stages and a first \
                 kernel of {}×{}; recognised: with a first kernel of 7×7, [2, 2, 2, 2] and [3, 4, 6, 3] blocks of two \
                 (resnet18, resnet34) and [3, 4, 6, 3] of three (resnet50); others: --backbone with {}",
                seen.blocks,
                seen.kernel,
                seen.kernel,
                kinds()
            ))
        }
    }
}

/// What the shapes of its tensors reveal about a ResNet.
struct ResNetOutline {
    /// How many blocks each stage has.
    blocks: Vec<usize>,
    /// Whether blocks have three convolutions.
    bottleneck: bool,
    /// Whether the shortcut of the first block of the second stage has a convolution.
    shortcut: bool,
    /// The side of the first kernel.
    kernel: usize,
    /// The output channels of the first convolution.
    width: usize,
}

impl ResNetOutline {
    fn of(shapes: &Shapes) -> Option<Self> {
        let [width, _, kernel, _] = shapes.get("stem.conv.weight")?[..] else { return None };
        let has = |stage: usize, block: usize, part: &str| {
            shapes.contains_key(&format!("stages.{stage}.{block}.{part}.conv.weight"))
        };
        let count = |stage: usize| (0..shapes.len()).take_while(|block| has(stage, *block, "first")).count();
        let blocks: Vec<_> = (0..shapes.len()).map(count).take_while(|blocks| *blocks > 0).collect();
        let (bottleneck, shortcut) = (has(0, 0, "third"), has(1, 0, "shortcut"));
        let seen = ResNetOutline { bottleneck, shortcut, blocks, kernel, width };
        (!seen.blocks.is_empty()).then_some(seen)
    }
}

/// What the shapes of its tensors reveal about a vision transformer.
struct TransformerOutline {
    depth: usize,
    /// The size of a token.
    width: usize,
    channels: usize,
    /// The side of a patch, in pixels.
    patch: usize,
    /// The side of the input, if it is a square.
    side: Option<usize>,
}

impl TransformerOutline {
    fn of(shapes: &Shapes) -> Option<Self> {
        let [width, channels, patch, _] = shapes.get("patches.weight")?[..] else { return None };
        let [_, tokens, _] = shapes.get("positions")?[..] else { return None };
        let is_block = |block: &usize| shapes.contains_key(&format!("blocks.{block}.attention.qkv.weight"));
        let depth = (0..shapes.len()).take_while(is_block).count();
        // One token is the class token.
        let patches = tokens.saturating_sub(1);
        let along = patches.isqrt();
        let side = (along * along == patches).then(|| along.saturating_mul(patch));
        (depth > 0).then_some(TransformerOutline { depth, width, channels, patch, side })
    }

    /// The error for a vision transformer. All attention heads share one matrix, so shapes do not reveal their number.
    fn in_doubt(&self) -> String {
        let TransformerOutline { depth, width, patch, .. } = self;
        let heads = (width / USUAL_HEAD).max(1);
        format!(
            "the tensors are those of a vision transformer. The number of its attention heads cannot be seen in weights; \
             accepted, if each head has the usual {USUAL_HEAD} values: --backbone '{{ kind = \"vit-tiny\", patch_size = \
             {patch}, depth = {depth}, width = {width}, heads = {heads} }}'"
        )
    }
}

/// Reads a backbone from a table with a `kind` and options. Checks the options against the kind's schema.
///
/// # Errors
/// What is wrong with it, and what is accepted.
pub(crate) fn backbone_of(table: &Value) -> Result<Arc<dyn BackboneConfig>, String> {
    let mut options: Map<String, Value> = table.as_object().cloned().unwrap_or_default();
    let Some(Value::String(kind)) = options.remove("kind") else {
        return Err(format!("the backbone has no `kind`; accepted: {}", kinds()));
    };
    let description = find(Family::Backbone, &kind).map_err(|error| error.to_string())?;
    if let Some(problem) = check_table(&description.options_schema(), &Value::Object(options)).first() {
        return Err(format!("the backbone \"{kind}\": {problem}"));
    }
    let config: Result<Box<dyn BackboneConfig>, _> = serde_json::from_value(table.clone());
    config.map(Arc::from).map_err(|error| format!("the backbone \"{kind}\" cannot be read ({error})"))
}

/// The table of a backbone, with all defaults.
pub(crate) fn table_of(backbone: &dyn BackboneConfig) -> Value {
    serde_json::to_value(backbone).unwrap_or_default()
}

/// A backbone as text for people: its kind and, if it has any, its options.
pub(crate) fn backbone_in_words(table: &Value) -> String {
    // A file may hold something that is not a table, or a table without a kind.
    let Some(table) = table.as_object() else { return UNKNOWN.to_owned() };
    let kind = table.get("kind").and_then(Value::as_str).unwrap_or(UNKNOWN);
    let options = table.iter().filter(|(key, _)| *key != "kind").map(|(key, value)| format!("{key} = {value}"));
    let options: Vec<_> = options.collect();
    if options.is_empty() { kind.to_owned() } else { format!("{kind} ({})", options.join(", ")) }
}

/// The input shape to assume for a model that does not state it. Its channels are those of the first convolution. Its
/// height and width are those that such models are usually trained on or, for a vision transformer, those that its
/// positions cover.
///
/// # Errors
/// What is accepted, when the tensors do not reveal the number of channels.
pub(crate) fn assumed_input(shapes: &Shapes) -> Result<InputShape, String> {
    if let Some(TransformerOutline { channels, side: Some(side), .. }) = TransformerOutline::of(shapes) {
        return Ok([channels, side, side].into());
    }
    let stem = shapes.get("stem.conv.weight").map(Vec::as_slice);
    let Some([_, channels, kernel, _]) = stem else {
        return Err("the shape of the inputs is not known; state it with --input, such as --input 1x28x28".to_owned());
    };
    let side = if *kernel >= LARGE_STEM { LARGE_SIDE } else { SMALL_SIDE };
    Ok([*channels, side, side].into())
}

/// Checks that inputs of this shape can be used.
///
/// # Errors
/// What is accepted.
pub(crate) fn check_input(input: InputShape) -> Result<(), String> {
    let fits = match input.picture() {
        Some(PictureShape { channels, height, width }) => {
            let sides = [height, width].iter().all(|side| (1..=LONGEST_SIDE).contains(side));
            sides && (1..=MOST_CHANNELS).contains(&channels)
        }
        None => (1..=MOST_VALUES).contains(&input.values()),
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "inputs of {input} cannot be used; accepted: pictures of 1 to {MOST_CHANNELS} channels, height and width from \
             1 to {LONGEST_SIDE}; other inputs of 1 to {MOST_VALUES} values"
        ))
    }
}

fn kinds() -> String {
    let kinds: Vec<_> = described(Family::Backbone).iter().map(|one| one.kind).collect();
    format!("one of the kinds {}, or a table with one", kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use alluvium_backbone_resnet as _;

    use super::*;

    /// The tensors of a ResNet that the recognition looks at.
    fn resnet(blocks: &[usize], bottleneck: bool, kernel: usize) -> Shapes {
        let mut shapes = Shapes::from([("stem.conv.weight".to_owned(), vec![64, 3, kernel, kernel])]);
        for (stage, blocks) in blocks.iter().enumerate() {
            for block in 0..*blocks {
                let parts = if bottleneck { &["first", "second", "third"][..] } else { &["first", "second"] };
                for part in parts {
                    shapes.insert(format!("stages.{stage}.{block}.{part}.conv.weight"), vec![64, 64, 3, 3]);
                }
            }
        }
        shapes
    }

    #[test]
    fn the_kinds_of_torchvision_are_recognised() {
        let cases: [(&[usize], bool, &str); 3] =
            [(&[2, 2, 2, 2], false, "resnet18"), (&[3, 4, 6, 3], false, "resnet34"), (&[3, 4, 6, 3], true, "resnet50")];
        for (blocks, bottleneck, kind) in cases {
            assert_eq!(kind_of(&resnet(blocks, bottleneck, 7)), Ok(kind));
        }
    }

    #[test]
    fn what_weights_do_not_reveal_is_asked_for() {
        let refused = |shapes: Shapes| kind_of(&shapes).unwrap_err();
        let error = refused(resnet(&[2, 2, 2, 2], false, 3));
        assert!(error.contains("'{ kind = \"slim-resnet18\", width = 64 }'"), "{error}");
        let error = refused(resnet(&[5, 5, 5], false, 3));
        assert!(error.contains("shortcut = \"identity\""), "{error}");
        let error = refused(resnet(&[3, 4, 23, 3], true, 7));
        assert!(error.contains("[3, 4, 23, 3] blocks of three") && error.contains("resnet50"), "{error}");
        let error = refused(Shapes::from([("layers.0.weight".to_owned(), vec![4, 4])]));
        assert!(error.contains("--backbone") && error.contains("slim-resnet18"), "{error}");
    }

    #[test]
    fn all_but_the_heads_of_a_vision_transformer_is_recognised() {
        // vit_tiny_patch16_224: 14·14 patches and the class token.
        let mut shapes = Shapes::from([
            ("patches.weight".to_owned(), vec![192, 3, 16, 16]),
            ("positions".to_owned(), vec![1, 197, 192]),
        ]);
        shapes.extend((0..12).map(|block| (format!("blocks.{block}.attention.qkv.weight"), vec![192, 576])));
        let error = kind_of(&shapes).unwrap_err();
        let table = "'{ kind = \"vit-tiny\", patch_size = 16, depth = 12, width = 192, heads = 3 }'";
        assert!(error.contains(table), "{error}");
        assert_eq!(assumed_input(&shapes), Ok([3, 224, 224].into()));
    }

    #[test]
    fn inputs_are_assumed_from_the_first_convolution() {
        assert_eq!(assumed_input(&resnet(&[2], false, 7)), Ok([3, 224, 224].into()));
        assert_eq!(assumed_input(&resnet(&[2], false, 3)), Ok([3, 32, 32].into()));
        assert!(assumed_input(&Shapes::new()).unwrap_err().contains("--input"));
        assert!(check_input([3, 0, 5].into()).is_err() && check_input([3, 5, 100_000].into()).is_err());
        check_input([3, 224, 224].into()).unwrap();
        assert!(check_input([0].into()).is_err() && check_input([1 << 25].into()).is_err());
        check_input([64].into()).unwrap();
    }

    #[test]
    fn any_backbone_of_a_file_has_a_text() {
        for (table, words) in [
            (json!({}), "unknown"),
            (json!({ "kind": 7, "width": 2 }), "unknown (width = 2)"),
            (json!("mlp"), "unknown"),
            (json!({ "kind": "mlp" }), "mlp"),
        ] {
            assert_eq!(backbone_in_words(&table), words);
        }
    }

    #[test]
    fn a_table_is_checked_before_it_is_used() {
        let read = backbone_of(&json!({ "kind": "slim-resnet18", "width": 2 })).unwrap();
        assert_eq!(backbone_in_words(&table_of(read.as_ref())), "slim-resnet18 (width = 2)");
        for (table, expected) in [
            (json!({ "kind": "slim-resnet18", "width": 100_000_000 }), "`width` = 100000000 is out of range"),
            (json!({ "kind": "ensemble", "members": [] }), "unknown backbone kind \"ensemble\""),
            (json!([1]), "has no `kind`"),
        ] {
            let error = backbone_of(&table).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

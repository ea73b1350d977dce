//! The built-in tables.

use crate::names::NamesError;

pub(crate) const KINDS: [&str; 3] = ["timm-resnet", "timm-vit", "torchvision-resnet"];

/// The text of the table of this kind.
pub(crate) fn toml(kind: &str) -> Result<&'static str, NamesError> {
    match kind {
        "timm-resnet" => Ok(include_str!("timm-resnet.toml")),
        "timm-vit" => Ok(include_str!("timm-vit.toml")),
        "torchvision-resnet" => Ok(include_str!("torchvision-resnet.toml")),
        _ => Err(NamesError::Unknown { kind: kind.to_owned(), known: KINDS.to_vec() }),
    }
}

#[cfg(test)]
mod tests {
    use crate::{NameMap, NamesError};

    /// The names of a ResNet's `state_dict()`: blocks of each stage, convolutions of a block, and whether the first stage
    /// has a shortcut with a convolution.
    fn state_dict(blocks: [usize; 4], convolutions: usize, first: bool) -> Vec<String> {
        let norm = |name: String| {
            ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
                .map(|part| format!("{name}.{part}"))
        };
        let mut names = vec!["conv1.weight".to_owned(), "fc.weight".to_owned(), "fc.bias".to_owned()];
        names.extend(norm("bn1".to_owned()));
        for (stage, blocks) in (1..).zip(blocks) {
            for block in 0..blocks {
                for convolution in 1..=convolutions {
                    names.push(format!("layer{stage}.{block}.conv{convolution}.weight"));
                    names.extend(norm(format!("layer{stage}.{block}.bn{convolution}")));
                }
                if block == 0 && (stage > 1 || first) {
                    names.push(format!("layer{stage}.0.downsample.0.weight"));
                    names.extend(norm(format!("layer{stage}.0.downsample.1")));
                }
            }
        }
        names
    }

    #[test]
    fn the_tables_cover_the_resnets() {
        // len(torchvision.models.resnet18().state_dict()) is 122, of resnet34 218, of resnet50 320. Of 5 tensors of each
        // normalisation one is a counter: 122 - 20, 218 - 36, 320 - 53.
        let cases = [
            (state_dict([2, 2, 2, 2], 2, false), 122, 102),
            (state_dict([3, 4, 6, 3], 2, false), 218, 182),
            (state_dict([3, 4, 6, 3], 3, true), 320, 267),
        ];
        for kind in ["timm-resnet", "torchvision-resnet"] {
            for (names, all, mapped) in &cases {
                assert_eq!(names.len(), *all);
                let mapping = NameMap::shipped(kind).unwrap().apply(names.iter().map(String::as_str)).unwrap();
                assert_eq!((mapping.iter().count(), mapping.ignored().len()), (*mapped, all - mapped), "{kind}");
            }
        }
    }

    #[test]
    fn names_are_those_of_our_backbone() {
        let names = state_dict([2, 2, 2, 2], 2, false);
        let mapping = NameMap::shipped("torchvision-resnet").unwrap().apply(names.iter().map(String::as_str)).unwrap();
        let pairs = [
            ("conv1.weight", "stem.conv.weight"),
            ("bn1.weight", "stem.norm.gamma"),
            ("bn1.running_var", "stem.norm.running_var"),
            ("layer1.0.conv1.weight", "stages.0.0.first.conv.weight"),
            ("layer4.1.bn2.bias", "stages.3.1.second.norm.beta"),
            ("layer2.0.downsample.0.weight", "stages.1.0.shortcut.conv.weight"),
            ("layer2.0.downsample.1.running_mean", "stages.1.0.shortcut.norm.running_mean"),
            ("fc.weight", "head.weight"),
            ("fc.bias", "head.bias"),
        ];
        for (foreign, ours) in pairs {
            assert_eq!(mapping.ours(foreign), Some(ours));
            assert_eq!(mapping.foreign(ours), Some(foreign));
            assert_eq!(mapping.is_transposed(ours), foreign == "fc.weight");
        }
    }

    /// The names of timm's `vit_tiny_patch16_224().state_dict()`.
    fn transformer() -> Vec<String> {
        let mut names: Vec<_> = ["cls_token", "pos_embed"].map(str::to_owned).into();
        let mut layers: Vec<_> = ["patch_embed.proj", "norm", "head"].map(str::to_owned).into();
        for block in 0..12 {
            let of_block = ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"];
            layers.extend(of_block.map(|layer| format!("blocks.{block}.{layer}")));
        }
        names.extend(layers.iter().flat_map(|layer| ["weight", "bias"].map(|part| format!("{layer}.{part}"))));
        names
    }

    #[test]
    fn the_table_covers_the_vision_transformer() {
        // 2 + 2·3 + 12·12; the fixtures of the backbone `vit-tiny` hold timm's own list.
        let names = transformer();
        assert_eq!(names.len(), 152);
        let mapping = NameMap::shipped("timm-vit").unwrap().apply(names.iter().map(String::as_str)).unwrap();
        assert_eq!((mapping.iter().count(), mapping.ignored().len()), (152, 0));
        let pairs = [
            ("cls_token", "class_token"),
            ("blocks.11.attn.qkv.weight", "blocks.11.attention.qkv.weight"),
            ("blocks.0.norm2.bias", "blocks.0.mlp_norm.beta"),
            ("norm.weight", "norm.gamma"),
        ];
        for (foreign, ours) in pairs {
            assert_eq!((mapping.ours(foreign), mapping.foreign(ours)), (Some(ours), Some(foreign)));
        }
    }

    #[test]
    fn every_table_that_is_listed_can_be_read() {
        for kind in NameMap::SHIPPED {
            assert!(NameMap::shipped(kind).is_ok(), "{kind}");
        }
    }

    #[test]
    fn an_unknown_kind_gets_a_list_of_the_kinds() {
        let error = NameMap::shipped("resnet").unwrap_err();
        assert!(matches!(error, NamesError::Unknown { .. }) && error.to_string().contains("`torchvision-resnet`"));
    }
}

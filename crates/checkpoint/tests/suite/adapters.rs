//! Low-rank adapters: updates that are worked out by hand, and adapters that are refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alluvium_checkpoint::{Adapter, Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};

type Tensor<'a> = (&'a str, &'a [usize], &'a [f32]);

fn save(path: &Path, dtype: Dtype, tensors: &[Tensor<'_>]) -> Arc<Checkpoint> {
    let info = |(name, shape, _): &Tensor<'_>| TensorInfo { name: (*name).to_owned(), dtype, shape: shape.to_vec() };
    let mut writer = Writer::create(path, tensors.iter().map(info).collect(), &WriteOptions::default()).unwrap();
    for (name, _, values) in tensors {
        writer.write(name, &Values::Floats(values.to_vec())).unwrap();
    }
    writer.finish().unwrap();
    Arc::new(Checkpoint::open(path).unwrap())
}

/// The rows (1, 2, 3) and the columns (1, 10) of one update: 1 2 3 / 10 20 30.
const DOWN: Tensor<'_> = ("base_model.model.q.lora_A.weight", &[1, 3], &[1.0, 2.0, 3.0]);
const UP: Tensor<'_> = ("base_model.model.q.lora_B.weight", &[2, 1], &[1.0, 10.0]);

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir().unwrap())
    }

    fn config(&self, text: &str) -> &Self {
        fs::write(self.0.path().join("adapter_config.json"), text).unwrap();
        self
    }

    fn adapter(&self, dtype: Dtype, tensors: &[Tensor<'_>]) -> Result<Adapter, String> {
        let checkpoint = save(&self.0.path().join("adapter_model.safetensors"), dtype, tensors);
        Adapter::of(&checkpoint).map(|adapter| adapter.expect("an adapter")).map_err(|error| error.to_string())
    }

    fn base(&self, dtype: Dtype, tensors: &[Tensor<'_>]) -> Arc<Checkpoint> {
        save(&self.0.path().join("base.safetensors"), dtype, tensors)
    }
}

fn floats(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.read(name).unwrap().floats().unwrap().to_vec()
}

#[test]
fn an_update_is_the_product_of_its_factors_with_its_scale() {
    let files = Files::new();
    for (config, scale) in [
        (r#"{"peft_type": "LORA", "r": 1, "lora_alpha": 2}"#, 2.0),
        (r#"{"r": 1, "lora_alpha": 2, "alpha_pattern": {"q": 5}, "rank_pattern": {"k": 7}}"#, 5.0),
        ("\u{feff}{\"r\": 1, \"lora_alpha\": 3, \"use_rslora\": false}", 3.0),
    ] {
        let adapter = files.config(config).adapter(Dtype::F32, &[DOWN, UP]).unwrap();
        let updates = adapter.updates().unwrap();
        assert_eq!(updates.tensors().count(), 1);
        let expected: Vec<_> = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0].map(|value: f32| scale * value).into();
        let name = "base_model.model.q.weight";
        assert_eq!(
            (updates.tensor(name).unwrap().shape.clone(), floats(&updates, name)),
            (vec![2, 3], expected.clone())
        );
        // In pieces, too.
        assert_eq!(updates.read_range(name, 2..5).unwrap(), Values::Floats(expected[2..5].to_vec()));
    }
    // Of rank 4, by its root: alpha 6 / √4 = 3. The factors' product is 4·(1·1) everywhere, so 12.
    let (down, up) = (
        ("q.lora_A.default.weight", &[4, 2][..], &[1.0; 8][..]),
        ("q.lora_B.default.weight", &[1, 4][..], &[1.0; 4][..]),
    );
    files.config(r#"{"r": 4, "lora_alpha": 6, "use_rslora": true}"#);
    assert_eq!(floats(&files.adapter(Dtype::F32, &[down, up]).unwrap().updates().unwrap(), "q.weight"), [12.0, 12.0]);
    // Factors of f16 give updates of f16: 2049 is not an f16, and is rounded to 2048, the nearest even one.
    let (down, up) = (("q.lora_A", &[1, 1][..], &[683.0][..]), ("q.lora_B", &[1, 1][..], &[1.0][..]));
    files.config(r#"{"r": 1, "lora_alpha": 3}"#);
    let updates = files.adapter(Dtype::F16, &[down, up]).unwrap().updates().unwrap();
    assert_eq!((updates.tensor("q.weight").unwrap().dtype, floats(&updates, "q.weight")), (Dtype::F16, vec![2048.0]));
}

#[test]
fn convolutions_embeddings_and_transposed_weights() {
    let files = Files::new();
    // kohya: alpha 4 through rank 2 is 2. A is [2, 1, 1, 2] with rows (1, 2) and (3, 4); B is [1, 2, 1, 1] with 10 and 1.
    // 2·(10·(1, 2) + 1·(3, 4)) = (26, 48).
    let kohya: [Tensor<'_>; 3] = [
        ("lora_unet_down_0.lora_down.weight", &[2, 1, 1, 2], &[1.0, 2.0, 3.0, 4.0]),
        ("lora_unet_down_0.lora_up.weight", &[1, 2, 1, 1], &[10.0, 1.0]),
        ("lora_unet_down_0.alpha", &[], &[4.0]),
    ];
    let adapter = files.adapter(Dtype::F32, &kohya).unwrap();
    let updates = adapter.updates().unwrap();
    assert_eq!(updates.tensor("lora_unet_down_0.weight").unwrap().shape, [1, 1, 1, 2]);
    assert_eq!(floats(&updates, "lora_unet_down_0.weight"), [26.0, 48.0]);
    let base = files.base(Dtype::F32, &[("down.0.weight", &[1, 1, 1, 2], &[0.5, -48.0])]);
    assert_eq!(floats(&adapter.added_to(&base).unwrap(), "down.0.weight"), [26.5, 0.0]);

    // An embedding of three entries of two numbers: A is [1, 3], B is [2, 1], the update (B·A)ᵀ.
    let embedding: [Tensor<'_>; 2] =
        [("e.lora_embedding_A", &[1, 3], &[1.0, 2.0, 3.0]), ("e.lora_embedding_B", &[2, 1], &[1.0, 10.0])];
    files.config(r#"{"r": 1, "lora_alpha": 1}"#);
    let turned = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
    let updates = files.adapter(Dtype::F32, &embedding).unwrap().updates().unwrap();
    assert_eq!(
        (updates.tensor("e.weight").unwrap().shape.clone(), floats(&updates, "e.weight")),
        (vec![3, 2], turned.into())
    );
    files.config(r#"{"r": 1, "lora_alpha": 1, "fan_in_fan_out": true}"#);
    let updates = files.adapter(Dtype::F32, &[DOWN, UP]).unwrap().updates().unwrap();
    assert_eq!(floats(&updates, "base_model.model.q.weight"), turned);
}

#[test]
fn a_base_has_the_updates_added_in_numbers_that_hold_them() {
    let files = Files::new();
    files.config(r#"{"r": 1, "lora_alpha": 0.0009765625}"#);
    let head: Tensor<'_> = ("base_model.model.head.weight", &[1, 1], &[7.0]);
    let adapter = files.adapter(Dtype::F32, &[DOWN, UP, head]).unwrap();
    let tensors: [Tensor<'_>; 3] =
        [("q.weight", &[2, 3], &[1.0; 6]), ("head.weight", &[1, 1], &[3.0]), ("bias", &[1], &[0.5])];
    let base = files.base(Dtype::Bf16, &tensors);
    let sum = adapter.added_to(&base).unwrap();
    // 1 + 2⁻¹⁰ is not a bf16, which has 7 bits after the point.
    assert_eq!(floats(&sum, "q.weight")[..2], [1.0 + 2.0_f32.powi(-10), 1.0 + 2.0_f32.powi(-9)]);
    assert_eq!((floats(&sum, "head.weight"), floats(&sum, "bias")), (vec![7.0], vec![0.5]), "one was trained whole");
    assert_eq!(sum.tensors().count(), 3);
    let base = files.base(Dtype::F64, &tensors);
    assert_eq!(adapter.added_to(&base).unwrap().tensor("q.weight").unwrap().dtype, Dtype::F64);

    for (tensors, expected) in [
        (
            &[("k.weight", &[2, 3][..], &[1.0; 6][..])][..],
            "`base_model.model.q.lora_A.weight` changes a weight that the base",
        ),
        (&[("q.weight", &[3, 2], &[1.0; 6])], "is for a weight of the shape [2, 3], but `q.weight`"),
        (&[("q.weight", &[2, 3], &[1.0; 6])], "`base_model.model.head.weight` changes a weight"),
    ] {
        let error = adapter.added_to(&files.base(Dtype::F32, tensors)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn other_adapters_are_refused_with_the_name_of_a_tensor() {
    const ALPHA: Tensor<'_> = ("base_model.model.q.alpha", &[], &[3.0]);
    let good = r#"{"r": 1, "lora_alpha": 2}"#;
    let bias: Tensor<'_> = ("base_model.model.q.lora_B.bias", &[2], &[0.0; 2]);
    let magnitude: Tensor<'_> = ("base_model.model.q.lora_magnitude_vector", &[2], &[0.0; 2]);
    let other: Tensor<'_> = ("base_model.model.q.lora_A.second.weight", &[1, 3], &[0.0; 3]);
    let mid: Tensor<'_> = ("q.lora_mid.weight", &[1, 1, 3, 3], &[0.0; 9]);
    let hada: Tensor<'_> = ("q.hada_w1_a", &[1, 1], &[0.0]);
    let long: Tensor<'_> = ("base_model.model.q.lora_B.weight", &[2, 2], &[0.0; 4]);
    let cube: [Tensor<'_>; 2] = [("q.lora_A", &[1, 3, 1], &[0.0; 3]), ("q.lora_B", &[2, 1, 1], &[0.0; 2])];
    let cases: [(&str, &[Tensor<'_>], &str); 18] = [
        ("", &[DOWN, UP], "`base_model.model.q.lora_A.weight` is a factor of an update whose scale is not stated"),
        ("{}", &[DOWN, UP], "whose scale is not stated; accepted: `lora_alpha`"),
        ("{", &[DOWN, UP], "adapter_config.json: is not valid JSON (line 1, column 1)"),
        (r#"{"r": 1, "lora_alpha": "2"}"#, &[DOWN, UP], "has `\"2\"` for `lora_alpha`; accepted: a number"),
        (r#"{"peft_type": "LOHA"}"#, &[DOWN, UP], "is of the kind `\"LOHA\"`"),
        (good, &[DOWN], "`base_model.model.q.lora_A.weight` is a factor whose counterpart is missing"),
        (good, &[DOWN, UP, ALPHA], "has the alpha 3, but adapter_config.json beside the file states 2"),
        (
            r#"{"r": 8, "lora_alpha": 2}"#,
            &[DOWN, UP],
            "has the rank 1, but adapter_config.json beside the file states 8",
        ),
        (good, &[DOWN, UP, bias], "`base_model.model.q.lora_B.bias` looks like a part of an adapter"),
        (good, &[DOWN, UP, magnitude], "belongs to a DoRA adapter"),
        (good, &[DOWN, UP, other], "is a second factor of the same weight"),
        (good, &[mid], "`q.lora_mid.weight` looks like"),
        (good, &[hada], "`q.hada_w1_a` belongs to a LoHa adapter"),
        (good, &[DOWN, long], "has the shape [1, 3], but its other factor"),
        (good, &cube, "`q.lora_A` has the shape [1, 3, 1]"),
        (r#"{"r": 1, "lora_alpha": 2, "use_dora": true}"#, &[DOWN, UP], "`use_dora`"),
        (r#"{"r": 1, "lora_alpha": 2, "init_lora_weights": "pissa"}"#, &[DOWN, UP], "changed the base model"),
        (
            r#"{"r": 1, "lora_alpha": 2, "alpha_pattern": {"^q$": 1}}"#,
            &[DOWN, UP],
            "the pattern `^q$` in `alpha_pattern`",
        ),
    ];
    for (config, tensors, expected) in cases {
        let files = Files::new();
        if !config.is_empty() {
            files.config(config);
        }
        let error = files.adapter(Dtype::F32, tensors).unwrap_err();
        assert!(error.contains(expected), "{expected} is not in: {error}");
    }
    // Not every alpha belongs to an adapter.
    let files = Files::new();
    let plain = files.base(Dtype::F32, &[("block.alpha", &[], &[1.0]), ("block.weight", &[1], &[1.0])]);
    assert!(Adapter::of(&plain).unwrap().is_none() && Adapter::factor_in(&plain).is_none());
}

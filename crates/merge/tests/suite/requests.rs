//! What may be merged: kinds of files, types, tables of names. What may not be merged gets an error that explains it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alluvium_checkpoint::{Adapter, Checkpoint, Dtype, NameMap, TensorInfo, Values, WriteOptions, Writer};
use alluvium_strategy_finetune::Finetune;
use alluvium_strategy_task_arithmetic::TaskArithmeticConfig;
use alluvium_strategy_weight_averaging::WeightAveraging;

use crate::files::{Files, NamedTensor, checkpoint, floats, model};

fn mean() -> WeightAveraging {
    WeightAveraging::default()
}

fn pair(values: [f32; 2]) -> Vec<NamedTensor> {
    vec![floats("a", &[2], &values), floats("b", &[1, 1], &values[..1])]
}

#[test]
fn types_may_differ_and_the_result_has_those_of_the_previous_model() {
    let with = |dtype, values: [f32; 2]| vec![("a", dtype, vec![2], Values::Floats(values.to_vec()))];
    let files = Files::new(&[
        with(Dtype::Bf16, [0.0, 0.0]),
        with(Dtype::F32, [256.0, 1.0]),
        with(Dtype::F64, [256.0, 2.0]),
        with(Dtype::F16, [257.5, 3.0]),
    ]);
    files.merge(&mean()).unwrap();
    // The mean is 256.5; of bf16 the nearest are 256 and 258.
    assert_eq!(files.merged().tensor("a").unwrap().dtype, Dtype::Bf16);
    assert_eq!(files.values("a"), [256.0, 2.0]);
    let wider = |request: &mut alluvium_merge::Request<'_>| request.dtype = Some(Dtype::F32);
    files.merge_models(files.models(), &mean(), wider).unwrap();
    assert_eq!(files.merged().tensor("a").unwrap().dtype, Dtype::F32);
    assert!((files.values("a")[0] - 256.5).abs() < 1e-4);
}

#[test]
fn a_file_by_pytorch_and_several_with_an_index_are_merged() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../checkpoint/tests/fixtures/training.pt");
    let previous = Checkpoint::open(fixture).unwrap();
    let files = Files::new(&[]);
    let tripled = previous.tensors().map(|info| {
        let values = match previous.read(&info.name).unwrap().values {
            Values::Floats(values) => Values::Floats(values.iter().map(|value| 3.0 * value).collect()),
            Values::Doubles(values) => Values::Doubles(values.iter().map(|value| 3.0 * value).collect()),
            Values::Integers(values) => Values::Integers(values.iter().map(|value| 3 * value).collect()),
        };
        (info.clone(), values)
    });
    let tripled: Vec<_> = tripled.collect();
    let tensors: Vec<NamedTensor> = tripled
        .iter()
        .map(|(info, values)| (info.name.clone().leak() as &str, info.dtype, info.shape.clone(), values.clone()))
        .collect();
    let options = WriteOptions { shard_bytes: Some(10), ..WriteOptions::default() };
    let sharded = checkpoint(&files.folder.path().join("sharded.safetensors"), &tensors, &options);
    assert!(sharded.files().len() > 3);
    let models = vec![model("previous", &previous), model("expert", &sharded)];
    let counts = |request: &mut alluvium_merge::Request<'_>| {
        request.previous_counts = true;
        request.options.shard_bytes = Some(16);
    };
    let merged = files.merge_models(models, &mean(), counts).unwrap();
    assert!(merged.files.len() > 2, "{:?}", merged.files);
    let out = Checkpoint::open(merged.files.last().unwrap()).unwrap();
    for info in previous.tensors().filter(|info| info.dtype.is_float()) {
        let (own, mean) = (previous.read(&info.name).unwrap(), out.read(&info.name).unwrap());
        let doubled: Vec<_> = own.floats().unwrap().iter().map(|value| 2.0 * value).collect();
        assert_eq!((mean.shape, mean.values), (info.shape.clone(), Values::Floats(doubled)), "{}", info.name);
    }
    assert_eq!(out.read("1.num_batches_tracked").unwrap().integers(), Some(&[3][..]), "1, tripled");
}

#[test]
fn models_under_different_names_are_merged_by_their_tables() {
    let own = vec![
        floats("first.weight", &[2, 1], &[1.0, 3.0]),
        ("first.count", Dtype::I64, vec![], Values::Integers(vec![5])),
    ];
    let other = vec![floats("layer1.w", &[2, 1], &[5.0, 9.0]), floats("layer1.unused", &[3], &[0.0; 3])];
    let files = Files::new(&[own, other]);
    let map = |toml: &str, checkpoint: &Checkpoint| {
        NameMap::parse(toml).unwrap().apply(checkpoint.tensors().map(|info| info.name.as_str())).unwrap()
    };
    let tables = |transposed: &str| {
        let own =
            format!("ignored = [\"*.count\"]\ntransposed = {transposed}\n[names]\n\"first.weight\" = \"stem.weight\"");
        [
            map(&own, &files.checkpoints[0]),
            map("ignored = [\"*.unused\"]\n[names]\n\"layer1.w\" = \"stem.weight\"", &files.checkpoints[1]),
        ]
    };
    let tables_alike = tables("[]");
    let mut models = files.models();
    models.iter_mut().zip(&tables_alike).for_each(|(model, table)| model.mapping = Some(table));
    let merged = files.merge_models(models.clone(), &mean(), |request| request.previous_counts = true).unwrap();
    assert_eq!(files.values("first.weight"), [3.0, 6.0]);
    assert_eq!(merged.from_previous, ["first.count"]);
    assert_eq!(files.merged().read("first.count").unwrap().integers(), Some(&[5][..]));
    assert_eq!(files.merged().tensors().count(), 2);

    models[1].mapping = None;
    let error = files.error(models.clone(), &mean());
    assert!(error.contains("model 1: has no table of names, but model 0 has one"), "{error}");
    let one_turned = tables("[\"stem.weight\"]");
    models.iter_mut().zip(&one_turned).for_each(|(model, table)| model.mapping = Some(table));
    let error = files.error(models.clone(), &mean());
    assert!(error.contains("`layer1.w` is transposed by one of the tables of this model and of model 0"), "{error}");
    models[1].mapping = Some(&one_turned[0]);
    let error = files.error(models, &mean());
    assert!(error.contains("`layer1.unused` is not in the model's table of names"), "{error}");
}

#[test]
fn what_is_taken_over_keeps_every_bit() {
    let files = Files::new(&[vec![floats("a", &[1], &[2.0])]]);
    // One third is not exact in 32 bits, nor in 64.
    let third = (1.0f64 / 3.0).to_le_bytes();
    let info = |name: &str, dtype, shape: &[usize]| TensorInfo { name: name.to_owned(), dtype, shape: shape.to_vec() };
    let tensors = vec![info("a", Dtype::F32, &[1]), info("scale", Dtype::F64, &[1])];
    let path = files.folder.path().join("previous.safetensors");
    let mut writer = Writer::create(&path, tensors, &WriteOptions::default()).unwrap();
    writer.write("a", &Values::Floats(vec![4.0])).unwrap();
    writer.write_bytes("scale", &third).unwrap();
    writer.finish().unwrap();
    let previous = Checkpoint::open(&path).unwrap();
    let table = NameMap::parse("ignored = [\"scale\"]\n[names]\n\"a\" = \"a\"").unwrap();
    let tables = [table.apply(["a", "scale"]).unwrap(), table.apply(["a"]).unwrap()];
    let mut models = vec![model("previous", &previous), model("expert", &files.checkpoints[0])];
    models.iter_mut().zip(&tables).for_each(|(model, table)| model.mapping = Some(table));
    files.merge_models(models.clone(), &mean(), |_| ()).unwrap();
    assert_eq!(files.merged().read_bytes("scale", 0..1, true).unwrap(), third);
    // In another type, it is rounded to the nearest value.
    files.merge_models(models, &mean(), |request| request.dtype = Some(Dtype::F32)).unwrap();
    assert_eq!(files.merged().read("scale").unwrap().floats(), Some(&[1.0f32 / 3.0][..]));
}

#[test]
fn tensors_that_differ_are_named() {
    let integer = |name, values: &[i64]| (name, Dtype::I64, vec![values.len()], Values::Integers(values.to_vec()));
    let cases = [
        (vec![floats("a", &[2], &[1.0; 2])], "model 1: the tensor `b` is missing, but model 0 has it"),
        (
            vec![floats("a", &[2], &[1.0; 2]), floats("b", &[1, 1], &[1.0]), floats("c", &[1], &[1.0])],
            "model 1: the tensor `c` is not in model 0",
        ),
        (
            vec![floats("a", &[1, 2], &[1.0; 2]), floats("b", &[1, 1], &[1.0])],
            "model 1: the tensor `a` has the shape [1, 2], but in model 0 it has [2]",
        ),
        (
            vec![integer("a", &[1, 2]), floats("b", &[1, 1], &[1.0])],
            "model 1: the tensor `a` has values of type I64, but in model 0 of F32; accepted: any floats",
        ),
    ];
    for (other, expected) in cases {
        let files = Files::new(&[pair([1.0, 2.0]), other]);
        let error = files.error(files.models(), &mean());
        assert!(error.contains(expected), "{error}");
    }
    let files = Files::new(&[vec![integer("n", &[1])], vec![("n", Dtype::I8, vec![1], Values::Integers(vec![1]))]]);
    let error = files.error(files.models(), &mean());
    assert!(error.contains("`n` has values of type I8, but in model 0 of I64; accepted: I64"), "{error}");
}

#[test]
fn values_that_are_not_finite_are_named_and_nothing_is_written() {
    for place in 0..3 {
        let mut models = vec![pair([1.0, 2.0]), pair([3.0, 4.0]), pair([5.0, 6.0])];
        models[place][0].3 = Values::Floats(vec![1.0, f32::NAN]);
        let files = Files::new(&models);
        let error = files.error(files.models(), &mean());
        let file = format!("model-{place}.safetensors");
        assert!(
            error.contains(&file) && error.contains("`a` holds a value that is not finite (NaN at index 1)"),
            "{error}"
        );
    }
    // The sum does not fit 32 bits.
    let files = Files::new(&[pair([0.0, 1.0]), pair([3e38, 1.0]), pair([3e38, 1.0])]);
    let sum = TaskArithmeticConfig { scaling: 1.0, relative_to: None };
    let error = files.error(files.models(), &sum);
    assert!(error.contains("`a`") && error.contains("not finite"), "{error}");
}

#[test]
fn what_the_type_cannot_hold_is_named_and_nothing_is_written() {
    let small = vec![("a", Dtype::F16, vec![2], Values::Floats(vec![0.0, 1.0]))];
    let files = Files::new(&[small, vec![floats("a", &[2], &[1.0, 70_000.0])]]);
    let error = files.error(files.models(), &mean());
    assert!(error.contains("`a` has the value 70000 at index 1, which does not fit F16"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_is_read() {
    let files = Files::new(&[pair([1.0, 2.0]), pair([f32::NAN, 4.0])]);
    let output = files.folder.path().join("nowhere/out.safetensors");
    let elsewhere =
        |request: &mut alluvium_merge::Request<'_>| request.output = Some(Path::new("/nowhere/out.safetensors"));
    let error = files.merge_models(files.models(), &mean(), elsewhere).unwrap_err().to_string();
    assert!(error.contains("out.safetensors: cannot be written"), "{error}");
    assert!(!output.exists());
}

#[test]
fn what_is_read_is_not_written_over() {
    let files = Files::new(&[pair([1.0, 2.0]), pair([3.0, 4.0])]);
    let input = files.folder.path().join("model-1.safetensors");
    let before = fs::read(&input).unwrap();
    fs::hard_link(&input, files.output()).unwrap();
    // The same file under another name is replaced, not written into.
    files.merge(&mean()).unwrap();
    assert_eq!(fs::read(&input).unwrap(), before);
    fs::remove_file(files.output()).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&input, files.output()).unwrap();
        let error = files.error(files.models(), &mean());
        assert!(error.contains("is being read and must not be overwritten"), "{error}");
    }
    assert_eq!(fs::read(&input).unwrap(), before);
}

#[test]
fn strategies_that_want_whole_models_say_so() {
    let files = Files::new(&[pair([1.0, 2.0]), pair([3.0, 4.0])]);
    let error = files.error(files.models(), &Finetune::default());
    assert!(error.contains("does not work in pieces"), "{error}");
    let error = files.error(vec![files.models().remove(0)], &mean());
    assert!(error.contains("at least one expert"), "{error}");
}

#[test]
fn factors_of_adapters_are_not_merged_but_what_they_stand_for() {
    // Of rank 1 with alpha 1: (1, 2)ᵀ·3 = 3 6, and (5, 0)ᵀ·1 = 5 0. Their mean is 4 3; the mean factors' product is (3, 1)ᵀ·2.
    let factors = |up: [f32; 2], down: f32| {
        vec![
            floats("q.lora_up.weight", &[2, 1], &up),
            floats("q.lora_down.weight", &[1, 1], &[down]),
            floats("q.alpha", &[], &[1.0]),
        ]
    };
    let files = Files::new(&[factors([1.0, 2.0], 3.0), factors([1.0, 2.0], 3.0), factors([5.0, 0.0], 1.0)]);
    let error = files.error(files.models(), &mean());
    assert!(error.contains("model 0: the tensor `q.lora_down.weight` is a factor of a low-rank adapter"), "{error}");
    let updates = |number: usize| {
        let path = files.folder.path().join(format!("model-{number}.safetensors"));
        Adapter::of(&Arc::new(Checkpoint::open(path).unwrap())).unwrap().unwrap().updates().unwrap()
    };
    let updates: Vec<_> = (0..3).map(updates).collect();
    let models = updates.iter().map(|updates| model("updates", updates)).collect();
    files.merge_models(models, &mean(), |_| {}).unwrap();
    assert_eq!(files.values("q.weight"), [4.0, 3.0]);
}

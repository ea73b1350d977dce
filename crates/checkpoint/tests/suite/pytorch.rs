//! Files by PyTorch itself, with the values and digests that `fixtures/generate.py` printed. Also files with every
//! other argument that `torch.save` may write, built by hand after the functions of `torch/_utils.py`.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, CheckpointError, Dtype, StateDictKey, Values};

use crate::by_hand::{self, archive_of, called, dict_of, inner_dict, long, rebuilt_of, said, tensor_of, text};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn error(name: &str) -> String {
    Checkpoint::open(fixture(name)).unwrap_err().to_string()
}

#[test]
fn values_are_those_of_pytorch() {
    let floats: [(&str, Dtype, &[usize], &[f32]); 10] = [
        ("contiguous", Dtype::F32, &[2, 3], &[-1.5, -0.5, 0.5, 1.5, 2.5, 3.5]),
        ("transposed", Dtype::F32, &[3, 2], &[-1.5, 1.5, -0.5, 2.5, 0.5, 3.5]),
        ("column", Dtype::F32, &[2], &[-0.5, 2.5]),
        ("first_half", Dtype::F32, &[4], &[0.0, 0.25, 0.5, 0.75]),
        ("second_half", Dtype::F32, &[2, 2], &[1.0, 1.25, 1.5, 1.75]),
        ("every_third", Dtype::F32, &[3], &[0.25, 1.0, 1.75]),
        ("parameter", Dtype::F32, &[2], &[0.1, -0.2]),
        ("half", Dtype::F16, &[3], &[1.0, -0.333_251_95, 65504.0]),
        ("brain", Dtype::Bf16, &[3], &[1.0, 3.140_625, -1.000_255_55e30]),
        ("none", Dtype::F32, &[0, 3], &[]),
    ];
    let integers: [(&str, Dtype, &[usize], &[i64]); 6] = [
        ("permuted", Dtype::I32, &[2, 2, 2], &[0, 2, 4, 6, 1, 3, 5, 7]),
        ("count", Dtype::I64, &[], &[12_345_678_901]),
        ("short", Dtype::I16, &[2], &[-300, 300]),
        ("tiny", Dtype::I8, &[2], &[-128, 127]),
        ("byte", Dtype::U8, &[2], &[0, 255]),
        ("truth", Dtype::Bool, &[3], &[1, 0, 1]),
    ];
    for file in ["mixed.pt", "protocol4.pt", "legacy.pt", "legacy4.pt"] {
        let checkpoint = Checkpoint::open(fixture(file)).unwrap();
        assert_eq!(checkpoint.tensors().count(), 17, "{file}");
        for (name, dtype, shape, values) in floats {
            let tensor = checkpoint.read_finite(name).unwrap();
            assert_eq!((tensor.dtype, &tensor.shape[..], tensor.floats()), (dtype, shape, Some(values)), "{name}");
        }
        // generate.py: all bits of 0.1, and a value that is 0 in 32 bits.
        let double = checkpoint.read_finite("double").unwrap();
        let expected = (Dtype::F64, &[2][..], Some(&[0.1, 1e-300][..]));
        assert_eq!((double.dtype, &double.shape[..], double.doubles()), expected);
        for (name, dtype, shape, values) in integers {
            let tensor = checkpoint.read(name).unwrap();
            assert_eq!((tensor.dtype, &tensor.shape[..], tensor.integers()), (dtype, shape, Some(values)), "{name}");
        }
        let digest = "82b6d96c3142a883d6c88ee95c29c00b395552037921a1fbaf7d1b3b4d4e4e71";
        assert_eq!(checkpoint.digest().unwrap(), digest, "{file}");
    }
}

#[test]
fn weights_are_found_beside_epochs_and_optimiser() {
    for file in ["training.pt", "legacy-training.pt"] {
        let checkpoint = Checkpoint::open(fixture(file)).unwrap();
        let names: Vec<_> = checkpoint.tensors().map(|info| info.name.as_str()).collect();
        let expected = ["0.weight", "1.bias", "1.num_batches_tracked", "1.running_mean", "1.running_var", "1.weight"];
        assert_eq!(names, expected, "{file}");
        assert_eq!(checkpoint.read("1.num_batches_tracked").unwrap().values, Values::Integers(vec![1]));
        let digest = "6eb68e2797d497ac1b1d38d9f8bacabd86f34f7cc3a62de6403a93578057c500";
        assert_eq!(checkpoint.digest().unwrap(), digest, "{file}");
        // 5 tensors of 2 floats, and a counter of 8 bytes.
        assert_eq!((checkpoint.parameters(), checkpoint.bytes()), (10, 48));
    }
}

#[test]
fn what_python_2_and_pytorch_03_wrote_is_read() {
    let checkpoint = Checkpoint::open(fixture("legacy03.pt")).unwrap();
    let weight = checkpoint.read("fc.weight").unwrap();
    let expected = [-1.5, 1.5, -0.5, 2.5, 0.5, 3.5];
    assert_eq!((&weight.shape[..], weight.floats()), (&[3, 2][..], Some(&expected[..])));
    assert_eq!(checkpoint.read("fc.bias").unwrap().floats(), Some(&[0.5, -4.0][..]));
    assert_eq!(checkpoint.digest().unwrap(), "47167417cd42af45b9d199916fd78fdf5100c2702a2d756c5d19bb3a369ad4c7");
}

#[test]
fn what_is_not_accepted_is_said() {
    let pickle = error("pickle.pt");
    assert!(pickle.contains("is a bare pickle, which `torch.save` did not write; nothing was executed"), "{pickle}");
    let complex = error("complex.pt");
    assert!(complex.contains("`spectrum` has values of type `ComplexFloatStorage`; accepted: F64"), "{complex}");
    let expanded = error("expanded.pt");
    assert!(expanded.contains("`wide` was expanded: it has 1000 values, but a storage of 1"), "{expanded}");
}

#[test]
fn a_tensor_that_is_not_there_is_named_with_those_that_are() {
    let checkpoint = Checkpoint::open(fixture("training.pt")).unwrap();
    let error = checkpoint.read("fc.weight").unwrap_err().to_string();
    assert!(error.contains("`fc.weight` is missing; the tensors of the model: `0.weight`, `1.bias`"), "{error}");
}

#[test]
fn the_sign_of_a_view_is_turned_as_in_pytorch() {
    // `torch.ones(3)` with the negative bit; and the imaginary part of a conjugated tensor: every second number of the
    // storage from the second on, as torch gives it, with the other sign.
    let checkpoint = Checkpoint::open(fixture("neg.pt")).unwrap();
    assert_eq!(checkpoint.read("w").unwrap().floats(), Some(&[-1.0, -1.0, -1.0][..]));
    let checkpoint = Checkpoint::open(fixture("conjimag.pt")).unwrap();
    let expected = [0.207_485_57, -0.401_941_6, 0.988_956_3, -0.592_574_1, 0.285_206_94, -0.128_719_24];
    let tensor = checkpoint.read("w").unwrap();
    assert_eq!((&tensor.shape[..], tensor.floats()), (&[2, 3][..], Some(&expected[..])));
    // In pieces, too.
    assert_eq!(checkpoint.read_range("w", 2..4).unwrap(), Values::Floats(expected[2..4].to_vec()));
    assert_eq!(Checkpoint::open(fixture("neg.pt")).unwrap().read_range("w", 1..2).unwrap(), Values::Floats(vec![-1.0]));
}

/// The result of `_rebuild_tensor_v2` and similar functions for four 16-bit numbers, 1 to 4. `tail` holds the arguments
/// after the strides.
fn four(function: &str, class: &str, length: &[u8], tail: &[u8]) -> String {
    let arguments = [&b"K\0K\x04\x85K\x01\x85"[..], tail].concat();
    let tensor = rebuilt_of(function, class, "0", length, &arguments);
    read_of(&dict_of(&[("w", tensor)]))
}

/// The values of `w` in a file with this pickle and one storage, or the error.
fn read_of(pickle: &[u8]) -> String {
    let read = || {
        let file = archive_of(pickle, &[1, 0, 2, 0, 3, 0, 4, 0]);
        Ok::<_, CheckpointError>(format!("{:?}", Checkpoint::from_reader(Cursor::new(file))?.read("w")?.values))
    };
    read().unwrap_or_else(|error| error.to_string())
}

#[test]
fn every_argument_of_a_tensor_is_read_or_refused() {
    let v2 = "_rebuild_tensor_v2";
    let with = |metadata: &[u8]| four(v2, "ShortStorage", b"K\x04", &[b"\x89}", metadata].concat());
    let metadata = |entries: &[(&str, &[u8])]| {
        inner_dict(&entries.iter().map(|(key, value)| (*key, value.to_vec())).collect::<Vec<_>>())
    };
    let plain = "Integers([1, 2, 3, 4])";
    assert_eq!(with(b"N"), plain);
    assert_eq!(with(b"}"), plain);
    assert_eq!(with(&metadata(&[("neg", b"\x88")])), "Integers([-1, -2, -3, -4])");
    assert_eq!(with(&metadata(&[("neg", b"\x89"), ("conj", b"\x88")])), plain, "a real number is its own conjugate");
    let refused = |said: String, expected: &str| assert!(said.contains(expected), "{expected} is not in: {said}");
    refused(with(&metadata(&[("zero", b"\x88")])), "`w` has a bool for `zero` in its metadata");
    refused(with(&metadata(&[("neg", b"K\x01")])), "`w` has an int for `neg`");
    refused(with(b"K\x01"), "`w` has an int for its metadata");
    let neg = metadata(&[("neg", b"\x88")]);
    refused(four(v2, "ByteStorage", b"K\x08", &[b"\x89}", &neg[..]].concat()), "`w` is a negated view of U8");
    refused(four(v2, "ShortStorage", b"K\x04", b"\x89}NN"), "with 8 arguments, which `torch.save` never writes");

    // If the tensor states its type, the length of the storage is in bytes.
    let v3 = |dtype: &str, more: &[u8]| {
        four(
            "_rebuild_tensor_v3",
            "UntypedStorage",
            b"K\x08",
            &[&b"\x89}"[..], format!("ctorch\n{dtype}\n").as_bytes(), more].concat(),
        )
    };
    assert_eq!(v3("int16", b""), plain);
    assert_eq!(v3("int16", &neg), "Integers([-1, -2, -3, -4])");
    refused(v3("uint16", b""), "`w` has values of type `torch.uint16`; accepted: F64");
    refused(v3("float8_e4m3fn", b""), "`torch.float8_e4m3fn`");
    refused(v3("int32", b""), "`w` needs values outside of its storage of 2");
    refused(
        four("_rebuild_tensor_v3", "ShortStorage", b"K\x04", b"\x89}ctorch\nint16\n"),
        "claims to be I16 in a storage",
    );
}

#[test]
fn every_function_that_makes_a_tensor_is_read_or_refused() {
    let tensor = || tensor_of("ShortStorage", "0", b"K\x04", b"K\0", b"K\x04\x85", b"K\x01\x85");
    let arguments = &tensor()["ctorch._utils\n_rebuild_tensor_v2\n".len()..tensor().len() - 1];
    let w = |piece: Vec<u8>| read_of(&dict_of(&[("w", piece)]));
    let utils = |name: &str, arguments: &[u8]| w(called("torch._utils", name, arguments));
    let plain = "Integers([1, 2, 3, 4])";
    assert_eq!(utils("_rebuild_parameter", &[&tensor()[..], b"\x88}"].concat()), plain);
    assert_eq!(utils("_rebuild_parameter_with_state", &[&tensor()[..], b"\x88}}X\x01\0\0\0aK\x01s"].concat()), plain);
    let from_type = |class: &str| {
        let class = format!("c{}\n", class.replace(' ', "\n"));
        let function = b"ctorch._utils\n_rebuild_tensor_v2\n";
        w(called(
            "torch._tensor",
            "_rebuild_from_type_v2",
            &[&function[..], class.as_bytes(), arguments, b"}"].concat(),
        ))
    };
    // A tensor with attributes.
    assert_eq!(from_type("torch Tensor"), plain);
    assert_eq!(from_type("torch.nn.parameter Parameter"), plain);
    for (said, expected) in [
        (from_type("my.quant Int4Tensor"), "`w` is of the class `my.quant.Int4Tensor`"),
        (utils("_rebuild_sparse_tensor", b"K\0)"), "`w` is a sparse tensor"),
        (utils("_rebuild_qtensor", &[&tensor()[..], b"K\0))N\x89}"].concat()), "`w` is a quantised tensor"),
        (utils("_rebuild_meta_tensor_no_storage", b"ctorch\nfloat32\n))\x89"), "`w` is on the device `meta`"),
        (utils("_rebuild_device_tensor_from_numpy", b"NNN\x89"), "save it after `.cpu()`"),
        (utils("_rebuild_wrapper_subclass", b"cmy\nWrapped\nN))K\0NN\x89"), "`w` is of the class `my.Wrapped`"),
        (utils("_rebuild_nested_tensor", &tensor()), "`w` is a nested tensor"),
        (
            utils(
                "_rebuild_parameter",
                &[&called("torch._utils", "_rebuild_sparse_tensor", b"K\0)")[..], b"\x88}"].concat(),
            ),
            "`w` is a sparse tensor",
        ),
        (utils("_rebuild_of_next_year", b""), "`w` is built by `torch._utils._rebuild_of_next_year`"),
        (
            w(called("numpy.core.multiarray", "_reconstruct", b"K\0")),
            "`w` is built by `numpy.core.multiarray._reconstruct`",
        ),
        (utils("_rebuild_parameter", b"K\x01\x88}"), "`w` is an int, not a tensor"),
    ] {
        assert!(said.contains(expected), "{expected} is not in: {said}");
    }
}

#[test]
fn what_lies_outside_the_weights_stays_unread() {
    let checkpoint = Checkpoint::open(fixture("multistep.pt")).unwrap();
    assert_eq!(checkpoint.read("bias").unwrap().floats(), Some(&[0.044_042_27, 0.372_674_2][..]));
    assert_eq!(checkpoint.tensors().count(), 2);
    // As Python's pickle writes them with protocol 2 (`pickletools.dis` of each): an argparse.Namespace, a defaultdict with an
    // item, a numpy scalar, a path, an enum's member, a deque with items, a set by protocol 4, a class by NEWOBJ_EX, a function.
    let others: [(&str, Vec<u8>); 9] = [
        ("args", b"cargparse\nNamespace\n)\x81}X\x02\0\0\0lrG?\xb9\x99\x99\x99\x99\x99\x9asb".to_vec()),
        ("counts", b"ccollections\ndefaultdict\nc__builtin__\nint\n\x85RX\x01\0\0\0aK\x01s".to_vec()),
        ("best", b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\0\0\0f8\x89\x88\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbU\x08\x9a\x99\x99\x99\x99\x99\xb9?\x86R".to_vec()),
        ("path", called("pathlib", "PosixPath", &text("runs"))),
        ("mode", called("__main__", "Mode", b"K\x01")),
        ("last", b"ccollections\ndeque\n)R(K\x01K\x02e".to_vec()),
        ("seen", b"\x8f(K\x01K\x02\x90".to_vec()),
        ("when", b"c__main__\nEvent\n)}\x92}b".to_vec()),
        ("hook", b"cos\nsystem\n".to_vec()),
    ];
    let weights = || inner_dict(&[("w", tensor_of("ShortStorage", "0", b"K\x04", b"K\0", b"K\x04\x85", b"K\x01\x85"))]);
    for (key, value) in &others {
        assert_eq!(read_of(&dict_of(&[(key, value.clone()), ("model", weights())])), "Integers([1, 2, 3, 4])", "{key}");
        // Among the weights, it is refused by name.
        let said = read_of(&dict_of(&[("w", value.clone())]));
        assert!(said.contains("the tensor `w` is "), "{key}: {said}");
    }
    let all: Vec<_> = others.iter().cloned().chain([("state_dict", weights())]).collect();
    assert_eq!(read_of(&dict_of(&all)), "Integers([1, 2, 3, 4])");
}

#[test]
fn a_file_without_tensors_is_refused() {
    let error = error("emptysd.pt");
    assert!(error.contains("emptysd.pt: holds no tensors"), "{error}");
    assert!(said(Cursor::new(by_hand::flat("{}", b""))).contains("holds no tensors"));
    assert!(said(Cursor::new(archive_of(b"\x80\x02}.", &[]))).contains("holds no tensors"));
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::write(&index, r#"{"weight_map":{}}"#).unwrap();
    assert!(Checkpoint::open(&index).unwrap_err().to_string().contains("holds no tensors"));
}

/// A dict of one float: the first or the second of the storage.
fn one(place: u8) -> Vec<u8> {
    let tensor = tensor_of("FloatStorage", "0", &long(2), &[b'K', place], b"K\x01\x85", b"K\x01\x85");
    inner_dict(&[("w", tensor)])
}

/// The state dict that is chosen from a file, its value, and the others; or the error.
fn taken(pickle: &[u8], wanted: Option<StateDictKey>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.pt");
    std::fs::write(&path, archive_of(pickle, &[1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat())).unwrap();
    let read = || {
        let checkpoint = Checkpoint::open_state_dict(&path, wanted.as_ref())?;
        let dict = checkpoint.state_dict().unwrap();
        let value = checkpoint.read("w")?.floats().unwrap()[0];
        Ok::<_, CheckpointError>(format!("{}={value} [{}]", dict.key, dict.others.join(" ")))
    };
    read().unwrap_or_else(|error| error.to_string())
}

#[test]
fn of_several_state_dicts_one_is_taken_by_a_rule_or_by_its_key() {
    let exactly = |key: &str| Some(StateDictKey::Exactly(key.to_owned()));
    let several = |key: &str| Some(StateDictKey::WhereSeveral(key.to_owned()));
    let timm = dict_of(&[("state_dict_ema", one(1)), ("state_dict", one(0)), ("epoch", b"K\x03".to_vec())]);
    assert_eq!(taken(&timm, None), "state_dict=1 [state_dict_ema]");
    assert_eq!(taken(&timm, exactly("state_dict_ema")), "state_dict_ema=2 [state_dict]");
    assert_eq!(taken(&timm, several("state_dict_ema")), "state_dict_ema=2 [state_dict]");
    let said = taken(&timm, exactly("ema"));
    assert!(said.contains("has no state dict `ema`; accepted: `state_dict_ema`, `state_dict`"), "{said}");

    let nested =
        dict_of(&[("ema", inner_dict(&[("module", one(1)), ("decay", b"K\x01".to_vec())])), ("model", one(0))]);
    assert_eq!(taken(&nested, None), "model=1 [ema.module]");
    assert_eq!(taken(&nested, exactly("ema.module")), "ema.module=2 [model]");
    // The tensors of an optimiser are not weights, and counters are not either.
    let optimiser = inner_dict(&[("state", inner_dict(&[("w", one(1))]))]);
    let counter = inner_dict(&[("n", tensor_of("LongStorage", "0", b"K\x01", b"K\0", b")", b")"))]);
    let trained = dict_of(&[("optimizer", optimiser), ("counts", counter), ("model_state_dict", one(0))]);
    assert_eq!(taken(&trained, None), "model_state_dict=1 []");
    assert_eq!(taken(&dict_of(&[("generator", one(1))]), None), "generator=2 []", "the only dict of tensors");
    let two = taken(&dict_of(&[("generator", one(1)), ("critic", one(0))]), None);
    assert!(two.contains("--state-dict takes one of: `generator`, `critic`"), "{two}");
    // The settings of a model are not its weights.
    let settings = inner_dict(&[("depth", b"K\x12".to_vec())]);
    assert_eq!(
        taken(&dict_of(&[("model", settings), ("params", one(0)), ("params_ema", one(1))]), None),
        "params=1 [params_ema]"
    );
    // Keys that occur twice, or can be read in two ways.
    let twice = taken(&dict_of(&[("state_dict", one(0)), ("state_dict", one(1))]), None);
    assert!(twice.contains("`state_dict` occurs twice"), "{twice}");
    let dotted = dict_of(&[("ema.module", one(0)), ("ema", inner_dict(&[("module", one(1))])), ("model", one(0))]);
    assert!(taken(&dotted, exactly("ema.module")).contains("two state dicts `ema.module`"));
    // A dict of tensors alone has no key.
    let alone = [b"\x80\x02", &one(1)[..], b"."].concat();
    assert_eq!(taken(&alone, several("ema")), "=2 []");
    let said = taken(&alone, exactly("ema"));
    assert!(said.contains("it is just one dict of tensors"), "{said}");
}

#[test]
fn a_safetensors_file_has_no_state_dicts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    std::fs::write(&path, by_hand::flat(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, &[1])).unwrap();
    let open = |key| Checkpoint::open_state_dict(&path, Some(&key));
    let error = open(StateDictKey::Exactly("ema".to_owned())).unwrap_err().to_string();
    assert!(error.contains("m.safetensors: has no state dict `ema`: it is safetensors"), "{error}");
    assert!(open(StateDictKey::WhereSeveral("ema".to_owned())).unwrap().state_dict().is_none());
}

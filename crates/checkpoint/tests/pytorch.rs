//! Files made by PyTorch itself. The values and digests are those that `fixtures/generate.py` printed.

use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, Dtype, Values};

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
        // generate.py: all bits of 0.1, and what 32 bits take for 0.
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
    assert!(pickle.contains("is a bare pickle, and not by `torch.save`; nothing was executed"), "{pickle}");
    let complex = error("complex.pt");
    assert!(complex.contains("`spectrum` has values of type `ComplexFloatStorage`; accepted: F64"), "{complex}");
    let expanded = error("expanded.pt");
    assert!(expanded.contains("`wide` has 1000 values and a storage of 1: it was expanded"), "{expanded}");
}

#[test]
fn a_tensor_that_is_not_there_is_named_with_those_that_are() {
    let checkpoint = Checkpoint::open(fixture("training.pt")).unwrap();
    let error = checkpoint.read("fc.weight").unwrap_err().to_string();
    assert!(error.contains("`fc.weight` is not there; there are: `0.weight`, `1.bias`"), "{error}");
}

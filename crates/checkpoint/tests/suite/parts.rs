//! Models in several files. However the set is disturbed, reading gives the model that was written, or an error that
//! names a file. A model leaves no files of an older one of the same name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, CheckpointError, Dtype, TensorInfo, Values, WriteOptions, Writer};
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};

use crate::{by_hand, file_names};

/// The values of each tensor.
type Numbers = BTreeMap<String, Vec<f32>>;

/// Writes six tensors whose values begin with `first`, with `in_a_file` tensors in each file.
fn write(path: &Path, first: f32, in_a_file: Option<u64>) -> Vec<PathBuf> {
    let infos: Vec<_> = ["a", "b", "c", "d", "e", "f"]
        .map(|name| TensorInfo { name: name.to_owned(), dtype: Dtype::F32, shape: vec![2] })
        .into();
    let options = WriteOptions { shard_bytes: in_a_file.map(|count| 8 * count), ..WriteOptions::default() };
    let mut writer = Writer::create(path, infos.clone(), &options).unwrap();
    for (place, info) in infos.iter().enumerate() {
        writer.write(&info.name, &Values::Floats(vec![first + place as f32, -first])).unwrap();
    }
    writer.finish().unwrap()
}

fn read(path: &Path) -> Result<Numbers, CheckpointError> {
    let checkpoint = Checkpoint::open(path)?;
    let tensor = |info: &TensorInfo| Ok((info.name.clone(), checkpoint.read(&info.name)?.floats().unwrap().to_vec()));
    checkpoint.tensors().map(tensor).collect()
}

/// The error of a path that is refused.
#[track_caller]
fn refused(path: &Path) -> String {
    read(path).expect_err("refused").to_string()
}

#[test]
fn an_incomplete_set_is_refused_on_every_path() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("m.safetensors"), 1.0, Some(2));
    let (first, second) = ("m-00001-of-00003.safetensors", "m-00002-of-00003.safetensors");
    let (index, third) = (at("m.safetensors.index.json"), "m-00003-of-00003.safetensors");
    // One part is not a model, even if all parts exist.
    let said = refused(&at(first));
    assert!(said.contains("is one part of 3") && said.contains("`m.safetensors.index.json`"), "{said}");
    assert!(!said.contains("missing"), "{said}");

    let whole = fs::read_to_string(&index).unwrap();
    // An index that leaves out the third file, with all its tensors.
    let left_out: Vec<_> = whole.lines().filter(|line| !line.contains(third)).collect();
    let cut = left_out.join("\n").replace("second\",", "second\"");
    let cut = cut.replace(&format!("\"d\": \"{second}\","), &format!("\"d\": \"{second}\""));
    fs::write(&index, cut).unwrap();
    let said = refused(&index);
    assert!(said.contains("has 2 of 3 parts of a model; missing: `m-00003-of-00003.safetensors`"), "{said}");
    assert_eq!(refused(folder.path()), said, "by its folder");
    fs::write(&index, &whole).unwrap();

    // A file that is not there.
    fs::remove_file(at(second)).unwrap();
    for path in [&index, &folder.path().to_owned()] {
        assert!(refused(path).contains("`m-00002-of-00003.safetensors`"), "{}", refused(path));
    }
    // Without its index.
    fs::remove_file(&index).unwrap();
    let said = refused(folder.path());
    assert!(said.contains("missing: `m-00002-of-00003.safetensors`") && said.contains("index"), "{said}");
    let said = refused(&at(first));
    assert!(said.contains("its folder has 2 of 3 parts of a model; missing: `m-00002-of-00003"), "{said}");

    // One part of what `torch.save` wrote.
    let pickle = by_hand::pickle_of("FloatStorage", "0", b"K\x01", b"K\0", b"K\x01\x85", b"K\x01\x85");
    let bin = at("pytorch_model-00001-of-00002.bin");
    fs::write(&bin, by_hand::archive_of(&pickle, &[0; 4])).unwrap();
    let said = refused(&bin);
    assert!(said.contains("missing: `pytorch_model-00002-of-00002.bin`"), "{said}");
    for name in [first, third] {
        fs::remove_file(at(name)).unwrap();
    }
    assert!(refused(folder.path()).contains("`pytorch_model-00002-of-00002.bin`"));
    // A set of one part is a whole file.
    fs::rename(&bin, at("pytorch_model-00001-of-00001.bin")).unwrap();
    assert_eq!(read(folder.path()).unwrap()["w"], [0.0]);
}

#[test]
fn an_index_may_have_a_byte_order_mark() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("m.safetensors"), 1.0, Some(2));
    let index = folder.path().join("m.safetensors.index.json");
    let before = read(&index).unwrap();
    fs::write(&index, [b"\xef\xbb\xbf", &fs::read(&index).unwrap()[..]].concat()).unwrap();
    assert_eq!(read(folder.path()).unwrap(), before);
    let wide: Vec<u8> = fs::read_to_string(&index).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&index, wide).unwrap();
    assert!(read(&index).is_err());
}

#[test]
fn nothing_of_the_model_before_is_left_to_be_found() {
    // Models one after another in the same folder, in 1, 2, 3 or 6 files.
    let kinds = [None, Some(2), None, Some(3), Some(2), Some(1), Some(1), Some(3), None];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let others = ["mm-00001-of-00002.safetensors", "m-1-of-2.safetensors", "m.txt", "m-00001-of-00002.pt"];
    for other in others {
        fs::write(folder.path().join(other), "not a model").unwrap();
    }
    for (round, in_a_file) in kinds.into_iter().enumerate() {
        let first = 10.0 * (round + 1) as f32;
        let files = write(&path, first, in_a_file);
        let mut expected: Vec<_> =
            files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        expected.extend(others.map(str::to_owned));
        expected.sort();
        assert_eq!(file_names(folder.path()), expected, "round {round}");
        for way in [folder.path(), files.last().unwrap()] {
            assert_eq!(read(way).unwrap()["a"], [first, -first], "round {round}, {}", way.display());
        }
        let there = Writer::replaces(&path).unwrap();
        assert_eq!(there.len(), files.len(), "{there:?}");
    }
}

#[test]
fn what_is_read_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let files = write(&path, 1.0, Some(3));
    let before = file_names(folder.path());
    let options = WriteOptions { inputs: files, ..WriteOptions::default() };
    let error = Writer::create(&path, vec![], &options).unwrap_err().to_string();
    assert!(error.contains("is being read"), "{error}");
    assert_eq!(file_names(folder.path()), before);
}

/// The states of a folder in which a process that replaces a model may be killed, one before each rename. They are
/// built by hand, in the order in which the files change.
#[test]
fn a_reader_finds_the_old_model_or_the_new_one_at_any_moment() {
    let (old, new) = (1.0, 2.0);
    let found = |folder: &Path| read(folder).map(|numbers| numbers["a"][0]);
    // From several files to one: the whole file is written, then the index is removed, then the parts.
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let parts = write(&at("m.safetensors"), old, Some(3));
    let aside = tempfile::tempdir().unwrap();
    write(&aside.path().join("m.safetensors"), new, None);
    fs::copy(aside.path().join("m.safetensors"), at("m.safetensors")).unwrap();
    assert_eq!(found(folder.path()).unwrap(), old, "the index is there");
    assert_eq!(found(&at("m.safetensors")).unwrap(), new);
    for gone in [&parts[2], &parts[0], &parts[1]] {
        fs::remove_file(gone).unwrap();
        assert_eq!(found(folder.path()).unwrap(), new);
    }
    // From one file to several: the parts are written, then the index, then the whole file is removed.
    for (part, expected) in write(&aside.path().join("n.safetensors"), 3.0, Some(3)).iter().zip([new, new, 3.0]) {
        let name = part.file_name().unwrap().to_str().unwrap().replacen('n', "m", 1);
        let text = String::from_utf8(fs::read(part).unwrap_or_default()).unwrap_or_default();
        if name.ends_with(".json") {
            fs::write(at(&name), text.replace("\"n-", "\"m-")).unwrap();
        } else {
            fs::copy(part, at(&name)).unwrap();
        }
        assert_eq!(found(folder.path()).unwrap(), expected, "{name}");
    }
    fs::remove_file(at("m.safetensors")).unwrap();
    assert_eq!(found(folder.path()).unwrap(), 3.0);
    // From several files to several: the old parts get second names, and the index refers to these while new parts take
    // the first names.
    let index = fs::read_to_string(at("m.safetensors.index.json")).unwrap();
    for name in ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"] {
        fs::hard_link(at(name), at(&format!(".tmp-x-{name}"))).unwrap();
        assert_eq!(found(folder.path()).unwrap(), 3.0);
    }
    fs::write(at("m.safetensors.index.json"), index.replace("\"m-", "\".tmp-x-m-")).unwrap();
    assert_eq!(found(folder.path()).unwrap(), 3.0);
    for name in ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"] {
        fs::remove_file(at(name)).unwrap();
        fs::copy(&parts_of(aside.path(), 4.0)[usize::from(name.contains("-00002-"))], at(name)).unwrap();
        assert_eq!(found(folder.path()).unwrap(), 3.0, "{name} is new");
    }
    fs::write(at("m.safetensors.index.json"), &index).unwrap();
    assert_eq!(found(folder.path()).unwrap(), 4.0);
}

fn parts_of(folder: &Path, first: f32) -> Vec<PathBuf> {
    write(&folder.join("k.safetensors"), first, Some(3))
}

/// One disturbance of a folder with a model in several files.
fn disturb(folder: &Path, files: &[String], random: &mut SmallRng) -> String {
    let at = |name: &str| folder.join(name);
    let mut pick = || files.choose(random).unwrap().clone();
    let (one, other) = (pick(), pick());
    let index = files.last().unwrap();
    match random.random_range(0..9) {
        0 => drop(fs::remove_file(at(&one))),
        1 => {
            // Two files are exchanged, or all are shuffled.
            let bytes: Vec<_> = files.iter().map(|file| fs::read(at(file)).unwrap_or_default()).collect();
            let mut order: Vec<_> = (0..files.len() - 1).collect();
            order.shuffle(random);
            for (to, from) in order.into_iter().enumerate() {
                fs::write(at(&files[to]), &bytes[from]).unwrap();
            }
        }
        2 => drop(fs::rename(at(&one), at(&format!("renamed-{one}")))),
        3 => drop(fs::rename(at(&one), at(&other))),
        4 => {
            let bytes = fs::read(at(&one)).unwrap_or_default();
            fs::write(at(&one), &bytes[..random.random_range(0..bytes.len().max(1))]).unwrap();
        }
        5 => {
            // The index leaves out a line: a tensor, or part of its structure.
            let text = fs::read_to_string(at(index)).unwrap_or_default();
            let lost = random.random_range(0..text.lines().count().max(1));
            let kept: Vec<_> =
                text.lines().enumerate().filter(|(line, _)| *line != lost).map(|(_, text)| text).collect();
            fs::write(at(index), kept.join("\n")).unwrap();
        }
        6 => {
            // The index leaves out a whole file.
            let text = fs::read_to_string(at(index)).unwrap_or_default();
            let kept: Vec<_> = text.lines().filter(|line| !line.contains(&one)).collect();
            let text = kept.join("\n").replace(",\n  }", "\n  }");
            fs::write(at(index), text).unwrap();
        }
        7 => {
            // The index states another file for a tensor.
            let text = fs::read_to_string(at(index)).unwrap_or_default();
            fs::write(at(index), text.replacen(&one, &other, 1)).unwrap();
        }
        _ => {
            // The name of a part states another number of parts.
            drop(fs::rename(at(&one), at(&one.replace("-of-00003", "-of-00002"))));
        }
    }
    format!("{one}, {other}")
}

#[test]
fn a_disturbed_set_is_the_undisturbed_one_or_refused() {
    let mut random = SmallRng::seed_from_u64(17);
    let (mut read_well, mut refusals) = (0, 0);
    // The sets are written once, with one, two or three tensors per file, and restored for every case.
    let sets = [1, 2, 3].map(|in_a_file| {
        let folder = tempfile::tempdir().unwrap();
        let files = write(&folder.path().join("m.safetensors"), 1.0, Some(in_a_file));
        let bytes = |file: &PathBuf| (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(file).unwrap());
        (files.iter().map(bytes).collect::<Vec<_>>(), read(folder.path()).unwrap())
    });
    for case in 0..400 {
        let folder = tempfile::tempdir().unwrap();
        let (set, undisturbed) = &sets[case % 3];
        set.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
        let files: Vec<_> = set.iter().map(|(name, _)| name.clone()).collect();
        let mut done = vec![];
        for _ in 0..random.random_range(1..3) {
            done.push(disturb(folder.path(), &files, &mut random));
        }
        let mut ways: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        ways.push(folder.path().to_owned());
        for way in ways {
            match read(&way) {
                Ok(numbers) => {
                    assert_eq!(&numbers, undisturbed, "case {case}, {done:?}, {}", way.display());
                    read_well += 1;
                }
                Err(error) => {
                    let said = error.to_string();
                    assert!(said.contains("m-0000") || said.contains("m.safetensors"), "case {case}, {done:?}: {said}");
                    refusals += 1;
                }
            }
        }
    }
    assert!(read_well > 20 && refusals > 400, "{read_well} were read, {refusals} refused");
}

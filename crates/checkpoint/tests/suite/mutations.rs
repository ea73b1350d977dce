//! Sound files, unchanged, cut off and changed at every byte, and changed at random. Nothing may panic, and the reader
//! of safetensors must not accept anything that the reference implementation refuses.
//!
//! `ALLUVIUM_MUTATIONS` sets the number of random changes for each kind of file, and `ALLUVIUM_MUTATION_SEED` their
//! seed.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use alluvium_checkpoint::{Checkpoint, CheckpointError, NameMap, NamesError, ShardIndex};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use safetensors::SafeTensors;

use crate::by_hand;

/// Names and bytes.
type Seeds = Vec<(String, Vec<u8>)>;

fn seeds(folder: &str) -> Seeds {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .filter(|path| path.extension().is_none_or(|end| end == "pt"))
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect()
}

/// Reads everything that a file can provide.
fn read(bytes: &[u8]) -> Result<usize, CheckpointError> {
    let checkpoint = Checkpoint::from_reader(Cursor::new(bytes.to_vec()))?;
    for info in checkpoint.tensors() {
        let read = checkpoint.read_finite(&info.name);
        let read = read.inspect_err(|error| assert!(!error.to_string().is_empty()));
        assert!(read.is_err() || read.is_ok_and(|tensor| tensor.values.len() == info.elements()));
        let half = info.elements() / 2;
        let bytes = checkpoint.read_bytes(&info.name, 0..info.elements(), true);
        assert!(bytes.is_err() || bytes.is_ok_and(|bytes| bytes.len() as u64 == info.bytes()));
        let piece = checkpoint.read_finite_range(&info.name, half / 2..half);
        assert!(piece.is_err() || piece.is_ok_and(|values| values.len() == half - half / 2));
    }
    let _ = checkpoint.digest();
    Ok(checkpoint.tensors().count())
}

fn flat(bytes: &[u8]) {
    if let Ok(tensors) = read(bytes)
        && !matches!(bytes[0], b'P' | 0x80)
    {
        assert_eq!(SafeTensors::deserialize(bytes).expect("the reference accepts it").len(), tensors);
    }
}

fn pickle(bytes: &[u8]) {
    let archive = if bytes.starts_with(b"PK") {
        bytes.to_vec()
    } else {
        by_hand::zip(&[("a/data.pkl", bytes), ("a/data/0", &[0; 16]), ("a/data/1", &[1; 8])])
    };
    let _ = read(&archive);
}

fn legacy(bytes: &[u8]) {
    let _ = read(&[by_hand::LEGACY_START, bytes].concat());
}

fn any(bytes: &[u8]) {
    let _ = read(bytes);
}

fn index(bytes: &[u8]) {
    if let Ok(index) = ShardIndex::from_bytes(bytes) {
        assert!(index.iter().all(|(_, file)| Path::new(file).file_name().is_some_and(|name| name == file)));
    }
}

fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (table, names) = text.split_once('\0').unwrap_or((&text, ""));
    let applied = || -> Result<(), NamesError> {
        let mapping = NameMap::parse(table)?.apply(names.lines())?;
        assert!(mapping.iter().all(|(ours, foreign)| mapping.ours(foreign) == Some(ours)));
        Ok(())
    };
    let _ = applied();
}

/// Reads the bytes of a file.
type Reader = fn(&[u8]);

/// The kinds of files, each with its reader.
fn kinds() -> [(Seeds, Reader); 6] {
    [
        (seeds("fuzz/corpus/safetensors"), flat),
        (seeds("fuzz/corpus/pytorch"), pickle),
        (seeds("fuzz/corpus/legacy"), legacy),
        (seeds("tests/fixtures"), any),
        (seeds("fuzz/corpus/index"), index),
        (seeds("fuzz/corpus/names"), names),
    ]
}

#[test]
fn files_as_they_are_cut_off_or_changed_at_any_byte() {
    for (seeds, reader) in kinds() {
        assert!(!seeds.is_empty());
        for (name, seed) in seeds {
            // Printed if one of them fails.
            println!("{name}");
            reader(&seed);
            for place in 0..seed.len() {
                reader(&seed[..place]);
                let mut changed = seed.clone();
                for change in [0xff, 0x80, 0x01] {
                    changed[place] = seed[place] ^ change;
                    reader(&changed);
                }
            }
        }
    }
}

#[test]
fn files_that_are_changed_at_random() {
    let from = |variable: &str| std::env::var(variable).ok().and_then(|value| value.parse::<u64>().ok());
    let count = from("ALLUVIUM_MUTATIONS").unwrap_or(2000);
    let mut random = SmallRng::seed_from_u64(from("ALLUVIUM_MUTATION_SEED").unwrap_or(0));
    for (seeds, reader) in kinds() {
        for _ in 0..count {
            let (name, mut bytes) = seeds[random.random_range(0..seeds.len())].clone();
            for _ in 0..random.random_range(1..6) {
                change(&mut bytes, &seeds, &mut random);
            }
            println!("{name}, changed to {} bytes", bytes.len());
            reader(&bytes);
        }
    }
}

/// One change: a byte, a number, bytes taken out, put in, repeated, or from another file.
fn change(bytes: &mut Vec<u8>, seeds: &[(String, Vec<u8>)], random: &mut SmallRng) {
    if bytes.is_empty() {
        bytes.push(random.random());
        return;
    }
    let from = random.random_range(0..bytes.len());
    let to = random.random_range(from..bytes.len().min(from + 40)) + 1;
    match random.random_range(0..7) {
        0 => bytes[from] = random.random(),
        1 => bytes[from] ^= 1 << random.random_range(0..8),
        2 => drop(bytes.drain(from..to)),
        3 => drop(bytes.splice(from..from, (0..random.random_range(1..9)).map(|_| random.random::<u8>()))),
        4 => drop(bytes.splice(from..from, bytes[from..to].to_vec())),
        5 => {
            let large: [u64; 6] = [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 60, u64::MAX];
            let number = large[random.random_range(0..large.len())].to_le_bytes();
            let end = bytes.len().min(from + [1, 4, 8][random.random_range(0..3)]);
            bytes[from..end].copy_from_slice(&number[..end - from]);
        }
        _ => {
            let (_, other) = &seeds[random.random_range(0..seeds.len())];
            let start = random.random_range(0..other.len().max(1));
            let end = other.len().min(start + random.random_range(1..60));
            drop(bytes.splice(from..to, other[start..end].to_vec()));
        }
    }
}

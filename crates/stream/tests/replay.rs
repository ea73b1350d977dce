//! Replays the corpora of IDX files and pictures: whole, cut off and changed. Nothing may panic, and every result must
//! have the stated shape.

#[path = "../fuzz/replay.rs"]
mod replay;

use alluvium_stream::idx;

#[test]
fn idx_files_that_are_cut_off_or_changed() {
    let seeds = replay::seeds("idx");
    assert!(seeds.iter().all(|seed| idx::parse(seed).is_ok_and(|read| read.shape == [2, 3])));
    replay::each(&seeds, |bytes| {
        if let Ok(read) = idx::parse(bytes) {
            assert_eq!(read.shape.iter().product::<usize>(), read.values.len());
        }
    });
}

#[cfg(feature = "picture")]
#[test]
fn pictures_that_are_cut_off_or_changed() {
    use alluvium_stream::picture::{Orientation, decode, fit};

    let seeds = replay::seeds("picture");
    assert!(
        seeds.iter().all(|seed| decode(seed, Orientation::Apply).is_ok_and(|picture| picture.dimensions() == (5, 4)))
    );
    replay::each(&seeds, |bytes| {
        let Ok(picture) = decode(bytes, Orientation::Apply) else { return };
        for input in [[3, 8, 8], [1, 2, 5]] {
            assert_eq!(fit(&picture, input.into()).len(), input.iter().product::<usize>());
        }
    });
}

//! Reading FLAC files: the same as their WAV, and what is wrong with others.

use std::fs;
use std::path::Path;

use alluvium_sound::{read_bytes, read_file};

use crate::{fixture, refusal};

#[test]
fn flac_holds_exactly_what_its_wav_holds() {
    for (name, rate, samples) in [("stereo-16", 16_000, 1600), ("mono-24", 8000, 800)] {
        let wav = read_file(&fixture(&format!("{name}.wav")), 1.0).unwrap();
        let flac = read_file(&fixture(&format!("{name}.flac")), 1.0).unwrap();
        assert_eq!((flac.rate, flac.samples.len()), (rate, samples), "{name}");
        assert!(flac.samples.iter().any(|sample| sample.abs() > 0.1), "{name}");
        assert_eq!(flac, wav, "{name}");
        // 0.05 s end within a frame.
        let start = read_file(&fixture(&format!("{name}.flac")), 0.05).unwrap();
        assert_eq!(start.samples, wav.samples[..samples / 2], "{name}");
    }
}

#[test]
fn a_file_cut_short_is_refused_if_a_wanted_part_is_missing() {
    let whole = fs::read(fixture("stereo-16.flac")).unwrap();
    let cut = &whole[..whole.len() / 2];
    let error = refusal(cut, 1.0);
    assert!(error.contains("is cut short: its header promises 1600 samples (0.100 s), but it holds "), "{error}");
    // A frame of 256 samples is there.
    assert_eq!(read_bytes(cut, Path::new("sound"), 0.016).unwrap().samples.len(), 256);
    for length in 0..whole.len() {
        let error = refusal(&whole[..length], 1.0);
        let expected = ["is cut short", "is empty", "starts with \"f"];
        assert!(expected.iter().any(|part| error.contains(part)), "cut at {length}: {error}");
    }
}

#[test]
fn a_damaged_file_is_refused_and_nothing_panics() {
    let whole = fs::read(fixture("mono-24.flac")).unwrap();
    let sound = read_bytes(&whole, Path::new("sound"), 1.0).unwrap();
    let first_frame = whole.windows(2).position(|pair| pair == [0xff, 0xf8]).unwrap();
    for index in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[index] ^= change;
            let read = read_bytes(&changed, Path::new("sound"), 1.0);
            // Every frame has a check sum, so a change either goes unnoticed because it changes nothing, or is refused.
            if index >= first_frame {
                assert!(read.is_err() || read.unwrap() == sound, "byte {index}, change {change:#x}");
            }
        }
    }
}

#[test]
fn a_header_without_sound_is_refused() {
    let error = refusal(b"fLaC\x84\0\0\x04abcd", 1.0);
    assert!(error.contains("starts with a block of type 4 and 4 bytes; accepted: stream information"), "{error}");
    // The rate has 20 bits from byte 18 on.
    let mut silent = fs::read(fixture("mono-24.flac")).unwrap();
    silent[18..20].fill(0);
    silent[20] &= 0x0f;
    assert!(refusal(&silent, 1.0).contains("claims a rate of 0 Hz"));
    // Then 3 bits of channels and 5 of the width, both less one: 2 channels of 32 bits.
    let mut wide = fs::read(fixture("stereo-16.flac")).unwrap();
    wide[20] |= 0x01;
    wide[21] |= 0xf0;
    assert!(refusal(&wide, 1.0).contains("has 2 channels of 32 bits; accepted: 1 channel of 32 bits, or fewer bits"));
}

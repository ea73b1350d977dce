//! Reading WAV files: every width of a sample, and what is wrong with others.

use std::fs;
use std::path::Path;

use alluvium_sound::{Recording, read_bytes, read_file};

use crate::refusal;
use crate::written::{integers, wav};

fn samples(file: &[u8]) -> Vec<f32> {
    read_bytes(file, Path::new("sound"), 10.0).unwrap().samples
}

#[test]
fn integers_of_every_width_are_divided_by_their_largest_magnitude() {
    // 8 bits: (0 - 128) / 128, (128 - 128) / 128, (192 - 128) / 128, (255 - 128) / 128.
    assert_eq!(samples(&integers(1, 8000, 8, &[0, 128, 192, 255])), [-1.0, 0.0, 0.5, 0.9921875]);
    // 16 bits, little-endian: -32768, 1 and 16384 of 32768.
    assert_eq!(samples(&integers(1, 8000, 16, &[0, 0x80, 1, 0, 0, 0x40])), [-1.0, 1.0 / 32_768.0, 0.5]);
    // 24 bits: -8388608, 1 and -1 of 8388608.
    let packed = [0, 0, 0x80, 1, 0, 0, 0xff, 0xff, 0xff];
    assert_eq!(samples(&integers(1, 8000, 24, &packed)), [-1.0, 1.0 / 8_388_608.0, -1.0 / 8_388_608.0]);
    // 32 bits: -2147483648 and 536870912 of 2147483648.
    assert_eq!(samples(&integers(1, 8000, 32, &[0, 0, 0, 0x80, 0, 0, 0, 0x20])), [-1.0, 0.25]);
}

#[test]
fn floating_point_numbers_are_read_as_they_are() {
    let single = [0.3f32, -1.5].map(f32::to_le_bytes).concat();
    assert_eq!(samples(&wav(3, 1, 8000, 32, 8, &single)), [0.3, -1.5]);
}

#[test]
fn channels_become_their_mean() {
    // 0.5 and -0.25 have the mean 0.125; 0.25 and 0.75 have 0.5.
    let stereo = [16_384i16, -8192, 8192, 24_576].map(i16::to_le_bytes).concat();
    assert_eq!(samples(&integers(2, 8000, 16, &stereo)), [0.125, 0.5]);
    // 40 channels, more than there are loudspeakers with names: 39 of 0 and one of 1 have the mean 1/40.
    let mut many = vec![0.0f32; 40];
    many[17] = 1.0;
    let many: Vec<_> = many.into_iter().flat_map(f32::to_le_bytes).collect();
    assert_eq!(samples(&wav(3, 40, 8000, 32, 160, &many)), [0.025]);
}

#[test]
fn other_chunks_are_skipped_and_extensible_formats_read() {
    // `fmt ` of 40 bytes: the tag 0xfffe, the actual one in front of the identifier, 24 bits in 3 bytes.
    let plain = integers(1, 8000, 24, &[0, 0, 0x40]);
    let mut file = plain[..12].to_vec();
    file.extend(b"LIST\x03\0\0\0abc\0fmt \x28\0\0\0\xfe\xff");
    file.extend(&plain[22..36]);
    file.extend(b"\x16\0\x18\0\x04\0\0\0\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    file.extend(&plain[36..]);
    assert_eq!(samples(&file), [0.5]);
    // A size that the writer did not know: everything that follows counts, but for a part of a sample.
    assert_eq!(samples(&wav(1, 1, 8000, 8, u32::MAX, &[192, 64])), [0.5, -0.5]);
    assert_eq!(samples(&wav(1, 2, 8000, 16, u32::MAX, &[0, 0x40, 0, 0x40, 0])), [0.5]);
}

#[test]
fn headers_of_careless_writers_are_read() {
    // `fmt ` of 18 bytes with 32 bits, a wrong number of bytes per second, and a `fact` chunk of 5 bytes.
    let plain = integers(1, 8000, 32, &[0, 0, 0, 0x40]);
    let mut file = plain[..16].to_vec();
    file.extend(b"\x12\0\0\0");
    file.extend(&plain[20..28]);
    file.extend(b"\x01\0\0\0");
    file.extend(&plain[32..36]);
    file.extend(b"\0\0fact\x05\0\0\0\x01\0\0\0\0\0");
    file.extend(&plain[36..]);
    assert_eq!(samples(&file), [0.5]);
    // An extensible format that uses the upper 24 bits of 32.
    let mut file = plain[..16].to_vec();
    file.extend(b"\x28\0\0\0\xfe\xff");
    file.extend(&plain[22..36]);
    file.extend(b"\x16\0\x18\0\x04\0\0\0\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    file.extend(&plain[36..]);
    assert_eq!(samples(&file), [0.5]);
}

#[test]
fn no_more_than_the_first_seconds_are_read() {
    // 0.25 s at 8 Hz would be 2 samples, but rates start at 100 Hz: 0.03 s are 3.
    let file = integers(1, 100, 8, &[128, 192, 255, 0, 0]);
    let read = read_bytes(&file, Path::new("sound"), 0.03).unwrap();
    assert_eq!(read, Recording { rate: 100, samples: vec![0.0, 0.5, 0.9921875] });
    // 1.6 samples are rounded to 2, and at least one is read.
    assert_eq!(read_bytes(&file, Path::new("sound"), 0.016).unwrap().samples.len(), 2);
    assert_eq!(read_bytes(&file, Path::new("sound"), 0.001).unwrap().samples.len(), 1);
    assert_eq!(read_bytes(&file, Path::new("sound"), f64::INFINITY).unwrap().samples.len(), 5);
    for seconds in [0.0, -1.0, f64::NAN] {
        let error = read_bytes(&file, Path::new("sound"), seconds).unwrap_err().to_string();
        assert!(error.starts_with("`most_seconds` is ") && error.contains("above 0"), "{error}");
    }
}

#[test]
fn a_file_cut_short_is_refused_if_a_wanted_part_is_missing() {
    // 8000 samples are promised, 3000 are there.
    let file = wav(1, 1, 8000, 8, 8000, &[128; 3000]);
    let error = refusal(&file, 1.0);
    assert!(error.contains("its header promises 8000 samples (1.000 s), but it holds 3000 (0.375 s)"), "{error}");
    assert_eq!(read_bytes(&file, Path::new("sound"), 0.375).unwrap().samples.len(), 3000);
    assert!(read_bytes(&file, Path::new("sound"), 0.3752).is_err());
    // Half a sample counts as none.
    let error = refusal(&wav(1, 2, 8000, 16, 8, &[0; 7]), 1.0);
    assert!(error.contains("promises 2 samples (0.000 s), but it holds 1 "), "{error}");
    // Cut within or before the samples, and within the header.
    let whole = integers(1, 8000, 8, &[128; 9]);
    for length in 1..whole.len() {
        refusal(&whole[..length], 1.0);
    }
}

#[test]
fn a_file_without_sound_is_refused() {
    assert!(refusal(&[], 1.0).contains("is empty"));
    assert!(refusal(b"Hello\n", 1.0).contains("starts with \"Hell\"; accepted: WAV"));
    assert!(refusal(b"RIFF\x04\0\0\0AVI ", 1.0).contains("of the form \"AVI \""));
    assert!(refusal(b"RIFF\x04\0\0\0WAVE", 1.0).contains("ends before its `fmt ` chunk"));
    assert!(refusal(&integers(1, 8000, 16, &[])[..36], 1.0).contains("ends before its `data` chunk"));
    assert!(refusal(&integers(1, 8000, 16, &[]), 1.0).contains("holds no samples"));
    assert!(refusal(&integers(0, 8000, 16, &[0; 4]), 1.0).contains("claims 0 channels"));
    assert!(refusal(&integers(1, 0, 16, &[0; 4]), 1.0).contains("claims a rate of 0 Hz; accepted: 100 to 768000 Hz"));
    assert!(refusal(&integers(1, u32::MAX, 16, &[0; 4]), 1.0).contains("claims a rate of 4294967295 Hz"));
}

#[test]
fn another_way_to_store_samples_is_named_with_those_that_are_accepted() {
    let cases = [
        (integers(1, 8000, 12, &[0; 4]), "1 channels of 12 bits in format 0x0001, 1 bytes"),
        (integers(1, 8000, 40, &[0; 5]), "1 channels of 40 bits in format 0x0001, 5 bytes"),
        (wav(3, 1, 8000, 16, 4, &[0; 4]), "1 channels of 16 bits in format 0x0003, 2 bytes"),
        (wav(3, 1, 8000, 64, 8, &0.3f64.to_le_bytes()), "1 channels of 64 bits in format 0x0003, 8 bytes"),
        (wav(7, 1, 8000, 8, 4, &[0; 4]), "1 channels of 8 bits in format 0x0007, 1 bytes"),
        // More bytes than the header has room for.
        (integers(65_535, 8000, 16, &[0; 4]), "65535 channels of 16 bits in format 0x0001, 65534 bytes"),
    ];
    for (file, named) in cases {
        let error = refusal(&file, 1.0);
        assert!(error.contains(named), "{error}");
        let accepted =
            "accepted: integers (format 1) of 8, 16, 24 and 32 bits, and floating-point numbers (format 3) of 32";
        assert!(error.contains(accepted), "{error}");
    }
    // 24 bits in 4 bytes: byte 32 of the file has the bytes per sample.
    let mut loose = integers(1, 8000, 24, &[0, 0, 0x40, 0]);
    loose[32] = 4;
    assert!(refusal(&loose, 1.0).contains("1 channels of 24 bits in format 0x0001, 4 bytes"));
}

#[test]
fn an_amplitude_that_is_not_finite_is_named() {
    for (bad, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let values = [0.0, 0.1, 0.2, bad].map(f32::to_le_bytes).concat();
        let error = refusal(&wav(3, 2, 8000, 32, 16, &values), 1.0);
        assert!(error.contains(&format!("sample 1 (from 0) of channel 1 (from 0) is {name}")), "{error}");
    }
}

#[test]
fn whatever_a_header_claims_nothing_panics() {
    let file = integers(2, 8000, 16, &[1; 64]);
    for index in 0..44 {
        for value in 0..=255 {
            let mut changed = file.clone();
            changed[index] = value;
            let _ = read_bytes(&changed, Path::new("sound"), 1.0);
        }
    }
}

#[test]
fn a_file_is_named_in_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bird.wav");
    assert!(read_file(&path, 1.0).unwrap_err().to_string().contains("bird.wav: "));
    fs::write(&path, "no sound").unwrap();
    assert!(read_file(&path, 1.0).unwrap_err().to_string().contains("bird.wav: starts with \"no s\""));
    fs::write(&path, integers(1, 8000, 8, &[192])).unwrap();
    assert_eq!(read_file(&path, 1.0).unwrap(), Recording { rate: 8000, samples: vec![0.5] });
    assert!(read_file(folder.path(), 1.0).unwrap_err().to_string().contains("is not a regular file"));
}

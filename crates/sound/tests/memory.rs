//! The memory of reading does not grow with the file.
//!
//! This test is a binary of its own. Its allocator would also count what other tests of the same process allocate.

use std::fs::File;
use std::io::Write;

use alluvium_sound::read_file;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A WAV file of two hours, 8 bits at 8 kHz: 57.6 MB, of which the file system stores the header.
const SAMPLES: u32 = 2 * 60 * 60 * 8000;

#[test]
fn a_second_of_two_hours_takes_the_memory_of_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    let mut file = File::create(&path).unwrap();
    let mut header = b"RIFF".to_vec();
    header.extend((36 + SAMPLES).to_le_bytes());
    // 1: integers. 1 channel, 8000 Hz, 8000 bytes per second, 1 byte per sample, 8 bits.
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data");
    header.extend(SAMPLES.to_le_bytes());
    file.write_all(&header).unwrap();
    file.set_len(u64::from(SAMPLES) + header.len() as u64).unwrap();
    drop(file);

    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let recording = read_file(&path, 1.0).unwrap();
    let peak = MEMORY.peak_usage() - before;
    // Bytes of 0 are amplitudes of -1.
    assert_eq!((recording.rate, recording.samples.len(), recording.samples[7999]), (8000, 8000, -1.0));
    // 8000 samples of 4 bytes, in a vector that grows by doubling, and the buffers.
    assert!(peak < 256 << 10, "{peak} bytes");
}

//! WAV files for tests, written byte by byte.

/// A WAV file: its header promises `promised` bytes of samples, whatever there are.
pub fn wav(tag: u16, channels: u16, rate: u32, bits: u16, promised: u32, samples: &[u8]) -> Vec<u8> {
    let frame = channels.wrapping_mul(bits / 8);
    let mut file = b"RIFF".to_vec();
    file.extend(36u32.wrapping_add(promised).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0");
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(u32::from(frame)).to_le_bytes());
    file.extend(frame.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(promised.to_le_bytes());
    file.extend(samples);
    file
}

/// A whole WAV file of integers.
pub fn integers(channels: u16, rate: u32, bits: u16, samples: &[u8]) -> Vec<u8> {
    wav(1, channels, rate, bits, samples.len() as u32, samples)
}

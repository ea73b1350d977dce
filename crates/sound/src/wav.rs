//! The WAV format, uncompressed, decoded by hound.
//!
//! A file is `RIFF SIZE WAVE`, then chunks: four letters, a little-endian 32-bit size, that many bytes, and a zero byte
//! if the size is odd. `fmt ` says how samples are stored, `data` holds them, channels interleaved (Microsoft and IBM,
//! "Multimedia Programming Interface and Data Specifications 1.0", 1991, chapter 3; extensible formats: Microsoft,
//! "Multiple Channel Audio Data and WAVE Files", 2007).
//!
//! The chunks are found here, and only these two are handed on, because hound 3.5 loses its way at a chunk of odd size,
//! refuses data of unknown size, and misreads extensible formats that use fewer bits than they store.

use std::io::{Cursor, Read, SeekFrom};

use hound::{Sample, SampleFormat, WavReader};

use crate::Recording;
use crate::mixdown::Mixdown;
use crate::source::{Source, fill};

/// The size that programs write that do not know it yet: all that follows is samples.
const UNKNOWN_SIZE: u32 = u32::MAX;

/// The bytes of a plain `fmt ` chunk. Longer ones begin with the same fields.
const FORMAT: usize = 16;

/// The bytes of an extensible `fmt ` chunk.
const EXTENSIBLE: usize = 40;

/// Reads a WAV file from behind its first four bytes.
pub(crate) fn read(mut source: impl Source, most_seconds: f64) -> Result<Recording, String> {
    let mut form = [0; 8];
    exactly(&mut source, &mut form)?;
    if &form[4..] != b"WAVE" {
        let form = form[4..].escape_ascii();
        return Err(format!("is a RIFF file of the form \"{form}\"; accepted: \"WAVE\""));
    }
    let mut format = None;
    loop {
        let mut head = [0; 8];
        if fill(&mut source, &mut head).map_err(readable)? < head.len() {
            let missing = if format.is_some() { "data" } else { "fmt " };
            return Err(format!("ends before its `{missing}` chunk; get the file again, or leave it out"));
        }
        let size = u32_at(&head, 4);
        match (&head[..4], format) {
            (b"fmt ", _) => format = Some(read_format(&mut source, size)?),
            (b"data", Some(format)) => return decode(source, format, size, most_seconds),
            (b"data", None) => return Err("has no `fmt ` chunk before its samples; get the file again".to_owned()),
            _ => skip(&mut source, u64::from(size) + u64::from(size % 2))?,
        }
    }
}

/// Reads a `fmt ` chunk of any kind, as a plain one.
fn read_format(source: &mut impl Source, size: u32) -> Result<[u8; FORMAT], String> {
    let mut content = [0; EXTENSIBLE];
    let held = (size as usize).min(EXTENSIBLE);
    if held < FORMAT {
        return Err(format!("has a `fmt ` chunk of {size} bytes; accepted: at least {FORMAT}"));
    }
    exactly(source, &mut content[..held])?;
    skip(source, u64::from(size) + u64::from(size % 2) - held as u64)?;
    if u16_at(&content, 0) == 0xfffe && held == EXTENSIBLE {
        // The actual format is the beginning of a longer identifier.
        content.copy_within(24..26, 0);
    }
    Ok(*content.first_chunk().expect("it is shorter"))
}

/// Decodes the samples of a `data` chunk until the mixdown is full or the source ends.
fn decode(
    mut source: impl Source,
    mut format: [u8; FORMAT],
    size: u32,
    most_seconds: f64,
) -> Result<Recording, String> {
    let [tag, channels, frame, bits] = [0, 2, 12, 14].map(|index| u16_at(&format, index));
    let rate = u32_at(&format, 4);
    let refuse = |reason: &str| {
        format!(
            "has {channels} channels of {bits} bits in format {tag:#06x}, {frame} bytes per sample, which cannot be read \
             ({reason}); accepted: integers (format 1) of 8, 16, 24 and 32 bits, and floating-point numbers (format 3) \
             of 32 bits; convert it to FLAC or to 16-bit WAV"
        )
    };
    let failed = |error| match error {
        hound::Error::IoError(error) => readable(error),
        hound::Error::FormatError(reason) => refuse(reason),
        _ => refuse("it is compressed, or its numbers are of an unusual size"),
    };
    let mut mixdown = Mixdown::new(rate, usize::from(channels), most_seconds)?;
    // hound would take numbers of 24 bits in 4 bytes from the lower 3.
    if frame == 0 || u32::from(frame) != u32::from(channels) * u32::from(bits / 8) {
        return Err(failed(hound::Error::Unsupported));
    }
    // The bytes per second, which follow from the rest, are wrong in some files, and hound would refuse those.
    format[8..12].copy_from_slice(&rate.saturating_mul(frame.into()).to_le_bytes());

    // hound takes the end of a file for a failure, so it is told how much there is.
    let start = source.stream_position().map_err(readable)?;
    let end = source.seek(SeekFrom::End(0)).map_err(readable)?;
    source.seek(SeekFrom::Start(start)).map_err(readable)?;
    let held = end.saturating_sub(start).min(size.into()) as u32 / u32::from(frame) * u32::from(frame);
    let promised = (size != UNKNOWN_SIZE).then(|| u64::from(size) / u64::from(frame));

    let head = [&b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"[..], &format, b"data", &held.to_le_bytes()].concat();
    let reader = WavReader::new(Cursor::new(head).chain(source)).map_err(failed)?;
    match reader.spec().sample_format {
        // Integers are divided by the largest magnitude that they can have.
        SampleFormat::Int => mix::<i32>(reader, f64::from(bits - 1).exp2(), &mut mixdown, failed)?,
        SampleFormat::Float => mix::<f32>(reader, 1.0, &mut mixdown, failed)?,
    }
    Ok(Recording { rate, samples: mixdown.finish(promised)? })
}

/// Adds samples, whose amplitudes are divided by `full_scale`, until the mixdown is full or there are no more.
fn mix<S: Sample + Into<f64>>(
    mut reader: WavReader<impl Read>,
    full_scale: f64,
    mixdown: &mut Mixdown,
    failed: impl Fn(hound::Error) -> String,
) -> Result<(), String> {
    let channels = usize::from(reader.spec().channels);
    let mut stored = reader.samples::<S>();
    let mut amplitudes = Vec::with_capacity(channels);
    while stored.len() > 0 && !mixdown.is_full() {
        amplitudes.clear();
        for amplitude in stored.by_ref().take(channels) {
            amplitudes.push(amplitude.map_err(&failed)?.into() / full_scale);
        }
        mixdown.push(amplitudes.iter().copied())?;
    }
    Ok(())
}

fn exactly(source: &mut impl Read, buffer: &mut [u8]) -> Result<(), String> {
    if fill(source, buffer).map_err(readable)? < buffer.len() {
        Err("is cut short within its header; get the file again, or leave it out".to_owned())
    } else {
        Ok(())
    }
}

fn skip(source: &mut impl Source, bytes: u64) -> Result<(), String> {
    source.seek(SeekFrom::Current(bytes as i64)).map_err(readable).map(drop)
}

fn readable(error: std::io::Error) -> String {
    format!("cannot be read ({error})")
}

fn u16_at(bytes: &[u8], index: usize) -> u16 {
    u16::from_le_bytes([bytes[index], bytes[index + 1]])
}

fn u32_at(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes([bytes[index], bytes[index + 1], bytes[index + 2], bytes[index + 3]])
}

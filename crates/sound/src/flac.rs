//! The FLAC format (RFC 9639), decoded by symphonia.
//!
//! A file is `fLaC`, metadata blocks, and frames of samples. The metadata are read here: only the first block, the
//! stream information, says anything about samples, and only it is handed on. So pictures and tables of a file need no
//! memory.

use std::io::{Cursor, ErrorKind, Read, SeekFrom};
use std::panic::{self, AssertUnwindSafe};

use symphonia::core::audio::{Audio, AudioBuffer, GenericAudioBufferRef};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, ReadOnlySource};
use symphonia::default::codecs::FlacDecoder;
use symphonia::default::formats::FlacReader;

use crate::Recording;
use crate::mixdown::Mixdown;
use crate::source::{Source, fill};

/// The bytes of the stream information (RFC 9639, section 8.2).
const INFORMATION: usize = 34;

/// What the stream information says.
#[derive(Debug)]
struct StreamInformation {
    bytes: [u8; INFORMATION],
    rate: u32,
    channels: usize,
    /// The bits of an amplitude.
    bits: u8,
    /// The number of samples; absent if the encoder did not know it.
    samples: Option<u64>,
}

/// Reads a FLAC file from behind its first four bytes.
pub(crate) fn read(mut source: impl Source, most_seconds: f64) -> Result<Recording, String> {
    let information = read_metadata(&mut source)?;
    let mut mixdown = Mixdown::new(information.rate, information.channels, most_seconds)?;
    // The difference of two such channels has 33 bits, which symphonia 0.6 reads wrongly.
    if (information.bits, information.channels) == (32, 2) {
        return Err(
            "has 2 channels of 32 bits; accepted: 1 channel of 32 bits, or fewer bits; convert it to WAV".to_owned()
        );
    }
    // symphonia's decoder computes with checked arithmetic in builds that check it, so a file made for it can panic.
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| decode(source, &information, &mut mixdown)));
    decoded.unwrap_or_else(|_| Err("is damaged: the decoder gave up; get the file again".to_owned()))?;
    Ok(Recording { rate: information.rate, samples: mixdown.finish(information.samples)? })
}

/// Reads the metadata and leaves the source at the first frame.
fn read_metadata(source: &mut impl Source) -> Result<StreamInformation, String> {
    let (mut is_last, kind, size) = block_head(source)?;
    if (kind, size) != (0, INFORMATION as u32) {
        return Err(format!(
            "starts with a block of type {kind} and {size} bytes; accepted: stream information, of type 0 and {INFORMATION} \
             bytes"
        ));
    }
    let mut bytes = [0; INFORMATION];
    exactly(source, &mut bytes)?;
    while !is_last {
        let size;
        (is_last, _, size) = block_head(source)?;
        source.seek(SeekFrom::Current(i64::from(size))).map_err(|error| format!("cannot be read ({error})"))?;
    }
    Ok(parse(bytes))
}

/// The head of a metadata block: whether it is the last one, its type, and its size in bytes.
fn block_head(source: &mut impl Source) -> Result<(bool, u8, u32), String> {
    let mut head = [0; 4];
    exactly(source, &mut head)?;
    Ok((head[0] & 0x80 != 0, head[0] & 0x7f, u32::from_be_bytes([0, head[1], head[2], head[3]])))
}

/// The fields of the stream information: 20 bits of rate, 3 of channels, 5 of bits and 36 of samples, from byte 10 on.
fn parse(bytes: [u8; INFORMATION]) -> StreamInformation {
    let packed = bytes[10..18].iter().fold(0, |packed, byte| packed << 8 | u64::from(*byte));
    let samples = packed & ((1 << 36) - 1);
    StreamInformation {
        bytes,
        rate: (packed >> 44) as u32,
        channels: (packed >> 41 & 7) as usize + 1,
        bits: (packed >> 36 & 31) as u8 + 1,
        samples: (samples > 0).then_some(samples),
    }
}

/// Decodes frames until the mixdown is full or the source ends.
fn decode(source: impl Source, information: &StreamInformation, mixdown: &mut Mixdown) -> Result<(), String> {
    // A file with the stream information as its only metadata: bit 7 of the head says that no more follow.
    let head = [&b"fLaC"[..], &[0x80, 0, 0, INFORMATION as u8], &information.bytes].concat();
    let source = ReadOnlySource::new(Cursor::new(head).chain(source));
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let mut reader = match FlacReader::try_new(stream, FormatOptions::default()) {
        Ok(reader) => reader,
        Err(error) => return ended(error, 0),
    };
    let parameters = reader.tracks().first().and_then(|track| track.codec_params.as_ref()?.audio().cloned());
    let parameters = parameters.ok_or("has no sound")?;
    let mut decoder = FlacDecoder::try_new(&parameters, &AudioDecoderOptions::default()).map_err(|e| damaged(e, 0))?;
    while !mixdown.is_full() {
        let done = mixdown.samples.len();
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(()),
            Err(error) => return ended(error, done),
        };
        // symphonia leaves out frames whose check sum is wrong, and goes on behind them.
        if packet.pts.get() != done as i64 {
            let next = packet.pts.get();
            return Err(format!("is damaged: sample {next} follows {done} samples; get the file again"));
        }
        let GenericAudioBufferRef::S32(decoded) = decoder.decode(&packet).map_err(|error| damaged(error, done))? else {
            return Err("is damaged: its samples are not integers".to_owned());
        };
        push(decoded, mixdown)?;
    }
    Ok(())
}

/// Adds the samples of a frame, which symphonia scales to 32 bits.
fn push(decoded: &AudioBuffer<i32>, mixdown: &mut Mixdown) -> Result<(), String> {
    let channels: Vec<_> = decoded.iter_planes().collect();
    for sample in 0..decoded.frames().min(mixdown.wanted()) {
        mixdown.push(channels.iter().map(|channel| f64::from(channel[sample]) / 2_147_483_648.0))?;
    }
    Ok(())
}

/// An error after `done` samples. The end of the file is none: whether it came too early is seen from the samples.
fn ended(error: Error, done: usize) -> Result<(), String> {
    match error {
        Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
        other => Err(damaged(other, done)),
    }
}

fn damaged(error: Error, done: usize) -> String {
    match error {
        Error::IoError(error) => format!("cannot be read after {done} samples ({error})"),
        other => format!("cannot be decoded after {done} samples ({other}); get the file again"),
    }
}

fn exactly(source: &mut impl Read, buffer: &mut [u8]) -> Result<(), String> {
    match fill(source, buffer) {
        Ok(held) if held == buffer.len() => Ok(()),
        Ok(_) => Err("is cut short within its header; get the file again, or leave it out".to_owned()),
        Err(error) => Err(format!("cannot be read ({error})")),
    }
}

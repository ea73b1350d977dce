//! Reading sound of a file or of bytes: WAV or FLAC, told apart by their first bytes.

use std::fs::{self, File};
use std::io::{self, BufReader, Cursor};
use std::path::Path;

use crate::source::{Source, fill};
use crate::{Recording, SoundError, flac, wav};

/// Reads the first `most_seconds` of a WAV or FLAC file, mixed to mono: the mean of its channels.
///
/// The name of the file does not matter. WAV may hold integers of 8, 16, 24 or 32 bits, or floating-point numbers of 32;
/// FLAC 4 to 32 bits (31 in two channels). The rate is one of [`RATES`](crate::RATES). The file is streamed:
/// memory depends on `most_seconds`, not on the length of the file. `f64::INFINITY` reads all of it. Damage behind the
/// part that is read goes unnoticed.
///
/// # Errors
/// [`SoundError::File`], which names the file, when it is not a regular file, cannot be read, is neither WAV nor FLAC,
/// is compressed in another way, holds no samples, is damaged, holds an amplitude that is not finite, or is cut short:
/// it has fewer samples within `most_seconds` than its header promises. [`SoundError::Option`] when `most_seconds` is
/// not above 0.
pub fn read_file(path: &Path, most_seconds: f64) -> Result<Recording, SoundError> {
    check(most_seconds)?;
    // Opening a named pipe may block forever, so anything but a regular file is refused before.
    let opened = fs::metadata(path).and_then(|metadata| {
        if metadata.is_file() { File::open(path) } else { Err(io::Error::other("is not a regular file")) }
    });
    let file = opened.map_err(|error| SoundError::file(path, error.to_string()))?;
    read(BufReader::new(file), most_seconds).map_err(|cause| SoundError::file(path, cause))
}

/// As [`read_file`], of the bytes of a file, which messages call `name`.
///
/// # Errors
/// As [`read_file`].
pub fn read_bytes(
    bytes: impl AsRef<[u8]> + Send + Sync,
    name: &Path,
    most_seconds: f64,
) -> Result<Recording, SoundError> {
    check(most_seconds)?;
    read(Cursor::new(bytes), most_seconds).map_err(|cause| SoundError::file(name, cause))
}

fn check(most_seconds: f64) -> Result<(), SoundError> {
    if most_seconds > 0.0 {
        Ok(())
    } else {
        Err(SoundError::option("most_seconds", format!("is {most_seconds}"), "a number of seconds above 0"))
    }
}

fn read(mut source: impl Source, most_seconds: f64) -> Result<Recording, String> {
    let mut start = [0; 4];
    let length = fill(&mut source, &mut start).map_err(|error| error.to_string())?;
    match &start[..length] {
        b"RIFF" => wav::read(source, most_seconds),
        b"fLaC" => flac::read(source, most_seconds),
        [] => Err("is empty; accepted: a WAV or FLAC file".to_owned()),
        other => Err(format!(
            "starts with \"{}\"; accepted: WAV, which starts with \"RIFF\", and FLAC, which starts with \"fLaC\"",
            other.escape_ascii()
        )),
    }
}

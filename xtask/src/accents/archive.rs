//! The archive of the words.

use std::io::{Cursor, Write};

use anyhow::Result;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::speech;
use super::voices::{ACCENTS, Voice, WORDS};

/// Every word in every accent and voice: `ACCENT/VOICE/WORD.flac`, in this order, stored as they are.
pub fn of_words(voices: &[Voice]) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    // The same time for all files, so that the archive depends on the sounds alone.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let options = options.last_modified_time(DateTime::default());
    for accent in ACCENTS {
        println!("{accent}");
        for voice in voices {
            for word in WORDS {
                zip.start_file(format!("{accent}/{}/{word}.flac", voice.voice), options)?;
                zip.write_all(&speech::of_word(word, accent, voice)?)?;
            }
        }
    }
    Ok(zip.finish()?.into_inner())
}

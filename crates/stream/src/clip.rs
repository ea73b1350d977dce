//! Sounds for people to listen to.

/// A sound as a file that browsers play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundClip {
    /// Its media type, such as `audio/flac`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

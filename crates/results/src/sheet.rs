//! Samples for a picture, and their sounds.

/// Some samples for one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSheet {
    /// The title of the picture.
    pub title: String,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Each sample as `[channels, height, width]`, the last index fastest.
    pub samples: Vec<Vec<u8>>,
    /// The sounds of the samples, in their order; empty if samples are not sounds.
    pub sounds: Vec<SampleSound>,
}

/// A sound to listen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSound {
    /// What is heard.
    pub title: String,
    /// The media type of the file, such as `audio/flac`.
    pub media_type: String,
    /// The file.
    pub bytes: Vec<u8>,
}

//! Samples for a picture.

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
}

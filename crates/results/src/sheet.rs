//! Samples to look at.

/// Some samples of one kind, for a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSheet {
    /// What they are.
    pub title: String,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Each sample `[channels, height, width]`, last fastest.
    pub samples: Vec<Vec<u8>>,
}

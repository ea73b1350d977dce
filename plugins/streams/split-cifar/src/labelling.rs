//! What the readers of both versions must know of a data set: which label is the class, and what a file says of itself.

/// Which of an image's labels is its class, in either version.
#[derive(Debug, Clone, Copy)]
pub struct Labelling {
    /// How many classes there are.
    pub classes: usize,
    /// How many bytes of labels a record of the binary version begins with.
    pub label_bytes: usize,
    /// Which of them is the class, from 0.
    pub label_byte: usize,
    /// The key of the labels in the Python version.
    pub labels_key: &'static str,
    /// The key of the classes' names in the Python version.
    pub names_key: &'static str,
}

/// What the Python version states of a file besides its images.
#[derive(Debug)]
pub struct Batch {
    /// What the file is called within: `training batch 1 of 5`.
    pub label: String,
    /// How many images the file of the names states for it.
    pub images: Option<usize>,
}

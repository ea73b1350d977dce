//! What the readers of both versions need to know about a data set: the label that is the class, and the data that a
//! file states about itself.

/// The label that is an image's class, in both versions.
#[derive(Debug, Clone, Copy)]
pub struct Labelling {
    /// The number of classes.
    pub classes: usize,
    /// The number of label bytes at the beginning of a record of the binary version.
    pub label_bytes: usize,
    /// The index of the byte that is the class.
    pub label_byte: usize,
    /// The key of the labels in the Python version.
    pub labels_key: &'static str,
    /// The key of the classes' names in the Python version.
    pub names_key: &'static str,
}

/// What the Python version states about a file besides its images.
#[derive(Debug)]
pub struct Batch {
    /// The name within the file: `training batch 1 of 5`.
    pub label: String,
    /// The number of images that the file of the names states.
    pub images: Option<usize>,
}

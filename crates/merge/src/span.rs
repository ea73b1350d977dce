//! Where values are in a model's tensor.

/// Values that follow one another in a model's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The place of the first one in the part.
    pub at: usize,
    /// The place of the first one in the model's tensor.
    pub start: usize,
    /// How many there are.
    pub values: usize,
}

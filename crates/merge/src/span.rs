//! Spans of consecutive values in a model's tensor.

/// Consecutive values in a model's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The index of the first value in the part.
    pub at: usize,
    /// The index of the first value in the model's tensor.
    pub start: usize,
    /// How many there are.
    pub values: usize,
}

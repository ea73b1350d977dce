//! How one parameter of a module learns.

/// How a parameter learns.
#[derive(Debug, Clone, PartialEq)]
pub enum Share {
    /// It stays as it is.
    Stays,
    /// It learns.
    Whole,
    /// It stays, and an update of low rank is added: scale · left · right.
    LowRank {
        /// The left factor, `[first dimension, rank]`, row by row.
        left: Vec<f32>,
        /// The right factor, `[rank, product of the other dimensions]`, row by row.
        right: Vec<f32>,
        /// The factor on their product.
        scale: f64,
    },
}

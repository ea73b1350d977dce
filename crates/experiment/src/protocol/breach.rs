//! The error of a run that would break the protocol. It names the clause.

use thiserror::Error;

/// A step that would break the protocol. The cell is stopped before it happens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the protocol \"{protocol}\" permits {permitted}, but {wanted}; accepted: a protocol that permits it, or a run that \
     keeps to this one"
)]
pub struct Breach {
    /// The protocol.
    pub protocol: &'static str,
    /// The clause.
    pub permitted: String,
    /// What would have happened.
    pub wanted: String,
}

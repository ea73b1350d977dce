//! What a run does where something would break the protocol: it stops, and says which clause.

use thiserror::Error;

/// What would break the protocol. The cell is stopped before it does.
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

//! Finding the descriptions of what is linked into the running binary.

use crate::{Description, Family};

/// A kind that no linked plugin of the family has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {family} kind \"{kind}\"; linked into this binary: {}", linked.join(", "))]
pub struct UnknownKind {
    /// The family that was searched.
    pub family: Family,
    /// The kind that was asked for.
    pub kind: String,
    /// The kinds that are linked in, sorted.
    pub linked: Vec<&'static str>,
}

/// Every description linked into the running binary, by family, then kind.
///
/// `inventory` has no order of its own, hence the sorting.
pub fn descriptions() -> Vec<&'static Description> {
    let mut all: Vec<_> = inventory::iter::<Description>.into_iter().collect();
    all.sort_by_key(|description| (description.family, description.kind));
    all
}

/// The descriptions of one family, sorted by kind.
pub fn described(family: Family) -> Vec<&'static Description> {
    descriptions().into_iter().filter(|description| description.family == family).collect()
}

/// The description of one kind.
///
/// # Errors
/// [`UnknownKind`], which lists the kinds that are linked in.
pub fn find(family: Family, kind: &str) -> Result<&'static Description, UnknownKind> {
    let all = described(family);
    all.iter().find(|description| description.kind == kind).copied().ok_or_else(|| UnknownKind {
        family,
        kind: kind.to_owned(),
        linked: all.iter().map(|description| description.kind).collect(),
    })
}

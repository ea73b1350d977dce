//! Finds the descriptions of plugins that are linked into the running binary.

use std::fmt;

use crate::added::added;
use crate::closest::did_you_mean;
use crate::{Description, Family, OmittedKind};

/// The error about a kind that no linked plugin of the family has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKind {
    /// The family that was searched.
    pub family: Family,
    /// The kind that was asked for.
    pub kind: String,
    /// The kinds that are linked in, sorted.
    pub linked: Vec<&'static str>,
    /// The cargo feature that includes the kind, if this build leaves it out.
    pub feature: Option<&'static str>,
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnknownKind { family, kind, .. } = self;
        match self.feature {
            Some(feature) => write!(
                f,
                "this build leaves out the {family} kind \"{kind}\"; build it in with `--features {feature}`, as in `cargo run \
                 --release --features {feature} -- …`"
            )?,
            None => {
                let meant = did_you_mean(kind, self.linked.iter().copied(), '"');
                write!(f, "unknown {family} kind \"{kind}\"{meant}")?;
            }
        }
        write!(f, "; linked into this binary: {}", self.linked.join(", "))
    }
}

impl std::error::Error for UnknownKind {}

/// Every description linked into the running binary or added to it, by family, then kind.
///
/// They are sorted, because `inventory` has no fixed order.
pub fn descriptions() -> Vec<&'static Description> {
    let mut all: Vec<_> = inventory::iter::<Description>.into_iter().chain(added()).collect();
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
/// [`UnknownKind`], which lists the kinds that are linked in, and names the cargo feature of a kind that this build leaves out.
pub fn find(family: Family, kind: &str) -> Result<&'static Description, UnknownKind> {
    let all = described(family);
    all.iter().find(|description| description.kind == kind).copied().ok_or_else(|| UnknownKind {
        family,
        kind: kind.to_owned(),
        linked: all.iter().map(|description| description.kind).collect(),
        feature: left_out(family, kind),
    })
}

/// The kind that a table of the family means if it names none; `None` if the kind must be named.
pub fn default_kind(family: Family) -> Option<&'static str> {
    described(family).into_iter().find(|description| description.default).map(|description| description.kind)
}

/// The cargo feature that includes a kind which this build leaves out.
fn left_out(family: Family, kind: &str) -> Option<&'static str> {
    let mut all = inventory::iter::<OmittedKind>.into_iter();
    all.find(|one| one.family == family && one.kind == kind).map(|one| one.feature)
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::left_out!(Family::Backend, "abacus", feature: "beads");

    #[test]
    fn a_kind_that_the_build_leaves_out_names_its_feature() {
        let error = find(Family::Backend, "abacus").unwrap_err().to_string();
        assert!(
            error.contains("leaves out the backend kind \"abacus\"; build it in with `--features beads`"),
            "{error}"
        );
        for (family, kind) in [(Family::Backend, "slide-rule"), (Family::Stream, "abacus")] {
            let error = find(family, kind).unwrap_err().to_string();
            assert!(error.starts_with(&format!("unknown {family} kind \"{kind}\"; linked into")), "{error}");
        }
    }
}

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

/// What the names of kinds begin with that no person writes in a configuration, such as the doubles of conformance tests and the
/// carriers of kinds of another language. They are found by their names, and never listed.
const INTERNAL: char = '_';

/// Every description linked into the running binary or added to it, by family, then kind; without those whose kinds begin with `_`,
/// which are internal.
///
/// They are sorted, because `inventory` has no fixed order.
pub fn descriptions() -> Vec<&'static Description> {
    let all = inventory::iter::<Description>.into_iter().chain(added());
    let mut all: Vec<_> = all.filter(|description| !description.kind.starts_with(INTERNAL)).collect();
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
    let mut all = inventory::iter::<Description>.into_iter().chain(added());
    all.find(|description| description.family == family && description.kind == kind).ok_or_else(|| UnknownKind {
        family,
        kind: kind.to_owned(),
        linked: described(family).iter().map(|description| description.kind).collect(),
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

    inventory::submit! {
        Description {
            family: Family::Classifier,
            kind: "_internal",
            paper: "",
            default: false,
            schema: crate::OptionsSchema::Made(|| schemars::schema_for!(u32)),
        }
    }

    #[test]
    fn internal_kinds_are_found_and_not_listed() {
        assert_eq!(find(Family::Classifier, "_internal").map(|found| found.kind), Ok("_internal"));
        assert!(descriptions().iter().all(|description| description.kind != "_internal"));
        let error = find(Family::Classifier, "_other").unwrap_err();
        assert!(!error.to_string().contains("_internal"), "{error}");
    }

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

//! What samples are to be mapped to. Targets are classes, and this file is the only place that says so.

use alluvium_model::HeadSpec;

/// The targets of samples: the class of each, as a number within the stream.
///
/// Samples carry their targets as this type. It says what a target is written as, when it fits a head, and what a loss is given.
/// Code that only passes samples on does not know what a target is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Targets(Vec<usize>);

impl Targets {
    /// The classes.
    pub(crate) fn classes(&self) -> &[usize] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, class: usize) {
        self.0.push(class);
    }

    pub(crate) fn extend(&mut self, other: &Targets) {
        self.0.extend_from_slice(&other.0);
    }

    /// Replaces each class by the one that `class` computes from its index and the old one.
    pub(crate) fn replace(&mut self, class: impl Fn(usize, usize) -> usize) {
        self.0.iter_mut().enumerate().for_each(|(index, own)| *own = class(index, *own));
    }

    /// The target at an index as bytes, for digests: 64 bits, little-endian.
    pub(crate) fn bytes(&self, index: usize) -> [u8; 8] {
        (self.0[index] as u64).to_le_bytes()
    }

    /// What a loss compares a head's logits with: the index of each class within the head.
    ///
    /// # Errors
    /// The first class that the head does not have.
    pub(crate) fn indices_within(&self, head: &HeadSpec) -> Result<Vec<i32>, usize> {
        let index = |class: &usize| head.classes.iter().position(|own| own == class).map(|at| at as i32).ok_or(*class);
        self.0.iter().map(index).collect()
    }
}

impl From<Vec<usize>> for Targets {
    fn from(classes: Vec<usize>) -> Self {
        Targets(classes)
    }
}

impl FromIterator<usize> for Targets {
    fn from_iter<I: IntoIterator<Item = usize>>(classes: I) -> Self {
        Targets(classes.into_iter().collect())
    }
}

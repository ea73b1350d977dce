//! The test sets that no task has, and what models score on them.

use alluvium_evaluate::{TestSet, accuracy_of_any_task};
use alluvium_model::{Digest, HeadSpec, Model};
use alluvium_stream::{FurtherTest, StreamError, TaskOutline, TaskStream};
use burn::tensor::Device as Compute;

/// The test sets of a stream that no task has.
pub(crate) struct FurtherTests {
    tests: Vec<(FurtherTest, Digest)>,
}

impl FurtherTests {
    pub(crate) fn of(stream: &dyn TaskStream) -> Result<Self, StreamError> {
        let digest = |test: FurtherTest| {
            let head = HeadSpec { name: String::new(), classes: vec![] };
            let outline = TaskOutline { index: 0, name: test.name.clone(), head, test: test.test.clone() };
            Ok((test, outline.digest()?))
        };
        Ok(FurtherTests { tests: stream.further_tests()?.into_iter().map(digest).collect::<Result<_, StreamError>>()? })
    }

    pub(crate) fn none() -> Self {
        FurtherTests { tests: vec![] }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|(test, _)| test.name.as_str())
    }

    /// What stages that judge models on them depend on.
    pub(crate) fn digests(&self) -> Vec<&Digest> {
        self.tests.iter().map(|(_, digest)| digest).collect()
    }

    /// The accuracy of a model on each of them.
    pub(crate) fn judge(&self, model: &Model, compute: &Compute) -> Vec<f64> {
        let judge =
            |(test, _): &(FurtherTest, Digest)| accuracy_of_any_task(model, &TestSet::of_samples(&test.test, compute));
        self.tests.iter().map(judge).collect()
    }
}

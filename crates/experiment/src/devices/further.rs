//! The test sets that no task has, and what models score on them.

use alluvium_evaluate::{TestSet, accuracy_of_any_task};
use alluvium_model::{Digest, HeadSpec, Model};
use alluvium_stream::{FurtherTest, StreamError, TaskOutline, TaskStream};
use burn::tensor::Device as Compute;

/// The test sets of a stream that no task has, on a compute device.
#[derive(Default)]
pub(crate) struct FurtherTests(Vec<Prepared>);

/// One of them.
struct Prepared {
    name: String,
    digest: Digest,
    samples: TestSet,
}

impl FurtherTests {
    pub(crate) fn of(stream: &dyn TaskStream, compute: &Compute) -> Result<Self, StreamError> {
        let prepared = |FurtherTest { name, test }: FurtherTest| {
            let head = HeadSpec { name: String::new(), classes: vec![] };
            let outline = TaskOutline { index: 0, name: name.clone(), head, test };
            Ok(Prepared { name, digest: outline.digest()?, samples: TestSet::new(&outline, compute) })
        };
        stream.further_tests()?.into_iter().map(prepared).collect::<Result<_, StreamError>>().map(FurtherTests)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|test| test.name.as_str())
    }

    /// What stages that judge models on them depend on.
    pub(crate) fn digests(&self) -> Vec<&Digest> {
        self.0.iter().map(|test| &test.digest).collect()
    }

    /// The accuracy of a model on each of them.
    pub(crate) fn judge(&self, model: &Model) -> Vec<f64> {
        self.0.iter().map(|test| accuracy_of_any_task(model, &test.samples)).collect()
    }
}

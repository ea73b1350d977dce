//! One labelled data set, before it is split over devices.

use std::sync::Arc;

use alluvium_model::InputShape;

use crate::{Images, Samples, StreamError};

/// A part of a data set whose images have no more bytes than this is read a task at a time; of a larger one, a task's images
/// are read when they are needed, a batch at a time.
const MOST_READ_AT_ONCE: usize = 256 << 20;

/// A labelled data set with its own division into training and test samples. Both parts have images of one shape.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The name of each class; labels are places in this list.
    pub class_names: Vec<String>,
    /// The training samples.
    pub train: Arc<dyn Images>,
    /// The test samples.
    pub test: Arc<dyn Images>,
}

impl DataSet {
    /// A data set of two parts.
    pub fn new(class_names: Vec<String>, train: impl Images + 'static, test: impl Images + 'static) -> Self {
        DataSet {
            class_names,
            train: on_demand(Arc::new(train), MOST_READ_AT_ONCE),
            test: on_demand(Arc::new(test), MOST_READ_AT_ONCE),
        }
    }

    /// The shape of one image.
    pub fn input(&self) -> InputShape {
        self.train.input()
    }
}

/// The same part; if its images have more bytes than this, one that gives samples which are not read yet.
fn on_demand(images: Arc<dyn Images>, most_bytes: usize) -> Arc<dyn Images> {
    match images.labels().len().saturating_mul(images.input().values()) <= most_bytes {
        true => images,
        false => Arc::new(OnDemand(images)),
    }
}

/// A part whose samples stay where they are until they are needed.
#[derive(Debug)]
struct OnDemand(Arc<dyn Images>);

impl Images for OnDemand {
    fn input(&self) -> InputShape {
        self.0.input()
    }

    fn labels(&self) -> &[usize] {
        self.0.labels()
    }

    fn read(&self, places: &[usize]) -> Result<Samples, StreamError> {
        Ok(Samples::elsewhere(&self.0, places))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Images of two pixels none of which can be read.
    #[derive(Debug)]
    struct Broken;

    impl Images for Broken {
        fn input(&self) -> InputShape {
            [1, 1, 2].into()
        }

        fn labels(&self) -> &[usize] {
            &[4, 7, 4]
        }

        fn read(&self, _: &[usize]) -> Result<Samples, StreamError> {
            Err(StreamError::file(Path::new("a.png"), "is broken"))
        }
    }

    #[test]
    fn a_small_part_is_read_at_once_and_a_large_one_when_its_images_are_needed() {
        assert!(on_demand(Arc::new(Broken), 6).read(&[1]).is_err());
        let samples = on_demand(Arc::new(Broken), 5).read(&[1, 0]).unwrap();
        assert_eq!((samples.labels(), samples.input()), (&[7, 4][..], [1, 1, 2].into()));
        assert_eq!(samples.held().unwrap_err().to_string(), "a.png: is broken");
    }
}

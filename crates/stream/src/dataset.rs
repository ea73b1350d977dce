//! One labelled data set, before it is split over devices.

use std::sync::Arc;

use alluvium_model::InputShape;

use crate::Images;

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
        DataSet { class_names, train: Arc::new(train), test: Arc::new(test) }
    }

    /// The shape of one image.
    pub fn input(&self) -> InputShape {
        self.train.input()
    }
}

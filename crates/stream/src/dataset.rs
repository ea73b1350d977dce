//! One labelled data set, before it is split over devices.

use alluvium_model::InputShape;

use crate::Samples;

/// A labelled data set with its own division into training and test samples.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The name of each class; labels are places in this list.
    pub class_names: Vec<String>,
    /// The training samples.
    pub train: Samples,
    /// The test samples.
    pub test: Samples,
}

impl DataSet {
    /// The shape of one image.
    pub fn input(&self) -> InputShape {
        self.train.input()
    }
}

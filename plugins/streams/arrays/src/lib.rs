//! The `arrays` stream: a user's own inputs and labels in `.npy`, `.npz` or safetensors files, read where they lie.
//!
//! `opened` finds an array in a file, `npy` reads the header of a `.npy` file, `array` reads its rows, and `part` makes samples of them.

mod array;
mod npy;
mod opened;
mod part;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_stream::{
    DataSplit, InputShape, Scenario, Seed, SourcePart, StreamConfig, StreamError, TaskStream, options, plugin,
};

use array::Array;
use part::ArrayPart;

/// A user's own samples in arrays, split over devices: features, embeddings of a pre-trained model, windows of sensor values,
/// pictures. Inputs may have any shape.
///
/// A file is `.npz` (as `numpy.savez` writes it), safetensors, or a folder of `.npy` files, one for each array. An array has a row
/// for each sample. Rows are read where they lie, when they are needed; only a compressed array is kept in memory, at most 4 GiB of
/// it. Floats, whole numbers and bools become 32-bit numbers, which are the inputs as they are. Unsigned bytes are taken as pixels:
/// 0…255 become −1…1. A picture is `[channels, height, width]`, a sequence `[channels, length]`.
///
/// Labels are whole numbers. Each number that occurs is a class and its own name, unless `class_names` has the names of 0, 1, ….
/// Test samples are in another file, in other arrays of the same file, or held out.
#[options]
#[derive(PartialEq)]
pub struct ArraysConfig {
    /// The file of the training samples.
    #[default("train.npz".into())]
    pub train: PathBuf,
    /// The file of the test samples. Absent: `train`, if `test_inputs` names an array; otherwise `held_out` of the training samples.
    pub test: Option<PathBuf>,
    /// The array of the inputs.
    #[default("inputs".to_owned())]
    pub inputs: String,
    /// The array of the labels, one whole number of 0 or more for each row.
    #[default("labels".to_owned())]
    pub labels: String,
    /// The array of the domains, one whole number of 0 or more for each row. Absent: samples have no domains.
    pub domains: Option<String>,
    /// The array of the test inputs. Absent: the name that `inputs` has.
    pub test_inputs: Option<String>,
    /// The array of the test labels. Absent: the name that `labels` has.
    pub test_labels: Option<String>,
    /// The array of the domains of the test samples. Absent: the name that `domains` has, if the file has an array of that name.
    /// Under domain shift, test samples without domains are divided equally.
    pub test_domains: Option<String>,
    /// The shape of one input, if it is not that of a row: `[1, 28, 28]` for rows of 28×28 that are pictures. Absent: that of a row.
    #[schemars(length(min = 1, max = 8), inner(range(min = 1)))]
    pub shape: Option<Vec<usize>>,
    /// The names of the classes 0, 1, …. Absent: the labels that occur, as numbers.
    #[schemars(length(min = 1, max = 100_000))]
    pub class_names: Option<Vec<String>>,
    /// How the samples are split over devices.
    #[serde(flatten)]
    pub data: DataSplit,
}

#[plugin(kind = "arrays")]
impl StreamConfig for ArraysConfig {
    fn scenario(&self) -> Scenario {
        self.data.scenario()
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let train = PartArrays::open(&self.train, self.training_names())?;
        let test = self.test_part().map(|(path, names)| PartArrays::open(path, names)).transpose()?;
        let numbers = [train.labels.whole_numbers("label")?];
        let numbers =
            numbers.into_iter().chain(test.as_ref().map(|test| test.labels.whole_numbers("label")).transpose()?);
        let numbers: Vec<_> = numbers.collect();
        let (class_names, found) = match &self.class_names {
            Some(names) => (names.clone(), (0..names.len()).collect()),
            None => {
                let found: BTreeSet<_> = numbers.iter().flatten().copied().collect();
                (found.iter().map(usize::to_string).collect(), Vec::from_iter(found))
            }
        };
        let mut numbers = numbers.into_iter();
        let mut part = |arrays: PartArrays| {
            let classes = classes_of(&numbers.next().unwrap_or_default(), &found, &arrays.labels)?;
            self.part(arrays, classes)
        };
        let train = part(train)?;
        let test = test.map(part).transpose()?;
        if let Some(test) = test.as_ref().filter(|test| test.samples.input() != train.samples.input()) {
            let (own, other) = (test.samples.input(), train.samples.input());
            let (path, _) = self.test_part().unwrap_or((&self.train, self.training_names()));
            return Err(StreamError::file(path, format!("has inputs of {own}, but the training samples have {other}")));
        }
        Ok(Box::new(self.data.tasks(class_names, train, test, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        let parts = [(self.train.as_path(), self.training_names())].into_iter().chain(self.test_part());
        let files = parts.flat_map(|(path, names)| {
            let names = [Some(names.inputs), Some(names.labels), names.domains.map(|(name, _)| name)];
            names.into_iter().flatten().map(|name| opened::file_of(path, name)).collect::<Vec<_>>()
        });
        // `build` reports files that cannot be found.
        BTreeSet::from_iter(files.filter(|file| file.is_file())).into_iter().collect()
    }
}

/// The names of the arrays of a part.
#[derive(Debug, Clone, Copy)]
struct ArrayNames<'a> {
    inputs: &'a str,
    labels: &'a str,
    /// With whether the file must have it.
    domains: Option<(&'a str, bool)>,
}

/// The arrays of a part.
#[derive(Debug)]
struct PartArrays {
    inputs: Array,
    labels: Array,
    domains: Option<Array>,
}

impl PartArrays {
    fn open(path: &Path, names: ArrayNames<'_>) -> Result<Self, StreamError> {
        let domains = match names.domains {
            Some((name, true)) => Some(opened::open(path, name)?),
            Some((name, false)) => opened::open_if_there(path, name)?,
            None => None,
        };
        Ok(PartArrays { inputs: opened::open(path, names.inputs)?, labels: opened::open(path, names.labels)?, domains })
    }
}

impl ArraysConfig {
    fn training_names(&self) -> ArrayNames<'_> {
        let domains = self.domains.as_deref().map(|name| (name, true));
        ArrayNames { inputs: &self.inputs, labels: &self.labels, domains }
    }

    /// Where the test samples are, if they are not held out.
    fn test_part(&self) -> Option<(&Path, ArrayNames<'_>)> {
        let path = self.test.as_deref().or(self.test_inputs.as_ref().map(|_| self.train.as_path()))?;
        // In the file of the training samples, `domains` are those of the training samples.
        let shared = self.domains.as_deref().filter(|_| path != self.train).map(|name| (name, false));
        let names = ArrayNames {
            inputs: self.test_inputs.as_deref().unwrap_or(&self.inputs),
            labels: self.test_labels.as_deref().unwrap_or(&self.labels),
            domains: self.test_domains.as_deref().map(|name| (name, true)).or(shared),
        };
        Some((path, names))
    }

    fn part(&self, arrays: PartArrays, classes: Vec<usize>) -> Result<SourcePart, StreamError> {
        let PartArrays { inputs, labels, domains } = arrays;
        let shape = self.shape.clone().map(InputShape::try_from).transpose();
        let shape = shape.map_err(|problem| StreamError::Option {
            option: "shape",
            problem,
            accepted: "the sizes of one input".to_owned(),
        })?;
        let rows = inputs.rows();
        let part = ArrayPart::new(inputs, shape, &labels, classes)?;
        let domains = domains.map(|domains| {
            let own = domains.rows();
            if own == rows {
                domains.whole_numbers("domain")
            } else {
                Err(domains
                    .wrong(format!("has {own} rows, but there are {rows} inputs; accepted: a domain for each input")))
            }
        });
        Ok(SourcePart { samples: Arc::new(part), domains: domains.transpose()? })
    }
}

/// The class of each label: its position among the labels that are classes.
fn classes_of(labels: &[usize], known: &[usize], array: &Array) -> Result<Vec<usize>, StreamError> {
    let class = |(row, label): (usize, &usize)| {
        known.binary_search(label).map_err(|_| {
            let last = known.len().saturating_sub(1);
            array.wrong(format!(
                "has the label {label} in row {row}; accepted: 0 to {last}, the classes of `class_names`"
            ))
        })
    };
    labels.iter().enumerate().map(class).collect()
}

#[cfg(test)]
mod tests;

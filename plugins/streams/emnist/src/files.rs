//! The files of EMNIST.
//!
//! A data set has four files in the format of MNIST: `emnist-NAME-train-images-idx3-ubyte.gz`, the same with `labels-idx1`, and
//! both with `test`. Compared with MNIST, images are turned over their diagonal, and the labels of `letters` are 1 to 26
//! (Cohen et al., arXiv 1702.05373, and the archive's `emnist-NAME-mapping.txt`; that images are turned over is not said there,
//! but is how they came out of MATLAB, which stores column by column).

use std::path::{Path, PathBuf};

use alluvium_stream::idx::{self, Idx};
use alluvium_stream::{DataSet, Images, InputShape, Samples, StreamError, read_each};

use crate::Dataset;

const PARTS: [&str; 2] = ["train", "test"];

const HINT: &str = "; https://www.nist.gov/itl/products-and-services/emnist-dataset offers EMNIST: unpack gzip.zip (binary \
                    format, as the original MNIST), and let `directory` name the folder gzip";

/// Reads a data set.
///
/// # Errors
/// [`StreamError::File`] when a file is missing or wrong, or does not agree with another.
pub fn read(directory: &Path, dataset: Dataset) -> Result<DataSet, StreamError> {
    let [train, test] = PARTS.map(|part| Characters::read(directory, dataset, part));
    let (train, test) = (train?, test?);
    if train.input() != test.input() {
        let path = find(directory, &file_name(dataset, "test", "images-idx3"))?;
        let cause = format!("holds images of {}, but the training images are {}", test.input(), train.input());
        return Err(StreamError::file(&path, cause));
    }
    Ok(DataSet::new(dataset.class_names(), train, test))
}

/// The files that are there.
pub fn paths(directory: &Path, dataset: Dataset) -> Vec<PathBuf> {
    let files =
        PARTS.into_iter().flat_map(|part| ["images-idx3", "labels-idx1"].map(|of| file_name(dataset, part, of)));
    files.filter_map(|name| find(directory, &name).ok()).collect()
}

fn file_name(dataset: Dataset, part: &str, of: &str) -> String {
    format!("emnist-{}-{part}-{of}-ubyte", dataset.name())
}

/// A file, gzipped or not, in the folder or in the one that the archive has.
fn find(directory: &Path, name: &str) -> Result<PathBuf, StreamError> {
    let folders = [directory.to_owned(), directory.join("gzip")];
    let mut candidates = folders.iter().flat_map(|folder| [folder.join(name), folder.join(format!("{name}.gz"))]);
    candidates.find(|path| path.exists()).ok_or_else(|| {
        let cause = "there is no such file, nor one with `.gz`";
        StreamError::file(&directory.join(name), cause).with_hint(HINT)
    })
}

/// One part, as it lies in the files.
#[derive(Debug)]
struct Characters {
    input: InputShape,
    images: Idx,
    labels: Vec<usize>,
}

impl Characters {
    fn read(directory: &Path, dataset: Dataset, part: &str) -> Result<Self, StreamError> {
        let images_path = find(directory, &file_name(dataset, part, "images-idx3"))?;
        let labels_path = find(directory, &file_name(dataset, part, "labels-idx1"))?;
        let images = idx::read(&images_path)?;
        let [count, columns, rows] = images.shape[..] else {
            let cause = format!("has the shape {:?}; accepted: [images, width, height]", images.shape);
            return Err(StreamError::file(&images_path, cause));
        };
        if columns == 0 || rows == 0 {
            let cause = format!("holds images of {columns}×{rows} pixels; accepted: at least 1×1");
            return Err(StreamError::file(&images_path, cause));
        }
        let wrong = |cause: String| StreamError::file(&labels_path, cause);
        let labels = idx::read(&labels_path)?;
        if labels.shape != [count] {
            let (found, images) = (&labels.shape, images_path.display());
            let cause = format!("has the shape {found:?}, but {images} holds {count} images; accepted: [{count}]");
            return Err(wrong(cause));
        }
        let (first, classes) = (dataset.first_label(), dataset.class_names().len());
        let label = |(number, label): (usize, &u8)| {
            let class = label.checked_sub(first).map(usize::from).filter(|class| *class < classes);
            class.ok_or_else(|| {
                let last = usize::from(first) + classes - 1;
                wrong(format!("label number {number} is {label}; accepted: {first} to {last}"))
            })
        };
        let labels = labels.values.iter().enumerate().map(label).collect::<Result<_, _>>()?;
        Ok(Characters { input: InputShape { channels: 1, height: rows, width: columns }, images, labels })
    }
}

impl Images for Characters {
    fn input(&self) -> InputShape {
        self.input
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, places: &[usize]) -> Result<Samples, StreamError> {
        let InputShape { height, width, .. } = self.input;
        read_each(self, places, |place, image| {
            let own = &self.images.values[place * height * width..(place + 1) * height * width];
            for (value, into) in image.iter_mut().enumerate() {
                let (row, column) = (value / width, value % width);
                *into = own[column * height + row];
            }
            Ok(())
        })
    }
}

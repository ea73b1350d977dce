//! The files of EMNIST.
//!
//! A data set has four files in the format of MNIST: `emnist-NAME-train-images-idx3-ubyte.gz`, the same with
//! `labels-idx1`, and both with `test`. In contrast to MNIST, images are transposed, and the labels of `letters` are 1
//! to 26 (Cohen et al., arXiv 1702.05373, and the archive's `emnist-NAME-mapping.txt`). The sources do not mention the
//! transposition; it comes from MATLAB, which stores images column by column.

use std::path::{Path, PathBuf};

use alluvium_stream::idx::{self, Idx};
use alluvium_stream::{DataPart, DataSet, InputShape, PictureShape, Samples, StreamError, read_each, read_text};

use crate::Dataset;

const PARTS: [&str; 2] = ["train", "test"];
/// The largest list of characters that is read, in bytes. The longest one of the archive has less than 1 kB.
const LARGEST_TEXT: u64 = 1 << 20;

const HINT: &str = "; https://www.nist.gov/itl/products-and-services/emnist-dataset offers EMNIST: unpack gzip.zip (binary \
                    format, as the original MNIST), and let `directory` name the folder gzip";

/// Reads a data set.
///
/// # Errors
/// [`StreamError::File`] when a file is missing or wrong, or contradicts another.
pub fn read(directory: &Path, dataset: Dataset) -> Result<DataSet, StreamError> {
    let [train, test] = PARTS.map(|part| Characters::read(directory, dataset, part));
    let (train, test) = (train?, test?);
    if train.input() != test.input() {
        let cause = format!("holds images of {}, but the training images are {}", test.input(), train.input());
        return Err(StreamError::file(&test.path, cause));
    }
    if let Some(path) = mapping(directory, dataset) {
        check_mapping(&read_text(&path, LARGEST_TEXT)?, dataset).map_err(|cause| StreamError::file(&path, cause))?;
    }
    Ok(DataSet::new(dataset.class_names(), train, test))
}

/// The files that exist.
pub fn paths(directory: &Path, dataset: Dataset) -> Vec<PathBuf> {
    let files =
        PARTS.into_iter().flat_map(|part| ["images-idx3", "labels-idx1"].map(|of| file_name(dataset, part, of)));
    let files = files.filter_map(|name| candidates(directory, &name).into_iter().find(|path| path.exists()));
    files.chain(mapping(directory, dataset)).collect()
}

fn file_name(dataset: Dataset, part: &str, of: &str) -> String {
    format!("emnist-{}-{part}-{of}-ubyte", dataset.name())
}

/// The folder, and the subfolder of the archive.
fn folders(directory: &Path) -> [PathBuf; 2] {
    [directory.to_owned(), directory.join("gzip")]
}

/// The possible paths of a file, gzipped or not.
fn candidates(directory: &Path, name: &str) -> Vec<PathBuf> {
    folders(directory).iter().flat_map(|folder| [folder.join(name), folder.join(format!("{name}.gz"))]).collect()
}

fn read_file(directory: &Path, name: &str) -> Result<(PathBuf, Idx), StreamError> {
    idx::read_one_of(&candidates(directory, name))?.ok_or_else(|| {
        let cause = "does not exist, and neither does the file with `.gz`";
        StreamError::file(&directory.join(name), cause).with_hint(HINT)
    })
}

/// The archive's list of the characters, if it exists.
fn mapping(directory: &Path, dataset: Dataset) -> Option<PathBuf> {
    let name = format!("emnist-{}-mapping.txt", dataset.name());
    folders(directory).map(|folder| folder.join(&name)).into_iter().find(|path| path.exists())
}

/// Checks that the archive's list gives every label the same character as this crate. A line has the label and the
/// ASCII codes of its characters: one code, or for letters those of the capital and the small letter.
///
/// # Errors
/// A description of the problem, with the line.
fn check_mapping(text: &str, dataset: Dataset) -> Result<(), String> {
    let (first, names) = (usize::from(dataset.first_label()), dataset.class_names());
    let mut seen = vec![false; names.len()];
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |cause: String| Err(format!("line {} {cause}", number + 1));
        let numbers: Option<Vec<usize>> = line.split_whitespace().map(|part| part.parse().ok()).collect();
        let Some([label, codes @ ..]) = numbers.as_deref() else {
            return wrong("does not hold a label and codes of characters".to_owned());
        };
        let class = label.checked_sub(first).filter(|class| *class < names.len());
        let Some(class) = class else {
            return wrong(format!("has the label {label}; accepted: {first} to {}", first + names.len() - 1));
        };
        let own = names[class].as_bytes()[0];
        let right = match dataset {
            Dataset::Letters => vec![usize::from(own), usize::from(own.to_ascii_lowercase())],
            _ => vec![usize::from(own)],
        };
        if *codes != right[..] {
            return wrong(format!("gives the label {label} the characters {codes:?}; EMNIST gives it {right:?}"));
        }
        if std::mem::replace(&mut seen[class], true) {
            return wrong(format!("has the label {label}, but an earlier line has it, too"));
        }
    }
    match seen.iter().position(|seen| !seen) {
        Some(class) => Err(format!("does not have a line for the label {}", class + first)),
        None => Ok(()),
    }
}

/// One part, as it is stored in the files.
#[derive(Debug)]
struct Characters {
    /// The file of the images.
    path: PathBuf,
    input: PictureShape,
    images: Idx,
    labels: Vec<usize>,
}

impl Characters {
    fn read(directory: &Path, dataset: Dataset, part: &str) -> Result<Self, StreamError> {
        let (path, images) = read_file(directory, &file_name(dataset, part, "images-idx3"))?;
        let (labels_path, labels) = read_file(directory, &file_name(dataset, part, "labels-idx1"))?;
        let [count, columns, rows] = images.shape[..] else {
            let cause = format!("has the shape {:?}; accepted: [images, width, height]", images.shape);
            return Err(StreamError::file(&path, cause));
        };
        if columns == 0 || rows == 0 {
            let cause = format!("holds images of {columns}×{rows} pixels; accepted: at least 1×1");
            return Err(StreamError::file(&path, cause));
        }
        let wrong = |cause: String| StreamError::file(&labels_path, cause);
        if labels.shape != [count] {
            let (found, images) = (&labels.shape, path.display());
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
        Ok(Characters { path, input: PictureShape { channels: 1, height: rows, width: columns }, images, labels })
    }
}

impl DataPart for Characters {
    fn input(&self) -> InputShape {
        self.input.into()
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        let PictureShape { height, width, .. } = self.input;
        read_each(self, indices, |index, image| {
            let own = &self.images.values[index * height * width..(index + 1) * height * width];
            for (value, into) in image.iter_mut().enumerate() {
                let (row, column) = (value / width, value % width);
                *into = own[column * height + row];
            }
            Ok(())
        })
    }
}

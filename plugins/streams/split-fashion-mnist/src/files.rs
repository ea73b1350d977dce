//! The four files of Fashion-MNIST.

use std::path::{Path, PathBuf};

use alluvium_stream::idx::{self, Idx};
use alluvium_stream::{DataSet, Samples, StreamError};

/// The classes, in the order of the labels 0 to 9 (README of github.com/zalandoresearch/fashion-mnist).
const CLASS_NAMES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// Reads the data set from the directory of its files.
pub fn read(directory: &Path) -> Result<DataSet, StreamError> {
    let train = samples(directory, "train")?;
    let test = samples(directory, "t10k")?;
    if train.input() != test.input() {
        let cause = format!("holds images of {}, but the training images are {}", test.input(), train.input());
        return Err(wrong(&directory.join("t10k-images-idx3-ubyte"), cause));
    }
    Ok(DataSet::new(CLASS_NAMES.map(str::to_owned).to_vec(), train, test))
}

/// The files of a directory that [`read`] reads, without missing ones.
pub fn paths(directory: &Path) -> Vec<PathBuf> {
    let names = ["train", "t10k"].into_iter().flat_map(|part| [images_of(part), labels_of(part)]);
    names.filter_map(|name| candidates(directory, &name).into_iter().find(|path| path.exists())).collect()
}

fn images_of(part: &str) -> String {
    format!("{part}-images-idx3-ubyte")
}

fn labels_of(part: &str) -> String {
    format!("{part}-labels-idx1-ubyte")
}

/// The possible paths of a file. It may be gzipped, with or without `.gz` in its name.
fn candidates(directory: &Path, name: &str) -> [PathBuf; 2] {
    [directory.join(name), directory.join(format!("{name}.gz"))]
}

fn wrong(path: &Path, cause: String) -> StreamError {
    StreamError::File { path: path.to_owned(), cause, hint: String::new() }
}

/// Reads images and labels of one part, `train` or `t10k`.
fn samples(directory: &Path, part: &str) -> Result<Samples, StreamError> {
    let (images_path, images) = file(directory, &images_of(part))?;
    let (labels_path, labels) = file(directory, &labels_of(part))?;
    let [count, height, width] = images.shape[..] else {
        let cause = format!("has the shape {:?}; accepted: [images, height, width]", images.shape);
        return Err(wrong(&images_path, cause));
    };
    if height == 0 || width == 0 {
        return Err(wrong(&images_path, format!("holds images of {height}×{width} pixels; accepted: at least 1×1")));
    }
    if labels.shape != [count] {
        let cause = format!(
            "has the shape {:?}, but {} holds {count} images; accepted: [{count}]",
            labels.shape,
            images_path.display()
        );
        return Err(wrong(&labels_path, cause));
    }
    let unknown = labels.values.iter().position(|label| usize::from(*label) >= CLASS_NAMES.len());
    if let Some(index) = unknown {
        let cause =
            format!("label number {index} is {}; accepted: 0 to {}", labels.values[index], CLASS_NAMES.len() - 1);
        return Err(wrong(&labels_path, cause));
    }
    let mut samples = Samples::new([1, height, width].into());
    for (image, label) in images.values.chunks_exact(height * width).zip(&labels.values) {
        samples.push(image, usize::from(*label));
    }
    Ok(samples)
}

/// Reads one file.
fn file(directory: &Path, name: &str) -> Result<(PathBuf, Idx), StreamError> {
    idx::read_one_of(&candidates(directory, name))?.ok_or_else(|| {
        let hint = "; Debian's package `dataset-fashion-mnist` provides it; set `directory` if it is in another folder";
        StreamError::file(&directory.join(name), "does not exist, and neither does the file with `.gz`").with_hint(hint)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::io::Write;

    use alluvium_stream::StreamConfig;
    use alluvium_stream::conformance::check_disturbed;
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// The bytes of an IDX file of unsigned bytes, according to the format's description.
    fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, shape.len() as u8];
        shape.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(vec![], Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    /// Writes the four files: `each` images of 2×3 pixels of each class, training files plain, test files gzipped.
    pub fn write_data(folder: &Path, each: u8) {
        let labels: Vec<u8> = (0..each * 10).map(|index| index % 10).collect();
        let pixels: Vec<u8> = (0..labels.len() * 6).map(|index| index as u8).collect();
        let count = labels.len() as u32;
        let (images, labels) = (idx(&[count, 2, 3], &pixels), idx(&[count], &labels));
        fs::write(folder.join("train-images-idx3-ubyte"), &images).unwrap();
        fs::write(folder.join("train-labels-idx1-ubyte"), &labels).unwrap();
        fs::write(folder.join("t10k-images-idx3-ubyte.gz"), gzip(&images)).unwrap();
        fs::write(folder.join("t10k-labels-idx1-ubyte.gz"), gzip(&labels)).unwrap();
    }

    /// The error after one file of a valid data set was replaced.
    fn error_with(name: &str, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        write_data(folder.path(), 1);
        fs::write(folder.path().join(name), bytes).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&*folder.path().to_string_lossy()), "does not name a file: {error}");
        error
    }

    #[test]
    fn images_and_labels_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        write_data(folder.path(), 2);
        let data = read(folder.path()).unwrap();
        assert_eq!((data.train.labels().len(), data.test.labels().len(), data.input()), (20, 20, [1, 2, 3].into()));
        assert_eq!(data.train.read(&[1]).unwrap().image(0), [6, 7, 8, 9, 10, 11]);
        assert_eq!(data.test.labels()[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        assert_eq!(data.class_names[9], "Ankle boot");
    }

    #[test]
    fn a_missing_file_is_named_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        write_data(folder.path(), 1);
        fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte.gz")).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("t10k-labels-idx1-ubyte: does not exist"), "{error}");
        assert!(error.contains("`dataset-fashion-mnist`") && error.contains("`directory`"), "{error}");
    }

    #[test]
    fn contradictory_files_are_refused() {
        let error = error_with("train-labels-idx1-ubyte", &idx(&[9], &[0; 9]));
        assert!(error.contains("has the shape [9]") && error.contains("holds 10 images"), "{error}");
        let error = error_with("train-labels-idx1-ubyte", &idx(&[10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10]));
        assert!(error.contains("label number 9 is 10; accepted: 0 to 9"), "{error}");
        let error = error_with("train-images-idx3-ubyte", &idx(&[10, 6], &[0; 60]));
        assert!(error.contains("has the shape [10, 6]; accepted: [images, height, width]"), "{error}");
        let error = error_with("train-images-idx3-ubyte", &idx(&[10, 0, 0], &[]));
        assert!(error.contains("holds images of 0×0 pixels"), "{error}");
        let error = error_with("t10k-images-idx3-ubyte.gz", &idx(&[10, 3, 3], &[0; 90]));
        assert!(error.contains("holds images of 1×3×3, but the training images are 1×2×3"), "{error}");
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = idx(&[10, 2, 3], &[7; 60]);
        for length in [0, 3, 10, whole.len() - 1] {
            error_with("train-images-idx3-ubyte", &whole[..length]);
        }
        let packed = gzip(&whole);
        let error = error_with("t10k-images-idx3-ubyte.gz", &packed[..packed.len() / 2]);
        assert!(error.contains("damaged or cut short"), "{error}");
    }

    #[test]
    fn empty_files_leave_tasks_empty() {
        let folder = tempfile::tempdir().unwrap();
        write_data(folder.path(), 0);
        assert!(read(folder.path()).unwrap().train.labels().is_empty());
    }

    #[test]
    fn disturbed_files_give_the_same_images_or_an_error() {
        let files = [
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
        ];
        let config = |folder: &Path| {
            let directory = folder.to_owned();
            Box::new(crate::SplitFashionMnistConfig { directory, ..Default::default() }) as Box<dyn StreamConfig>
        };
        let verdict = check_disturbed(
            150,
            |folder| write_data(folder, 2),
            config,
            |disturbed| {
                let (one, other) = (disturbed.one_of(&files), disturbed.one_of(&files));
                let of_images = |name: &str| name.contains("images");
                match disturbed.below(4) {
                    0 => disturbed.truncate(one),
                    1 => disturbed.drop_file(one),
                    2 if of_images(one) != of_images(other) => disturbed.copy(one, other),
                    // The same file, gzipped or not, or another one beside it.
                    _ => {
                        let labels = [idx(&[20], &[1; 20]), idx(&[19], &[0; 19])];
                        let bytes = disturbed.one_of(&labels);
                        let name = disturbed.one_of(&["train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte"]);
                        disturbed.write(name, &bytes, "of other labels");
                    }
                }
            },
        );
        assert!(verdict.refused > 100, "{verdict:?}");
    }
}

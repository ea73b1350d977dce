//! Finds the folders, and says which of their pictures are for training.

use std::path::{Path, PathBuf};

use alluvium_stream::picture::{Orientation, PictureFiles, Size, list, shape_of};
use alluvium_stream::{DataSet, Seed, StreamError};
use rand::seq::SliceRandom;

/// The name of the folder of the training samples, and the possible names for the test samples.
const TRAIN: &str = "train";
const TEST: [&str; 4] = ["test", "val", "valid", "validation"];

/// A picture with the number of its class.
type LabelledPath = (PathBuf, usize);

/// How pictures become inputs.
#[derive(Debug, Clone, Copy)]
pub struct Inputs {
    /// The side that pictures are resized to; `None`: pictures keep their size.
    pub size: Option<usize>,
    /// The number of channels: three or one.
    pub channels: usize,
    /// How to treat the pictures' orientation.
    pub orientation: Orientation,
}

/// The classes and their pictures.
#[derive(Debug)]
pub struct Folders {
    directory: PathBuf,
    class_names: Vec<String>,
    train: Vec<LabelledPath>,
    /// `None` if test samples have to be taken from the training samples.
    test: Option<Vec<LabelledPath>>,
}

impl Folders {
    /// Finds all pictures.
    ///
    /// # Errors
    /// [`StreamError::File`] when a folder cannot be read, there are no classes, a test class does not exist for
    /// training, or it is not clear which folder has which samples.
    pub fn find(directory: &Path) -> Result<Self, StreamError> {
        let train = directory.join(TRAIN);
        let divided = train.is_dir();
        let classes = if divided { &train } else { directory };
        let class_names = folders(classes)?;
        if !divided {
            check_undivided(directory, &class_names)?;
        }
        if class_names.is_empty() {
            return Err(StreamError::file(classes, "does not hold folders; accepted: a folder for each class"));
        }
        let test = if divided { Some(pictures_of_test(&test_folder(directory)?, &class_names)?) } else { None };
        let train = pictures(classes, &class_names)?;
        Ok(Folders { directory: directory.to_owned(), class_names, train, test })
    }

    /// Converts the folders to a data set. If test samples have to be held out, `held_out` is their fraction and the
    /// seed draws them.
    ///
    /// # Errors
    /// [`StreamError::File`] when there are no pictures, or when the first one determines the size and cannot be read.
    pub fn data(self, held_out: f64, seed: Seed, inputs: Inputs) -> Result<DataSet, StreamError> {
        let Inputs { size, channels, orientation } = inputs;
        let first = self.train.first().map(|(path, _)| path);
        let (input, size) = match (size, first) {
            (Some(size), _) => ([channels, size, size].into(), Size::Fitted),
            (None, Some(first)) => (shape_of(first, channels, orientation)?, Size::Exact),
            (None, None) => return Err(StreamError::file(&self.directory, "does not hold a picture in PNG or JPEG")),
        };
        let (train, test) = match self.test {
            Some(test) => (self.train, test),
            None => hold_out(self.train, self.class_names.len(), held_out, seed),
        };
        let pictures = |found| PictureFiles::new(input, size, found).oriented(orientation);
        Ok(DataSet::new(self.class_names, pictures(train), pictures(test)))
    }

    /// All pictures.
    pub fn into_paths(self) -> Vec<PathBuf> {
        self.train.into_iter().chain(self.test.unwrap_or_default()).map(|(path, _)| path).collect()
    }
}

/// The folder of the test samples: `test`, or else the only one with another accepted name.
fn test_folder(directory: &Path) -> Result<PathBuf, StreamError> {
    let there: Vec<_> = TEST.into_iter().filter(|name| directory.join(name).is_dir()).collect();
    let wrong = |cause: String| Err(StreamError::file(directory, cause));
    match there[..] {
        [] => wrong(format!("holds the folder {TRAIN}, but none for testing; accepted: one of {}", TEST.join(", "))),
        [first, second, ..] if first != TEST[0] => {
            wrong(format!("holds the folders {first} and {second}, but none called {}; accepted: one of them", TEST[0]))
        }
        [first, ..] => Ok(directory.join(first)),
    }
}

/// Checks that no folder among the classes is a part of the data set, which would be mistaken for a class. A part is
/// called like one, in upper or lower case, and directly holds folders but no pictures.
fn check_undivided(directory: &Path, names: &[String]) -> Result<(), StreamError> {
    for name in names {
        let folder = directory.join(name);
        let is_part = [TRAIN, "training", "testing"].iter().chain(&TEST).any(|part| name.eq_ignore_ascii_case(part));
        let holds_picture = || list(&folder).map(|found| found.iter().any(|path| path.parent() == Some(&folder)));
        let failed = |(folder, error): (PathBuf, std::io::Error)| StreamError::file(&folder, error.to_string());
        if is_part && !folders(&folder)?.is_empty() && !holds_picture().map_err(failed)? {
            let cause = format!(
                "is a part of the data set, but {} has no folder {TRAIN}; accepted: {TRAIN} and one of {}, or a folder of \
                 pictures for each class",
                directory.display(),
                TEST.join(", ")
            );
            return Err(StreamError::file(&folder, cause));
        }
    }
    Ok(())
}

/// The names of the folders in a folder, sorted.
fn folders(folder: &Path) -> Result<Vec<String>, StreamError> {
    let failed = |error: std::io::Error| StreamError::file(folder, error.to_string());
    let mut names = vec![];
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.path().is_dir() || entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Two names that are not text could be taken for the same name.
        match entry.file_name().into_string() {
            Ok(name) => names.push(name),
            Err(_) => return Err(StreamError::file(&entry.path(), "has a name that is not text in UTF-8")),
        }
    }
    names.sort();
    Ok(names)
}

/// The pictures of all classes, class after class.
fn pictures(folder: &Path, class_names: &[String]) -> Result<Vec<LabelledPath>, StreamError> {
    let mut pictures = vec![];
    for (label, name) in class_names.iter().enumerate() {
        let found = list(&folder.join(name));
        let found = found.map_err(|(folder, error)| StreamError::file(&folder, error.to_string()))?;
        pictures.extend(found.into_iter().map(|path| (path, label)));
    }
    Ok(pictures)
}

/// The pictures of the test samples. Their classes must exist for training.
fn pictures_of_test(folder: &Path, class_names: &[String]) -> Result<Vec<LabelledPath>, StreamError> {
    let names = folders(folder)?;
    if let Some(stranger) = names.iter().find(|name| !class_names.contains(name)) {
        let cause = format!("holds the folder {stranger:?}, but {TRAIN} has none of this name");
        return Err(StreamError::file(folder, cause));
    }
    let label = |(path, own): LabelledPath| {
        let label = class_names.iter().position(|name| *name == names[own]).unwrap_or_default();
        (path, label)
    };
    let mut pictures: Vec<_> = pictures(folder, &names)?.into_iter().map(label).collect();
    pictures.sort_by_key(|(_, label)| *label);
    Ok(pictures)
}

/// Holds out a fraction of each class's pictures for testing. Both parts stay in order.
fn hold_out(
    all: Vec<LabelledPath>,
    classes: usize,
    fraction: f64,
    seed: Seed,
) -> (Vec<LabelledPath>, Vec<LabelledPath>) {
    let mut indices = vec![vec![]; classes];
    all.iter().enumerate().for_each(|(index, (_, label))| indices[*label].push(index));
    let mut test = vec![false; all.len()];
    for (label, mut indices) in indices.into_iter().enumerate() {
        indices.shuffle(&mut seed.at("class", label).random());
        let count = ((indices.len() as f64 * fraction).round() as usize).max(1).min(indices.len().saturating_sub(1));
        indices.into_iter().take(count).for_each(|index| test[index] = true);
    }
    let (test, train): (Vec<_>, Vec<_>) = all.into_iter().zip(test).partition(|(_, test)| *test);
    let without_mark = |marked: Vec<(LabelledPath, bool)>| marked.into_iter().map(|(picture, _)| picture).collect();
    (without_mark(train), without_mark(test))
}

//! The folders, and which of their pictures are for training.

use std::path::{Path, PathBuf};

use alluvium_stream::picture::{PictureFiles, Size, list, shape_of};
use alluvium_stream::{DataSet, Seed, StreamError};
use rand::seq::SliceRandom;

/// The folder of the training samples, and those that may be that of the test samples.
const TRAIN: &str = "train";
const TEST: [&str; 4] = ["test", "val", "valid", "validation"];

/// A picture with the number of its class.
type Labelled = (PathBuf, usize);

/// The classes and their pictures.
#[derive(Debug)]
pub struct Folders {
    directory: PathBuf,
    class_names: Vec<String>,
    train: Vec<Labelled>,
    /// `None` where test samples are to be taken from those for training.
    test: Option<Vec<Labelled>>,
}

impl Folders {
    /// Finds all pictures.
    ///
    /// # Errors
    /// [`StreamError::File`] when a folder cannot be read, there is no class, or none of a test class's name for training.
    pub fn find(directory: &Path) -> Result<Self, StreamError> {
        let (train, test) = (directory.join(TRAIN), TEST.map(|name| directory.join(name)));
        let divided = train.is_dir();
        let classes = if divided { &train } else { directory };
        let class_names = folders(classes)?;
        if class_names.is_empty() {
            return Err(StreamError::file(classes, "holds no folder; accepted: a folder for each class"));
        }
        let test = match (divided, test.into_iter().find(|folder| folder.is_dir())) {
            (false, _) => None,
            (true, Some(test)) => Some(pictures_of_test(&test, &class_names)?),
            (true, None) => {
                let cause =
                    format!("holds the folder {TRAIN} and none for testing; accepted: one of {}", TEST.join(", "));
                return Err(StreamError::file(directory, cause));
            }
        };
        let train = pictures(classes, &class_names)?;
        Ok(Folders { directory: directory.to_owned(), class_names, train, test })
    }

    /// The data set. Where test samples have to be held out, `held_out` is their part and the seed draws them.
    ///
    /// # Errors
    /// [`StreamError::File`] when there is no picture, or its size is to be that of all and it cannot be read.
    pub fn data(self, held_out: f64, seed: Seed, size: Option<usize>, channels: usize) -> Result<DataSet, StreamError> {
        let first = self.train.first().map(|(path, _)| path);
        let (input, size) = match (size, first) {
            (Some(size), _) => ([channels, size, size].into(), Size::Fitted),
            (None, Some(first)) => (shape_of(first, channels)?, Size::Exact),
            (None, None) => return Err(StreamError::file(&self.directory, "holds no picture in PNG or JPEG")),
        };
        let (train, test) = match self.test {
            Some(test) => (self.train, test),
            None => hold_out(self.train, self.class_names.len(), held_out, seed),
        };
        let pictures = |found| PictureFiles::new(input, size, found);
        Ok(DataSet::new(self.class_names, pictures(train), pictures(test)))
    }

    /// All pictures.
    pub fn into_paths(self) -> Vec<PathBuf> {
        self.train.into_iter().chain(self.test.unwrap_or_default()).map(|(path, _)| path).collect()
    }
}

/// The names of the folders in a folder, sorted.
fn folders(folder: &Path) -> Result<Vec<String>, StreamError> {
    let failed = |error: std::io::Error| StreamError::file(folder, error.to_string());
    let mut names = vec![];
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The pictures of all classes, class after class.
fn pictures(folder: &Path, class_names: &[String]) -> Result<Vec<Labelled>, StreamError> {
    let mut pictures = vec![];
    for (label, name) in class_names.iter().enumerate() {
        let found = list(&folder.join(name));
        let found = found.map_err(|(folder, error)| StreamError::file(&folder, error.to_string()))?;
        pictures.extend(found.into_iter().map(|path| (path, label)));
    }
    Ok(pictures)
}

/// The pictures of the test samples: their classes are some of those for training.
fn pictures_of_test(folder: &Path, class_names: &[String]) -> Result<Vec<Labelled>, StreamError> {
    let names = folders(folder)?;
    if let Some(stranger) = names.iter().find(|name| !class_names.contains(name)) {
        let cause = format!("holds the folder {stranger:?}, but {TRAIN} has none of this name");
        return Err(StreamError::file(folder, cause));
    }
    let label = |(path, own): Labelled| {
        let label = class_names.iter().position(|name| *name == names[own]).unwrap_or_default();
        (path, label)
    };
    let mut pictures: Vec<_> = pictures(folder, &names)?.into_iter().map(label).collect();
    pictures.sort_by_key(|(_, label)| *label);
    Ok(pictures)
}

/// Takes a part of each class's pictures away for testing; both parts stay in order.
fn hold_out(all: Vec<Labelled>, classes: usize, part: f64, seed: Seed) -> (Vec<Labelled>, Vec<Labelled>) {
    let mut places = vec![vec![]; classes];
    all.iter().enumerate().for_each(|(place, (_, label))| places[*label].push(place));
    let mut test = vec![false; all.len()];
    for (label, mut places) in places.into_iter().enumerate() {
        places.shuffle(&mut seed.at("class", label).random());
        let count = ((places.len() as f64 * part).round() as usize).max(1).min(places.len().saturating_sub(1));
        places.into_iter().take(count).for_each(|place| test[place] = true);
    }
    let (test, train): (Vec<_>, Vec<_>) = all.into_iter().zip(test).partition(|(_, test)| *test);
    let without_mark = |marked: Vec<(Labelled, bool)>| marked.into_iter().map(|(picture, _)| picture).collect();
    (without_mark(train), without_mark(test))
}

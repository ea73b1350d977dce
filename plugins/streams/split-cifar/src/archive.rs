//! The two published versions of each data set, and the detection of the version in a folder.

use std::path::{Path, PathBuf};

use alluvium_stream::{DataSet, Samples, StreamError};

use crate::labelling::{Batch, Labelling};
use crate::{INPUT, binary, python};

/// A data set with the files of both versions.
#[derive(Debug, Clone, Copy)]
pub struct Archive {
    /// The common name of the data set.
    pub name: &'static str,
    /// The binary version.
    pub binary: Files,
    /// The Python version.
    pub python: Files,
    /// Which label is the class.
    pub labelling: Labelling,
}

/// The files of one version.
#[derive(Debug, Clone, Copy)]
pub struct Files {
    /// The folder of the files in the archive.
    pub folder: &'static str,
    /// The files of the training samples, in order.
    pub train: &'static [&'static str],
    /// The file of the test samples.
    pub test: &'static str,
    /// The file of the classes' names.
    pub names: &'static str,
}

/// A version that a folder holds.
enum Version {
    Binary,
    Python,
}

impl Archive {
    /// Reads the data set from a folder that holds one of the versions. If it holds both, the binary version is read.
    ///
    /// # Errors
    /// [`StreamError::File`] when neither version exists, or a file is missing or wrong.
    pub fn read(&self, directory: &Path) -> Result<DataSet, StreamError> {
        let Some((version, folder)) = self.find(directory) else {
            let cause = format!(
                "holds neither {} (the binary version of {}) nor {} (the Python version)",
                self.binary.train[0], self.name, self.python.train[0]
            );
            return Err(StreamError::file(directory, cause).with_hint(&self.hint()));
        };
        let (files, labelling) = (self.files(&version), &self.labelling);
        let names_path = folder.join(files.names);
        let read = || -> Result<_, StreamError> {
            let (names, images) = match version {
                Version::Binary => (binary::names(&names_path)?, None),
                Version::Python => python::meta(&names_path, labelling.names_key)?,
            };
            let part = |part: &str, files: &[&str]| {
                let batch = |(number, file): (usize, &&str)| {
                    let mut samples = Samples::new(INPUT.into());
                    let path = folder.join(file);
                    let label = format!("{part} batch {} of {}", number + 1, files.len());
                    match version {
                        Version::Binary => binary::read(&path, labelling, &mut samples)?,
                        Version::Python => python::read(&path, labelling, &Batch { label, images }, &mut samples)?,
                    }
                    Ok((path, samples))
                };
                files.iter().enumerate().map(batch).collect::<Result<Vec<_>, StreamError>>()
            };
            Ok((names, part("training", files.train)?, part("testing", &[files.test])?))
        };
        let (names, train, test) = read().map_err(|error| self.hinted(error))?;
        let wrong = |cause: String| Err(StreamError::file(&names_path, cause));
        if names.len() != labelling.classes {
            return wrong(format!("names {} classes; {} has {}", names.len(), self.name, labelling.classes));
        }
        let twice = names.iter().enumerate().find(|(number, name)| names[..*number].contains(name));
        if let Some((_, name)) = twice {
            return wrong(format!("names the class \"{name}\" twice"));
        }
        check_batches(&train, &test)?;
        let joined = |batches: Vec<(PathBuf, Samples)>| {
            let mut batches = batches.into_iter().map(|(_, samples)| samples);
            let mut all = batches.next().unwrap_or_else(|| Samples::new(INPUT.into()));
            for samples in batches {
                (0..samples.len()).for_each(|index| all.push(samples.image(index), samples.labels()[index]));
            }
            all
        };
        Ok(DataSet::new(names, joined(train), joined(test)))
    }

    /// The files that [`read`](Self::read) reads, without missing ones.
    pub fn paths(&self, directory: &Path) -> Vec<PathBuf> {
        let Some((version, folder)) = self.find(directory) else { return vec![] };
        let Files { train, test, names, .. } = self.files(&version);
        let paths = train.iter().chain([test, names]).map(|name| folder.join(name));
        paths.filter(|path| path.exists()).collect()
    }

    fn files(&self, version: &Version) -> &Files {
        match version {
            Version::Binary => &self.binary,
            Version::Python => &self.python,
        }
    }

    /// The version in the folder, or in one of the archives' folders in it.
    fn find(&self, directory: &Path) -> Option<(Version, PathBuf)> {
        let inner = [self.binary.folder, self.python.folder].map(|name| directory.join(name));
        let folders = [directory.to_owned()].into_iter().chain(inner);
        let holds = |folder: &Path, files: &Files| folder.join(files.train[0]).is_file();
        let mut found = folders.flat_map(|folder| {
            let binary = holds(&folder, &self.binary).then(|| (Version::Binary, folder.clone()));
            let python = holds(&folder, &self.python).then_some((Version::Python, folder));
            [binary, python]
        });
        found.find_map(|found| found)
    }

    /// Adds where to get the file, if the error is that the file does not exist.
    fn hinted(&self, error: StreamError) -> StreamError {
        match &error {
            StreamError::File { path, .. } if !path.exists() => error.with_hint(&self.hint()),
            _ => error,
        }
    }

    fn hint(&self) -> String {
        format!(
            "; https://www.cs.toronto.edu/~kriz/cifar.html offers {}: unpack the binary or the Python version, and let \
             `directory` name the folder {} or {}",
            self.name, self.binary.folder, self.python.folder
        )
    }
}

/// Checks that the files of a data set fit together: all training files have the same number of images, and no two
/// files are equal.
fn check_batches(train: &[(PathBuf, Samples)], test: &[(PathBuf, Samples)]) -> Result<(), StreamError> {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((first_path, first)) = train.first() else { return Ok(()) };
    if let Some((path, other)) = train.iter().find(|(_, other)| other.len() != first.len()) {
        let cause = format!("holds {} images, but {} holds {}", other.len(), name(first_path), first.len());
        return Err(StreamError::file(path, cause));
    }
    let all: Vec<_> = train.iter().chain(test).collect();
    for (number, (path, samples)) in all.iter().enumerate() {
        let same = |(_, other): &&&(PathBuf, Samples)| {
            let alike = |index| other.image(index) == samples.image(index);
            other.labels() == samples.labels() && (0..samples.len()).all(alike)
        };
        if let Some((other, _)) = all[..number].iter().find(same) {
            return Err(StreamError::file(path, format!("holds the same images as {}", name(other))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

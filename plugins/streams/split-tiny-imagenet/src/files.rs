//! The files of Tiny-ImageNet-200.
//!
//! `wnids.txt` lists the WordNet numbers of the classes, one per line. `words.txt` has the words of each WordNet number
//! after a tab, separated by commas. `train/WNID/images/*.JPEG` are the training images of a class;
//! `train/WNID/WNID_boxes.txt` lists them with the four sides of a box. `val/val_annotations.txt` has a line for each
//! image in `val/images`, separated by tabs: the file, the class, and the four sides of a box. Every image is a JPEG of
//! 64×64 pixels; some are grey (Le & Yang, "Tiny ImageNet visual recognition challenge", CS 231N, 2015, and the
//! archive's own files).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use alluvium_stream::picture::{PictureFiles, Size, list};
use alluvium_stream::{DataSet, StreamError, read_text};

const INPUT: [usize; 3] = [3, 64, 64];
/// The largest text that is read. `words.txt` has 2.6 MB.
const LARGEST_TEXT: u64 = 64 << 20;

const HINT: &str = "; http://cs231n.stanford.edu/tiny-imagenet-200.zip offers Tiny-ImageNet-200: unpack it, and let \
                    `directory` name the folder tiny-imagenet-200";

/// The files of the data set. No picture has been read yet.
#[derive(Debug)]
pub struct DatasetFiles {
    texts: [PathBuf; 3],
    class_names: Vec<String>,
    train: PictureFiles,
    test: PictureFiles,
}

impl DatasetFiles {
    /// Converts the files to a data set.
    pub fn data(self) -> DataSet {
        DataSet::new(self.class_names, self.train, self.test)
    }

    /// All files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.texts.iter().chain(self.train.files()).chain(self.test.files()).cloned().collect()
    }
}

/// Finds the files.
///
/// # Errors
/// [`StreamError::File`] when a text or a class's folder is missing or wrong. Pictures are checked when they are read.
pub fn find(directory: &Path) -> Result<DatasetFiles, StreamError> {
    let texts = ["wnids.txt", "words.txt", "val/val_annotations.txt"].map(|name| directory.join(name));
    let [ids_path, words_path, annotations_path] = &texts;
    let ids = ids(&text(ids_path)?).map_err(|cause| StreamError::file(ids_path, cause))?;
    let class_names = class_names(&ids, &text(words_path)?).map_err(|cause| StreamError::file(words_path, cause))?;
    check_folders(&directory.join("train"), &ids, ids_path)?;
    let train = train(directory, &ids)?;
    let images = directory.join("val/images");
    let test = test(&text(annotations_path)?, &images, &ids);
    let test = test.map_err(|cause| StreamError::file(annotations_path, cause))?;
    check_pictures(annotations_path, &images, &test)?;
    let pictures = |found| PictureFiles::new(INPUT.into(), Size::Exact, found);
    Ok(DatasetFiles { class_names, train: pictures(train), test: pictures(test), texts })
}

/// Reads a text. If it does not exist, the error says where to get it.
fn text(path: &Path) -> Result<String, StreamError> {
    let hint = if path.exists() { "" } else { HINT };
    read_text(path, LARGEST_TEXT).map_err(|error| error.with_hint(hint))
}

/// The WordNet numbers of the classes, in the order of their labels.
pub fn ids(text: &str) -> Result<Vec<String>, String> {
    let ids: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    // The numbers become parts of paths.
    let stranger = ids.iter().find(|id| !id.chars().all(|letter| letter.is_ascii_alphanumeric()));
    if let Some(stranger) = stranger {
        return Err(format!("has the line {stranger:?}; accepted: a WordNet number such as n01443537 in each"));
    }
    let mut seen = HashSet::new();
    match ids.iter().find(|id| !seen.insert(*id)) {
        Some(twice) => Err(format!("names the class {twice} twice")),
        None if ids.is_empty() => Err("does not name a class".to_owned()),
        None => Ok(ids),
    }
}

/// Checks that the folders of the training pictures are those of the classes.
fn check_folders(train: &Path, ids: &[String], list: &Path) -> Result<(), StreamError> {
    let failed = |error: std::io::Error| StreamError::file(train, error.to_string());
    // A missing folder is reported when its pictures are listed.
    let Ok(entries) = train.read_dir() else { return Ok(()) };
    let ids: HashSet<_> = ids.iter().map(String::as_str).collect();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') && !ids.contains(name.as_str()) {
            return Err(StreamError::file(list, format!("does not name {name}, but train holds a folder for it")));
        }
    }
    Ok(())
}

/// Checks that a list names exactly the pictures that a folder holds.
fn check_pictures(list_path: &Path, folder: &Path, named: &[(PathBuf, usize)]) -> Result<(), StreamError> {
    let pictures = list(folder).map_err(|(folder, error)| {
        StreamError::file(&folder, error.to_string()).with_hint(if folder.exists() { "" } else { HINT })
    })?;
    let there: HashSet<_> = pictures.iter().collect();
    let named: HashSet<_> = named.iter().map(|(path, _)| path).collect();
    let shown = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // The first one by name, so that the message is reproducible.
    if let Some(missing) = named.difference(&there).min() {
        return Err(StreamError::file(missing, format!("does not exist, but {} names it", list_path.display())));
    }
    match there.difference(&named).min() {
        Some(other) => Err(StreamError::file(list_path, format!("does not name {}, which exists", shown(other)))),
        None => Ok(()),
    }
}

/// The name of each class: the first of its words. The number is added if several classes have this word, and replaces
/// a missing word.
///
/// # Errors
/// A description of the problem, when a class has several lines that contradict each other.
pub fn class_names(ids: &[String], words: &str) -> Result<Vec<String>, String> {
    let entry = |line: &'_ str| {
        let (id, words) = line.split_once('\t')?;
        Some((id.trim().to_owned(), words.split(',').next().unwrap_or_default().trim().to_owned()))
    };
    let entries: Vec<_> = words.lines().filter_map(entry).filter(|(_, first)| !first.is_empty()).collect();
    let mut words = HashMap::new();
    for (id, first) in entries {
        if let Some(other) = words.insert(id.clone(), first.clone()).filter(|other| *other != first) {
            return Err(format!("calls {id} \"{other}\" in one line and \"{first}\" in another"));
        }
    }
    let mut counts = HashMap::<_, usize>::new();
    ids.iter().filter_map(|id| words.get(id)).for_each(|first| *counts.entry(first).or_default() += 1);
    let name = |id: &String| match words.get(id) {
        Some(first) if counts.get(first) == Some(&1) => first.clone(),
        Some(first) => format!("{first} ({id})"),
        None => id.clone(),
    };
    Ok(ids.iter().map(name).collect())
}

/// The training pictures, class after class.
fn train(directory: &Path, ids: &[String]) -> Result<Vec<(PathBuf, usize)>, StreamError> {
    let mut pictures = vec![];
    for (label, id) in ids.iter().enumerate() {
        let folder = directory.join("train").join(id).join("images");
        let found = list(&folder).map_err(|(folder, error)| {
            StreamError::file(&folder, error.to_string()).with_hint(if folder.exists() { "" } else { HINT })
        })?;
        let own: Vec<_> = found.into_iter().map(|path| (path, label)).collect();
        // The list of a class's boxes is only used for this check, so it may be missing or empty.
        let boxes = directory.join("train").join(id).join(format!("{id}_boxes.txt"));
        if boxes.exists() {
            let named = text(&boxes)?;
            let named = named.lines().filter_map(|line| line.split_whitespace().next());
            let named: Vec<_> = named.map(|file| (folder.join(file), label)).collect();
            if !named.is_empty() {
                check_pictures(&boxes, &folder, &named)?;
            }
        }
        pictures.extend(own);
    }
    Ok(pictures)
}

/// The validation pictures, in the order of their annotations.
pub fn test(annotations: &str, images: &Path, ids: &[String]) -> Result<Vec<(PathBuf, usize)>, String> {
    let mut seen = HashSet::new();
    let labels: HashMap<_, _> = ids.iter().enumerate().map(|(label, id)| (id.as_str(), label)).collect();
    let picture = |(number, line): (usize, &str)| {
        let wrong = |cause: &str| {
            format!("line {} {cause}; accepted: a file's name, a tab, and a class of wnids.txt", number + 1)
        };
        let mut parts = line.split('\t');
        let (Some(file), Some(id)) = (parts.next(), parts.next()) else { return Err(wrong("does not have a tab")) };
        if file.is_empty() || file.contains(['/', '\\']) || file.starts_with('.') {
            return Err(wrong("does not name a file of val/images"));
        }
        if !seen.insert(file.to_owned()) {
            return Err(wrong(&format!("names {file} again")));
        }
        let label = labels.get(id.trim()).ok_or_else(|| wrong(&format!("has the unknown class {:?}", id.trim())))?;
        Ok((images.join(file), *label))
    };
    annotations.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(picture).collect()
}

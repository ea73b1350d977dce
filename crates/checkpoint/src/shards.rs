//! Opens the files that an index names. All must be in the folder of the index, and hold exactly the tensors that it
//! lists.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::error::Place;
use crate::index::ShardIndex;
use crate::links::{self, LEADS_OUT};
use crate::opened::OpenFile;
use crate::recognise::{Kind, kind};
use crate::shown::shown;
use crate::{CheckpointError, flat, parts, regular};

/// The most files of an index. They stay open, and a process may open only about a thousand.
const MOST_FILES: usize = 512;

/// Opens the files of an index, each with its path.
pub(crate) fn open(place: &Place, index: &ShardIndex) -> Result<Vec<(PathBuf, OpenFile)>, CheckpointError> {
    let folder = place.path().parent().unwrap_or(Path::new(""));
    // The first tensor of each file stands for it in messages.
    let mut files: BTreeMap<&str, &str> = BTreeMap::new();
    for (tensor, file) in index.iter() {
        files.entry(file).or_insert(tensor);
    }
    if files.len() > MOST_FILES {
        return Err(place.broken(format!("names {} files; accepted: at most {MOST_FILES}", files.len())));
    }
    for (set, there) in parts::sets(files.keys().copied()) {
        if let Some(problem) = set.problem(&there) {
            return Err(place.broken(problem));
        }
    }
    let mut opened = vec![];
    for (file, tensor) in files {
        let path = within(place, folder, file, tensor)?;
        let shard = open_one(&Place::new(&path))?;
        opened.push((file, path, shard));
    }
    check_same_tensors(place, index, &opened)?;
    Ok(opened.into_iter().map(|(_, path, shard)| (path, shard)).collect())
}

/// The path of a file. Checks that no link leads out of the folder.
fn within(place: &Place, folder: &Path, file: &str, tensor: &str) -> Result<PathBuf, CheckpointError> {
    let leads_out = links::leads_out(folder, file).map_err(|cause| {
        place.tensor(tensor, format!("is listed in the file {}, which cannot be opened ({cause})", shown(file)))
    })?;
    if leads_out {
        Err(place.tensor(tensor, format!("is listed in the file {}, {LEADS_OUT}", shown(file))))
    } else {
        Ok(folder.join(file))
    }
}

fn open_one(place: &Place) -> Result<OpenFile, CheckpointError> {
    let mut reader = BufReader::new(regular::open(place.path()).map_err(|cause| place.read(cause))?);
    match kind(&mut reader).map_err(|cause| place.read(cause))? {
        Kind::Safetensors => flat::open(place, reader),
        Kind::Empty => Err(Kind::Empty.refused(place)),
        _ => Err(place.broken("is not a safetensors file; accepted in an index: only safetensors files")),
    }
}

fn check_same_tensors(
    place: &Place,
    index: &ShardIndex,
    opened: &[(&str, PathBuf, OpenFile)],
) -> Result<(), CheckpointError> {
    let mut found = BTreeSet::new();
    for (file, path, shard) in opened {
        let shard_place = Place::new(path);
        for info in &shard.tensors {
            if !found.insert(info.name.as_str()) {
                return Err(shard_place.tensor(&info.name, "is also in another file of the same model"));
            }
            match index.file_of(&info.name) {
                None => return Err(shard_place.tensor(&info.name, "is not listed in the index of the model")),
                Some(other) if other != *file => {
                    let reason = format!("is in this file, but the index lists it in the file {}", shown(other));
                    return Err(shard_place.tensor(&info.name, reason));
                }
                Some(_) => {}
            }
        }
    }
    match index.iter().find(|(tensor, _)| !found.contains(tensor)) {
        Some((tensor, file)) => {
            Err(place.tensor(tensor, format!("is listed in the file {}, but is missing there", shown(file))))
        }
        None => Ok(()),
    }
}

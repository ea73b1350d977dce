//! Plans the files of a model, and which tensors go into which.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Place;
use crate::header::METADATA;
use crate::tensor::elements;
use crate::write::replaced::{index_of, replaced};
use crate::{CheckpointError, TensorInfo};

/// How a model is written.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// The metadata of the file. Hugging Face libraries require `format` = `pt`.
    pub metadata: BTreeMap<String, String>,
    /// The order of the tensors.
    pub order: Order,
    /// The most bytes of tensors in one file. If all tensors together have more, they are split into several files with
    /// an index. A tensor is never split, so a file may be larger.
    pub shard_bytes: Option<u64>,
    /// Files that must not be overwritten, such as the [`Checkpoint::files`](crate::Checkpoint::files) of the inputs.
    pub inputs: Vec<PathBuf>,
}

impl WriteOptions {
    /// The files that [`Writer::create`](crate::Writer::create) and [`finish`](crate::Writer::finish) would write for a
    /// model of these tensors, the index last. A caller can check which of them exist.
    ///
    /// # Errors
    /// Those of [`Writer::create`](crate::Writer::create), except the ones of the file system.
    pub fn planned(&self, path: impl AsRef<Path>, tensors: Vec<TensorInfo>) -> Result<Vec<PathBuf>, CheckpointError> {
        let plan = Plan::new(path.as_ref(), tensors, self)?;
        let index = plan.index.into_iter().map(|(path, _)| path);
        Ok(plan.files.into_iter().map(|(path, _)| path).chain(index).collect())
    }
}

/// The order in which tensors are given to a writer and stored in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The order of the declaration.
    #[default]
    Given,
    /// Sorted by name.
    ByName,
}

/// The planned files.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Each with its tensors.
    pub files: Vec<(PathBuf, Vec<TensorInfo>)>,
    /// The index and its JSON, where there are several files.
    pub index: Option<(PathBuf, Vec<u8>)>,
}

#[derive(Serialize)]
struct Index<'a> {
    metadata: Total,
    weight_map: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Total {
    total_size: u64,
}

impl Plan {
    pub(crate) fn new(
        path: &Path,
        mut tensors: Vec<TensorInfo>,
        options: &WriteOptions,
    ) -> Result<Self, CheckpointError> {
        let place = Place::new(path);
        let total = check(&place, &tensors)?;
        if options.order == Order::ByName {
            tensors.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let plan = match options.shard_bytes.filter(|limit| total > *limit) {
            None => Plan { files: vec![(path.to_owned(), tensors)], index: None },
            Some(limit) => Plan::in_several(&place, split(tensors, limit), total)?,
        };
        // If the folder cannot be read, writing to it reports the error.
        plan.check_inputs(&options.inputs, &replaced(path).unwrap_or_default())?;
        Ok(plan)
    }

    /// Named as Hugging Face names them: `model-00001-of-00002.safetensors`, `model.safetensors.index.json`.
    fn in_several(place: &Place, shards: Vec<Vec<TensorInfo>>, total: u64) -> Result<Self, CheckpointError> {
        let path = place.path();
        let (Some(name), Some(stem)) =
            (path.file_name().and_then(|name| name.to_str()), path.file_stem().and_then(|stem| stem.to_str()))
        else {
            return Err(place.broken(
                "has a name that is not valid UTF-8, so numbered files cannot be named after it; give another name",
            ));
        };
        let count = shards.len();
        let shard = |number: usize| format!("{stem}-{number:05}-of-{count:05}.safetensors");
        let names: Vec<_> = (1..=count).map(shard).collect();
        let listed = shards
            .iter()
            .zip(&names)
            .flat_map(|(tensors, file)| tensors.iter().map(|info| (info.name.as_str(), file.as_str())));
        let index = Index { metadata: Total { total_size: total }, weight_map: listed.collect() };
        let mut json = serde_json::to_vec_pretty(&index).map_err(|error| place.broken(error.to_string()))?;
        json.push(b'\n');
        let index = Some((index_of(path, name), json));
        let files = names.iter().zip(shards).map(|(name, tensors)| (path.with_file_name(name), tensors)).collect();
        Ok(Plan { files, index })
    }

    /// Checks that no input is replaced.
    fn check_inputs(&self, inputs: &[PathBuf], replaced: &[PathBuf]) -> Result<(), CheckpointError> {
        let inputs: HashSet<_> = inputs.iter().filter_map(|input| fs::canonicalize(input).ok()).collect();
        let index = self.index.iter().map(|(path, _)| path);
        for path in self.files.iter().map(|(path, _)| path).chain(index).chain(replaced) {
            if fs::canonicalize(path).is_ok_and(|path| inputs.contains(&path)) {
                return Err(Place::new(path).broken("is being read and must not be overwritten; give another name"));
            }
        }
        Ok(())
    }
}

/// Checks the tensors. Returns how many bytes all of them have.
fn check(place: &Place, tensors: &[TensorInfo]) -> Result<u64, CheckpointError> {
    let (mut names, mut total) = (HashSet::new(), 0_u64);
    for info in tensors {
        if info.name == METADATA {
            return Err(place.tensor(&info.name, "has a name that safetensors reserves"));
        }
        if !names.insert(info.name.as_str()) {
            return Err(place.tensor(&info.name, "was declared twice"));
        }
        let bytes = elements(&info.shape).and_then(|count| count.checked_mul(info.dtype.bytes()));
        total = bytes.and_then(|bytes| total.checked_add(bytes as u64)).ok_or_else(|| {
            place.tensor(&info.name, format!("has the shape {:?}, which is more than a file can hold", info.shape))
        })?;
    }
    Ok(total)
}

/// Puts as many tensors into each file as the limit allows, and at least one.
fn split(tensors: Vec<TensorInfo>, limit: u64) -> Vec<Vec<TensorInfo>> {
    let (mut shards, mut filled) = (vec![], 0);
    for info in tensors {
        let bytes = info.bytes();
        match shards.last_mut() {
            Some(shard) if filled + bytes <= limit => {
                filled += bytes;
                Vec::push(shard, info);
            }
            _ => {
                filled = bytes;
                shards.push(vec![info]);
            }
        }
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;

    fn tensors(sizes: &[(&str, usize)]) -> Vec<TensorInfo> {
        let info = |(name, size): &(&str, usize)| TensorInfo {
            name: (*name).to_owned(),
            dtype: Dtype::U8,
            shape: vec![*size],
        };
        sizes.iter().map(info).collect()
    }

    #[test]
    fn files_are_filled_up_to_the_limit() {
        let options = WriteOptions { shard_bytes: Some(10), ..WriteOptions::default() };
        let all = tensors(&[("a", 6), ("b", 4), ("c", 1), ("d", 30), ("e", 2)]);
        let plan = Plan::new(Path::new("out/model.safetensors"), all, &options).unwrap();
        let files: Vec<_> = plan.files.iter().map(|(path, all)| (path.to_str().unwrap(), all.len())).collect();
        assert_eq!(
            files,
            [
                ("out/model-00001-of-00004.safetensors", 2),
                ("out/model-00002-of-00004.safetensors", 1),
                ("out/model-00003-of-00004.safetensors", 1),
                ("out/model-00004-of-00004.safetensors", 1),
            ]
        );
        let (path, json) = plan.index.unwrap();
        assert_eq!(path, Path::new("out/model.safetensors.index.json"));
        let start =
            "{\n  \"metadata\": {\n    \"total_size\": 43\n  },\n  \"weight_map\": {\n    \"a\": \"model-00001-of";
        assert!(json.starts_with(start.as_bytes()), "{}", String::from_utf8_lossy(&json));
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is() {
        let huge = TensorInfo { name: "a".to_owned(), dtype: Dtype::F32, shape: vec![1 << 62] };
        let cases = [
            (tensors(&[("a", 1), ("a", 1)]), "`a` was declared twice"),
            (tensors(&[("__metadata__", 1)]), "safetensors reserves"),
            (vec![huge], "more than a file can hold"),
        ];
        for (all, expected) in cases {
            let error = Plan::new(Path::new("m"), all, &WriteOptions::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

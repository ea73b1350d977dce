//! Finds the model file in a folder.
//!
//! Parts of a model count only with their index, because only the index says which tensors belong to the set. Parts
//! without an index beside a whole file of the same name are left over from an interrupted replacement: the index is
//! written last and removed first. In that case, the whole file is the model.

use std::fs;
use std::path::PathBuf;

use crate::error::Place;
use crate::links::{self, LEADS_OUT};
use crate::parts::{self, INDEX, Part};
use crate::recognise::{Kind, kind};
use crate::shown::{listed, shown};
use crate::{CheckpointError, regular};

/// The only index or, if there is none, the only file with weights. Other files, such as a configuration, are ignored.
pub(crate) fn choose(place: &Place) -> Result<PathBuf, CheckpointError> {
    let files = files(place)?;
    let indices: Vec<_> = files.iter().filter(|(name, kind)| *kind == Kind::Index && name.ends_with(INDEX)).collect();
    let weights: Vec<_> = files
        .iter()
        .filter(|(_, kind)| matches!(kind, Kind::Safetensors | Kind::Archive | Kind::Pickle | Kind::Tar))
        .collect();
    let parts = parts::sets(weights.iter().map(|(name, _)| name.as_str()));
    let is_part = |name: &str| Part::named(name).is_some();
    let is_left_over = |name: &str| {
        let whole = Part::named(name).map(|part| part.set.whole());
        whole.is_some_and(|whole| weights.iter().any(|(other, _)| *other == whole))
    };
    let all = weights.len();
    let weights: Vec<_> = weights.iter().copied().filter(|(name, _)| !is_left_over(name)).collect();
    if let ([], true) = (&indices[..], weights.iter().any(|(name, _)| is_part(name)))
        && let Some((set, there)) = parts.first_key_value()
    {
        let missing =
            set.problem(there).unwrap_or_else(|| format!("holds parts of a model, such as {}", shown(&weights[0].0)));
        let others =
            if weights.len() > there.len() { format!(" (of {all} model files in the folder)") } else { String::new() };
        let index = shown(&set.index());
        return Err(place
            .broken(format!("{missing}, but not their index {index}{others}; accepted: all parts with their index")));
    }
    let chosen = match (&indices[..], &weights[..]) {
        ([(index, _)], _) => index,
        ([], [(file, _)]) => file,
        ([], []) => {
            let reason = "holds no model file; accepted: a safetensors file, several with their `….index.json`, or what \
                          `torch.save` writes";
            return Err(place.broken(reason));
        }
        ([], several) | (several, _) => {
            let names = listed(several.iter().map(|(name, _)| name.as_str()));
            return Err(place.broken(format!("holds more than one model; give the path of one of them: {names}")));
        }
    };
    if links::leads_out(place.path(), chosen).map_err(|cause| place.read(cause))? {
        Err(place
            .broken(format!("holds as its model {}, {LEADS_OUT}, or the path of the model file itself", shown(chosen))))
    } else {
        Ok(place.path().join(chosen))
    }
}

/// The files in the folder with their kinds, sorted by name. Hidden files are ignored.
fn files(place: &Place) -> Result<Vec<(String, Kind)>, CheckpointError> {
    let mut files = vec![];
    for entry in fs::read_dir(place.path()).map_err(|cause| place.read(cause))? {
        let path = entry.map_err(|cause| place.read(cause))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        if fs::metadata(&path).is_ok_and(|data| data.is_file()) {
            let kind = regular::open(&path).and_then(|mut file| kind(&mut file));
            files.push((name.to_owned(), kind.map_err(|cause| Place::new(&path).read(cause))?));
        }
    }
    files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[(&str, &[u8])]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let path = choose(&Place::new(folder.path())).map_err(|error| error.to_string())?;
        Ok(path.file_name().unwrap().to_str().unwrap().to_owned())
    }

    const FLAT: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

    #[test]
    fn one_model_is_found_among_other_files() {
        let files = [("config.json", &b"{}"[..]), ("README.md", b"# hello"), (".hidden", FLAT), ("model.bin", FLAT)];
        assert_eq!(chosen(&files).unwrap(), "model.bin");
    }

    #[test]
    fn an_index_goes_before_its_files() {
        let files = [("a.safetensors", FLAT), ("b.safetensors", FLAT), ("model.safetensors.index.json", b"{}")];
        assert_eq!(chosen(&files).unwrap(), "model.safetensors.index.json");
    }

    #[test]
    fn parts_without_their_index_are_refused() {
        let error = chosen(&[("m-00001-of-00003.safetensors", FLAT)]).unwrap_err();
        assert!(error.contains("`m-00002-of-00003.safetensors`, `m-00003-of-00003.safetensors`"), "{error}");
        assert!(error.contains("`m.safetensors.index.json`"), "{error}");
        let both = [("m-00001-of-00002.bin", FLAT), ("m-00002-of-00002.bin", FLAT)];
        assert!(chosen(&both).unwrap_err().contains("not their index `m.bin.index.json`"));
        // The state after an interrupted replacement.
        let files = [("m.safetensors", FLAT), ("m-00001-of-00002.safetensors", FLAT)];
        assert_eq!(chosen(&files).unwrap(), "m.safetensors");
        let files = [("other.safetensors", FLAT), ("m-00001-of-00002.safetensors", FLAT)];
        assert!(chosen(&files).unwrap_err().contains("`m-00002-of-00002.safetensors`"));
    }

    #[test]
    fn several_models_are_listed() {
        let error = chosen(&[("a.pt", b"PK\x03\x04"), ("b.safetensors", FLAT)]).unwrap_err();
        assert!(error.contains("`a.pt`, `b.safetensors`"), "{error}");
    }
}

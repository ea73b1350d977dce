//! The newest snapshot of a folder.

use std::fs;
use std::path::{Path, PathBuf};

/// What model files are called.
const ENDINGS: [&str; 5] = ["safetensors", "pt", "pth", "bin", "ckpt"];

/// The path itself; or, if it is a folder of several snapshots, the last of them by name. A folder with the index of a model in
/// several files is one model.
pub(crate) fn newest(path: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let is_index = |file: &PathBuf| file.to_string_lossy().ends_with(".index.json");
    let ends = |file: &PathBuf| file.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known));
    let mut models: Vec<_> = files.iter().filter(|file| ends(file)).collect();
    if files.iter().any(is_index) || models.len() < 2 {
        return path.to_owned();
    }
    models.sort_by_key(|file| in_numbers(file));
    models.last().map_or(path.to_owned(), |file| (*file).clone())
}

/// A file's name in parts, so that numbers compare as numbers: `step-9` comes before `step-10`.
fn in_numbers(file: &Path) -> Vec<(String, u64)> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut parts = vec![(String::new(), 0_u64)];
    for c in name.chars() {
        match (c.to_digit(10), parts.last_mut()) {
            (Some(digit), Some((_, number))) => *number = number.saturating_mul(10).saturating_add(u64::from(digit)),
            (None, Some((text, 0))) => text.push(c),
            (None, _) => parts.push((c.to_string(), 0)),
            (Some(_), None) => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_snapshot_is_that_with_the_largest_number() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), "x").unwrap();
        write("step-9.pt");
        assert_eq!(newest(folder.path()), folder.path(), "a single file is the folder's model");
        ["step-10.pt", "step-2.pt", "notes.txt"].into_iter().for_each(write);
        assert_eq!(newest(folder.path()), folder.path().join("step-10.pt"));
        assert_eq!(newest(&folder.path().join("step-2.pt")), folder.path().join("step-2.pt"));
        write("model.safetensors.index.json");
        assert_eq!(newest(folder.path()), folder.path());
    }
}

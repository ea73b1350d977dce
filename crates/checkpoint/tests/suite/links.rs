//! Where links may lead, and paths that are not files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use alluvium_checkpoint::{Checkpoint, NameMap};

use crate::by_hand::flat;

fn weights() -> Vec<u8> {
    flat(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, &[1])
}

fn said_of(path: &Path) -> String {
    match Checkpoint::open(path) {
        Ok(checkpoint) => format!("{:?}", checkpoint.read("a").unwrap().integers()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), weights()).unwrap();
    fs::write(folder.path().join("inside"), weights()).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map":{"a":"link"}}"#).unwrap();
    let link = folder.path().join("link");
    symlink(outside.path().join("secret"), &link).unwrap();
    let said = said_of(&index);
    assert!(said.contains("`a` is listed in the file `link`, a link that leads out of the folder"), "{said}");
    // It is not followed either if only the folder is given and the file is found there.
    for file in [&index, &folder.path().join("inside")] {
        fs::remove_file(file).unwrap();
    }
    let said = said_of(folder.path());
    assert!(said.contains("holds as its model `link`, a link that leads out of the folder"), "{said}");
    // It is followed if the user gives the link itself.
    assert_eq!(said_of(&link), "Some([1])");
}

#[test]
fn a_link_within_the_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".inside"), weights()).unwrap();
    symlink(".inside", folder.path().join("link")).unwrap();
    assert_eq!(said_of(folder.path()), "Some([1])");
    // The target of the link has another name than the index states, and is found all the same.
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map":{"a":"link"}}"#).unwrap();
    assert_eq!(said_of(&index), "Some([1])");
    assert_eq!(said_of(folder.path()), "Some([1])");
}

#[test]
fn the_cache_of_the_hub_is_read() {
    // The layout of `huggingface_hub`: every file of a snapshot is a link to a blob.
    let cache = tempfile::tempdir().unwrap();
    let model = cache.path().join("models--somebody--something");
    let (blobs, snapshot) = (model.join("blobs"), model.join("snapshots/0123abc"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(blobs.join("aa"), weights()).unwrap();
    fs::write(blobs.join("bb"), r#"{"weight_map":{"a":"model-00001-of-00001.safetensors"}}"#).unwrap();
    symlink("../../blobs/aa", snapshot.join("model-00001-of-00001.safetensors")).unwrap();
    symlink("../../blobs/bb", snapshot.join("model.safetensors.index.json")).unwrap();
    assert_eq!(said_of(&snapshot), "Some([1])");
    assert_eq!(said_of(&snapshot.join("model.safetensors.index.json")), "Some([1])");

    // Links to other files of the cache are refused, and so are blobs that are links themselves.
    fs::write(model.join("secret"), weights()).unwrap();
    let shard = snapshot.join("model-00001-of-00001.safetensors");
    for target in ["../../secret", "../../blobs/link"] {
        fs::remove_file(&shard).unwrap();
        symlink(target, &shard).unwrap();
        let _ = symlink("../secret", blobs.join("link"));
        let said = said_of(&snapshot);
        assert!(said.contains("leads out of the folder"), "{target}: {said}");
    }
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("model.safetensors");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let said = said_of(&pipe);
    assert!(said.contains("it is not a file, but a folder, a pipe or a device"), "{said}");
    let error = NameMap::open(&pipe).unwrap_err().to_string();
    assert!(error.contains("it is not a file, but a folder, a pipe or a device"), "{error}");
    assert!(said_of(folder.path()).contains("holds no model file"), "{}", said_of(folder.path()));
    let index = folder.path().join("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map":{"a":"model.safetensors"}}"#).unwrap();
    assert!(said_of(&index).contains("it is not a file"), "{}", said_of(&index));
}

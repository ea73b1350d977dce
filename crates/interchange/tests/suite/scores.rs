//! Scores of a foreign model on a stream. Its classes are matched with the stream's by name.

use std::collections::BTreeMap;
use std::path::Path;

use alluvium_checkpoint::{Dtype, TensorInfo, Values};
use alluvium_interchange::{ForeignModel, MANIFEST, Reading, score};
use alluvium_model::HeadSpec;
use alluvium_stream::{Samples, Task, Tasks};
use burn::tensor::Device;

use crate::files::{StateDict, mlp, named, open, save_with, words};

/// A perceptron whose latents are the first four of six pixels (rectified). Each row has one latent as its logit.
fn one_hot(rows: &[usize]) -> StateDict {
    let unit = |place: usize, of: usize| (0..of).map(|at| if at == place { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let tensors = [
        ("hidden.weight", vec![4, 6], (0..4).flat_map(|latent| unit(latent, 6)).collect()),
        ("hidden.bias", vec![4], vec![0.0; 4]),
        ("out.weight", vec![rows.len(), 4], rows.iter().flat_map(|latent| unit(*latent, 4)).collect()),
        ("out.bias", vec![rows.len()], vec![0.0; rows.len()]),
    ];
    let tensor = |(name, shape, values): (&str, Vec<usize>, Vec<f32>)| {
        (name.to_owned(), (TensorInfo { name: name.to_owned(), dtype: Dtype::F32, shape }, Values::Floats(values)))
    };
    tensors.into_iter().map(tensor).collect()
}

/// A stream of two tasks with two classes each. A sample is an image with two given bright pixels, the first at 255 and
/// the second at 200. All others are black, which is −1.
fn stream() -> Tasks {
    let sample = |samples: &mut Samples, pixels: [usize; 2], label: usize| {
        let mut image = [0; 6];
        (image[pixels[0]], image[pixels[1]]) = (255, 200);
        samples.push(&image, label);
    };
    let task = |index: usize, classes: [usize; 2], test: Samples| {
        let head = HeadSpec { name: format!("task-{index}"), classes: classes.to_vec() };
        Task { index, name: format!("task {index}"), head, train: test.clone(), test }
    };
    let (mut first, mut second) = (Samples::new([1, 2, 3].into()), Samples::new([1, 2, 3].into()));
    // First task: cat is pixel 0, dog pixel 1.
    sample(&mut first, [0, 1], 0); // right either way
    sample(&mut first, [2, 1], 1); // a cow's pixel is brighter: right only where the task is known
    sample(&mut first, [0, 3], 1); // wrong either way
    sample(&mut first, [1, 0], 1); // right either way
    // Second task: cow is pixel 2, fox pixel 3.
    sample(&mut second, [2, 3], 2); // right either way
    sample(&mut second, [3, 0], 2); // wrong either way
    let tasks = vec![task(0, [0, 1], first), task(1, [2, 3], second)];
    Tasks::new([1, 2, 3].into(), words("cat dog cow fox"), tasks).unwrap()
}

fn scores(model: &ForeignModel) -> Vec<(usize, Option<f64>, f64)> {
    let scores = score(model, &stream(), &Device::flex()).unwrap();
    scores.tasks.iter().map(|task| (task.known_classes, task.task_aware, task.task_agnostic)).collect()
}

fn save(folder: &Path, rows: &[usize], manifest: Option<&str>) -> std::path::PathBuf {
    let metadata = manifest.map(|text| (MANIFEST.to_owned(), text.to_owned()));
    save_with(&folder.join("m.safetensors"), &one_hot(rows), BTreeMap::from_iter(metadata))
}

#[test]
fn rows_answer_for_the_classes_of_their_names_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(folder.path(), &[3, 0, 2, 1], None);
    let model = named(&path, &mlp(folder.path()), "fox cat cow dog");
    assert_eq!(scores(&model), [(2, Some(0.75), 0.5), (2, Some(0.5), 0.5)]);
    let all = score(&model, &stream(), &Device::flex()).unwrap();
    // (0.75 + 0.5) / 2, (0.5 + 0.5) / 2, and 3 of 6 samples.
    assert_eq!((all.task_aware, all.task_agnostic, all.accuracy), (Some(0.625), 0.5, 0.5));
}

#[test]
fn a_model_of_one_task_knows_nothing_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(folder.path(), &[0, 1], None);
    // With cat and dog alone, the cow's pixel cannot win. Its other samples are all wrong.
    let model = named(&path, &mlp(folder.path()), "cat dog");
    assert_eq!(scores(&model), [(2, Some(0.75), 0.75), (0, None, 0.0)]);
    assert_eq!(score(&model, &stream(), &Device::flex()).unwrap().task_aware, None);
    // A class that the stream does not have competes where the task is unknown: here it is pixel 2's.
    let path = save(folder.path(), &[0, 1, 2], None);
    let model = named(&path, &mlp(folder.path()), "cat dog unicorn");
    assert_eq!(scores(&model)[0], (2, Some(0.75), 0.5));
}

#[test]
fn of_several_heads_the_one_of_the_task_answers_alone() {
    let folder = tempfile::tempdir().unwrap();
    // Two heads know the dog: in the second one it is pixel 0, which all but one sample of a dog do not show brightest.
    let manifest = r#"{"backbone":{"kind":"mlp","layers":[4]},"input":[1,2,3],"normalisation":{"mean":[0.5],"std":[0.5]},
        "heads":[{"name":"head-1","classes":["cat","dog"]},{"name":"head-2","classes":["dog","cow"]}]}"#;
    let path = save(folder.path(), &[0, 1, 0, 2], Some(manifest));
    let model = open(&path, &Reading { names: mlp(folder.path()).names, ..Reading::default() }).unwrap();
    assert_eq!(scores(&model)[0].1, Some(0.75), "head-1 answers");
    // If the task is unknown, the first of two equal rows answers: the cat's for pixel 0.
    assert_eq!(scores(&model)[0].2, 0.5);
    // The model knows only the cow of the second task, and predicts it for every sample: both are cows.
    assert_eq!((scores(&model)[1].0, scores(&model)[1].1), (1, Some(1.0)));
}

#[test]
fn a_stream_without_known_classes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(folder.path(), &[0, 1], None);
    let model = named(&path, &mlp(folder.path()), "Cat Dog");
    let error = score(&model, &stream(), &Device::flex()).unwrap_err().to_string();
    assert!(
        error.contains("knows no class of the stream") && error.contains("`Cat`") && error.contains("`cat`"),
        "{error}"
    );
    let reading = Reading { input: Some([1, 3, 2].into()), ..mlp(folder.path()) };
    let error = score(&named(&path, &reading, "cat dog"), &stream(), &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("1×3×2") && error.contains("1×2×3"), "{error}");
}

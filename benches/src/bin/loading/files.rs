//! The cost of reading pictures: an epoch over a dataset that is too large to be held in memory, from its files and from memory.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use alluvium_device::Augmentation;
use alluvium_stream::picture::{PictureFiles, Size};
use alluvium_stream::{Batches, DataSet, Samples, Seed, Split, SplitSettings, Task, TaskDataset, TaskStream};
use burn::tensor::Device;
use image::{Rgb, RgbImage};
use rand::RngExt;

/// The size of the pictures, as CORe50's are.
const SIDE: u32 = 128;
const BATCH: usize = 32;

/// Measures an epoch over `pictures` JPEGs, and prints Markdown.
pub fn measure(pictures: usize, compute: &Device) -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let task = task(folder.path(), pictures)?;
    println!("\n{pictures} JPEGs of 3×{SIDE}×{SIDE}, {} MiB as bytes\n", task.train.bytes() >> 20);
    println!("| batches of {BATCH}, cropped and flipped | seconds an epoch | peak memory so far, MiB |");
    println!("|---|---:|---:|");
    // The files come first, because the peak of memory never falls.
    row("from the files", &task, &task.train, compute);
    row("from memory, decoded before", &task, &task.train.held()?, compute);
    Ok(())
}

fn row(name: &str, task: &Task, samples: &Samples, compute: &Device) {
    let augmentation = Augmentation { crop_padding: 4, flip: true, ..Default::default() };
    let datasets = [TaskDataset { head: &task.head, samples }];
    let started = Instant::now();
    let order = Seed::new(4).random();
    let mut batches = Batches::augmented(augmentation, Seed::new(5), &datasets, BATCH, order, compute);
    (0..batches.per_epoch()).for_each(|_| _ = batches.next());
    let memory = peak_memory().map_or_else(String::new, |mebibytes| mebibytes.to_string());
    println!("| {name} | {:.2} | {memory} |", started.elapsed().as_secs_f64());
}

/// A task of pictures that are written into a folder: copies of a few hundred different ones.
fn task(folder: &Path, pictures: usize) -> Result<Task, Box<dyn Error + Send + Sync>> {
    let mut random = Seed::new(7).random();
    let path = |number: usize| folder.join(format!("{number}.jpg"));
    const DIFFERENT: usize = 200;
    for number in 0..pictures + 2 {
        if number >= DIFFERENT {
            fs::copy(path(number % DIFFERENT), path(number))?;
            continue;
        }
        let [red, green, noise] = [(); 3].map(|()| random.random_range(1..=2u32));
        let shade = |x: u32, y: u32| [red * x, green * y, x * y * noise / SIDE].map(|value| (value % 256) as u8);
        RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb(shade(x, y))).save(path(number))?;
    }
    let part = |numbers: std::ops::Range<usize>| {
        let pictures = numbers.map(|number| (path(number), number % 2));
        PictureFiles::new([3, SIDE as usize, SIDE as usize].into(), Size::Exact, pictures)
    };
    let names = vec!["even".to_owned(), "odd".to_owned()];
    let data = DataSet::new(names, part(0..pictures), part(pictures..pictures + 2));
    let split = Split {
        tasks: 1,
        classes_per_task: 2,
        class_order: None,
        train_samples_per_class: None,
        settings: SplitSettings::default(),
    };
    Ok(split.by_class(&data, Seed::new(6))?.task(0)?)
}

/// The largest memory of the process so far, if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kibibytes.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? >> 10)
}

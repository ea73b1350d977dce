//! The cost of augmentation: the seconds of a device epoch of 2 000 images of 3×32×32, with all images copied to the compute
//! device at once, and with batches made one by one, with more and more augmentation.
//!
//! `cargo run --release -p alluvium-benches --bin loading [ROUNDS [PICTURES]]` prints Markdown: medians over the rounds, in
//! which all settings alternate. The model computes on one thread, as in a cell of a comparison; batches are made in parallel, on
//! all cores. If a number of pictures is given, a second table follows: an epoch over this number of JPEGs, with the peak of
//! memory. From 5 500 on they are too large to be held in memory. `loading 0 8000` prints only the second table.

mod files;

use std::error::Error;
use std::time::Instant;

use alluvium_benches::{adapted, backbone, compute, taken, task};
use alluvium_device::{Augmentation, DeviceSettings};
use alluvium_model::{ModelState, Seed};
use alluvium_stream::{Batches, Task, TaskDataset};
use burn::tensor::Device;

const BACKBONES: [&str; 2] = ["small-cnn", "slim-resnet18"];
const INPUT: [usize; 3] = [3, 32, 32];
const SAMPLES: usize = 2000;
const NO_FLEX: &str = "the backend flex is not linked";

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let number = |index, default| std::env::args().nth(index).map_or(Ok(default), |number| number.parse::<usize>());
    let (rounds, pictures) = (number(1, 3)?, number(2, 0)?);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    if rounds > 0 {
        pool.install(|| measure(rounds))?;
    }
    match pictures {
        0 => Ok(()),
        _ => pool.install(|| files::measure(pictures, &compute("flex").ok_or(NO_FLEX)?)),
    }
}

/// The measured settings, from no augmentation to all.
fn settings() -> [(&'static str, Augmentation); 5] {
    let off = Augmentation::default();
    let crop = Augmentation { crop_padding: 4, flip: true, ..off };
    let colour = Augmentation { brightness: 0.4, contrast: 0.4, erasing: 0.5, ..crop };
    [
        ("none, as a whole", off),
        // Practically never.
        ("none, one by one", Augmentation { erasing: 1e-12, ..off }),
        ("crop and flip", crop),
        ("and colour, erasing", colour),
        ("and rotation", Augmentation { rotation: 15.0, ..colour }),
    ]
}

fn measure(rounds: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let compute = compute("flex").ok_or(NO_FLEX)?;
    let task = task(INPUT.into(), SAMPLES);
    let central = |kind| ModelState::initial(backbone(kind), INPUT.into(), Seed::new(1), &compute);
    let models = BACKBONES.map(central).into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut seconds = vec![vec![vec![]; 1 + models.len()]; settings().len()];
    for _ in 0..rounds {
        for ((_, augmentation), seconds) in settings().into_iter().zip(&mut seconds) {
            let started = Instant::now();
            batches_alone(&task, augmentation, &compute);
            seconds[0].push(started.elapsed().as_secs_f64());
            for (model, seconds) in models.iter().zip(&mut seconds[1..]) {
                let settings = DeviceSettings { epochs: 1, augmentation, ..Default::default() };
                let taken = taken(model);
                let started = Instant::now();
                adapted(&taken, &task, &settings, &[], &compute)?;
                seconds.push(started.elapsed().as_secs_f64());
            }
        }
    }
    println!("| augmentation | batches alone, s | {} |", BACKBONES.map(|kind| format!("{kind}, s")).join(" | "));
    println!("|---|---:|---:|---:|");
    for ((name, _), seconds) in settings().iter().zip(seconds) {
        let medians = seconds.into_iter().map(|seconds| format!("{:.3}", median(seconds)));
        println!("| {name} | {} |", medians.collect::<Vec<_>>().join(" | "));
    }
    Ok(())
}

/// Makes the batches of an epoch, without computing on them.
fn batches_alone(task: &Task, augmentation: Augmentation, compute: &Device) {
    let datasets = [TaskDataset { head: &task.head, samples: &task.train }];
    let order = Seed::new(4).random();
    let mut batches = Batches::augmented(augmentation, Seed::new(5), &datasets, 32, order, compute);
    (0..batches.per_epoch()).for_each(|_| _ = batches.next());
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

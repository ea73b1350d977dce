//! Devices that live elsewhere: the centre's process reads none of their samples, and the runner treats them like all others. They
//! may be late, or never answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_device::{
    Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceSettings, HandOut, OwnTask,
    TaskDataset, adapt,
};
use alluvium_experiment::{DirectoryOptions, Outcome, RunDirectory, RunOptions, Unobserved, run};
use alluvium_model::{InputShape, Progress, Seed, Silent};
use alluvium_results::Accuracy;
use alluvium_stream::{Samples, StreamConfig, StreamError, Task, TaskOutline, TaskStream, options, plugin};
use tempfile::TempDir;

use crate::doubles::COMPARISON;
use crate::run::numbers;

/// Squares whose training samples the centre's process cannot read.
#[options]
struct SealedConfig {}

#[plugin(kind = "sealed")]
impl StreamConfig for SealedConfig {
    fn build(&self, _seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        Ok(Box::new(Sealed { names: (0..6).map(|class| class.to_string()).collect() }))
    }
}

#[derive(Debug)]
struct Sealed {
    names: Vec<String>,
}

impl TaskStream for Sealed {
    fn input(&self) -> InputShape {
        [1, 2, 2].into()
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn tasks(&self) -> usize {
        3
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        panic!("the centre's process must not read the training samples of task {index}");
    }

    fn outline(&self, index: usize) -> Result<TaskOutline, StreamError> {
        Ok(whole(index).into())
    }
}

/// A task with the samples that its device has.
fn whole(index: usize) -> Task {
    let classes = vec![2 * index, 2 * index + 1];
    let samples = |shades: std::ops::Range<u8>| {
        let mut samples = Samples::new([1, 2, 2].into());
        for shade in shades {
            samples.push(&[200 + shade, 9 * index as u8, 0, 0], classes[0]);
            samples.push(&[0, 9 * index as u8, 0, 200 + shade], classes[1]);
        }
        samples
    };
    let name = format!("task {index}");
    let head = alluvium_model::HeadSpec { name: name.clone(), classes: classes.clone() };
    Task { index, name, head, train: samples(0..20), test: samples(20..40) }
}

/// Devices that have their own samples, answer at the third question, and of which one never answers.
#[options]
struct FarConfig {
    /// The device that is lost.
    lost: Option<usize>,
}

#[plugin(kind = "far")]
impl DeviceConfig for FarConfig {
    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        let lost = self.lost == Some(place.device);
        Ok(Box::new(Far { task: whole(place.device), lost, questions: 0, taken: None }))
    }
}

#[derive(Debug)]
struct Far {
    task: Task,
    lost: bool,
    questions: usize,
    taken: Option<HandOut>,
}

/// How often a device said that it is not ready.
static LATE: AtomicUsize = AtomicUsize::new(0);

impl Device for Far {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        let Task { name, head, train, .. } = &self.task;
        let digest = self.task.training_digest().expect("the samples are in memory");
        Ok(Announcement { task: name.clone(), head: head.clone(), samples: Some(train.len()), digest })
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        self.taken = Some(model);
        Ok(())
    }

    fn answer(&mut self, _progress: &dyn Progress) -> Result<Answer, DeviceError> {
        self.questions += 1;
        if self.lost {
            return Ok(Answer::Never);
        }
        if self.questions < 3 {
            LATE.fetch_add(1, Ordering::SeqCst);
            return Ok(Answer::Later);
        }
        let Some(taken) = self.taken.take() else { return Ok(Answer::Never) };
        let (settings, Task { name, head, train, .. }) =
            (DeviceSettings { epochs: 2, ..Default::default() }, &self.task);
        let own = OwnTask { name, dataset: TaskDataset { head, samples: train } };
        let expert = adapt(&taken, own, &settings, &[], &burn::tensor::Device::flex(), &Silent)?;
        Ok(Answer::Expert(Box::new(expert)))
    }
}

fn variants(device: &str) -> Vec<Variant> {
    let text = COMPARISON.replace("kind = \"squares\"\ntasks = 2", "kind = \"sealed\"");
    let text = text.replace("[device]\nepochs = 1", &format!("[device]\nkind = \"far\"\n{device}"));
    let source = ConfigSource::BuiltIn { name: "far.toml", text: &text };
    read_all(source, None, None).unwrap_or_else(|error| panic!("{error}"))
}

fn run_in(folder: &TempDir, device: &str) -> Outcome {
    let variants = variants(device);
    let directory = RunDirectory::open(folder.path(), &variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
    let outcome = run(&variants[0].experiment, &options).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome
}

#[test]
fn the_centre_reads_no_training_sample_and_waits_for_late_devices() {
    let folder = TempDir::new().unwrap();
    let results = run_in(&folder, "").results;
    assert!(LATE.load(Ordering::SeqCst) >= 6, "each of three devices is late twice");
    let cell = &results.rows[0].cells[0];
    assert_eq!((cell.contacts.as_slice(), cell.expert_accuracy.len()), (&[2, 2, 2][..], 3));
    assert_eq!(results.rows.len(), 1, "rows that need training samples are absent");
    assert!(
        results.notes[0].contains("devices-alone, joint") && results.notes[0].contains("\"far\""),
        "{:?}",
        results.notes
    );
    assert_eq!(results.tasks.iter().map(|task| task.train_samples).collect::<Vec<_>>(), [Some(40); 3]);
    assert!(cell.alone_accuracy.is_empty(), "no forward transfer");
    // All that is handed out is counted: more than the model alone.
    let model = std::fs::metadata(central(folder.path())).unwrap().len();
    assert!(cell.bytes_down[0] > 0 && cell.bytes_down[0] < model);

    let again = run_in(&folder, "");
    assert_eq!((again.stages.computed, numbers(&again.results)), (0, numbers(&results)), "everything is found again");
}

/// The last central model in a run directory, which has three heads.
fn central(folder: &std::path::Path) -> std::path::PathBuf {
    let stages = std::fs::read_dir(folder.join("cache")).unwrap().map(|stage| stage.unwrap().path());
    let models = stages.map(|stage| stage.join("central.safetensors")).filter(|file| file.exists());
    models.max_by_key(|file| std::fs::metadata(file).unwrap().len()).unwrap()
}

#[test]
fn the_stream_goes_on_without_a_device_that_never_answers() {
    let folder = TempDir::new().unwrap();
    let results = run_in(&folder, "lost = 1").results;
    let cell = &results.rows[0].cells[0];
    assert_eq!((cell.contacts.as_slice(), cell.arrivals.as_slice()), (&[2, 1, 2][..], &[0, 2][..]));
    let Accuracy::Stream { task_aware, .. } = &cell.accuracy else { panic!("{:?}", cell.accuracy) };
    assert_eq!((task_aware.tasks(), cell.bytes_up[1]), (2, 0));
}

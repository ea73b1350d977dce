//! A centre that is driven from outside: the same central model as in a comparison, also if its process is killed at any moment.

use std::path::Path;
use std::sync::Arc;

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_device::{Announcement, DeviceSettings, HandOut, OwnTask, TaskDataset, adapt};
use alluvium_experiment::{
    DeviceReport, DirectoryOptions, OpenCentre, OpenCentreError, OpenCentreOptions, OpenVisit, RunDirectory,
    RunOptions, RunStatus, Unobserved, run,
};
use alluvium_model::{Digest, Expert, ModelState, Seed, Silent};
use alluvium_results::{Accuracy, Results};
use alluvium_stream::Task;
use burn::tensor::Device as Compute;
use tempfile::TempDir;

use crate::doubles::COMPARISON;

fn variant() -> Variant {
    let source = ConfigSource::BuiltIn { name: "doubles.toml", text: COMPARISON };
    read_all(source, None, None).unwrap_or_else(|error| panic!("{error}")).remove(0)
}

fn open(folder: &Path) -> OpenCentre {
    OpenCentre::open(folder, variant(), &OpenCentreOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The devices of the stream, outside of any run: each has its own samples.
pub(crate) fn tasks() -> Vec<Task> {
    let stream = variant().experiment.stream.build(Seed::new(0)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

pub(crate) fn announced(task: &Task) -> Announcement {
    let digest = task.training_digest().unwrap();
    Announcement { task: task.name.clone(), head: task.head.clone(), samples: Some(task.train.len()), digest }
}

/// What the device of a task answers.
pub(crate) fn answer(task: &Task, taken: &HandOut) -> Expert {
    let settings: DeviceSettings = {
        let mut settings = taken.terms.settings.clone();
        settings.as_object_mut().unwrap().remove("kind");
        serde_json::from_value(settings).unwrap()
    };
    let dataset = TaskDataset { head: &task.head, samples: &task.train };
    let own = OwnTask { name: &task.name, dataset };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    // The model comes as bytes, as it would from far away.
    let model = ModelState::from_bytes(&taken.model.to_bytes().unwrap()).unwrap();
    let taken = HandOut { model: Arc::new(model), teacher: taken.teacher.clone(), terms: taken.terms.clone() };
    let expert = pool.install(|| adapt(&taken, own, &settings, &[], &Compute::flex(), &Silent)).unwrap();
    Expert::received(&expert.to_bytes().unwrap(), &taken.model).unwrap()
}

/// The results of the same configuration as a comparison.
pub(crate) fn compared(folder: &Path, variant: Variant) -> Results {
    let variants = [variant];
    let directory = RunDirectory::open(folder, &variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
    let outcome = run(&variants[0].experiment, &options).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome.results
}

/// The digest of the central model after the last device, and its accuracies.
fn driven(folder: &Path, kill: impl Fn(OpenCentre) -> OpenCentre) -> (Digest, Vec<f64>) {
    let tasks = tasks();
    let mut centre = open(folder);
    let mut accuracies = vec![];
    for task in &tasks {
        let visit = centre.hand_out(&announced(task)).unwrap();
        centre = kill(centre);
        let again = centre.under_way().unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].number, again[0].hand_out.parent()), (visit.number, visit.hand_out.parent()));
        let received = centre.receive(visit.number, answer(task, &again[0].hand_out), DeviceReport::default()).unwrap();
        accuracies = received.task_aware;
        centre = kill(centre);
        assert!(centre.under_way().unwrap().is_empty());
    }
    let digest = centre.central().unwrap().digest();
    let closed = centre.close().unwrap();
    let written = ModelState::from_bytes(&std::fs::read(closed.central).unwrap()).unwrap();
    assert_eq!(written.digest(), digest);
    (digest, accuracies)
}

#[test]
fn the_central_model_is_that_of_a_comparison_even_if_the_process_is_killed_after_every_contact() {
    let [one, other, whole] = [(); 3].map(|()| TempDir::new().unwrap());
    let results = compared(whole.path(), variant());
    let Accuracy::Stream { task_aware, .. } = &results.rows[0].cells[0].accuracy else { panic!("a stream") };
    let undisturbed = driven(one.path(), |centre| centre);
    // A process that is killed leaves what is on disk. The lock belongs to the operating system and ends with it.
    let killed = driven(other.path(), |centre| {
        drop(centre);
        open(other.path())
    });
    assert_eq!(undisturbed, killed);
    assert_eq!(undisturbed.1, task_aware.last_row());
    // The model that the comparison stored after its last device.
    assert_eq!(last_central(whole.path()), undisturbed.0);
}

/// The central models in a run directory.
fn walk(folder: &Path) -> Vec<Vec<u8>> {
    let stages = std::fs::read_dir(folder.join("cache")).unwrap().map(|stage| stage.unwrap().path());
    stages.filter_map(|stage| std::fs::read(stage.join("central.safetensors")).ok()).collect()
}

/// The folder of the centre that [`hands_out_and_is_killed`] opens.
const FOLDER: &str = "ALLUVIUM_OPEN_CENTRE";

#[test]
#[ignore = "a process that another test starts and kills"]
fn hands_out_and_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut centre = open(Path::new(&folder));
    centre.hand_out(&announced(&tasks()[0])).unwrap();
    std::fs::write(Path::new(&folder).join("handed-out"), "").unwrap();
    // Until it is killed.
    loop {
        std::thread::park();
    }
}

#[test]
fn a_process_that_is_killed_after_the_first_contact_can_be_replaced() {
    let [folder, whole] = [(); 2].map(|()| TempDir::new().unwrap());
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "open::hands_out_and_is_killed", "--ignored"]).env(FOLDER, folder.path());
    let mut process = process.stdout(std::process::Stdio::null()).spawn().unwrap();
    let begun = std::time::Instant::now();
    while !folder.path().join("handed-out").exists() {
        assert!(begun.elapsed().as_secs() < 120 && process.try_wait().unwrap().is_none(), "the process hands out");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // SIGKILL on Unix.
    process.kill().unwrap();
    process.wait().unwrap();

    let tasks = tasks();
    let mut centre = open(folder.path());
    assert!(RunStatus::read(folder.path()).is_ok(), "`alluvium status` reads the directory while the centre is open");
    let visit = centre.under_way().unwrap().remove(0);
    centre.receive(visit.number, answer(&tasks[0], &visit.hand_out), DeviceReport::default()).unwrap();
    let visit = centre.hand_out(&announced(&tasks[1])).unwrap();
    let received = centre.receive(visit.number, answer(&tasks[1], &visit.hand_out), DeviceReport::default()).unwrap();
    let results = compared(whole.path(), variant());
    let Accuracy::Stream { task_aware, .. } = &results.rows[0].cells[0].accuracy else { panic!("a stream") };
    assert_eq!(received.task_aware, task_aware.last_row());
    assert_eq!(centre.central().unwrap().digest(), last_central(whole.path()));
    centre.close().unwrap();
}

/// The digest of the central model after the second device of the comparison.
pub(crate) fn last_central(folder: &Path) -> Digest {
    let models = walk(folder).into_iter().map(|bytes| ModelState::from_bytes(&bytes).unwrap());
    models.max_by_key(|model| model.heads.len()).unwrap().digest()
}

/// Damages the stored central models.
fn damage(folder: &Path) {
    for stage in std::fs::read_dir(folder.join("cache")).unwrap() {
        let central = stage.unwrap().path().join("central.safetensors");
        if central.exists() {
            std::fs::write(central, "damaged").unwrap();
        }
    }
}

#[test]
fn a_damaged_stage_is_computed_again() {
    let folder = TempDir::new().unwrap();
    let tasks = tasks();
    let mut centre = open(folder.path());
    let OpenVisit { number, hand_out, announced: stated } = centre.hand_out(&announced(&tasks[0])).unwrap();
    let again = centre.visit(number).unwrap();
    assert_eq!((again.announced, again.hand_out.parent()), (stated, hand_out.parent()));
    assert!(centre.visit(number + 1).unwrap_err().to_string().contains("under way: 0"));
    centre.receive(number, answer(&tasks[0], &hand_out), DeviceReport::default()).unwrap();
    let digest = centre.central().unwrap().digest();
    drop(centre);
    damage(folder.path());
    let mut centre = open(folder.path());
    assert_eq!(centre.central().unwrap().digest(), digest);
    let OpenVisit { number, hand_out, .. } = centre.hand_out(&announced(&tasks[1])).unwrap();
    assert_eq!(hand_out.parent(), digest);

    // The model that a device took, while the device is under way.
    drop(centre);
    let mut centre = open(folder.path());
    damage(folder.path());
    centre.receive(number, answer(&tasks[1], &hand_out), DeviceReport::default()).unwrap();
    assert_eq!(centre.central().unwrap().heads.len(), 2);
}

#[test]
fn a_device_takes_part_once_for_a_task_and_answers_once() {
    let folder = TempDir::new().unwrap();
    let tasks = tasks();
    let mut centre = open(folder.path());
    let visit = centre.hand_out(&announced(&tasks[0])).unwrap();
    let expert = answer(&tasks[0], &visit.hand_out);
    centre.receive(visit.number, expert.clone(), DeviceReport::default()).unwrap();
    let twice = centre.receive(visit.number, expert, DeviceReport::default()).unwrap_err().to_string();
    assert!(twice.contains("visit 0 is not under way"), "{twice}");
    let third = centre.hand_out(&announced(&tasks[0])).unwrap_err().to_string();
    assert!(third.contains("2 contacts a device"), "{third}");
    // With another task, the device is welcome: a visit with two contacts of its own.
    let next = centre.hand_out(&announced(&tasks[1])).unwrap();
    centre.give_up(next.number).unwrap();
    let late = centre.receive(next.number, answer(&tasks[1], &next.hand_out), DeviceReport::default()).unwrap_err();
    assert!(matches!(late, OpenCentreError::NotUnderWay { visit: 1, .. }), "{late}");
    // It may not take a second model for a task: nothing is left for the answer, and the centre goes on.
    let again = centre.hand_out(&announced(&tasks[1])).unwrap_err().to_string();
    assert!(again.contains("took a model before"), "{again}");
    assert_eq!(centre.under_way().unwrap().len(), 0);
    let mut stranger = announced(&tasks[0]);
    stranger.task = "knitting".to_owned();
    let error = centre.hand_out(&stranger).unwrap_err().to_string();
    assert!(error.contains("\"knitting\"") && error.contains(&tasks[0].name), "{error}");
    let closed = centre.close().unwrap();
    assert_eq!(closed.results.rows[0].cells[0].contacts, [2, 1]);
}

#[test]
fn the_directory_of_a_comparison_is_refused_and_keeps_its_results() {
    let folder = TempDir::new().unwrap();
    let (json, file) = (compared(folder.path(), variant()).to_json().unwrap(), folder.path().join("results.json"));
    std::fs::write(&file, &json).unwrap();
    let error = OpenCentre::open(folder.path(), variant(), &OpenCentreOptions::default()).unwrap_err().to_string();
    assert!(error.contains("holds the results of a comparison"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), json);
    // A centre that nobody visited can be closed and opened again.
    let own = TempDir::new().unwrap();
    open(own.path()).close().unwrap();
    open(own.path());
}

#[test]
fn an_expert_that_contradicts_its_device_is_refused_and_the_visit_stays_open() {
    let folder = TempDir::new().unwrap();
    let tasks = tasks();
    let mut centre = open(folder.path());
    let visit = centre.hand_out(&announced(&tasks[0])).unwrap();
    let honest = answer(&tasks[0], &visit.hand_out);
    let refused = |centre: &mut OpenCentre, change: &dyn Fn(&mut Expert), texts: &[&str]| {
        let mut expert = honest.clone();
        change(&mut expert);
        expert.manifest.digest = expert.model.digest();
        let error = centre.receive(visit.number, expert, DeviceReport::default()).unwrap_err().to_string();
        assert!(texts.iter().all(|text| error.contains(text)), "{error}");
    };
    let other = Digest::of(b"another model");
    refused(&mut centre, &|expert| expert.manifest.parent = other.clone(), &["the parent", other.as_str()]);
    refused(&mut centre, &|expert| expert.manifest.samples += 1, &["samples", "as it announced"]);
    refused(&mut centre, &|expert| expert.model.heads[0].classes.reverse(), &["the head", "as it announced"]);
    let name = honest.model.weights.iter().next().unwrap().0.to_owned();
    let infinite = |expert: &mut Expert| {
        let mut values = expert.model.weights.get(&name).unwrap().clone();
        values.as_f32_mut().unwrap()[0] = f32::NAN;
        expert.model.weights.insert(name.clone(), values);
    };
    refused(&mut centre, &infinite, &[&name]);
    let wrong = |expert: &mut Expert| {
        let values = alluvium_model::Values::new(vec![1, 2], vec![0.0; 2]);
        expert.model.weights.insert(name.clone(), values);
    };
    refused(&mut centre, &wrong, &[&name, "[1, 2]", "the shape of its parent"]);
    centre.receive(visit.number, honest, DeviceReport::default()).unwrap();
}

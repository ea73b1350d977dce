//! A run of two devices and two strategies: its results, a run that was cut off and goes on, the same numbers for any number of
//! jobs, and what an observer is told.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_experiment::{
    DirectoryError, DirectoryOptions, Ending, ExperimentError, Observer, Outcome, PlannedCell, RunDirectory,
    RunOptions, Stage, Unobserved, Work, read_run, run,
};
use alluvium_model::ModelState;
use alluvium_results::{Accuracy, Results, Row};
use tempfile::TempDir;

use crate::doubles::COMPARISON;

/// The stages that a whole run computes. For each of two seeds, the first device adapts once for all rows. Both strategies take
/// its expert as it is, so the second device adapts once for both, and once alone. There are two consolidations for each
/// strategy, and one joint training: 1 + 1 + 1 + 4 + 1.
const COMPUTED: usize = 2 * 8;

/// The comparison with a second strategy, under two seeds.
fn variants(epochs: usize) -> Vec<Variant> {
    let text = COMPARISON.replace("epochs = 1", &format!("epochs = {epochs}"));
    let text = format!("{text}\n[[strategies]]\nkind = \"blend\"\nname = \"newest\"\nweight = 0.0\n");
    let source = ConfigSource::BuiltIn { name: "doubles.toml", text: &text };
    read_all(source, None, Some(vec![0, 1])).unwrap_or_else(|error| panic!("{error}"))
}

fn run_in(folder: &Path, jobs: usize, observer: &dyn Observer) -> Outcome {
    let variants = variants(1);
    let directory = RunDirectory::open(folder, &variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs, observer, directory: &directory, variant: "", models: false };
    run(&variants[0].experiment, &options).unwrap()
}

/// Everything that was measured except time and memory.
pub(crate) fn numbers(results: &Results) -> Vec<Row> {
    let mut rows = results.rows.clone();
    for cell in rows.iter_mut().flat_map(|row| &mut row.cells) {
        (cell.seconds, cell.peak_memory_bytes) = (0.0, None);
        cell.device_seconds.clear();
        cell.consolidation_seconds.clear();
        cell.elapsed_seconds.clear();
    }
    rows
}

#[test]
fn a_run_measures_every_row_under_every_seed() {
    let folder = TempDir::new().unwrap();
    let Outcome { results, failures, stages, repairs, sheets } = run_in(folder.path(), 1, &Unobserved);
    assert!(failures.is_empty() && repairs.is_empty(), "{failures:?} {repairs:?}");
    assert_eq!(stages.computed, COMPUTED);
    let names: Vec<_> = results.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["blend", "newest", "devices-alone", "joint"]);
    for row in &results.rows {
        assert_eq!(row.cells.iter().map(|cell| cell.seed).collect::<Vec<_>>(), [0, 1], "{}", row.name);
    }
    for name in ["blend", "newest"] {
        let row = results.row(name).unwrap();
        assert_eq!((row.kind.as_str(), row.protocol.as_str(), row.data_access.as_str()), ("blend", "dcl", "none"));
        for cell in &row.cells {
            let Accuracy::Stream { task_aware, .. } = &cell.accuracy else { panic!("{:?}", cell.accuracy) };
            assert_eq!((task_aware.tasks(), cell.expert_accuracy.len()), (2, 2));
            assert_eq!(cell.contacts, [2, 2]);
            // The first device starts from the initial weights, with the centre and alone, and its expert is taken as it is.
            assert_eq!(cell.expert_accuracy[0], cell.alone_accuracy[0]);
            assert_eq!(task_aware.at(0, 0), Some(cell.expert_accuracy[0]));
            let all = cell.bytes_down.iter().chain(&cell.bytes_up).sum::<u64>();
            assert!(all > 0 && cell.moved_bytes.last() == Some(&all), "{all} {:?}", cell.moved_bytes);
            if name == "newest" {
                assert_eq!(task_aware.at(1, 1), Some(cell.expert_accuracy[1]));
            }
        }
    }
    let titles: Vec<_> = sheets.iter().map(|sheet| sheet.title.as_str()).collect();
    assert_eq!(titles, ["Device 1: squares 0", "Device 2: squares 1"]);
}

#[test]
fn a_run_that_is_done_keeps_its_last_models_without_training() {
    let folder = TempDir::new().unwrap();
    let plain = run_in(folder.path(), 2, &Unobserved);
    assert!(plain.results.rows.iter().flat_map(|row| &row.cells).all(|cell| cell.model.is_none()));
    let variants = variants(1);
    let directory = RunDirectory::open(folder.path(), &variants, &DirectoryOptions::default()).unwrap();
    let options = RunOptions { jobs: 2, observer: &Unobserved, directory: &directory, variant: "", models: true };
    let Outcome { results, stages, .. } = run(&variants[0].experiment, &options).unwrap();
    assert_eq!(stages.computed, 0);
    let (mut files, mut digests) = (vec![], vec![]);
    for cell in ["blend", "newest"].iter().flat_map(|row| &results.row(row).unwrap().cells) {
        let file = cell.model.clone().unwrap();
        let model = ModelState::from_bytes(&fs::read(folder.path().join(&file)).unwrap()).unwrap();
        assert_eq!(model.heads.len(), 2, "{file}: a head for each device");
        files.push(file);
        digests.push(model.digest());
    }
    files.sort();
    assert_eq!(
        files,
        ["blend-seed-0", "blend-seed-1", "newest-seed-0", "newest-seed-1"]
            .map(|name| format!("models/{name}.safetensors"))
    );
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 4, "each cell has a model of its own");
    assert!(results.row("joint").unwrap().cells.iter().all(|cell| cell.model.is_none()));
    // The list of the folder's files has them, so damage is found.
    let listed = fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
    assert!(files.iter().all(|file| listed.contains(file.as_str())), "{listed}");
}

#[test]
fn the_number_of_jobs_does_not_change_the_numbers() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (one, two) = (run_in(one.path(), 1, &Unobserved), run_in(two.path(), 2, &Unobserved));
    assert!(two.failures.is_empty(), "{:?}", two.failures);
    assert_eq!(numbers(&one.results), numbers(&two.results));
    assert_eq!(one.stages.computed, two.stages.computed);
}

/// Lets nothing begin any more after the given number of beginnings, as if the process were killed.
struct CutOff {
    most: usize,
    begun: AtomicUsize,
}

impl Observer for CutOff {
    fn begins(&self, _work: Work<'_>) {
        assert!(self.begun.fetch_add(1, Ordering::Relaxed) < self.most, "the run is cut off here");
    }
}

#[test]
fn a_run_that_was_cut_off_goes_on_where_it_stopped() {
    let (folder, undisturbed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    // The first device under two seeds; of one cell a consolidation, its evaluation, and the second device.
    let cut = run_in(folder.path(), 1, &CutOff { most: 5, begun: AtomicUsize::new(0) });
    assert_eq!(cut.stages.computed, 4);
    assert!(cut.results.rows.iter().any(|row| row.cells.is_empty()));
    for failure in &cut.failures {
        assert!(
            matches!(failure, ExperimentError::Panicked { message, .. } if message.contains("cut off")),
            "{failure}"
        );
    }

    let rest = run_in(folder.path(), 1, &Unobserved);
    assert!(rest.failures.is_empty() && rest.repairs.is_empty(), "{:?} {:?}", rest.failures, rest.repairs);
    assert_eq!(rest.stages.computed, COMPUTED - 4);
    assert!(rest.stages.reused >= 4, "{:?}", rest.stages);
    let whole = run_in(undisturbed.path(), 1, &Unobserved);
    assert_eq!(numbers(&rest.results), numbers(&whole.results));

    let again = run_in(folder.path(), 2, &Unobserved);
    assert_eq!(again.stages.computed, 0, "everything is stored");
    assert_eq!(numbers(&again.results), numbers(&whole.results));
}

#[test]
fn a_damaged_stage_is_computed_again() {
    let folder = TempDir::new().unwrap();
    let whole = run_in(folder.path(), 1, &Unobserved);
    let entries = fs::read_dir(folder.path().join("cache")).unwrap();
    let mut records: Vec<_> = entries.map(|entry| entry.unwrap().path().join("record.json")).collect();
    records.retain(|record| record.exists());
    records.sort();
    assert_eq!(records.len(), COMPUTED);
    let text = fs::read(&records[0]).unwrap();
    fs::write(&records[0], &text[..text.len() / 2]).unwrap();

    let repaired = run_in(folder.path(), 1, &Unobserved);
    assert_eq!((repaired.stages.computed, repaired.repairs.len()), (1, 1), "{:?}", repaired.repairs);
    assert!(repaired.repairs[0].contains("record.json"), "{:?}", repaired.repairs);
    assert_eq!(numbers(&repaired.results), numbers(&whole.results));
}

/// Row, seed, device and stage, and whether the stage was found.
type EndedStage = (String, u64, usize, Stage, bool);

/// Keeps what it is told.
#[derive(Default)]
struct Recorder {
    planned: Mutex<Vec<PlannedCell>>,
    begun: Mutex<Vec<Stage>>,
    /// Row, seed, device and stage, and whether the stage was found.
    ended: Mutex<Vec<EndedStage>>,
    finished: Mutex<Vec<(String, u64)>>,
    steps: AtomicUsize,
}

impl Observer for Recorder {
    fn planned(&self, cells: &[PlannedCell], jobs: usize) {
        assert_eq!(jobs, 1);
        self.planned.lock().unwrap().extend_from_slice(cells);
    }

    fn begins(&self, work: Work<'_>) {
        self.begun.lock().unwrap().push(work.stage);
    }

    fn steps(&self, _work: Work<'_>, done: usize, steps: usize) {
        assert!(done <= steps, "{done} of {steps}");
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    fn ends(&self, work: Work<'_>, ending: Ending) {
        let Work { row, seed, device, stage, .. } = work;
        self.ended.lock().unwrap().push((row.to_owned(), seed, device, stage, ending.found));
    }

    fn cell_finished(&self, row: &str, cell: &alluvium_results::Cell) {
        self.finished.lock().unwrap().push((row.to_owned(), cell.seed));
    }
}

#[test]
fn an_observer_is_told_of_the_plan_the_stages_and_the_finished_cells() {
    let folder = TempDir::new().unwrap();
    let recorder = Recorder::default();
    run_in(folder.path(), 1, &recorder);
    let Recorder { planned, begun, ended, finished, steps } = recorder;

    let planned = planned.into_inner().unwrap();
    assert_eq!(planned.len(), 8, "four rows under two seeds: {planned:?}");
    // Two devices and two consolidations of each strategy, two devices alone, one joint training.
    let stages = planned.iter().map(|cell| cell.adaptations + cell.consolidations).sum::<usize>();
    assert_eq!(stages, 2 * (4 + 4 + 2 + 1));

    let ended = ended.into_inner().unwrap();
    assert_eq!(ended.len(), stages, "every planned stage ends");
    assert_eq!(ended.iter().filter(|(.., found)| !found).count(), COMPUTED);
    let of_blend: Vec<_> = ended.iter().filter(|(row, seed, ..)| row == "blend" && *seed == 1).collect();
    let of_blend: Vec<_> = of_blend.into_iter().map(|(_, _, device, stage, _)| (*device, *stage)).collect();
    let expected = [(1, Stage::Adapting), (1, Stage::Consolidating), (2, Stage::Adapting), (2, Stage::Consolidating)];
    assert_eq!(of_blend, expected);

    let begun = begun.into_inner().unwrap();
    let count = |stage| begun.iter().filter(|one| **one == stage).count();
    assert_eq!(count(Stage::Adapting) + count(Stage::Consolidating), COMPUTED, "what is found does not begin");
    assert_eq!(count(Stage::Evaluating), 8, "after every consolidation");

    let mut finished = finished.into_inner().unwrap();
    finished.sort();
    let expected = ["blend", "joint", "newest"].map(|row| [0, 1].map(|seed| (row.to_owned(), seed)));
    assert_eq!(finished, expected.concat());
    assert!(steps.into_inner() > 0);
}

#[test]
fn results_are_read_back_and_another_configuration_is_refused() {
    let folder = TempDir::new().unwrap();
    let results = run_in(folder.path(), 1, &Unobserved).results;
    assert!(matches!(read_run(folder.path()), Err(DirectoryError::Unfinished { .. })), "no results were written");
    let same = variants(1);
    let directory = RunDirectory::open(folder.path(), &same, &DirectoryOptions::default()).unwrap();
    let file = ("results.json".to_owned(), results.to_json().unwrap().into_bytes());
    directory.write_results(&same[0], &[file]).unwrap();
    drop(directory);
    assert_eq!(read_run(folder.path()).unwrap()[0].results, results);

    // Only the results, as for all rows of a deployment.
    let alone = TempDir::new().unwrap();
    assert!(matches!(read_run(alone.path()), Err(DirectoryError::NoRun { .. })));
    std::fs::write(alone.path().join("results.json"), results.to_json().unwrap()).unwrap();
    assert_eq!(read_run(alone.path()).unwrap()[0].results.rows, results.rows);
    std::fs::write(alone.path().join("results.json"), "{").unwrap();
    let error = read_run(alone.path()).unwrap_err().to_string();
    assert!(error.contains("results.json"), "{error}");

    let other = variants(2);
    let error = RunDirectory::open(folder.path(), &other, &DirectoryOptions::default()).unwrap_err().to_string();
    assert!(error.contains("another configuration") && error.contains("device.epochs: 1 → 2"), "{error}");
    let fresh = DirectoryOptions { fresh: true, ..Default::default() };
    RunDirectory::open(folder.path(), &other, &fresh).unwrap();
    assert!(matches!(read_run(folder.path()), Err(DirectoryError::Unfinished { .. })), "a fresh start removes them");
}

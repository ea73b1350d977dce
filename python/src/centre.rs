//! A centre that is driven from Python.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alluvium_device::Announcement;
use alluvium_experiment::{
    CentreFiles, DeviceReport, DirectoryOptions, OpenCentre, OpenCentreOptions, OpenTask, OpenVisit,
};
use alluvium_model::{Expert, HeadSpec};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;

use crate::drive::{Caller, drive};
use crate::failure::Failure;
use crate::remote::{DeviceStatement, Slip, packed};
use crate::run::StopOnly;
use crate::sources::Source;

/// A centre in a run directory. One contact at a time: a second thread waits.
#[pyclass(frozen, module = "alluvium._alluvium")]
pub(crate) struct NativeCentre {
    caller: Caller,
    /// `None` while a contact is under way, after it was closed, and after a contact was left behind by a second interruption.
    centre: Arc<Mutex<Option<OpenCentre>>>,
}

impl NativeCentre {
    /// Does something with the centre, in the thread of a drive.
    fn with<T: Send + 'static>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut OpenCentre) -> Result<T, Failure> + Send + 'static,
    ) -> PyResult<T> {
        let centre = self.centre.clone();
        drive(
            py,
            &self.caller,
            |_| Ok(()),
            move || {
                let mut centre = centre.lock().unwrap_or_else(PoisonError::into_inner);
                act(centre.as_mut().ok_or_else(closed)?)
            },
        )
    }
}

fn closed() -> Failure {
    Failure::config("the centre is closed; open it again with the same directory and configuration")
}

/// What is sent for a visit: its number and its bytes.
fn sent(centre: &OpenCentre, visit: &OpenVisit) -> Result<(usize, Vec<u8>), Failure> {
    let name = |class: &usize| centre.class_names().get(*class).cloned().unwrap_or_default();
    let classes = visit.announced.head.classes.iter().map(name).collect();
    let strategy = centre.experiment().strategies.first().filter(|row| !row.config.statistics().is_empty());
    let strategy = strategy.map(|row| serde_json::to_value(&row.config)).transpose();
    let strategy = strategy.map_err(|error| Failure::run(error.to_string()))?;
    let slip = Slip { visit: visit.number, announced: visit.announced.clone(), classes, strategy, entry: None };
    Ok((visit.number, packed(&slip, &visit.hand_out)?))
}

#[pymethods]
impl NativeCentre {
    /// Opens a centre, or opens it again.
    #[new]
    #[pyo3(signature = (directory, *, file, table, fresh, cache))]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        file: Option<String>,
        table: Option<String>,
        fresh: bool,
        cache: Option<PathBuf>,
    ) -> PyResult<Self> {
        let source = Source::of(file, table).map_err(|failure| failure.raise(py, None))?;
        let caller = Caller::default();
        let observer = Arc::new(StopOnly(caller.clone()));
        let centre = drive(
            py,
            &caller,
            |_| Ok(()),
            move || {
                let mut variants = source.read(None, None)?;
                if variants.len() != 1 {
                    let count = variants.len();
                    return Err(Failure::config(format!("a centre has one configuration, not a sweep of {count}")));
                }
                let directory_options = DirectoryOptions { fresh, cache, ..DirectoryOptions::default() };
                let options = OpenCentreOptions { directory: directory_options, observer };
                Ok(OpenCentre::open(&directory, variants.remove(0), &options)?)
            },
        )?;
        Ok(NativeCentre { caller, centre: Arc::new(Mutex::new(Some(centre))) })
    }

    /// The tasks of the stream as a JSON list, with strategy and seed.
    fn described(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |centre| {
            let names = centre.class_names().to_vec();
            let name = |class: &usize| names.get(*class).cloned().unwrap_or_default();
            let tasks: Vec<_> = centre
                .tasks()
                .into_iter()
                .map(|task| {
                    let HeadSpec { name: head, classes } = task.head;
                    let classes: Vec<_> = classes.iter().map(name).collect();
                    json!({"name": task.name, "head": head, "classes": classes, "visits": task.visits})
                })
                .collect();
            let experiment = centre.experiment();
            let row = experiment.strategies.first().map(|row| row.name.clone());
            Ok(json!({"tasks": tasks, "strategy": row, "seed": experiment.seeds.first()}).to_string())
        })
    }

    /// The first contact.
    fn hand_out<'py>(&self, py: Python<'py>, stated: &str) -> PyResult<(usize, Bound<'py, PyBytes>)> {
        let stated: DeviceStatement = serde_json::from_str(stated)
            .map_err(|error| Failure::config(format!("what the device states: {error}")).raise(py, None))?;
        let (number, bytes) = self.with(py, move |centre| {
            let announced = in_numbers(centre, stated)?;
            let visit = centre.hand_out(&announced)?;
            sent(centre, &visit)
        })?;
        Ok((number, PyBytes::new(py, &bytes)))
    }

    /// The visits that are under way.
    fn under_way<'py>(&self, py: Python<'py>) -> PyResult<Vec<(usize, Bound<'py, PyBytes>)>> {
        let visits = self.with(py, |centre| {
            let visits = centre.under_way()?;
            visits.iter().map(|visit| sent(centre, visit)).collect::<Result<Vec<_>, Failure>>()
        })?;
        Ok(visits.into_iter().map(|(number, bytes)| (number, PyBytes::new(py, &bytes))).collect())
    }

    /// The second contact: the expert as bytes. Returns what was measured, as JSON.
    #[pyo3(signature = (visit, expert, seconds, accuracy))]
    fn receive(
        &self,
        py: Python<'_>,
        visit: usize,
        expert: Vec<u8>,
        seconds: Option<f64>,
        accuracy: Option<f64>,
    ) -> PyResult<String> {
        let seconds = seconds.map(Duration::try_from_secs_f64).transpose();
        let seconds = seconds.map_err(|error| Failure::config(format!("seconds: {error}")).raise(py, None))?;
        self.with(py, move |centre| {
            let taken = centre.visit(visit)?;
            let read = Expert::received(&expert, &taken.hand_out.model);
            let expert = read.map_err(|error| Failure::file(format!("the expert of visit {visit}: {error}")))?;
            let received = centre.receive(visit, expert, DeviceReport { seconds, accuracy })?;
            Ok(json!({
                "expert_accuracy": received.expert_accuracy,
                "task_aware": received.task_aware,
                "task_agnostic": received.task_agnostic,
            })
            .to_string())
        })
    }

    /// Gives up a visit.
    fn give_up(&self, py: Python<'_>, visit: usize) -> PyResult<()> {
        self.with(py, move |centre| Ok(centre.give_up(visit)?))
    }

    /// The central model, as bytes.
    fn central<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(py, |centre| {
            let central = centre.central()?;
            central.to_bytes().map_err(|error| Failure::run(error.to_string()))
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Writes the results so far. Returns the file of the central model, and the results as JSON.
    fn write_results(&self, py: Python<'_>) -> PyResult<(String, String)> {
        self.with(py, |centre| files(centre.write_results()?))
    }

    /// Closes the centre. Returns the file of the central model, and the results as JSON.
    fn close(&self, py: Python<'_>) -> PyResult<(String, String)> {
        let centre = self.centre.clone();
        drive(
            py,
            &self.caller,
            |_| Ok(()),
            move || {
                let centre = centre.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(closed)?;
                files(centre.close()?)
            },
        )
    }

    /// Lets the run directory go, without giving up visits.
    fn release(&self, py: Python<'_>) {
        let centre = self.centre.clone();
        py.detach(|| drop(centre.lock().unwrap_or_else(PoisonError::into_inner).take()));
    }
}

fn files(written: CentreFiles) -> Result<(String, String), Failure> {
    let results = written.results.to_json().map_err(|error| Failure::run(error.to_string()))?;
    Ok((written.central.display().to_string(), results))
}

/// What a device states, in the numbers of the centre's stream.
fn in_numbers(centre: &OpenCentre, stated: DeviceStatement) -> Result<Announcement, Failure> {
    let DeviceStatement { task, head, classes, samples, digest } = stated;
    let names = centre.class_names();
    let number = |class: &String| {
        names.iter().position(|name| name == class).ok_or_else(|| {
            let accepted = names.join(", ");
            Failure::config(format!("the device of \"{task}\" states the class \"{class}\"; accepted: {accepted}"))
        })
    };
    let classes = classes.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let head = known_as(centre, &task, HeadSpec { name: head, classes });
    Ok(Announcement { task, head, samples, digest })
}

/// The head that the centre has for a device's task of this name and these classes. A device may call its head as it likes, and order its
/// classes as it likes.
fn known_as(centre: &OpenCentre, task: &str, stated: HeadSpec) -> HeadSpec {
    let sorted = |head: &HeadSpec| head.classes.iter().copied().collect::<BTreeSet<_>>();
    let fits = |own: &OpenTask| own.name == task && sorted(&own.head) == sorted(&stated);
    let fitting: Vec<_> = centre.tasks().into_iter().filter(fits).map(|own| own.head).collect();
    if fitting.contains(&stated) { stated } else { fitting.into_iter().next().unwrap_or(stated) }
}

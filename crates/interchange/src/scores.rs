//! Scores a foreign model on the tasks of a stream. Its classes are matched with the stream's by name.

use std::collections::HashMap;

use alluvium_checkpoint::listed;
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{BACKBONE, HeadSpec, Model, ModelState, Values};
use alluvium_stream::{TaskOutline, TaskStream};
use burn::tensor::Device;
use serde::Serialize;

use crate::consolidation::rows_of;
use crate::{ForeignModel, InterchangeError};

/// The accuracy of a model on one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskScore {
    /// The task's number in the stream, from 1.
    pub task: usize,
    /// The task's name.
    pub name: String,
    /// How many test samples it has.
    pub samples: usize,
    /// How many classes it has.
    pub classes: usize,
    /// How many of them the model knows.
    pub known_classes: usize,
    /// The accuracy in `[0, 1]` when the task is known: only the model's rows for the task's classes compete. If a head
    /// of the model has exactly these classes, only that head answers. Absent if the model knows none of the classes.
    pub task_aware: Option<f64>,
    /// The accuracy in `[0, 1]` when the task is unknown: all rows compete.
    pub task_agnostic: f64,
}

/// The accuracy of a model on all tasks of a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamScores {
    /// The scores of each task.
    pub tasks: Vec<TaskScore>,
    /// The mean of the tasks' task-aware accuracies. Absent if the model knows no class of some task.
    pub task_aware: Option<f64>,
    /// The mean of the tasks' task-agnostic accuracies.
    pub task_agnostic: f64,
    /// The fraction of all test samples that are classified correctly when all rows compete.
    pub accuracy: f64,
}

/// Scores a model on the test samples of a stream. The model runs in 32 bits, so weights of 64 bits are rounded.
///
/// # Errors
/// When inputs have another shape, no class of the model is in the stream, a weight does not fit 32 bits, or the model
/// or the samples cannot be read.
pub fn score(
    model: &ForeignModel,
    stream: &dyn TaskStream,
    compute: &Device,
) -> Result<StreamScores, InterchangeError> {
    let wrong = |problem: String| Err(InterchangeError::file(model.path(), problem));
    if model.input() != stream.input() {
        let (own, others) = (model.input(), stream.input());
        return wrong(format!(
            "takes inputs of {own}, but the stream has inputs of {others}; accepted: inputs of the same shape"
        ));
    }
    if model.heads().is_empty() {
        return wrong("has no classifier; accepted: a model with one".to_owned());
    }
    let names = stream.class_names();
    let indices: HashMap<_, _> = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let classes = model.classes();
    if !classes.iter().any(|class| indices.contains_key(class.as_str())) {
        let (own, others) = (classes.iter().map(String::as_str), names.iter().map(String::as_str));
        return wrong(format!(
            "knows no class of the stream; its classes: {}; the stream's: {}",
            listed(own),
            listed(others)
        ));
    }
    let mut in_stream = StreamModel::new(model, &indices, names.len())?;
    let tasks = (0..stream.tasks()).map(|index| {
        let task = stream.outline(index)?;
        let answering = in_stream.answering(&task)?;
        let loaded = Model::load(&in_stream.state, compute)?;
        Ok(score_task(&loaded, task, answering, compute))
    });
    let tasks = tasks.collect::<Result<Vec<_>, InterchangeError>>()?;
    Ok(StreamScores::of(tasks))
}

impl StreamScores {
    fn of(tasks: Vec<TaskScore>) -> Self {
        let count = tasks.len().max(1) as f64;
        let aware: Option<Vec<f64>> = tasks.iter().map(|task| task.task_aware).collect();
        let samples = tasks.iter().map(|task| task.samples).sum::<usize>().max(1) as f64;
        StreamScores {
            task_aware: aware.map(|all| all.iter().sum::<f64>() / count),
            task_agnostic: tasks.iter().map(|task| task.task_agnostic).sum::<f64>() / count,
            accuracy: tasks.iter().map(|task| task.task_agnostic * task.samples as f64).sum::<f64>() / samples,
            tasks,
        }
    }
}

/// The head that answers for a task when the task is known.
struct AnsweringHead {
    /// The head, if the model knows any of the classes.
    head: Option<HeadSpec>,
    known: usize,
}

fn score_task(model: &Model, task: TaskOutline, answering: AnsweringHead, compute: &Device) -> TaskScore {
    let (number, name, classes) = (task.index + 1, task.name.clone(), task.head.classes.len());
    let knows = answering.head.is_some();
    let head = answering.head.unwrap_or_else(|| task.head.clone());
    let test = TestSet::new(&TaskOutline { head, ..task }, compute);
    let scores = evaluate(model, &test);
    TaskScore {
        task: number,
        name,
        samples: test.len(),
        classes,
        known_classes: answering.known,
        task_aware: knows.then_some(scores.task_aware),
        task_agnostic: scores.task_agnostic,
    }
}

/// The model with the stream's class indices. If no head has exactly a task's classes, it gets a head of the rows that
/// have them.
struct StreamModel {
    state: ModelState,
    classifier: [Values; 2],
    /// The class of each row.
    rows: Vec<usize>,
    own_heads: Vec<HeadSpec>,
}

impl StreamModel {
    fn new(model: &ForeignModel, indices: &HashMap<&str, usize>, classes: usize) -> Result<Self, InterchangeError> {
        // A class that the stream does not have gets an index that no sample has.
        let mut strangers = HashMap::new();
        let mut number = |class: &String| match indices.get(class.as_str()) {
            Some(index) => *index,
            None => {
                let next = classes + strangers.len();
                *strangers.entry(class.clone()).or_insert(next)
            }
        };
        let heads: Vec<_> = model
            .heads()
            .iter()
            .map(|head| HeadSpec {
                name: format!("own-{}", head.name),
                classes: head.classes.iter().map(&mut number).collect(),
            })
            .collect();
        let rows = heads.iter().flat_map(|head| head.classes.iter().copied()).collect();
        let (backbone, input) = (model.backbone(), model.input());
        let mut state = ModelState::bare(backbone, input);
        // The model runs in 32 bits. `ForeignModel::is_rounded` reports that.
        state.weights.extend_below(BACKBONE, model.backbone_weights()?.rounded_to_single());
        let classifier = model.classifier()?.map(|tensor| tensor.rounded_to_single());
        let mut from = 0;
        for head in &heads {
            let own: Vec<_> = (from..from + head.classes.len()).collect();
            from += own.len();
            state.set_head(head.clone(), rows_of(&classifier, &own));
        }
        // A value too large for 32 bits would become an infinity.
        state.weights.check_finite().map_err(|error| InterchangeError::file(model.path(), error))?;
        Ok(StreamModel { state, classifier, rows, own_heads: heads })
    }

    /// The head that answers for a task. A head of chosen rows replaces the last such head. Rows that occur in two
    /// heads do not change the task-agnostic accuracy, because they give the same logits.
    fn answering(&mut self, task: &TaskOutline) -> Result<AnsweringHead, InterchangeError> {
        let wanted = &task.head.classes;
        let known = wanted.iter().filter(|class| self.rows.contains(class)).count();
        let same = |head: &&HeadSpec| {
            head.classes.len() == wanted.len() && wanted.iter().all(|class| head.classes.contains(class))
        };
        self.state = self.state.with_heads(|head| self.own_heads.contains(head));
        if let Some(head) = self.own_heads.iter().find(same) {
            return Ok(AnsweringHead { head: Some(head.clone()), known });
        }
        let rows: Vec<_> = (0..self.rows.len()).filter(|row| wanted.contains(&self.rows[*row])).collect();
        if rows.is_empty() {
            return Ok(AnsweringHead { head: None, known });
        }
        let classes = rows.iter().map(|row| self.rows[*row]).collect();
        let head = HeadSpec { name: "chosen".to_owned(), classes };
        self.state.set_head(head.clone(), rows_of(&self.classifier, &rows));
        Ok(AnsweringHead { head: Some(head), known })
    }
}

//! The task stream and its tasks.

use std::fmt::Debug;
use std::path::PathBuf;

use alluvium_model::{Digest, HeadSpec, InputShape, Seed};
use serde::{Deserialize, Serialize};

use crate::{Normalisation, Samples, SoundClip, StreamError, ValueType};

/// The number of samples that are read from disk at a time.
const PIECE: usize = 256;

/// How the tasks of a stream differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Each task has its own classes and its own head.
    ClassShift,
    /// All tasks have the same classes and one head. Their inputs come from different domains.
    DomainShift,
    /// All tasks have the same classes and one head. They differ in how often each class occurs.
    LabelSkew,
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Scenario::ClassShift => "class-shift",
            Scenario::DomainShift => "domain-shift",
            Scenario::LabelSkew => "label-skew",
        })
    }
}

/// What one device learns: samples of the classes of its head. Call [`check`](Task::check) after building one.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its number in the stream, from 0.
    pub index: usize,
    /// A name for people: the classes, or the domain.
    pub name: String,
    /// The head of the task, with its classes. Tasks that name the same head share it.
    pub head: HeadSpec,
    /// The device's private training samples.
    pub train: Samples,
    /// Test samples of the same classes, for the evaluator.
    pub test: Samples,
}

impl Task {
    /// Checks that there are training and test samples, and that the head has the class of each.
    ///
    /// # Errors
    /// [`StreamError::EmptyTask`], or [`StreamError::ForeignLabel`] with the first label that the head does not have.
    pub fn check(&self) -> Result<(), StreamError> {
        check_part(&self.name, &self.head, "training", &self.train)?;
        check_part(&self.name, &self.head, "test", &self.test)
    }

    /// The digest of what the device alone has: the number, name and head of its task, and every training sample with its
    /// label.
    ///
    /// # Errors
    /// [`StreamError::File`] when a sample on disk cannot be read.
    pub fn training_digest(&self) -> Result<Digest, StreamError> {
        Task { test: self.test.select([]), ..self.clone() }.digest()
    }

    /// The digest of the whole task: its number, name and head, and every sample with its label. Different tasks have
    /// different digests.
    ///
    /// # Errors
    /// [`StreamError::File`] when a sample on disk cannot be read.
    pub fn digest(&self) -> Result<Digest, StreamError> {
        // The lengths of the following parts. Without them, a training sample could not be told from a test sample.
        let mut lengths = vec![self.name.len() as u64];
        lengths.extend(self.kind_of_inputs());
        lengths.extend(self.train.input().sizes().iter().map(|size| *size as u64));
        lengths.extend([self.train.len() as u64, self.test.len() as u64]);
        let lengths = lengths.into_iter().flat_map(u64::to_le_bytes).collect();
        let mut failed = None;
        let parts = self.bytes().map_while(|part| part.map_err(|error| failed = Some(error)).ok());
        let digest = Digest::of_parts(std::iter::once(lengths).chain(parts));
        failed.map_or(Ok(digest), Err)
    }

    /// The rank of inputs and the type of their values, as numbers. There is nothing to say about pictures whose bytes become
    /// −1…1; the digests of these are older than other inputs.
    fn kind_of_inputs(&self) -> Vec<u64> {
        let (rank, value_type) = (self.train.input().rank() as u64, self.train.value_type());
        match value_type {
            ValueType::Bytes(own) if rank == 3 && own == Normalisation::default() => vec![],
            ValueType::Bytes(Normalisation { divisor, offset }) => {
                vec![u64::MAX, rank, u64::from(divisor.to_bits()), u64::from(offset.to_bits())]
            }
            ValueType::Numbers => vec![u64::MAX, rank],
        }
    }

    /// The whole task as bytes, part by part: its number, name and head as text; then, for each training sample and
    /// each test sample, the label (64 bits, little-endian) and the values of the input.
    ///
    /// # Errors
    /// A part is [`StreamError::File`] when a sample on disk cannot be read.
    pub fn bytes(&self) -> impl Iterator<Item = Result<Vec<u8>, StreamError>> {
        let text = format!("{} {} {:?}", self.index, self.name, self.head).into_bytes();
        let pieces = [&self.train, &self.test].into_iter().flat_map(|samples| samples.pieces(PIECE));
        let samples = pieces.map(|piece| {
            let piece = piece?;
            let sample = |index| piece.targets().bytes(index).into_iter().chain(piece.value_bytes(index));
            Ok((0..piece.len()).flat_map(sample).collect())
        });
        std::iter::once(Ok(text)).chain(samples)
    }
}

/// A task as the centre may know it: everything but the device's training samples.
#[derive(Debug, Clone)]
pub struct TaskOutline {
    /// The task's number in the stream, from 0.
    pub index: usize,
    /// A name for people: the classes, or the domain.
    pub name: String,
    /// The head of the task, with its classes.
    pub head: HeadSpec,
    /// Test samples of these classes, for the evaluator.
    pub test: Samples,
}

impl TaskOutline {
    /// Checks that there are test samples, and that the head has the class of each.
    ///
    /// # Errors
    /// [`StreamError::EmptyTask`], or [`StreamError::ForeignLabel`] with the first label that the head does not have.
    pub fn check(&self) -> Result<(), StreamError> {
        check_part(&self.name, &self.head, "test", &self.test)
    }

    /// The digest of the outline: its number, name and head, and every test sample with its label.
    ///
    /// # Errors
    /// [`StreamError::File`] when a sample on disk cannot be read.
    pub fn digest(&self) -> Result<Digest, StreamError> {
        let train = self.test.select([]);
        Task { index: self.index, name: self.name.clone(), head: self.head.clone(), train, test: self.test.clone() }
            .digest()
    }
}

/// A test set that no task has.
#[derive(Debug, Clone)]
pub struct FurtherTest {
    /// A name for people and for files, unique in the stream.
    pub name: String,
    /// Its samples. Some model of the stream has their classes in some head.
    pub test: Samples,
}

impl From<Task> for TaskOutline {
    fn from(task: Task) -> Self {
        TaskOutline { index: task.index, name: task.name, head: task.head, test: task.test }
    }
}

/// Checks one part of a task.
fn check_part(task: &str, head: &HeadSpec, part: &'static str, samples: &Samples) -> Result<(), StreamError> {
    if samples.is_empty() {
        return Err(StreamError::EmptyTask { task: task.to_owned(), part });
    }
    if let Err(label) = samples.targets().indices_within(head) {
        let (task, classes) = (task.to_owned(), head.classes.clone());
        return Err(StreamError::ForeignLabel { task, part, label, classes });
    }
    Ok(())
}

/// The ordered tasks, one per device. [`StreamConfig`] has an example; [`Tasks`] is such a stream in memory.
pub trait TaskStream: Debug + Send + Sync {
    /// The shape of one input.
    fn input(&self) -> InputShape;

    /// The type of the values of inputs. Default: bytes from −1 to 1.
    fn value_type(&self) -> ValueType {
        ValueType::default()
    }

    /// The name of each class; a label is an index into this list.
    fn class_names(&self) -> &[String];

    /// The number of tasks.
    fn tasks(&self) -> usize;

    /// Notes about the data that are not errors but may surprise, such as classes without samples. Each is a sentence.
    fn notes(&self) -> Vec<String> {
        vec![]
    }

    /// The test sets beside the tasks' own: samples that no task has, such as those of a domain without a device. The centre is
    /// judged on them whenever it is judged on the tasks so far, over all heads. Default: none.
    ///
    /// # Errors
    /// When their samples cannot be read.
    fn further_tests(&self) -> Result<Vec<FurtherTest>, StreamError> {
        Ok(vec![])
    }

    /// The sound of a training sample of a task, for people to listen to, if samples are sounds. Default: none.
    fn sound(&self, _task: usize, _sample: usize) -> Option<SoundClip> {
        None
    }

    /// Returns one task. A stream may read the task's samples now or later.
    ///
    /// # Errors
    /// When the task does not exist, its samples cannot be read, or [`Task::check`] fails.
    fn task(&self, index: usize) -> Result<Task, StreamError>;

    /// Returns one task without its training samples. Override it if the test samples can be read alone: the centre calls only
    /// this method unless the devices live in its process. Default: reads the whole task.
    ///
    /// # Errors
    /// As [`task`](Self::task).
    fn outline(&self, index: usize) -> Result<TaskOutline, StreamError> {
        Ok(self.task(index)?.into())
    }
}

/// The `[stream]` table: which stream, and its options.
///
/// A stream of tasks of two shades of grey each, which passes the conformance tests:
///
/// ```
/// use alluvium_model::HeadSpec;
/// use alluvium_stream::{Samples, Seed, StreamConfig, StreamError, Task, TaskStream, Tasks, conformance, options, plugin};
///
/// /// Tasks of two shades each.
/// #[options]
/// struct ShadesConfig {
///     /// The number of tasks.
///     #[schemars(range(min = 1, max = 100))]
///     #[default(3)]
///     tasks: usize,
/// }
///
/// #[plugin(kind = "shades")]
/// impl StreamConfig for ShadesConfig {
///     fn build(&self, _seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
///         let task = |index: usize| {
///             let classes = vec![2 * index, 2 * index + 1];
///             let mut samples = Samples::new([1, 2, 2].into());
///             classes.iter().for_each(|class| samples.push(&[*class as u8; 4], *class));
///             let (train, test) = (samples.clone(), samples);
///             Task { index, name: format!("shades {index}"), head: HeadSpec { name: format!("{index}"), classes }, train, test }
///         };
///         let names = (0..2 * self.tasks).map(|class| format!("shade {class}")).collect();
///         Ok(Box::new(Tasks::new([1, 2, 2].into(), names, (0..self.tasks).map(task).collect())?))
///     }
/// }
///
/// conformance::check_stream(&ShadesConfig { tasks: 2 });
/// ```
#[typetag::serde(tag = "kind")]
pub trait StreamConfig: Debug + Send + Sync {
    /// How the tasks of this stream differ.
    fn scenario(&self) -> Scenario {
        Scenario::ClassShift
    }

    /// Builds the stream. Everything random in it (the order of classes, the assignment of domains) follows from the
    /// seed.
    ///
    /// # Errors
    /// When the data cannot be read or an option does not fit them.
    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError>;

    /// Whether the stream has samples. Default: yes. One that only declares tasks serves a centre whose devices have the samples:
    /// its [outlines](TaskStream::outline) have no test samples, so nothing is judged there.
    fn holds_samples(&self) -> bool {
        true
    }

    /// The files that the data are read from.
    fn files(&self) -> Vec<PathBuf> {
        vec![]
    }

    /// A digest of the code that makes the data outside this program and [`files`](Self::files). Where the data do not tell what is
    /// computed again, as those of surrogate data do not, it does. Default, `None`: all its code is in the program.
    fn revision(&self) -> Option<Digest> {
        None
    }

    /// The kinds of the streams whose data this stream holds: its own kind, or those of the streams that it combines.
    fn kinds(&self) -> Vec<String> {
        vec![self.typetag_name().to_owned()]
    }
}

/// A stream whose tasks are all in memory.
#[derive(Debug, Clone)]
pub struct Tasks {
    /// The shape of one input.
    pub input: InputShape,
    /// The name of each class.
    pub class_names: Vec<String>,
    /// The tasks, in order.
    pub tasks: Vec<Task>,
}

impl Tasks {
    /// Creates a stream from these tasks.
    ///
    /// # Errors
    /// Those of [`Task::check`], for the first task that fails.
    pub fn new(input: InputShape, class_names: Vec<String>, tasks: Vec<Task>) -> Result<Self, StreamError> {
        tasks.iter().try_for_each(Task::check)?;
        Ok(Tasks { input, class_names, tasks })
    }
}

impl TaskStream for Tasks {
    fn input(&self) -> InputShape {
        self.input
    }

    fn value_type(&self) -> ValueType {
        self.tasks.first().map(|task| task.train.value_type()).unwrap_or_default()
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn tasks(&self) -> usize {
        self.tasks.len()
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        let missing = StreamError::NoSuchTask { index, tasks: self.tasks.len() };
        self.tasks.get(index).cloned().ok_or(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two training samples and a test sample of one pixel.
    fn task() -> Task {
        let samples = |shades: &[(u8, usize)]| {
            let mut samples = Samples::new([1, 1, 1].into());
            shades.iter().for_each(|(shade, label)| samples.push(&[*shade], *label));
            samples
        };
        let head = HeadSpec { name: "own".to_owned(), classes: vec![4, 7] };
        Task { index: 2, name: "a".to_owned(), head, train: samples(&[(1, 4), (2, 7)]), test: samples(&[(3, 7)]) }
    }

    #[test]
    fn the_digest_is_that_of_its_parts_one_after_another() {
        let mut bytes = vec![];
        // Lengths of the name, the image and the parts.
        [1, 1, 1, 1, 2, 1].iter().for_each(|length: &u64| bytes.extend(length.to_le_bytes()));
        bytes.extend(br#"2 a HeadSpec { name: "own", classes: [4, 7] }"#);
        for (label, shade) in [(4, 1), (7, 2), (7, 3)] {
            bytes.extend([label, 0, 0, 0, 0, 0, 0, 0, shade]);
        }
        assert_eq!(task().digest().unwrap(), Digest::of(&bytes));
    }

    #[test]
    fn different_tasks_have_different_digests() {
        let changed = |change: fn(&mut Task)| {
            let mut task = task();
            change(&mut task);
            task.digest().unwrap()
        };
        let digests = [
            changed(|_| {}),
            changed(|task| task.index = 3),
            changed(|task| task.name = "b".to_owned()),
            changed(|task| task.head.name = "other".to_owned()),
            changed(|task| task.head.classes = vec![7, 4]),
            changed(|task| task.train = task.train.clone().relabelled(|_, label| 11 - label)),
            changed(|task| task.train = task.train.select([1, 0])),
            // The same bytes as vectors, and numbers in their place.
            changed(|task| task.train = Samples::of_bytes([1].into(), vec![1, 2], vec![4, 7])),
            changed(|task| task.train = Samples::of_numbers([1].into(), vec![1.0, 2.0], vec![4, 7])),
            changed(|task| task.train = Samples::of_numbers([1, 1, 1].into(), vec![1.0, 2.0], vec![4, 7])),
            // The same samples in the same order, but the second one is for testing.
            changed(|task| {
                let second = task.train.select([1]);
                (task.train, task.test) = (task.train.select([0]), {
                    let mut test = second;
                    test.extend(&task.test);
                    test
                });
            }),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "case {index}");
        }
        assert_eq!(task().digest().unwrap(), task().digest().unwrap());
    }

    #[test]
    fn a_task_without_samples_or_with_a_foreign_label_is_refused() {
        let error = |change: fn(&mut Task)| {
            let mut task = task();
            change(&mut task);
            let input = task.train.input();
            Tasks::new(input, vec![], vec![self::task(), task]).unwrap_err().to_string()
        };
        assert!(Tasks::new([1, 1, 1].into(), vec![], vec![task()]).is_ok());
        let empty = error(|task| task.test = task.test.select([]));
        assert!(empty.contains("\"a\" has no test samples"), "{empty}");
        let foreign = error(|task| task.train = task.train.clone().relabelled(|_, label| label + 1));
        assert!(foreign.contains("\"a\"") && foreign.contains("training sample of class 5"), "{foreign}");
        assert!(foreign.contains("accepted: 4, 7"), "{foreign}");
        let foreign = error(|task| task.test = task.test.clone().relabelled(|_, _| 0));
        assert!(foreign.contains("test sample of class 0"), "{foreign}");
    }
}

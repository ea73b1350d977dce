//! Labelled inputs, in memory or on disk.

use std::fmt::{self, Debug};
use std::sync::{Arc, OnceLock};

use alluvium_model::InputShape;

use crate::target::Targets;
use crate::values::{SampleValues, ValueSlice};
use crate::{SoundClip, StreamError, ValueType};

/// One part of a data set, training or test: its labels, and how to read its inputs.
///
/// A split only looks at labels. The inputs of a task are read when the task is requested. If the part has more than
/// 256 MiB, the inputs of a batch are read when the batch is needed. So a data set may be larger than the memory.
pub trait DataPart: Debug + Send + Sync {
    /// The shape of all inputs.
    fn input(&self) -> InputShape;

    /// The type of their values. Default: bytes from −1 to 1.
    fn value_type(&self) -> ValueType {
        ValueType::default()
    }

    /// The class of each input, as a number within the data set.
    fn labels(&self) -> &[usize];

    /// Reads the inputs with these indices, in this order, with their labels. Every index is below the number of
    /// labels. Calls may come from any thread, for a whole task or repeatedly for batches.
    ///
    /// # Errors
    /// [`StreamError::File`] of the first input, in this order, that cannot be read.
    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError>;

    /// The sound of the input with this index, for people to listen to, if inputs are sounds. Default: none.
    fn sound(&self, _index: usize) -> Option<SoundClip> {
        None
    }
}

/// Labelled inputs of one shape: bytes with a [`Normalisation`](crate::Normalisation), or 32-bit numbers. Clones share the
/// values.
///
/// The values are in memory or on disk. From disk, [`pieces`](Self::pieces) reads some at a time, and
/// [`held`](Self::held) reads all.
#[derive(Clone)]
pub struct Samples {
    input: InputShape,
    value_type: ValueType,
    location: Location,
    targets: Targets,
}

/// Where the values are.
#[derive(Clone)]
enum Location {
    /// In memory, one sample after another.
    Held(Arc<SampleValues>),
    /// In a data set.
    OnDisk(Arc<OnDisk>),
}

/// Some samples of a data set.
struct OnDisk {
    part: Arc<dyn DataPart>,
    indices: Vec<usize>,
    /// All samples in memory, after the first request for a single one.
    held: OnceLock<Samples>,
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Samples({} of {})", self.len(), self.input)
    }
}

impl Samples {
    /// No samples of bytes yet, with the default normalisation.
    pub fn new(input: InputShape) -> Self {
        Self::of_type(input, ValueType::default())
    }

    /// No samples yet, whose values have this type.
    pub fn of_type(input: InputShape, value_type: ValueType) -> Self {
        let location = Location::Held(Arc::new(value_type.none()));
        Samples { input, value_type, location, targets: Targets::default() }
    }

    /// Creates samples from the bytes of one input after another, and their labels.
    ///
    /// # Panics
    /// When there are not as many inputs as labels, which is a defect of the reader.
    pub fn of_bytes(input: InputShape, bytes: Vec<u8>, labels: Vec<usize>) -> Self {
        assert_eq!(bytes.len(), labels.len() * input.values(), "values of {} inputs of {input}", labels.len());
        let location = Location::Held(Arc::new(SampleValues::Bytes(bytes)));
        Samples { location, targets: labels.into(), ..Self::new(input) }
    }

    /// Creates samples from the 32-bit numbers of one input after another, and their labels.
    ///
    /// # Panics
    /// When there are not as many inputs as labels, which is a defect of the reader.
    pub fn of_numbers(input: InputShape, numbers: Vec<f32>, labels: Vec<usize>) -> Self {
        assert_eq!(numbers.len(), labels.len() * input.values(), "values of {} inputs of {input}", labels.len());
        let location = Location::Held(Arc::new(SampleValues::Numbers(numbers)));
        Samples { location, targets: labels.into(), ..Self::of_type(input, ValueType::Numbers) }
    }

    /// Creates samples that stay on disk: those of a data set with these indices. Use it for a stream whose tasks
    /// may be larger than the memory.
    ///
    /// # Panics
    /// When an index is not below the number of the data set's labels. This is a defect of the stream.
    pub fn on_disk(part: &Arc<dyn DataPart>, indices: &[usize]) -> Self {
        let targets = indices.iter().map(|index| part.labels()[*index]).collect();
        let on_disk = OnDisk { part: Arc::clone(part), indices: indices.to_vec(), held: OnceLock::new() };
        let location = Location::OnDisk(Arc::new(on_disk));
        Samples { input: part.input(), value_type: part.value_type(), location, targets }
    }

    /// The shape of one input.
    pub fn input(&self) -> InputShape {
        self.input
    }

    /// The type of the values.
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values of all inputs.
    pub fn values(&self) -> usize {
        self.len().saturating_mul(self.input.values())
    }

    /// The size of the inputs in bytes, in memory or on disk.
    pub fn bytes(&self) -> usize {
        self.values().saturating_mul(self.value_type.size())
    }

    /// The class of each sample, as a number within the stream.
    pub fn labels(&self) -> &[usize] {
        self.targets.classes()
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The values of one input, 0 to 255; of a picture, `[channels, height, width]`. If the samples are on disk, the first
    /// call reads and keeps all of them. Use [`pieces`](Self::pieces) or [`select`](Self::select) if there may be many.
    ///
    /// # Panics
    /// When the values are numbers; or when the samples are on disk and cannot be read.
    pub fn image(&self, index: usize) -> &[u8] {
        match self.slice(index) {
            ValueSlice::Bytes(bytes) => bytes,
            ValueSlice::Numbers(_) => panic!("the values of the samples are 32-bit numbers, not bytes"),
        }
    }

    /// The values of one input that are 32-bit numbers. As [`image`](Self::image) otherwise.
    ///
    /// # Panics
    /// When the values are bytes; or when the samples are on disk and cannot be read.
    pub fn numbers(&self, index: usize) -> &[f32] {
        match self.slice(index) {
            ValueSlice::Numbers(numbers) => numbers,
            ValueSlice::Bytes(_) => panic!("the values of the samples are bytes, not 32-bit numbers"),
        }
    }

    /// The values of one input as bytes, for digests and comparisons: 32-bit numbers are little-endian.
    ///
    /// # Panics
    /// When the samples are on disk and cannot be read.
    pub fn value_bytes(&self, index: usize) -> Vec<u8> {
        self.slice(index).to_bytes()
    }

    /// The values that a network is given for one input.
    ///
    /// # Panics
    /// When `into` does not have the size of an input; or when the samples are on disk and cannot be read.
    pub fn write_input(&self, index: usize, into: &mut [f32]) {
        self.slice(index).inputs(self.value_type, into);
    }

    fn slice(&self, index: usize) -> ValueSlice<'_> {
        let size = self.input.values();
        match &self.location {
            Location::Held(values) => values.slice(index * size, size),
            Location::OnDisk(on_disk) => on_disk.held.get_or_init(|| read(self.held())).slice(index),
        }
    }

    /// The same samples with their values in memory.
    ///
    /// # Errors
    /// [`StreamError::File`] when one of them cannot be read.
    pub fn held(&self) -> Result<Samples, StreamError> {
        match &self.location {
            Location::Held(_) => Ok(self.clone()),
            Location::OnDisk(on_disk) => {
                let held = on_disk.part.read(&on_disk.indices)?.held()?;
                Ok(Samples { targets: self.targets.clone(), ..held })
            }
        }
    }

    /// The samples in order, in pieces of the given number of samples. Each piece is read when it is reached.
    ///
    /// # Errors
    /// An item is [`StreamError::File`] when one of the piece's inputs cannot be read.
    ///
    /// # Panics
    /// When `samples` is 0.
    pub fn pieces(&self, samples: usize) -> impl Iterator<Item = Result<Samples, StreamError>> {
        let starts = (0..self.len()).step_by(samples);
        starts.map(move |start| self.select(start..self.len().min(start + samples)).held())
    }

    /// Adds one picture, or another input of bytes, of the stream's class `label`.
    ///
    /// # Panics
    /// When the input does not have the samples' shape or values of their type, which is a defect of the reader; and as
    /// [`image`](Self::image).
    pub fn push(&mut self, image: &[u8], label: usize) {
        self.push_values(ValueSlice::Bytes(image), label);
    }

    fn push_values(&mut self, values: ValueSlice<'_>, label: usize) {
        assert_eq!(values.len(), self.input.values(), "values of an input of shape {}", self.input);
        self.values_mut().extend(values);
        self.targets.push(label);
    }

    /// The samples with these indices, in this order. Samples on disk are not read.
    pub fn select(&self, indices: impl IntoIterator<Item = usize>) -> Samples {
        match &self.location {
            Location::Held(_) => {
                let mut selected = Samples::of_type(self.input, self.value_type);
                for index in indices {
                    selected.push_values(self.slice(index), self.labels()[index]);
                }
                selected
            }
            Location::OnDisk(on_disk) => {
                let (own, labels): (Vec<_>, Vec<_>) =
                    indices.into_iter().map(|index| (on_disk.indices[index], self.labels()[index])).unzip();
                Samples { targets: labels.into(), ..Samples::on_disk(&on_disk.part, &own) }
            }
        }
    }

    /// The same inputs with other labels: `label` computes the new one from the index and the old one.
    pub fn relabelled(mut self, label: impl Fn(usize, usize) -> usize) -> Samples {
        self.targets.replace(label);
        self
    }

    /// Adds all samples of `other`.
    ///
    /// # Panics
    /// When they have another shape or values of another type; and as [`image`](Self::image).
    pub fn extend(&mut self, other: &Samples) {
        assert_eq!(self.input, other.input, "samples of one shape");
        let other = read(other.held());
        if let Location::Held(values) = &other.location {
            self.values_mut().extend(values.all());
        }
        self.targets.extend(&other.targets);
    }

    /// The values in memory, for adding more.
    fn values_mut(&mut self) -> &mut SampleValues {
        if let Location::OnDisk(_) = self.location {
            *self = read(self.held());
        }
        match &mut self.location {
            Location::Held(values) => Arc::make_mut(values),
            Location::OnDisk(_) => unreachable!("samples are held once they were read"),
        }
    }
}

/// Unwraps samples where no error can be returned. A run reads every sample of its stream once before it computes
/// anything, so an error here means that a file was changed or removed since.
pub(crate) fn read(samples: Result<Samples, StreamError>) -> Samples {
    samples.unwrap_or_else(|error| panic!("samples can no longer be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::read_each;

    /// Images of one pixel, ten times their index, that count how many were read. Those from `broken` on cannot be
    /// read.
    #[derive(Debug)]
    struct Counting {
        labels: Vec<usize>,
        broken: usize,
        read: AtomicUsize,
    }

    impl DataPart for Counting {
        fn input(&self) -> InputShape {
            [1, 1, 1].into()
        }

        fn labels(&self) -> &[usize] {
            &self.labels
        }

        fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
            read_each(self, indices, |index, image| {
                if index >= self.broken {
                    return Err(StreamError::file(Path::new("gone.png"), "is gone"));
                }
                self.read.fetch_add(1, Ordering::SeqCst);
                image.copy_from_slice(&[10 * index as u8]);
                Ok(())
            })
        }
    }

    fn counting(broken: usize) -> Arc<Counting> {
        Arc::new(Counting { labels: (0..10).collect(), broken, read: AtomicUsize::new(0) })
    }

    fn images(samples: &Samples) -> Vec<u8> {
        (0..samples.len()).map(|index| samples.image(index)[0]).collect()
    }

    #[test]
    fn samples_on_disk_are_read_when_they_are_needed_and_no_more_of_them() {
        let counting = counting(10);
        let own = Arc::clone(&counting) as Arc<dyn DataPart>;
        let samples = Samples::on_disk(&own, &[7, 3, 5, 1]).relabelled(|_, label| label + 100);
        let selected = samples.select([3, 1, 0]);
        assert_eq!((samples.labels(), selected.labels()), (&[107, 103, 105, 101][..], &[101, 103, 107][..]));
        assert_eq!((selected.len(), selected.bytes(), counting.read.load(Ordering::SeqCst)), (3, 3, 0));
        let mut pieces = selected.pieces(2);
        let first = pieces.next().unwrap().unwrap();
        assert_eq!((images(&first), first.labels()), (vec![10, 30], &[101, 103][..]));
        assert_eq!(counting.read.load(Ordering::SeqCst), 2);
        assert_eq!(images(&pieces.next().unwrap().unwrap()), [70]);
        assert!(pieces.next().is_none());
        let held = samples.held().unwrap();
        assert_eq!((images(&held), held.labels()), (vec![70, 30, 50, 10], samples.labels()));
        assert_eq!(counting.read.load(Ordering::SeqCst), 7);
        // A request for a single image reads all of them, once.
        assert_eq!((images(&samples), samples.image(2)), (vec![70, 30, 50, 10], &[50][..]));
        assert_eq!(counting.read.load(Ordering::SeqCst), 11);
    }

    #[test]
    fn samples_in_memory_and_on_disk_can_be_joined() {
        let own = counting(10) as Arc<dyn DataPart>;
        let mut samples = Samples::new([1, 1, 1].into());
        samples.push(&[5], 20);
        samples.extend(&Samples::on_disk(&own, &[2, 4]));
        let mut other = Samples::on_disk(&own, &[1]);
        other.extend(&samples);
        assert_eq!((images(&other), other.labels()), (vec![10, 5, 20, 40], &[1, 20, 2, 4][..]));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_names_the_file() {
        let own = counting(5) as Arc<dyn DataPart>;
        let samples = Samples::on_disk(&own, &[3, 4, 5, 6]);
        assert_eq!(samples.held().unwrap_err().to_string(), "gone.png: is gone");
        let pieces: Vec<_> = samples.pieces(2).map(|piece| piece.is_ok()).collect();
        assert_eq!(pieces, [true, false]);
    }
}

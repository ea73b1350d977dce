//! One labelled data set, before it is split over devices.

use std::collections::HashMap;
use std::sync::Arc;

use alluvium_model::InputShape;

use crate::{DataPart, Samples, SoundClip, StreamError, ValueType};

/// A part of a data set whose inputs have at most this many bytes is read one task at a time. In a larger part, a
/// task's inputs stay on disk and are read one batch at a time.
const MOST_READ_AT_ONCE: usize = 256 << 20;
/// The largest number of classes that a note names.
const NAMES_SHOWN: usize = 12;

/// A labelled data set with its own division into training and test samples. Both parts have inputs of one shape.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The name of each class; a label is an index into this list.
    pub class_names: Vec<String>,
    /// The training samples.
    pub train: Arc<dyn DataPart>,
    /// The test samples.
    pub test: Arc<dyn DataPart>,
}

impl DataSet {
    /// Creates a data set from two parts.
    pub fn new(class_names: Vec<String>, train: impl DataPart + 'static, test: impl DataPart + 'static) -> Self {
        Self::of_parts(class_names, Arc::new(train), Arc::new(test))
    }

    /// Creates a data set from two parts whose type is erased.
    pub(crate) fn of_parts(class_names: Vec<String>, train: Arc<dyn DataPart>, test: Arc<dyn DataPart>) -> Self {
        let [train, test] = [train, test].map(|part| on_demand(part, MOST_READ_AT_ONCE));
        DataSet { class_names, train, test }
    }

    /// Checks that no two classes have one name.
    ///
    /// # Errors
    /// [`StreamError::SameName`].
    pub(crate) fn check_names(&self) -> Result<(), StreamError> {
        let mut numbers = HashMap::new();
        for (second, name) in self.class_names.iter().enumerate() {
            if let Some(first) = numbers.insert(name, second) {
                return Err(StreamError::SameName { name: name.clone(), first, second });
            }
        }
        Ok(())
    }

    /// Which classes have no training or no test samples: a sentence for each part that lacks some.
    pub(crate) fn notes(&self) -> Vec<String> {
        let note = |(part, data): (&str, &Arc<dyn DataPart>)| {
            let mut empty = vec![true; self.class_names.len()];
            for label in data.labels() {
                if let Some(empty) = empty.get_mut(*label) {
                    *empty = false;
                }
            }
            let names: Vec<_> = self.class_names.iter().zip(empty).filter(|(_, empty)| *empty).collect();
            let more = names.len().saturating_sub(NAMES_SHOWN);
            let shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(|(name, _)| format!("\"{name}\"")).collect();
            let shown = shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() };
            let class = if names.len() == 1 { "class" } else { "classes" };
            (!names.is_empty()).then(|| format!("there are no {part} samples of the {class} {shown}"))
        };
        [("training", &self.train), ("test", &self.test)].into_iter().filter_map(note).collect()
    }

    /// The shape of one input.
    pub fn input(&self) -> InputShape {
        self.train.input()
    }

    /// The type of the values of inputs.
    pub fn value_type(&self) -> ValueType {
        self.train.value_type()
    }
}

/// The same part. If its inputs have more than `most_bytes`, they stay on disk until they are needed.
fn on_demand(part: Arc<dyn DataPart>, most_bytes: usize) -> Arc<dyn DataPart> {
    let values = part.labels().len().saturating_mul(part.input().values());
    let small = values.saturating_mul(part.value_type().size()) <= most_bytes;
    if small { part } else { Arc::new(OnDemand(part)) }
}

/// A part whose samples stay on disk until they are needed.
#[derive(Debug)]
struct OnDemand(Arc<dyn DataPart>);

impl DataPart for OnDemand {
    fn input(&self) -> InputShape {
        self.0.input()
    }

    fn value_type(&self) -> ValueType {
        self.0.value_type()
    }

    fn labels(&self) -> &[usize] {
        self.0.labels()
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        Ok(Samples::on_disk(&self.0, indices))
    }

    fn sound(&self, index: usize) -> Option<SoundClip> {
        self.0.sound(index)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Images of two pixels that cannot be read.
    #[derive(Debug)]
    struct BrokenImages;

    impl DataPart for BrokenImages {
        fn input(&self) -> InputShape {
            [1, 1, 2].into()
        }

        fn labels(&self) -> &[usize] {
            &[4, 7, 4]
        }

        fn read(&self, _: &[usize]) -> Result<Samples, StreamError> {
            Err(StreamError::file(Path::new("a.png"), "is broken"))
        }
    }

    /// A data set of some classes with these labels.
    fn of_labels(names: &[&str], train: &[usize], test: &[usize]) -> DataSet {
        let samples = |labels: &[usize]| {
            let mut samples = Samples::new([1, 1, 1].into());
            labels.iter().for_each(|label| samples.push(&[0], *label));
            samples
        };
        DataSet::new(names.iter().map(|name| (*name).to_owned()).collect(), samples(train), samples(test))
    }

    #[test]
    fn classes_without_samples_are_named() {
        assert!(of_labels(&["a", "b"], &[0, 1], &[1, 0]).notes().is_empty());
        assert_eq!(of_labels(&["a", "b"], &[0, 1], &[1]).notes(), ["there are no test samples of the class \"a\""]);
        assert_eq!(
            of_labels(&["a", "b", "c"], &[1], &[0, 1, 2]).notes(),
            ["there are no training samples of the classes \"a\", \"c\""]
        );
        let names: Vec<_> = (0..15).map(|number| number.to_string()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let notes = of_labels(&names, &[3], &[]).notes();
        assert_eq!(notes.len(), 2);
        // 14 and 15 classes, of which 12 are named.
        assert!(notes[0].ends_with("\"11\", \"12\" and 2 more"), "{}", notes[0]);
        assert!(notes[1].ends_with("\"10\", \"11\" and 3 more"), "{}", notes[1]);
    }

    #[test]
    fn two_classes_of_one_name_are_refused() {
        assert!(of_labels(&["a", "A", "b"], &[0], &[0]).check_names().is_ok());
        let error = of_labels(&["a", "b", "a"], &[0], &[0]).check_names().unwrap_err().to_string();
        assert!(error.starts_with("two classes are called \"a\", the numbers 0 and 2"), "{error}");
    }

    #[test]
    fn a_small_part_is_read_at_once_and_a_large_one_when_its_images_are_needed() {
        assert!(on_demand(Arc::new(BrokenImages), 6).read(&[1]).is_err());
        let samples = on_demand(Arc::new(BrokenImages), 5).read(&[1, 0]).unwrap();
        assert_eq!((samples.labels(), samples.input()), (&[7, 4][..], [1, 1, 2].into()));
        assert_eq!(samples.held().unwrap_err().to_string(), "a.png: is broken");
    }
}

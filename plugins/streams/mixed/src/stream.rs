//! The running stream. It passes on the tasks of its parts, and makes their classes and heads distinct.

use alluvium_model::{HeadSpec, InputShape, Seed};
use alluvium_stream::{StreamError, Task, TaskStream, ValueType};

use crate::names::class_names;
use crate::order::Order;

/// The tasks of several streams.
#[derive(Debug)]
pub(crate) struct MixedStream {
    input: InputShape,
    value_type: ValueType,
    class_names: Vec<String>,
    parts: Vec<SubStream>,
    /// The part of each task, and the task's index within the part.
    order: Vec<(usize, usize)>,
}

/// One of the streams.
#[derive(Debug)]
struct SubStream {
    stream: Box<dyn TaskStream>,
    /// The class of the mixed stream that corresponds to the part's class 0.
    first_class: usize,
}

impl MixedStream {
    /// Creates a stream from several streams with their kinds.
    ///
    /// # Errors
    /// When there are no streams, or their inputs differ in shape or in the type of their values.
    pub(crate) fn new(
        streams: Vec<(&str, Box<dyn TaskStream>)>,
        order: Order,
        seed: Seed,
    ) -> Result<Self, StreamError> {
        let shapes: Vec<_> = streams.iter().map(|(kind, stream)| format!("{kind} {}", stream.input())).collect();
        let accepted = || "streams whose inputs have one shape".to_owned();
        let Some((input, value_type)) = streams.first().map(|(_, stream)| (stream.input(), stream.value_type())) else {
            return Err(wrong("does not name a stream".to_owned(), accepted()));
        };
        if streams.iter().any(|(_, stream)| stream.input() != input) {
            return Err(wrong(format!("have inputs of different shapes ({})", shapes.join(", ")), accepted()));
        }
        if streams.iter().any(|(_, stream)| stream.value_type() != value_type) {
            let problem = "have inputs of different types, bytes and 32-bit numbers".to_owned();
            return Err(wrong(problem, "streams whose inputs have values of one type".to_owned()));
        }
        let named: Vec<_> = streams.iter().map(|(kind, stream)| (*kind, stream.class_names())).collect();
        let class_names = class_names(&named);
        let counts: Vec<_> = streams.iter().map(|(_, stream)| stream.tasks()).collect();
        let mut next = 0;
        let parts = streams.into_iter().map(|(_, stream)| {
            let first_class = next;
            next += stream.class_names().len();
            SubStream { stream, first_class }
        });
        Ok(MixedStream { input, value_type, class_names, parts: parts.collect(), order: order.tasks(&counts, seed) })
    }
}

impl TaskStream for MixedStream {
    fn input(&self) -> InputShape {
        self.input
    }

    fn value_type(&self) -> ValueType {
        self.value_type
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn tasks(&self) -> usize {
        self.order.len()
    }

    fn notes(&self) -> Vec<String> {
        let notes = |(number, part): (usize, &SubStream)| {
            part.stream.notes().into_iter().map(move |note| format!("in stream {}, {note}", number + 1))
        };
        self.parts.iter().enumerate().flat_map(notes).collect()
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        let missing = StreamError::NoSuchTask { index, tasks: self.order.len() };
        let (part, own_index) = *self.order.get(index).ok_or(missing)?;
        let SubStream { stream, first_class } = &self.parts[part];
        let Task { name, head, train, test, .. } = stream.task(own_index)?;
        let head = HeadSpec {
            name: format!("stream-{}-{}", part + 1, head.name),
            classes: head.classes.iter().map(|class| first_class + class).collect(),
        };
        let [train, test] = [train, test].map(|samples| samples.relabelled(|_, label| first_class + label));
        Ok(Task { index, name, head, train, test })
    }
}

pub(crate) fn wrong(problem: String, accepted: String) -> StreamError {
    StreamError::Option { option: "streams", problem, accepted }
}

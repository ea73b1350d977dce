//! Messages of the crates go to a Python function, which hands them to `logging`.

use std::fmt;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;

/// Sends messages from information upwards to `sink(level, message)`. Only the first call of a process counts.
#[pyfunction]
pub(crate) fn start_logging(sink: Py<PyAny>) {
    _ = tracing_subscriber::registry().with(Sink(sink)).try_init();
}

struct Sink(Py<PyAny>);

impl<S: Subscriber> Layer<S> for Sink {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            _ => return,
        };
        let mut message = Message::default();
        event.record(&mut message);
        Python::attach(|py| {
            // A handler that fails must not stop the work.
            if let Err(error) = self.0.call1(py, (level, message.0)) {
                error.write_unraisable(py, None);
            }
        });
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

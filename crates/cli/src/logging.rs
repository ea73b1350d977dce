//! Logs: warnings and progress by `tracing`, to stderr.

use std::fmt::{self, Debug};
use std::io::{self, Write};
use std::sync::OnceLock;

use indicatif::MultiProgress;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::arguments::LogFormat;

/// The progress bars of the process. Logged lines appear above them.
pub(crate) fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressDisplay {
    /// As bars.
    Bars,
    /// As a line from time to time.
    Lines,
    /// As a logged event for each stage, for programs.
    Events,
    /// Not at all.
    Nothing,
}

static SHOWN: OnceLock<ProgressDisplay> = OnceLock::new();

/// How progress is shown in this process.
pub(crate) fn shown() -> ProgressDisplay {
    SHOWN.get().copied().unwrap_or(ProgressDisplay::Nothing)
}

/// Starts logging. Later calls have no effect.
pub(crate) fn start(quiet: bool, format: LogFormat) {
    let shown = match (quiet, format) {
        (true, _) => ProgressDisplay::Nothing,
        (false, LogFormat::Text) if crate::on_a_terminal() => ProgressDisplay::Bars,
        (false, LogFormat::Text) => ProgressDisplay::Lines,
        (false, LogFormat::Json) => ProgressDisplay::Events,
    };
    let _ = SHOWN.set(shown);
    let level = match shown {
        ProgressDisplay::Lines | ProgressDisplay::Events => LevelFilter::INFO,
        ProgressDisplay::Bars | ProgressDisplay::Nothing => LevelFilter::WARN,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(AboveBars)
        .with_target(false)
        .with_ansi(crate::on_a_terminal());
    // A binary may have set its own subscriber before. That is not an error.
    let _ = match format {
        LogFormat::Json => tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish()),
        // The fields repeat the message.
        LogFormat::Text => tracing::subscriber::set_global_default(
            subscriber.without_time().compact().fmt_fields(debug_fn(message_only)).finish(),
        ),
    };
}

fn message_only(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() == "message" { write!(writer, "{value:?}") } else { Ok(()) }
}

/// Writes to stderr, above the bars. If stderr is closed or full, only the line is lost.
struct AboveBars;

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        AboveBars
    }
}

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = bars().suspend(|| io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Drives work from Python: the work runs in a thread of its own, and the thread that asked for it waits, runs the Python code that
//! the work needs, and watches for an interruption.
//!
//! Python code runs in the asking thread for two reasons. Only the main thread gets Ctrl-C, so a strategy that hangs can be
//! interrupted. And one call follows another, so that code which draws from generators of the process (`torch`, `random`) draws the
//! same numbers however many cells run side by side.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use alluvium_model::{host, set_host};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::failure::Failure;

/// How long the asking thread waits before it looks for an interruption.
const PATIENCE: Duration = Duration::from_millis(50);

/// The stack of the working thread, in bytes.
const STACK: usize = 16 << 20;

type Call = Box<dyn FnOnce(Python<'_>) + Send>;

/// What the working thread sends to the asking one.
enum Event {
    Call(Call),
    Done(Box<dyn Any + Send>),
}

/// One piece of work, as both threads see it.
struct Drive {
    events: Sender<Event>,
    stopped: AtomicBool,
    /// The first exception of Python code.
    raised: Mutex<Option<PyErr>>,
    interrupted: Mutex<Option<PyErr>>,
}

/// The way back to the thread that asked for the work. Clones share it. Work that is asked for again, as of an open centre, gives it
/// a new thread.
#[derive(Clone, Default)]
pub(crate) struct Caller {
    drive: Arc<Mutex<Option<Arc<Drive>>>>,
    /// What takes jobs of devices, if the work was given a pool.
    pool: Option<Arc<Py<PyAny>>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}

/// Why Python code did not give a value.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It raised an exception; the message says which and where.
    #[error("{0}")]
    Raised(String),
    /// The work is being stopped.
    #[error("the work was stopped")]
    Stopped,
}

impl Caller {
    /// The caller of the work that this thread does: its host. A configuration that is read takes it along.
    pub(crate) fn current() -> Self {
        host().and_then(|host| host.downcast_ref::<Caller>().cloned()).unwrap_or_default()
    }

    /// The caller of work whose devices a pool may work for.
    pub(crate) fn with_pool(pool: Option<Py<PyAny>>) -> Self {
        Caller { pool: pool.map(Arc::new), ..Caller::default() }
    }

    /// What takes jobs of devices.
    pub(crate) fn pool(&self) -> Option<Arc<Py<PyAny>>> {
        self.pool.clone()
    }

    fn drive(&self) -> Option<Arc<Drive>> {
        self.drive.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the work is to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.drive().is_some_and(|drive| drive.stopped.load(Ordering::Relaxed))
    }

    /// Runs Python code in the thread that asked for the work, and waits for its value.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        code: impl FnOnce(Python<'_>) -> PyResult<T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let (answer, answered) = channel();
        self.send(move |py, drive| {
            let result = code(py).map_err(|error| drive.note(py, error));
            _ = answer.send(result);
        })?;
        answered.recv().unwrap_or(Err(NoAnswer::Stopped))
    }

    /// Runs Python code in the thread that asked for the work, without waiting for it.
    pub(crate) fn send(&self, code: impl FnOnce(Python<'_>, &Noted) + Send + 'static) -> Result<(), NoAnswer> {
        let drive = self.drive().ok_or(NoAnswer::Stopped)?;
        if drive.stopped.load(Ordering::Relaxed) {
            return Err(NoAnswer::Stopped);
        }
        let noted = Noted(drive.clone());
        drive.events.send(Event::Call(Box::new(move |py| code(py, &noted)))).map_err(|_| NoAnswer::Stopped)
    }
}

/// Notes the exceptions of Python code.
pub(crate) struct Noted(Arc<Drive>);

impl Noted {
    /// Keeps the exception, and puts it into words.
    pub(crate) fn note(&self, py: Python<'_>, error: PyErr) -> NoAnswer {
        let keep = |place: &Mutex<Option<PyErr>>, error: PyErr| {
            place.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        };
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            self.0.stopped.store(true, Ordering::Relaxed);
            keep(&self.0.interrupted, error);
            return NoAnswer::Stopped;
        }
        let words = in_words(py, &error);
        keep(&self.0.raised, error);
        NoAnswer::Raised(words)
    }
}

/// An exception in words: its type, its message, and where it was raised.
fn in_words(py: Python<'_>, error: &PyErr) -> String {
    let described = py.import("alluvium.errors").and_then(|module| module.call_method1("in_words", (error.value(py),)));
    let text = described.and_then(|text| text.extract::<String>());
    text.unwrap_or_else(|_| error.to_string())
}

/// Does work in a thread of its own, and waits for it. `tick` is called again and again meanwhile. If the thread is interrupted, the
/// work is asked to stop and waited for; a second interruption does not wait.
///
/// # Errors
/// What the work failed with; the exception of an interruption or of `tick`.
pub(crate) fn drive<T: Send + 'static>(
    py: Python<'_>,
    caller: &Caller,
    tick: impl FnMut(Python<'_>) -> PyResult<()>,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    drive_and_tell(py, caller, tick, work).map(|(done, _)| done)
}

/// [`drive`] for work that nobody watches, with a caller of its own.
///
/// # Errors
/// As [`drive`].
pub(crate) fn work<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    drive(py, &Caller::default(), |_| Ok(()), work)
}

/// Like [`drive`]; also returns the first exception of Python code that the work got over.
///
/// # Errors
/// As [`drive`].
pub(crate) fn drive_and_tell<T: Send + 'static>(
    py: Python<'_>,
    caller: &Caller,
    mut tick: impl FnMut(Python<'_>) -> PyResult<()>,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> PyResult<(T, Option<PyErr>)> {
    let (events, received) = channel();
    let drive = Arc::new(Drive {
        events: events.clone(),
        stopped: AtomicBool::new(false),
        raised: Mutex::default(),
        interrupted: Mutex::default(),
    });
    let before = caller.drive.lock().unwrap_or_else(PoisonError::into_inner).replace(drive.clone());
    let own = caller.clone();
    let worker = move || {
        set_host(Some(Arc::new(own)));
        let done: Result<T, Failure> =
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)));
        _ = events.send(Event::Done(Box::new(done)));
    };
    let thread = std::thread::Builder::new().name("alluvium".to_owned()).stack_size(STACK).spawn(worker);
    thread.map_err(|error| Failure::run(format!("a thread cannot be started: {error}")).raise(py, None))?;
    // Only this thread receives. The lock lets it do so while other Python threads run.
    // Work that is not waited for any more keeps its drive, which tells it to stop.
    let done = wait(py, &Mutex::new(received), &drive, &mut tick)?;
    *caller.drive.lock().unwrap_or_else(PoisonError::into_inner) = before;
    if let Some(interrupt) = drive.interrupted.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(interrupt);
    }
    // The last news of the work.
    tick(py)?;
    let raised = drive.raised.lock().unwrap_or_else(PoisonError::into_inner).take();
    match done.downcast::<Result<T, Failure>>() {
        Ok(done) => match *done {
            Ok(done) => Ok((done, raised)),
            Err(failure) => Err(failure.raise(py, raised)),
        },
        Err(_) => Err(Failure::run("the work gave a value of another type".to_owned()).raise(py, raised)),
    }
}

fn wait(
    py: Python<'_>,
    received: &Mutex<Receiver<Event>>,
    drive: &Drive,
    tick: &mut impl FnMut(Python<'_>) -> PyResult<()>,
) -> PyResult<Box<dyn Any + Send>> {
    loop {
        let next = py.detach(|| received.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE));
        match next {
            Ok(Event::Done(done)) => return Ok(done),
            // After an interruption, no more Python code begins.
            Ok(Event::Call(call)) if !drive.stopped.load(Ordering::Relaxed) => call(py),
            Ok(Event::Call(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::run("the work ended early".to_owned()).raise(py, None));
            }
        }
        // A `tick` that raised is not called again: it would count as a second interruption.
        let stopped = drive.stopped.load(Ordering::Relaxed);
        let interrupt = py.check_signals().and_then(|()| if stopped { Ok(()) } else { tick(py) });
        if let Err(interrupt) = interrupt {
            let mut interrupted = drive.interrupted.lock().unwrap_or_else(PoisonError::into_inner);
            if drive.stopped.swap(true, Ordering::Relaxed) {
                return Err(interrupt);
            }
            interrupted.get_or_insert(interrupt);
        }
    }
}

/// The failure of work that panicked.
fn panicked(panic: &(dyn Any + Send)) -> Failure {
    Failure::run(format!("a computation failed inside the library: {}", panic_message(panic)))
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs a check that panics if it fails, without a word on the terminal: who asked for it is told what the panic says.
pub(crate) fn quietly(check: impl FnOnce()) -> Result<(), Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                usual(panic);
            }
        }));
    });
    QUIET.set(true);
    let checked = catch_unwind(AssertUnwindSafe(check));
    QUIET.set(false);
    checked
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

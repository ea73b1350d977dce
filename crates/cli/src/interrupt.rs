//! Ctrl-C: the file that is being written is finished, and the user is told how to continue.

use std::io::Write;
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The exit code of a process that Ctrl-C ended, as shells have it.
pub(crate) const INTERRUPTED: i32 = 130;

/// From now on the first Ctrl-C (or SIGTERM, SIGHUP) ends the process between two files, and says how to continue. A second one
/// ends it at once. Neither loses anything, because a file gets its name only when it is complete.
pub(crate) fn watch() {
    static SIGNALS: AtomicUsize = AtomicUsize::new(0);
    let handler = || {
        if SIGNALS.fetch_add(1, Ordering::SeqCst) > 0 {
            exit(INTERRUPTED);
        }
        // This runs in a thread, so that a second signal is handled while the first one waits for a slow disk.
        std::thread::spawn(|| {
            let _held = alluvium_store::hold_writing();
            crate::logging::bars().suspend(|| {
                let _ = writeln!(
                    std::io::stderr(),
                    "\nstopped. What was done is kept; this continues from there:\n  {}",
                    command_line()
                );
            });
            exit(INTERRUPTED);
        });
    };
    // A binary with its own handler keeps it.
    let _ = ctrlc::try_set_handler(handler);
}

/// Whether a signal came, and whether a model file is being written.
static STOPPED: AtomicBool = AtomicBool::new(false);
static WRITING: Mutex<bool> = Mutex::new(false);

/// From now on Ctrl-C (or SIGTERM, SIGHUP) ends the process at once, unless a model file is being written. In that case the
/// writer sees [`stopped`] and removes what it has written. A second signal does not wait for that.
pub(crate) fn watch_output() {
    let handler = || {
        let again = STOPPED.swap(true, Ordering::SeqCst);
        let writing = is_writing();
        if again || !*writing {
            crate::logging::bars().suspend(|| {
                let _ = writeln!(std::io::stderr(), "\nstopped; nothing was written");
            });
            exit(INTERRUPTED);
        }
    };
    // A binary with its own handler keeps it.
    let _ = ctrlc::try_set_handler(handler);
}

/// Sets whether a model file is being written.
pub(crate) fn writing(now: bool) {
    *is_writing() = now;
}

/// Whether the file that is being written should be removed.
pub(crate) fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

fn is_writing() -> MutexGuard<'static, bool> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command as it was typed, without `--fresh`, which would start over.
fn command_line() -> String {
    std::env::args().filter(|argument| argument != "--fresh").map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(argument: String) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./=,:@%+".contains(character);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted("a-b_c.toml".into()), "a-b_c.toml");
        assert_eq!(quoted("my run's".into()), r"'my run'\''s'");
        assert_eq!(quoted(String::new()), "''");
    }
}

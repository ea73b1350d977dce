//! Ctrl-C: the file that is being written becomes whole, and the user is told how to go on.

use std::io::Write;
use std::process::exit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The exit code of a process that Ctrl-C ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// From now on the first Ctrl-C (or SIGTERM, SIGHUP) ends the process between two files, and says how to go on; a second
/// one ends it at once. Neither loses anything: a file that is half written has no name yet.
pub(crate) fn watch() {
    static SIGNALS: AtomicUsize = AtomicUsize::new(0);
    let handler = || {
        if SIGNALS.fetch_add(1, Ordering::SeqCst) > 0 {
            exit(INTERRUPTED);
        }
        // In a thread, so that a second signal is heard while this one waits for a slow disk.
        std::thread::spawn(|| {
            let _held = alluvium_store::hold_writing();
            crate::logging::bars().suspend(|| {
                let _ = writeln!(
                    std::io::stderr(),
                    "\nstopped. What was done is kept; this goes on from there:\n  {}",
                    command_line()
                );
            });
            exit(INTERRUPTED);
        });
    };
    // A binary that has a handler of its own keeps it.
    let _ = ctrlc::try_set_handler(handler);
}

/// The command as it was typed, but for `--fresh`, which would start over.
fn command_line() -> String {
    std::env::args().filter(|argument| argument != "--fresh").map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(argument: String) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./=,:@%+".contains(character);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument,
        false => format!("'{}'", argument.replace('\'', r"'\''")),
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

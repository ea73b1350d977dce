//! One start of the program, in a folder of its own.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alluvium_device::DeviceError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

use crate::config::CommandConfig;
use crate::files::{CENTRAL, REQUEST, Report, absolute, found, wrong};

/// The files that keep what the program prints.
const OUTPUT: [&str; 2] = ["stdout.txt", "stderr.txt"];

/// The most bytes of a file that a program leaves, beside the expert.
const LONGEST: u64 = 10_000_000;

/// The last lines of the standard error that a message shows.
const LINES_SHOWN: usize = 8;

/// The time between two looks at a program that runs.
const PAUSE: Duration = Duration::from_millis(20);

/// One start of the program. The folder is removed with this, and a program that still runs is killed.
#[derive(Debug)]
pub(crate) struct Act {
    name: &'static str,
    task: String,
    folder: TempDir,
    child: Child,
    begun: Instant,
    limit: Duration,
}

impl Act {
    /// Starts the program, with the request and perhaps a model in its folder.
    pub(crate) fn start(
        name: &'static str,
        config: &CommandConfig,
        task: &str,
        request: &Value,
        central: Option<&[u8]>,
    ) -> Result<Self, DeviceError> {
        let failed = |file: &str, cause: std::io::Error| wrong(task, file, cause.to_string(), "a folder to write to");
        let folder = tempfile::Builder::new().prefix("alluvium-device-").tempdir();
        let folder = folder.map_err(|cause| failed("the folder for temporary files", cause))?;
        let path = |file: &str| folder.path().join(file);
        let text = serde_json::to_vec_pretty(request).unwrap_or_default();
        fs::write(path(REQUEST), text).map_err(|cause| failed(REQUEST, cause))?;
        if let Some(central) = central {
            fs::write(path(CENTRAL), central).map_err(|cause| failed(CENTRAL, cause))?;
        }
        let [output, errors] = OUTPUT.map(|file| File::create(path(file)).map_err(|cause| failed(file, cause)));
        let program = found(&config.program).unwrap_or_else(|| config.program.clone().into());
        // The program runs in another folder, so its own files need whole paths.
        let argument = |argument: &String| match config.sources.contains(argument) {
            true => absolute(argument).into_os_string(),
            false => argument.into(),
        };
        let child = Command::new(&program)
            .args(config.arguments.iter().map(argument))
            .arg(name)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output?)
            .stderr(errors?)
            .spawn();
        let child = child.map_err(|cause| {
            wrong(task, &program.display().to_string(), format!("cannot be started ({cause})"), "a program that runs")
        })?;
        let limit = Duration::from_secs_f64(config.time_limit);
        Ok(Act { name, task: task.to_owned(), folder, child, begun: Instant::now(), limit })
    }

    /// Whether the program has ended well.
    ///
    /// # Errors
    /// When it ended with another exit code than 0, or takes too long; it is killed then.
    pub(crate) fn is_over(&mut self) -> Result<bool, DeviceError> {
        let what = format!("the program's `{}`", self.name);
        match self.child.try_wait() {
            Ok(Some(status)) if status.success() => Ok(true),
            Ok(Some(status)) => {
                let said = self.said();
                Err(wrong(&self.task, &what, format!("failed ({status}){said}"), "exit code 0"))
            }
            Ok(None) if self.begun.elapsed() > self.limit => {
                _ = self.child.kill();
                _ = self.child.wait();
                let (seconds, said) = (self.limit.as_secs_f64(), self.said());
                let accepted = "a program that ends in time, or a longer `time_limit`";
                Err(wrong(&self.task, &what, format!("was killed after {seconds} s, the `time_limit`{said}"), accepted))
            }
            Ok(None) => Ok(false),
            Err(cause) => Err(wrong(&self.task, &what, cause.to_string(), "a program that runs")),
        }
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    /// As [`is_over`](Self::is_over).
    pub(crate) fn wait(&mut self) -> Result<(), DeviceError> {
        while !self.is_over()? {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The end of what the program wrote to its standard error, as the end of a message.
    fn said(&self) -> String {
        let text = fs::read(self.folder.path().join(OUTPUT[1])).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return ", and wrote nothing to its standard error".to_owned();
        }
        let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
        format!("; the end of its standard error:\n  {}\n", last.join("\n  "))
    }

    /// Reads a file that the program left.
    pub(crate) fn read(&self, file: &str) -> Result<Vec<u8>, DeviceError> {
        let path = self.folder.path().join(file);
        fs::read(path).map_err(|cause| {
            let what = format!("the program's `{}` left no such file ({cause})", self.name);
            wrong(&self.task, file, what, "a program that writes it into the current folder")
        })
    }

    /// Reads a JSON file that the program left.
    pub(crate) fn read_json<T: FromProgram>(&self, file: &str) -> Result<T, DeviceError> {
        let mut text = vec![];
        let opened = File::open(self.folder.path().join(file));
        let read = opened.and_then(|file| file.take(LONGEST).read_to_end(&mut text));
        if let Err(cause) = read {
            let what = format!("the program's `{}` left no such file ({cause})", self.name);
            return Err(wrong(&self.task, file, what, "a program that writes it into the current folder"));
        }
        serde_json::from_slice::<T>(&text).map_err(|error| wrong(&self.task, file, error.to_string(), T::ACCEPTED))
    }
}

impl Drop for Act {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A JSON file that a program leaves.
pub(crate) trait FromProgram: DeserializeOwned {
    /// What is accepted.
    const ACCEPTED: &'static str;
}

impl FromProgram for crate::files::Description {
    const ACCEPTED: &'static str = "an object with `task`, `classes`, `samples` and `digest`";
}

impl FromProgram for Report {
    const ACCEPTED: &'static str = "an object with `task`, `classes`, `samples`, `digest`, `parent` and `steps`";
}

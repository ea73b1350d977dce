//! Devices whose work others do: results, stored stages and hand-outs are those of the devices that they stand for.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alluvium_config::{ConfigSource, read_all};
use alluvium_device::{Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceSettings, HandOut};
use alluvium_experiment::{DirectoryOptions, RunDirectory, RunOptions, Unobserved, run};
use alluvium_model::{Progress, Seed};
use alluvium_results::Results;
use alluvium_stream::{options, plugin};
use tempfile::TempDir;

use crate::doubles::{COMPARISON, TraineeConfig};
use crate::run::numbers;

/// Devices whose work is done elsewhere: here, in the same process, with another stream of the same table and seed.
#[options]
struct PooledConfig {
    /// The devices.
    adapt: TraineeConfig,
}

/// The visits whose work was done.
static WORKED: AtomicUsize = AtomicUsize::new(0);

/// How long each says that it worked.
const WORK: Duration = Duration::from_secs(3600);

#[plugin(kind = "pooled")]
impl DeviceConfig for PooledConfig {
    fn stands_for(&self) -> Option<&dyn DeviceConfig> {
        Some(&self.adapt)
    }

    fn training(&self) -> Option<&DeviceSettings> {
        self.adapt.training()
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        let origin = place.origin.expect("a comparison says where the samples come from");
        assert!(origin.strategy.is_null(), "the strategy asks for no statistics");
        let same = origin.stream.build(Seed::new(origin.seed)).unwrap();
        let digest =
            |stream: &dyn alluvium_stream::TaskStream| stream.task(place.device).unwrap().training_digest().unwrap();
        assert_eq!(digest(same.as_ref()), digest(place.stream));
        Ok(Box::new(Pooled(self.adapt.build(place)?)))
    }
}

#[derive(Debug)]
struct Pooled<'a>(Box<dyn Device + 'a>);

impl Device for Pooled<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        self.0.request()
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        assert_eq!(model.terms.settings["kind"], "trainee", "what is handed out is what the other devices take");
        self.0.take(model)
    }

    fn answer(&mut self, progress: &dyn Progress) -> Result<Answer, DeviceError> {
        WORKED.fetch_add(1, Ordering::Relaxed);
        self.0.answer(progress)
    }

    fn worked(&self) -> Option<Duration> {
        Some(WORK)
    }
}

fn compared(folder: &Path, device: &str) -> Results {
    let text = COMPARISON.replace("[device]\nepochs = 1", device);
    let variants = read_all(ConfigSource::BuiltIn { name: "pooled.toml", text: &text }, None, None);
    let variants = variants.unwrap_or_else(|error| panic!("{error}"));
    let cache = folder.join("cache");
    let options = DirectoryOptions { cache: Some(cache), ..DirectoryOptions::default() };
    let own = folder.join(if device.contains("pooled") { "pooled" } else { "here" });
    let directory = RunDirectory::open(&own, &variants, &options).unwrap();
    let options = RunOptions { jobs: 1, observer: &Unobserved, directory: &directory, variant: "", models: false };
    let outcome = run(&variants[0].experiment, &options).unwrap();
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    outcome.results
}

const HERE: &str = "[device]\nepochs = 1";
const POOLED: &str = "[device]\nkind = \"pooled\"\nadapt = { epochs = 1 }";

#[test]
fn others_do_the_work_and_the_numbers_and_the_bytes_are_the_same() {
    let [one, other] = [(); 2].map(|()| TempDir::new().unwrap());
    let (here, pooled) = (compared(one.path(), HERE), compared(other.path(), POOLED));
    // Bytes that crossed are among the numbers.
    assert_eq!(numbers(&here), numbers(&pooled));
    assert_eq!(
        pooled.rows[0].cells[0].device_seconds,
        [WORK.as_secs_f64(); 2],
        "the time of the work, not that of waiting for it"
    );

    // Each finds the stages that the other computed.
    let before = WORKED.load(Ordering::Relaxed);
    assert_eq!(numbers(&compared(one.path(), POOLED)), numbers(&here));
    assert_eq!(WORKED.load(Ordering::Relaxed), before, "the stages of this process are found");
    assert_eq!(numbers(&compared(other.path(), HERE)), numbers(&here));
}

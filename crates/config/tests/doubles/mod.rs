//! Test doubles, registered as plugins register theirs: a backend, a stream, a kind of devices and a strategy. The backbone is
//! the one of `alluvium_strategy::conformance`. The tests of `alluvium-experiment` use them, too.

use alluvium_backend::{BackendConfig, BackendError};
use alluvium_device::{Device as Participant, DeviceConfig, DeviceError, DevicePlace, DeviceSettings, LocalDevice};
use alluvium_model::HeadSpec;
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, RunDescription, Strategy, StrategyConfig, StrategyError, StrategyState,
    average_backbones, options, plugin, strategy, take_head,
};
use alluvium_stream::{InputShape, Samples, Seed, StreamConfig, StreamError, Task, TaskStream, Tasks};
use burn::tensor::Device;

/// A comparison of seconds: two devices, one strategy.
pub const COMPARISON: &str = r#"
name = "doubles"
protocol = { kind = "dcl" }
seeds = [0]

[backend]
kind = "processor"

[stream]
kind = "squares"
tasks = 2

[backbone]
kind = "_conformance-tiny"

[device]
epochs = 1

[[strategies]]
kind = "blend"
"#;

/// Runs on the processor.
#[options]
struct ProcessorConfig {}

#[plugin(kind = "processor")]
impl BackendConfig for ProcessorConfig {
    fn open(&self) -> Result<Device, BackendError> {
        Ok(Device::flex())
    }
}

/// Devices that train in the test's process.
#[options]
#[serde(transparent)]
pub struct TraineeConfig {
    /// How they train.
    pub settings: DeviceSettings,
}

#[plugin(kind = "trainee", default)]
impl DeviceConfig for TraineeConfig {
    fn training(&self) -> Option<&DeviceSettings> {
        Some(&self.settings)
    }

    fn with_training(&self, settings: DeviceSettings) -> Option<Box<dyn DeviceConfig>> {
        Some(Box::new(TraineeConfig { settings }))
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Participant + 'a>, DeviceError> {
        Ok(Box::new(LocalDevice::new(place, self.settings.clone())))
    }
}

/// Squares of four pixels. Each task has two classes: the bright pixel is the first one or the second one.
#[options]
struct SquaresConfig {
    /// The number of tasks.
    #[schemars(range(min = 1, max = 9))]
    #[default(2)]
    tasks: usize,
    /// The number of training samples of each class.
    #[schemars(range(min = 1, max = 50))]
    #[default(8)]
    samples: usize,
}

/// The most training samples of a class, over all tasks.
const MOST_SAMPLES: usize = 200;

#[plugin(kind = "squares")]
impl StreamConfig for SquaresConfig {
    fn build(&self, _seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let all = self.tasks * self.samples;
        if all > MOST_SAMPLES {
            let problem = format!("× `tasks` = {all}");
            let accepted = format!("{MOST_SAMPLES} at most");
            return Err(StreamError::Option { option: "samples", problem, accepted });
        }
        let task = |index: usize| Task {
            index,
            name: format!("squares {index}"),
            head: HeadSpec { name: format!("head {index}"), classes: classes(index).to_vec() },
            train: squares(index, self.samples, 0),
            test: squares(index, 10, 3),
        };
        let names = (0..2 * self.tasks).map(|class| format!("square {class}")).collect();
        Ok(Box::new(Tasks::new(input(), names, (0..self.tasks).map(task).collect())?))
    }
}

fn input() -> InputShape {
    [1, 2, 2].into()
}

fn classes(task: usize) -> [usize; 2] {
    [2 * task, 2 * task + 1]
}

/// Samples of both classes of a task; `offset` gives others of the same kind.
fn squares(task: usize, count: usize, offset: usize) -> Samples {
    let mut samples = Samples::new(input());
    for number in 0..count {
        let dim = (7 * number + offset) % 90;
        let (bright, dark) = (250 - dim as u8, dim as u8);
        let grey = 25 * task as u8;
        let [first, second] = classes(task);
        samples.push(&[bright, dark, grey, 10], first);
        samples.push(&[dark, bright, grey, 10], second);
    }
    samples
}

/// A weighted mean of the previous backbone and the expert's.
#[options]
struct BlendConfig {
    /// The weight of the previous backbone; the expert's is 1 minus this one.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.5)]
    weight: f64,
    /// The data that it asks for. It does not use them.
    #[default(DataAccess::None)]
    wants: DataAccess,
}

#[plugin(kind = "blend")]
impl StrategyConfig for BlendConfig {
    fn data_access(&self) -> DataAccess {
        self.wants
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Blend { weight: self.weight, experts: 0 }))
    }
}

#[derive(Debug)]
struct Blend {
    weight: f64,
    /// The number of experts so far: a state to store and to restore.
    experts: u64,
}

impl Strategy for Blend {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        // The first expert is taken as it is.
        let weight = if self.experts == 0 { 0.0 } else { self.weight };
        let mut central = average_backbones(previous, expert, weight)?;
        take_head(&mut central, expert);
        self.experts += 1;
        Ok(central)
    }

    fn state(&self) -> StrategyState {
        StrategyState { values: [("experts".to_owned(), self.experts.into())].into(), ..Default::default() }
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let experts = state.values.get("experts").and_then(serde_json::Value::as_u64);
        self.experts = experts.ok_or_else(|| StrategyError::State("`experts` is not a count".to_owned()))?;
        Ok(())
    }
}

/// Keeps the central backbone, and adds a head with initial weights for every expert. It takes experts of any backbone.
#[strategy(kind = "gather", unlike_networks)]
struct Gather {}

impl Strategy for Gather {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let latent_size = previous.backbone.build(previous.input, context.compute())?.latent_size();
        let mut central = previous.clone();
        central.grow_head(expert.head(), latent_size, context.seed());
        Ok(central)
    }
}

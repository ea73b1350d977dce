//! One device epoch, one consolidation and one evaluation, per strategy × backbone × backend.
//!
//! By default they run only on `flex`, the default backend. The environment variable `ALLUVIUM_BENCH_BACKENDS` names other
//! backends, with commas, or `all`.

use std::time::{Duration, Instant};

use alluvium_benches::{STEPS, backbones, central, compute, expert, input, kinds, strategy, task};
use alluvium_device::{Device as _, DeviceSettings, InProcessDevice};
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{Inputs, Model, Seed, Silent};
use alluvium_registry::{Family, described};
use alluvium_strategy::{
    Context, DataAccess, RunDescription, Surrogate, SurrogateError, SurrogateRequest, TaskDataset,
};
use burn::tensor::Device;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

/// Samples of one measurement. Throughput is per sample, so that rows can be compared. Training convolutions is slow on
/// burn's ndarray backend, so it gets few samples.
fn samples(backbone: &str, backend: &str) -> usize {
    match (backbone, backend) {
        ("mlp", _) => 256,
        ("slim-resnet18", "ndarray") => 2,
        (_, "ndarray") => 8,
        ("slim-resnet18", _) => 32,
        _ => 128,
    }
}

/// The measured backends, as far as this machine has them.
fn backends() -> Vec<(&'static str, Device)> {
    let named = std::env::var("ALLUVIUM_BENCH_BACKENDS").unwrap_or_else(|_| "flex".to_owned());
    let wanted = |kind: &&str| named == "all" || named.split(',').any(|name| name.trim() == *kind);
    kinds(Family::Backend).into_iter().filter(wanted).filter_map(|kind| Some((kind, compute(kind)?))).collect()
}

/// Every backbone on every backend that is measured.
fn pairs() -> Vec<(&'static str, &'static str, Device)> {
    let backends = backends();
    backbones()
        .into_iter()
        .flat_map(|backbone| backends.iter().map(move |(kind, compute)| (backbone, *kind, compute.clone())))
        .collect()
}

fn device_epoch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("device-epoch");
    group.sampling_mode(SamplingMode::Flat);
    for (backbone, backend, compute) in pairs() {
        let count = samples(backbone, backend);
        let central = central(backbone, &compute);
        let settings = DeviceSettings { epochs: 1, batch_size: 32.min(count), ..Default::default() };
        let device = InProcessDevice::new(&task(input(backbone), count), settings, &compute);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new(backbone, backend), |bencher| {
            bencher.iter(|| device.adapt(&central, Seed::new(3), &Silent).expect("the device adapts"));
        });
    }
}

/// Surrogate data that cost nothing to draw, so that only the strategy is measured.
#[derive(Debug)]
struct Zeros(usize);

impl Surrogate for Zeros {
    fn samples(&self) -> usize {
        self.0
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        Ok(request.inputs(vec![0.0; count * request.input.values()]))
    }
}

/// Slower consolidations are not measured, because criterion needs ten runs of each.
const MOST: Duration = Duration::from_secs(3);

fn consolidation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("consolidation");
    group.sampling_mode(SamplingMode::Flat);
    for (backbone, backend, compute) in pairs() {
        let count = samples(backbone, backend);
        let previous = central(backbone, &compute);
        let plain = expert(&previous, &compute);
        let task = task(input(backbone), count);
        for description in described(Family::Strategy) {
            let config = strategy(description);
            let expert = match config.statistics() {
                none if none.is_empty() => plain.clone(),
                statistics => {
                    let settings = DeviceSettings { epochs: 1, ..Default::default() };
                    let device = InProcessDevice::new(&task, settings, &compute).with_statistics(statistics);
                    device.adapt(&previous, Seed::new(3), &Silent).expect("the device adapts")
                }
            };
            let mut run = || {
                let mut surrogate = Zeros(count);
                let mut context = Context::new(&compute, Seed::new(4), 10);
                if config.data_access() == DataAccess::Surrogate {
                    context = context.with_surrogate(&mut surrogate);
                }
                if config.data_access() >= DataAccess::CurrentTask {
                    context = context.with_tasks(vec![TaskDataset { head: &task.head, samples: &task.train }; 11]);
                }
                let mut strategy = config.build(&RunDescription::default()).expect("the strategy is built");
                strategy.consolidate(&previous, &expert, &mut context).expect("it consolidates");
                context.effort()
            };
            let started = Instant::now();
            let effort = run();
            if started.elapsed() > MOST {
                eprintln!("{} on {backbone} takes {:.1?}: left out", description.kind, started.elapsed());
                continue;
            }
            // Strategies without gradient steps are counted in consolidations.
            group.throughput(Throughput::Elements(effort.samples.max(1)));
            let id = BenchmarkId::new(format!("{}/{backbone}", description.kind), backend);
            group.bench_function(id, |bencher| bencher.iter(&mut run));
        }
    }
    eprintln!("a consolidation with gradient steps takes {STEPS} of them");
}

fn evaluation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluation");
    group.sampling_mode(SamplingMode::Flat);
    for (backbone, backend, compute) in pairs() {
        let count = samples(backbone, backend);
        let model = Model::load(&central(backbone, &compute), &compute).expect("a model");
        let test = TestSet::new(&task(input(backbone), count), &compute);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new(backbone, backend), |bencher| bencher.iter(|| evaluate(&model, &test)));
    }
}

criterion_group! {
    name = steps;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = device_epoch, consolidation, evaluation
}
criterion_main!(steps);

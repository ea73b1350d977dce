//! Alluvium's side of `benches/side-by-side`: the seconds of one device epoch, one consolidation and one evaluation.
//!
//! `side-by-side BACKEND THREADS [BACKBONE…]` prints CSV; the backend is a kind, or its table as JSON. The timed code is
//! that of a comparison: the in-process device, the `pld` strategy with patches of one photo, and the shared evaluator.
//! All three end with numbers on the host, so a GPU's work is done when the clock is read.

use std::error::Error;
use std::time::Instant;

use alluvium_backend::BackendConfig;
use alluvium_benches::{adapted, central, input, taken, task};
use alluvium_device::DeviceSettings;
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{AdamOptions, Learning, Model, OptimizerKind, Seed};
use alluvium_strategy::{Context, RunDescription, StrategyConfig, SurrogateConfig};
use burn::tensor::Device;
use serde_json::{Value, json};

/// The amount of work by backbone. PyTorch's side reads the same file.
const WORK: &str = include_str!("../../side-by-side/work.json");

const BACKBONES: [&str; 4] = ["mlp", "small-cnn", "slim-resnet18", "ds-cnn"];

/// That of the shipped binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    const USAGE: &str = "usage: side-by-side BACKEND THREADS [BACKBONE…]";
    let mut arguments = std::env::args().skip(1);
    let backend = arguments.next().ok_or(USAGE)?;
    let threads = arguments.next().ok_or(USAGE)?.parse()?;
    let mut backbones: Vec<_> = arguments.collect();
    if backbones.is_empty() {
        backbones = BACKBONES.map(str::to_owned).to_vec();
    }
    let work: Value = serde_json::from_str(WORK)?;
    let table = serde_json::from_str(&backend).unwrap_or_else(|_| json!({ "kind": backend }));
    let compute = serde_json::from_value::<Box<dyn BackendConfig>>(table)?.open()?;
    println!("what,backbone,seconds");
    // As in a comparison, everything runs inside a pool with a fixed number of threads.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?
        .install(|| backbones.iter().try_for_each(|backbone| measure(backbone, &work[backbone.as_str()], &compute)))
}

/// Times a device, then the consolidation of its expert, then the evaluation of the new central model.
fn measure(backbone: &str, work: &Value, compute: &Device) -> Result<(), Box<dyn Error + Send + Sync>> {
    let count = |name: &str| work[name].as_u64().map(|count| count as usize).ok_or(format!("{backbone}: no `{name}`"));
    let repeats = count("repeats")?;
    let previous = central(backbone, compute);

    let settings = DeviceSettings { epochs: 1, ..Default::default() };
    let (taken, own) = (taken(&previous), task(input(backbone), count("samples")?));
    let (seconds, expert) = timed(repeats, || adapted(&taken, &own, &settings, &[], compute))?;
    println!("device-epoch,{backbone},{seconds:.6}");
    let learning = Learning {
        optimizer: OptimizerKind::Adam(AdamOptions::default()),
        learning_rate: 0.001,
        ..Learning::default()
    };
    let settings = DeviceSettings { learning, ..settings };
    let (seconds, _) = timed(repeats, || adapted(&taken, &own, &settings, &[], compute))?;
    println!("device-epoch-adam,{backbone},{seconds:.6}");

    let table = json!({ "kind": "single-image", "patches": count("patches")? });
    // One source for all runs: as in a comparison, its patches are drawn once.
    let mut surrogate = serde_json::from_value::<Box<dyn SurrogateConfig>>(table)?.build(&RunDescription::default())?;
    let table = json!({ "kind": "pld", "steps": count("steps")? });
    let strategy: Box<dyn StrategyConfig> = serde_json::from_value(table)?;
    let (seconds, state) = timed(repeats, || {
        let mut context = Context::new(compute, Seed::new(4), 10).with_surrogate(surrogate.as_mut());
        strategy.build(&RunDescription::default())?.consolidate(&previous, &expert, &mut context)
    })?;
    println!("consolidation,{backbone},{seconds:.6}");

    let model = Model::load(&state, compute)?;
    let tests = TestSet::new(&task(input(backbone), count("tests")?).into(), compute);
    let (seconds, _) = timed(repeats, || Ok::<_, String>(evaluate(&model, &tests)))?;
    println!("evaluation,{backbone},{seconds:.6}");
    Ok(())
}

/// The median seconds, and the result of the last run. The first run is not timed, because it fills caches.
fn timed<T, E>(repeats: usize, mut run: impl FnMut() -> Result<T, E>) -> Result<(f64, T), E> {
    let mut result = run()?;
    let mut seconds = vec![];
    for _ in 0..repeats {
        let started = Instant::now();
        result = run()?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok((seconds.get(repeats / 2).copied().unwrap_or_default(), result))
}

//! The memory of a merge does not grow with the checkpoints.
//!
//! This test is a binary of its own. Its allocator would also count what other tests of the same process allocate.

mod files;

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};
use alluvium_model::Seed;
use alluvium_strategy::{Grain, RunDescription, StrategyConfig};
use alluvium_strategy_dare::DareConfig;
use alluvium_strategy_fedavg::FedavgConfig;
use alluvium_strategy_magmax::MagMaxConfig;
use alluvium_strategy_naive::Naive;
use alluvium_strategy_opcm::OpcmConfig;
use alluvium_strategy_slerp::SlerpConfig;
use alluvium_strategy_task_arithmetic::TaskArithmeticConfig;
use alluvium_strategy_ties::TiesConfig;
use alluvium_strategy_weight_averaging::WeightAveraging;
use burn::tensor::Device;
use files::Files;
use peak_alloc::PeakAlloc;
use rand::RngExt as _;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MODELS: usize = 3;

/// The bytes of a piece.
const PIECE: usize = 4 << 17;

/// One thread works on one piece at a time. The piece is held for each model, and at most 24 times more for the
/// intermediate results of a strategy and for writing. The tables of surveys come on top.
const CONSTANT: usize = PIECE * (MODELS + 24) + (4 << 20);

/// Three models of `tensors` tensors of that shape.
fn models(tensors: usize, shape: &[usize]) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let write = |model: usize| {
        let info = |tensor: usize| TensorInfo {
            name: format!("layers.{tensor:03}.weight"),
            dtype: Dtype::F32,
            shape: shape.to_vec(),
        };
        let path = folder.path().join(format!("model-{model}.safetensors"));
        let infos: Vec<_> = (0..tensors).map(info).collect();
        let mut writer = Writer::create(&path, infos.clone(), &WriteOptions::default()).unwrap();
        let mut random = Seed::new(model as u64).random();
        for info in infos {
            let values = (0..info.elements()).map(|_| random.random_range(-1.0..1.0)).collect();
            writer.write(&info.name, &Values::Floats(values)).unwrap();
        }
        writer.finish().unwrap();
        Checkpoint::open(&path).unwrap()
    };
    let checkpoints = (0..MODELS).map(write).collect();
    Files { folder, checkpoints, compute: Device::flex() }
}

/// The peak memory of a merge in which the previous model counts as the first expert.
fn peak(files: &Files, strategy: &dyn StrategyConfig) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    files.merge_models(files.models(), strategy, |request| request.previous_counts = true).unwrap();
    MEMORY.peak_usage() - before
}

fn measure() {
    let any_part: [&dyn StrategyConfig; 8] = [
        &Naive {},
        &WeightAveraging::default(),
        &TaskArithmeticConfig::default(),
        &TiesConfig::default(),
        &DareConfig::default(),
        &MagMaxConfig::default(),
        &SlerpConfig::default(),
        &FedavgConfig::default(),
    ];
    // 64 MB in tensors of 2 MB.
    let files = models(32, &[1 << 19]);
    let (largest, whole) = (4 << 19, 32 * (4 << 19));
    assert!(2 * largest + CONSTANT < whole / 2, "not even half of one model is in memory");
    for strategy in any_part {
        let kind = strategy.typetag_name();
        assert_eq!(strategy.piecewise(&RunDescription::default()).unwrap().grain(), Grain::Value, "{kind}");
        let peak = peak(&files, strategy);
        assert!(peak < 2 * largest + CONSTANT, "{kind} took {peak} bytes");
        assert!(peak > PIECE * MODELS, "{kind} took {peak} bytes: they are not counted");
    }

    // The same of whole tensors: 4 MB in matrices of 16 kB, for each of which its singular values are found.
    let files = models(256, &[64, 64]);
    let (largest, whole) = (4 << 12, 256 * (4 << 12));
    let strategy = OpcmConfig::default();
    assert_eq!(strategy.piecewise(&RunDescription::default()).unwrap().grain(), Grain::Tensor);
    let peak = peak(&files, &strategy);
    // The bound in the documentation of `merge`, and on top of it names and what is being written.
    let bound = (MODELS - 1 + 25) * largest + (1 << 20);
    assert!(bound < whole / 2 && peak < bound, "opcm took {peak} bytes, and was to take {bound} at most");
}

#[test]
fn peak_memory_does_not_grow_with_the_checkpoints() {
    // More threads would hold more pieces at a time, up to sixteen.
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(measure);
}

//! A linear probe against scikit-learn: one device that trains a head on the backbone `identity` to convergence is a multinomial
//! logistic regression.
//!
//! The numbers are those of `tests/fixtures/probe.py`.

use std::path::Path;
use std::sync::Arc;

use alluvium_backbone_identity::IdentityConfig;
use alluvium_device::{DeviceSettings, HandOut, Learning, OwnTask, TaskDataset, Terms, adapt};
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{Model, ModelState, Schedule, Seed, Silent};
use alluvium_stream::StreamConfig;
use alluvium_stream_arrays as _;
use burn::tensor::Device;
use serde_json::json;

/// λ of the script.
const DECAY: f64 = 0.01;
/// 888 of 899 samples.
const ACCURACY: f64 = 0.987_764_182;
/// The weights of the classes 0 and 7 to the inputs 0 to 7.
const WEIGHTS: [(usize, [f32; 8]); 2] = [
    (0, [-0.0, -0.08175, 0.23321, 0.35781, -0.0, -0.07052, -0.22075, 0.28616]),
    (7, [-0.0, 0.02858, -0.14437, -0.20887, 0.00028, -0.11895, -0.16286, -0.11806]),
];
const BIASES: [f32; 10] =
    [0.00279, -0.04101, -0.00793, 0.03671, 0.03247, 0.04998, -0.00504, 0.02462, -0.05097, -0.04163];

#[test]
fn one_device_on_fixed_features_is_a_logistic_regression() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/embeddings.npz");
    // All samples train and are tested, in one task with the classes in the order of their numbers.
    let order: Vec<_> = (0..10).map(|class| class.to_string()).collect();
    let stream = json!({
        "kind": "arrays", "train": file, "test": file, "tasks": 1, "classes_per_task": 10, "class_order": order,
    });
    let stream: Box<dyn StreamConfig> = serde_json::from_value(stream).unwrap();
    let task = stream.build(Seed::new(0)).unwrap().task(0).unwrap();
    assert_eq!((task.train.len(), task.test.len(), task.head.classes.len()), (899, 899, 10));

    let compute = Device::flex();
    let central = ModelState::initial(Arc::new(IdentityConfig {}), task.train.input(), Seed::new(0), &compute).unwrap();
    // One batch of all samples an epoch.
    let settings = DeviceSettings {
        epochs: 3000,
        batch_size: 899,
        learning: Learning {
            learning_rate: 0.05,
            momentum: 0.97,
            weight_decay: DECAY,
            schedule: Schedule::Cosine,
            ..Learning::default()
        },
        ..DeviceSettings::default()
    };
    let (seed, settings_json, beside) = (Seed::new(1), serde_json::Value::Null, Arc::default());
    let terms =
        Terms { device: 0, visit: 0, seed, settings: settings_json, statistics: vec![], beside, backbone: None };
    let taken = HandOut { model: Arc::new(central), teacher: None, terms };
    let own = OwnTask { name: &task.name, dataset: TaskDataset { head: &task.head, samples: &task.train } };
    let expert = adapt(&taken, own, &settings, &[], &compute, &Silent).unwrap();

    let model = Model::load(&expert.model, &compute).unwrap();
    let accuracy = evaluate(&model, &TestSet::new(&task.clone().into(), &compute)).task_aware;
    assert!((accuracy - ACCURACY).abs() < 1e-3, "{accuracy}");
    let head = expert.model.head_weights(expert.head());
    // [inputs, classes]
    let weights = head.get("weight").unwrap().as_f32().unwrap();
    for (class, expected) in WEIGHTS {
        for (input, expected) in expected.into_iter().enumerate() {
            let found = weights[10 * input + class];
            assert!((found - expected).abs() < 1e-3, "class {class}, input {input}: {found}, expected {expected}");
        }
    }
    let biases = head.get("bias").unwrap().as_f32().unwrap();
    assert!(biases.iter().zip(BIASES).all(|(found, expected)| (found - expected).abs() < 1e-3), "{biases:?}");
}

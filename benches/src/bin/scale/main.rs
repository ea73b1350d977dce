//! How time and memory grow: with devices, with classes, with parameters.
//!
//! `scale [devices] [classes] [parameters]` runs `alluvium`, which it finds beside itself, one comparison after another, each
//! with one strategy in a process of its own. It prints a table and writes curves to `benches/pictures/`.

mod plot;
mod run;

use std::error::Error;
use std::path::Path;

use serde_json::{Value, json};

use plot::{Axes, Curve, draw};
use run::{Measurement, run};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let asked: Vec<_> = std::env::args().skip(1).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|other| other == name);
    let known = ["devices", "classes", "parameters"];
    if let Some(unknown) = asked.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("`{unknown}` is unknown; accepted: {}", known.join(", ")).into());
    }
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("pictures");
    std::fs::create_dir_all(&pictures)?;
    println!(
        "| grows | size | strategy | ms a consolidation: first tenth | last tenth | s in all | memory at a tenth, MB | peak, MB |"
    );
    println!("|---|---:|---|---:|---:|---:|---:|---:|");
    if wanted("devices") {
        devices(&pictures)?;
    }
    if wanted("classes") {
        classes(&pictures)?;
    }
    if wanted("parameters") {
        parameters(&pictures)?;
    }
    Ok(())
}

/// The measured strategies: one without gradient steps, and PLD with few steps.
fn strategies() -> [Value; 2] {
    [json!({"kind": "weight-averaging"}), json!({"kind": "pld", "steps": 10, "batch_size": 32})]
}

fn kind(strategy: &Value) -> String {
    strategy["kind"].as_str().unwrap_or_default().to_owned()
}

/// A comparison of one row; all devices take one short dataset.
fn comparison(stream: Value, backbone: Value, strategy: &Value) -> Value {
    json!({
        "name": "scale",
        "protocol": {"kind": "dcl"},
        "seeds": [0],
        "references": [],
        "backend": {"kind": "flex"},
        "stream": stream,
        "backbone": backbone,
        "device": {"epochs": 1},
        "evaluation": {"every": 1_000_000},
        "surrogate": {"kind": "single-image", "patches": 128},
        "strategies": [strategy],
    })
}

/// More and more devices share the same samples, all classes and one head, so that only their number grows.
fn devices(pictures: &Path) -> Outcome<()> {
    let backbone = json!({"kind": "small-cnn"});
    let (mut seconds, mut memory) = (vec![], vec![]);
    for strategy in strategies() {
        for tasks in [10, 100, 1000] {
            let stream = json!({"kind": "split-glyphs", "shift": "label-skew", "tasks": tasks, "classes_per_task": 62});
            let measured = run(&comparison(stream, backbone.clone(), &strategy))?;
            print("devices", tasks, &strategy, &measured);
            if tasks == 1000 {
                let name = kind(&strategy);
                seconds.push(Curve { name: name.clone(), points: smooth(&measured.consolidations) });
                memory.push(Curve { name, points: measured.along() });
            }
        }
    }
    let axes = Axes { title: "1 000 devices: time of a consolidation", x: "device", y: "seconds", logarithmic: true };
    draw(&pictures.join("devices-time.svg"), &axes, &seconds)?;
    let axes = Axes { title: "1 000 devices: memory of the process", x: "device", y: "MB", logarithmic: false };
    draw(&pictures.join("devices-memory.svg"), &axes, &memory)
}

/// Ten devices with more and more classes each.
fn classes(pictures: &Path) -> Outcome<()> {
    let mut curves = vec![];
    for strategy in strategies() {
        let mut points = vec![];
        for classes in [1, 2, 4, 6] {
            let stream = json!({"kind": "split-glyphs", "tasks": 10, "classes_per_task": classes});
            let measured = run(&comparison(stream, json!({"kind": "small-cnn"}), &strategy))?;
            print("classes", 10 * classes, &strategy, &measured);
            points.push((10.0 * classes as f64, median(&measured.consolidations[1..])));
        }
        curves.push(Curve { name: kind(&strategy), points });
    }
    let axes = Axes { title: "Time of a consolidation by classes", x: "classes", y: "seconds", logarithmic: true };
    draw(&pictures.join("classes-time.svg"), &axes, &curves)
}

/// Ten devices with wider and wider networks.
fn parameters(pictures: &Path) -> Outcome<()> {
    let (mut seconds, mut memory) = (vec![], vec![]);
    for strategy in strategies() {
        let (mut times, mut peaks) = (vec![], vec![]);
        for width in [250_usize, 500, 1000, 2000, 4000] {
            let stream =
                json!({"kind": "split-glyphs", "tasks": 10, "classes_per_task": 6, "train_samples_per_class": 20});
            let measured = run(&comparison(stream, json!({"kind": "mlp", "layers": [width, width]}), &strategy))?;
            let parameters = 784 * width + width * width + 2 * width;
            print("parameters", parameters, &strategy, &measured);
            times.push((parameters as f64 * 1e-6, median(&measured.consolidations[1..])));
            peaks.push((parameters as f64 * 1e-6, measured.peak));
        }
        let name = kind(&strategy);
        seconds.push(Curve { name: name.clone(), points: times });
        memory.push(Curve { name, points: peaks });
    }
    let x = "parameters of the backbone, millions";
    let axes = Axes { title: "Time of a consolidation by parameters", x, y: "seconds", logarithmic: true };
    draw(&pictures.join("parameters-time.svg"), &axes, &seconds)?;
    let axes = Axes { title: "Peak memory by parameters", x, y: "MB", logarithmic: false };
    draw(&pictures.join("parameters-memory.svg"), &axes, &memory)
}

fn print(grows: &str, size: usize, strategy: &Value, measured: &Measurement) {
    let all = &measured.consolidations;
    // The first consolidation only copies the first expert.
    let tenth = (all.len() / 10).max(1);
    let (first, last) = (median(&all[1..=tenth]), median(&all[all.len() - tenth..]));
    println!(
        "| {grows} | {size} | `{}` | {:.3} | {:.3} | {:.1} | {:.0} | {:.0} |",
        kind(strategy),
        1e3 * first,
        1e3 * last,
        measured.seconds,
        measured.at(0.1),
        measured.peak,
    );
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Medians of windows, because times of single consolidations vary on a busy machine.
fn smooth(seconds: &[f64]) -> Vec<(f64, f64)> {
    const WINDOW: usize = 20;
    let windows = seconds.chunks(WINDOW).enumerate();
    windows.map(|(index, window)| ((index * WINDOW + window.len() / 2) as f64, median(window))).collect()
}

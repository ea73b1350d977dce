//! `alluvium evaluate`: the accuracy of a model file on the test samples of a stream.

use std::io::Write;

use alluvium_backend::BackendConfig;
use alluvium_interchange::{Fallback, ForeignModel, Reading, StreamScores, TaskScore, printable, score};
use alluvium_model::Seed;
use alluvium_registry::Family;
use alluvium_stream::StreamConfig;
use anyhow::Context;
use serde_json::json;

use crate::check::aligned;
use crate::given::{ModelStatements, part};
use crate::model_arguments::EvaluateOptions;
use crate::print;

pub(crate) fn evaluate(options: &EvaluateOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_, stream) = part::<dyn StreamConfig>(Family::Stream, "--stream", &options.stream)?;
    let (_, backend) = part::<dyn BackendConfig>(Family::Backend, "--backend", &options.backend)?;
    let said = ModelStatements::of(&options.models, &[&options.file])?;
    let compute = backend.open()?;
    let stream = stream.build(Seed::new(options.seed)).with_context(|| format!("--stream {}", options.stream))?;
    let fallback = Fallback { input: Some(stream.input()), ..Fallback::default() };
    let reading = Reading { fallback, ..said.of_file(&options.file) };
    let model = ForeignModel::open(&options.file, &reading, &compute)?;
    let scores = score(&model, stream.as_ref(), &compute)?;
    if options.json {
        let digest = model.checkpoint().digest()?;
        let file = options.file.display().to_string();
        let rounded = model.is_rounded();
        let all = json!({ "file": file, "digest": digest, "seed": options.seed, "rounded": rounded, "scores": scores,
                             "state_dict": model.checkpoint().state_dict() });
        print(out, &format!("{}\n", serde_json::to_string_pretty(&all)?))
    } else {
        let taken = model.taken().map(|taken| printable(&taken) + "\n\n").unwrap_or_default();
        print(out, &(taken + &table(&scores)))?;
        if model.is_rounded() {
            print(out, "The model has weights of 64 bits; they were rounded to 32 to run it.\n")
        } else {
            Ok(())
        }
    }
}

fn table(scores: &StreamScores) -> String {
    let heading = ["task", "classes", "known", "samples", "task-aware", "task-agnostic"].map(str::to_owned);
    let line = |task: &TaskScore| {
        let known = format!("{}/{}", task.known_classes, task.classes);
        let (aware, agnostic) = (percent(task.task_aware), percent(Some(task.task_agnostic)));
        vec![task.task.to_string(), task.name.clone(), known, task.samples.to_string(), aware, agnostic]
    };
    let (aware, agnostic) = (percent(scores.task_aware), percent(Some(scores.task_agnostic)));
    let mean = ["mean", "", "", "", &aware, &agnostic].map(str::to_owned);
    let lines: Vec<_> =
        [heading.to_vec()].into_iter().chain(scores.tasks.iter().map(line)).chain([mean.to_vec()]).collect();
    let all = percent(Some(scores.accuracy));
    format!("{}\nOf all test samples, {all} % are classified rightly where the task is unknown.\n", aligned(&lines))
}

fn percent(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(|| "–".to_owned(), |accuracy| format!("{:.2}", 100.0 * accuracy))
}

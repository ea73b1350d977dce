//! What the model of a device alone scores on the tasks of the others, and on the test sets that no task has.

use alluvium_evaluate::accuracy_of_any_task;
use alluvium_model::Model;
use alluvium_stream::Scenario;
use serde_json::json;

use crate::ExperimentError;
use crate::context::RunContext;
use crate::devices::SharedSetup;
use crate::stored::{AccuracyElsewhere, AdaptedDevice, Computation, Interruption, redo};

/// Judges the model of a device alone where it has no task; `None` where there is nothing to judge it on.
pub(crate) fn elsewhere(
    run: &RunContext<'_>,
    shared: &SharedSetup,
    index: usize,
    alone: &AdaptedDevice,
) -> Result<Option<AccuracyElsewhere>, ExperimentError> {
    // Under class shift, a device alone has no head but its own.
    let has_others = run.experiment.stream.scenario() != Scenario::ClassShift && shared.tasks.len() > 1;
    let others = if has_others { (0..shared.tasks.len()).filter(|other| *other != index).collect() } else { vec![] };
    if others.is_empty() && shared.further.is_empty() {
        return Ok(None);
    }
    redo(|| judge(run, shared, &others, alone)).map(Some)
}

fn judge(
    run: &RunContext<'_>,
    shared: &SharedSetup,
    others: &[usize],
    alone: &AdaptedDevice,
) -> Result<AccuracyElsewhere, Interruption> {
    let inputs = json!({
        "what": "elsewhere",
        "expert": alone.record.digest,
        "tests": others.iter().map(|other| &shared.tasks[*other].digest).collect::<Vec<_>>(),
        "further": shared.further.digests(),
    });
    let stage = run.stages.stage(inputs, || {
        let model = Model::load(&alone.expert(run.stages)?.model, &shared.compute)?;
        let mut sum = 0.0;
        for other in others {
            sum += accuracy_of_any_task(&model, &shared.test(*other)?);
        }
        let tasks = (!others.is_empty()).then(|| sum / others.len() as f64);
        let record = AccuracyElsewhere { tasks, further: shared.further.judge(&model) };
        Ok(Computation { record, files: vec![], at_hand: () })
    })?;
    Ok(stage.record)
}

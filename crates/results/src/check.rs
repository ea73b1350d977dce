//! Checks of results that types alone cannot express.

use std::collections::BTreeSet;

use crate::cell::{Accuracy, Cell, RoundAccuracy};
use crate::early::EarlyAccuracy;
use crate::invalid::InvalidResults;
use crate::results::Results;

impl Results {
    /// Checks everything that would make a report wrong or unreadable later. Rows that are not finished yet are valid.
    pub fn check(&self) -> Result<(), InvalidResults> {
        let mut names = BTreeSet::new();
        for row in &self.rows {
            if !names.insert(row.name.as_str()) {
                return Err(InvalidResults::RepeatedRow(row.name.clone()));
            }
            let mut seeds = BTreeSet::new();
            for cell in &row.cells {
                let (row, seed) = (row.name.clone(), cell.seed);
                if !seeds.insert(seed) {
                    return Err(InvalidResults::RepeatedSeed { row, seed });
                }
                if !self.seeds.contains(&seed) {
                    return Err(InvalidResults::UnknownSeed { row, seed });
                }
                check_values(&row, cell)?;
                check_lengths(&row, cell)?;
            }
        }
        for (row, cells) in self.control.iter().flat_map(|control| &control.rows) {
            for cell in cells {
                check_values(row, cell)?;
                check_lengths(row, cell)?;
            }
        }
        match &self.baseline {
            Some(baseline) if !names.contains(baseline.as_str()) => {
                Err(InvalidResults::UnknownBaseline(baseline.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// Checks that every number is in its range. NaN has no JSON form: it would be written as `null`, which cannot be read back.
/// Accuracy matrices check themselves.
fn check_values(row: &str, cell: &Cell) -> Result<(), InvalidResults> {
    let of_rounds = |part: fn(&RoundAccuracy) -> &Vec<f64>, rounds: &[RoundAccuracy]| -> Vec<f64> {
        rounds.iter().flat_map(part).copied().collect()
    };
    let (aware, agnostic): (Vec<f64>, Vec<f64>) = match &cell.accuracy {
        Accuracy::Stream { .. } | Accuracy::Unmeasured { .. } => (vec![], vec![]),
        Accuracy::Rounds(rounds) => {
            (of_rounds(|round| &round.task_aware, rounds), of_rounds(|round| &round.task_agnostic, rounds))
        }
        Accuracy::Final { task_aware, task_agnostic } => {
            (task_aware.clone(), task_agnostic.clone().unwrap_or_default())
        }
    };

    let early = |part: fn(&EarlyAccuracy) -> Vec<f64>| cell.early_accuracy.iter().flat_map(part).collect::<Vec<f64>>();
    let (early_accuracy, budgets) =
        (early(|early| [early.accuracy.as_slice(), &early.alone].concat()), early(|early| vec![early.budget]));

    let further = cell.further_accuracy.iter();
    let further: Vec<f64> =
        further.flat_map(|one| one.steps.iter().map(|step| step.accuracy).chain(one.devices.iter().copied())).collect();

    let lists: [(&'static str, &[f64], Range); 14] = [
        ("task_aware", &aware, Range::Accuracy),
        ("task_agnostic", &agnostic, Range::Accuracy),
        ("expert_accuracy", &cell.expert_accuracy, Range::Accuracy),
        ("alone_accuracy", &cell.alone_accuracy, Range::Accuracy),
        ("early_accuracy", &early_accuracy, Range::Accuracy),
        ("early_accuracy: budget", &budgets, Range::Share),
        ("further_accuracy", &further, Range::Accuracy),
        ("accuracy_elsewhere", &cell.accuracy_elsewhere, Range::Accuracy),
        ("latent_similarity", &cell.latent_similarity, Range::Finite),
        ("latent_similarity_over_stream", &cell.latent_similarity_over_stream, Range::Finite),
        ("device_seconds", &cell.device_seconds, Range::Duration),
        ("consolidation_seconds", &cell.consolidation_seconds, Range::Duration),
        ("elapsed_seconds", &cell.elapsed_seconds, Range::Duration),
        ("seconds", &[cell.seconds], Range::Duration),
    ];
    for (field, values, range) in lists {
        if let Some(&value) = values.iter().find(|value| !range.contains(**value)) {
            return Err(InvalidResults::OutOfRange {
                row: row.to_owned(),
                seed: cell.seed,
                field,
                value,
                range: range.name(),
            });
        }
    }
    match cell.elapsed_seconds.windows(2).find(|pair| pair[1] < pair[0]) {
        None => Ok(()),
        Some(pair) => Err(InvalidResults::OutOfRange {
            row: row.to_owned(),
            seed: cell.seed,
            field: "elapsed_seconds",
            value: pair[1],
            range: "at least the value before it",
        }),
    }
}

/// The range of a number.
#[derive(Clone, Copy)]
enum Range {
    Accuracy,
    Share,
    /// CKA is a ratio of floating-point sums, so rounding may move it slightly out of \[0, 1\].
    Finite,
    Duration,
}

impl Range {
    fn contains(self, value: f64) -> bool {
        match self {
            Self::Accuracy | Self::Share => (0.0..=1.0).contains(&value),
            Self::Finite => value.is_finite(),
            Self::Duration => value.is_finite() && value >= 0.0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "an accuracy in [0, 1]",
            Self::Share => "a fraction, in [0, 1]",
            Self::Finite => "a finite number",
            Self::Duration => "a duration of 0 or more",
        }
    }
}

/// Checks that lists which formulas combine have one value for each task, expert or round, or are empty.
fn check_lengths(row: &str, cell: &Cell) -> Result<(), InvalidResults> {
    let (tasks, agnostic) = match &cell.accuracy {
        Accuracy::Stream { task_aware, task_agnostic } => (task_aware.tasks(), Some(task_agnostic.tasks())),
        Accuracy::Final { task_aware, task_agnostic } => (task_aware.len(), task_agnostic.as_ref().map(Vec::len)),
        Accuracy::Unmeasured { tasks } => (*tasks, None),
        Accuracy::Rounds(rounds) => return check_rounds(row, cell, rounds),
    };
    let lengths = [
        ("task_agnostic", agnostic),
        ("expert_accuracy", measured(&cell.expert_accuracy)),
        ("alone_accuracy", measured(&cell.alone_accuracy)),
        ("latent_similarity", measured(&cell.latent_similarity)),
        ("device_seconds", measured(&cell.device_seconds)),
        ("consolidation_seconds", measured(&cell.consolidation_seconds)),
        ("elapsed_seconds", measured(&cell.elapsed_seconds)),
        ("moved_bytes", measured(&cell.moved_bytes)),
    ];
    let early = cell.early_accuracy.iter().flat_map(|early| [&early.accuracy, &early.alone]);
    let early = early.map(|accuracies| ("early_accuracy", measured(accuracies)));
    let whole = match &cell.accuracy {
        Accuracy::Stream { task_aware, .. } => task_aware.whole_rows().count(),
        Accuracy::Final { .. } | Accuracy::Rounds(_) | Accuracy::Unmeasured { .. } => tasks,
    };
    same_length(row, cell, lengths.into_iter().chain(early), tasks, "tasks")?;
    let similarity = ("latent_similarity_over_stream", measured(&cell.latent_similarity_over_stream));
    same_length(row, cell, [similarity], whole, "tasks")
}

/// Checks that every round was judged on the same tasks, both ways, and that the other lists have a value for each expert or for
/// each round.
fn check_rounds(row: &str, cell: &Cell, rounds: &[RoundAccuracy]) -> Result<(), InvalidResults> {
    let tasks = rounds.first().map_or(0, |round| round.task_aware.len());
    let both =
        rounds.iter().flat_map(|round| [("task_aware", &round.task_aware), ("task_agnostic", &round.task_agnostic)]);
    let lengths = both.map(|(field, accuracies)| (field, Some(accuracies.len())));
    same_length(row, cell, lengths, tasks, "tasks")?;

    let (mut round, mut experts) = (0, 0);
    for next in rounds {
        if next.round <= round || next.experts < experts {
            let (row, seed) = (row.to_owned(), cell.seed);
            return Err(InvalidResults::RoundOrder { row, seed, round: next.round, experts: next.experts });
        }
        (round, experts) = (next.round, next.experts);
    }
    // Rounds after the last one that was judged count as well, so lists are compared with each other.
    let by_round = [
        ("moved_bytes", measured(&cell.moved_bytes)),
        ("stored_bytes", measured(&cell.stored_bytes)),
        ("consolidation_steps", measured(&cell.consolidation_steps)),
        ("consolidation_samples", measured(&cell.consolidation_samples)),
        ("consolidation_seconds", measured(&cell.consolidation_seconds)),
        ("elapsed_seconds", measured(&cell.elapsed_seconds)),
    ];
    let all = by_round.iter().find_map(|(_, found)| *found).unwrap_or(round);
    same_length(row, cell, by_round, all.max(round), "rounds")?;
    let by_expert =
        [("device_seconds", measured(&cell.device_seconds)), ("expert_accuracy", measured(&cell.expert_accuracy))];
    let all = by_expert.iter().find_map(|(_, found)| *found).unwrap_or(experts);
    same_length(row, cell, by_expert, all.max(experts), "experts")
}

/// The length of the list; `None` if it was not measured.
fn measured<T>(list: &[T]) -> Option<usize> {
    (!list.is_empty()).then_some(list.len())
}

fn same_length(
    row: &str,
    cell: &Cell,
    lengths: impl IntoIterator<Item = (&'static str, Option<usize>)>,
    expected: usize,
    of: &'static str,
) -> Result<(), InvalidResults> {
    for (field, found) in lengths {
        if let Some(found) = found.filter(|found| *found != expected) {
            return Err(InvalidResults::Length { row: row.to_owned(), seed: cell.seed, field, found, expected, of });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::cell::{Accuracy, Cell, RoundAccuracy};
    use crate::early::EarlyAccuracy;
    use crate::results::tests::{cell, row, small};
    use crate::results::{Results, RowRole};

    #[track_caller]
    fn assert_refused(change: impl Fn(&mut Results), expected: &str) {
        let mut results = small();
        change(&mut results);
        let message = results.check().expect_err("invalid").to_string();
        assert_eq!(message, expected);
        assert!(results.to_json().is_err(), "what is invalid is not written");
    }

    #[test]
    fn small_results_are_valid() {
        assert_eq!(small().check(), Ok(()));
    }

    #[test]
    fn contradictions_are_named() {
        assert_refused(|results| results.baseline = Some("c".into()), "the baseline `c` is not the name of a row");
        assert_refused(|results| results.rows.push(row("a", RowRole::Strategy, vec![])), "two rows have the name `a`");
        assert_refused(|results| results.rows[1].cells.push(cell(1, 0.5)), "row `b` has two cells with seed 1");
        assert_refused(
            |results| results.rows[1].cells.push(cell(3, 0.5)),
            "row `b` has a cell with seed 3, which is not among the seeds of the comparison",
        );
        assert_refused(
            |results| results.rows[1].cells.push(cell(2, 1.5)),
            "row `b`, seed 2: task_aware holds 1.5, which is not an accuracy in [0, 1]",
        );
        assert_refused(
            |results| results.rows[0].cells[0].seconds = f64::NAN,
            "row `a`, seed 1: seconds holds NaN, which is not a duration of 0 or more",
        );
        assert_refused(
            |results| results.rows[0].cells[0].expert_accuracy = vec![0.5],
            "row `a`, seed 1: expert_accuracy holds 1 values for 2 tasks",
        );
        assert_refused(
            |results| results.rows[0].cells[0].elapsed_seconds = vec![2.0, 1.5],
            "row `a`, seed 1: elapsed_seconds holds 1.5, which is not at least the value before it",
        );
        assert_refused(
            |results| results.rows[0].cells[0].elapsed_seconds = vec![2.0],
            "row `a`, seed 1: elapsed_seconds holds 1 values for 2 tasks",
        );
        let early =
            |budget, accuracy: &[f64]| vec![EarlyAccuracy { budget, accuracy: accuracy.to_vec(), alone: vec![] }];
        assert_refused(
            |results| results.rows[0].cells[0].early_accuracy = early(0.1, &[0.5; 3]),
            "row `a`, seed 1: early_accuracy holds 3 values for 2 tasks",
        );
        assert_refused(
            |results| results.rows[0].cells[0].early_accuracy = early(f64::NAN, &[0.5; 2]),
            "row `a`, seed 1: early_accuracy: budget holds NaN, which is not a fraction, in [0, 1]",
        );
    }

    /// Two rounds of two experts each, judged on three tasks.
    fn federated() -> Cell {
        let round =
            |round| RoundAccuracy { round, experts: 2 * round, task_aware: vec![0.5; 3], task_agnostic: vec![0.25; 3] };
        Cell {
            expert_accuracy: vec![0.5; 4],
            device_seconds: vec![1.0; 4],
            consolidation_seconds: vec![0.5; 2],
            elapsed_seconds: vec![2.5, 5.0],
            moved_bytes: vec![40, 80],
            ..Cell::new(1, Accuracy::Rounds(vec![round(1), round(2)]))
        }
    }

    #[test]
    fn the_lists_of_rounds_have_a_value_for_each_round_or_expert() {
        let with = |change: fn(&mut Cell)| {
            let mut cell = federated();
            change(&mut cell);
            let mut results = small();
            results.rows[1].cells = vec![cell];
            results
        };
        assert_eq!(with(|_| {}).check(), Ok(()));
        let message = |change| with(change).check().expect_err("invalid").to_string();
        assert_eq!(
            message(|cell| cell.elapsed_seconds = vec![1.0; 4]),
            "row `b`, seed 1: elapsed_seconds holds 4 values for 2 rounds"
        );
        assert_eq!(
            message(|cell| cell.expert_accuracy = vec![0.5; 3]),
            "row `b`, seed 1: expert_accuracy holds 3 values for 4 experts"
        );
        assert_eq!(
            message(|cell| cell.elapsed_seconds = vec![f64::NAN; 2]),
            "row `b`, seed 1: elapsed_seconds holds NaN, which is not a duration of 0 or more"
        );
        let rounds = |change: fn(&mut [RoundAccuracy])| {
            let mut cell = federated();
            if let Accuracy::Rounds(rounds) = &mut cell.accuracy {
                change(rounds);
            }
            let mut results = small();
            results.rows[1].cells = vec![cell];
            results.check().expect_err("invalid").to_string()
        };
        assert_eq!(
            rounds(|rounds| rounds[1].task_agnostic = vec![0.5]),
            "row `b`, seed 1: task_agnostic holds 1 values for 3 tasks"
        );
        assert!(rounds(|rounds| rounds[0].round = 0).contains("rounds count from 1"));
        assert!(rounds(|rounds| rounds[1].experts = 1).contains("round 2 with 1 experts"));
        // The third round was never consolidated.
        assert_eq!(rounds(|rounds| rounds[1].round = 3), "row `b`, seed 1: moved_bytes holds 2 values for 3 rounds");
    }
}

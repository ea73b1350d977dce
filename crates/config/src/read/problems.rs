//! From what was found in the variants to what is reported: each problem once, at its place in the file.

use std::collections::BTreeSet;

use crate::ConfigProblem;
use crate::document::Document;
use crate::finding::Finding;
use crate::sweep::{Expansion, Pick};

/// What was found in one variant; the findings' paths lead through its configuration.
#[derive(Debug)]
pub(crate) struct VariantFinding {
    pub(crate) variant: usize,
    pub(crate) finding: Finding,
}

/// A variant, and a row where the finding is in one.
type Combination = (usize, Option<usize>);

/// A finding of one or more combinations.
struct Problem<'a> {
    finding: Finding,
    /// The picks that its place shows.
    shown: Vec<&'a Pick>,
    combinations: BTreeSet<Combination>,
}

/// Every problem once, in the order in which they were found. A problem that only some values of a sweep have, but that
/// does not stand at one of them, names them.
pub(crate) fn in_file(document: &Document, expansion: &Expansion, found: Vec<VariantFinding>) -> Vec<ConfigProblem> {
    let mut problems: Vec<Problem<'_>> = vec![];
    for VariantFinding { variant, mut finding } in found {
        let combination = (variant, expansion.row(&finding.at));
        let (at, shown) = expansion.in_file(variant, &finding.at);
        finding.at = at;
        match problems.iter_mut().find(|problem| problem.finding == finding) {
            Some(problem) => _ = problem.combinations.insert(combination),
            None => problems.push(Problem { finding, shown, combinations: BTreeSet::from([combination]) }),
        }
    }
    let report = |problem: Problem<'_>| {
        let mut reported = problem.finding.in_file(document);
        if let Some(combinations) = problem.combinations_in_words(expansion) {
            reported.message.push_str(&format!(" (with {combinations})"));
        }
        reported
    };
    problems.into_iter().map(report).collect()
}

impl Problem<'_> {
    /// Which combinations have the problem; `None` when all have it that its place does not rule out.
    fn combinations_in_words(&self, expansion: &Expansion) -> Option<String> {
        let picks = |(variant, row): &Combination| {
            let of_row = row.iter().flat_map(|row| &expansion.rows[*row].picks);
            expansion.variants[*variant].picks.iter().chain(of_row).collect::<Vec<_>>()
        };
        let all = self.possible(expansion).into_iter().map(|combination| picks(&combination));
        let all: Vec<_> = all.filter(|picks| self.shown.iter().all(|shown| picks.contains(shown))).collect();
        let wrong: Vec<_> = self.combinations.iter().map(picks).collect();
        if wrong.len() == all.len() {
            return None;
        }
        let first = wrong.first()?;
        let common: Vec<_> = first.iter().filter(|pick| wrong.iter().all(|picks| picks.contains(pick))).collect();
        let with_common = all.iter().filter(|picks| common.iter().all(|pick| picks.contains(pick))).count();
        if with_common == wrong.len() {
            return Some(self.names(common.into_iter().copied()));
        }
        Some(format!("{}, and {} other combinations", self.names(first.iter().copied()), wrong.len() - 1))
    }

    /// All combinations that could have the problem: the variants, times the rows of its table where it is in a row.
    fn possible(&self, expansion: &Expansion) -> Vec<Combination> {
        let table = self.combinations.first().and_then(|(_, row)| *row).map(|row| expansion.rows[row].table);
        let rows: Vec<_> = match table {
            Some(table) => {
                let rows = expansion.rows.iter().enumerate().filter(|(_, row)| row.table == table);
                rows.map(|(number, _)| Some(number)).collect()
            }
            None => vec![None],
        };
        (0..expansion.variants.len()).flat_map(|variant| rows.iter().map(move |row| (variant, *row))).collect()
    }

    fn names<'p>(&self, picks: impl Iterator<Item = &'p Pick>) -> String {
        let names = picks.filter(|pick| !self.shown.contains(pick)).map(|pick| {
            let key = match pick.path.as_slice() {
                [strategies, _, key @ ..] if strategies == "strategies" => key,
                path => path,
            };
            format!("{}={}", key.join("."), pick.shown)
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

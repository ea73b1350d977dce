//! Turns the findings of all variants into problems of the file: each problem once, with its line and column.

use std::collections::BTreeSet;

use crate::ConfigProblem;
use crate::document::Document;
use crate::finding::Finding;
use crate::sweep::{Expansion, Pick};

/// A finding in one variant. Its path leads through the configuration of that variant.
#[derive(Debug)]
pub(crate) struct VariantFinding {
    pub(crate) variant: usize,
    pub(crate) finding: Finding,
}

/// A variant, and the row if the finding is in one.
type Combination = (usize, Option<usize>);

/// A finding that one or more combinations have.
struct Problem<'a> {
    finding: Finding,
    /// The picks that follow from its place in the file.
    shown: Vec<&'a Pick>,
    combinations: BTreeSet<Combination>,
}

/// Every problem once, in the order in which they were found. Where only some values of a sweep cause a problem and its place
/// in the file does not show which, the message names them.
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
    /// Which combinations have the problem; `None` if all combinations that its place allows have it.
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

    /// All combinations that could have the problem: all variants, and all rows of its table if it is in a row.
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

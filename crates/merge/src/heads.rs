//! The heads of all models, matched by name.

use crate::span::Span;
use crate::{Classifier, MergeError, MergeModel};

/// A head of the new model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub name: String,
    /// How many rows it has.
    pub classes: usize,
    /// For each model, the previous one first: its rows there, if it has the head.
    pub rows: Vec<Option<Vec<usize>>>,
}

/// The heads of the new model: those of the previous one, then those that each expert adds.
///
/// # Errors
/// When a row belongs to no head or to two, a head has no rows, or more rows in one model than in another.
pub(crate) fn matched(models: &[&MergeModel<'_>]) -> Result<Vec<Matched>, MergeError> {
    let mut all: Vec<Matched> = vec![];
    for (place, model) in models.iter().enumerate() {
        let Some(classifier) = model.classifier.as_ref().filter(|own| !own.is_left_behind()) else { continue };
        check_rows(model, classifier)?;
        for head in &classifier.heads {
            let (name, classes) = (head.name.clone(), head.rows.len());
            let found = all.iter().position(|known| known.name == name).unwrap_or_else(|| {
                all.push(Matched { name, classes, rows: vec![None; models.len()] });
                all.len() - 1
            });
            let known = &mut all[found];
            if known.classes != classes {
                let problem = format!("has {classes} rows for the head {:?}, and another {}", head.name, known.classes);
                return Err(model.problem(problem));
            }
            known.rows[place] = Some(head.rows.clone());
        }
    }
    Ok(all)
}

fn check_rows(model: &MergeModel<'_>, classifier: &Classifier) -> Result<(), MergeError> {
    let mut names: Vec<_> = classifier.heads.iter().map(|head| &head.name).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(model.problem(format!("has the head {:?} twice", twice[0])));
    }
    if classifier.heads.iter().any(|head| head.rows.is_empty()) {
        let problem = "has a head without rows; accepted: at least one";
        return Err(model.problem(problem.to_owned()));
    }
    let mut rows: Vec<_> = classifier.heads.iter().flat_map(|head| &head.rows).copied().collect();
    rows.sort_unstable();
    if rows.iter().copied().ne(0..rows.len()) {
        let problem =
            "has a classifier with a row that belongs to two heads, or to none; accepted: each row in one head";
        return Err(model.problem(problem.to_owned()));
    }
    Ok(())
}

/// Where rows of so many values are: rows that follow one another together.
pub(crate) fn spans(rows: &[usize], length: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = vec![];
    for (place, row) in rows.iter().enumerate() {
        match spans.last_mut() {
            Some(span) if span.start + span.values == row * length => span.values += length,
            _ => spans.push(Span { at: place * length, start: row * length, values: length }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_follow_one_another_are_one_span() {
        let span = |at, start, values| Span { at, start, values };
        assert_eq!(spans(&[0, 1, 2], 4), [span(0, 0, 12)]);
        assert_eq!(spans(&[3, 4, 0, 2], 4), [span(0, 12, 8), span(8, 0, 4), span(12, 8, 4)]);
        assert_eq!(spans(&[1, 0], 1), [span(0, 1, 1), span(1, 0, 1)]);
    }
}

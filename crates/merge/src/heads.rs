//! The heads of all models, matched by name.

use crate::span::Span;
use crate::{Classifier, MergeError, MergeModel};

/// A head of the new model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeadMatch {
    pub name: String,
    /// How many rows it has.
    pub classes: usize,
    /// The rows of the head in each model, the previous model first. `None`: the model does not have the head.
    pub rows: Vec<Option<Vec<usize>>>,
}

/// The heads of the new model: those of the previous one, then those that each expert adds.
///
/// # Errors
/// When a row belongs to no head or to two heads, when a head has no rows, and when a head has different numbers of
/// rows in two models.
pub(crate) fn match_heads(models: &[&MergeModel<'_>]) -> Result<Vec<HeadMatch>, MergeError> {
    let mut all: Vec<HeadMatch> = vec![];
    for (index, model) in models.iter().enumerate() {
        let Some(classifier) = model.classifier.as_ref().filter(|own| !own.is_left_behind()) else { continue };
        check_rows(model, classifier)?;
        for head in &classifier.heads {
            let (name, classes) = (head.name.clone(), head.rows.len());
            let found = all.iter().position(|known| known.name == name).unwrap_or_else(|| {
                all.push(HeadMatch { name, classes, rows: vec![None; models.len()] });
                all.len() - 1
            });
            let known = &mut all[found];
            if known.classes != classes {
                let problem =
                    format!("has {classes} rows for the head {:?}, but another model has {}", head.name, known.classes);
                return Err(model.problem(problem));
            }
            known.rows[index] = Some(head.rows.clone());
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

/// The spans of rows of `length` values each. Consecutive rows share one span.
pub(crate) fn spans(rows: &[usize], length: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = vec![];
    for (index, row) in rows.iter().enumerate() {
        match spans.last_mut() {
            Some(span) if span.start + span.values == row * length => span.values += length,
            _ => spans.push(Span { at: index * length, start: row * length, values: length }),
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

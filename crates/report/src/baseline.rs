//! The row that the others are compared with: the baseline of the results, or one that the user chooses.

use std::borrow::Cow;
use std::collections::BTreeSet;

use alluvium_results::Results;

use crate::error::ReportError;

/// The results, compared with the row of this name; without a name, with their own baseline.
pub(crate) fn compare<'a>(results: &'a Results, baseline: Option<&str>) -> Result<Cow<'a, Results>, ReportError> {
    check(&[results], baseline)?;
    Ok(compare_if_there(results, baseline))
}

/// The results, compared with the row of this name; with their own baseline if they do not have this row.
pub(crate) fn compare_if_there<'a>(results: &'a Results, baseline: Option<&str>) -> Cow<'a, Results> {
    match baseline {
        Some(name) if results.row(name).is_some() && results.baseline.as_deref() != Some(name) => {
            Cow::Owned(Results { baseline: Some(name.to_owned()), control: None, ..results.clone() })
        }
        _ => Cow::Borrowed(results),
    }
}

/// Refuses a name that is not the name of a row of any of these results.
pub(crate) fn check(all: &[&Results], baseline: Option<&str>) -> Result<(), ReportError> {
    let Some(name) = baseline else { return Ok(()) };
    if all.iter().any(|results| results.row(name).is_some()) {
        return Ok(());
    }
    // In the order of the rows, each name once.
    let mut seen = BTreeSet::new();
    let names = all.iter().flat_map(|results| &results.rows).map(|row| row.name.clone());
    let accepted = names.filter(|name| seen.insert(name.clone())).collect();
    Err(ReportError::UnknownBaseline { name: name.to_owned(), accepted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn another_baseline_replaces_the_results_own() {
        let results = example::results();
        assert_eq!(compare(&results, None).expect("own").baseline.as_deref(), Some("naive"));
        assert_eq!(compare(&results, Some("joint")).expect("a row").baseline.as_deref(), Some("joint"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_there_are() {
        let results = example::results();
        let message = compare(&results, Some("nobody")).expect_err("unknown").to_string();
        assert_eq!(message, "`nobody` is not the name of a row; the rows are `naive`, `pld`, `joint`, `devices-alone`");
    }

    #[test]
    fn one_of_several_runs_suffices() {
        let (with, mut without) = (example::results(), example::results());
        without.rows.remove(1);
        check(&[&without, &with], Some("pld")).expect("one has it");
        assert_eq!(compare_if_there(&without, Some("pld")).baseline.as_deref(), Some("naive"));
    }
}

//! The rows on test sets that no task has.

use crate::cell::Cell;
use crate::further::FurtherAccuracy;
use crate::results::{Results, Row};
use crate::statistics::Estimate;

impl Cell {
    /// The accuracies on the test set of this name.
    pub fn further(&self, name: &str) -> Option<&FurtherAccuracy> {
        self.further_accuracy.iter().find(|further| further.name == name)
    }
}

impl Row {
    /// A number about a test set that no task has, over the seeds; `None` if some seed with that test set lacks the number.
    pub fn further(&self, name: &str, number: impl Fn(&FurtherAccuracy) -> Option<f64>) -> Option<Estimate> {
        let judged = self.cells.iter().filter_map(|cell| cell.further(name));
        let values = judged.map(number).collect::<Option<Vec<_>>>()?;
        Estimate::from_samples(&values)
    }
}

impl Results {
    /// The names of the test sets that no task has, in the order of the stream.
    pub fn further_tests(&self) -> Vec<String> {
        let mut names: Vec<String> = vec![];
        for further in self.rows.iter().flat_map(|row| &row.cells).flat_map(|cell| &cell.further_accuracy) {
            if !names.contains(&further.name) {
                names.push(further.name.clone());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::further::FurtherStep;
    use crate::results::tests::small;

    #[test]
    fn a_row_has_a_number_if_every_seed_has_it() {
        let further = |accuracies: [f64; 2]| FurtherAccuracy {
            steps: [1, 2]
                .into_iter()
                .zip(accuracies)
                .map(|(experts, accuracy)| FurtherStep { experts, accuracy })
                .collect(),
            ..FurtherAccuracy::new("unseen".to_owned())
        };
        let mut results = small();
        assert!(results.further_tests().is_empty());
        results.rows[0].cells[0].further_accuracy = vec![further([0.25, 1.0])];
        results.rows[0].cells[1].further_accuracy = vec![further([0.25, 0.5])];
        assert_eq!(results.further_tests(), ["unseen"]);
        // (1 + 0.5) / 2.
        assert_eq!(results.rows[0].further("unseen", FurtherAccuracy::last).map(|mean| mean.mean), Some(0.75));
        assert_eq!(results.rows[0].further("unseen", FurtherAccuracy::known_after), None, "the second seed never did");
        assert_eq!(results.rows[1].further("unseen", FurtherAccuracy::last), None);
        let names: Vec<_> = results.summary().iter().map(crate::SummaryLine::name).collect();
        assert!(names.contains(&"further_accuracy@unseen".to_owned()), "{names:?}");
    }
}

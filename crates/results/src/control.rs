//! A control run: the same rows under the same seeds, with one difference.

use std::collections::BTreeMap;

use crate::cell::Cell;
use crate::control_cells::{Control, values};
use crate::metric_catalogue::Metric;
use crate::results::Results;
use crate::statistics::PairedDifference;

impl Results {
    /// The same results, compared with a control run: each row with the row of the same name there. `None` if no row shares a
    /// name and a seed with it.
    pub fn against(&self, name: &str, control: &Results) -> Option<Results> {
        let mut rows = BTreeMap::new();
        for row in &control.rows {
            let Some(own) = self.row(&row.name) else { continue };
            let is_shared = |cell: &&Cell| own.cells.iter().any(|other| other.seed == cell.seed);
            let cells: Vec<Cell> = row.cells.iter().filter(is_shared).cloned().collect();
            if !cells.is_empty() {
                rows.insert(row.name.clone(), cells);
            }
        }
        let control = Control { name: name.to_owned(), rows };
        (!control.rows.is_empty()).then(|| Results { baseline: None, control: Some(control), ..self.clone() })
    }

    /// Each row minus the row of the same name in the control run, paired by seed, in the order of the rows.
    pub(crate) fn difference_to_control(&self, metric: Metric, control: &Control) -> Vec<(String, PairedDifference)> {
        let difference = |name: &str| {
            let cells = control.rows.get(name)?;
            PairedDifference::by_seed(&self.row(name)?.values(metric), &values(cells, metric))
        };
        let names = self.rows.iter().map(|row| row.name.clone());
        names.filter_map(|name| Some((name.clone(), difference(&name)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::results::tests::{cell, small};

    #[test]
    fn each_row_is_compared_with_its_own_in_the_control_run() {
        let mut control = small();
        control.rows[0].cells = vec![cell(2, 0.25), cell(1, 0.25)];
        control.rows[1].cells = vec![cell(9, 0.5)];
        control.rows[2].name = "another".into();
        let compared = small().against("clean", &control).expect("row `a` is in both");
        assert_eq!(compared.check(), Ok(()));
        // Row `a`: ((0.5 − 0.25) + (0.75 − 0.25)) / 2. Row `b` shares no seed, `joint` has no row of its name.
        let differences = compared.difference_to_baseline(Metric::AverageAccuracyTaskAware);
        let [(name, difference)] = differences.as_slice() else { panic!("{differences:?}") };
        assert_eq!((name.as_str(), difference.estimate.mean, difference.estimate.n), ("a", 0.375, 2));

        let json = compared.to_json().expect("valid");
        assert_eq!(Results::from_json(&json).expect("reads back"), compared);
    }

    #[test]
    fn a_run_that_shares_nothing_is_no_control() {
        let mut control = small();
        control.rows.iter_mut().for_each(|row| row.name.push_str(" 2"));
        assert_eq!(small().against("other", &control), None);
    }

    #[test]
    fn devices_are_left_out_of_the_control_run_as_well() {
        let mut results = small();
        results.tasks = vec![results.tasks[0].clone(); 2];
        let compared = results.against("same", &results).expect("the same rows");
        let others = compared.without_devices(&BTreeSet::from([0])).expect("one is left");
        let control = others.control.expect("stays");
        assert!(control.rows.values().flatten().all(|cell| cell.tasks() == 1));
    }

    #[test]
    fn a_control_run_that_contradicts_itself_is_refused() {
        let results = small();
        let mut compared = results.against("same", &results).expect("the same rows");
        compared.control.as_mut().expect("is there").rows.get_mut("a").expect("is there")[0].seconds = f64::NAN;
        let message = compared.check().expect_err("invalid").to_string();
        assert!(message.contains("seconds holds NaN"), "{message}");
    }
}

//! The `table` stream: a CSV or Parquet file with numeric and categorical columns.
//!
//! `reading` reads the file, `columns` holds what was read, `encoding` makes inputs of rows, and `scaled` standardises them.

mod columns;
mod encoding;
mod reading;
mod scaled;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use alluvium_stream::{
    DataSplit, Samples, Scenario, Seed, SourcePart, StreamConfig, StreamError, TaskStream, options, plugin,
};

use columns::{Roles, Table, Texts};
use encoding::Encoding;
use scaled::TableTasks;

/// A user's own table, split over devices: a CSV file with a line of column names, or a Parquet file.
///
/// A row is a sample. Its label is the text or the number in one column. Each categorical column becomes a value for each of its
/// categories: 1 for the row's own, 0 for the others. The categories are those of the training part, so that all devices have
/// inputs of one shape; any other becomes zeros. An empty cell is a category of its own. All other columns are numbers, in the
/// order of the file, without empty cells.
///
/// Each device standardises its numbers: it subtracts the mean of its own training samples and divides by their standard deviation.
/// A column that is constant there is only shifted. Its test samples are scaled by the same numbers. Nothing else goes from one
/// device's samples into another's inputs.
#[options]
#[derive(PartialEq)]
pub struct TableConfig {
    /// The file of the training samples, CSV or Parquet.
    #[default("train.csv".into())]
    pub train: PathBuf,
    /// The file of the test samples, with the same columns. Absent: `held_out` of the training samples.
    pub test: Option<PathBuf>,
    /// The column of the labels.
    #[default("label".to_owned())]
    pub label_column: String,
    /// The column of the domains, such as a place or a person. It is not part of the inputs. Absent: samples have no domains.
    pub domain_column: Option<String>,
    /// The columns that hold categories: texts, or numbers that are names.
    pub categorical_columns: Vec<String>,
    /// The columns that are not used.
    pub ignored_columns: Vec<String>,
    /// Whether each device standardises the numeric columns.
    #[default(true)]
    pub standardise: bool,
    /// The character between the cells of a CSV file.
    #[schemars(length(min = 1, max = 1))]
    #[default(",".to_owned())]
    pub delimiter: String,
    /// How the samples are split over devices.
    #[serde(flatten)]
    pub data: DataSplit,
}

#[plugin(kind = "table")]
impl StreamConfig for TableConfig {
    fn scenario(&self) -> Scenario {
        self.data.scenario()
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let [delimiter] = *self.delimiter.as_bytes() else {
            return Err(StreamError::Option {
                option: "delimiter",
                problem: format!("= \"{}\"", self.delimiter),
                accepted: "one ASCII character".to_owned(),
            });
        };
        let read = |path: &PathBuf| reading::read(path, delimiter, self.roles());
        let train = read(&self.train)?;
        let test = self.test.as_ref().map(read).transpose()?;
        let both = || [Some(&train), test.as_ref()].into_iter().flatten();
        let class_names = numbered(both().map(|table| &table.labels));
        let domain_names = numbered(both().filter_map(|table| table.domains.as_ref()));
        let labels = |table: &Table| numbers(&table.labels, &class_names);
        let own = labels(&train);
        let all = |table: &Table| (0..table.rows()).collect::<Vec<_>>();
        let (train_rows, test_rows) = match &test {
            Some(test) => (all(&train), all(test)),
            None => {
                let domains = train.domains.as_ref().map(|domains| numbers(domains, &domain_names));
                self.data.hold_out(&own, domains.as_deref(), seed)?
            }
        };
        let encoding = Encoding::of(&train, &train_rows)?;
        let numeric = encoding.numeric();
        let part = |table: &Table, rows: &[usize], labels: &[usize]| {
            let labels = rows.iter().map(|row| labels[*row]).collect();
            let samples = Samples::of_numbers([numeric.len()].into(), encoding.encode(table, rows)?, labels);
            let domains = table.domains.as_ref().map(|domains| {
                let own = numbers(domains, &domain_names);
                rows.iter().map(|row| own[*row]).collect()
            });
            Ok::<_, StreamError>(SourcePart { samples: Arc::new(samples), domains })
        };
        let tested = test.as_ref().unwrap_or(&train);
        let train_part = part(&train, &train_rows, &own)?;
        let test_part = part(tested, &test_rows, &labels(tested))?;
        let notes = encoding.unknown(tested, &test_rows);
        let tasks = self.data.tasks(class_names, train_part, Some(test_part), seed)?;
        let standardised = numeric.iter().map(|numeric| *numeric && self.standardise).collect();
        Ok(Box::new(TableTasks { tasks, standardised, notes }))
    }

    fn files(&self) -> Vec<PathBuf> {
        std::iter::once(&self.train).chain(&self.test).cloned().collect()
    }
}

impl TableConfig {
    fn roles(&self) -> Roles<'_> {
        Roles {
            label: &self.label_column,
            domain: self.domain_column.as_deref(),
            categorical: &self.categorical_columns,
            ignored: &self.ignored_columns,
        }
    }
}

/// The texts that occur. If all are whole numbers, they are sorted as such.
fn numbered<'a>(texts: impl Iterator<Item = &'a Texts>) -> Vec<String> {
    let found: BTreeSet<_> = texts.flat_map(|texts| (0..texts.rows()).map(|row| texts.row(row))).collect();
    let mut names: Vec<_> = found.into_iter().map(str::to_owned).collect();
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
    }
    names
}

/// The number of each row's text among the names.
fn numbers(texts: &Texts, names: &[String]) -> Vec<usize> {
    let numbers: std::collections::HashMap<_, _> =
        names.iter().enumerate().map(|(number, name)| (name.as_str(), number)).collect();
    (0..texts.rows()).map(|row| numbers.get(texts.row(row)).copied().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests;

//! Encodes the rows of a table as inputs: numbers as they are, categories one-hot.

use std::collections::BTreeSet;

use alluvium_stream::StreamError;

use crate::columns::{Table, Values};

/// The most categories of a column.
const MOST_CATEGORIES: usize = 10_000;
/// The most categories that a note names.
const NAMES_SHOWN: usize = 12;

/// How rows become inputs. It follows from the training part.
#[derive(Debug)]
pub struct Encoding {
    /// For each column: its name, and the categories if it has some.
    columns: Vec<(String, Option<Vec<String>>)>,
}

impl Encoding {
    /// The encoding whose categories are those of the given rows.
    ///
    /// # Errors
    /// When a column has too many categories.
    pub fn of(table: &Table, rows: &[usize]) -> Result<Self, StreamError> {
        let columns = table.features.iter().map(|(name, values)| {
            let Values::Categories(texts) = values else { return Ok((name.clone(), None)) };
            let categories: BTreeSet<_> = rows.iter().map(|row| texts.row(*row)).collect();
            if categories.len() > MOST_CATEGORIES {
                let count = categories.len();
                let cause = format!("column \"{name}\" has {count} categories; accepted: {MOST_CATEGORIES} at most");
                return Err(StreamError::file(&table.path, cause));
            }
            Ok((name.clone(), Some(categories.into_iter().map(str::to_owned).collect())))
        });
        Ok(Encoding { columns: columns.collect::<Result<_, _>>()? })
    }

    /// Whether each value of an input is a number of the table, and not part of a category.
    pub fn numeric(&self) -> Vec<bool> {
        let of_column = |(_, categories): &(String, Option<Vec<String>>)| match categories {
            None => vec![true],
            Some(categories) => vec![false; categories.len()],
        };
        self.columns.iter().flat_map(of_column).collect()
    }

    /// The values of the given rows, one input after another. A category that is not known becomes zeros.
    ///
    /// # Errors
    /// When the table has other columns than the one that the encoding is of.
    pub fn encode(&self, table: &Table, rows: &[usize]) -> Result<Vec<f32>, StreamError> {
        if let Some((name, _)) = self.columns.iter().find(|(name, _)| self.column(table, name).is_none()) {
            return Err(StreamError::file(
                &table.path,
                format!("does not have the column \"{name}\" of the training file"),
            ));
        }
        if let Some((name, _)) =
            table.features.iter().find(|(name, _)| !self.columns.iter().any(|(own, _)| own == name))
        {
            let cause =
                format!("has the column \"{name}\", which the training file does not have; accepted: its columns");
            return Err(StreamError::file(&table.path, cause));
        }
        let columns: Vec<_> = self.columns.iter().map(|(name, own)| (self.column(table, name), own)).collect();
        let mut encoded = vec![];
        for row in rows {
            for (values, categories) in &columns {
                match (values, categories) {
                    (Some(Values::Numbers(numbers)), _) => encoded.push(numbers[*row]),
                    (Some(Values::Categories(texts)), Some(categories)) => {
                        let own = texts.row(*row);
                        encoded.extend(categories.iter().map(|category| f32::from(u8::from(category == own))));
                    }
                    _ => {}
                }
            }
        }
        Ok(encoded)
    }

    /// A note for each column of which the given rows have unknown categories.
    pub fn unknown(&self, table: &Table, rows: &[usize]) -> Vec<String> {
        let note = |(name, categories): &(String, Option<Vec<String>>)| {
            let (Some(Values::Categories(texts)), Some(categories)) = (self.column(table, name), categories) else {
                return None;
            };
            let found: BTreeSet<_> = rows.iter().map(|row| texts.row(*row)).collect();
            let unknown: Vec<_> = found.into_iter().filter(|own| !categories.iter().any(|one| one == own)).collect();
            let shown: Vec<_> = unknown.iter().take(NAMES_SHOWN).map(|name| format!("\"{name}\"")).collect();
            let more = unknown.len().saturating_sub(NAMES_SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = shown.join(", ") + &more;
            let is_there = !unknown.is_empty();
            is_there.then(|| {
                format!("no training row has the categories {shown} of the column \"{name}\"; they become zeros")
            })
        };
        self.columns.iter().filter_map(note).collect()
    }

    fn column<'a>(&self, table: &'a Table, name: &str) -> Option<&'a Values> {
        table.features.iter().find(|(own, _)| own == name).map(|(_, values)| values)
    }
}

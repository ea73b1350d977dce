//! What each column of a table is for, and the values that were read from it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use alluvium_stream::StreamError;

/// The roles of columns, by their names.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    pub label: &'a str,
    pub domain: Option<&'a str>,
    pub categorical: &'a [String],
    pub ignored: &'a [String],
}

/// The role of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Label,
    Domain,
    Category,
    Number,
    Ignored,
}

/// A cell as a file has it.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    Text(&'a str),
    Number(f64),
    Missing,
}

/// Texts, each kept once.
#[derive(Debug, Default)]
pub struct Texts {
    numbers: HashMap<String, u32>,
    known: Vec<String>,
    /// The number of each row's text.
    rows: Vec<u32>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                let number = self.known.len() as u32;
                self.numbers.insert(text.to_owned(), number);
                self.known.push(text.to_owned());
                number
            }
        };
        self.rows.push(number);
    }

    pub fn row(&self, row: usize) -> &str {
        &self.known[self.rows[row] as usize]
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }
}

/// The values of a column that become values of inputs.
#[derive(Debug)]
pub enum Values {
    Numbers(Vec<f32>),
    Categories(Texts),
}

/// A table in memory: the columns that are used.
#[derive(Debug)]
pub struct Table {
    pub path: PathBuf,
    roles: Vec<Role>,
    names: Vec<String>,
    pub labels: Texts,
    pub domains: Option<Texts>,
    /// In the order of the file, with their names.
    pub features: Vec<(String, Values)>,
}

impl Table {
    /// An empty table with these columns.
    ///
    /// # Errors
    /// When a named column does not exist, two columns have one name, or no column is left for inputs.
    pub fn new(path: &Path, names: Vec<String>, roles: Roles<'_>) -> Result<Self, StreamError> {
        let wrong = |cause: String| Err(StreamError::file(path, cause));
        if let Some((index, name)) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            return wrong(format!("has two columns called \"{name}\", the second is number {}", index + 1));
        }
        let single = [("label_column", Some(roles.label)), ("domain_column", roles.domain)];
        let single = single.into_iter().filter_map(|(option, name)| Some((option, name?)));
        let categorical = roles.categorical.iter().map(|name| ("categorical_columns", name.as_str()));
        let ignored = roles.ignored.iter().map(|name| ("ignored_columns", name.as_str()));
        let mut named = single.chain(categorical).chain(ignored);
        if let Some((option, missing)) = named.find(|(_, name)| !names.iter().any(|own| own == name)) {
            let accepted = names.join(", ");
            return wrong(format!("does not have the column \"{missing}\" of `{option}`; accepted: one of {accepted}"));
        }
        let role = |name: &String| match name.as_str() {
            name if name == roles.label => Role::Label,
            name if Some(name) == roles.domain => Role::Domain,
            _ if roles.ignored.contains(name) => Role::Ignored,
            _ if roles.categorical.contains(name) => Role::Category,
            _ => Role::Number,
        };
        let found: Vec<_> = names.iter().map(role).collect();
        let features = names.iter().zip(&found).filter_map(|(name, role)| match role {
            Role::Number => Some((name.clone(), Values::Numbers(vec![]))),
            Role::Category => Some((name.clone(), Values::Categories(Texts::default()))),
            _ => None,
        });
        let features: Vec<_> = features.collect();
        if features.is_empty() {
            return wrong("has no column that is left for inputs; accepted: at least one beside the labels".to_owned());
        }
        let (labels, domains) = (Texts::default(), roles.domain.map(|_| Texts::default()));
        Ok(Table { path: path.to_owned(), roles: found, names, labels, domains, features })
    }

    /// Adds a row. `line` says where it is, for messages.
    ///
    /// # Errors
    /// When a cell is empty or no number where a number is expected.
    pub fn push<'a>(&mut self, line: u64, cells: impl Iterator<Item = Cell<'a>>) -> Result<(), StreamError> {
        let mut features = self.features.iter_mut();
        for ((role, name), cell) in self.roles.iter().zip(&self.names).zip(cells) {
            let wrong =
                |cause: String| StreamError::file(&self.path, format!("line {line}, column \"{name}\": {cause}"));
            match role {
                Role::Ignored => {}
                Role::Label if matches!(cell, Cell::Missing | Cell::Text("")) => {
                    return Err(wrong("has no label; accepted: a label in every row".to_owned()));
                }
                Role::Label => self.labels.push(&cell.text()),
                Role::Domain => self.domains.iter_mut().for_each(|domains| domains.push(&cell.text())),
                Role::Category | Role::Number => match features.next().map(|(_, values)| values) {
                    Some(Values::Categories(texts)) => texts.push(&cell.text()),
                    Some(Values::Numbers(numbers)) => numbers.push(cell.number().map_err(wrong)?),
                    None => {}
                },
            }
        }
        Ok(())
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.labels.rows()
    }
}

impl Cell<'_> {
    fn text(self) -> String {
        match self {
            Cell::Text(text) => text.trim().to_owned(),
            Cell::Number(number) => number.to_string(),
            Cell::Missing => String::new(),
        }
    }

    fn number(self) -> Result<f32, String> {
        let accepted = "a finite number; or name the column in `categorical_columns` or `ignored_columns`";
        let number = match self {
            Cell::Number(number) => number as f32,
            Cell::Text(text) if !text.trim().is_empty() => {
                text.trim().parse().map_err(|_| format!("\"{text}\" is not a number; accepted: {accepted}"))?
            }
            _ => return Err(format!("is empty; accepted: {accepted}")),
        };
        if number.is_finite() { Ok(number) } else { Err(format!("is {number}; accepted: {accepted}")) }
    }
}

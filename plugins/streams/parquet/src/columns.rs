//! Finds the columns of the images and the labels.

use std::path::Path;

use parquet::basic::{ConvertedType, Type};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

/// The names of the columns to use; `None`: the only possible ones.
#[derive(Debug, Clone, Copy)]
pub struct ColumnNames<'a> {
    pub image: Option<&'a str>,
    pub label: Option<&'a str>,
}

/// The columns, by their numbers among the leaves of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The pictures' bytes.
    pub image: usize,
    /// The labels.
    pub label: usize,
    /// The name of the pictures' column.
    pub image_name: String,
    /// The name of the labels' column.
    pub label_name: String,
}

impl Columns {
    /// Checks that the columns of another file of the data set, at `path`, have the same names.
    ///
    /// # Errors
    /// A description of the problem, when they are not.
    pub fn check_same(&self, other: &Columns, path: &Path) -> Result<(), String> {
        let pairs = [
            ("images", "image_column", &self.image_name, &other.image_name),
            ("labels", "label_column", &self.label_name, &other.label_name),
        ];
        match pairs.into_iter().find(|(_, _, own, other)| own != other) {
            Some((what, option, own, other)) => Err(format!(
                "its column of {what} is {own}, but that of {} is {other}; accepted: one name in all files, or `{option}`",
                path.display()
            )),
            None => Ok(()),
        }
    }
}

/// Finds the columns.
///
/// # Errors
/// A description of the problem, when a column does not exist or is ambiguous.
pub fn find(schema: &SchemaDescriptor, wanted: ColumnNames<'_>) -> Result<Columns, String> {
    let columns = schema.columns();
    let image = image(columns, wanted.image)?;
    let label = label(columns, wanted.label)?;
    let name = |column: usize| columns[column].path().string();
    Ok(Columns { image, label, image_name: name(image), label_name: name(label) })
}

/// The column `NAME.bytes`, or a column of bytes that is not text.
fn image(columns: &[ColumnDescPtr], wanted: Option<&str>) -> Result<usize, String> {
    let is_bytes = |column: &ColumnDescPtr| column.physical_type() == Type::BYTE_ARRAY && column.max_rep_level() == 0;
    let is_text = |column: &ColumnDescPtr| column.converted_type() == ConvertedType::UTF8;
    let named =
        |column: &ColumnDescPtr| wanted.is_none_or(|name| column.path().parts().first().is_some_and(|own| own == name));
    let of = |depth: usize| {
        let fits = move |column: &ColumnDescPtr| match column.path().parts() {
            [_, field] => depth == 2 && field == "bytes",
            [_] => depth == 1 && !is_text(column),
            _ => false,
        };
        let own =
            columns.iter().enumerate().filter(move |(_, column)| is_bytes(column) && named(column) && fits(column));
        own.map(|(number, _)| number).collect::<Vec<_>>()
    };
    let found = Some(of(2)).filter(|found| !found.is_empty()).unwrap_or_else(|| of(1));
    only(&found, "image_column", "a column of images, with the field `bytes` or of bytes", wanted, columns)
}

/// A column of whole numbers.
fn label(columns: &[ColumnDescPtr], wanted: Option<&str>) -> Result<usize, String> {
    let numbers = |column: &ColumnDescPtr| {
        let whole = matches!(column.physical_type(), Type::INT32 | Type::INT64);
        whole && column.max_rep_level() == 0 && column.path().parts().len() == 1
    };
    let of = |name: &str| columns.iter().position(|column| numbers(column) && column.path().string() == name);
    let all: Vec<_> = (0..columns.len()).filter(|number| numbers(&columns[*number])).collect();
    let found = match wanted {
        Some(name) => of(name).into_iter().collect(),
        None => of("label").map_or(all, |label| vec![label]),
    };
    only(&found, "label_column", "a column of labels, of whole numbers", wanted, columns)
}

fn only(
    found: &[usize],
    option: &str,
    what: &str,
    wanted: Option<&str>,
    columns: &[ColumnDescPtr],
) -> Result<usize, String> {
    let names = || columns.iter().map(|column| column.path().string()).collect::<Vec<_>>().join(", ");
    match (found, wanted) {
        ([column], _) => Ok(*column),
        ([], Some(name)) => Err(format!("does not have a column {name} that is {what}; its columns: {}", names())),
        ([], None) => Err(format!("does not have a column that is {what}; its columns: {}", names())),
        _ => Err(format!("has more than {what}; `{option}` names one of its columns: {}", names())),
    }
}

//! The rows of a part's files. Labels are read at once, pictures on request.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use alluvium_stream::picture::{Orientation, decode, fit};
use alluvium_stream::{DataPart, InputShape, PictureShape, Samples, StreamError, open_file, read_each};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use rayon::prelude::*;

use crate::columns::{self, ColumnNames, Columns};
use crate::packing::Packing;
use crate::{names, pages};

/// The largest number of classes; a label may be any number below it.
const MOST_CLASSES: usize = 100_000;
/// The largest number of rows of a part, all files together, because their labels are in memory. ImageNet-21k has 14
/// million.
const MOST_ROWS: usize = 50_000_000;
/// The longest side of pictures that are not resized.
const LONGEST_SIDE: u32 = 1024;
/// The number of rows that are read at a time.
const ROWS_AT_A_TIME: usize = 1024;

/// The files of a part, and their labels.
#[derive(Debug)]
pub struct Table {
    files: Vec<PathBuf>,
    columns: Vec<Columns>,
    groups: Vec<Group>,
    labels: Vec<usize>,
    /// The classes that each file states.
    classes: Vec<Classes>,
    /// The number of bytes that the pages may still claim beyond their certain size.
    credit: u64,
}

/// The classes of a file: their names, if it states them, and the index after its last row among all rows.
#[derive(Debug)]
struct Classes {
    names: Option<Vec<String>>,
    end: usize,
}

/// A file of a part, with the names of its classes and its labels.
#[derive(Debug, Clone, Copy)]
pub struct LabelledFile<'a> {
    /// The path of the file.
    pub path: &'a Path,
    /// The names that it states.
    pub names: Option<&'a [String]>,
    /// Its labels.
    pub labels: &'a [usize],
}

/// A row group.
#[derive(Debug)]
struct Group {
    /// The number of its file, and its number within the file.
    file: usize,
    number: usize,
    /// The number of its first row among all rows.
    first: usize,
    rows: usize,
    /// The compression of its pictures, and whether all of its pages were checked to hold no more than they claim.
    packing: Packing,
    measured: AtomicBool,
}

/// How pictures become inputs.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    input: PictureShape,
    /// Whether they must have the inputs' size.
    exact: bool,
    orientation: Orientation,
}

impl Table {
    /// Opens the files and reads their labels, of at most 50 million rows.
    ///
    /// # Errors
    /// [`StreamError::File`] when a file cannot be read, does not have the columns, or contradicts its stated number of
    /// rows.
    pub fn open(files: &[PathBuf], wanted: ColumnNames<'_>) -> Result<Self, StreamError> {
        let mut table = Table {
            files: files.to_vec(),
            columns: vec![],
            groups: vec![],
            labels: vec![],
            classes: vec![],
            credit: pages::CREDIT,
        };
        for (number, path) in files.iter().enumerate() {
            guarded(path, || table.add(number, path, wanted).map_err(|cause| StreamError::file(path, cause)))?;
        }
        Ok(table)
    }

    fn add(&mut self, file: usize, path: &Path, wanted: ColumnNames<'_>) -> Result<(), String> {
        let reader = reader(path)?;
        let metadata = reader.metadata();
        let columns = columns::find(metadata.file_metadata().schema_descr(), wanted)?;
        if let Some((first, path)) = self.columns.first().zip(self.files.first()) {
            columns.check_same(first, path)?;
        }
        let names = names::of_column(metadata.file_metadata(), &columns.label_name)?;
        let stated: i128 = metadata.row_groups().iter().map(|group| i128::from(group.num_rows())).sum();
        if stated != i128::from(metadata.file_metadata().num_rows()) {
            let rows = metadata.file_metadata().num_rows();
            return Err(format!("states {rows} rows, but its row groups state {stated} together"));
        }
        for number in 0..metadata.num_row_groups() {
            let (first, stated) = (self.labels.len(), metadata.row_group(number).num_rows());
            let rows = usize::try_from(stated).ok().filter(|rows| *rows <= MOST_ROWS - first);
            let rows = rows.ok_or_else(|| {
                format!(
                    "row group {number} states {stated} rows; accepted: 0 to {MOST_ROWS}, all files of a part together"
                )
            })?;
            for (column, name) in [(columns.image, &columns.image_name), (columns.label, &columns.label_name)] {
                let chunk = metadata.row_group(number).column(column);
                let packing = Packing::of(chunk.compression()).map_err(|cause| format!("the column {name} {cause}"))?;
                if chunk.num_values() != stated {
                    let values = chunk.num_values();
                    return Err(format!("row group {number} states {stated} rows, but the column {name} {values}"));
                }
                let (start, length) = chunk.byte_range();
                pages::check(open(path)?, start, length, &mut self.credit)?;
                if column == columns.label {
                    pages::measure(open(path)?, start, length, packing)?;
                }
            }
            let packing = Packing::of(metadata.row_group(number).column(columns.image).compression())?;
            let column = reader.get_row_group(number).and_then(|group| group.get_column_reader(columns.label));
            let (labels, name) = (&mut self.labels, &columns.label_name);
            match column.map_err(damaged)? {
                ColumnReader::Int32ColumnReader(column) => {
                    add_labels(column, rows, |label| i64::from(*label), name, labels)
                }
                ColumnReader::Int64ColumnReader(column) => add_labels(column, rows, |label| *label, name, labels),
                _ => Err(format!("the column {name} is not of whole numbers")),
            }
            .map_err(|cause| format!("{cause} (row group {number})"))?;
            self.groups.push(Group { file, number, first, rows, packing, measured: AtomicBool::new(false) });
        }
        self.columns.push(columns);
        self.classes.push(Classes { names, end: self.labels.len() });
        Ok(())
    }

    /// The files with their classes.
    pub fn files(&self) -> impl Iterator<Item = LabelledFile<'_>> {
        let starts = [0].into_iter().chain(self.classes.iter().map(|classes| classes.end));
        self.files.iter().zip(&self.classes).zip(starts).map(|((path, classes), start)| LabelledFile {
            path,
            names: classes.names.as_deref(),
            labels: &self.labels[start..classes.end],
        })
    }

    /// Relabels the rows of each file that states names. `indices` maps the names to new labels; a label is an index
    /// into them.
    pub fn relabel(&mut self, indices: impl Fn(&[String]) -> Vec<usize>) {
        let mut start = 0;
        for Classes { names, end } in &self.classes {
            if let Some(names) = names {
                let indices = indices(names);
                self.labels[start..*end].iter_mut().for_each(|label| *label = indices[*label]);
            }
            start = *end;
        }
    }

    /// Checks that the columns have the same names as those of another part.
    ///
    /// # Errors
    /// [`StreamError::File`] when they differ.
    pub fn check_columns(&self, other: &Table) -> Result<(), StreamError> {
        let first = |table: &Table| table.columns.first().cloned().zip(table.files.first().cloned());
        match (first(self), first(other)) {
            (Some((own, path)), Some((other, of))) => {
                own.check_same(&other, &of).map_err(|cause| StreamError::file(&path, cause))
            }
            _ => Ok(()),
        }
    }

    /// The shape of the inputs: with `size` pixels a side, or that of the first picture.
    ///
    /// # Errors
    /// [`StreamError::File`] when the first picture determines the shape and cannot be read or is too large.
    pub fn shape(&self, size: Option<usize>, channels: usize, orientation: Orientation) -> Result<Shape, StreamError> {
        if let Some(size) = size {
            return Ok(Shape { input: [channels, size, size].into(), exact: false, orientation });
        }
        let Some(bytes) = (!self.labels.is_empty()).then(|| self.bytes(&[0])).transpose()? else {
            let path = self.files.first().map_or(Path::new(""), PathBuf::as_path);
            return Err(StreamError::file(path, "does not have rows"));
        };
        let picture = decode(bytes[&0].data(), orientation).map_err(|cause| self.wrong(0, &cause))?;
        let (width, height) = picture.dimensions();
        if width.max(height) > LONGEST_SIDE {
            let cause = format!(
                "is {width}×{height} pixels (width × height); accepted as it is: at most {LONGEST_SIDE} a side"
            );
            return Err(self.wrong(0, &cause).with_hint("; the option `size` resizes all pictures"));
        }
        let input = PictureShape { channels, height: height as usize, width: width as usize };
        Ok(Shape { input, exact: true, orientation })
    }

    /// The part as images of a shape.
    pub fn into_pictures(self, shape: Shape) -> Pictures {
        Pictures { table: self, shape }
    }

    /// The bytes of the pictures in some rows.
    fn bytes(&self, rows: &[usize]) -> Result<HashMap<usize, ByteArray>, StreamError> {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let of_group = |group: &Group| {
            let from = rows.partition_point(|row| *row < group.first);
            let to = rows.partition_point(|row| *row < group.first + group.rows);
            &rows[from..to]
        };
        let groups = self.groups.iter().map(|group| (group, of_group(group)));
        let groups: Vec<_> = groups.filter(|(_, rows)| !rows.is_empty()).collect();
        let of_group =
            |(group, rows): &(&Group, &[usize])| guarded(&self.files[group.file], || self.bytes_of_group(group, rows));
        let read: Vec<_> = groups.par_iter().map(of_group).collect();
        let mut bytes = HashMap::new();
        for read in read {
            bytes.extend(read?);
        }
        Ok(bytes)
    }

    fn bytes_of_group(&self, group: &Group, rows: &[usize]) -> Result<Vec<(usize, ByteArray)>, StreamError> {
        let path = &self.files[group.file];
        let wrong = |cause: String| StreamError::file(path, cause);
        let reader = reader(path).map_err(wrong)?;
        let image = self.columns[group.file].image;
        if !group.measured.load(Ordering::Relaxed) {
            let (start, length) = reader.metadata().row_group(group.number).column(image).byte_range();
            open(path).and_then(|file| pages::measure(file, start, length, group.packing)).map_err(wrong)?;
            group.measured.store(true, Ordering::Relaxed);
        }
        let column = reader.get_row_group(group.number).and_then(|group| group.get_column_reader(image));
        let ColumnReader::ByteArrayColumnReader(mut column) = column.map_err(damaged).map_err(wrong)? else {
            return Err(wrong("the column of images is not of bytes".to_owned()));
        };
        let (mut at, mut bytes) = (group.first, vec![]);
        for row in rows {
            let (mut value, mut levels) = (vec![], vec![]);
            let mut read = || {
                let skipped = column.skip_records(row - at)?;
                column.read_records(1, Some(&mut levels), None, &mut value).map(|(read, ..)| (skipped, read))
            };
            if read().map_err(damaged).map_err(wrong)? != (row - at, 1) {
                return Err(wrong(format!("row group {} has fewer pictures than labels", group.number)));
            }
            at = row + 1;
            let value = value.pop().ok_or_else(|| self.wrong(*row, "is not in the file: it has no bytes"))?;
            bytes.push((*row, value));
        }
        Ok(bytes)
    }

    /// The error of the picture in a row.
    fn wrong(&self, row: usize, cause: &str) -> StreamError {
        let group = self.groups.partition_point(|group| group.first + group.rows <= row);
        let Some(group) = self.groups.get(group) else { return StreamError::file(Path::new(""), cause) };
        let first = self.groups.iter().find(|other| other.file == group.file).map_or(0, |other| other.first);
        StreamError::file(&self.files[group.file], format!("the picture in row {} {cause}", row - first))
    }
}

/// A part of the data set. Pictures are read and decoded when a task needs them.
#[derive(Debug)]
pub struct Pictures {
    table: Table,
    shape: Shape,
}

impl DataPart for Pictures {
    fn input(&self) -> InputShape {
        self.shape.input.into()
    }

    fn labels(&self) -> &[usize] {
        &self.table.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        let bytes = self.table.bytes(indices)?;
        let Shape { input, exact, orientation } = self.shape;
        read_each(self, indices, |index, image| {
            let wrong = |cause: String| self.table.wrong(index, &cause);
            let picture = decode(bytes[&index].data(), orientation).map_err(wrong)?;
            let (width, height) = picture.dimensions();
            if exact && (width as usize, height as usize) != (input.width, input.height) {
                let (columns, rows) = (input.width, input.height);
                return Err(wrong(format!("is {width}×{height} pixels (width × height); accepted: {columns}×{rows}")));
            }
            image.copy_from_slice(&fit(&picture, input));
            Ok(())
        })
    }
}

/// Opens a file. The error does not repeat its name.
fn open(path: &Path) -> Result<File, String> {
    open_file(path).map_err(|error| match error {
        StreamError::File { cause, .. } => cause,
        other => other.to_string(),
    })
}

fn reader(path: &Path) -> Result<SerializedFileReader<File>, String> {
    SerializedFileReader::new(open(path)?).map_err(damaged)
}

/// Reads from a file with the parquet crate. A damaged file may break the crate's assertions; this becomes an error of
/// the file.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, StreamError>) -> Result<T, StreamError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(StreamError::file(path, "is damaged: its values contradict each other")))
}

fn damaged(error: ParquetError) -> String {
    match error {
        ParquetError::NYI(what) => format!("uses a feature of the format that is not supported ({what})"),
        _ => "is damaged, or not a readable Parquet file".to_owned(),
    }
}

/// Adds the labels of a row group with `rows` rows. A page may claim any number of rows in a few bytes, so at most the
/// stated number is read, plus one row to check that no more follow.
fn add_labels<T: DataType>(
    mut column: ColumnReaderImpl<T>,
    rows: usize,
    number: impl Fn(&T::T) -> i64,
    name: &str,
    labels: &mut Vec<usize>,
) -> Result<(), String> {
    let (mut values, mut levels) = (vec![], vec![]);
    let mut next = |most: usize, values: &mut Vec<T::T>| {
        values.clear();
        levels.clear();
        column.read_records(most, Some(&mut levels), None, values).map_err(damaged)
    };
    let mut left = rows;
    while left > 0 {
        let (read, found, _) = next(left.min(ROWS_AT_A_TIME), &mut values)?;
        if read == 0 {
            return Err(format!("states {rows} rows, but the column {name} has {}", rows - left));
        }
        if found != read {
            return Err(format!("the column {name} has rows without a label"));
        }
        for value in &values {
            let label = usize::try_from(number(value)).ok().filter(|label| *label < MOST_CLASSES);
            let label = label.ok_or_else(|| {
                format!("the column {name} has the label {}; accepted: 0 to {}", number(value), MOST_CLASSES - 1)
            })?;
            labels.push(label);
        }
        left = left.saturating_sub(read);
    }
    match next(1, &mut values)? {
        (0, ..) => Ok(()),
        _ => Err(format!("states {rows} rows, but the column {name} has more")),
    }
}

//! Writes the tensors of a model one after another.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::{iter, mem, vec};

use crate::encode::encode;
use crate::error::{MEMORY, Place};
use crate::shown::shown;
use crate::write::header;
use crate::write::plan::{Plan, WriteOptions};
use crate::write::replaced::replaced;
use crate::write::sink::Sink;
use crate::write::staged::publish;
use crate::{CheckpointError, Dtype, TensorInfo, Values};

/// How many values are encoded at a time.
const PIECE: usize = 65_536;

/// Writes a model as safetensors, and holds one tensor or a part of one at a time. The file appears only with
/// [`finish`](Writer::finish). A writer that is dropped without it leaves nothing behind.
///
/// ```
/// use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("model.safetensors");
/// let weight = TensorInfo { name: "weight".to_owned(), dtype: Dtype::F16, shape: vec![2] };
/// let mut writer = Writer::create(&path, vec![weight], &WriteOptions::default())?;
/// writer.write("weight", &Values::Floats(vec![0.5, -2.0]))?;
/// writer.finish()?;
/// assert_eq!(Checkpoint::open(&path)?.read("weight")?.floats(), Some(&[0.5, -2.0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    /// The path of the model.
    name: PathBuf,
    /// The file that is being written. Its path, and the tensors that it still lacks, follow.
    file: BufWriter<Sink>,
    path: PathBuf,
    lacks: iter::Peekable<vec::IntoIter<TensorInfo>>,
    /// How many values of the next tensor are already written.
    written: usize,
    /// The files that follow, with their tensors.
    later: vec::IntoIter<(PathBuf, Vec<TensorInfo>)>,
    whole: Vec<(Sink, PathBuf)>,
    index: Option<(PathBuf, Vec<u8>)>,
    options: WriteOptions,
    /// An error occurred, and a tensor may be incomplete.
    failed: bool,
}

impl Writer {
    /// Begins a model of these tensors, each with a name, a type and a shape. If they are split into several files, the
    /// names of these are derived from `path`.
    ///
    /// # Errors
    /// When two tensors have the same name, when one is too large, when a file in [`inputs`](WriteOptions::inputs)
    /// would be overwritten, and when the folder cannot be written.
    pub fn create(
        path: impl AsRef<Path>,
        tensors: Vec<TensorInfo>,
        options: &WriteOptions,
    ) -> Result<Self, CheckpointError> {
        let name = path.as_ref().to_owned();
        let plan = Plan::new(&name, tensors, options)?;
        let mut later = plan.files.into_iter();
        let Some((path, tensors)) = later.next() else {
            return Err(Place::new(path.as_ref()).broken("would consist of no file"));
        };
        let file = begin(&path, &tensors, options, Sink::file)?;
        let (lacks, whole, options) = (tensors.into_iter().peekable(), vec![], options.clone());
        let mut writer =
            Writer { name, file, path, lacks, written: 0, later, whole, index: plan.index, options, failed: false };
        writer.go_on()?;
        Ok(writer)
    }

    /// Begins a model of these tensors in memory, as one file. Messages call it `(memory)`. Finish it with
    /// [`finish_in_memory`](Writer::finish_in_memory).
    ///
    /// # Errors
    /// When two tensors have the same name, and when one is too large.
    pub fn in_memory(tensors: Vec<TensorInfo>, options: &WriteOptions) -> Result<Self, CheckpointError> {
        let name = PathBuf::from(MEMORY);
        let options = WriteOptions { shard_bytes: None, inputs: vec![], ..options.clone() };
        let plan = Plan::new(&name, tensors, &options)?;
        let tensors: Vec<_> = plan.files.into_iter().flat_map(|(_, tensors)| tensors).collect();
        let file = begin(&name, &tensors, &options, |_| Ok(Sink::Memory(vec![])))?;
        let (lacks, later, whole) = (tensors.into_iter().peekable(), vec![].into_iter(), vec![]);
        Ok(Writer {
            path: name.clone(),
            name,
            file,
            lacks,
            written: 0,
            later,
            whole,
            index: None,
            options,
            failed: false,
        })
    }

    /// The existing files that a model of this name replaces: the whole file, its index, and every numbered part.
    /// [`finish`](Writer::finish) leaves none of them beside the new model.
    ///
    /// # Errors
    /// [`CheckpointError::Read`] when its folder cannot be read.
    pub fn replaces(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, CheckpointError> {
        replaced(path.as_ref()).map_err(|cause| Place::new(path.as_ref()).read(cause))
    }

    /// The tensor that must be written next.
    pub fn peek(&mut self) -> Option<&TensorInfo> {
        self.lacks.peek()
    }

    /// Writes the next tensor. Floats are rounded to the declared type: to nearest, ties to even.
    ///
    /// # Errors
    /// When another tensor is next, when there are more or fewer values than declared, when a value does not fit the
    /// declared type, and when the file cannot be written. After the last two, the model cannot be finished.
    pub fn write(&mut self, name: &str, values: &Values) -> Result<(), CheckpointError> {
        if let Some(next) = self.lacks.peek()
            && next.name == name
            && self.written + values.len() < next.elements()
        {
            let reason = format!("was declared with the shape {:?}, but has {} values", next.shape, values.len());
            return Err(Place::new(&self.path).tensor(name, reason));
        }
        self.write_part(name, values)
    }

    /// Writes the next values of the next tensor, row-major. When all its values are written, the following tensor is
    /// next. A tensor without values needs one part without values.
    ///
    /// # Errors
    /// Those of [`write`](Writer::write). Too few values are an error only in [`finish`](Writer::finish).
    pub fn write_part(&mut self, name: &str, values: &Values) -> Result<(), CheckpointError> {
        let place = Place::new(&self.path);
        let (dtype, before) = self.begin_part(&place, name, values.len())?;
        for from in (0..values.len()).step_by(PIECE) {
            let to = values.len().min(from + PIECE);
            let bytes = encode(dtype, values, from..to, before).map_err(|reason| place.tensor(name, reason))?;
            self.file.write_all(&bytes).map_err(|cause| place.write(cause))?;
        }
        self.end_part(before + values.len())
    }

    /// Like [`write_part`](Writer::write_part), for little-endian bytes that already have the declared type. Use it to
    /// copy a tensor unchanged, with the bytes of [`Checkpoint::read_bytes`](crate::Checkpoint::read_bytes).
    ///
    /// # Errors
    /// Those of [`write_part`](Writer::write_part), and when the bytes are not a whole number of values.
    pub fn write_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        let place = Place::new(&self.path);
        let width = self.lacks.peek().map_or(1, |next| next.dtype.bytes());
        if !bytes.len().is_multiple_of(width) {
            let reason =
                format!("was given {} bytes; accepted: a multiple of {width}, the size of a value", bytes.len());
            return Err(place.tensor(name, reason));
        }
        let (_, before) = self.begin_part(&place, name, bytes.len() / width)?;
        self.file.write_all(bytes).map_err(|cause| place.write(cause))?;
        self.end_part(before + bytes.len() / width)
    }

    /// Checks that this tensor is next, and lacks at least `given` values. Returns its type and how many of its values
    /// are written.
    fn begin_part(&mut self, place: &Place, name: &str, given: usize) -> Result<(Dtype, usize), CheckpointError> {
        self.check_whole(place)?;
        let Some(next) = self.lacks.peek() else {
            return Err(place.tensor(name, "was not declared, or is already written; all declared tensors are written"));
        };
        if next.name != name {
            return Err(place.tensor(name, format!("was given, but {} is next", shown(&next.name))));
        }
        let (dtype, before) = (next.dtype, self.written);
        if next.elements() - before < given {
            let reason = format!("was declared with the shape {:?}, but has {} values", next.shape, before + given);
            return Err(place.tensor(name, reason));
        }
        // Reset when the part is written.
        self.failed = true;
        Ok((dtype, before))
    }

    fn end_part(&mut self, written: usize) -> Result<(), CheckpointError> {
        self.written = written;
        if self.lacks.peek().is_some_and(|next| next.elements() == written) {
            self.written = 0;
            self.lacks.next();
            self.go_on()?;
        }
        self.failed = false;
        Ok(())
    }

    /// Flushes everything to disk, and renames the files to their final names. Returns these, the index last. An older
    /// model of the same name is removed completely. Until the new model is complete, readers find the old one.
    ///
    /// # Errors
    /// When a tensor was not written, or a file cannot be written; the old files are then unchanged. Also when the new
    /// model is complete, but a file of the old one cannot be removed; the message names it.
    pub fn finish(mut self) -> Result<Vec<PathBuf>, CheckpointError> {
        let place = Place::new(&self.path);
        self.check_complete(&place)?;
        self.whole.push((written_through(self.file, &place)?, self.path));
        if let Some((path, json)) = self.index {
            let place = Place::new(&path);
            let mut file = BufWriter::new(Sink::file(&path).map_err(|cause| place.write(cause))?);
            file.write_all(&json).map_err(|cause| place.write(cause))?;
            self.whole.push((written_through(file, &place)?, path));
        }
        let files = self.whole.into_iter().filter_map(|(sink, path)| match sink {
            Sink::File(file) => Some((file, path)),
            Sink::Memory(_) => None,
        });
        publish(files.collect(), &self.name)
    }

    /// The bytes of a model that was begun [`in_memory`](Writer::in_memory): a safetensors file. Empty for another one.
    ///
    /// # Errors
    /// When a tensor was not written.
    pub fn finish_in_memory(mut self) -> Result<Vec<u8>, CheckpointError> {
        let place = Place::new(&self.path);
        self.check_complete(&place)?;
        match self.file.into_inner().map_err(|error| place.write(error.into_error()))? {
            Sink::Memory(bytes) => Ok(bytes),
            Sink::File(_) => Ok(vec![]),
        }
    }

    /// Begins the next file if this one is complete.
    fn go_on(&mut self) -> Result<(), CheckpointError> {
        while self.lacks.peek().is_none() {
            let Some((path, tensors)) = self.later.next() else { return Ok(()) };
            let file = mem::replace(&mut self.file, begin(&path, &tensors, &self.options, Sink::file)?);
            let path = mem::replace(&mut self.path, path);
            self.whole.push((written_through(file, &Place::new(&path))?, path));
            self.lacks = tensors.into_iter().peekable();
        }
        Ok(())
    }

    /// Checks that every declared tensor is written.
    fn check_complete(&mut self, place: &Place) -> Result<(), CheckpointError> {
        self.check_whole(place)?;
        let Some(next) = self.lacks.peek() else { return Ok(()) };
        let reason = match self.written {
            0 => "was declared, but not written".to_owned(),
            some => format!("was declared with the shape {:?}, but has {some} values", next.shape),
        };
        Err(place.tensor(&next.name, reason))
    }

    fn check_whole(&self, place: &Place) -> Result<(), CheckpointError> {
        if self.failed {
            Err(place.broken("was not written, because writing one of its tensors failed"))
        } else {
            Ok(())
        }
    }
}

fn begin(
    path: &Path,
    tensors: &[TensorInfo],
    options: &WriteOptions,
    sink: impl FnOnce(&Path) -> io::Result<Sink>,
) -> Result<BufWriter<Sink>, CheckpointError> {
    let place = Place::new(path);
    let header = header::bytes(&place, tensors, &options.metadata)?;
    let mut file = BufWriter::new(sink(path).map_err(|cause| place.write(cause))?);
    file.write_all(&header).map_err(|cause| place.write(cause))?;
    Ok(file)
}

fn written_through(file: BufWriter<Sink>, place: &Place) -> Result<Sink, CheckpointError> {
    let sink = file.into_inner().map_err(|error| place.write(error.into_error()))?;
    if let Sink::File(file) = &sink {
        file.as_file().sync_all().map_err(|cause| place.write(cause))?;
    }
    Ok(sink)
}

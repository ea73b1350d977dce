//! The run directory: everything that is needed to explain a run or to continue it.
//!
//! ```text
//! DIR/
//!   run.json        the configuration with all defaults, and the program that runs it
//!   lock            held by the process that works here
//!   journal         what happened, for `alluvium status`
//!   cache/KEY/      one folder a stage: record.json, the model or expert, the latents, the strategy's state
//!   summary.csv, results.json, table.md, pictures/    the results
//!   models/         the last central model of each cell, if they are kept
//!   SHA256SUMS      the digests of run.json and of the results; each stage has its own list
//!   VARIANT/        the results of each variant, if the configuration sweeps over values
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use alluvium_config::{Variant, name_on_disk};
use alluvium_results::{PictureLabel, Results};
use alluvium_store::{Damage, Folder, Lines, Lock, LockError, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::difference::differences;
use crate::directory::journal::{Journal, JournalEvent, JournalFile, now, write};
use crate::directory::program::program_digest;

pub(crate) const RUN: &str = "run.json";
pub(crate) const LOCK: &str = "lock";
pub(crate) const JOURNAL: &str = "journal";
const CACHE: &str = "cache";
const MODELS: &str = "models";
pub(crate) const RESULTS: &str = "results.json";

/// The default limit of the store of stages: 20 GB.
pub const DEFAULT_CACHE_BYTES: u64 = 20_000_000_000;

/// How a run directory is opened.
#[derive(Debug, Clone)]
pub struct DirectoryOptions {
    /// Remove what is there, and start over.
    pub fresh: bool,
    /// A folder for stages outside the directory. Several runs may share it.
    pub cache: Option<PathBuf>,
    /// The most bytes that all stages together may take.
    pub cache_bytes: u64,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        DirectoryOptions { fresh: false, cache: None, cache_bytes: DEFAULT_CACHE_BYTES }
    }
}

/// A run directory that cannot be used or read.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process works there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directory holds the run of another configuration.
    #[error(
        "{}: holds the run of another configuration:\n  {}\naccepted: the configuration of that run; another \
         folder, which computes only what is new with --cache {}; or --fresh, which starts over and removes what is there",
        path.display(),
        differences.join("\n  "),
        path.join(CACHE).display()
    )]
    OtherConfiguration {
        /// The directory.
        path: PathBuf,
        /// One line for each key that differs.
        differences: Vec<String>,
    },
    /// A file that is needed was damaged.
    #[error("{0}; accepted: `alluvium compare` with the same configuration and --out, which repairs it")]
    Damaged(Damage),
    /// There is no run.
    #[error("{}: is not a run directory; accepted: a folder that `alluvium compare --out` has worked in", path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
    /// The run is not over.
    #[error(
        "{}: has no results yet; accepted: a run that `alluvium compare` has finished (`alluvium status` says how far it is)",
        path.display()
    )]
    Unfinished {
        /// The folder that will have them.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What `run.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunFile {
    format: u32,
    version: String,
    program: String,
    pub(crate) variants: Vec<RunVariant>,
}

/// One variant of the run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunVariant {
    pub(crate) label: String,
    pub(crate) folder: String,
    config: Value,
}

/// A run directory that this process works in. It locks out other processes until it is dropped.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    store: Store,
    journal: JournalFile,
    notes: Vec<String>,
    /// Held while a file is added to the list of a folder's files.
    listing: Mutex<()>,
    _lock: Lock,
}

impl RunDirectory {
    /// Opens the directory for the variants of a configuration, and creates it if it does not exist.
    ///
    /// # Errors
    /// When another process works there, when it holds the run of another configuration, or when the operating system
    /// refuses.
    pub fn open(path: &Path, variants: &[Variant], options: &DirectoryOptions) -> Result<Self, DirectoryError> {
        fs::create_dir_all(path).map_err(|cause| StoreError::Write { path: path.to_owned(), cause })?;
        let lock = Lock::take(&path.join(LOCK))?;
        let mut notes = vec![];
        if let Some(process) = lock.left_by() {
            notes.push(format!("process {process}, which worked here before, was killed; this run goes on from there"));
        }
        let folder = Folder::at(path);
        folder.prepare()?;
        let own_cache = path.join(CACHE);
        if options.fresh {
            clear(&folder, &own_cache)?;
        }
        let run = RunFile::of(variants);
        if let Some(note) = check(&folder, &run)? {
            notes.push(note);
        }
        let text = serde_json::to_vec_pretty(&run).unwrap_or_default();
        if folder.read(RUN)?.ok().as_ref() != Some(&text) {
            folder.write(&[(RUN, &text)])?;
        }
        let store = match &options.cache {
            Some(cache) => Store::open(cache, options.cache_bytes, false)?,
            None => Store::open(own_cache, options.cache_bytes, true)?,
        };
        let journal = Mutex::new(Some(Lines::create(&path.join(JOURNAL))?));
        write(&journal, &JournalEvent::Started { at: now(), process: std::process::id() });
        Ok(RunDirectory { path: path.to_owned(), store, journal, notes, listing: Mutex::new(()), _lock: lock })
    }

    /// Notes for the user from opening the directory.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Writes the results of a variant, each file atomically, and lists its digest. Returns the paths of the files, and the
    /// damage that was found before.
    ///
    /// # Errors
    /// [`StoreError::Write`], which names the file.
    pub fn write_results(
        &self,
        variant: &Variant,
        files: &[(String, Vec<u8>)],
    ) -> Result<(Vec<PathBuf>, Vec<Damage>), StoreError> {
        let folder = Folder::at(self.path.join(variant.folder()));
        fs::create_dir_all(folder.path())
            .map_err(|cause| StoreError::Write { path: folder.path().to_owned(), cause })?;
        let damages = folder.damages()?;
        let named: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        folder.write(&named)?;
        Ok((files.iter().map(|(name, _)| folder.path().join(name)).collect(), damages))
    }

    /// Writes the last central model of a cell. Returns its file, relative to the folder of the variant's results.
    pub(crate) fn write_model(&self, variant: &str, row: &str, seed: u64, bytes: &[u8]) -> Result<String, StoreError> {
        let file = format!("{MODELS}/{}.safetensors", name_on_disk(&format!("{row}-seed-{seed}")));
        let _listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        Folder::at(self.path.join(name_on_disk(variant))).write(&[(&file, bytes)])?;
        Ok(file)
    }

    /// Writes into the journal that all variants are done.
    pub fn finish(&self, failures: usize) {
        write(&self.journal, &JournalEvent::Finished { at: now(), failures });
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn journal(&self, variant: &str) -> Journal<'_> {
        Journal { file: &self.journal, variant: variant.to_owned() }
    }
}

/// The results of a run, read back.
#[derive(Debug)]
pub struct StoredRun {
    /// The variant's label; empty where the configuration has no variants.
    pub label: String,
    /// Where the files are.
    pub folder: PathBuf,
    /// Everything that was measured.
    pub results: Results,
    /// The pictures and sounds of the results, by file name.
    pub pictures: Vec<(String, Vec<u8>)>,
}

/// Reads the results of a run. Every file is checked against its digest. A folder that has only `results.json`, such as that of all rows of
/// a deployment, is read, too; it has no digests and no pictures.
///
/// # Errors
/// [`DirectoryError`], which names the file that is missing or damaged.
pub fn read_run(path: &Path) -> Result<Vec<StoredRun>, DirectoryError> {
    let run = match RunFile::read(path) {
        Err(DirectoryError::NoRun { .. }) if path.join(RESULTS).exists() => return Ok(vec![read_results_alone(path)?]),
        run => run?,
    };
    run.variants.into_iter().map(|variant| read_variant(path.join(&variant.folder), variant.label)).collect()
}

fn read_results_alone(path: &Path) -> Result<StoredRun, DirectoryError> {
    let file = path.join(RESULTS);
    let text = fs::read_to_string(&file).map_err(|error| error.to_string());
    let mut results = text.and_then(|text| Results::from_json(&text).map_err(|error| error.to_string()));
    if let Ok(results) = &mut results {
        results.pictures.clear();
    }
    let results = results.map_err(|reason| DirectoryError::Damaged(Damage { path: file, reason }))?;
    Ok(StoredRun { label: String::new(), folder: path.to_owned(), results, pictures: vec![] })
}

fn read_variant(path: PathBuf, label: String) -> Result<StoredRun, DirectoryError> {
    let folder = Folder::at(&path);
    if !folder.lists(RESULTS)? && !path.join(RESULTS).exists() {
        return Err(DirectoryError::Unfinished { path });
    }
    let bytes = folder.read(RESULTS)?.map_err(DirectoryError::Damaged)?;
    let broken = |reason: String| DirectoryError::Damaged(Damage { path: path.join(RESULTS), reason });
    let text = String::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
    let results = Results::from_json(&text).map_err(|error| broken(error.to_string()))?;
    let mut pictures = vec![];
    let files = |picture: &PictureLabel| {
        let sounds = picture.sounds.iter().map(|sound| sound.file.clone());
        std::iter::once(picture.file.clone()).chain(sounds).collect::<Vec<_>>()
    };
    for file in results.pictures.iter().flat_map(files) {
        let bytes = folder.read(&file)?.map_err(DirectoryError::Damaged)?;
        pictures.push((file, bytes));
    }
    Ok(StoredRun { label, folder: path, results, pictures })
}

impl RunFile {
    fn of(variants: &[Variant]) -> Self {
        let variant = |variant: &Variant| RunVariant {
            label: variant.label.clone(),
            folder: variant.folder(),
            config: variant.experiment.written_out.clone(),
        };
        RunFile {
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: program_digest().to_string(),
            variants: variants.iter().map(variant).collect(),
        }
    }

    /// The run file of a directory, for reading.
    pub(crate) fn read(path: &Path) -> Result<Self, DirectoryError> {
        let folder = Folder::at(path);
        let no_run = || DirectoryError::NoRun { path: path.to_owned() };
        if !path.join(RUN).exists() && !path.join(alluvium_store::SUMS).exists() {
            return Err(no_run());
        }
        let bytes = folder.read(RUN)?.map_err(DirectoryError::Damaged)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            DirectoryError::Damaged(Damage { path: path.join(RUN), reason: format!("cannot be understood ({error})") })
        })
    }

    /// The variants' configurations, as the user sees them.
    fn configs(&self) -> Value {
        match self.variants.as_slice() {
            [only] if only.label.is_empty() => only.config.clone(),
            many => many.iter().map(|variant| (variant.label.clone(), variant.config.clone())).collect(),
        }
    }
}

/// Removes the files of an earlier run, as far as its lists name them, and its stages.
fn clear(folder: &Folder, cache: &Path) -> Result<(), DirectoryError> {
    if let Ok(old) = RunFile::read(folder.path()) {
        for variant in old.variants.iter().filter(|variant| !variant.folder.is_empty()) {
            Folder::at(folder.path().join(&variant.folder)).clear()?;
        }
    }
    folder.clear()?;
    if cache.exists() {
        fs::remove_dir_all(cache).map_err(|cause| StoreError::Write { path: cache.to_owned(), cause })?;
    }
    Ok(())
}

/// Checks that the run in the directory has the same configuration. Returns a note for the user, if there is one.
fn check(folder: &Folder, run: &RunFile) -> Result<Option<String>, DirectoryError> {
    let before = match RunFile::read(folder.path()) {
        Err(DirectoryError::NoRun { .. }) => return Ok(None),
        Err(DirectoryError::Damaged(damage)) => {
            // Stages are found by the digest of their inputs, so stages of another configuration cannot be mistaken for ours.
            return Ok(Some(format!("{damage}: it was written again")));
        }
        other => other?,
    };
    let differences = differences(&before.configs(), &run.configs());
    if !differences.is_empty() {
        return Err(DirectoryError::OtherConfiguration { path: folder.path().to_owned(), differences });
    }
    let rebuilt = before.program != run.program;
    Ok(rebuilt.then(|| "another build of the program worked here before: its stages are computed again".to_owned()))
}

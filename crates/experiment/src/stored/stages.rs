//! Stages: pieces of work that are stored, and found again by the digest of their inputs.
//!
//! A stage is the adaptation of one device, one consolidation with its evaluation, or joint training. Its key is the digest of
//! everything that its result depends on: the program, the backend, the digests of the models and samples that go in, the
//! settings, the seed and the index in the stream. So a run that was stopped continues when it is run again, cells share the
//! stages that they have in common, and a stage with a damaged file is computed again. A stage with other inputs is never used.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use alluvium_model::Digest;
use alluvium_store::{RECORD, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::progress::Observer;

/// Why a cell stopped.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// The stored stage of this key was damaged or evicted. It was removed. Run the cell again to compute it again.
    Redo(Digest),
    /// The cell failed.
    Failed(ExperimentError),
}

impl<E: Into<ExperimentError>> From<E> for Interruption {
    fn from(error: E) -> Self {
        Interruption::Failed(error.into())
    }
}

/// How often one cell computes one stage again. A stage may be needed at each step of a stream, and be evicted before the next.
const MOST_REPAIRS: usize = 30;

/// The stages that some work met damaged or evicted.
#[derive(Default)]
pub(crate) struct MissingStages(BTreeMap<Digest, usize>);

impl MissingStages {
    /// Notes that a stage must be computed again.
    ///
    /// # Errors
    /// [`ExperimentError::StoreTooSmall`] when the stage was computed again and again: what the work needs at one time does not fit.
    pub(crate) fn note(&mut self, key: Digest) -> Result<(), ExperimentError> {
        let times = self.0.entry(key).or_default();
        *times += 1;
        if *times > MOST_REPAIRS { Err(ExperimentError::StoreTooSmall { times: MOST_REPAIRS }) } else { Ok(()) }
    }
}

/// Repeats some work as long as it meets stages that must be computed again. Each repetition repairs one.
pub(crate) fn redo<T>(mut attempt: impl FnMut() -> Result<T, Interruption>) -> Result<T, ExperimentError> {
    let mut missing = MissingStages::default();
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(Interruption::Redo(key)) => missing.note(key)?,
            Err(Interruption::Failed(error)) => return Err(error),
        }
    }
}

/// Files of an entry, by name.
pub(crate) type Files = Vec<(&'static str, Vec<u8>)>;

/// The output of computing a stage: the measurements, the files to store, and the same objects in memory.
pub(crate) struct Computation<R, T> {
    pub(crate) record: R,
    pub(crate) files: Files,
    pub(crate) at_hand: T,
}

/// A stage that is done.
pub(crate) struct FinishedStage<R, T> {
    pub(crate) key: Digest,
    pub(crate) record: R,
    /// The objects in memory; `None` if the stage was found in the store.
    pub(crate) at_hand: Option<T>,
}

/// The numbers of stages that were computed and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageCounts {
    /// Stages that were computed.
    pub computed: usize,
    /// Stages that were found because another cell of this run had computed them.
    pub shared: usize,
    /// Stages that were found because an earlier run had computed them.
    pub reused: usize,
}

/// All stages of a run.
pub(crate) struct Stages<'a> {
    store: &'a Store,
    /// The inputs that all stages have in common.
    common: Value,
    /// One lock for each key, so that a stage that two cells need at the same time is computed once.
    keys: Mutex<BTreeMap<Digest, Arc<Mutex<()>>>>,
    computed: Mutex<HashSet<Digest>>,
    found: [AtomicUsize; 2],
    repairs: Mutex<Vec<String>>,
    stopped: AtomicBool,
    observer: &'a dyn Observer,
}

/// What a record file holds.
#[derive(Serialize, Deserialize)]
struct RecordFile<R> {
    /// The inputs of the stage, for people.
    inputs: Value,
    record: R,
}

impl<'a> Stages<'a> {
    /// Stages in a store. `common` holds the inputs that all of them have in common.
    /// The observer is asked whether a stage may begin.
    pub(crate) fn new(store: &'a Store, common: Value, observer: &'a dyn Observer) -> Self {
        Stages {
            store,
            common,
            keys: Mutex::default(),
            computed: Mutex::default(),
            found: Default::default(),
            repairs: Mutex::default(),
            stopped: AtomicBool::new(false),
            observer,
        }
    }

    /// Finds the stage with these inputs, or computes and stores it.
    pub(crate) fn stage<R, T>(
        &self,
        inputs: Value,
        compute: impl FnOnce() -> Result<Computation<R, T>, Interruption>,
    ) -> Result<FinishedStage<R, T>, Interruption>
    where
        R: Serialize + DeserializeOwned,
    {
        let inputs = json!({"common": self.common, "stage": inputs});
        let key = Digest::of(canonical(&inputs).as_bytes());
        let one = self.keys.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone();
        let _alone = one.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = self.find(&key)? {
            return Ok(FinishedStage { key, record, at_hand: None });
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Err(ExperimentError::Stopped.into());
        }
        if self.observer.stopped() {
            return Err(ExperimentError::Interrupted.into());
        }
        let Computation { record, mut files, at_hand } = compute()?;
        let file = RecordFile { inputs, record };
        let text = serde_json::to_string_pretty(&file).map_err(|error| ExperimentError::Record(error.to_string()))?;
        files.push((RECORD, text.into_bytes()));
        let files: Vec<_> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        if let Err(error) = self.store.put(key.as_str(), &files) {
            // Further work could not be stored, so no new stage begins.
            self.stopped.store(true, Ordering::Relaxed);
            return Err(error.into());
        }
        self.computed.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        Ok(FinishedStage { key, record: file.record, at_hand: Some(at_hand) })
    }

    /// Reads a file of a stage that was found, with `parse`.
    pub(crate) fn file<T>(
        &self,
        key: &Digest,
        name: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, Interruption> {
        let damage = match self.store.find(key.as_str())? {
            None => format!("the stage {key} was removed from the store"),
            Some(entry) => match entry.read(name)? {
                Err(damage) => damage.to_string(),
                Ok(bytes) => match parse(&bytes) {
                    Ok(value) => return Ok(value),
                    Err(reason) => format!("{name} of the stage {key}: {reason}"),
                },
            },
        };
        self.discard(key, &damage)?;
        Err(Interruption::Redo(key.clone()))
    }

    /// The numbers of stages that were computed and found so far.
    pub(crate) fn counts(&self) -> StageCounts {
        let computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner).len();
        let [shared, reused] = [0, 1].map(|index| self.found[index].load(Ordering::Relaxed));
        StageCounts { computed, shared, reused }
    }

    /// The damaged stages that were computed again; one sentence each.
    pub(crate) fn repairs(&self) -> Vec<String> {
        self.repairs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find<R: DeserializeOwned>(&self, key: &Digest) -> Result<Option<R>, ExperimentError> {
        let Some(entry) = self.store.find(key.as_str())? else { return Ok(None) };
        // Checks all files, even those that this run does not need, so that damage is found early.
        let checked = match entry.damage()? {
            Some(damage) => Err(damage),
            None => entry.read(RECORD)?,
        };
        let parsed = match checked {
            Err(damage) => Err(damage.to_string()),
            Ok(bytes) => serde_json::from_slice::<RecordFile<R>>(&bytes).map_err(|error| error.to_string()),
        };
        match parsed {
            Ok(file) => {
                let here = self.computed.lock().unwrap_or_else(PoisonError::into_inner).contains(key);
                self.found[usize::from(!here)].fetch_add(1, Ordering::Relaxed);
                Ok(Some(file.record))
            }
            Err(damage) => self.discard(key, &damage).map(|()| None),
        }
    }

    fn discard(&self, key: &Digest, damage: &str) -> Result<(), ExperimentError> {
        let note = format!("{damage}: the stage is computed again");
        tracing::warn!("{note}");
        self.repairs.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        self.computed.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(self.store.discard(key.as_str())?)
    }
}

/// JSON with sorted keys, so that equal values give equal text.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            let members =
                sorted.into_iter().map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Unobserved;

    fn number(stages: &Stages<'_>, input: u64) -> (u64, bool) {
        let compute = || {
            let files = vec![("double", (input * 2).to_string().into_bytes())];
            Ok(Computation { record: input + 1, files, at_hand: () })
        };
        let stage = stages.stage(json!({"input": input}), compute).expect("nothing fails");
        (stage.record, stage.at_hand.is_some())
    }

    fn key(stages: &Stages<'_>, input: u64) -> Digest {
        let stage =
            stages.stage(json!({"input": input}), || Ok(Computation { record: 0_u64, files: vec![], at_hand: () }));
        stage.expect("nothing fails").key
    }

    #[test]
    fn a_stage_is_computed_once_and_found_again_by_its_inputs() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), u64::MAX, true).unwrap();
        let stages = Stages::new(&store, json!("a"), &Unobserved);
        assert_eq!([number(&stages, 1), number(&stages, 1), number(&stages, 2)], [(2, true), (2, false), (3, true)]);
        assert_eq!(stages.counts(), StageCounts { computed: 2, shared: 1, reused: 0 });

        let later = Stages::new(&store, json!("a"), &Unobserved);
        assert_eq!(number(&later, 1), (2, false));
        assert_eq!(later.counts(), StageCounts { computed: 0, shared: 0, reused: 1 });
        // Another program, another backend: another stage.
        assert_eq!(number(&Stages::new(&store, json!("b"), &Unobserved), 1), (2, true));
    }

    #[test]
    fn a_damaged_stage_is_computed_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), u64::MAX, true).unwrap();
        let first = Stages::new(&store, json!("a"), &Unobserved);
        number(&first, 1);
        let folder = dir.path().join(key(&first, 1).as_str());
        let read = |stages: &Stages<'_>| {
            let text = |bytes: &[u8]| Ok(String::from_utf8_lossy(bytes).into_owned());
            stages.file(&key(stages, 1), "double", text)
        };
        assert_eq!(read(&first).unwrap(), "2");

        std::fs::write(folder.join(RECORD), "{}").unwrap();
        let second = Stages::new(&store, json!("a"), &Unobserved);
        assert_eq!(number(&second, 1), (2, true));
        assert!(second.repairs()[0].contains(RECORD), "{:?}", second.repairs());

        std::fs::write(folder.join("double"), "3").unwrap();
        let third = Stages::new(&store, json!("a"), &Unobserved);
        assert_eq!(number(&third, 1), (2, true));
        assert_eq!(read(&third).unwrap(), "2");

        // A missing file matters only to those who need it.
        std::fs::remove_file(folder.join("double")).unwrap();
        assert_eq!(number(&third, 1), (2, false));
        assert!(matches!(read(&third), Err(Interruption::Redo(_))));
        assert_eq!(number(&third, 1), (2, true));
    }

    #[test]
    fn a_store_that_never_holds_what_a_step_needs_is_an_error_and_no_endless_loop() {
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let mut attempts = 0;
        let result: Result<(), _> = redo(|| {
            attempts += 1;
            Err(Interruption::Redo(if attempts % 2 == 0 { one.clone() } else { other.clone() }))
        });
        assert!(matches!(result, Err(ExperimentError::StoreTooSmall { .. })), "{result:?}");
        assert_eq!(attempts, 2 * MOST_REPAIRS + 1);

        // One repair a step is slow, and ends.
        let mut steps = 0;
        let each_once = redo(|| {
            steps += 1;
            if steps <= 100 { Err(Interruption::Redo(Digest::of(&[steps]))) } else { Ok(()) }
        });
        each_once.unwrap();
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        assert_eq!(
            canonical(&json!({"b": [1, {"d": 1.5, "c": null}], "a": "x"})),
            r#"{"a":"x","b":[1,{"c":null,"d":1.5}]}"#
        );
    }
}

//! Finds the weights among the objects of a pickle.
//!
//! A training script saves its weights alone, or in a dict beside the number of epochs and the like. Often it saves
//! them twice: as they are, and as a running average. The dict of tensors is chosen by a fixed rule: the first of the
//! names that scripts commonly use for trained weights, or the only dict of tensors. The caller learns which one was
//! chosen and which others exist, and may ask for another one.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use crate::pytorch::globals::Global;
use crate::pytorch::machine::Pickle;
use crate::pytorch::object::{Id, Object, TensorObject};
use crate::shown::{listed, shown};

/// The common names of the weights in training scripts, in the order in which they are tried.
const WELL_KNOWN: [&str; 9] =
    ["state_dict", "model_state_dict", "model", "model_state", "module", "net", "network", "params", "weights"];
/// The beginnings of keys whose tensors are not weights.
const NO_WEIGHTS: [&str; 6] = ["optim", "lr_sched", "scheduler", "sched", "rng", "random"];

/// The limits of the search: the depth of nested dicts, the number of entries, and the number of dicts of tensors.
const DEEPEST: usize = 5;
const MOST_ENTRIES: usize = 2_000_000;
const MOST_FOUND: usize = 200;
/// The longest key that the search considers.
const LONGEST_KEY: usize = 200;

/// The state dict that was chosen from a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StateDict {
    /// Its key. For a nested dict, all keys, joined by dots. Empty if the file is just one dict of tensors.
    pub key: String,
    /// The keys of the file's other dicts of tensors.
    pub others: Vec<String>,
}

/// A text that completes a sentence about the file.
impl fmt::Display for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => f.write_str("its only dict of tensors is taken")?,
            key => write!(f, "its state dict {} is taken", shown(key))?,
        }
        if self.others.is_empty() {
            Ok(())
        } else {
            let others = listed(self.others.iter().map(String::as_str));
            write!(f, "; --state-dict takes one of the others: {others}")
        }
    }
}

/// A request for a state dict of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateDictKey {
    /// The state dict with this key. A file without it is refused.
    Exactly(String),
    /// The state dict with this key in files that hold several. Other files are read without it.
    WhereSeveral(String),
}

/// The weights of a pickle.
#[derive(Debug)]
pub(crate) struct Selection {
    pub state_dict: StateDict,
    /// The names and tensors, in the order of the pickle.
    pub tensors: Vec<(String, TensorObject)>,
}

/// Why the weights were not found.
#[derive(Debug)]
pub(crate) enum NoWeights {
    /// An entry is wrong: its name, and the problem.
    Tensor(String, String),
    File(String),
    /// There is code in place of the weights.
    Code(String),
}

/// A dict that holds tensors, and perhaps other things.
struct Candidate<'a> {
    key: String,
    entries: &'a [(Id, Id)],
}

/// Finds the weights.
pub(crate) fn choose(pickle: &Pickle, wanted: Option<&StateDictKey>) -> Result<Selection, NoWeights> {
    let Object::Dict(root) = pickle.get(pickle.root) else {
        return Err(match pickle.code(pickle.root) {
            Some(code) => NoWeights::Code(code),
            None => {
                let kind = pickle.get(pickle.root).kind();
                NoWeights::File(format!("its pickle holds {kind}; accepted: a dict of tensors"))
            }
        });
    };
    let mut keys = HashSet::new();
    for (key, _) in root {
        if let Object::Text(key) = pickle.get(*key)
            && !keys.insert(key)
        {
            return Err(NoWeights::File(format!("its pickle has two values for one key: {} occurs twice", shown(key))));
        }
    }
    let mut found = vec![];
    let mut left = MOST_ENTRIES;
    search(pickle, root, &mut vec![], &mut left, &mut found);
    let chosen = match wanted {
        Some(StateDictKey::Exactly(key)) => asked_for(&found, key)?,
        Some(StateDictKey::WhereSeveral(key)) if found.iter().filter(|dict| !dict.key.is_empty()).count() > 1 => {
            asked_for(&found, key)?
        }
        _ => by_rule(pickle, root, &found)?,
    };
    let others = found.iter().filter(|other| other.key != chosen.key && !other.key.is_empty());
    let state_dict = StateDict { key: chosen.key.clone(), others: others.map(|other| other.key.clone()).collect() };
    Ok(Selection { tensors: tensors(pickle, chosen.entries)?, state_dict })
}

/// Finds all dicts with float tensors, in the order of the pickle.
fn search<'a>(
    pickle: &'a Pickle,
    entries: &'a [(Id, Id)],
    path: &mut Vec<&'a str>,
    left: &mut usize,
    found: &mut Vec<Candidate<'a>>,
) {
    let first = entries.iter().take(*left).position(|(_, value)| is_float_tensor(pickle, *value));
    // A dict that is part of many others is searched for each of them, so the work is limited.
    *left = left.saturating_sub(first.unwrap_or(entries.len()));
    if first.is_some() {
        found.push(Candidate { key: path.join("."), entries });
    }
    for (key, value) in entries {
        let Some(rest) = left.checked_sub(1).filter(|_| found.len() < MOST_FOUND && path.len() < DEEPEST) else {
            return;
        };
        *left = rest;
        if let (Object::Text(key), Object::Dict(inner)) = (pickle.get(*key), pickle.get(*value))
            && key.len() <= LONGEST_KEY
            && !NO_WEIGHTS.iter().any(|start| key.starts_with(start))
        {
            path.push(key);
            search(pickle, inner, path, left, found);
            path.pop();
        }
    }
}

/// Counters and states of generators are integers, not weights.
fn is_float_tensor(pickle: &Pickle, id: Id) -> bool {
    let Object::Tensor(tensor) = pickle.get(id) else { return false };
    let dtype = match pickle.get(tensor.storage.class) {
        Object::Global(Global::Storage { dtype, .. }) => tensor.dtype.or(*dtype),
        _ => tensor.dtype,
    };
    dtype.is_none_or(|dtype| dtype.is_float())
}

fn asked_for<'a>(found: &[Candidate<'a>], key: &str) -> Result<Candidate<'a>, NoWeights> {
    let named: Vec<_> = found.iter().filter(|dict| !dict.key.is_empty()).collect();
    let mut matching = named.iter().filter(|dict| dict.key == key);
    match matching.next() {
        // A dot may be part of a key, or join two keys.
        Some(_) if matching.next().is_some() => {
            Err(NoWeights::File(format!("has two state dicts {}; save one of them alone", shown(key))))
        }
        Some(dict) => Ok(Candidate { key: dict.key.clone(), entries: dict.entries }),
        None if named.is_empty() => Err(NoWeights::File(format!(
            "has no state dict {}: it is just one dict of tensors; leave out --state-dict",
            shown(key)
        ))),
        None => {
            let there = listed(named.iter().map(|dict| dict.key.as_str()));
            Err(NoWeights::File(format!("has no state dict {}; accepted: {there}", shown(key))))
        }
    }
}

/// The weights by the fixed rule.
fn by_rule<'a>(pickle: &'a Pickle, root: &'a [(Id, Id)], found: &[Candidate<'a>]) -> Result<Candidate<'a>, NoWeights> {
    let entry = |wanted: &str| {
        root.iter().find(|(key, _)| matches!(pickle.get(*key), Object::Text(key) if key == wanted)).map(|entry| entry.1)
    };
    let several = |dicts: &[&Candidate<'_>]| {
        NoWeights::File(format!(
            "holds several dicts of tensors, none under a common name for weights; --state-dict takes one of: {}",
            listed(dicts.iter().map(|dict| dict.key.as_str()))
        ))
    };
    let dict = |name: &&'static str| match pickle.get(entry(name)?) {
        Object::Dict(entries) => Some(Candidate { key: (*name).to_owned(), entries }),
        _ => None,
    };
    for dict in WELL_KNOWN.iter().filter_map(dict) {
        let within = format!("{}.", dict.key);
        let below: Vec<_> = found.iter().filter(|other| other.key.starts_with(&within)).collect();
        match below[..] {
            _ if dict.entries.is_empty() || found.iter().any(|other| other.key == dict.key) => return Ok(dict),
            // A dict without tensors, such as the settings of a model.
            [] => {}
            [only] => return Ok(Candidate { key: only.key.clone(), entries: only.entries }),
            _ => return Err(several(&below)),
        }
    }
    if let Some(dict) = WELL_KNOWN.iter().find_map(dict).filter(|_| found.is_empty()) {
        return Ok(dict);
    }
    let named: Vec<_> = found.iter().filter(|dict| !dict.key.is_empty()).collect();
    match named[..] {
        // The file itself is a dict of tensors, whatever else it holds.
        _ if found.len() > named.len() => {}
        [only] => return Ok(Candidate { key: only.key.clone(), entries: only.entries }),
        [] => {
            // A whole network instead of its weights.
            let code = WELL_KNOWN.iter().filter_map(|name| entry(name)).find_map(|id| pickle.code(id));
            if let Some(code) = code {
                return Err(NoWeights::Code(code));
            }
        }
        _ => return Err(several(&named)),
    }
    Ok(Candidate { key: String::new(), entries: root })
}

/// The names and tensors of a dict that must hold only tensors.
fn tensors(pickle: &Pickle, entries: &[(Id, Id)]) -> Result<Vec<(String, TensorObject)>, NoWeights> {
    let mut names = HashSet::new();
    let mut tensors = vec![];
    for (key, value) in entries {
        let Object::Text(name) = pickle.get(*key) else {
            let kind = pickle.get(*key).kind();
            return Err(NoWeights::File(format!("its pickle has {kind} for a tensor's name; accepted: a str")));
        };
        let Object::Tensor(tensor) = pickle.get(*value) else {
            let reason = match pickle.get(*value) {
                Object::Made { .. } => pickle.why_no_tensor(*value),
                _ => format!(
                    "{}; accepted: a dict of tensors, alone or under one of {}",
                    pickle.why_no_tensor(*value),
                    listed(WELL_KNOWN[..3].iter().copied())
                ),
            };
            return Err(NoWeights::Tensor(name.clone(), reason));
        };
        if !names.insert(name.as_str()) {
            return Err(NoWeights::Tensor(name.clone(), "occurs twice".to_owned()));
        }
        tensors.push((name.clone(), *tensor));
    }
    Ok(tensors)
}

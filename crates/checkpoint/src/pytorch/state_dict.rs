//! Which objects of a pickle are the weights.

use std::collections::HashSet;

use crate::pytorch::machine::Pickle;
use crate::pytorch::object::{Id, Object, TensorObject};
use crate::shown::{listed, shown};

/// Under which names training scripts put the weights, beside numbers of epochs and the like.
const WELL_KNOWN: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// What is wrong, with the entry where there is one.
#[derive(Debug)]
pub(crate) struct NoWeights {
    pub name: Option<String>,
    pub reason: String,
}

/// Names and tensors of the weights, in the order of the pickle.
pub(crate) fn tensors(pickle: &Pickle) -> Result<Vec<(String, TensorObject)>, NoWeights> {
    let mut names = HashSet::new();
    let mut tensors = vec![];
    for (key, value) in weights(pickle)? {
        let Object::Text(name) = pickle.get(*key) else {
            return Err(whole(format!("has {} for a tensor's name; accepted: a str", pickle.get(*key).kind())));
        };
        let Object::Tensor(tensor) = pickle.get(*value) else {
            let kind = pickle.get(*value).kind();
            let reason = format!(
                "is {kind}, not a tensor; accepted: a dict of tensors, by itself or under one of {}",
                listed(WELL_KNOWN)
            );
            return Err(NoWeights { name: Some(name.clone()), reason });
        };
        if !names.insert(name.as_str()) {
            return Err(NoWeights { name: Some(name.clone()), reason: "is there twice".to_owned() });
        }
        tensors.push((name.clone(), *tensor));
    }
    Ok(tensors)
}

fn whole(reason: String) -> NoWeights {
    NoWeights { name: None, reason }
}

/// The entries of the dict that holds the weights.
fn weights(pickle: &Pickle) -> Result<&[(Id, Id)], NoWeights> {
    let Object::Dict(root) = pickle.get(pickle.root) else {
        let kind = pickle.get(pickle.root).kind();
        return Err(whole(format!("holds {kind}; accepted: a dict of tensors")));
    };
    let mut found: Vec<(&str, &[(Id, Id)])> = vec![];
    for (key, value) in root {
        if let (Object::Text(key), Object::Dict(entries)) = (pickle.get(*key), pickle.get(*value))
            && WELL_KNOWN.contains(&key.as_str())
        {
            found.push((key, entries));
        }
    }
    match found[..] {
        [] => Ok(root),
        [(_, entries)] => Ok(entries),
        [(first, _), (second, _), ..] => Err(whole(format!(
            "holds weights under both {} and {}; save the one that is meant by itself",
            shown(first),
            shown(second)
        ))),
    }
}

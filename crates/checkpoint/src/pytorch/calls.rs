//! Computes the results of the functions that `torch.save` uses to rebuild tensors. The functions are not called: their
//! arguments contain everything. Every argument is either understood or refused.

use crate::Dtype;
use crate::pytorch::globals::{Global, Rebuild};
use crate::pytorch::object::{Id, Object, Storage, TensorObject};
use crate::shown::shown;

/// The most entries of a metadata dict; `torch.save` writes two at most. The limit bounds the work if one dict is
/// shared by a million tensors.
const MOST_METADATA: usize = 8;

/// The result of a call.
#[derive(Debug)]
pub(crate) enum CallResult {
    Object(Object),
    /// An existing object.
    Same(Id),
}

/// The result of a known class or function. The error completes a sentence about the tensor.
pub(crate) fn made(objects: &[Object], global: &Global, arguments: &[Id]) -> Result<CallResult, String> {
    match (global, arguments) {
        (Global::OrderedDict, []) => Ok(CallResult::Object(Object::Dict(vec![]))),
        (Global::OrderedDict, [list]) => Ok(CallResult::Object(Object::Dict(pairs(objects, *list)?))),
        (Global::Size, [sizes]) => Ok(CallResult::Same(*sizes)),
        // Hooks, attributes and whether it is trained do not affect the values.
        (Global::Parameter, [data] | [data, _] | [data, _, _] | [data, _, _, _]) => Ok(CallResult::Same(*data)),
        (Global::FromType, [function, class, inner, _]) => from_type(objects, *function, *class, *inner),
        (Global::Tensor(rebuild), _) => Ok(CallResult::Object(Object::Tensor(tensor(objects, *rebuild, arguments)?))),
        _ => Err(format!("is built by `{global}` with {} arguments, which `torch.save` never writes", arguments.len())),
    }
}

/// `_rebuild_from_type_v2(function, class, arguments, state)`. The state holds attributes.
fn from_type(objects: &[Object], function: Id, class: Id, inner: Id) -> Result<CallResult, String> {
    if !matches!(get(objects, class), Object::Global(Global::TensorClass | Global::Parameter)) {
        let class = code(objects, class).unwrap_or_else(|| get(objects, class).kind().to_owned());
        return Err(format!(
            "is of the class {}, whose values may differ from those of its storage; accepted: plain tensors (save it after \
             `.as_subclass(torch.Tensor)`)",
            shown(&class)
        ));
    }
    match (get(objects, function), get(objects, inner)) {
        // A nested class is never written, and could be nested without end.
        (Object::Global(global @ (Global::Tensor(_) | Global::Parameter)), Object::Tuple(arguments)) => {
            made(objects, global, arguments)
        }
        (Object::Code { .. }, _) => Err(foreign(objects, function, inner)),
        (other, _) => Err(format!("is built by {}; accepted: a function of `torch._utils`", other.kind())),
    }
}

/// A tensor that views a storage. The arguments are those of `torch._utils._rebuild_tensor_v2` and similar functions.
fn tensor(objects: &[Object], rebuild: Rebuild, arguments: &[Id]) -> Result<TensorObject, String> {
    let (dtype, metadata) = match (rebuild, arguments) {
        (Rebuild::V1 | Rebuild::V2, [_, _, _, _] | [_, _, _, _, _, _]) => (None, None),
        (Rebuild::V2, [_, _, _, _, _, _, metadata]) => (None, Some(*metadata)),
        (Rebuild::V3, [_, _, _, _, _, _, dtype]) => (Some(*dtype), None),
        (Rebuild::V3, [_, _, _, _, _, _, dtype, metadata]) => (Some(*dtype), Some(*metadata)),
        _ => {
            let function = Global::Tensor(rebuild);
            return Err(format!(
                "is built by `{function}` with {} arguments, which `torch.save` never writes",
                arguments.len()
            ));
        }
    };
    let [storage, offset, sizes, strides] = [0, 1, 2, 3].map(|index: usize| arguments[index]);
    let parts = [storage, offset, sizes, strides].map(|id| get(objects, id));
    let [Object::Storage(storage), Object::Int(offset), Object::Tuple(_), Object::Tuple(_)] = parts else {
        let parts = parts.map(Object::kind).join(", ");
        return Err(format!("is built from {parts}; accepted: a storage, an int and two tuples"));
    };
    let dtype = dtype.map(|id| dtype_of(objects, id)).transpose()?;
    let negative = metadata.map_or(Ok(false), |id| is_negative(objects, id))?;
    Ok(TensorObject { storage: *storage, offset: *offset, sizes, strides, dtype, negative })
}

fn dtype_of(objects: &[Object], id: Id) -> Result<Dtype, String> {
    match get(objects, id) {
        Object::Global(Global::Dtype(dtype)) => Ok(*dtype),
        other => {
            let name = code(objects, id).unwrap_or_else(|| other.kind().to_owned());
            Err(format!("has values of type {}; accepted: {}", shown(&name), Dtype::accepted()))
        }
    }
}

/// Whether the metadata of a view negate its values. `neg` negates them. `conj` conjugates them, which does not change
/// real numbers (storages of complex types are refused).
fn is_negative(objects: &[Object], metadata: Id) -> Result<bool, String> {
    let entries = match get(objects, metadata) {
        Object::None => return Ok(false),
        Object::Dict(entries) if entries.len() <= MOST_METADATA => entries,
        other => return Err(format!("has {} for its metadata; accepted: a dict of `conj` and `neg`", other.kind())),
    };
    let mut negative = false;
    for (key, value) in entries {
        match (get(objects, *key), get(objects, *value)) {
            (Object::Text(key), Object::Bool(value)) if key == "neg" => negative = *value,
            (Object::Text(key), Object::Bool(_)) if key == "conj" => {}
            (Object::Text(key), value) => {
                let kind = value.kind();
                return Err(format!(
                    "has {kind} for {} in its metadata; accepted: a bool for `conj` or `neg` (save it after `.clone()`)",
                    shown(key)
                ));
            }
            (key, _) => return Err(format!("has {} for a key of its metadata; accepted: a str", key.kind())),
        }
    }
    Ok(negative)
}

/// The keys and values of an ordered dict by Python 2: a list of pairs.
fn pairs(objects: &[Object], list: Id) -> Result<Vec<(Id, Id)>, String> {
    let pair = |id: &Id| match get(objects, *id) {
        Object::List(pair) | Object::Tuple(pair) => <[Id; 2]>::try_from(&pair[..]).ok().map(|[a, b]| (a, b)),
        _ => None,
    };
    let pairs = match get(objects, list) {
        Object::List(items) => items.iter().map(pair).collect(),
        _ => None,
    };
    pairs.ok_or_else(|| "is an ordered dict of something that is not a list of pairs".to_owned())
}

/// The storage that a persistent reference describes, if it does.
pub(crate) fn storage(objects: &[Object], reference: Id) -> Option<Storage> {
    let Object::Tuple(parts) = get(objects, reference) else { return None };
    let ([kind, class, key, _, length] | [kind, class, key, _, length, _]) = parts[..] else { return None };
    let is_view = parts.get(5).is_some_and(|id| !matches!(get(objects, *id), Object::None));
    match [kind, class, key, length].map(|id| get(objects, id)) {
        [Object::Text(kind), Object::Global(Global::Storage { .. }), Object::Text(_), Object::Int(length)]
            if kind == "storage" =>
        {
            Some(Storage { class, key, length: *length, is_view })
        }
        _ => None,
    }
}

/// Why an object is not an accepted tensor. The text completes the sentence "the tensor …".
pub(crate) fn why_no_tensor(objects: &[Object], id: Id) -> String {
    match get(objects, id) {
        Object::Made { by, arguments } => match (get(objects, *by), get(objects, *arguments)) {
            (Object::Global(global), Object::Tuple(given)) => match made(objects, global, given) {
                Err(reason) => reason,
                Ok(_) => format!("is an object of `{global}`; accepted: a tensor"),
            },
            _ => foreign(objects, *by, *arguments),
        },
        other => format!("is {}, not a tensor", other.kind()),
    }
}

/// Why the result of an unknown function is not an accepted tensor.
fn foreign(objects: &[Object], by: Id, arguments: Id) -> String {
    let function = code(objects, by).unwrap_or_else(|| get(objects, by).kind().to_owned());
    let first = match get(objects, arguments) {
        Object::Tuple(items) => items.first().and_then(|id| code(objects, *id)),
        _ => None,
    };
    let known = match function.as_str() {
        "torch._utils._rebuild_sparse_tensor" | "torch._utils._rebuild_sparse_csr_tensor" => {
            "is a sparse tensor; accepted: dense ones (save it after `.to_dense()`)"
        }
        "torch._utils._rebuild_qtensor" => {
            "is a quantised tensor; accepted: floats and integers (save it after `.dequantize()`)"
        }
        "torch._utils._rebuild_nested_tensor" => "is a nested tensor; accepted: tensors of one shape",
        "torch._utils._rebuild_meta_tensor_no_storage" => {
            "is on the device `meta`, which has no values; accepted: a tensor with values"
        }
        "torch._utils._rebuild_device_tensor_from_numpy"
        | "torch._utils._rebuild_device_tensor_from_cpu_tensor"
        | "torch._utils._rebuild_xla_tensor" => {
            "was saved from a device with its own format; accepted: tensors of the CPU (save it after `.cpu()`)"
        }
        _ => "",
    };
    match (known, function.as_str(), first) {
        ("", "torch._utils._rebuild_wrapper_subclass" | "torch._tensor._rebuild_from_type", Some(class)) => format!(
            "is of the class {}, which stores its values in its own format; accepted: plain tensors",
            shown(&class)
        ),
        ("", ..) => format!(
            "is built by {}, which is not known here; nothing was executed. Accepted: plain tensors, as `state_dict()` \
             returns them",
            shown(&function)
        ),
        (known, ..) => known.to_owned(),
    }
}

/// The module and name, joined by a dot, of a class or function, or of the one that built an object.
pub(crate) fn code(objects: &[Object], id: Id) -> Option<String> {
    let mut id = id;
    loop {
        match get(objects, id) {
            Object::Global(global) => return Some(global.to_string()),
            Object::Code { module, name } => match [*module, *name].map(|id| get(objects, id)) {
                [Object::Text(module), Object::Text(name)] => return Some(format!("{module}.{name}")),
                _ => return None,
            },
            // An object is built by one with a smaller id, so this recursion ends.
            Object::Made { by, .. } => id = *by,
            _ => return None,
        }
    }
}

fn get(objects: &[Object], id: Id) -> &Object {
    &objects[id as usize]
}

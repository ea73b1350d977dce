//! The names that a pickle of weights may mention. None of them is ever called.

use std::fmt;

use crate::Dtype;

/// A class or function that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`, or `_rebuild_tensor` before version 0.4.
    Tensor,
    /// `torch._utils._rebuild_parameter`, or `torch.nn.parameter.Parameter` itself before version 0.4.
    Parameter,
    /// `torch.Size`.
    Size,
    /// A class such as `torch.FloatStorage`, and its type where that is accepted.
    Storage { class: String, dtype: Option<Dtype> },
}

impl Global {
    /// The one of that name, if a pickle of weights may mention it.
    pub(crate) fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::Tensor,
            ("torch._utils", "_rebuild_parameter") | ("torch.nn.parameter", "Parameter") => Global::Parameter,
            ("torch", "Size") => Global::Size,
            ("torch", class) if is_storage(class) => {
                Global::Storage { class: class.to_owned(), dtype: Dtype::of_storage(class) }
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Global::OrderedDict => f.write_str("collections.OrderedDict"),
            Global::Tensor => f.write_str("torch._utils._rebuild_tensor_v2"),
            Global::Parameter => f.write_str("torch._utils._rebuild_parameter"),
            Global::Size => f.write_str("torch.Size"),
            Global::Storage { class, .. } => write!(f, "torch.{class}"),
        }
    }
}

/// How many bytes a value of such a storage takes, also where its type is not accepted: an optimiser may have some.
pub(crate) fn storage_width(class: &str) -> Option<u64> {
    Some(match class {
        "ComplexDoubleStorage" => 16,
        "ComplexFloatStorage" => 8,
        "QInt32Storage" => 4,
        "QInt8Storage" | "QUInt8Storage" | "UntypedStorage" => 1,
        _ => Dtype::of_storage(class)?.bytes() as u64,
    })
}

/// Storages of types that are not accepted are known, too: then the tensor can be named.
fn is_storage(class: &str) -> bool {
    class.len() <= 40 && class.ends_with("Storage") && class.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_weights_need_is_known() {
        let storage = Global::Storage { class: "HalfStorage".to_owned(), dtype: Some(Dtype::F16) };
        assert_eq!(Global::named("torch", "HalfStorage"), Some(storage));
        let unknown = Global::Storage { class: "ComplexFloatStorage".to_owned(), dtype: None };
        assert_eq!(Global::named("torch", "ComplexFloatStorage"), Some(unknown));
        for (module, name) in [("os", "system"), ("torch", "load"), ("torch.hub", "Storage"), ("torch", "a.Storage")] {
            assert_eq!(Global::named(module, name), None, "{module}.{name}");
        }
    }
}
